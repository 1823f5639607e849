"""How the learning rate changes in the course of training."""

import math

SCHEDULES = ("constant", "step", "cosine")


def scheduled_rate(
    iteration: int, learning_rate: float, schedule: str, iterations: int | None, factor: float | None, warmup: int
) -> float:
    """The learning rate of an iteration i = 0, 1, ...

        learning_rate min(1, (i + 1) / warmup) s(i)
        constant    s(i) = 1
        step        s(i) = factor^floor(i / n)
        cosine      s(i) = factor + (1 - factor) (1 + cos(pi min(i / n, 1))) / 2

    with n = iterations; warmup 0 is none. Source: the cosine of Loshchilov and Hutter, "SGDR", 2017, without restarts.
    """
    rate = learning_rate * min(1.0, (iteration + 1) / max(warmup, 1))
    if schedule == "constant" or iterations is None or factor is None:
        return rate
    if schedule == "step":
        return rate * factor ** (iteration // iterations)
    return rate * (factor + (1 - factor) * (1 + math.cos(math.pi * min(iteration / iterations, 1))) / 2)

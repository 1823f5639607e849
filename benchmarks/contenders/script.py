"""The min-char-rnn script's algorithm with the script's own operations in NumPy: characters are one-hot columns, each
step of time does its own products, forward and backward, and a softmax takes its exponentials twice, without the
maximum subtracted."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastrnn.bench.job import Calls, Draws, Job
from fastrnn.bench.problem import SAMPLE_LENGTH, Array, Problem, text, weights


def one_hot(character: int, V: int) -> Array:
    column = np.zeros((V, 1))
    column[character] = 1
    return column


def loss_and_gradients(
    parameters: Sequence[Array], inputs: Sequence[int], targets: Sequence[int], hprev: Array, clip: float
) -> tuple[Any, ...]:
    """loss, dWxh, dWhh, dWhy, dbh, dby, h_last; the gradients are clipped."""
    Wxh, Whh, Why, bh, by = parameters
    V, T = len(by), len(inputs)
    x, h, p = {}, {-1: np.copy(hprev)}, {}
    loss = 0.0
    for t in range(T):
        x[t] = one_hot(inputs[t], V)
        h[t] = np.tanh(np.dot(Wxh, x[t]) + np.dot(Whh, h[t - 1]) + bh)
        y = np.dot(Why, h[t]) + by
        p[t] = np.exp(y) / np.sum(np.exp(y))
        loss += -np.log(p[t][targets[t], 0])

    gradients = dWxh, dWhh, dWhy, dbh, dby = tuple(np.zeros_like(parameter) for parameter in parameters)
    from_next = np.zeros_like(hprev)
    for t in range(T - 1, -1, -1):
        dy = np.copy(p[t])
        dy[targets[t]] -= 1
        dWhy += np.dot(dy, h[t].T)
        dby += dy
        dh = np.dot(Why.T, dy) + from_next
        da = (1 - h[t] * h[t]) * dh
        dbh += da
        dWxh += np.dot(da, x[t].T)
        dWhh += np.dot(da, h[t - 1].T)
        from_next = np.dot(Whh.T, da)
    for gradient in gradients:
        np.clip(gradient, -clip, clip, out=gradient)
    return loss, *gradients, h[T - 1]


def draw(parameters: Sequence[Array], h: Array, character: int, n: int) -> list[int]:
    """n characters, each drawn from the distribution after the one before."""
    Wxh, Whh, Why, bh, by = parameters
    V, drawn = len(by), []
    x = one_hot(character, V)
    for _ in range(n):
        h = np.tanh(np.dot(Wxh, x) + np.dot(Whh, h) + bh)
        y = np.dot(Why, h) + by
        p = np.exp(y) / np.sum(np.exp(y))
        character = int(np.random.choice(range(V), p=p.ravel()))  # noqa: NPY002  (the script's random numbers)
        x = one_hot(character, V)
        drawn.append(character)
    return drawn


class Training:
    """The script's loop: along the text, loss and gradients, Adagrad on the five arrays."""

    unit = 1

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.parameters = weights(problem)
        self.memories = tuple(np.zeros_like(parameter) for parameter in self.parameters)
        self.text, self.p = text(problem.V).tolist(), 0
        self.h = np.zeros((problem.H, 1))

    def run(self, times: int) -> None:
        T, clip, learning_rate = self.problem.T, self.problem.clip, self.problem.learning_rate
        for _ in range(times):
            inputs, targets = self.text[self.p : self.p + T], self.text[self.p + 1 : self.p + T + 1]
            _, *gradients, self.h = loss_and_gradients(self.parameters, inputs, targets, self.h, clip)
            for parameter, gradient, memory in zip(self.parameters, gradients, self.memories, strict=True):
                memory += gradient * gradient
                parameter += -learning_rate * gradient / np.sqrt(memory + 1e-8)
            self.p += T
            if self.p + T + 1 >= len(self.text):
                self.h, self.p = np.zeros_like(self.h), 0

    def outcome(self) -> Sequence[Array]:
        return [*self.parameters, *self.memories, self.h]


def loss_fun(problem: Problem) -> Job:
    parameters = weights(problem)
    characters = text(problem.V)[: problem.T + 1].tolist()
    inputs, targets = characters[:-1], characters[1:]
    hprev = np.zeros((problem.H, 1))
    return Calls(lambda: loss_and_gradients(parameters, inputs, targets, hprev, problem.clip))


def sample(problem: Problem) -> Job:
    parameters, h, first = weights(problem), np.zeros((problem.H, 1)), int(text(problem.V)[0])
    return Draws(lambda: draw(parameters, h, first, SAMPLE_LENGTH))


TASKS: dict[str, Callable[[Problem], Job]] = {"train": Training, "lossFun": loss_fun, "sample": sample}

"""What fastrnn.min_char_rnn and fastrnn.reference have in common: their bind and Trainer."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastrnn.bench.job import Calls, Draws, Job
from fastrnn.bench.problem import SAMPLE_LENGTH, Array, Problem, text, weights


class Training:
    """The module's Trainer."""

    def __init__(self, module: Any, problem: Problem, unit: int) -> None:
        self.unit = unit
        self.trainer = module.Trainer(
            *weights(problem),
            text(problem.V),
            seq_length=problem.T,
            learning_rate=problem.learning_rate,
            clip=problem.clip,
        )

    def run(self, times: int) -> None:
        self.trainer.run(times)

    def outcome(self) -> Sequence[Array]:
        return [*self.trainer.parameters, *self.trainer.memories, self.trainer.hprev]


def loss_fun(module: Any, problem: Problem) -> Job:
    lossFun, _ = module.bind(*weights(problem), clip=problem.clip)
    characters = text(problem.V)[: problem.T + 1].tolist()
    inputs, targets = characters[:-1], characters[1:]
    hprev = np.zeros((problem.H, 1), problem.dtype)
    return Calls(lambda: lossFun(inputs, targets, hprev))


def sample(module: Any, problem: Problem) -> Job:
    _, draw = module.bind(*weights(problem))
    h, first = np.zeros((problem.H, 1), problem.dtype), int(text(problem.V)[0])
    return Draws(lambda: draw(h, first, SAMPLE_LENGTH))


def tasks(module: Any, unit: int) -> dict[str, Callable[[Problem], Job]]:
    return {
        "train": lambda problem: Training(module, problem, unit),
        "lossFun": lambda problem: loss_fun(module, problem),
        "sample": lambda problem: sample(module, problem),
    }

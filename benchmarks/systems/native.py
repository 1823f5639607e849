"""The sides that are fastrnn: what a user writes, with the settings of the loops beside it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fastrnn
from benchmarks.systems.job import Job
from benchmarks.systems.problems import Adder, Array, Classifier, Indices, Reversal

UPDATES = 10_000  # of the adder, in one call


def bits_of(numbers: Indices, bits: int) -> Array:
    """Their bits from the least significant on, along a last axis."""
    return (numbers[..., np.newaxis] >> np.arange(bits) & 1).astype(np.float64)


class AdderTraining:
    """The mean of the squared errors of 8 outputs has a quarter of the gradient that the sum of their halves has."""

    def __init__(self, problem: Adder) -> None:
        self.random, first, second, third = problem.begin()
        self.operands = problem.operands
        self.bits = bits_of(np.arange(2 * problem.operands), problem.bits)  # of every number, as the script has them
        self.model = fastrnn.SequenceModel(
            "rnn",
            problem.hidden_size,
            topology="many-to-many",
            output="sigmoid",
            loss="squared_error",
            nonlinearity="sigmoid",
            bias=False,
            shuffle=False,
            batch_size=1,
            optimizer="sgd",
            learning_rate=0.1 * problem.bits / 2,
            clip_norm=None,
            dtype=problem.dtype,
        )
        self.model.build("vectors", input_size=2, output_size=1)
        weights = {"rnn.weight_ih_l0": first.T, "rnn.weight_hh_l0": third.T, "linear.weight": second.T}
        self.model.load_state_dict(weights)

    def run(self, times: int) -> None:
        for done in range(0, times, UPDATES):
            updates = min(UPDATES, times - done)
            operands = self.random.randint(self.operands, size=(updates, 2))
            x, y = self.bits[operands].swapaxes(1, 2), self.bits[operands.sum(1)]
            self.model.fit(x, y, epochs=1)

    def outcome(self) -> Sequence[Array]:
        return list(self.model.parameters.values())


class Fitting:
    """`fit`, on the same data again and again."""

    def __init__(self, model: Any, problem: Classifier | Reversal) -> None:
        self.model, self.data, weights = model, problem.data(), problem.weights()
        self.model.fit(*self.data, iterations=0)
        for name, parameter in self.model.parameters.items():
            parameter[...] = weights.get(name, 0)
        self.names = list(weights)

    def run(self, times: int) -> None:
        self.model.fit(*self.data, iterations=times)

    def outcome(self) -> Sequence[Array]:
        return [self.model.parameters[name] for name in self.names]


def classifier(problem: Classifier) -> Job:
    model = fastrnn.SequenceModel(
        "lstm",
        problem.hidden_size,
        batch_size=problem.batch_size,
        shuffle=False,
        optimizer="adam",
        learning_rate=problem.learning_rate,
        clip_norm=None,
        dtype=problem.dtype,
    )
    return Fitting(model, problem)


def seq2seq(problem: Reversal) -> Job:
    model = fastrnn.Seq2Seq(
        "gru",
        problem.hidden_size,
        embedding_size=problem.embedding_size,
        batch_size=problem.batch_size,
        shuffle=False,
        optimizer="adam",
        learning_rate=problem.learning_rate,
        clip_norm=None,
        dtype=problem.dtype,
    )
    return Fitting(model, problem)


TASKS: dict[str, Callable[[Any], Job]] = {
    "adder": AdderTraining,
    "classifier": classifier,
    "seq2seq": seq2seq,
}

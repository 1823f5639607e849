"""The binary adder as its script has it, operation for operation, in NumPy: one number at a time, `np.dot` for each
product of each step, forward and back; only its printing is left out."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.systems.job import Job
from benchmarks.systems.problems import Adder, Array

ALPHA = 0.1  # of the sum of half the squared errors


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def slope(output: Any) -> Any:
    """The sigmoid's derivative, by its output."""
    return output * (1 - output)


class Training:
    """The script's loop. Of each update so far, `errors` has the sum of the distances of the outputs from the bits, and
    `exact` whether all of them rounded to the bits."""

    def __init__(self, problem: Adder) -> None:
        self.problem = problem
        self.random, self.synapse_0, self.synapse_1, self.synapse_h = problem.begin()
        self.update_0, self.update_1, self.update_h = map(
            np.zeros_like, (self.synapse_0, self.synapse_1, self.synapse_h)
        )
        sums = np.arange(2 * problem.operands, dtype=">u4")[:, None].view(np.uint8)
        self.int2binary = dict(enumerate(np.unpackbits(sums, axis=1)[:, -problem.bits :]))
        self.errors: list[float] = []
        self.exact: list[bool] = []

    def run(self, times: int) -> None:
        for _ in range(times):
            self.update()

    def update(self) -> None:
        """One sum: its columns from the least significant one, back again, and a step."""
        bits, hidden_size = self.problem.bits, self.problem.hidden_size
        a_int = self.random.randint(self.problem.operands)
        a = self.int2binary[a_int]
        b_int = self.random.randint(self.problem.operands)
        b = self.int2binary[b_int]
        c = self.int2binary[a_int + b_int]
        d = np.zeros_like(c)

        error: Any = 0
        layer_2_deltas, layer_1_values = [], [np.zeros(hidden_size)]
        for position in range(bits):
            x = np.array([[a[bits - position - 1], b[bits - position - 1]]])
            y = np.array([[c[bits - position - 1]]]).T
            layer_1 = sigmoid(np.dot(x, self.synapse_0) + np.dot(layer_1_values[-1], self.synapse_h))
            layer_2 = sigmoid(np.dot(layer_1, self.synapse_1))
            layer_2_error = y - layer_2
            layer_2_deltas.append(layer_2_error * slope(layer_2))
            error += np.abs(layer_2_error[0])
            d[bits - position - 1] = np.round(layer_2[0][0])
            layer_1_values.append(copy.deepcopy(layer_1))

        future_layer_1_delta = np.zeros(hidden_size)
        for position in range(bits):
            x = np.array([[a[position], b[position]]])
            layer_1, before = layer_1_values[-position - 1], layer_1_values[-position - 2]
            layer_2_delta = layer_2_deltas[-position - 1]
            from_next, from_output = future_layer_1_delta.dot(self.synapse_h.T), layer_2_delta.dot(self.synapse_1.T)
            layer_1_delta = (from_next + from_output) * slope(layer_1)
            self.update_1 += np.atleast_2d(layer_1).T.dot(layer_2_delta)
            self.update_h += np.atleast_2d(before).T.dot(layer_1_delta)
            self.update_0 += x.T.dot(layer_1_delta)
            future_layer_1_delta = layer_1_delta

        self.synapse_0 += self.update_0 * ALPHA
        self.synapse_1 += self.update_1 * ALPHA
        self.synapse_h += self.update_h * ALPHA
        self.update_0 *= 0
        self.update_1 *= 0
        self.update_h *= 0
        self.errors.append(error[0])
        self.exact.append(np.array_equal(d, c))

    def outcome(self) -> Sequence[Array]:
        return [self.synapse_0.T, self.synapse_h.T, self.synapse_1.T]


TASKS: dict[str, Callable[[Adder], Job]] = {"adder": Training}

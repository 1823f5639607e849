"""The one interface that all contenders have."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from fastrnn.bench.problem import Array


class Job(Protocol):
    """One task on one problem, ready to run.

    `outcome` is what came of it so far, to be checked, in the reference's layouts. For train: the five parameters,
    Adagrad's five memories, and the state. For lossFun and batch: loss, dWxh, dWhh, dWhy, dbh, dby, last state. For
    sample: the characters drawn after np.random.seed(0). For layer, network and char-gru: the parameters in PyTorch's
    order, what the optimizer remembers of each (a vector for each parameter), and for layer and network the states. For
    stream: outputs and last states. For step: the states.
    """

    unit: int  # `run` takes multiples of it

    def run(self, times: int) -> None:
        """Does the work so many times: iterations of train, layer, network and char-gru, else calls."""

    def outcome(self) -> Sequence[Array]: ...


class Calls:
    """A job that calls a function again and again; the outcome is what the last call returned."""

    unit = 1

    def __init__(self, call: Callable[[], Sequence[Any]]) -> None:
        self.call = call

    def run(self, times: int) -> None:
        for _ in range(times):
            self.last = self.call()

    def outcome(self) -> Sequence[Array]:
        return [np.asarray(array) for array in self.last]


class Draws(Calls):
    """A job that draws characters with NumPy's global random numbers."""

    def outcome(self) -> Sequence[Array]:
        np.random.seed(0)  # noqa: NPY002  (the script's random numbers are NumPy's global ones)
        return [np.asarray(self.call())]

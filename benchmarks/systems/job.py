"""The one interface that all sides have."""

from collections.abc import Sequence
from typing import Protocol

from benchmarks.systems.problems import Array


class Job(Protocol):
    """A system in training. `outcome`: what has become of the weights so far, in the order and shapes of the model's
    parameters, so that sides can be held against each other."""

    def run(self, times: int) -> None:
        """So many updates more."""

    def outcome(self) -> Sequence[Array]: ...

"""How a row is measured: the two sides, each in a process of its own, in turn."""

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.contenders import Contender
from benchmarks.parent import Child
from benchmarks.systems.problems import Array, Problem
from benchmarks.systems.systems import FASTRNN, System
from fastrnn.bench.measure import Median, in_turn, median, ratio
from fastrnn.bench.row import units_of_slice


@dataclass(frozen=True)
class Row:
    """Seconds are those of an update. `ratio`: the peer's over fastrnn's, how many times faster fastrnn is. `error`:
    the largest difference of the two sides' weights after some updates, relative to their array's largest. What belongs
    to the peer is None where there is none."""

    system: str
    problem: Mapping[str, Any]
    peer: str
    seconds: Median
    peer_seconds: Median | None
    ratio: Median | None
    error: float | None
    goal: float


class Side(Child):
    """One side's process."""

    def __init__(self, contender: Contender, processor: int) -> None:
        super().__init__(contender, processor, "benchmarks.systems.worker")

    def open(self, system: System, problem: Problem) -> None:
        """Makes the job ready."""
        self.ask(command="open", system=system.name, problem=dataclasses.asdict(problem))

    def outcome(self, updates: int) -> list[Array]:
        """The weights after so many updates."""
        return [np.array(weights) for weights in self.ask(command="outcome", updates=updates)["weights"]]


def difference(ours: Sequence[Array], theirs: Sequence[Array]) -> float:
    """The largest one, relative to the largest number of its array. ValueError where shapes differ."""
    for a, b in zip(ours, theirs, strict=True):
        if a.shape != b.shape:
            raise ValueError(f"the sides have different weights: {a.shape} and {b.shape}")
    return float(max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(ours, theirs, strict=True)))


def measure(system: System, problem: Problem, *, rounds: int, slice: float) -> Row:
    """The row of one system: alone, where its peer is missing.

    slice: seconds that a turn takes at least.
    """
    processor = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    contenders = [FASTRNN, *([] if system.peer.missing() else [system.peer])]
    with ExitStack() as stack:
        sides = [stack.enter_context(Side(contender, processor)) for contender in contenders]
        for side in sides:
            side.open(system, problem)
        weights = [side.outcome(system.checked) for side in sides]
        turns = {side.name: partial(side.seconds, *units_of_slice(side, 1, slice)) for side in sides}
        found = in_turn(turns, rounds, math.inf)
    mine, peer = found[FASTRNN.name], found.get(system.peer.name)
    return Row(
        system=system.name,
        problem=dataclasses.asdict(problem),
        peer=system.peer.name,
        seconds=median(mine),
        peer_seconds=median(peer) if peer else None,
        ratio=ratio(peer, mine) if peer else None,
        error=difference(*weights) if peer else None,
        goal=system.goal,
    )

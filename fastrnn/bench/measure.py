"""Timing contenders against each other on a machine that does other work as well.

A single time says little there. So all take turns, A B C A B C ..., each for a slice long enough for the clock, and
what counts is the median of the ratios within the rounds: what slows one in a round mostly slows the others too.
"""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
UNDISTURBED = 1.03  # a slice that took this many times the processor's own time was shared with another program
ATTEMPTS = 4  # at such a slice


@dataclass(frozen=True)
class Median:
    """The middle of a sample, and between which values the true median lies with 95 % confidence (or, from fewer than
    six values, the smallest and largest)."""

    value: float
    low: float
    high: float


def rank(n: int) -> int:
    """The largest k, at least 1, for which the k-th smallest and the k-th largest of n values enclose the true median
    with the confidence wanted. They do unless fewer than k values lie below it, or fewer than k above; each value does
    so as a coin falls."""
    k, fewer = 1, 0.5**n + n * 0.5**n  # the probability that fewer than k + 1 values lie below
    while 2 * fewer <= 1 - CONFIDENCE:
        k += 1
        fewer += math.comb(n, k) * 0.5**n
    return k


def median(values: Sequence[float]) -> Median:
    k = rank(len(values))
    return Median(statistics.median(values), sorted(values)[k - 1], sorted(values)[-k])


@dataclass(frozen=True)
class Slice:
    """Seconds for one unit of work, by the clock on the wall and by the processor's time for this process."""

    wall: float
    processor: float

    @property
    def disturbance(self) -> float:
        return self.wall / self.processor if self.processor else math.inf


def timed(run: Callable[[int], None], times: int) -> Slice:
    processor, wall = time.process_time(), time.perf_counter()
    run(times)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return Slice(wall / times, processor / times)


def quiet(run: Callable[[int], None], times: int, warm_up: int) -> Slice:
    """A slice, after some untimed work that fills the caches; anew while another program had the processor within."""
    attempts: list[Slice] = []
    while len(attempts) < ATTEMPTS and not (attempts and attempts[-1].disturbance < UNDISTURBED):
        if warm_up:
            run(warm_up)
        attempts.append(timed(run, times))
    return min(attempts, key=lambda slice: slice.disturbance)


def in_turn(turns: Mapping[str, Callable[[], float]], rounds: int, budget: float) -> dict[str, list[float]]:
    """What each turn returns, once a round. Each round begins with another turn, so that nobody always follows the same
    neighbour. It ends early where `budget` seconds are used up, but not before five rounds."""
    found: dict[str, list[float]] = {name: [] for name in turns}
    names, end = list(turns), time.perf_counter() + budget
    for i in range(rounds):
        if i >= 5 and time.perf_counter() > end:
            break
        first = i % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(turns[name]())
    return found


def ratio(of: Sequence[float], to: Sequence[float]) -> Median:
    """The median of the ratios within the rounds."""
    return median([a / b for a, b in zip(of, to, strict=True)])

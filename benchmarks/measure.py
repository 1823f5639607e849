"""Timing two things against each other on a machine that does other work as well.

A single time says little there. So the two are run in turn, A B A B ..., each long enough for the clock, and what
counts is the median of the ratios within the pairs: whatever slows one of a pair mostly slows the other too.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

SLICE = 0.004  # seconds that one side of a pair runs at least: well above the clock's resolution


@dataclass(frozen=True)
class Pair:
    """Medians over the rounds: seconds a call of A and of B, and the ratio B / A (how many times faster A is), with
    its quartiles."""

    a: float
    b: float
    ratio: float
    ratio_low: float
    ratio_high: float


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Seconds for one call, averaged over `repeats` in a row."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def repeats_for(call: Callable[[], object]) -> int:
    """How often to call in a row so that it takes about SLICE."""
    call()  # the first call pays for memory and caches
    return max(1, round(SLICE / max(seconds(call, 1), 1e-7)))


def compare(a: Callable[[], object], b: Callable[[], object], rounds: int) -> Pair:
    """A and B in turn, `rounds` times."""
    repeats_a, repeats_b = repeats_for(a), repeats_for(b)
    times = [(seconds(a, repeats_a), seconds(b, repeats_b)) for _ in range(rounds)]
    ratios = [time_b / time_a for time_a, time_b in times]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return Pair(
        a=statistics.median(time_a for time_a, _ in times),
        b=statistics.median(time_b for _, time_b in times),
        ratio=middle,
        ratio_low=low,
        ratio_high=high,
    )

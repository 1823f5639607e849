"""How one row of figures is measured: one task on one problem, the sides and the floor in turn."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from fastrnn.bench import floor
from fastrnn.bench.ceilings import Ceilings, Probe
from fastrnn.bench.measure import in_turn, median, ratio
from fastrnn.bench.problem import SAMPLE_LENGTH, STREAM_LENGTH, Problem, distinct
from fastrnn.bench.results import Least, Row, Side

PER_CALL = {"sample": SAMPLE_LENGTH, "stream": STREAM_LENGTH}  # characters of one call: one of them is what counts
FLOORS: dict[str, Callable[[Problem], floor.Parts]] = {
    "train": lambda problem: floor.train(problem, distinct(problem)),
    "lossFun": floor.loss_fun,
    "batch": floor.loss_fun,
    "sample": floor.sample,
    "layer": lambda problem: floor.layer(problem, distinct(problem)),
    "network": lambda problem: floor.network(problem, distinct(problem)),
    "stream": floor.step,
    "step": floor.step,
    "char-gru": floor.character_gru,
}


class Timed(Protocol):
    """What can say how many seconds a unit of its work takes, from so many of them after so many untimed ones."""

    def seconds(self, times: int, warm_up: int) -> float: ...


class Runner(Timed, Protocol):
    """A side at work: in this process (`Local`, which explains the methods) or in one of its own."""

    name: str
    dtype: str | None

    def open(self, task: str, problem: Problem) -> tuple[float, int]: ...
    def probe(self, dtype: str, probes: tuple[Probe, ...]) -> Ceilings: ...
    def close(self) -> None: ...


def characters(task: str, problem: Problem) -> int:
    """How many characters a unit of the task's work has."""
    return 1 if task in ("sample", "stream", "step") else problem.T * problem.B


def has_peak(task: str, problem: Problem) -> bool:
    """Whether the multiply-adds could be what takes the time."""
    return task == "batch" or (task in ("layer", "network") and problem.B > 1)


def units_of_slice(runner: Timed, unit: int, length: float) -> tuple[int, int]:
    """How many units of work make a slice, and how many warm up for it: none where one alone is longer."""
    times = unit
    for _ in range(2):
        seconds = runner.seconds(times, unit)
        times = unit * max(1, round(length / seconds / unit))
    return times, unit if seconds * unit < length else 0


def measure_row(
    task: str,
    isa: str,
    problem: Problem,
    fast: Runner,
    others: Sequence[Runner],
    *,
    rounds: int,
    slice: float,
    budget: float,
) -> Row:
    """The figures of fastrnn, `fast`, by this instruction set, against all others and the floor.

    slice: seconds that a turn takes at least. budget: seconds after which the row ends before its rounds are done.
    """
    per = PER_CALL.get(task, 1)
    parts, best = FLOORS[task](problem), Ceilings(problem.dtype)
    probes = floor.probes(parts)

    def least() -> float:
        """The floor by the ceilings of this moment, for a call."""
        ceilings = fast.probe(problem.dtype, probes)
        best.take_in(ceilings)
        peaks.append(floor.multiply_adds(problem) / ceilings.fma)
        bounds.append(sum(floor.bounds(parts, ceilings).values()))
        return per * sum(floor.floors(parts, ceilings).values())

    peaks: list[float] = []  # the multiply-adds of a call, at the peak of each round
    bounds: list[float] = []
    errors: dict[str, float] = {}
    turns: dict[str, Callable[[], float]] = {"floor": least}
    for runner in (fast, *others):
        errors[runner.name], unit = runner.open(task, problem)
        turns[runner.name] = partial(runner.seconds, *units_of_slice(runner, unit, slice))
    found = in_turn(turns, rounds, budget)
    for runner in (fast, *others):
        runner.close()

    seconds = {name: [slice / per for slice in slices] for name, slices in found.items()}
    mine = seconds[fast.name]
    return Row(
        task=task,
        isa=isa,
        dtype=problem.dtype,
        H=problem.H,
        B=problem.B,
        T=problem.T,
        V=problem.V,
        characters=characters(task, problem),
        seconds=median(mine),
        best=min(mine),
        floor=Least(median(seconds["floor"]), floor.floors(parts, best)),
        bound=Least(median(bounds), floor.bounds(parts, best)),
        ceilings=best.as_json(),
        times_floor=ratio(mine, seconds["floor"]),
        times_bound=ratio(mine, bounds),
        peak_share=ratio(peaks, mine) if has_peak(task, problem) else None,
        error=errors[fast.name],
        cell=problem.cell,
        sides=[
            Side(
                name=other.name,
                dtype=other.dtype or problem.dtype,
                seconds=median(seconds[other.name]),
                ratio=ratio(seconds[other.name], mine),
                error=errors[other.name],
            )
            for other in others
        ],
    )

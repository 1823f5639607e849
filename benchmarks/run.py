"""The run: which rows there are, and how one is measured."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import fastrnn
from benchmarks import floor
from benchmarks.ceilings import FOOTPRINTS, Ceilings
from benchmarks.contenders import FASTRNN, Contender, named, of_isa
from benchmarks.measure import in_turn, median, ratio
from benchmarks.parent import Worker
from benchmarks.problem import SAMPLE_LENGTH, STREAM_LENGTH, Problem, distinct
from benchmarks.results import Floor, Row, Side

TASKS = ("train", "lossFun", "sample", "batch", "isa", "layer", "stream", "step", "char-gru")
HIDDEN_SIZES = (32, 64, 100, 128, 256, 512, 1024)
DTYPES = ("float64", "float32")
BATCHES = ((32, 128), (64, 512))  # B, H; in float32
ISA_HIDDEN_SIZE = 100
CELLS = ("rnn", "gru", "lstm")
LAYERS = ((1, 100), (1, 256), (1, 512), (64, 128), (64, 256), (64, 512))  # B, H; in float32
STREAM_HIDDEN_SIZE = 100
CHARACTER_GRU = Problem("float32", H=512, T=100, cell="gru")
PER_CALL = {"sample": SAMPLE_LENGTH, "stream": STREAM_LENGTH}  # characters of one call: one of them is what counts
BETWEEN_LOOKS = 5.0  # seconds, at all the ceilings


@dataclass(frozen=True)
class Plan:
    """What to measure. `contenders`: all but fastrnn. `slice`: seconds that a turn takes at least. `budget`: seconds
    after which a row ends before its rounds are done."""

    contenders: Sequence[Contender]
    hidden_sizes: Sequence[int] = HIDDEN_SIZES
    dtypes: Sequence[str] = DTYPES
    tasks: Sequence[str] = TASKS
    batches: Sequence[tuple[int, int]] = BATCHES
    cells: Sequence[str] = CELLS
    layers: Sequence[tuple[int, int]] = LAYERS
    rounds: int = 25
    slice: float = 0.02
    budget: float = 25.0

    def rows(self) -> Iterator[tuple[str, str, Problem]]:
        """Task, instruction set and problem of each row."""
        cpu = fastrnn.cpu_info()
        for task in self.tasks:
            if task == "batch":
                yield from ((task, cpu["isa"], Problem("float32", H, B)) for B, H in self.batches)
            elif task == "isa":
                others = () if cpu["forced"] else [isa for isa in cpu["available"] if isa != cpu["isa"]]
                yield from (("train", isa, Problem(d, ISA_HIDDEN_SIZE)) for isa in others for d in self.dtypes)
            elif task == "layer":
                sizes = [(cell, B, H) for cell in self.cells for B, H in self.layers]
                yield from ((task, cpu["isa"], Problem("float32", H, B, cell=cell)) for cell, B, H in sizes)
            elif task in ("stream", "step"):
                cells = [cell for cell in self.cells if cell != "rnn"]
                yield from ((task, cpu["isa"], Problem("float32", STREAM_HIDDEN_SIZE, cell=cell)) for cell in cells)
            elif task == "char-gru":
                yield task, cpu["isa"], CHARACTER_GRU
            else:
                yield from ((task, cpu["isa"], Problem(d, H)) for d in self.dtypes for H in self.hidden_sizes)


FLOORS: dict[str, Callable[[Problem], floor.Parts]] = {
    "train": lambda problem: floor.train(problem, distinct(problem)),
    "lossFun": floor.loss_fun,
    "batch": floor.loss_fun,
    "sample": floor.sample,
    "layer": lambda problem: floor.layer(problem, distinct(problem)),
    "stream": floor.step,
    "step": floor.step,
    "char-gru": floor.character_gru,
}


def characters(task: str, problem: Problem) -> int:
    """How many characters a unit of the task's work has."""
    return 1 if task in ("sample", "stream", "step") else problem.T * problem.B


def has_peak(task: str, problem: Problem) -> bool:
    """Whether the multiply-adds could be what takes the time."""
    return task == "batch" or (task == "layer" and problem.B > 1)


class Run:
    """The processes of one run, and the best ceilings seen in it. To be used in a `with` statement."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.processor = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
        self.ceilings = {dtype: Ceilings(dtype) for dtype in plan.dtypes}
        self._workers: dict[str, Worker] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def rows(self) -> Iterator[Row]:
        next_look = 0.0
        for task, isa, problem in self.plan.rows():
            if time.perf_counter() > next_look:
                for ceilings in self.ceilings.values():
                    self._worker(FASTRNN).probe(ceilings, FOOTPRINTS)
                next_look = time.perf_counter() + BETWEEN_LOOKS
            yield self._row(task, isa, problem)

    def _worker(self, contender: Contender) -> Worker:
        if contender.name not in self._workers:
            self._workers[contender.name] = self._stack.enter_context(Worker(contender, self.processor))
        return self._workers[contender.name]

    def _slices(self, worker: Worker, unit: int) -> tuple[int, int]:
        """How many units of work make a slice, and how many warm up for it: none where one alone is longer."""
        times = unit
        for _ in range(2):
            seconds = worker.run(times, unit).wall
            times = unit * max(1, round(self.plan.slice / seconds / unit))
        return times, unit if seconds * unit < self.plan.slice else 0

    def _row(self, task: str, isa: str, problem: Problem) -> Row:
        if isa == fastrnn.cpu_info()["isa"]:
            fast, others = FASTRNN, [contender for contender in self.plan.contenders if task in contender.tasks]
        else:
            fast, others = of_isa(isa), [named("script"), FASTRNN]
        per = PER_CALL.get(task, 1)
        parts, best = FLOORS[task](problem), Ceilings(problem.dtype)
        footprints = floor.footprints(parts)

        def least() -> float:
            """The floor by the ceilings of this moment, for a call."""
            ceilings = Ceilings(problem.dtype)
            self._worker(fast).probe(ceilings, footprints)
            best.take_in(ceilings.fma, ceilings.load)
            peaks.append(floor.multiply_adds(problem) / ceilings.fma)
            return per * sum(floor.seconds(parts, ceilings).values())

        peaks: list[float] = []  # the multiply-adds of a call, at the peak of each round
        errors: dict[str, float] = {}
        turns: dict[str, Callable[[], float]] = {"floor": least}
        for contender in (fast, *others):
            worker = self._worker(contender)
            errors[contender.name], unit = worker.open(task, problem)
            turns[contender.name] = partial(worker.seconds, *self._slices(worker, unit))
        found = in_turn(turns, self.plan.rounds, self.plan.budget)
        for contender in (fast, *others):
            self._worker(contender).close()

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
            floor=Floor(
                seconds=median(seconds["floor"]),
                parts=floor.seconds(parts, best),
                fma=best.fma,
                load={str(size): rate for size, rate in best.load.items()},
            ),
            times_floor=ratio(mine, seconds["floor"]),
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

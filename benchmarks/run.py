"""The run: which rows there are, and who measures them."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import fastrnn
from benchmarks.contenders import FASTRNN, Contender, named, of_isa
from benchmarks.parent import Worker
from fastrnn.bench.ceilings import FOOTPRINTS, USES, Ceilings
from fastrnn.bench.problem import Problem
from fastrnn.bench.results import Row
from fastrnn.bench.row import measure_row

TASKS = ("train", "lossFun", "sample", "batch", "isa", "layer", "network", "stream", "step", "char-gru")
HIDDEN_SIZES = (32, 64, 100, 128, 256, 512, 1024)
DTYPES = ("float64", "float32")
BATCHES = ((32, 128), (64, 512))  # B, H; in float32
ISA_HIDDEN_SIZE = 100
CELLS = ("rnn", "gru", "lstm")
LAYERS = ((1, 100), (1, 256), (1, 512), (64, 128), (64, 256), (64, 512))  # B, H; in float32
STREAM_HIDDEN_SIZE = 100
CHARACTER_GRU = Problem("float32", H=512, T=100, cell="gru")
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
            elif task in ("layer", "network"):
                sizes = [(cell, B, H) for cell in self.cells for B, H in self.layers]
                yield from ((task, cpu["isa"], Problem("float32", H, B, cell=cell)) for cell, B, H in sizes)
            elif task in ("stream", "step"):
                cells = [cell for cell in self.cells if cell != "rnn"]
                yield from ((task, cpu["isa"], Problem("float32", STREAM_HIDDEN_SIZE, cell=cell)) for cell in cells)
            elif task == "char-gru":
                yield task, cpu["isa"], CHARACTER_GRU
            else:
                yield from ((task, cpu["isa"], Problem(d, H)) for d in self.dtypes for H in self.hidden_sizes)


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
                for dtype, ceilings in self.ceilings.items():
                    probes = tuple((use, size) for use in USES for size in FOOTPRINTS)
                    ceilings.take_in(self._worker(FASTRNN).probe(dtype, probes))
                next_look = time.perf_counter() + BETWEEN_LOOKS
            yield self._row(task, isa, problem)

    def _worker(self, contender: Contender) -> Worker:
        if contender.name not in self._workers:
            self._workers[contender.name] = self._stack.enter_context(Worker(contender, self.processor))
        return self._workers[contender.name]

    def _row(self, task: str, isa: str, problem: Problem) -> Row:
        if isa == fastrnn.cpu_info()["isa"]:
            fast, others = FASTRNN, [contender for contender in self.plan.contenders if task in contender.tasks]
        else:
            fast, others = of_isa(isa), [named("script"), FASTRNN]
        workers = [self._worker(contender) for contender in (fast, *others)]
        plan = self.plan
        return measure_row(
            task, isa, problem, workers[0], workers[1:], rounds=plan.rounds, slice=plan.slice, budget=plan.budget
        )

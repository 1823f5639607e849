"""What `fastrnn bench` measures: fastrnn against fastrnn.reference, in this process, in a time that is given."""

import time
from collections.abc import Callable, Sequence

import fastrnn
from fastrnn.bench import native, reference
from fastrnn.bench.ceilings import FOOTPRINTS, USES, Ceilings
from fastrnn.bench.local import Local
from fastrnn.bench.machine import machine
from fastrnn.bench.problem import GATES, Problem
from fastrnn.bench.results import Results, Row
from fastrnn.bench.row import measure_row

REFERENCE = "reference"
DTYPES = ("float64", "float32")
BATCHES = (1, 32)  # of layers
ROUNDS = 101  # of a row, unless its time is up before
SLICE = 0.02  # seconds of a turn, where there is time
SLICES = 40  # that at least have room in a row, warming up and those taken again included
SHOWN = tuple((use, size) for use in USES for size in FOOTPRINTS[1::2])


def problems(hidden_sizes: Sequence[int]) -> list[tuple[str, Problem]]:
    """Task and problem of each row: min-char-rnn's training and sampling, and a training step of each cell."""
    script = [(task, Problem(dtype, H)) for task in ("train", "sample") for dtype in DTYPES for H in hidden_sizes]
    layers = [("layer", Problem("float32", H, B, cell=cell)) for cell in GATES for B in BATCHES for H in hidden_sizes]
    return script + layers


def compare(hidden_sizes: Sequence[int], seconds: float, tell: Callable[[Row], None]) -> Results:
    """All figures, `tell` being called with each row as it comes. It takes about so many seconds, but at least five
    rounds of each row."""
    end = time.perf_counter() + seconds
    fast = Local("fastrnn", lambda task, problem: native.TASKS[task](problem))
    numpy = Local(REFERENCE, lambda task, problem: reference.TASKS[task](problem))
    found = Results(machine(["numpy"], ROUNDS), [REFERENCE], {})
    ceilings = {dtype: Ceilings(dtype) for dtype in DTYPES}
    ahead = problems(hidden_sizes)
    isa = fastrnn.cpu_info()["isa"]
    for done, (task, problem) in enumerate(ahead):
        if task != "sample":
            ceilings[problem.dtype].take_in(fast.probe(problem.dtype, SHOWN))
        budget = max(0.0, end - time.perf_counter()) / (len(ahead) - done)
        slice = min(SLICE, budget / SLICES)
        row = measure_row(task, isa, problem, fast, [numpy], rounds=ROUNDS, slice=slice, budget=budget)
        found.rows.append(row)
        tell(row)
    found.ceilings = {dtype: ceiling.as_json() for dtype, ceiling in ceilings.items()}
    return found

"""A side of the comparison that does its work in this process."""

import gc
from collections.abc import Callable
from functools import lru_cache

from fastrnn.bench import check, measure
from fastrnn.bench.ceilings import Ceilings, Probe, Prober
from fastrnn.bench.job import Job
from fastrnn.bench.measure import Slice
from fastrnn.bench.problem import Problem


def slice_of(run: Callable[[int], None], times: int, warm_up: int) -> Slice:
    """A slice of this work, without the garbage collector."""
    gc.disable()
    try:
        return measure.quiet(run, times, warm_up)
    finally:
        gc.enable()


class Local:
    """`make` makes the jobs; `dtype` is the only one that they compute in, or None for that of each problem."""

    def __init__(self, name: str, make: Callable[[str, Problem], Job], dtype: str | None = None) -> None:
        self.name, self.make, self.dtype = name, make, dtype
        self.job: Job | None = None
        self.prober = lru_cache(maxsize=4)(Prober)

    def open(self, task: str, problem: Problem) -> tuple[float, int]:
        """Makes the job ready. Its error against the reference, and the unit that `run` takes multiples of."""
        problem = problem.of_dtype(self.dtype)
        self.job = job = self.make(task, problem)
        error = check.error(job, task, problem)
        gc.collect()
        return error, job.unit

    def run(self, times: int, warm_up: int) -> Slice:
        """A slice of the job."""
        assert self.job is not None
        return slice_of(self.job.run, times, warm_up)

    def seconds(self, times: int, warm_up: int) -> float:
        """Those of one unit of work, by the clock on the wall."""
        return self.run(times, warm_up).wall

    def probe(self, dtype: str, probes: tuple[Probe, ...]) -> Ceilings:
        """The processor's ceilings of this moment."""
        return self.prober(dtype, probes).probe()

    def close(self) -> None:
        """Lets go of the job and its memory."""
        self.job = None

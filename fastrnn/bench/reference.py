"""fastrnn.reference: the NumPy code that ships with the package."""

from collections.abc import Callable

from fastrnn import reference
from fastrnn.bench import layers, library
from fastrnn.bench.job import Job
from fastrnn.bench.problem import Problem

TASKS: dict[str, Callable[[Problem], Job]] = (
    library.tasks(reference, unit=1)
    | layers.tasks(reference)
    | {"network": lambda problem: layers.NetworkTraining(reference, problem)}
)

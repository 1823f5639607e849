"""fastrnn.reference: the NumPy code that ships with the package."""

from benchmarks.contenders import layers, library
from fastrnn import reference

TASKS = library.tasks(reference, unit=1) | layers.tasks(reference)

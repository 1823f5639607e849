"""fastrnn.reference: the NumPy code that ships with the package."""

from fastrnn import reference
from fastrnn.bench import layers, library

TASKS = library.tasks(reference, unit=1) | layers.tasks(reference)

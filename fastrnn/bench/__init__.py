"""How fast fastrnn is on this machine, against NumPy and against what the processor can do: what `fastrnn bench` and
the repository's `benchmarks/`, which has more sides and more tasks, are made of. benchmarks/README.md explains it all.
"""

import os

THREADS = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",  # of NumPy on macOS
    "NUMBA_NUM_THREADS",
)


def one_thread() -> None:
    """Gives NumPy and the other libraries one thread, as fastrnn uses one, in this process and in those that it starts.
    They read it when they are imported, which must come later."""
    os.environ.update(dict.fromkeys(THREADS, "1"))

"""Benchmarks of fastrnn: `python -m benchmarks`; benchmarks/README.md says how to read them.

Importing this package fixes what must be fixed before NumPy and the other libraries are imported, here and in the
processes started from here: one thread for each of them, as fastrnn uses one, and OpenBLAS's own choice of kernels for
this processor.
"""

import os

from fastrnn.bench import one_thread

one_thread()
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"
for _variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(_variable, None)

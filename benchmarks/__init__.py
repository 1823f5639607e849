"""Benchmarks of fastrnn: `python -m benchmarks`; benchmarks/README.md says how to read them.

Importing this package fixes what must be fixed before NumPy is imported: one thread for NumPy's matrix products, as
fastrnn uses one, and OpenBLAS's own choice of kernels for this processor.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"
for _variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(_variable, None)

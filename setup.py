"""Builds the one extension module, fastrnn._core; everything else is said in pyproject.toml."""

import sys
from glob import glob

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

COMPILE = [
    "-std=c11",
    "-O3",
    "-g0",  # debugging symbols are most of the size of a wheel
    "-fvisibility=hidden",  # the module exports its initialisation and nothing else
    "-ffp-contract=off",  # a*b + c is fused where the source says vec_fma, and nowhere else, by every compiler
    "-fno-math-errno",  # sqrt is one instruction, not a call that may set errno
    "-fno-trapping-math",  # a selection may be computed without a branch
    "-fno-wrapv",  # Python's own flags bring -fwrapv, which keeps loops from being vectorised
]

core = Extension(
    "fastrnn._core",
    sources=["fastrnn/_core.pyx", *sorted(glob("csrc/*.c") + glob("csrc/isa/*.c"))],
    include_dirs=["csrc", numpy.get_include()],
    define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"), ("NPY_TARGET_VERSION", "NPY_2_0_API_VERSION")],
    extra_compile_args=COMPILE,
    extra_link_args=["-Wl,-s"] if sys.platform == "linux" else [],
    depends=["setup.py", *sorted(glob("fastrnn/*.px[di]") + glob("csrc/**/*.h", recursive=True))],
)

setup(ext_modules=cythonize([core], build_dir="build/cython", language_level=3))

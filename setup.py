"""Builds the one extension module, fastrnn._core; everything else is said in pyproject.toml."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from glob import glob
from typing import Any

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

COMPILE = [
    "-std=c11",
    "-O2",
    "-g0",  # debugging symbols are most of the size of a wheel
    "-fvisibility=hidden",  # the module exports its initialisation and nothing else
    "-ffp-contract=off",  # a*b + c is fused where the source says vec_fma, and nowhere else, by every compiler
    "-fno-math-errno",  # sqrt is one instruction, not a call that may set errno
    "-fno-trapping-math",  # a selection may be computed without a branch
    "-fno-asynchronous-unwind-tables",  # nothing unwinds the stack of C; a fourteenth of a wheel
    "-fno-wrapv",  # Python's own flags bring -fwrapv, which keeps loops from being vectorised
]

# What makes -O3 of gcc faster than -O2 here, without the rest, which makes a wheel a sixth larger.
GCC_ALONE = ["-fpeel-loops", "-fipa-cp-clone"]


def is_gcc(command: str) -> bool:
    version = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout
    return "Free Software Foundation" in version


class BuildExtension(build_ext):
    """Adds what only gcc understands, and compiles as many files at once as there are processors."""

    def build_extensions(self) -> None:
        command = getattr(self.compiler, "compiler_so", None)  # Microsoft's has none
        if command and is_gcc(command[0]):
            for extension in self.extensions:
                extension.extra_compile_args += GCC_ALONE
        compile_some = self.compiler.compile

        def compile_all(sources: list[str], *args: Any, **options: Any) -> list[str]:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                objects = pool.map(lambda source: compile_some([source], *args, **options), sources)
                return [each for some in objects for each in some]

        self.compiler.compile = compile_all
        super().build_extensions()


core = Extension(
    "fastrnn._core",
    sources=["fastrnn/_core.pyx", *sorted(glob("csrc/*.c") + glob("csrc/isa/*.c"))],
    include_dirs=["csrc", numpy.get_include()],
    define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"), ("NPY_TARGET_VERSION", "NPY_2_0_API_VERSION")],
    extra_compile_args=COMPILE,
    extra_link_args=["-Wl,-s"] if sys.platform == "linux" else [],
    depends=["setup.py", *sorted(glob("fastrnn/*.px[di]") + glob("csrc/**/*.h", recursive=True))],
)

setup(
    ext_modules=cythonize([core], build_dir="build/cython", language_level=3),
    cmdclass={"build_ext": BuildExtension},
)

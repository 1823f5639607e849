"""What is compared on what."""

import importlib.metadata
import platform
from collections.abc import Iterable
from typing import Any

import fastrnn
from fastrnn.bench.problem import SAMPLE_LENGTH, Problem


def processor() -> str:
    """Its name, where the system says it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def environment(libraries: Iterable[str]) -> dict[str, Any]:
    """The processor, and the versions of fastrnn and of these libraries."""
    return {
        "processor": processor(),
        "isa": fastrnn.cpu_info()["isa"],
        "fastrnn": fastrnn.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in libraries},
    }


def machine(libraries: Iterable[str], rounds: int) -> dict[str, Any]:
    """The environment, and the sizes that all rows of min-char-rnn and of layers have in common."""
    return {
        **environment(libraries),
        "T": Problem.T,
        "V": Problem.V,
        "sample_length": SAMPLE_LENGTH,
        "rounds": rounds,
    }

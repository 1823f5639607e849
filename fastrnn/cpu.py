"""The instruction set that the kernels use, chosen once, when fastrnn is imported."""

import os
from typing import TypedDict

from fastrnn import _core

FORCED = bool(os.environ.get("FASTRNN_ISA"))  # as it was at import: later changes choose nothing


class CPUInfo(TypedDict):
    """What `cpu_info` returns."""

    isa: str
    available: tuple[str, ...]
    forced: bool
    machine: str


def cpu_info() -> CPUInfo:
    """Which instruction set the kernels use, and which others this machine could.

    Returns a dict with `isa`, the one in use: "amx", "avx512", "avx2", "neon" or "baseline"; `available`, those that
    this machine can run, best first; `forced`, whether the environment variable FASTRNN_ISA named it; and `machine`,
    the processor's architecture. "amx" is "avx512" with a matrix unit for products of many float32 rows, in batches.
    """
    isa = _core.isa()
    assert isa is not None  # choose() has seen to it
    return {
        "isa": isa,
        "available": _core.available_isas(),
        "forced": FORCED,
        "machine": os.uname().machine,
    }


def choose() -> None:
    """Chooses FASTRNN_ISA, or else the best instruction set; ImportError where this machine lacks the one named."""
    if _core.isa() is None:
        available = ", ".join(_core.available_isas())
        raise ImportError(
            f"FASTRNN_ISA={os.environ['FASTRNN_ISA']} names no instruction set that this machine can run: "
            f"unset it, or use one of {available}"
        )


choose()

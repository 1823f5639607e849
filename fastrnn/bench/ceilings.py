"""What this processor can do at most, by the instruction set that fastrnn uses: multiply-adds, and bytes loaded.

A ceiling is a maximum, so the best of several short probes counts. They are taken again in every round of the work that
is held against them, because the clock's frequency drifts.
"""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastrnn import _core
from fastrnn.bench.problem import Array

SLICE = 0.0005  # seconds that a probe takes, about
REPEATS = 3  # of which the best counts
FOOTPRINTS = tuple(1 << power for power in range(14, 27))  # 16 KB to 64 MB, for the table


def aligned(size: int, dtype: str) -> Array:
    """An array of so many bytes, from a cache line on."""
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    array: Array = memory[start : start + size].view(dtype)
    array[:] = 1
    return array


def multiply_adds(dtype: str) -> float:
    """Numbers multiplied and added in a second, once."""
    rounds = 4000
    start = time.perf_counter()
    done = _core.ceiling_fma(dtype, rounds)
    return done / (time.perf_counter() - start)


class Reader:
    """Loads one buffer to and fro, over and over: where it exceeds a cache, what was read last is still there."""

    def __init__(self, size: int, dtype: str) -> None:
        self.buffer = aligned(size, dtype)
        self.passes = 2
        for _ in range(4):
            self.load()  # each time nearer to a slice

    def load(self) -> float:
        """Bytes a second."""
        start = time.perf_counter()
        done = _core.ceiling_load(self.buffer, self.passes)
        taken = time.perf_counter() - start
        self.passes = max(2, round(self.passes * SLICE / taken))
        return done * self.buffer.itemsize / taken

    def best(self) -> float:
        self.load()  # brings the buffer as near as it gets
        return max(self.load() for _ in range(REPEATS))


@dataclass
class Ceilings:
    """The best found so far, of one dtype: multiply-adds a second, and bytes loaded a second by footprint."""

    dtype: str
    fma: float = 0.0
    load: dict[int, float] = field(default_factory=dict)

    def take_in(self, fma: float, load: dict[int, float]) -> None:
        self.fma = max(self.fma, fma)
        for footprint, rate in load.items():
            self.load[footprint] = max(self.load.get(footprint, 0.0), rate)

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON has them."""
        return {"fma": self.fma, "load": {str(footprint): rate for footprint, rate in self.load.items()}}


class Prober:
    """Probes of one dtype at some footprints, again and again."""

    def __init__(self, dtype: str, footprints: tuple[int, ...]) -> None:
        self.dtype = dtype
        self.readers = {footprint: Reader(footprint, dtype) for footprint in footprints}

    def probe(self) -> tuple[float, dict[int, float]]:
        """Multiply-adds, and bytes loaded by footprint, both a second."""
        multiply_adds(self.dtype)  # the first may find the processor at a lower clock
        fma = max(multiply_adds(self.dtype) for _ in range(REPEATS))
        return fma, {footprint: reader.best() for footprint, reader in self.readers.items()}

"""What this processor can do at most, by the instruction set that fastrnn uses: multiply-adds; bytes loaded, each
number just read, or multiplied and added, or changed in its place; and how long a step of time waits at least.

A ceiling is a maximum, so the best of several short probes counts. They are taken again in every round of the work that
is held against them, because the clock's frequency drifts.
"""

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastrnn import _core
from fastrnn.bench.problem import Array
from fastrnn.cpu import cpu_info

SLICE = 0.0005  # seconds that a probe takes, about
REPEATS = 3  # of which the best counts
FOOTPRINTS = tuple(1 << power for power in range(14, 27))  # 16 KB to 64 MB, for the table
REGISTER = {"amx": 64, "avx512": 64, "avx2": 32, "neon": 16, "baseline": 16}  # bytes, by instruction set

USES = ("load", "load_fma", "update")  # what is done to memory
Probe = tuple[str, int]  # one of them, and how many bytes the memory has


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


def wait(dtype: str, backward: bool) -> float:
    """Seconds that a step of the smallest network takes, once."""
    rounds = 4000
    start = time.perf_counter()
    _core.ceiling_wait(dtype, backward, rounds)
    return (time.perf_counter() - start) / rounds


class Buffer:
    """Goes through one buffer to and fro, over and over: where it exceeds a cache, what came last is still there."""

    def __init__(self, use: str, size: int, dtype: str) -> None:
        self.use = use
        self.memory = aligned(size, dtype)
        self.passes = 2
        for _ in range(4):
            self.rate()  # each time nearer to a slice

    def rate(self) -> float:
        """Bytes a second; those written count as well."""
        start = time.perf_counter()
        done = _core.ceiling_memory(self.use, self.memory, self.passes)
        taken = time.perf_counter() - start
        self.passes = max(2, round(self.passes * SLICE / taken))
        return (2 if self.use == "update" else 1) * done * self.memory.itemsize / taken

    def best(self) -> float:
        self.rate()  # brings the buffer as near as it gets
        return max(self.rate() for _ in range(REPEATS))


@dataclass
class Ceilings:
    """The best found so far, of one dtype: multiply-adds a second; bytes a second, by use and size of the memory; and
    the seconds that a step waits, forward and backward. `lanes`: the numbers in a register."""

    dtype: str
    lanes: int = 1
    fma: float = 0.0
    memory: dict[Probe, float] = field(default_factory=dict)
    wait_forward: float = math.inf
    wait_backward: float = math.inf

    def take_in(self, other: "Ceilings") -> None:
        self.lanes = other.lanes
        self.fma = max(self.fma, other.fma)
        for probe, rate in other.memory.items():
            self.memory[probe] = max(self.memory.get(probe, 0.0), rate)
        self.wait_forward = min(self.wait_forward, other.wait_forward)
        self.wait_backward = min(self.wait_backward, other.wait_backward)

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON has them."""
        memory: dict[str, dict[str, float]] = {}
        for (use, size), rate in self.memory.items():
            memory.setdefault(use, {})[str(size)] = rate
        wait = [self.wait_forward, self.wait_backward]
        return {"lanes": self.lanes, "fma": self.fma, "memory": memory, "wait": wait}


def from_json(dtype: str, found: Mapping[str, Any]) -> Ceilings:
    """What `as_json` made of them."""
    memory = {(use, int(size)): rate for use, rates in found["memory"].items() for size, rate in rates.items()}
    return Ceilings(dtype, found["lanes"], found["fma"], memory, *found["wait"])


class Prober:
    """Probes of one dtype, again and again."""

    def __init__(self, dtype: str, probes: Iterable[Probe]) -> None:
        self.dtype = dtype
        self.buffers = {(use, size): Buffer(use, size, dtype) for use, size in probes}

    def probe(self) -> Ceilings:
        multiply_adds(self.dtype)  # the first may find the processor at a lower clock
        fma = max(multiply_adds(self.dtype) for _ in range(REPEATS))
        memory = {probe: buffer.best() for probe, buffer in self.buffers.items()}
        forward, backward = (min(wait(self.dtype, back) for _ in range(REPEATS)) for back in (False, True))
        lanes = REGISTER[cpu_info()["isa"]] // np.dtype(self.dtype).itemsize
        return Ceilings(self.dtype, lanes, fma, memory, forward, backward)

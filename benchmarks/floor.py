"""The time that a task takes at least, if every part of it ran at the processor's ceilings; README.md has the formulas.

The parts add up. Kernels that overlap one part's arithmetic with another's loads could in principle go below.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.ceilings import Ceilings
from benchmarks.problem import Problem

# Vector operations for each number, division and rounding by an addition counted as the one or two that they are:
#   functions  28 in float64: 18 for e^r - 1 and 10 around it for tanh, 9 for exp in a softmax;
#              22 in float32, whose polynomial is six terms shorter
#   optimizer  16: clip 2, square and sum 2, an estimate of the inverse root and two Newton steps 9, step 3;
#              12 in float32, which needs one Newton step
FUNCTIONS = {"float64": 28, "float32": 22}
OPTIMIZER = {"float64": 16, "float32": 12}
SIZE = {"float64": 8, "float32": 4}


@dataclass(frozen=True)
class Part:
    """Some work: multiply-adds (or other vector operations, for each of their numbers), and bytes that are moved to and
    from memory of so many bytes in all. The two go on at once, so the larger counts."""

    arithmetic: float
    moved: float = 0.0
    footprint: int = 0

    def seconds(self, ceilings: Ceilings) -> float:
        loading = self.moved / ceilings.load[self.footprint] if self.moved else 0.0
        return max(self.arithmetic / ceilings.fma, loading)


def around(size: float) -> int:
    """The footprint at which to measure for so many bytes: in whole cache lines, and not too short to measure."""
    return max(1 << 14, round(size / 64) * 64)


Parts = Mapping[str, Part]


def _through_time(p: Problem) -> dict[str, Part]:
    """Forward and backward, with all gradients. One-hot inputs need no product, a column of Wxh is looked up. Whh is
    swept through once a step, forward T times and backward T - 1 times."""
    steps, matrix, size = p.T * p.B, p.H * p.H, SIZE[p.dtype]
    sweeps = 2 * p.T - 1
    return {
        "products": Part(steps * (matrix + 3 * p.H * p.V)),  # dWhh, logits, dWhy, dH
        "recurrence": Part(sweeps * p.B * matrix, sweeps * matrix * size, around(matrix * size)),
        "functions": Part(steps * (p.H + p.V) * FUNCTIONS[p.dtype]),
    }


def train(p: Problem, distinct: float) -> Parts:
    """One iteration. `distinct`: how many characters' columns of Wxh it updates."""
    updated = p.H * p.H + p.H * p.V + distinct * p.H + p.H + p.V
    bytes_once = 2 * updated * SIZE[p.dtype]  # the parameters, and Adagrad's memory of them
    optimizer = Part(updated * OPTIMIZER[p.dtype], 2 * bytes_once, around(bytes_once))  # read and written
    return _through_time(p) | {"optimizer": optimizer}


def loss_fun(p: Problem) -> Parts:
    """One call: instead of an update, all gradients are written."""
    size = (p.H * p.H + 2 * p.H * p.V + p.H + p.V) * SIZE[p.dtype]
    return _through_time(p) | {"gradients": Part(0, size, around(size))}


def sample(p: Problem) -> Parts:
    """One character of many: Whh and Why are swept through for each."""
    matrices, size = p.H * (p.H + p.V), SIZE[p.dtype]
    return {
        "products": Part(matrices, matrices * size, around(matrices * size)),
        "functions": Part((p.H + p.V) * FUNCTIONS[p.dtype]),
    }


def footprints(parts: Parts) -> tuple[int, ...]:
    return tuple(sorted({part.footprint for part in parts.values() if part.moved}))


def seconds(parts: Parts, ceilings: Ceilings) -> dict[str, float]:
    return {name: part.seconds(ceilings) for name, part in parts.items()}


def multiply_adds(p: Problem) -> float:
    """Those of forward and backward."""
    parts = _through_time(p)
    return parts["products"].arithmetic + parts["recurrence"].arithmetic

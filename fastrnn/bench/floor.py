"""The time that a task takes at least, if every part of it ran at the processor's ceilings; README.md has the formulas.

The parts add up. Kernels that overlap one part's arithmetic with another's loads could in principle go below.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fastrnn.bench.ceilings import Ceilings
from fastrnn.bench.problem import GATES, Problem, one_bias

# Vector operations for each number, division and rounding by an addition counted as the one or two that they are:
#   functions  28 in float64: 18 for e^r - 1 and 10 around it for tanh, 9 for exp in a softmax;
#              22 in float32, whose polynomial is six terms shorter
#   optimizer  16: clip 2, square and sum 2, an estimate of the inverse root and two Newton steps 9, step 3;
#              12 in float32, which needs one Newton step;
#              without clipping 2 fewer; Adam, without clipping, 2 more: its two running averages take 5 where the sum
#              takes 2, and the epsilon is outside the root
FUNCTIONS = {"float64": 28, "float32": 22}
OPTIMIZER = {"float64": 16, "float32": 12}
UNCLIPPED = {dtype: operations - 2 for dtype, operations in OPTIMIZER.items()}
ADAM = {dtype: operations + 2 for dtype, operations in OPTIMIZER.items()}
SIZE = {"float64": 8, "float32": 4}
NONLINEARITIES = {"rnn": 1, "gru": 3, "lstm": 5}  # of each unit in a step: gates, and the LSTM's tanh of its cell


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


def _rows(p: Problem) -> int:
    """Of the recurrent weights."""
    return GATES[p.cell or "rnn"] * p.H


def _nonlinearities(p: Problem) -> int:
    return NONLINEARITIES[p.cell or "rnn"] * p.H


def _through_time(p: Problem, input_size: int = 0) -> dict[str, Part]:
    """Forward and backward, with all gradients. One-hot inputs need no product, a column of Wxh is looked up; inputs of
    `input_size` numbers need one, their gradient another, and that of their weights a third. The recurrent weights are
    swept through once a step, forward T times and backward T - 1 times."""
    steps, rows, size = p.T * p.B, _rows(p), SIZE[p.dtype]
    sweeps, matrix = 2 * p.T - 1, rows * p.H
    return {
        "products": Part(steps * (matrix + 3 * rows * input_size + 3 * p.H * p.V)),  # dWhh, inputs, logits, dWhy, dH
        "recurrence": Part(sweeps * p.B * matrix, sweeps * matrix * size, around(matrix * size)),
        "functions": Part(steps * (_nonlinearities(p) + p.V) * FUNCTIONS[p.dtype]),
    }


def _update(p: Problem, updated: float, operations: int, slots: int = 1) -> Part:
    """An optimizer's pass: so many parameters, and as many numbers in each of its slots, are read and written."""
    bytes_once = (1 + slots) * updated * SIZE[p.dtype]
    return Part(updated * operations, 2 * bytes_once, around(bytes_once))


def train(p: Problem, distinct: float) -> Parts:
    """One iteration. `distinct`: how many characters' columns of Wxh it updates."""
    updated = p.H * p.H + p.H * p.V + distinct * p.H + p.H + p.V
    return _through_time(p) | {"optimizer": _update(p, updated, OPTIMIZER[p.dtype])}


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


def _parameters(p: Problem, inputs: float, biases: int = 2) -> float:
    """How many parameters are updated, where so many columns of the input's weights and biases of the cell are."""
    return _rows(p) * (inputs + p.H + biases) + p.H * p.V + p.V


def layer(p: Problem, distinct: float, biases: int = 2) -> Parts:
    """One training step on one-hot vectors, with Adagrad."""
    update = _update(p, _parameters(p, distinct, biases), UNCLIPPED[p.dtype])
    return _through_time(p) | {"optimizer": update}


def network(p: Problem, distinct: float) -> Parts:
    """The same, where a bias that only adds to another one is not updated."""
    return layer(p, distinct, biases=1 if one_bias(p) else 2)


def character_gru(p: Problem) -> Parts:
    """One chunk, with Adam, which changes all parameters in every step, also those whose gradient is zero."""
    update = _update(p, _parameters(p, p.V) + p.V * p.V, ADAM[p.dtype], slots=2)
    return _through_time(p, input_size=p.V) | {"optimizer": update}


def step(p: Problem) -> Parts:
    """One step of one sequence: the recurrent weights are swept through once."""
    matrix, size = _rows(p) * p.H, SIZE[p.dtype]
    return {
        "products": Part(matrix, matrix * size, around(matrix * size)),
        "functions": Part(_nonlinearities(p) * FUNCTIONS[p.dtype]),
    }


def footprints(parts: Parts) -> tuple[int, ...]:
    return tuple(sorted({part.footprint for part in parts.values() if part.moved}))


def seconds(parts: Parts, ceilings: Ceilings) -> dict[str, float]:
    return {name: part.seconds(ceilings) for name, part in parts.items()}


def multiply_adds(p: Problem) -> float:
    """Those of forward and backward, of inputs that are one-hot vectors."""
    parts = _through_time(p)
    return parts["products"].arithmetic + parts["recurrence"].arithmetic

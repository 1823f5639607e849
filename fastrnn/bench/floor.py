"""The least time that a task takes; README.md has the formulas. Two figures of it:

    floor    every part of the work runs at the processor's ceiling of multiply-adds or of loads, whichever takes longer
    bound    more that nobody gets around: what multiplies from memory does not load as fast as what only loads, nor
             does what is put back; registers are whole; a step of time waits for the one before it

The parts add up. Kernels that overlap one part's arithmetic with another's loads or waits could in principle go below.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fastrnn.bench.ceilings import Ceilings, Probe
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
    from memory of so many bytes in all. The two go on at once, so the larger counts.

    For the bound: `use`, what is done to the memory; `along`, the dimensions that registers may run along, none where
    nothing is lost; `waits`, the steps that wait for one another, forward and backward."""

    arithmetic: float = 0.0
    moved: float = 0.0
    footprint: int = 0
    use: str = "load"
    along: tuple[int, ...] = ()
    waits: tuple[int, int] = (0, 0)

    @property
    def probes(self) -> set[Probe]:
        """What to measure of memory."""
        return {("load", self.footprint), (self.use, self.footprint)} if self.moved else set()

    def floor(self, ceilings: Ceilings) -> float:
        """Seconds."""
        return self._at_once(ceilings, "load", 1.0)

    def bound(self, ceilings: Ceilings) -> float:
        """Seconds."""
        filled = min((-(-n // ceilings.lanes) * ceilings.lanes / n for n in self.along), default=1.0)
        waits = zip(self.waits, (ceilings.wait_forward, ceilings.wait_backward), strict=True)
        return self._at_once(ceilings, self.use, filled) + sum(steps * seconds for steps, seconds in waits if steps)

    def _at_once(self, ceilings: Ceilings, use: str, filled: float) -> float:
        moving = self.moved / ceilings.memory[use, self.footprint] if self.moved else 0.0
        return filled * max(self.arithmetic / ceilings.fma, moving)


def around(size: float) -> int:
    """The footprint at which to measure for so many bytes: in whole cache lines, and not too short to measure."""
    return max(1 << 14, round(size / 64) * 64)


Parts = Mapping[str, Part]


def _rows(p: Problem) -> int:
    """Of the recurrent weights."""
    return GATES[p.cell or "rnn"] * p.H


def _nonlinearities(p: Problem) -> int:
    return NONLINEARITIES[p.cell or "rnn"] * p.H


def _swept(p: Problem, times: int, matrix: int, along: tuple[int, ...]) -> Part:
    """Products of a matrix of so many numbers with each sequence's vector. Of one sequence alone every number is loaded
    for one multiply-add, and there is no other order to do it in."""
    size, alone = SIZE[p.dtype], p.B == 1
    return Part(
        times * p.B * matrix,
        times * matrix * size,
        around(matrix * size),
        "load_fma" if alone else "load",
        along if alone else (),
    )


def _through_time(p: Problem, input_size: int = 0) -> dict[str, Part]:
    """Forward and backward, with all gradients. One-hot inputs need no product, a column of Wxh is looked up; inputs of
    `input_size` numbers need one, their gradient another, and that of their weights a third. The recurrent weights are
    swept through once a step, forward T times and backward T - 1 times."""
    steps, rows = p.T * p.B, _rows(p)
    matrix = rows * p.H
    products = steps * (matrix + 3 * rows * input_size + 3 * p.H * p.V)  # dWhh, inputs, logits, dWhy, dH
    return {
        "products": Part(products, along=(p.H, p.V, p.T) if p.B == 1 else ()),
        "recurrence": _swept(p, 2 * p.T - 1, matrix, (p.H,)),
        "functions": Part(steps * (_nonlinearities(p) + p.V) * FUNCTIONS[p.dtype]),
        "waiting": Part(waits=(p.T, p.T - 1)),
    }


def _update(p: Problem, updated: float, operations: int, slots: int = 1) -> Part:
    """An optimizer's pass: so many parameters, and as many numbers in each of its slots, are read and written."""
    bytes_once = (1 + slots) * updated * SIZE[p.dtype]
    return Part(updated * operations, 2 * bytes_once, around(bytes_once), "update")


def train(p: Problem, distinct: float) -> Parts:
    """One iteration. `distinct`: how many characters' columns of Wxh it updates."""
    updated = p.H * p.H + p.H * p.V + distinct * p.H + p.H + p.V
    return _through_time(p) | {"optimizer": _update(p, updated, OPTIMIZER[p.dtype])}


def loss_fun(p: Problem) -> Parts:
    """One call: instead of an update, all gradients are written."""
    size = (p.H * p.H + 2 * p.H * p.V + p.H + p.V) * SIZE[p.dtype]
    return _through_time(p) | {"gradients": Part(moved=size, footprint=around(size))}


def sample(p: Problem) -> Parts:
    """One character of many: Whh and Why are swept through for each."""
    return {
        "products": _swept(p, 1, p.H * (p.H + p.V), (p.H,)),
        "functions": Part((p.H + p.V) * FUNCTIONS[p.dtype]),
        "waiting": Part(waits=(1, 0)),
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
    return {
        "products": _swept(p, 1, _rows(p) * p.H, (p.H,)),
        "functions": Part(_nonlinearities(p) * FUNCTIONS[p.dtype]),
        "waiting": Part(waits=(1, 0)),
    }


def probes(parts: Parts) -> tuple[Probe, ...]:
    """What to measure of memory for them."""
    return tuple(sorted(set().union(*(part.probes for part in parts.values()))))


def floors(parts: Parts, ceilings: Ceilings) -> dict[str, float]:
    """The floor of each part, in seconds."""
    return {name: part.floor(ceilings) for name, part in parts.items()}


def bounds(parts: Parts, ceilings: Ceilings) -> dict[str, float]:
    """The bound of each part, in seconds."""
    return {name: part.bound(ceilings) for name, part in parts.items()}


def multiply_adds(p: Problem) -> float:
    """Those of forward and backward, of inputs that are one-hot vectors."""
    parts = _through_time(p)
    return parts["products"].arithmetic + parts["recurrence"].arithmetic

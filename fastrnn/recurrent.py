"""What recurrent layers are before they compute: arguments, parameters, initial values. Over the C kernels
(`fastrnn.layers`) and over NumPy (`fastrnn.reference`) they are the same."""

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastrnn.arguments import flag, integer, real
from fastrnn.arrays import Array, Integers, check_shape, integer_array, is_integer, real_array
from fastrnn.layer import Layer, Shapes, uniform
from fastrnn.random import generator

NONLINEARITIES = ("tanh", "relu", "sigmoid")


class RecurrentLayer(Layer):
    """L layers of H units in one or both directions of time.

    Parameters, of each layer `l0`, `l1`, ... and, under names that end in `_reverse`, of its other direction:

        weight_ih (G*H, I)    from the layer's input: I is input_size in layer 0, and D*H above it
        weight_hh (G*H, H)    from its own state before the step
        bias_ih, bias_hh (G*H,)    where bias is true

    with G = `gates` blocks of H rows each. Names, shapes, order and the initial values U(-1/sqrt(H), 1/sqrt(H)) are
    those of PyTorch's modules. `rng` is where they are drawn from, and after them the dropout masks.
    """

    gates: ClassVar[int]
    state_names: ClassVar[tuple[str, ...]] = ("h",)  # the arrays (L*D, B, H) that make up a state

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bias: bool = True,
        bidirectional: bool = False,
        dropout: float = 0.0,
        dtype: DTypeLike = "float32",
        rng: Any = None,
    ) -> None:
        self.input_size = integer(input_size, "input_size", 1)
        self.hidden_size = integer(hidden_size, "hidden_size", 1)
        self.num_layers = integer(num_layers, "num_layers", 1)
        self.bias = flag(bias, "bias")
        self.bidirectional = flag(bidirectional, "bidirectional")
        self.num_directions = 2 if self.bidirectional else 1
        self.dropout = _dropout(dropout, self.num_layers)
        self.rng = generator(rng)
        shapes = parameter_shapes(
            self.gates, self.input_size, self.hidden_size, self.num_layers, self.num_directions, self.bias
        )
        super().__init__(shapes, dtype, uniform(self.rng, 1 / math.sqrt(self.hidden_size)))

    def _inputs(self, x: Any, *axes: str) -> "NDArray[Any]":
        """x with these axes, and one of the inputs after them unless it holds integers; TypeError or ValueError."""
        array = np.asarray(x)
        if is_integer(array):
            check_shape(array, "x", axes)
            return array
        return real_array(array, "x", self.dtype, (*axes, self.input_size))

    def _states(self, value: Any, name: str, B: int) -> tuple[Array, ...] | None:
        """The arrays of a state that the caller gave, or None for None; TypeError or ValueError."""
        shape = (self.num_layers * self.num_directions, B, self.hidden_size)
        if value is None:
            return None
        if len(self.state_names) == 1:
            return (real_array(value, name, self.dtype, shape),)
        if not isinstance(value, tuple | list) or len(value) != len(self.state_names):
            raise TypeError(f"{name} must be a tuple ({', '.join(self.state_names)}) of arrays")
        return tuple(real_array(part, f"{name}[{i}]", self.dtype, shape) for i, part in enumerate(value))

    def _public(self, states: tuple[Array, ...]) -> Any:
        """A state as the caller sees it."""
        return states if len(states) > 1 else states[0]

    def _lengths(self, value: Any, T: int, B: int) -> Integers:
        """lengths (B,), T for None; TypeError or ValueError."""
        if value is None:
            return np.full(B, T)
        lengths = integer_array(value, "lengths")
        check_shape(lengths, "lengths", (B,))
        if lengths.min() < 1 or lengths.max() > T:
            raise ValueError(f"lengths must be in [1, {T}], the number of steps, and are {lengths.tolist()}")
        return lengths


class RNNLayer(RecurrentLayer):
    """One block of rows; `nonlinearity` is "tanh", "relu" or "sigmoid"."""

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        nonlinearity: str = "tanh",
        bias: bool = True,
        bidirectional: bool = False,
        dropout: float = 0.0,
        dtype: DTypeLike = "float32",
        rng: Any = None,
    ) -> None:
        if nonlinearity not in NONLINEARITIES:
            raise ValueError(f"nonlinearity must be one of {', '.join(NONLINEARITIES)}, not {nonlinearity!r}")
        self.nonlinearity = nonlinearity
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias=bias,
            bidirectional=bidirectional,
            dropout=dropout,
            dtype=dtype,
            rng=rng,
        )


class GRULayer(RecurrentLayer):
    """Three blocks of rows: r (reset), z (update), n (new). `reset_after` is whether r acts after the product with
    the state (PyTorch's form) or before it (the first paper's)."""

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        reset_after: bool = True,
        bias: bool = True,
        bidirectional: bool = False,
        dropout: float = 0.0,
        dtype: DTypeLike = "float32",
        rng: Any = None,
    ) -> None:
        self.reset_after = flag(reset_after, "reset_after")
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias=bias,
            bidirectional=bidirectional,
            dropout=dropout,
            dtype=dtype,
            rng=rng,
        )


class LSTMLayer(RecurrentLayer):
    """Four blocks of rows: i (input), f (forget), g (cell), o (output). A state is the pair (h, c)."""

    gates = 4
    state_names = ("h", "c")


def parameter_shapes(
    gates: int, input_size: int, hidden_size: int, num_layers: int, num_directions: int = 1, bias: bool = True
) -> Shapes:
    """The shapes of a stack's parameters by name, in the order in which they stand in the flat buffer."""
    rows = gates * hidden_size
    shapes: Shapes = {}
    for layer in range(num_layers):
        columns = num_directions * hidden_size if layer else input_size
        for direction in range(num_directions):
            suffix = parameter_suffix(layer, direction)
            shapes["weight_ih" + suffix] = (rows, columns)
            shapes["weight_hh" + suffix] = (rows, hidden_size)
            if bias:
                shapes["bias_ih" + suffix] = shapes["bias_hh" + suffix] = (rows,)
    return shapes


def parameter_suffix(layer: int, direction: int) -> str:
    """How the names of the parameters of this layer and direction (1: reverse) end: `_l0`, `_l0_reverse`, ..."""
    return f"_l{layer}" + ("_reverse" if direction else "")


def _dropout(value: Any, num_layers: int) -> float:
    p = real(value, "dropout")
    if not 0 <= p < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, not {value}")
    if p and num_layers == 1:
        raise ValueError(
            f"dropout acts between layers, so {value} would do nothing with num_layers=1: leave it 0 or add a layer"
        )
    return p

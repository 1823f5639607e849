"""A model's network: parameters under the names that a PyTorch module would give them, in one flat buffer."""

import math
from typing import Any

import numpy as np

from fastrnn.arrays import Array
from fastrnn.layer import Parameters, aligned_zeros
from fastrnn.layers import GRU, LSTM, RNN
from fastrnn.random import generator
from fastrnn.recurrent import RecurrentLayer, parameter_shapes

LAYERS: dict[str, type[RecurrentLayer]] = {"rnn": RNN, "gru": GRU, "lstm": LSTM}

States = tuple[Array, ...]


class Layout:
    """Where the parameters of a network stand in its flat buffer of `size` numbers, part after part, each on a cache
    line.

    `places` has the beginning and the shape of each by its name, `bounds` the range of its first values: U(-bound,
    bound), or, without a bound, N(0, 1). ValueError where the buffer would hold more than `most` numbers.
    """

    def __init__(
        self, size: int, most: int, cell: str, hidden_size: int, num_layers: int, num_directions: int = 1
    ) -> None:
        if size > most:
            raise ValueError(f"the configuration needs {size} numbers, and the tensors have fewer")
        self.size, self.cell, self.H, self.L, self.D = size, cell, hidden_size, num_layers, num_directions
        self.places: dict[str, tuple[int, tuple[int, ...]]] = {}
        self.bounds: dict[str, float] = {}

    def add_embedding(self, name: str, begin: int, rows: int, width: int) -> None:
        """A table (rows, width), if it has any width."""
        if width:
            self.places[f"{name}.weight"] = begin, (rows, width)

    def add_rnn(self, name: str, begin: int, input_size: int, bias: bool = True) -> None:
        """The recurrent layers' parameters, from `begin` on."""
        gates = LAYERS[self.cell].gates
        shapes = parameter_shapes(gates, input_size, self.H, self.L, self.D, bias)
        for parameter, shape in shapes.items():
            self.places[f"{name}.{parameter}"] = begin, shape
            self.bounds[f"{name}.{parameter}"] = 1 / math.sqrt(self.H)
            begin += math.prod(shape)

    def add_linear(self, name: str, weight: int, bias: int | None, inputs: int, outputs: int) -> None:
        """A linear layer's weight (outputs, inputs), and its bias unless that is None."""
        self.places[f"{name}.weight"] = weight, (outputs, inputs)
        if bias is not None:
            self.places[f"{name}.bias"] = bias, (outputs,)
        self.bounds |= dict.fromkeys((f"{name}.weight", f"{name}.bias"), 1 / math.sqrt(inputs))

    def views(self, flat: Array) -> dict[str, Array]:
        """The parts of a buffer, by the parameters' names."""
        return {
            name: flat[begin : begin + math.prod(shape)].reshape(shape) for name, (begin, shape) in self.places.items()
        }

    @property
    def state_names(self) -> tuple[str, ...]:
        """What a state consists of: "h", and of an LSTM "c"."""
        return LAYERS[self.cell].state_names

    def state_shape(self, B: int) -> tuple[int, ...]:
        """Of each array of a state of B sequences."""
        return self.L * self.D, B, self.H


class Network(Parameters):
    """`parameters` are views into `flat_parameters`, all zero at first; subclasses have kernels over these."""

    def __init__(self, layout: Layout, dtype: "np.dtype[Any]") -> None:
        self.layout, self.dtype = layout, dtype
        self.flat_parameters = self.flat_zeros()
        self.parameters = layout.views(self.flat_parameters)

    def flat_zeros(self) -> Array:
        """A new buffer laid out as the parameters."""
        return aligned_zeros(self.layout.size, self.dtype)

    def draw(self, seed: int) -> None:
        """First weights, as PyTorch's modules draw theirs, from `default_rng(seed)`, one after the other. Where
        `bias_hh` only adds to `bias_ih` it is 0."""
        rng, bounds = generator(seed), self.layout.bounds
        for name, parameter in self.parameters.items():
            if name in bounds:
                parameter[...] = rng.uniform(-bounds[name], bounds[name], parameter.shape)
            else:
                parameter[...] = rng.standard_normal(parameter.shape)
            if ".bias_hh" in name and self.layout.cell != "gru":
                parameter[...] = 0

    def zero_states(self, B: int) -> States:
        """The states before a sequence begins: h (L D, B, H), and c of an LSTM."""
        return tuple(np.zeros(self.layout.state_shape(B), self.dtype) for _ in self.layout.state_names)

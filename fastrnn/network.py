"""The network of a model of tokens: an embedding, recurrent layers and a linear layer, in one flat buffer."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn import _core
from fastrnn.arrays import Array
from fastrnn.layer import Parameters, aligned_zeros
from fastrnn.layers import GRU, LSTM, RNN
from fastrnn.random import generator
from fastrnn.recurrent import RecurrentLayer, parameter_shapes

LAYERS: dict[str, type[RecurrentLayer]] = {"rnn": RNN, "gru": GRU, "lstm": LSTM}
KERNELS = {"rnn": "tanh", "gru": "gru", "lstm": "lstm"}  # the kernels' names of the cells

States = tuple[Array, ...]


NUMBERS_AT_ONCE = 2**21  # of a prediction: 16 MB of float64, and little enough work for Ctrl-C not to wait


class Layout:
    """Where the parameters of a network stand in its flat buffer, part after part, each on a cache line.

    Their names are those of a PyTorch module with the members `embedding` (if embedding_size is not None), `rnn` and
    `linear`. ValueError where the buffer would hold more than `most` numbers.
    """

    def __init__(
        self, cell: str, V: int, embedding_size: int | None, hidden_size: int, num_layers: int, most: int = 2**62
    ) -> None:
        self.cell, self.V, self.E, self.H, self.L = cell, V, embedding_size or 0, hidden_size, num_layers
        embedding, rnn, weight, bias, self.size = _core.network_offsets(
            KERNELS[cell], V, self.E, hidden_size, num_layers
        )
        if self.size > most:
            raise ValueError(f"the configuration needs {self.size} numbers, and the tensors have fewer")
        self.places: dict[str, tuple[int, tuple[int, ...]]] = {}
        if self.E:
            self.places["embedding.weight"] = embedding, (V, self.E)
        for name, shape in parameter_shapes(LAYERS[cell].gates, self.E or V, hidden_size, num_layers).items():
            self.places["rnn." + name] = rnn, shape
            rnn += math.prod(shape)
        self.places["linear.weight"] = weight, (V, hidden_size)
        self.places["linear.bias"] = bias, (V,)

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
        return self.L, B, self.H


class TokenNetwork(Parameters):
    """x_t: row of the embedding (V, E), or the 1-of-V code, of token t
    h_t: the last of L recurrent layers after x_t (RNN with tanh, GRU, LSTM of `fastrnn`)
    p_t = softmax(W h_t + b), of token t + 1

    `parameters` are views into `flat_parameters`; `kernels` computes over them.
    """

    def __init__(self, layout: Layout, dtype: "np.dtype[Any]") -> None:
        self.layout, self.dtype = layout, dtype
        self.flat_parameters = self.flat_zeros()
        self.parameters = layout.views(self.flat_parameters)
        n = layout
        self.kernels = _core.Network(KERNELS[n.cell], n.V, n.E, n.H, n.L, self.flat_parameters)

    def flat_zeros(self) -> Array:
        """A new buffer laid out as the parameters."""
        return aligned_zeros(self.layout.size, self.dtype)

    def draw(self, seed: int) -> None:
        """First weights, as PyTorch's modules draw theirs, from `default_rng(seed)`: the embedding's N(0, 1), all
        others U(-1/sqrt(H), 1/sqrt(H)), one after the other. Where `bias_hh` only adds to `bias_ih` it is 0."""
        rng = generator(seed)
        bound = 1 / math.sqrt(self.layout.H)
        for name, parameter in self.parameters.items():
            if name == "embedding.weight":
                parameter[...] = rng.standard_normal(parameter.shape)
            else:
                parameter[...] = rng.uniform(-bound, bound, parameter.shape)
            if name.startswith("rnn.bias_hh") and self.layout.cell != "gru":
                parameter[...] = 0

    def zero_states(self, B: int) -> States:
        """The states before a text begins: h (L, B, H), and c of an LSTM."""
        return tuple(np.zeros(self.layout.state_shape(B), self.dtype) for _ in self.layout.state_names)

    def _at_once(self, B: int) -> int:
        """How many steps of B sequences a prediction may take, at V + 5 H L numbers for each token."""
        return max(1, NUMBERS_AT_ONCE // (B * (self.layout.V + 5 * self.layout.H * self.layout.L)))

    def step_through(self, codes: "NDArray[np.int64]", states: States) -> Array | None:
        """Reads codes (n,) from states of B = 1, carried in place, in blocks of bounded memory. p (V,), the
        probabilities of what comes next; None where there are no codes."""
        block = self._at_once(1)
        p = None
        for begin in range(0, len(codes), block):
            _, p = self.kernels.predict(codes[begin : begin + block, np.newaxis], states)
        return None if p is None else p[0]

    def nats(self, codes: "NDArray[Any]", streams: int = 1) -> "list[NDArray[np.float64]]":
        """-ln p of every token but the first, given those before it, as arrays (T, B) of successive blocks of steps.

        codes (n,) are cut into B = `streams` parts that are read side by side, each from the state zero; what is left
        over when n - 1 is divided by B is not read. Memory beyond the result is bounded.
        """
        steps = (len(codes) - 1) // streams
        inputs = codes[: steps * streams].reshape(streams, steps)
        targets = codes[1 : steps * streams + 1].reshape(streams, steps)
        states = self.zero_states(streams)
        block = self._at_once(streams)
        blocks = []
        for begin in range(0, steps, block):
            x, y = (
                np.ascontiguousarray(part[:, begin : begin + block].T, dtype=np.int64) for part in (inputs, targets)
            )
            nats, _ = self.kernels.predict(x, states, y)
            assert nats is not None
            blocks.append(nats)
        return blocks

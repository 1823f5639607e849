"""The network of a model of tokens: an embedding, recurrent layers and a linear layer."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn import _core
from fastrnn.arrays import Array
from fastrnn.network import Layout, Network, States

KERNELS = {"rnn": "tanh", "gru": "gru", "lstm": "lstm"}  # the kernels' names of the cells

NUMBERS_AT_ONCE = 2**21  # of a prediction: 16 MB of float64, and little enough work for Ctrl-C not to wait


class TokenLayout(Layout):
    """Names of a PyTorch module with the members `embedding` (if embedding_size is not None), `rnn` and `linear`."""

    def __init__(
        self, cell: str, V: int, embedding_size: int | None, hidden_size: int, num_layers: int, most: int = 2**62
    ) -> None:
        self.V, self.E = V, embedding_size or 0
        offsets = _core.network_offsets(KERNELS[cell], V, self.E, hidden_size, num_layers)
        embedding, rnn, weight, bias, size = offsets
        super().__init__(size, most, cell, hidden_size, num_layers)
        self.add_embedding("embedding", embedding, V, self.E)
        self.add_rnn("rnn", rnn, self.E or V)
        self.add_linear("linear", weight, bias, hidden_size, V)


class TokenNetwork(Network):
    """x_t: row of the embedding (V, E), or the 1-of-V code, of token t
    h_t: the last of L recurrent layers after x_t (RNN with tanh, GRU, LSTM of `fastrnn`)
    p_t = softmax(W h_t + b), of token t + 1
    """

    layout: TokenLayout

    def __init__(self, layout: TokenLayout, dtype: "np.dtype[Any]") -> None:
        super().__init__(layout, dtype)
        n = layout
        self.kernels = _core.Network(KERNELS[n.cell], n.V, n.E, n.H, n.L, self.flat_parameters)

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

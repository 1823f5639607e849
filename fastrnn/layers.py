"""The layers: RNN, GRU and LSTM, stacked, in one or both directions; Embedding and Linear. NumPy in, NumPy out.

Parameters, their names, and results are those of PyTorch's modules of the same names, so that a state dict of theirs
loads as it is. `fastrnn.reference` has the same layers in plain NumPy, to read and to compare with.

Symbols: T steps, B sequences in a batch, I inputs, H hidden units, L layers, D directions (1 or 2), O outputs. Numbers
are of the layer's dtype, float32 or float64; another float dtype is a TypeError that says how to convert it.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn import _core
from fastrnn.arrays import Array, Integers, integer_array, is_integer, real_array
from fastrnn.feedforward import EmbeddingLayer, LinearLayer
from fastrnn.recurrent import GRULayer, LSTMLayer, RecurrentLayer, RNNLayer
from fastrnn.tape import Tape, read

__all__ = ["GRU", "LSTM", "RNN", "Embedding", "Linear"]


class _Recurrent(RecurrentLayer, ABC):
    """What the recurrent layers have in common: all but the kind of cell."""

    @abstractmethod
    def _cell(self) -> str:
        """The name of the cell among the kernels' `CELLS`."""

    def _attach(self, flat_parameters: Array, flat_gradients: Array) -> None:
        super()._attach(flat_parameters, flat_gradients)
        self._kernels = _core.Stack(
            self._cell(),
            self.input_size,
            self.hidden_size,
            self.num_layers,
            self.num_directions,
            self.bias,
            self.flat_parameters,
            self.flat_gradients,
        )

    def __call__(self, x: Any, h0: Any = None, lengths: Any = None) -> tuple[Array, Any]:
        """y, h_n: outputs and last states, without a tape and without dropout, in memory that does not grow with T but
        for y (where the layer has one direction).

        x: (T, B, I), or (T, B) of integers in [0, I), each standing for its 1-of-I code, which is never made. h0: the
        states before the first step, (L*D, B, H), for an LSTM a pair (h0, c0) of such; None: zeros. lengths: (B,)
        integers in [1, T], in any order, None: all T; what x holds past a sequence's length is not looked at, and work
        is in proportion to the sum of the lengths.

        y (T, B, D*H): the states of the last layer, the forward direction's first; zero past a sequence's length. h_n:
        as h0, after each sequence's last step; the reverse direction begins at that step and ends at the first.

        Raises TypeError, ValueError and IndexError for such arguments, with their names.
        """
        inputs, states, ends = self._arguments(x, h0, lengths)
        y, h_n = self._kernels.run(inputs, states, ends)
        return y, self._public(h_n)

    def forward(self, x: Any, h0: Any = None, lengths: Any = None) -> tuple[Array, Any, Tape]:
        """y, h_n, tape: as a call, with dropout between layers, and with what `backward` needs.

        Dropout sets each output of a layer but the last to 0 with probability `dropout`, and divides the others by
        1 - dropout (Srivastava et al. 2014), by `rng.random((T, B, D*H)) >= dropout`, drawn once for each gap.
        """
        inputs, states, ends = self._arguments(x, h0, lengths)
        y, h_n, kept = self._kernels.forward(inputs, states, ends, self._dropout_factors(*inputs.shape[:2]))
        return y, self._public(h_n), Tape(self, kept)

    def backward(self, tape: Tape, dy: Any, dh_n: Any = None) -> tuple[Array | None, Any]:
        """dx, dh0: back through all layers and steps of the `forward` call that gave the tape.

        dy (T, B, D*H) and dh_n (as h_n, or None for zeros) are the gradients of a loss with respect to y and h_n. dx
        (T, B, I; None for integer inputs) and dh0 (as h0) are those with respect to x and h0; those with respect to
        the parameters are added to `gradients`. What dy holds past a sequence's length is not looked at, and dx is 0
        there.

        A tape serves once. ValueError for one that was used or came from another layer; TypeError and ValueError for
        the other arguments, which leave the tape as it is.
        """
        kept: _core.StackTape = read(tape, self)
        dy = real_array(dy, "dy", self.dtype, (kept.T, kept.B, self.num_directions * self.hidden_size))
        dstates = _laid_out(self._states(dh_n, "dh_n", kept.B))
        dx, dh0 = self._kernels.backward(tape.use(), _core.laid_out(dy), dstates, not kept.one_hot)
        return dx, self._public(dh0)

    def step(self, x: Any, h: Any = None) -> tuple[Array, Any]:
        """y, h: one step, for streaming, without a tape; what a call with T = 1 gives, to rounding.

        x: (B, I), or (B,) of integers; h: the states before the step, as h0, or None for zeros. y (B, H). ValueError
        for a bidirectional layer, whose reverse direction begins where a sequence ends.
        """
        return self._kernels.step(x, h)

    def _arguments(
        self, x: Any, h0: Any, lengths: Any
    ) -> tuple["NDArray[Any]", tuple[Array, ...] | None, Integers | None]:
        """The arguments of a call as the kernels want them: checked, contiguous, integers of 64 bits and copied."""
        inputs = self._inputs(x, "T", "B")
        T, B = inputs.shape[:2]
        ends = None if lengths is None else np.array(self._lengths(lengths, T, B), dtype=np.int64)
        if is_integer(inputs):
            if ends is not None:
                inputs = np.where(np.arange(T)[:, np.newaxis] < ends, inputs, 0)
            inputs = _core.indices(inputs, self.input_size, "x")
        return _core.laid_out(inputs), _laid_out(self._states(h0, "h0", B)), ends

    def _dropout_factors(self, T: int, B: int) -> Array | None:
        """What the outputs between layers are multiplied by, (L - 1, T, B, D*H), or None."""
        if not self.dropout:
            return None
        factors: Array = np.empty((self.num_layers - 1, T, B, self.num_directions * self.hidden_size), self.dtype)
        for factor in factors:
            np.multiply(self.rng.random(factor.shape) >= self.dropout, 1 / (1 - self.dropout), out=factor)
        return factors


class RNN(_Recurrent, RNNLayer):
    """h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), f = tanh, relu or sigmoid

    Source: Elman, "Finding structure in time", 1990; `torch.nn.RNN` (which has no sigmoid).
    """

    def _cell(self) -> str:
        return self.nonlinearity


class GRU(_Recurrent, GRULayer):
    """r_t = sigmoid(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)
    z_t = sigmoid(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
    n_t = tanh(W_in x_t + b_in + r_t * (W_hn h_{t-1} + b_hn))      with reset_after
    n_t = tanh(W_in x_t + b_in + W_hn (r_t * h_{t-1}) + b_hn)      without
    h_t = (1 - z_t) * n_t + z_t * h_{t-1}

    The rows of the weights are those of r, z and n, in this order.

    Source: Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine
    translation", 2014; with reset_after, `torch.nn.GRU`.
    """

    def _cell(self) -> str:
        return "gru" if self.reset_after else "gru_reset_before"


class LSTM(_Recurrent, LSTMLayer):
    """i_t = sigmoid(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)
    f_t = sigmoid(W_if x_t + b_if + W_hf h_{t-1} + b_hf)
    g_t = tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
    o_t = sigmoid(W_io x_t + b_io + W_ho h_{t-1} + b_ho)
    c_t = f_t * c_{t-1} + i_t * g_t
    h_t = o_t * tanh(c_t)

    The rows of the weights are those of i, f, g and o, in this order. A state is the pair (h, c).

    Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997, with the forget gate of Gers, Schmidhuber and
    Cummins, "Learning to forget", 2000; `torch.nn.LSTM`.
    """

    def _cell(self) -> str:
        return "lstm"


class Embedding(EmbeddingLayer):
    """y = row x of weight (V, E): x of integers in [0, V) in any shape, y of that shape and (E,).

    IndexError for an integer outside [0, V), TypeError for what holds no integers.
    """

    def _attach(self, flat_parameters: Array, flat_gradients: Array) -> None:
        super()._attach(flat_parameters, flat_gradients)
        self._kernels = _core.Embedding(self.parameters["weight"], self.gradients["weight"])

    def __call__(self, x: Any) -> Array:
        """y"""
        return self._rows(self._indices(x))

    def forward(self, x: Any) -> tuple[Array, Tape]:
        """y, tape"""
        indices = self._indices(x)
        return self._rows(indices), Tape(self, indices)

    def backward(self, tape: Tape, dy: Any) -> None:
        """d loss / d weight, from d loss / d y, is added to `gradients`: a row that was read twice gets both."""
        indices = read(tape, self)
        dy = real_array(dy, "dy", self.dtype, (*indices.shape, self.embedding_size))
        tape.use()
        if indices.size:
            self._kernels.backward(indices.ravel(), _core.laid_out(dy).reshape(-1, self.embedding_size))

    def _indices(self, x: Any) -> "NDArray[np.int64]":
        """x, checked and copied."""
        return _core.indices(integer_array(x, "x"), self.num_embeddings, "x")

    def _rows(self, indices: "NDArray[np.int64]") -> Array:
        if not indices.size:
            return np.empty((*indices.shape, self.embedding_size), self.dtype)
        return self._kernels.forward(indices.ravel()).reshape(*indices.shape, self.embedding_size)


class Linear(LinearLayer):
    """y = W x + b: x (..., I), y (..., O)."""

    def _attach(self, flat_parameters: Array, flat_gradients: Array) -> None:
        super()._attach(flat_parameters, flat_gradients)
        self._kernels = _core.Linear(
            self.parameters["weight"], self.parameters.get("bias"), self.gradients["weight"], self.gradients.get("bias")
        )

    def __call__(self, x: Any) -> Array:
        """y"""
        return self._kernels.run(x)

    def forward(self, x: Any) -> tuple[Array, Tape]:
        """y, tape"""
        y, kept = self._kernels.forward(x)
        return y, Tape(self, kept)

    def backward(self, tape: Tape, dy: Any) -> Array:
        """dx = W^T dy, in the shape of x; dW = sum of dy x^T and db = sum of dy are added to `gradients`."""
        gradient = self._kernels.output_gradient(read(tape, self), dy)
        return self._kernels.backward(tape.use(), gradient)


def _laid_out(states: tuple[Array, ...] | None) -> tuple[Array, ...] | None:
    return None if states is None else tuple(_core.laid_out(part) for part in states)

"""The layers in plain NumPy, written to be read: the slow truth that the fast ones are tested against.

Each recurrent layer is the step of its cell, forward and, beside it, backward; what they have in common, from one step
to sequences and stacks of layers, is in `recurrent.py`. The arrays of a step are (B, ...): a row for each sequence.
`a * b` is by element. Parameters and results are those of PyTorch's modules of the same names.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastrnn.arrays import Array, Integers, check_indices, integer_array, real_array
from fastrnn.feedforward import EmbeddingLayer, LinearLayer
from fastrnn.recurrent import GRULayer, LSTMLayer, RNNLayer
from fastrnn.reference.affine import Affine
from fastrnn.reference.recurrent import Memory, Recurrent, State
from fastrnn.tape import Tape, read


def sigmoid(a: Array) -> Array:
    """1 / (1 + exp(-a)), by way of exp(-|a|), which does not overflow."""
    e = np.exp(-np.abs(a))
    s: Array = np.where(a < 0, e, 1) / (1 + e)
    return s


# f, and f' by way of the value y = f(a); the derivative of relu at 0 is taken to be 0, as PyTorch does.
ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "tanh": (np.tanh, lambda y: 1 - y * y),
    "sigmoid": (sigmoid, lambda y: y * (1 - y)),
    "relu": (lambda a: np.maximum(a, 0), lambda y: (y > 0).astype(y.dtype)),
}


class RNN(Recurrent, RNNLayer):
    """h' = f(W_ih x + b_ih + W_hh h + b_hh), f = tanh, relu or sigmoid

    Source: Elman, "Finding structure in time", 1990; `torch.nn.RNN`.
    """

    def _cell(self, ih: Affine, hh: Affine, x: Array | Integers, state: State) -> tuple[State, Memory]:
        (h,) = state
        f, _ = ACTIVATIONS[self.nonlinearity]
        h_new = f(ih(x) + hh(h))
        return (h_new,), (x, h, h_new)

    def _cell_backward(self, ih: Affine, hh: Affine, memory: Memory, dstate: State) -> tuple[Array, State]:
        x, h, h_new = memory
        (dh_new,) = dstate
        _, derivative = ACTIVATIONS[self.nonlinearity]
        # h' = f(a), a = ih(x) + hh(h)
        da = dh_new * derivative(h_new)
        return ih.backward(x, da), (hh.backward(h, da),)


class GRU(Recurrent, GRULayer):
    """r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)            the reset gate
    z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)               the update gate
    n = tanh(W_in x + b_in + r * (W_hn h + b_hn))            the new state, with reset_after
    n = tanh(W_in x + b_in + W_hn (r * h) + b_hn)            or without
    h' = (1 - z) * n + z * h

    The rows of the weights are those of r, z and n, in this order.

    Source: Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine
    translation", 2014, which resets before the product; `torch.nn.GRU`, which does so after it.
    """

    def _cell(self, ih: Affine, hh: Affine, x: Array | Integers, state: State) -> tuple[State, Memory]:
        (h,) = state
        x_r, x_z, x_n = np.split(ih(x), 3, axis=1)
        hh_r, hh_z, hh_n = hh.blocks(3)
        r = sigmoid(x_r + hh_r(h))
        z = sigmoid(x_z + hh_z(h))
        if self.reset_after:
            m = hh_n(h)
            n = np.tanh(x_n + r * m)
        else:
            m = r * h
            n = np.tanh(x_n + hh_n(m))
        h_new = (1 - z) * n + z * h
        return (h_new,), (x, h, r, z, m, n)

    def _cell_backward(self, ih: Affine, hh: Affine, memory: Memory, dstate: State) -> tuple[Array, State]:
        x, h, r, z, m, n = memory
        (dh_new,) = dstate
        hh_r, hh_z, hh_n = hh.blocks(3)
        # h' = (1 - z) * n + z * h
        dn = dh_new * (1 - z)
        dz = dh_new * (h - n)
        dh = dh_new * z
        # n = tanh(a_n)
        da_n = dn * (1 - n * n)
        if self.reset_after:
            # a_n = x_n + r * m, m = hh_n(h)
            dr = da_n * m
            dh += hh_n.backward(h, da_n * r)
        else:
            # a_n = x_n + hh_n(m), m = r * h
            dm = hh_n.backward(m, da_n)
            dr = dm * h
            dh += dm * r
        # r = sigmoid(a_r), a_r = x_r + hh_r(h), and z likewise
        da_r = dr * r * (1 - r)
        da_z = dz * z * (1 - z)
        dh += hh_r.backward(h, da_r) + hh_z.backward(h, da_z)
        # x_r, x_z, x_n = ih(x)
        return ih.backward(x, np.concatenate([da_r, da_z, da_n], axis=1)), (dh,)


class LSTM(Recurrent, LSTMLayer):
    """i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)    the input gate
    f = sigmoid(W_if x + b_if + W_hf h + b_hf)       the forget gate
    g = tanh(W_ig x + b_ig + W_hg h + b_hg)          what is there to be added to the cell
    o = sigmoid(W_io x + b_io + W_ho h + b_ho)       the output gate
    c' = f * c + i * g
    h' = o * tanh(c')

    The rows of the weights are those of i, f, g and o, in this order. A state is the pair (h, c).

    Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997, with the forget gate of Gers, Schmidhuber and
    Cummins, "Learning to forget", 2000; `torch.nn.LSTM`.
    """

    def _cell(self, ih: Affine, hh: Affine, x: Array | Integers, state: State) -> tuple[State, Memory]:
        h, c = state
        a_i, a_f, a_g, a_o = np.split(ih(x) + hh(h), 4, axis=1)
        i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
        c_new = f * c + i * g
        tanh_c = np.tanh(c_new)
        h_new = o * tanh_c
        return (h_new, c_new), (x, h, c, i, f, g, o, tanh_c)

    def _cell_backward(self, ih: Affine, hh: Affine, memory: Memory, dstate: State) -> tuple[Array, State]:
        x, h, c, i, f, g, o, tanh_c = memory
        dh_new, dc_new = dstate
        # h' = o * tanh(c')
        do = dh_new * tanh_c
        dc_new = dc_new + dh_new * o * (1 - tanh_c * tanh_c)
        # c' = f * c + i * g
        di, df, dg = dc_new * g, dc_new * c, dc_new * i
        dc = dc_new * f
        # i = sigmoid(a_i), f = sigmoid(a_f), g = tanh(a_g), o = sigmoid(a_o)
        da_i, da_f, da_g, da_o = di * i * (1 - i), df * f * (1 - f), dg * (1 - g * g), do * o * (1 - o)
        # a_i, a_f, a_g, a_o = ih(x) + hh(h)
        da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
        return ih.backward(x, da), (hh.backward(h, da), dc)


class Embedding(EmbeddingLayer):
    """y = row x of weight (V, E): x of integers in [0, V) in any shape, y of that shape and (E,)."""

    def __call__(self, x: Any) -> Array:
        return self.parameters["weight"][self._indices(x)]

    def forward(self, x: Any) -> tuple[Array, Tape]:
        """y, tape: as a call, with what `backward` needs."""
        x = self._indices(x).copy()
        return self(x), Tape(self, x)

    def backward(self, tape: Tape, dy: Any) -> None:
        """y = weight[x], so dweight[x] += dy: a row that was read twice is added to twice."""
        x = read(tape, self)
        dy = real_array(dy, "dy", self.dtype, (*x.shape, self.embedding_size))
        tape.use()
        np.add.at(self.gradients["weight"], x, dy)

    def _indices(self, x: Any) -> Integers:
        indices = integer_array(x, "x")
        check_indices(indices, "x", self.num_embeddings)
        return indices


class Linear(LinearLayer):
    """y = W x + b: x (..., I) of the layer's dtype, y (..., O)."""

    def __call__(self, x: Any) -> Array:
        return self._map()(self._inputs(x))

    def forward(self, x: Any) -> tuple[Array, Tape]:
        """y, tape: as a call, with what `backward` needs."""
        x = self._inputs(x).copy()
        return self(x), Tape(self, x)

    def backward(self, tape: Tape, dy: Any) -> Array:
        """dx, of the shape of x; `Affine.backward` has the equations."""
        x = read(tape, self)
        dy = real_array(dy, "dy", self.dtype, (*x.shape[:-1], self.output_size))
        tape.use()
        dx = self._map().backward(x.reshape(-1, self.input_size), dy.reshape(-1, self.output_size))
        return dx.reshape(x.shape)

    def _inputs(self, x: Any) -> Array:
        x = np.asarray(x)
        return real_array(x, "x", self.dtype, (*x.shape[:-1], self.input_size))

    def _map(self) -> Affine:
        return Affine.of(self, "weight", "bias")

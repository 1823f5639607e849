"""A recurrent layer that is fed step after step, and keeps its state."""

from typing import Any

import numpy as np

from fastrnn.arguments import call_of
from fastrnn.arrays import Array, is_integer
from fastrnn.layers import GRU, LSTM, RNN, Linear


class Stepper:
    """h = layer.step(x, h), and y = h of the top layer, or output(h): one step at each call, the state kept.

        rnn = fastrnn.Stepper(fastrnn.RNN(8, 100), fastrnn.Linear(100, 4))
        y = rnn.step(x)  # x is an input vector, y the RNN's output vector

    Deep networks are steppers one above the other, `y = rnn2.step(rnn1.step(x))`, or one over a layer of num_layers.

    layer: `fastrnn.RNN`, `GRU` or `LSTM`, of one direction. output: None, or a `fastrnn.Linear` over it, of the same
    dtype. Both are used as they are, not copied: several steppers over one layer are several sequences, each with its
    own state. TypeError or ValueError for others.

    Attributes, to read: `layer`, `output`; `state`, which can also be set.

    A stepper is for one thread at a time: of two steps at once both would begin from the same state. Threads may share
    the layer, each with a stepper of its own. Steppers pickle and copy; copy.copy shares the layer.

    Source: Karpathy, "The unreasonable effectiveness of recurrent neural networks", 2015.
    """

    def __init__(self, layer: RNN | GRU | LSTM, output: Linear | None = None) -> None:
        if not isinstance(layer, RNN | GRU | LSTM):
            raise TypeError(f"layer must be a fastrnn.RNN, GRU or LSTM, not {type(layer).__name__}")
        if layer.bidirectional:
            raise ValueError("layer must have one direction: the reverse one begins where the sequence ends")
        if output is not None:
            _check_output(output, layer)
        self.layer, self.output = layer, output
        self._states: tuple[Array, ...] | None = None  # of which none is ever written to

    def step(self, x: Any) -> Array:
        """y after one step more, and the state goes on.

        x: numbers of the layer's dtype, (B, I) for B sequences side by side, or (I,) for a single one; or integers in
        [0, I) that stand for their 1-of-I codes, (B,), or a single one. y: (B, H), with an output (B, O); without B
        for a single sequence. All steps up to the next `reset` have the same B.

        TypeError, ValueError or IndexError for others, which leave the state as it was.
        """
        array = np.asarray(x)
        single = array.ndim == (0 if is_integer(array) else 1)
        if single:
            array = array[np.newaxis]
        if self._states is not None and array.ndim and len(array) != self._states[0].shape[1]:
            raise ValueError(
                f"x must have as many sequences as the state, {self._states[0].shape[1]}, not {len(array)}: to begin "
                "with others call reset()"
            )
        y, state = self.layer.step(array, None if self._states is None else self.layer._public(self._states))
        if self.output is not None:
            y = self.output(y)
        self._states = state if isinstance(state, tuple) else (state,)
        return y[0] if single else y

    def reset(self) -> None:
        """Before the first step again: the state is zero, and the next x says how many sequences there are."""
        self._states = None

    @property
    def state(self) -> Any:
        """After the last step, a copy: h (L, B, H), or of an LSTM the pair (h, c). None before the first step: zeros.

        Can be set to such arrays, which are copied, of any B, or to None; TypeError or ValueError for others.
        """
        return None if self._states is None else self.layer._public(tuple(part.copy() for part in self._states))

    @state.setter
    def state(self, value: Any) -> None:
        parts = self.layer._states(value, "state", _sequences(value))
        self._states = None if parts is None else tuple(part.copy() for part in parts)

    def __repr__(self) -> str:
        """The call that makes such a stepper."""
        return call_of(self)


def _check_output(output: Any, layer: RNN | GRU | LSTM) -> None:
    """TypeError or ValueError unless this is a linear layer that takes the other's outputs."""
    if not isinstance(output, Linear):
        raise TypeError(f"output must be None or a fastrnn.Linear, not {type(output).__name__}")
    if output.input_size != layer.hidden_size:
        raise ValueError(
            f"output must have the layer's hidden_size as its input_size, {layer.hidden_size}, not {output.input_size}"
        )
    if output.dtype != layer.dtype:
        raise TypeError(f"output must be of the layer's dtype, {layer.dtype}, not {output.dtype}")


def _sequences(value: Any) -> int:
    """B, if this is a state; 1 for what is none, and will be refused."""
    first = value[0] if isinstance(value, tuple | list) and value else value
    shape = np.shape(first)
    return shape[1] if len(shape) == 3 and shape[1] else 1

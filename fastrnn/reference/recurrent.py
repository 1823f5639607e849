"""From one step of a cell to sequences, both directions, and layers upon layers: written once, for every cell.

A cell takes an input and a state to a new state, whose first array is the output. Symbols: T steps, B sequences in a
batch, I inputs, H hidden units, L layers, D directions.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.arrays import Array, Integers, check_indices, is_integer, real_array
from fastrnn.recurrent import RecurrentLayer, parameter_suffix
from fastrnn.reference.affine import Affine
from fastrnn.tape import Tape, read

State = tuple[Array, ...]  # (h,) or (h, c): of one cell each (B, H), of all layers each (L*D, B, H)
Memory = tuple[Any, ...]  # what a cell's forward step keeps for its backward step


@dataclass
class Kept:
    """What a tape keeps of a call."""

    live: "NDArray[np.bool]"  # (T, B): whether sequence b has a step t
    integers: bool  # whether x was of integers
    memories: list[list[Memory]] = field(default_factory=list)  # of each layer and direction: one of each step
    scales: list[Array] = field(default_factory=list)  # of each gap between layers: what dropout multiplied by


class Recurrent(RecurrentLayer, ABC):
    """All that a recurrent layer does, but for the step of its cell.

    Dropout, in `forward` only: what a layer below the last puts out, (T, B, D*H), is kept where
    `rng.random((T, B, D*H)) >= dropout` and divided by 1 - dropout, and is 0 elsewhere; one draw for each such layer,
    from the bottom up.
    """

    @abstractmethod
    def _cell(self, ih: Affine, hh: Affine, x: Array | Integers, state: State) -> tuple[State, Memory]:
        """The state after x, and what `_cell_backward` needs. ih is the map of x, hh the map of h."""

    @abstractmethod
    def _cell_backward(self, ih: Affine, hh: Affine, memory: Memory, dstate: State) -> tuple[Array, State]:
        """From the gradient with respect to the state after a step: those with respect to its x and to the state
        before it. Those of the parameters are added to."""

    def __call__(self, x: Any, h0: Any = None, lengths: Any = None) -> tuple[Array, Any]:
        """y, h_n: the outputs (T, B, D*H) and the last states, without a tape and without dropout.

        x is (T, B, I) of the layer's dtype, or (T, B) of integers in [0, I), each standing for its 1-of-I code. h0
        (zero if None) and h_n are (L*D, B, H), for the LSTM pairs of such. lengths are (B,) integers in [1, T] (T if
        None), in any order: what x holds beyond a sequence's length is not looked at, y is 0 there, and h_n is the
        state after the sequence's last step; the reverse direction begins at that step.
        """
        y, h_n, _ = self._sequences(x, h0, lengths, dropout=0.0)
        return y, h_n

    def forward(self, x: Any, h0: Any = None, lengths: Any = None) -> tuple[Array, Any, Tape]:
        """y, h_n, tape: as a call, but with dropout between layers, and with what `backward` needs."""
        y, h_n, kept = self._sequences(x, h0, lengths, dropout=self.dropout)
        return y, h_n, Tape(self, kept)

    def backward(self, tape: Tape, dy: Any, dh_n: Any = None) -> tuple[Array | None, Any]:
        """dx, dh0: from the gradients of a loss with respect to y and h_n (zero if None), those with respect to x
        (None if x was of integers) and h0. Those of the parameters are added to `gradients`.

        ValueError for a tape that was used before, or is another layer's.
        """
        kept: Kept = read(tape, self)
        T, B = kept.live.shape
        D, H = self.num_directions, self.hidden_size
        dy = real_array(dy, "dy", self.dtype, (T, B, D * H))
        dstates = self._new_states(dh_n, "dh_n", B)
        tape.use()
        for layer in reversed(range(self.num_layers)):
            if layer < len(kept.scales):
                dy = dy * kept.scales[layer]  # in the forward pass the layer above read y * scale
            dx: Array = np.zeros((), self.dtype)
            for direction in range(D):
                k = layer * D + direction
                dh = dy[..., direction * H : (direction + 1) * H]
                dstate = tuple(part[k] for part in dstates)
                dx = dx + self._direction_backward(layer, direction, kept.memories[k], kept.live, dh, dstate)
            dy = dx  # what is the input of one layer is the output of the one below
        return (None if kept.integers else dx), self._public(dstates)

    def step(self, x: Any, h: Any = None) -> tuple[Array, Any]:
        """y, h: the outputs (B, H) and states after one step, x (B, I) or (B,) integers; h as h0 of a call."""
        if self.bidirectional:
            raise ValueError("step needs a layer of one direction: the reverse one begins where the sequence ends")
        x = self._inputs(x, "B")
        y, h = self(x[np.newaxis], h)
        return y[0], h

    def _sequences(self, x: Any, h0: Any, lengths: Any, dropout: float) -> tuple[Array, Any, Kept]:
        """All layers, one after the other."""
        x = self._inputs(x, "T", "B")
        T, B = x.shape[:2]
        kept = Kept(np.arange(T)[:, np.newaxis] < self._lengths(lengths, T, B), is_integer(x))
        if kept.integers:
            check_indices(x[kept.live], "x", self.input_size)
        states = self._new_states(h0, "h0", B)
        for layer in range(self.num_layers):
            if layer and dropout:
                scale = (self.rng.random(x.shape) >= dropout) * self.dtype.type(1 / (1 - dropout))
                kept.scales.append(scale)
                x = x * scale
            ys = []
            for direction in range(self.num_directions):
                k = layer * self.num_directions + direction
                y, memories = self._direction(layer, direction, x, kept.live, tuple(part[k] for part in states))
                kept.memories.append(memories)
                ys.append(y)
            x = np.concatenate(ys, axis=2)
        return x, self._public(states), kept

    def _direction(
        self, layer: int, direction: int, x: Array | Integers, live: "NDArray[np.bool]", state: State
    ) -> tuple[Array, list[Memory]]:
        """One layer in one direction of time: its outputs (T, B, H), and in `state`, first that before it, finally that
        after it."""
        T, B = live.shape
        ih, hh = self._maps(layer, direction)
        y = np.zeros((T, B, self.hidden_size), self.dtype)
        memories = []
        for t in _times(T, direction):
            now = live[t]  # a sequence that is over, or in reverse not begun, keeps its state as it is
            after, memory = self._cell(ih, hh, x[t, now], tuple(part[now] for part in state))
            y[t, now] = after[0]
            _assign(state, now, after)
            memories.append(memory)
        return y, memories

    def _direction_backward(
        self, layer: int, direction: int, memories: list[Memory], live: "NDArray[np.bool]", dy: Array, dstate: State
    ) -> Array:
        """The same steps in the opposite order: dx (T, B, I), and in `dstate`, first that of the last state, finally
        that of the first."""
        T, B = live.shape
        ih, hh = self._maps(layer, direction)
        dx = np.zeros((T, B, ih.W.shape[1]), self.dtype)
        for t in reversed(_times(T, direction)):
            now = live[t]
            dh, *rest = (part[now] for part in dstate)
            # h_t went two ways: out as y_t, and on to the next step.
            dx[t, now], dbefore = self._cell_backward(ih, hh, memories.pop(), (dh + dy[t, now], *rest))
            _assign(dstate, now, dbefore)
        return dx

    def _maps(self, layer: int, direction: int) -> tuple[Affine, Affine]:
        """ih, hh: what this layer does to its x and to its h in this direction."""
        suffix = parameter_suffix(layer, direction)
        return (
            Affine.of(self, "weight_ih" + suffix, "bias_ih" + suffix),
            Affine.of(self, "weight_hh" + suffix, "bias_hh" + suffix),
        )

    def _new_states(self, value: Any, name: str, B: int) -> State:
        """The arrays of a state that the caller gave, copied, to be written to; zero for None."""
        states = self._states(value, name, B)
        if states is None:
            shape = (self.num_layers * self.num_directions, B, self.hidden_size)
            return tuple(np.zeros(shape, self.dtype) for _ in self.state_names)
        return tuple(part.copy() for part in states)


def _times(T: int, direction: int) -> range:
    """The steps in the order in which this direction (1: reverse) takes them."""
    return range(T) if direction == 0 else range(T - 1, -1, -1)


def _assign(state: State, rows: "NDArray[np.bool]", values: State) -> None:
    for part, value in zip(state, values, strict=True):
        part[rows] = value

"""Recurrent layers run one step after the other, so that gradients can be seen between any two steps."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastrnn.arrays import Array, Integers
from fastrnn.flow.gates import gates, saturated
from fastrnn.flow.parts import Recurrent

Floats = NDArray[np.float64]
Parts = tuple[Array, ...]  # of a state, or of a gradient with respect to it: h, and of an LSTM c, each (1, B, H)


class Step(NamedTuple):
    """One layer at one step: what it read, the state before, the tape, and the state after."""

    x: Any
    before: Parts
    tape: Any
    after: Parts


class Walk:
    """Layers of num_layers=1, each over the one below, over x, (T, B, I) or (T, B) integers, from `states`.

    `gates`: of each layer those of all steps, (T * B, H), by name.
    """

    def __init__(self, layers: tuple[Recurrent, ...], x: Array | Integers, states: list[Any]) -> None:
        self.layers = layers
        self._steps: list[list[Step]] = []  # of each t, from the lowest layer up
        states = list(states)
        for t in range(len(x)):
            y: Any = x[t : t + 1]
            row = []
            for number, layer in enumerate(layers):
                inputs, before = y[0], states[number]
                y, states[number], tape = layer.forward(y, before)
                row.append(Step(inputs, _parts(before), tape, _parts(states[number])))
            self._steps.append(row)
        self.gates = [self._gates(number) for number in range(len(layers))]

    def _gates(self, number: int) -> dict[str, Array]:
        x = np.concatenate([row[number].x for row in self._steps])
        h = np.concatenate([row[number].before[0][0] for row in self._steps])
        return gates(self.layers[number], x, h)

    @property
    def top(self) -> Array:
        """The last layer's h after the last step, (B, H)."""
        h: Array = self._steps[-1][-1].after[0][0]
        return h

    def saturated(self) -> dict[str, Floats]:
        """The share of each gate's values that are saturated, of each layer, (L,), by the gate's name."""
        pairs = list(zip(self.layers, self.gates, strict=True))
        return {
            name: np.array([saturated(layer, name, values[name]).mean() for layer, values in pairs])
            for name in self.gates[0]
        }

    def norms_back(self, dtop: Array) -> tuple[Floats, ...]:
        """From dL/dh (B, H) of the last layer after the last step: the norms of dL/dh, and of an LSTM of dL/dc, by
        layer and lag, (L, T), mean over the sequences. The tapes are used up, and the layers' gradients added to."""
        T, L, B = len(self._steps), len(self.layers), len(dtop)
        norms = np.zeros((len(self.layers[0].state_names), L, T))
        from_later = [_parts(zero_state(layer, B)) for layer in self.layers]
        for lag in range(T):
            from_above = dtop if lag == 0 else np.zeros_like(dtop)
            for number in reversed(range(L)):
                gradients, from_later[number], from_above = self._step_back(
                    T - 1 - lag, number, from_later[number], from_above
                )
                norms[:, number, lag] = [_mean_norm(gradient) for gradient in gradients]
        return tuple(norms)

    def _step_back(self, t: int, number: int, from_later: Parts, from_above: Array) -> tuple[Parts, Parts, Array]:
        """Back through one step of one layer, from the parts of dL/dh_t and dL/dc_t that come from the step after and
        from the layer above: dL/dh_t and dL/dc_t themselves (B, H), dL/dh_{t-1} and dL/dc_{t-1} as far as they come
        from here, and dL/dx_t (of integers, which have none, anything)."""
        layer, step = self.layers[number], self._steps[t][number]
        dh = from_later[0][0] + from_above
        if len(from_later) == 1:
            dx, before = layer.backward(step.tape, dh[np.newaxis])
            return (dh,), _parts(before), from_above if dx is None else dx[0]
        dx, before = layer.backward(step.tape, dh[np.newaxis], (np.zeros_like(from_later[0]), from_later[1]))
        # h = o * tanh(c): dL/dc has a part that comes by way of h, which backward adds by itself
        o = self.gates[number]["o"].reshape(len(self._steps), *dh.shape)[t]
        dc = from_later[1][0] + dh * o * (1 - np.tanh(step.after[1][0]) ** 2)
        return (dh, dc), _parts(before), from_above if dx is None else dx[0]


def zero_state(layer: Recurrent, B: int) -> Any:
    """The state zero of a layer with num_layers=1."""
    return layer._public(tuple(np.zeros((1, B, layer.hidden_size), layer.dtype) for _ in layer.state_names))


def side_by_side(states: list[Any]) -> Any:
    """The states of B sequences as one, from B states of one sequence."""
    if isinstance(states[0], tuple):
        return tuple(np.concatenate(parts, axis=1) for parts in zip(*states, strict=True))
    return np.concatenate(states, axis=1)


def columns(state: Any, batch: slice) -> Any:
    """The states of some of the sequences."""
    return tuple(part[:, batch] for part in state) if isinstance(state, tuple) else state[:, batch]


def _parts(state: Any) -> Parts:
    return state if isinstance(state, tuple) else (state,)


def _mean_norm(rows: Array) -> float:
    return float(np.linalg.norm(rows.astype(np.float64), axis=1).mean())

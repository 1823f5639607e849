"""What the gates of a recurrent layer were at each step, and where they are saturated."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn import _core
from fastrnn.arrays import Array, Integers, is_integer
from fastrnn.flow.parts import Recurrent

NAMES = {1: ("h",), 3: ("r", "z", "n"), 4: ("i", "f", "g", "o")}  # by the number of gates, in the order of the rows
TANH_SATURATED = 0.97  # of |tanh a| above it the derivative is below 0.06, of at most 1
SIGMOID_SATURATED = 0.03  # of sigmoid a below it, or above 1 - it, the derivative is below 0.03, of at most 0.25


def blocks(layer: Recurrent, weight: Array) -> dict[str, Array]:
    """The blocks of H rows of a weight or bias, by the names of their gates: "h" (the new state) of an RNN; "r", "z",
    "n" of a GRU; "i", "f", "g", "o" of an LSTM."""
    return dict(zip(NAMES[layer.gates], np.split(weight, layer.gates), strict=True))


def nonlinearity(layer: Recurrent, name: str) -> str:
    """The function whose value this gate is: "tanh", "relu" or "sigmoid"."""
    if isinstance(getattr(layer, "nonlinearity", None), str):
        return str(layer.nonlinearity)  # type: ignore[union-attr]
    return "tanh" if name in ("n", "g") else "sigmoid"


def gates(layer: Recurrent, x: Array | Integers, h: Array) -> dict[str, Array]:
    """Each gate (N, H) of a layer with num_layers=1, after inputs x, (N, I) or (N,) integers, in states h (N, H).
    Equations: see the layers."""
    ih, hh = _input_part(layer, x), _state_part(layer)
    values: dict[str, Array] = {}
    for name in NAMES[layer.gates]:
        a: Array
        if name != "n":
            a = ih[name] + hh(name, h)
        elif layer.reset_after:  # type: ignore[union-attr]
            a = ih[name] + values["r"] * hh(name, h)
        else:
            a = ih[name] + hh(name, values["r"] * h)
        values[name] = _FUNCTIONS[nonlinearity(layer, name)](a)
    return values


def saturated(layer: Recurrent, name: str, gate: Array) -> "NDArray[np.bool]":
    """Where the derivative of a gate has almost vanished: |tanh| > 0.97; a sigmoid below 0.03 or above 0.97; relu 0."""
    match nonlinearity(layer, name):
        case "tanh":
            beyond: NDArray[np.bool] = np.abs(gate) > TANH_SATURATED
        case "sigmoid":
            beyond = (gate < SIGMOID_SATURATED) | (gate > 1 - SIGMOID_SATURATED)
        case _:
            beyond = gate == 0
    return beyond


def _input_part(layer: Recurrent, x: Array | Integers) -> dict[str, Array]:
    """W x + b of each gate."""
    W = layer.parameters["weight_ih_l0"]
    a: Array = W.T[x] if is_integer(x) else x @ W.T
    if layer.bias:
        a = a + layer.parameters["bias_ih_l0"]
    return {name: part.T for name, part in blocks(layer, a.T).items()}


def _state_part(layer: Recurrent) -> Callable[[str, Array], Array]:
    """The function (name of a gate, h) -> W h + b."""
    W = blocks(layer, layer.parameters["weight_hh_l0"])
    b: dict[str, Any] = blocks(layer, layer.parameters["bias_hh_l0"]) if layer.bias else dict.fromkeys(W, 0)
    return lambda name, h: h @ W[name].T + b[name]


def _sigmoid(a: Array) -> Array:
    out: Array = np.ascontiguousarray(a)
    _core.sigmoid(out, out)
    return out


_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "relu": lambda a: np.maximum(a, 0),
}

"""Weights of Keras and ONNX as state dicts of fastrnn's layers, which are PyTorch's, and back.

The three write down the same cells and differ in what a matrix multiplies from which side, in the order of the gates
along the axis G*H, and in how many biases there are:

    PyTorch, fastrnn   weights (G*H, I), (G*H, H), biases (G*H,), (G*H,)       GRU r z n    LSTM i f g o
    Keras              kernels (I, G*H), (H, G*H), bias (G*H,) or (2, G*H)     GRU z r h    LSTM i f c o
    ONNX               W (D, G*H, I), R (D, G*H, H), B (D, 2*G*H)              GRU z r h    LSTM i o f c

with G = 1 gate in an RNN, 3 in a GRU, 4 in an LSTM; I inputs, H hidden units, D directions. h and c are other names of
n and g. In all three z is the share of the old state that is kept, h' = (1 - z) n + z h (many textbooks have z and
1 - z exchanged), and the LSTM's candidate g passes through tanh, its gates through the logistic sigmoid.

Sources: the equations in PyTorch's documentation of torch.nn.RNN, GRU and LSTM; `call` of the cells in Keras 3,
keras/src/layers/rnn/{simple_rnn,gru,lstm}.py in github.com/keras-team/keras; https://onnx.ai/onnx/operators, pages
onnx__RNN, onnx__GRU and onnx__LSTM.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastrnn.arrays import Array
from fastrnn.recurrent import parameter_suffix

# A letter a gate, in the order of the blocks along the axis G*H.
_GATES = {"rnn": "h", "gru": "rzn", "lstm": "ifgo"}
_KERAS = {"rnn": "h", "gru": "zrn", "lstm": "ifgo"}
_ONNX = {"rnn": "h", "gru": "zrn", "lstm": "iofg"}


def from_keras(cell: str, *layers: Sequence[Any], reset_after: bool = True) -> dict[str, Array]:
    """The state dict for a fastrnn layer, from what `get_weights()` of Keras's layers returns.

        from fastrnn import convert

        gru = fastrnn.GRU(I, H)
        gru.load_state_dict(convert.from_keras("gru", keras_layer.get_weights()))

    `cell` is "rnn" (Keras: SimpleRNN), "gru" or "lstm". Each of `layers` is one Keras layer's list: kernel (I, G*H),
    recurrent_kernel (H, G*H) and, unless use_bias=False, bias; a Bidirectional layer's list has the forward layer's
    arrays and then the backward layer's. Several of them become one stack, the first layer first.

    Where Keras has one bias, (G*H,), it becomes bias_ih, and bias_hh is zero. A GRU with reset_after=True has two, the
    rows of (2, 3*H): the first is added to the input's product, the second to the recurrent one. `reset_after` must be
    what the Keras layer was made with (its default is True), and has to be passed to `fastrnn.GRU` too: without biases
    the arrays do not tell, and the other form computes something else. It is used for the GRU only.

    What a state dict does not hold has to be Keras's default: activation "tanh" (or the fastrnn.RNN's nonlinearity),
    recurrent_activation "sigmoid" (Keras before 2.3: "hard_sigmoid", which fastrnn does not have), merge_mode "concat".
    Keras's arrays of inputs and outputs are (B, T, ...), fastrnn's (T, B, ...). A layer with go_backwards=True is a
    forward layer on the reversed sequence.

    The arrays are new, of the dtypes given. ValueError for an unknown cell, a list of another length, an array of
    another shape (the message names it), and layers that no stack can hold; TypeError for arrays that hold no real
    numbers. Source: see the head of this module.
    """
    gates = _gates(cell)
    cells = []
    for index, weights in enumerate(layers):
        count = len(weights)
        if count not in (2, 3, 4, 6):
            raise ValueError(
                f"layer {index} must have the arrays kernel, recurrent_kernel and, with biases, bias, or these of a "
                f"forward and a backward layer: 2, 3, 4 or 6 arrays, not {count}: pass each layer's get_weights() as "
                "an argument of its own"
            )
        directions = [f"layer {index}"] if count < 4 else [f"layer {index}, forward", f"layer {index}, backward"]
        size = count // len(directions)
        cells.append(
            [
                _from_keras(cell, gates, weights[d * size : (d + 1) * size], where, reset_after)
                for d, where in enumerate(directions)
            ]
        )
    return _stacked(cells)


def to_keras(cell: str, state: Mapping[str, Any], *, reset_after: bool = True) -> list[list[Array]]:
    """For each layer of the state dict the list that `set_weights` of a Keras layer takes.

        [weights] = convert.to_keras("gru", gru.state_dict())
        keras_layer.set_weights(weights)

    The reverse of `from_keras`; a bidirectional layer's list is that of Keras's Bidirectional. Where Keras has one bias
    (SimpleRNN, LSTM, GRU with reset_after=False) it is the sum bias_ih + bias_hh: both are added before the
    nonlinearity, so that the layer computes the same, but `from_keras` cannot take the sum apart again. Without biases
    the lists are kernel and recurrent_kernel, for Keras's use_bias=False.

    The arrays are new, of the dtypes given. Errors as of `from_keras`, for the state dict's entries.
    """
    gates = _gates(cell)
    return [
        [array for one in directions for array in _to_keras(cell, gates, one, reset_after)]
        for directions in _unstacked(gates, state)
    ]


def from_onnx(cell: str, *layers: Sequence[Any]) -> dict[str, Array]:
    """The state dict for a fastrnn layer, from the initializers of ONNX's operators RNN, GRU or LSTM.

        lstm.load_state_dict(convert.from_onnx("lstm", (W, R, B)))

    Each of `layers` holds one operator's W (D, G*H, I), R (D, G*H, H) and, unless it has none, B (D, 2*G*H), as NumPy
    arrays (`onnx.numpy_helper.to_array` makes them): inputs 1, 2 and 3 of the node. B may be None. Several operators,
    each fed with the outputs of the one before, become one stack. D is 2 where the attribute `direction` is
    "bidirectional"; an operator with "reverse" is a forward layer on the reversed sequence.

    The GRU's attribute `linear_before_reset` is fastrnn.GRU's `reset_after` (1 is True; ONNX's default is 0, PyTorch
    exports 1): pass it to `fastrnn.GRU`, the arrays do not tell. The other attributes must have their defaults, but
    that an RNN's `activations` may also be Relu or Sigmoid, fastrnn.RNN's `nonlinearity`; fastrnn's LSTM has no
    peepholes (input P). ONNX's output Y is (T, D, B, H), fastrnn's y (T, B, D*H).

    The arrays are new, of the dtypes given. Errors as of `from_keras`. Source: see the head of this module.
    """
    gates = _gates(cell)
    return _stacked([_from_onnx(cell, gates, arrays, f"layer {index}") for index, arrays in enumerate(layers)])


def to_onnx(cell: str, state: Mapping[str, Any]) -> list[tuple[Array, Array, Array | None]]:
    """For each layer of the state dict W (D, G*H, I), R (D, G*H, H) and B (D, 2*G*H) of ONNX's operator; without biases
    B is None, and the input is left out.

    The reverse of `from_onnx`, exactly. A GRU's operator needs the attribute linear_before_reset = 1, unless the layer
    was made with reset_after=False: then 0. Errors as of `from_keras`, for the state dict's entries.
    """
    gates = _gates(cell)
    return [_to_onnx(cell, gates, directions) for directions in _unstacked(gates, state)]


class _Cell(NamedTuple):
    """One layer in one direction, by PyTorch's shapes and gate order; either both biases or none."""

    weight_ih: Array  # (G*H, I)
    weight_hh: Array  # (G*H, H)
    bias_ih: Array | None = None  # (G*H,)
    bias_hh: Array | None = None  # (G*H,)


def _gates(cell: str) -> str:
    if cell not in _GATES:
        raise ValueError(f"cell must be 'rnn', 'gru' or 'lstm', not {cell!r}")
    return _GATES[cell]


def _reordered(array: Array, given: str, wanted: str) -> Array:
    """A new array of the blocks along the first axis, in another order of their gates."""
    blocks = dict(zip(given, np.split(array, len(given)), strict=True))
    return np.concatenate([blocks[gate] for gate in wanted])


def _array(value: Any, name: str, shape: tuple[int | str, ...]) -> Array:
    """value as an array of real numbers of this shape, in which a letter stands for any number."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must hold real numbers, not {array.dtype}")
    fits = len(shape) == array.ndim and all(
        isinstance(wanted, str) or wanted == size for wanted, size in zip(shape, array.shape, strict=True)
    )
    if not fits or 0 in array.shape:
        expected = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
        raise ValueError(f"{name} must have shape ({expected}), not {array.shape}")
    return array


def _from_keras(cell: str, gates: str, arrays: Sequence[Any], where: str, reset_after: bool) -> _Cell:
    G, order = len(gates), _KERAS[cell]
    recurrent_kernel = _array(arrays[1], f"{where}: recurrent_kernel", ("H", f"{G} H" if G > 1 else "H"))
    H = len(recurrent_kernel)
    _array(arrays[1], f"{where}: recurrent_kernel", (H, G * H))
    kernel = _array(arrays[0], f"{where}: kernel", ("I", G * H))
    bias_ih = bias_hh = None
    if len(arrays) == 3:
        bias_ih, bias_hh = _keras_biases(cell, arrays[2], f"{where}: bias", G * H, reset_after)
        bias_ih, bias_hh = _reordered(bias_ih, order, gates), _reordered(bias_hh, order, gates)
    return _Cell(_reordered(kernel.T, order, gates), _reordered(recurrent_kernel.T, order, gates), bias_ih, bias_hh)


def _keras_biases(cell: str, value: Any, name: str, size: int, reset_after: bool) -> tuple[Array, Array]:
    if cell != "gru":
        bias = _array(value, name, (size,))
        return bias, np.zeros_like(bias)
    forms: dict[bool, tuple[int, ...]] = {True: (2, size), False: (size,)}
    if np.shape(value) == forms[not reset_after]:
        raise ValueError(
            f"{name} has shape {np.shape(value)}, that of a GRU with reset_after={not reset_after}: pass "
            f"reset_after={not reset_after} here and to fastrnn.GRU"
        )
    bias = _array(value, name, forms[reset_after])
    return (bias[0], bias[1]) if reset_after else (bias, np.zeros_like(bias))


def _to_keras(cell: str, gates: str, one: _Cell, reset_after: bool) -> list[Array]:
    order = _KERAS[cell]
    arrays = [np.ascontiguousarray(_reordered(weight, gates, order).T) for weight in (one.weight_ih, one.weight_hh)]
    if one.bias_ih is None or one.bias_hh is None:
        return arrays
    bias_ih, bias_hh = _reordered(one.bias_ih, gates, order), _reordered(one.bias_hh, gates, order)
    two = cell == "gru" and reset_after
    return [*arrays, np.stack([bias_ih, bias_hh]) if two else bias_ih + bias_hh]


def _from_onnx(cell: str, gates: str, arrays: Sequence[Any], where: str) -> list[_Cell]:
    if len(arrays) not in (2, 3):
        raise ValueError(f"{where} must have the arrays W, R and, with biases, B: 2 or 3 arrays, not {len(arrays)}")
    G, order = len(gates), _ONNX[cell]
    R = _array(arrays[1], f"{where}: R", ("D", f"{G} H" if G > 1 else "H", "H"))
    D, _, H = R.shape
    if D > 2:
        raise ValueError(f"{where}: R must have 1 or 2 directions along its first axis, not {D}")
    _array(R, f"{where}: R", (D, G * H, H))
    W = _array(arrays[0], f"{where}: W", (D, G * H, "I"))
    B = None
    if len(arrays) == 3 and arrays[2] is not None:
        B = _array(arrays[2], f"{where}: B", (D, 2 * G * H))
    return [
        _Cell(
            _reordered(W[d], order, gates),
            _reordered(R[d], order, gates),
            _reordered(B[d, : G * H], order, gates) if B is not None else None,
            _reordered(B[d, G * H :], order, gates) if B is not None else None,
        )
        for d in range(D)
    ]


def _to_onnx(cell: str, gates: str, directions: list[_Cell]) -> tuple[Array, Array, Array | None]:
    order = _ONNX[cell]
    W = np.stack([_reordered(one.weight_ih, gates, order) for one in directions])
    R = np.stack([_reordered(one.weight_hh, gates, order) for one in directions])
    biases = [
        np.concatenate([_reordered(one.bias_ih, gates, order), _reordered(one.bias_hh, gates, order)])
        for one in directions
        if one.bias_ih is not None and one.bias_hh is not None
    ]
    return W, R, np.stack(biases) if biases else None


def _stacked(layers: list[list[_Cell]]) -> dict[str, Array]:
    """The state dict of a stack, in PyTorch's order. ValueError where the layers do not fit on one another."""
    if not layers:
        raise ValueError("at least one layer's arrays are needed, and there are none")
    D, H, biases = len(layers[0]), layers[0][0].weight_hh.shape[1], layers[0][0].bias_ih is not None
    input_size = layers[0][0].weight_ih.shape[1]
    state = {}
    for k, directions in enumerate(layers):
        for d, one in enumerate(directions):
            found = (len(directions), one.weight_hh.shape[1], one.weight_ih.shape[1], one.bias_ih is not None)
            if found != (D, H, input_size, biases):
                raise ValueError(
                    f"layer {k} has {_described(*found)}, where a stack on layer 0 needs "
                    f"{_described(D, H, input_size, biases)}: convert layers that differ into stacks of their own"
                )
            for name, array in one._asdict().items():
                if array is not None:
                    state[name + parameter_suffix(k, d)] = array
        input_size = D * H
    return state


def _described(directions: int, hidden_size: int, input_size: int, biases: bool) -> str:
    return f"{directions} x {hidden_size} units, {input_size} inputs and {'' if biases else 'no '}biases"


def _unstacked(gates: str, state: Mapping[str, Any]) -> list[list[_Cell]]:
    """The state dict, layer by layer and direction by direction. ValueError for entries that no layer has so."""
    L = 0
    while "weight_ih" + parameter_suffix(L, 0) in state:
        L += 1
    D, biases = 1 + ("weight_ih" + parameter_suffix(0, 1) in state), "bias_ih" + parameter_suffix(0, 0) in state
    fields = _Cell._fields if biases else _Cell._fields[:2]
    names = [field + parameter_suffix(k, d) for k in range(max(L, 1)) for d in range(D) for field in fields]
    missing, left_over = [name for name in names if name not in state], [name for name in state if name not in names]
    if missing or left_over:
        raise ValueError(
            f"state must have the entries of a recurrent layer, {', '.join(names)}; "
            f"missing: {', '.join(missing) or 'none'}; left over: {', '.join(map(str, left_over)) or 'none'}"
        )
    H = _array(state[names[1]], names[1], (f"{len(gates)} H" if len(gates) > 1 else "H", "H")).shape[1]
    rows = len(gates) * H

    def cell(k: int, d: int) -> _Cell:
        columns: int | str = D * H if k else "I"
        shapes = {"weight_ih": (rows, columns), "weight_hh": (rows, H), "bias_ih": (rows,), "bias_hh": (rows,)}
        named = {field: field + parameter_suffix(k, d) for field in fields}
        return _Cell(**{field: _array(state[name], name, shapes[field]) for field, name in named.items()})

    layers = [[cell(k, d) for d in range(D)] for k in range(L)]
    _stacked(layers)  # both directions of the first layer have the same inputs
    return layers

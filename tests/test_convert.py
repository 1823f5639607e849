"""Weights from and to Keras and ONNX: there and back, and what the layers compute with them.

Keras's and ONNX's cells are written down here as their sources have them, a step at a time, in those gate orders and
layouts, and held against the layers of fastrnn.
"""

import numpy as np
import pytest

import fastrnn
from fastrnn import convert

T, B, INPUTS, H = 5, 3, 4, 6
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
FORMS = [("rnn", True), ("gru", True), ("gru", False), ("lstm", True)]  # cell, reset_after
LAYERS = {"rnn": fastrnn.RNN, "gru": fastrnn.GRU, "lstm": fastrnn.LSTM}


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def network(cell, reset_after=True, **options):
    more = {"reset_after": reset_after} if cell == "gru" else {}
    return LAYERS[cell](INPUTS, H, dtype="float64", rng=2, **options, **more)


# ---- Keras: keras/src/layers/rnn/simple_rnn.py, gru.py and lstm.py ---------------------------------------------------


def keras_step(cell, kernel, recurrent_kernel, bias, x, states, reset_after):
    """One step; x (B, I), states h, for the LSTM h and c, of shape (B, H)."""
    units = len(recurrent_kernel)
    h = states[0]
    if cell == "rnn":
        return [np.tanh(x @ kernel + bias + h @ recurrent_kernel)]
    if cell == "lstm":
        i, f, c, o = np.split(x @ kernel + h @ recurrent_kernel + bias, 4, axis=1)
        new_c = sigmoid(f) * states[1] + sigmoid(i) * np.tanh(c)
        return [sigmoid(o) * np.tanh(new_c), new_c]
    input_bias, recurrent_bias = bias if reset_after else (bias, np.zeros_like(bias))
    x_z, x_r, x_h = np.split(x @ kernel + input_bias, 3, axis=1)
    inner = h @ recurrent_kernel + recurrent_bias
    z = sigmoid(x_z + inner[:, :units])
    r = sigmoid(x_r + inner[:, units : 2 * units])
    recurrent_h = r * inner[:, 2 * units :] if reset_after else (r * h) @ recurrent_kernel[:, 2 * units :]
    return [z * h + (1 - z) * np.tanh(x_h + recurrent_h)]


def keras_layer(cell, weights, x, reset_after=True):
    """return_sequences=True, from states of zero; x (B, T, I). A list of six is a Bidirectional layer's."""
    if len(weights) == 6:
        forward = keras_layer(cell, weights[:3], x, reset_after)
        backward = keras_layer(cell, weights[3:], x[:, ::-1], reset_after)[:, ::-1]
        return np.concatenate([forward, backward], axis=-1)
    kernel, recurrent_kernel, bias = weights
    states, outputs = [np.zeros((len(x), len(recurrent_kernel)))] * 2, []
    for t in range(x.shape[1]):
        states = keras_step(cell, kernel, recurrent_kernel, bias, x[:, t], states, reset_after)
        outputs.append(states[0])
    return np.stack(outputs, axis=1)


def keras_weights(cell, rng, inputs=INPUTS, reset_after=True, bias=True):
    size = GATES[cell] * H
    bias_shape = (2, size) if cell == "gru" and reset_after else (size,)
    shapes = [(inputs, size), (H, size), bias_shape][: 3 if bias else 2]
    return [rng.uniform(-1, 1, shape) for shape in shapes]


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize(("cell", "reset_after"), FORMS)
def test_a_keras_stack_computes_the_same(cell, reset_after, directions, rng):
    stack = [
        [array for _ in range(directions) for array in keras_weights(cell, rng, inputs, reset_after)]
        for inputs in (INPUTS, directions * H)
    ]
    x = rng.standard_normal((B, T, INPUTS))
    expected = x
    for weights in stack:
        expected = keras_layer(cell, weights, expected, reset_after)

    layer = network(cell, reset_after, num_layers=2, bidirectional=directions == 2)
    layer.load_state_dict(convert.from_keras(cell, *stack, reset_after=reset_after))
    y, _ = layer(x.transpose(1, 0, 2))
    np.testing.assert_allclose(y.transpose(1, 0, 2), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize(("cell", "reset_after"), FORMS)
def test_weights_given_to_keras_compute_the_same(cell, reset_after, directions, rng):
    layer = network(cell, reset_after, num_layers=2, bidirectional=directions == 2)
    x = expected = rng.standard_normal((B, T, INPUTS))
    for weights in convert.to_keras(cell, layer.state_dict(), reset_after=reset_after):
        assert all(array.flags.c_contiguous for array in weights)
        expected = keras_layer(cell, weights, expected, reset_after)
    y, _ = layer(x.transpose(1, 0, 2))
    np.testing.assert_allclose(y.transpose(1, 0, 2), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize(("cell", "reset_after"), FORMS)
def test_keras_there_and_back(cell, reset_after, directions, bias, rng):
    stack = [
        [array for _ in range(directions) for array in keras_weights(cell, rng, inputs, reset_after, bias)]
        for inputs in (INPUTS, directions * H)
    ]
    state = convert.from_keras(cell, *stack, reset_after=reset_after)
    back = convert.to_keras(cell, state, reset_after=reset_after)
    assert [len(weights) for weights in back] == [len(weights) for weights in stack]
    for mine, its in zip(sum(back, []), sum(stack, []), strict=True):  # noqa: RUF017
        np.testing.assert_array_equal(mine, its)


def test_one_bias_of_keras_becomes_two_and_two_become_their_sum(rng):
    state = convert.from_keras("lstm", keras_weights("lstm", rng))
    assert state["bias_ih_l0"].any()
    assert not state["bias_hh_l0"].any()
    state["bias_hh_l0"] += 0.25
    [(_, _, bias)] = convert.to_keras("lstm", state)
    np.testing.assert_array_equal(bias, state["bias_ih_l0"] + 0.25)


def test_biases_tell_which_form_a_keras_gru_has(rng):
    with pytest.raises(ValueError, match=r"^layer 0: bias has .*\(18,\), that of a GRU with reset_after=False: pass"):
        convert.from_keras("gru", keras_weights("gru", rng, reset_after=False))
    with pytest.raises(ValueError, match=r"^layer 0: bias has .*\(2, 18\), that of a GRU with reset_after=True: pass"):
        convert.from_keras("gru", keras_weights("gru", rng), reset_after=False)


# ---- ONNX: https://onnx.ai/onnx/operators, RNN, GRU and LSTM ---------------------------------------------------------


def onnx_step(cell, W, R, Wb, Rb, X, states, linear_before_reset):
    """One step in one direction; X (B, I), states H and C of shape (B, H)."""
    last = states[0]
    if cell == "rnn":
        return [np.tanh(X @ W.T + last @ R.T + Wb + Rb)]
    if cell == "lstm":
        i, o, f, c = np.split(X @ W.T + last @ R.T + Wb + Rb, 4, axis=1)
        C = sigmoid(f) * states[1] + sigmoid(i) * np.tanh(c)
        return [sigmoid(o) * np.tanh(C), C]
    (Wz, Wr, Wh), (Rz, Rr, Rh) = np.split(W, 3), np.split(R, 3)
    (Wbz, Wbr, Wbh), (Rbz, Rbr, Rbh) = np.split(Wb, 3), np.split(Rb, 3)
    z = sigmoid(X @ Wz.T + last @ Rz.T + Wbz + Rbz)
    r = sigmoid(X @ Wr.T + last @ Rr.T + Wbr + Rbr)
    inner = r * (last @ Rh.T + Rbh) if linear_before_reset else (r * last) @ Rh.T + Rbh
    return [(1 - z) * np.tanh(X @ Wh.T + inner + Wbh) + z * last]


def onnx_operator(cell, W, R, biases, X, linear_before_reset=True):
    """Y (T, D, B, H), from states of zero; X (T, B, I), D = 2 for direction="bidirectional"."""
    D, rows, H = R.shape
    biases = np.zeros((D, 2 * rows)) if biases is None else biases
    Y = np.zeros((len(X), D, X.shape[1], H))
    for d in range(D):
        states = [np.zeros((X.shape[1], H))] * 2
        for t in range(len(X)) if d == 0 else reversed(range(len(X))):
            Wb, Rb = np.split(biases[d], 2)
            states = onnx_step(cell, W[d], R[d], Wb, Rb, X[t], states, linear_before_reset)
            Y[t, d] = states[0]
    return Y


def onnx_weights(cell, rng, inputs=INPUTS, directions=1, bias=True):
    rows = GATES[cell] * H
    shapes = [(directions, rows, inputs), (directions, rows, H), (directions, 2 * rows)]
    arrays = [rng.uniform(-1, 1, shape) for shape in shapes]
    return arrays if bias else [*arrays[:2], None]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize(("cell", "reset_after"), FORMS)
def test_onnx_operators_compute_the_same(cell, reset_after, directions, bias, rng):
    stack = [onnx_weights(cell, rng, inputs, directions, bias) for inputs in (INPUTS, directions * H)]
    x = expected = rng.standard_normal((T, B, INPUTS))
    for arrays in stack:
        Y = onnx_operator(cell, *arrays, expected, linear_before_reset=reset_after)
        expected = Y.transpose(0, 2, 1, 3).reshape(T, B, directions * H)

    state = convert.from_onnx(cell, *stack)
    layer = network(cell, reset_after, num_layers=2, bidirectional=directions == 2, bias=bias)
    layer.load_state_dict(state)
    np.testing.assert_allclose(layer(x)[0], expected, rtol=0, atol=1e-13)

    back = convert.to_onnx(cell, state)
    for mine, its in zip(back, stack, strict=True):
        for a, b in zip(mine, its, strict=True):
            assert (a is b is None) or np.array_equal(a, b)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell", GATES)
def test_a_state_dict_there_and_back_by_onnx(cell, bias):
    state = network(cell, num_layers=3, bidirectional=True, bias=bias).state_dict()
    back = convert.from_onnx(cell, *convert.to_onnx(cell, state))
    assert list(back) == list(state)
    for name, array in state.items():
        np.testing.assert_array_equal(back[name], array)


def test_onnx_without_biases_may_leave_them_out(rng):
    W, R, _ = onnx_weights("gru", rng)
    assert list(convert.from_onnx("gru", (W, R))) == ["weight_ih_l0", "weight_hh_l0"]


# ---- both ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_are_new_and_keep_their_dtype(dtype, rng):
    weights = [array.astype(dtype) for array in keras_weights("rnn", rng)]
    state = convert.from_keras("rnn", weights)
    [there], [onnx] = convert.to_keras("rnn", state), convert.to_onnx("rnn", state)
    for array in (*state.values(), *there, *onnx):
        assert array.dtype == dtype
        array[...] = 7
    assert not any((array == 7).any() for array in weights)


def test_wrong_arrays_are_named(rng):
    kernel, recurrent, bias = keras_weights("lstm", rng)
    for weights, message in [
        ([kernel.T, recurrent, bias], r"^layer 0: kernel must have shape \(I, 24\), not \(24, 4\)$"),
        ([kernel, recurrent[1:], bias], r"^layer 0: recurrent_kernel must have shape \(5, 20\), not \(5, 24\)$"),
        ([kernel, recurrent[0], bias], r"^layer 0: recurrent_kernel must have shape \(H, 4 H\), not \(24,\)$"),
        ([kernel, recurrent, bias[:5]], r"^layer 0: bias must have shape \(24,\), not \(5,\)$"),
        ([kernel, recurrent, bias, kernel, recurrent, bias[:5]], r"^layer 0, backward: bias must have"),
        ([kernel[:0], recurrent, bias], r"^layer 0: kernel must have shape \(I, 24\), not \(0, 24\)$"),
        ([kernel], r"^layer 0 must have .* not 1: pass each layer's get_weights\(\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            convert.from_keras("lstm", weights)
    with pytest.raises(TypeError, match=r"^layer 0: kernel must hold real numbers, not <U1$"):
        convert.from_keras("lstm", [np.full(kernel.shape, "a"), recurrent, bias])

    W, R, biases = onnx_weights("gru", rng)
    for arrays, message in [
        ((W[0], R, biases), r"^layer 0: W must have shape \(1, 18, I\), not \(18, 4\)$"),
        ((W, R[:, :17], biases), r"^layer 0: R must have shape \(1, 18, 6\), not \(1, 17, 6\)$"),
        ((W, np.repeat(R, 3, axis=0), biases), r"^layer 0: R must have 1 or 2 directions along its first axis, not 3$"),
        ((W, R, biases[:, :18]), r"^layer 0: B must have shape \(1, 36\), not \(1, 18\)$"),
        ((W,), r"^layer 0 must have the arrays W, R and, with biases, B: 2 or 3 arrays, not 1$"),
    ]:
        with pytest.raises(ValueError, match=message):
            convert.from_onnx("gru", arrays)


def test_layers_that_make_no_stack_are_refused(rng):
    first = keras_weights("gru", rng)
    for second, found in [
        (keras_weights("gru", rng, inputs=H + 1), "1 x 6 units, 7 inputs and biases"),
        (keras_weights("gru", rng, inputs=H, bias=False), "1 x 6 units, 6 inputs and no biases"),
        (keras_weights("gru", rng, inputs=H) * 2, "2 x 6 units, 6 inputs and biases"),
    ]:
        with pytest.raises(ValueError, match=f"^layer 1 has {found}, where a stack on layer 0 needs 1 x 6"):
            convert.from_keras("gru", first, second)
    with pytest.raises(ValueError, match=r"^at least one layer's arrays are needed"):
        convert.from_onnx("gru")


def test_wrong_state_dicts_are_named():
    state = network("gru", num_layers=2).state_dict()
    cut = {name: array for name, array in state.items() if name != "bias_hh_l1"}
    for changed, message in [
        ({**state, "extra": 1}, r"missing: none; left over: extra$"),
        (cut, "missing: bias_hh_l1; left over: none"),
        ({}, "missing: weight_ih_l0, weight_hh_l0; left over: none"),
        ({**state, "weight_ih_l1": state["weight_ih_l0"]}, r"^weight_ih_l1 must have shape \(18, 6\), not \(18, 4\)$"),
        ({**state, "weight_hh_l0": np.zeros((17, 6))}, r"^weight_hh_l0 must have shape \(18, 6\), not \(17, 6\)$"),
    ]:
        for to in (convert.to_keras, convert.to_onnx):
            with pytest.raises(ValueError, match=message):
                to("gru", changed)
    with pytest.raises(TypeError, match=r"^bias_ih_l0 must hold real numbers, not complex128$"):
        convert.to_onnx("gru", {**state, "bias_ih_l0": np.zeros(18, complex)})


@pytest.mark.parametrize("function", [convert.from_keras, convert.from_onnx])
def test_unknown_cells_are_refused(function):
    with pytest.raises(ValueError, match=r"^cell must be 'rnn', 'gru' or 'lstm', not 'GRU'$"):
        function("GRU", [])

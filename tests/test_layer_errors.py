"""What the layers refuse: the error names the argument, what was expected and what came, and nothing has changed."""

import copy

import numpy as np
import pytest

import fastrnn

F32, F64 = np.float32, np.float64
T, B, INPUTS, H, L = 4, 2, 3, 5, 2
KINDS = {
    "RNN": lambda **options: fastrnn.RNN(INPUTS, H, L, rng=0, **options),
    "GRU": lambda **options: fastrnn.GRU(INPUTS, H, L, rng=0, **options),
    "LSTM": lambda **options: fastrnn.LSTM(INPUTS, H, L, rng=0, **options),
}


@pytest.fixture(params=KINDS)
def make(request):
    return KINDS[request.param]


def states(layer, *shape, dtype=F32):
    """An array of this shape, where layer is an LSTM a pair of them."""
    array = np.zeros(shape, dtype)
    return (array, array) if isinstance(layer, fastrnn.LSTM) else array


def refuses(layer, call, error, message):
    """call() raises this, and layer, its generator included, is as it was."""
    before = copy.deepcopy(layer)
    with pytest.raises(error, match=message):
        call()
    np.testing.assert_array_equal(layer.flat_parameters, before.flat_parameters)
    np.testing.assert_array_equal(layer.flat_gradients, before.flat_gradients)
    if hasattr(layer, "rng"):
        assert layer.rng.bit_generator.state == before.rng.bit_generator.state


x = np.zeros((T, B, INPUTS), F32)
characters = np.zeros((T, B), int)
WRONG_INPUTS = [
    ((x.astype(F64),), TypeError, r"x must hold float32, not float64: x\.astype\('float32'\)"),
    ((x.astype(bool),), TypeError, "x must hold float32, not bool"),
    ((x.astype(">f4"),), TypeError, "x must hold float32, not >f4"),
    ((x.astype(complex),), TypeError, "x must hold float32, not complex128"),
    (("text",), TypeError, "x must hold float32, not <U4"),
    ((None,), TypeError, "x must hold float32, not object"),
    ((x[..., :2],), ValueError, r"x must have shape \(T, B, 3\), not \(4, 2, 2\)"),
    ((x[:, 0],), ValueError, r"x must have shape \(T, B, 3\), not \(4, 3\)"),
    ((x[np.newaxis],), ValueError, r"x must have shape \(T, B, 3\), not \(1, 4, 2, 3\)"),
    ((x[:0],), ValueError, r"x must have shape \(T, B, 3\), not \(0, 2, 3\)"),
    ((x[:, :0],), ValueError, r"x must have shape \(T, B, 3\), not \(4, 0, 3\)"),
    ((characters[0],), ValueError, r"x must have shape \(T, B\), not \(2,\)"),
    ((characters[:0],), ValueError, r"x must have shape \(T, B\), not \(0, 2\)"),
    ((characters[:, :0],), ValueError, r"x must have shape \(T, B\), not \(4, 0\)"),
    ((characters[..., np.newaxis],), ValueError, r"x must have shape \(T, B\), not \(4, 2, 1\)"),
    ((characters + INPUTS,), IndexError, r"x must be in \[0, 3\), and has 3"),
    ((characters - 1,), IndexError, r"x must be in \[0, 3\), and has -1"),
    ((characters.astype("u8") + 2**63,), IndexError, r"x must be in \[0, 3\)"),
    ((x, None, [0, 4]), ValueError, r"lengths must be in \[1, 4\], the number of steps, and are \[0, 4\]"),
    ((x, None, [5, 4]), ValueError, r"lengths must be in \[1, 4\], the number of steps, and are \[5, 4\]"),
    ((x, None, [-1, 4]), ValueError, r"lengths must be in \[1, 4\], the number of steps, and are \[-1, 4\]"),
    ((x, None, np.array([2**63, 4], "u8")), ValueError, r"lengths must be in \[1, 4\]"),
    ((x, None, [4]), ValueError, r"lengths must have shape \(2,\), not \(1,\)"),
    ((x, None, [[4, 4]]), ValueError, r"lengths must have shape \(2,\), not \(1, 2\)"),
    ((x, None, 4), ValueError, r"lengths must have shape \(2,\), not \(\)"),
    ((x, None, [4.0, 4.0]), TypeError, "lengths must hold integers, not float64"),
    ((x, None, [True, True]), TypeError, "lengths must hold integers, not bool"),
]


@pytest.mark.parametrize("method", ["__call__", "forward"])
@pytest.mark.parametrize(("arguments", "error", "message"), WRONG_INPUTS)
def test_inputs_and_lengths(make, method, arguments, error, message):
    layer = make(dropout=0.5)
    refuses(layer, lambda: getattr(layer, method)(*arguments), error, message)


@pytest.mark.parametrize("method", ["__call__", "forward"])
def test_states(make, method):
    layer = make(dropout=0.5)
    call = getattr(layer, method)
    name = r"h0\[0\]" if isinstance(layer, fastrnn.LSTM) else "h0"
    shape = rf"{name} must have shape \(2, 2, 5\), not "
    refuses(layer, lambda: call(x, states(layer, 1, B, H)), ValueError, shape + r"\(1, 2, 5\)")
    refuses(layer, lambda: call(x, states(layer, L, 1, H)), ValueError, shape + r"\(2, 1, 5\)")
    refuses(layer, lambda: call(x, states(layer, L, B, 1)), ValueError, shape + r"\(2, 2, 1\)")
    refuses(layer, lambda: call(x, states(layer, B, H)), ValueError, shape + r"\(2, 5\)")
    refuses(
        layer, lambda: call(x, states(layer, L, B, H, dtype=F64)), TypeError, f"{name} must hold float32, not float64"
    )
    refuses(
        layer, lambda: call(x, states(layer, L, B, H, dtype=int)), TypeError, f"{name} must hold float32, not int64"
    )


@pytest.mark.parametrize("state", [np.zeros((2, L, B, H), F32), (np.zeros((L, B, H), F32),), {}, "hc", 0])
def test_the_state_of_an_lstm_is_a_pair(state):
    layer = fastrnn.LSTM(INPUTS, H, L)
    refuses(layer, lambda: layer(x, state), TypeError, r"h0 must be a tuple \(h, c\) of arrays")
    refuses(layer, lambda: layer.forward(x, state), TypeError, r"h0 must be a tuple \(h, c\) of arrays")
    refuses(layer, lambda: layer.step(x[0], state), TypeError, r"h must be a tuple \(h, c\) of arrays")
    dy = np.zeros((T, B, H), F32)
    tape = layer.forward(x)[2]
    refuses(layer, lambda: layer.backward(tape, dy, state), TypeError, r"dh_n must be a tuple \(h, c\) of arrays")
    h, c = np.zeros((L, B, H), F32), np.zeros((L, B, H))
    refuses(layer, lambda: layer(x, (h, c)), TypeError, r"h0\[1\] must hold float32, not float64")
    refuses(layer, lambda: layer.step(x[0], (h, c)), TypeError, r"h\[1\] must be float32, not float64")


def test_gradients_of_outputs_leave_the_tape_to_be_used(make):
    layer = make()
    dy = np.ones((T, B, H), F32)
    tape = layer.forward(x)[2]
    name = r"dh_n\[0\]" if isinstance(layer, fastrnn.LSTM) else "dh_n"
    wrong = [
        ((tape, dy[:-1]), ValueError, r"dy must have shape \(4, 2, 5\), not \(3, 2, 5\)"),
        ((tape, dy[:, 0]), ValueError, r"dy must have shape \(4, 2, 5\), not \(4, 5\)"),
        ((tape, dy.astype(F64)), TypeError, "dy must hold float32, not float64"),
        ((tape, None), TypeError, "dy must hold float32, not object"),
        ((tape, dy, states(layer, L, 1, H)), ValueError, rf"{name} must have shape \(2, 2, 5\), not \(2, 1, 5\)"),
        ((tape, dy, states(layer, L, B, H, dtype=F64)), TypeError, f"{name} must hold float32, not float64"),
    ]
    for arguments, error, message in wrong:
        refuses(layer, lambda: layer.backward(*arguments), error, message)  # noqa: B023
    dx, _ = layer.backward(tape, dy)
    twin = copy.deepcopy(layer)
    twin.zero_gradients()
    np.testing.assert_array_equal(dx, twin.backward(twin.forward(x)[2], dy)[0])
    np.testing.assert_array_equal(layer.flat_gradients, twin.flat_gradients)


TAPED = [
    (lambda: fastrnn.RNN(INPUTS, H), x, (T, B, H)),
    (lambda: fastrnn.GRU(INPUTS, H), x, (T, B, H)),
    (lambda: fastrnn.LSTM(INPUTS, H), characters, (T, B, H)),
    (lambda: fastrnn.Linear(INPUTS, H), x, (T, B, H)),
    (lambda: fastrnn.Embedding(INPUTS, H), characters, (T, B, H)),
]


@pytest.mark.parametrize(("new", "inputs", "shape"), TAPED)
def test_a_tape_is_for_one_backward_of_its_own_layer(new, inputs, shape):
    layer, other = new(), new()
    dy = np.ones(shape, F32)
    *_, tape = layer.forward(inputs)
    refuses(other, lambda: other.backward(tape, dy), ValueError, r"tape is another layer's, one that is \w+\(3, 5\)")
    for wrong in (None, dy, layer, [tape]):
        message = f"tape must be what forward returned, not {type(wrong).__name__}"
        refuses(layer, lambda: layer.backward(wrong, dy), TypeError, message)  # noqa: B023
    layer.backward(tape, dy)
    assert layer.flat_gradients.any()
    refuses(layer, lambda: layer.backward(tape, dy), ValueError, "tape is used already: backward takes one only once")
    twin = copy.deepcopy(layer)
    *_, tape = layer.forward(inputs)
    refuses(twin, lambda: twin.backward(tape, dy), ValueError, "tape is another layer's")  # a copy is another layer


STEPS = [
    ((x[0].astype(F64),), TypeError, "x must be float32, not float64"),
    ((x[0].astype(bool),), TypeError, "x must be float32, not bool"),
    ((x,), ValueError, r"x must have shape \(B, 3\), not \(4, 2, 3\)"),
    ((x[0, 0],), ValueError, r"x must have shape \(B, 3\), not \(3,\)"),
    ((x[0, :0],), ValueError, r"x must have shape \(B, 3\), not \(0, 3\)"),
    ((x[0, :, :2],), ValueError, r"x must have shape \(B, I\) = \(2, 3\), not \(2, 2\)"),
    ((characters,), ValueError, r"x must have shape \(B,\), not \(4, 2\)"),
    ((characters[0, :0],), ValueError, r"x must have shape \(B,\), not \(0,\)"),
    ((1,), ValueError, r"x must have shape \(B,\), not \(\)"),
    (([0, INPUTS],), IndexError, r"x must be in \[0, 3\), and has 3"),
    (([0, -1],), IndexError, r"x must be in \[0, 3\), and has -1"),
    ((np.array([-1, 0]),), IndexError, r"x must be in \[0, 3\), and has -1"),
    ((np.array([0, 2**64 - 1], np.uint64),), IndexError, r"x must be in \[0, 3\), and has 18446744073709551615"),
    (([0] * 8 + [INPUTS],), IndexError, r"x must be in \[0, 3\), and has 3"),  # too many for a step of few
]


@pytest.mark.parametrize(("arguments", "error", "message"), STEPS)
def test_steps(make, arguments, error, message):
    layer = make()
    refuses(layer, lambda: layer.step(*arguments), error, message)


@pytest.mark.parametrize("size", [2, 9])  # a step of few sequences takes another way than one of many
def test_states_of_steps(make, size):
    layer = make()
    x_t = np.zeros((size, INPUTS), F32)
    name = r"h\[0\]" if isinstance(layer, fastrnn.LSTM) else "h"
    shape = rf"{name} must have shape \(L, B, H\) = \(2, {size}, 5\), not "
    refuses(layer, lambda: layer.step(x_t, states(layer, L, 1, H)), ValueError, shape)
    refuses(layer, lambda: layer.step(x_t, states(layer, size, H)), ValueError, shape)
    refuses(layer, lambda: layer.step(x_t, states(layer, L, size, H, dtype=F64)), TypeError, f"{name} must be float32")


def test_a_layer_of_both_directions_has_no_step(make):
    layer = make(bidirectional=True)
    refuses(layer, lambda: layer.step(x[0]), ValueError, "step needs a layer of one direction")


def test_state_dicts(make):
    layer = make()
    good = {name: np.ones_like(array) for name, array in layer.parameters.items()}
    wrong = [
        ({name: good[name] for name in list(good)[:-1]}, ValueError, "missing: bias_hh_l1"),
        (good | {"bias": good["bias_hh_l0"]}, ValueError, "left over: bias"),
        (good | {"weight_hh_l1": good["weight_hh_l1"].T[:, :1]}, ValueError, "weight_hh_l1 must have shape"),
        (good | {"bias_hh_l1": np.array("text")}, TypeError, "bias_hh_l1 must hold real numbers"),
        (good | {"bias_hh_l1": None}, TypeError, "bias_hh_l1 must hold real numbers, not object"),
    ]
    for state, error, message in wrong:
        refuses(layer, lambda: layer.load_state_dict(state), error, message)  # noqa: B023
    layer.load_state_dict(good)
    assert (layer.flat_parameters == 1).all()


WRONG_OPTIONS = [
    ({"input_size": 0}, ValueError, "input_size must be at least 1, not 0"),
    ({"hidden_size": 2.0}, TypeError, "hidden_size must be an integer, not float"),
    ({"num_layers": 0}, ValueError, "num_layers must be at least 1"),
    ({"num_layers": 256}, ValueError, "256 layers of 3 units over 2 inputs are too large: .* 255 layers at most"),
    ({"input_size": 2**24}, ValueError, r"1 layers of 3 units over 16777216 inputs are too large: 2\*\*24 units"),
    ({"bias": 3}, TypeError, "bias must be True or False, not 3"),
    ({"bidirectional": "yes"}, TypeError, "bidirectional must be True or False, not 'yes'"),
    ({"dropout": 1, "num_layers": 2}, ValueError, "dropout must be at least 0 and below 1, not 1"),
    ({"dropout": float("nan"), "num_layers": 2}, ValueError, "dropout must be at least 0 and below 1, not nan"),
    ({"dropout": 0.5}, ValueError, "dropout acts between layers, so 0.5 would do nothing with num_layers=1"),
    ({"dtype": "float16"}, TypeError, "dtype must be float32 or float64, not float16"),
    ({"rng": "seed"}, TypeError, "rng must be None, an integer"),
]


@pytest.mark.parametrize(("options", "error", "message"), WRONG_OPTIONS)
@pytest.mark.parametrize("kind", [fastrnn.RNN, fastrnn.GRU, fastrnn.LSTM])
def test_options(kind, options, error, message):
    with pytest.raises(error, match=message):
        kind(**{"input_size": 2, "hidden_size": 3} | options)


def test_linear():
    layer = fastrnn.Linear(INPUTS, H)
    wrong = [
        (x.astype(F64), TypeError, r"x must hold float32, not float64: x\.astype\('float32'\)"),
        (characters, TypeError, "x must hold float32, not int64"),
        (x[..., :2], ValueError, r"x must have shape \(4, 2, 3\), not \(4, 2, 2\)"),
        (F32(1), ValueError, r"x must have shape \(3,\), not \(\)"),
    ]
    for argument, error, message in wrong:
        refuses(layer, lambda: layer(argument), error, message)  # noqa: B023
        refuses(layer, lambda: layer.forward(argument), error, message)  # noqa: B023
    _, tape = layer.forward(x)
    dy = np.ones((T, B, H), F32)
    refuses(layer, lambda: layer.backward(tape, dy[0]), ValueError, r"dy must have shape \(4, 2, 5\), not \(2, 5\)")
    refuses(layer, lambda: layer.backward(tape, np.float64(dy)), TypeError, "dy must hold float32, not float64")
    layer.backward(tape, dy)
    with pytest.raises(ValueError, match="output_size must be at least 1, not 0"):
        fastrnn.Linear(3, 0)
    with pytest.raises(TypeError, match="bias must be True or False, not None"):
        fastrnn.Linear(3, 1, bias=None)


def test_embedding():
    layer = fastrnn.Embedding(INPUTS, H)
    wrong = [
        (characters.astype(F32), TypeError, "x must hold integers, not float32"),
        (characters + INPUTS, IndexError, r"x must be in \[0, 3\), and has 3"),
        (-1, IndexError, r"x must be in \[0, 3\), and has -1"),
        (np.array([2**63], "u8"), IndexError, r"x must be in \[0, 3\)"),
        ([2**70], TypeError, "x must hold integers, not object"),
    ]
    for argument, error, message in wrong:
        refuses(layer, lambda: layer(argument), error, message)  # noqa: B023
        refuses(layer, lambda: layer.forward(argument), error, message)  # noqa: B023
    _, tape = layer.forward(characters)
    dy = np.ones((T, B, H), F32)
    refuses(layer, lambda: layer.backward(tape, dy[0]), ValueError, r"dy must have shape \(4, 2, 5\), not \(2, 5\)")
    refuses(layer, lambda: layer.backward(tape, np.float64(dy)), TypeError, "dy must hold float32, not float64")
    layer.backward(tape, dy)
    with pytest.raises(ValueError, match="num_embeddings must be at least 1, not 0"):
        fastrnn.Embedding(0, 3)

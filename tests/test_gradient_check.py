"""check_gradients: right layers pass, each wrong backward pass is caught and its parameter named."""

import re

import numpy as np
import pytest

import fastrnn
from fastrnn import GradientCheckError, check_gradients

T, B, INPUTS, H, V = 4, 2, 3, 5, 7
LAYERS = [
    (fastrnn.RNN, {}),
    (fastrnn.RNN, {"nonlinearity": "relu"}),
    (fastrnn.RNN, {"nonlinearity": "sigmoid"}),
    (fastrnn.GRU, {}),
    (fastrnn.GRU, {"reset_after": False}),
    (fastrnn.LSTM, {}),
]


def inputs(dtype, size=INPUTS):
    return np.random.default_rng(3).standard_normal((T, B, size)).astype(dtype)


def tampered(layer, tamper):
    """The layer with a backward pass that makes a mistake: tamper(gradients it adds, dx, dh0) changes them in place."""
    honest = layer.backward

    def backward(*arguments):
        before = layer.flat_gradients.copy()
        layer.flat_gradients.fill(0)
        dx, dh0 = honest(*arguments)
        tamper(layer.gradients, dx, dh0)
        layer.flat_gradients += before
        return dx, dh0

    layer.backward = backward
    return layer


# ---- one recurrent layer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cell", "options"), LAYERS)
def test_right_layers_pass(cell, options, dtype):
    layer = cell(INPUTS, H, 2, bidirectional=True, dtype=dtype, rng=1, **options)
    assert 0 < check_gradients(layer, inputs=inputs(dtype), lengths=[2, T], samples=4) <= 1e-2
    characters = np.arange(T * B).reshape(T, B) % INPUTS
    assert check_gradients(cell(INPUTS, H, dtype=dtype, rng=1, **options), inputs=characters) <= 1e-2


def test_float64_is_held_to_more():
    assert check_gradients(fastrnn.LSTM(INPUTS, H, dtype="float64", rng=1), inputs=inputs("float64")) < 1e-6


@pytest.mark.parametrize("seed", range(6))
def test_no_false_alarms_where_the_loss_is_curved_or_has_kinks(seed, dtype):
    """Large inputs, many steps and relu: where differences are least like derivatives."""
    x = np.random.default_rng(seed).standard_normal((12, B, INPUTS)).astype(dtype)
    for layer in (
        fastrnn.RNN(INPUTS, H, nonlinearity="relu", dtype=dtype, rng=seed),
        fastrnn.GRU(INPUTS, H, dtype=dtype, rng=seed),
    ):
        check_gradients(layer, inputs=3 * x, samples=6, rng=seed)


def test_a_large_loss_raises_no_alarm():
    """1e7 in the loss leaves it few digits for what the parameters change: judged by its rounding, not by its size."""
    layer = fastrnn.RNN(INPUTS, H, dtype="float64", rng=1)
    x = inputs("float64")

    def loss():
        y, _, tape = layer.forward(x)
        layer.backward(tape, np.ones_like(y))
        return 1e7 + float(y.sum())

    check_gradients(layer, loss)


def gate(name, block, factor):
    """One gate's rows of one parameter's gradient are off."""

    def tamper(gradients, dx, dh0):
        rows = gradients[name].shape[0] // 3
        gradients[name][block * rows : (block + 1) * rows] *= factor

    return tamper


@pytest.mark.parametrize("block", [0, 1, 2])
@pytest.mark.parametrize("name", ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l1", "weight_hh_l1"])
def test_one_wrong_gate_is_caught(name, block, dtype):
    factor = {np.float32: 1.2, np.float64: 1 + 1e-4}[dtype]
    layer = tampered(fastrnn.GRU(INPUTS, H, 2, dtype=dtype, rng=1), gate(name, block, factor))
    with pytest.raises(GradientCheckError, match=f"^the gradient of {name}") as caught:
        check_gradients(layer, inputs=inputs(dtype), samples=12)
    assert re.search(rf"wrong, of the numbers checked: {name} \(\d+ of \d+\)$", str(caught.value))  # and no other
    row = int(str(caught.value).split("[")[1].split("]")[0].split(",")[0])
    assert block * H <= row < (block + 1) * H


def transposed(gradients, dx, dh0):
    gradients["weight_hh_l0"][:H] = gradients["weight_hh_l0"][:H].T.copy()


def sign(gradients, dx, dh0):
    gradients["bias_hh_l0"] *= -1


def forgotten(gradients, dx, dh0):
    gradients["weight_ih_l0"].fill(0)


def nan(gradients, dx, dh0):
    gradients["bias_ih_l0"][2] = np.nan


def one_step_of_dx(gradients, dx, dh0):
    dx[1, 0] *= 1.5


def cell_state(gradients, dx, dh0):
    dh0[1].fill(0)


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (transposed, "weight_hh_l0"),
        (sign, "bias_hh_l0"),
        (forgotten, "weight_ih_l0"),
        (nan, r"bias_ih_l0\[2\] is nan"),
        (one_step_of_dx, r"x\[1, 0, "),
        (cell_state, "c0"),
    ],
)
def test_mistakes_are_caught_and_named(tamper, named, dtype):
    layer = tampered(fastrnn.LSTM(INPUTS, H, dtype=dtype, rng=1), tamper)
    with pytest.raises(GradientCheckError, match=f"^the gradient of {named}") as caught:
        check_gradients(layer, inputs=inputs(dtype), samples=T * B * INPUTS)
    assert "wrong, of the numbers checked" in str(caught.value)


def test_a_mistake_in_one_gate_of_a_large_array_is_caught():
    """16 of 12288 numbers are looked at: some in every gate, and among them large ones."""
    layer = tampered(fastrnn.GRU(64, 64, dtype="float64", rng=1), gate("weight_hh_l0", 1, 1.01))
    with pytest.raises(GradientCheckError, match=r"weight_hh_l0\[\d+, \d+\].*weight_hh_l0 \(\d of 16\)$"):
        check_gradients(layer, inputs=inputs("float64", 64), samples=16)


def test_a_mistake_in_the_few_columns_that_have_a_gradient_is_caught():
    def tamper(gradients, dx, dh0):
        gradients["weight_ih_l0"] *= 1.01

    layer = tampered(fastrnn.RNN(1000, H, dtype="float64", rng=1), tamper)
    with pytest.raises(GradientCheckError, match=r"^the gradient of weight_ih_l0\[\d, 7\]"):
        check_gradients(layer, inputs=np.full((T, B), 7), samples=10)


def test_steps_past_a_sequence_must_not_count():
    """The outputs there are 0 whatever the parameters: a layer that backpropagates through them is wrong."""

    class Ignores(fastrnn.RNN):
        def forward(self, x, h0=None, lengths=None):
            y, h_n, _ = super().forward(x, h0, lengths)
            return y, h_n, super().forward(x, h0)[2]

    with pytest.raises(GradientCheckError, match=r"^the gradient of "):
        check_gradients(Ignores(INPUTS, H, dtype="float64", rng=1), inputs=inputs("float64"), lengths=[1, T])


def test_the_given_state_is_used():
    layer = fastrnn.LSTM(INPUTS, H, dtype="float64", rng=1)
    state = tuple(np.random.default_rng(i).standard_normal((1, B, H)) for i in range(2))
    before = [array.copy() for array in state]
    seen = []
    honest = layer.forward
    layer.forward = lambda x, h0, lengths: seen.append([array.copy() for array in h0]) or honest(x, h0, lengths)
    check_gradients(layer, inputs=inputs("float64"), h0=state, samples=2)
    for used, given, kept in zip(seen[0], state, before, strict=True):
        np.testing.assert_array_equal(used, kept)
        np.testing.assert_array_equal(given, kept)


# ---- a composition of one's own --------------------------------------------------------------------------------------


class CharacterModel:
    """Embedding, GRU, linear and softmax cross-entropy, put together as a user would."""

    def __init__(self, dtype, dropout=0.0):
        self.embedding = fastrnn.Embedding(V, INPUTS, dtype=dtype, rng=1)
        self.gru = fastrnn.GRU(INPUTS, H, 2, dtype=dtype, rng=2, dropout=dropout)
        self.linear = fastrnn.Linear(H, V, dtype=dtype, rng=3)
        self.layers = [self.embedding, self.gru, self.linear]
        self.x = np.array([[0, 1], [2, 2], [0, 3], [2, 1]])
        self.targets = np.array([[1, 1], [2, 0], [6, 5], [4, 3]])

    def loss(self):
        embedded, embedding_tape = self.embedding.forward(self.x)
        y, _, tape = self.gru.forward(embedded)
        logits, linear_tape = self.linear.forward(y)
        p = np.exp(logits - logits.max(axis=-1, keepdims=True))
        p /= p.sum(axis=-1, keepdims=True)
        right = np.eye(V, dtype=p.dtype)[self.targets]
        dx, _ = self.gru.backward(tape, self.linear.backward(linear_tape, p - right))
        self.embedding.backward(embedding_tape, dx)
        return float(-np.log((p * right).sum(axis=-1)).sum())


def test_a_composition_passes(dtype):
    model = CharacterModel(dtype)
    assert check_gradients(model.layers, model.loss, samples=16) < 1e-2
    assert check_gradients(tuple(model.layers), model.loss, samples=2) < 1e-2
    assert check_gradients(model.linear, model.loss) < 1e-2


def test_a_character_that_occurs_twice_counts_twice(dtype):
    """The classic mistake of an embedding: gradient[x] += dy adds only one of several."""
    model = CharacterModel(dtype)

    def backward(tape, dy):
        model.embedding.gradients["weight"][model.x] += dy

    model.embedding.backward = backward
    with pytest.raises(GradientCheckError, match=r"^the gradient of layers\[0\]\.weight\[[012], \d\]"):
        check_gradients(model.layers, model.loss)


def test_a_loss_that_is_not_what_was_differentiated(dtype):
    model = CharacterModel(dtype)
    with pytest.raises(GradientCheckError, match=r"relative error 0\.5, .* layers\[2\]\.bias \(\d of 7\)$"):
        check_gradients(model.layers, lambda: 2 * model.loss(), samples=14)


def test_dropout_is_reported_as_such(dtype):
    model = CharacterModel(dtype, dropout=0.5)
    with pytest.raises(
        GradientCheckError, match=r"^loss\(\) returned .* with the same parameters: .* leave out dropout"
    ):
        check_gradients(model.layers, model.loss)


def test_training_within_the_loss_is_reported():
    model = CharacterModel("float64")

    def loss():
        value = model.loss()
        model.linear.flat_parameters -= 0.01 * model.linear.flat_gradients
        return value

    with pytest.raises(GradientCheckError, match="the optimizer's step"):
        check_gradients(model.layers, loss)


@pytest.mark.parametrize("fails_at", [None, 1, 2, 3, 30])
def test_parameters_and_gradients_are_left_as_they_were(fails_at, dtype):
    model = CharacterModel(dtype)
    for layer in model.layers:
        layer.flat_gradients[:] = np.arange(len(layer.flat_gradients))
    before = [array.copy() for layer in model.layers for array in (layer.flat_parameters, layer.flat_gradients)]
    calls = []

    def loss():
        calls.append(1)
        if len(calls) == fails_at:
            raise KeyError("the user's own mistake")
        return model.loss()

    if fails_at is None:
        check_gradients(model.layers, loss, samples=4)
    else:
        with pytest.raises(KeyError, match="own mistake"):
            check_gradients(model.layers, loss)
    after = [array for layer in model.layers for array in (layer.flat_parameters, layer.flat_gradients)]
    for mine, its in zip(after, before, strict=True):
        np.testing.assert_array_equal(mine, its)


def test_the_same_numbers_are_chosen_each_time():
    x = inputs("float64", 20)
    errors = [check_gradients(fastrnn.GRU(20, H, dtype="float64", rng=1), inputs=x, samples=4) for _ in range(2)]
    assert errors[0] == errors[1]


def test_step_and_tolerance_are_ones_own():
    layer = fastrnn.GRU(INPUTS, H, dtype="float64", rng=1)
    with pytest.raises(GradientCheckError, match=r"tolerance 1e-15\)"):
        check_gradients(layer, inputs=inputs("float64"), tolerance=1e-15, step=1.0)
    assert check_gradients(layer, inputs=inputs("float64"), tolerance=0.9, step=0.5) > 1e-6


# ---- what cannot be checked ------------------------------------------------------------------------------------------


def test_wrong_arguments_are_named():
    layer = fastrnn.RNN(INPUTS, H, rng=1)
    x = inputs("float32")
    for error, message, arguments, options in [
        (ValueError, r"^either loss, .* or inputs, .* must be given", (layer,), {}),
        (ValueError, r"^either loss, .* or inputs, .* must be given", (layer, lambda: 0.0), {"inputs": x}),
        (ValueError, r"^h0 and lengths belong to inputs", (layer, lambda: 0.0), {"lengths": [1]}),
        (ValueError, r"^layers must be .* and is empty$", ([], lambda: 0.0), {}),
        (TypeError, r"^layers must be .* not int$", ([layer, 1], lambda: 0.0), {}),
        (TypeError, r"^inputs are for one recurrent layer, not list: pass a loss", ([layer],), {"inputs": x}),
        (TypeError, r"^inputs are for one recurrent layer, not Linear", (fastrnn.Linear(2, 2),), {"inputs": x}),
        (TypeError, r"^what loss\(\) returns must be a real number, not NoneType$", (layer, lambda: None), {}),
        (ValueError, r"^samples must be at least 1, not 0$", (layer,), {"inputs": x, "samples": 0}),
        (ValueError, r"^step must be positive, not 0$", (layer,), {"inputs": x, "step": 0}),
        (ValueError, r"^tolerance must be positive, not -1$", (layer,), {"inputs": x, "tolerance": -1}),
    ]:
        with pytest.raises(error, match=message):
            check_gradients(*arguments, **options)


def test_the_layer_itself_says_what_is_wrong_with_its_inputs():
    layer = fastrnn.LSTM(INPUTS, H, rng=1)
    for options in (
        {"inputs": inputs("float32", INPUTS + 1)},
        {"inputs": 3},
        {"inputs": inputs("float32"), "lengths": [1, T + 1]},
        {"inputs": inputs("float32"), "h0": np.zeros((1, B, H), "float32")},
    ):
        with pytest.raises((TypeError, ValueError)):
            check_gradients(layer, **options)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_reported(value):
    with pytest.raises(fastrnn.NumericalError, match=rf"^loss\(\) returned {value}"):
        check_gradients(fastrnn.Linear(2, 2), lambda: value)

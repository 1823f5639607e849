"""The layers of fastrnn.reference: against PyTorch where it is installed, and against formulas written here."""

import copy
import pickle

import numpy as np
import pytest
from parity import TOLERANCE, assert_equal, make_case, options_in_words, options_of_pytorch, run, run_pytorch

from fastrnn import reference

RECURRENT = (reference.RNN, reference.GRU, reference.LSTM)
OPTIONS = options_of_pytorch([(1, 1), (3, 5), (7, 4), (2, 9)])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("states", [False, True], ids=["from-zero", "states"])
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize(
    ("cell", "options"),
    OPTIONS,
    ids=[f"{cell}-{options_in_words(options)}-{options['dtype']}" for cell, options in OPTIONS],
)
def test_outputs_last_states_and_all_gradients_are_pytorchs(torch, cell, options, ragged, states):
    case = make_case(cell, options, T=6, B=5, ragged=ragged, states=states)
    assert_equal(run(reference, case), run_pytorch(case), options["dtype"])


@pytest.mark.parametrize(("T", "B"), [(1, 1), (1, 3), (9, 1), (25, 2)])
@pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
def test_integers_are_pytorchs_one_hot_inputs(torch, cell, T, B):
    options = {"input_size": 4, "hidden_size": 5, "num_layers": 2, "bidirectional": True, "bias": True}
    case = make_case(cell, options | {"dtype": "float64"}, T=T, B=B, ragged=True, integers=True)
    assert_equal(run(reference, case), run_pytorch(case), "float64")


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def sigmoid_rnn(p, x, h):
    return sigmoid(p["weight_ih_l0"] @ x + p["bias_ih_l0"] + p["weight_hh_l0"] @ h + p["bias_hh_l0"])


def gru_that_resets_before(p, x, h):
    W_r, W_z, W_n = np.split(p["weight_ih_l0"], 3)
    U_r, U_z, U_n = np.split(p["weight_hh_l0"], 3)
    b_r, b_z, b_n = np.split(p["bias_ih_l0"] + p["bias_hh_l0"], 3)
    r = sigmoid(W_r @ x + U_r @ h + b_r)
    z = sigmoid(W_z @ x + U_z @ h + b_z)
    n = np.tanh(W_n @ x + U_n @ (r * h) + b_n)
    return z * h + (1 - z) * n


CELLS_THAT_PYTORCH_LACKS = [
    (sigmoid_rnn, reference.RNN, {"nonlinearity": "sigmoid"}),
    (gru_that_resets_before, reference.GRU, {"reset_after": False}),
]


@pytest.mark.parametrize(("step", "kind", "options"), CELLS_THAT_PYTORCH_LACKS, ids=["sigmoid", "reset before"])
@pytest.mark.parametrize(("T", "inputs", "H"), [(1, 1, 1), (4, 3, 5), (7, 5, 2)])
def test_cells_that_pytorch_lacks_by_complex_steps(rng, step, kind, options, T, inputs, H):
    layer = kind(inputs, H, dtype="float64", rng=rng, **options)
    x, h0, dy = rng.standard_normal((T, 1, inputs)), rng.standard_normal((1, 1, H)), rng.standard_normal((T, 1, H))

    def loss(parameters, x, h):
        total = 0
        for x_t, dy_t in zip(x[:, 0], dy[:, 0], strict=True):
            h = step(parameters, x_t, h)
            total += h @ dy_t
        return total

    y, h_n, tape = layer.forward(x, h0)
    dx, dh0 = layer.backward(tape, dy)
    assert np.sum(y * dy) == pytest.approx(loss(layer.parameters, x, h0[0, 0]), rel=1e-12)
    np.testing.assert_array_equal(h_n[0], y[-1])

    variables = {name: array.astype(complex) for name, array in layer.parameters.items()}
    variables |= {"x": x.astype(complex), "h0": h0.astype(complex)}
    for name, actual in {**layer.gradients, "x": dx, "h0": dh0}.items():
        variable, expected = variables[name], np.empty(actual.shape)
        for i in np.ndindex(actual.shape):
            variable[i] += 1e-30j
            expected[i] = loss(variables, variables["x"], variables["h0"][0, 0]).imag / 1e-30
            variable[i] = variable[i].real
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12 * np.abs(expected).max(), err_msg=name)


EVERY_CELL = [
    (reference.RNN, {"nonlinearity": "tanh"}),
    (reference.RNN, {"nonlinearity": "sigmoid"}),
    (reference.GRU, {"reset_after": True}),
    (reference.GRU, {"reset_after": False}),
    (reference.LSTM, {}),
]


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize(("kind", "options"), EVERY_CELL)
def test_gradients_are_the_slope_of_the_loss(rng, kind, options, dropout):
    """Along one direction through all the variables at once, by central differences: two layers, both directions,
    ragged, with the masks of dropout, which are drawn anew but equal."""
    layer = kind(3, 4, 2, bidirectional=True, dropout=dropout, dtype="float64", rng=rng, **options)
    pair = kind is reference.LSTM
    x, dy = rng.standard_normal((5, 3, 3)), rng.standard_normal((5, 3, 8))
    h0, dh_n = rng.standard_normal((2, 2, 4, 3, 4))
    start = layer.flat_parameters.copy()
    way = [rng.standard_normal(array.shape) for array in (start, x, h0)]

    def forward(distance):
        layer.rng = np.random.default_rng(1)
        layer.flat_parameters[...] = start + distance * way[0]
        h = h0 + distance * way[2]
        return layer.forward(x + distance * way[1], tuple(h) if pair else h[0], lengths=[2, 5, 3])

    def loss(distance):
        y, h_n, _ = forward(distance)
        return np.sum(y * dy) + (np.sum(np.stack(h_n) * dh_n) if pair else np.sum(h_n * dh_n[0]))

    *_, tape = forward(0)
    dx, dh0 = layer.backward(tape, dy, tuple(dh_n) if pair else dh_n[0])
    slope = layer.flat_gradients @ way[0] + np.sum(dx * way[1])
    slope += np.sum(np.stack(dh0) * way[2]) if pair else np.sum(dh0 * way[2][0])
    assert (loss(1e-5) - loss(-1e-5)) / 2e-5 == pytest.approx(slope, rel=1e-8)


@pytest.mark.parametrize("integers", [False, True])
@pytest.mark.parametrize(("kind", "options"), EVERY_CELL)
def test_steps_one_after_the_other_are_a_call(dtype, rng, kind, options, integers):
    layer = kind(4, 5, 2, dtype=dtype, rng=rng, **options)
    x = rng.integers(4, size=(6, 3)) if integers else rng.standard_normal((6, 3, 4)).astype(dtype)
    ys, h_n = layer(x)
    h = None
    for x_t, y_t in zip(x, ys, strict=True):
        y, h = layer.step(x_t, h)
        np.testing.assert_allclose(y, y_t, rtol=0, atol=TOLERANCE[y.dtype.name])
    np.testing.assert_allclose(h, h_n, rtol=0, atol=TOLERANCE[y.dtype.name])


def test_a_layer_of_both_directions_has_no_step():
    with pytest.raises(ValueError, match="step needs a layer of one direction"):
        reference.GRU(2, 3, bidirectional=True).step(np.zeros((1, 2), np.float32), None)


def test_relu_has_no_slope_at_zero():
    layer = reference.RNN(1, 1, nonlinearity="relu", dtype="float64")
    layer.flat_parameters[...] = 0
    _, _, tape = layer.forward(np.ones((1, 1, 1)))
    layer.backward(tape, np.ones((1, 1, 1)))
    assert not layer.flat_gradients.any()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("kind", "options"), EVERY_CELL)
def test_saturated_units_are_no_trouble(dtype, kind, options):
    layer = kind(1, 2, dtype=dtype, rng=0, **options)
    layer.flat_parameters[...] *= 1e4
    y, _, tape = layer.forward(np.array([1e4, -1e4], dtype).reshape(2, 1, 1))
    layer.backward(tape, np.ones_like(y))
    assert np.isfinite(y).all()
    assert np.isfinite(layer.flat_gradients).all()


@pytest.mark.parametrize("kind", RECURRENT)
def test_what_lies_beyond_a_sequences_end_is_not_looked_at(kind, rng):
    layer = kind(2, 3, 2, bidirectional=True, dtype="float64", rng=rng)
    x, dy = rng.standard_normal((4, 2, 2)), rng.standard_normal((4, 2, 6))
    x[1:, 0] = dy[1:, 0] = np.nan
    y, h_n, tape = layer.forward(x, lengths=[1, 4])
    dx, dh0 = layer.backward(tape, dy)
    assert not y[1:, 0].any()
    assert not dx[1:, 0].any()
    assert np.isfinite(np.concatenate([part.ravel() for part in (y, *h_n, dx, *dh0, layer.flat_gradients)])).all()

    alone, _ = layer(x[:1, :1])
    np.testing.assert_allclose(y[:1, :1], alone, rtol=0, atol=1e-12)


def test_dropout_scales_what_it_keeps_between_layers_and_nowhere_else(rng):
    layer = reference.GRU(2, 50, 3, dropout=0.25, dtype="float64", rng=7)
    twin = np.random.default_rng(7)
    twin.uniform(size=layer.flat_parameters.size)  # the initial weights were drawn first
    layers = []
    for number in range(3):
        layers.append(reference.GRU(50 if number else 2, 50, dtype="float64"))
        layers[-1].load_state_dict(
            {name.replace(f"l{number}", "l0"): w for name, w in layer.parameters.items() if name.endswith(f"l{number}")}
        )
    expected = x = rng.standard_normal((6, 4, 2))
    for number, single in enumerate(layers):
        if number:
            expected = expected * (twin.random((6, 4, 50)) >= 0.25) / 0.75
        expected, _ = single(expected)

    y, _, _ = layer.forward(x)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-12)
    again, _, _ = layer.forward(x)
    assert not np.allclose(again, y)
    np.testing.assert_array_equal(layer(x)[0], layer(x)[0])


@pytest.mark.parametrize("kind", RECURRENT)
def test_several_forwards_may_be_open_at_once(rng, kind):
    """Each tape gives its own gradients, and gradients add up, whatever the order."""
    layer = kind(2, 3, dtype="float64", rng=rng)
    xs = [rng.standard_normal((T, 2, 2)) for T in (3, 5)]
    sums = np.zeros_like(layer.flat_gradients)
    for x in xs:
        y, _, tape = layer.forward(x)
        layer.backward(tape, np.ones_like(y))
        sums += layer.flat_gradients
        layer.zero_gradients()
    tapes = [layer.forward(x)[2] for x in xs]
    layer.backward(tapes[1], np.ones((5, 2, 3)))
    layer.backward(tapes[0], np.ones((3, 2, 3)))
    np.testing.assert_allclose(layer.flat_gradients, sums, rtol=0, atol=1e-12 * np.abs(sums).max())


LAYERS = [
    (lambda: reference.RNN(2, 3), np.zeros((4, 1, 2), np.float32)),
    (lambda: reference.GRU(2, 3), np.zeros((4, 1, 2), np.float32)),
    (lambda: reference.LSTM(2, 3), np.zeros((4, 1, 2), np.float32)),
    (lambda: reference.Embedding(2, 3), np.zeros((4, 1), np.int64)),
    (lambda: reference.Linear(2, 3), np.zeros((4, 1, 2), np.float32)),
]


@pytest.mark.parametrize(("make", "x"), LAYERS)
def test_a_tape_is_for_one_backward_of_its_own_layer(make, x):
    layer, other = make(), make()
    dy = np.ones((4, 1, 3), np.float32)
    *_, tape = layer.forward(x)
    with pytest.raises(ValueError, match=r"tape is another layer's, one that is \w+\(2, 3\)"):
        other.backward(tape, dy)
    with pytest.raises(ValueError, match=r"dy must have shape \(4, 1, 3\), not \(4, 1, 2\)"):
        layer.backward(tape, dy[..., :2])
    with pytest.raises(TypeError, match="tape must be what forward returned, not NoneType"):
        layer.backward(None, dy)
    assert not layer.flat_gradients.any()
    layer.backward(tape, dy)
    before = layer.flat_gradients.copy()
    with pytest.raises(ValueError, match="tape is used already"):
        layer.backward(tape, dy)
    np.testing.assert_array_equal(layer.flat_gradients, before)


@pytest.mark.parametrize(("make", "x"), LAYERS)
def test_arrays_may_be_written_to_after_forward_and_lie_in_any_order(make, x, rng):
    """What `forward` took and gave is the caller's: a tape has what it needs. No layer writes into an argument."""
    layer = make()
    x = rng.permutation(np.arange(x.size) % 2).reshape(x.shape).astype(x.dtype)
    dy = rng.standard_normal((4, 1, 3)).astype(np.float32)
    *_, tape = layer.forward(x)
    layer.backward(tape, dy)
    expected = layer.flat_gradients.copy()

    layer.zero_gradients()
    x = np.asfortranarray(x)
    before = x.copy()
    y, *_, tape = layer.forward(x)
    np.testing.assert_array_equal(x, before)
    x[...] = 0
    y[...] = 0
    strided = np.repeat(dy, 2, axis=2)[..., ::2]
    layer.backward(tape, strided)
    np.testing.assert_array_equal(strided, dy)
    np.testing.assert_allclose(layer.flat_gradients, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


F32 = np.float32
WRONG_CALLS = [
    ((np.zeros((4, 2, 3)),), TypeError, r"x must hold float32, not float64: x.astype\('float32'\)"),
    ((np.zeros((4, 2, 5), F32),), ValueError, r"x must have shape \(T, B, 3\), not \(4, 2, 5\)"),
    ((np.zeros((4, 0, 3), F32),), ValueError, r"x must have shape \(T, B, 3\), not \(4, 0, 3\)"),
    ((np.zeros((0, 2, 3), F32),), ValueError, r"x must have shape \(T, B, 3\), not \(0, 2, 3\)"),
    ((np.zeros(4, int),), ValueError, r"x must have shape \(T, B\), not \(4,\)"),
    ((np.full((4, 2), 3),), IndexError, r"x must be in \[0, 3\), and has 3"),
    ((np.full((4, 2), -1),), IndexError, r"x must be in \[0, 3\), and has -1"),
    ((np.zeros((4, 2), int), np.zeros((1, 2, 4), F32)), ValueError, r"h0 must have shape \(1, 2, 5\), not \(1, 2, 4\)"),
    ((np.zeros((4, 2), int), np.zeros((1, 2, 5))), TypeError, "h0 must hold float32, not float64"),
    ((np.zeros((4, 2), int), None, [4, 0]), ValueError, r"lengths must be in \[1, 4\].* are \[4, 0\]"),
    ((np.zeros((4, 2), int), None, [5, 4]), ValueError, r"lengths must be in \[1, 4\].* are \[5, 4\]"),
    ((np.zeros((4, 2), int), None, [4]), ValueError, r"lengths must have shape \(2,\), not \(1,\)"),
    ((np.zeros((4, 2), int), None, [4.0, 4.0]), TypeError, "lengths must hold integers, not float64"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), WRONG_CALLS)
def test_errors_name_the_argument(arguments, error, message):
    with pytest.raises(error, match=message):
        reference.GRU(3, 5)(*arguments)


def test_a_padding_of_minus_one_is_no_index():
    y, _ = reference.RNN(3, 2)(np.array([[1, 2], [-1, 0]]), lengths=[1, 2])
    assert not y[1, 0].any()


@pytest.mark.parametrize("h0", [np.zeros((1, 2, 5), F32), (np.zeros((1, 2, 5), F32),)])
def test_the_state_of_an_lstm_is_a_pair(h0):
    with pytest.raises(TypeError, match=r"h0 must be a tuple \(h, c\)"):
        reference.LSTM(3, 5)(np.zeros((4, 2), int), h0)


WRONG_OPTIONS = [
    ({"input_size": 0}, ValueError, "input_size must be at least 1, not 0"),
    ({"hidden_size": 2.0}, TypeError, "hidden_size must be an integer, not float"),
    ({"num_layers": 0}, ValueError, "num_layers must be at least 1"),
    ({"bias": 3}, TypeError, "bias must be True or False, not 3"),
    ({"bidirectional": "yes"}, TypeError, "bidirectional must be True or False, not 'yes'"),
    ({"dropout": 1, "num_layers": 2}, ValueError, "dropout must be at least 0 and below 1, not 1"),
    ({"dropout": float("nan"), "num_layers": 2}, ValueError, "dropout must be at least 0 and below 1, not nan"),
    ({"dropout": 0.5}, ValueError, "0.5 would do nothing with num_layers=1"),
    ({"nonlinearity": "elu"}, ValueError, "nonlinearity must be one of tanh, relu, sigmoid, not 'elu'"),
    ({"dtype": "float16"}, TypeError, "dtype must be float32 or float64"),
    ({"rng": "seed"}, TypeError, "rng must be None, an integer"),
]


@pytest.mark.parametrize(("options", "error", "message"), WRONG_OPTIONS)
def test_errors_name_the_option(options, error, message):
    with pytest.raises(error, match=message):
        reference.RNN(**{"input_size": 2, "hidden_size": 3} | options)


@pytest.mark.parametrize("make_rng", [np.random.default_rng, np.random.RandomState])
@pytest.mark.parametrize("kind", RECURRENT)
def test_initial_weights_are_drawn_in_order_within_their_bound(dtype, kind, make_rng):
    layer = kind(3, 4, 2, bidirectional=True, dtype=dtype, rng=make_rng(3))
    expected = make_rng(3).uniform(-0.5, 0.5, layer.flat_parameters.size)  # 1 / sqrt(4)
    np.testing.assert_array_equal(layer.flat_parameters, expected.astype(dtype))


def test_initial_weights_of_embedding_and_linear(dtype):
    embedding = reference.Embedding(4, 3, dtype=dtype, rng=3)
    expected = np.random.default_rng(3).standard_normal((4, 3)).astype(dtype)
    np.testing.assert_array_equal(embedding.parameters["weight"], expected)
    linear = reference.Linear(4, 3, dtype=dtype, rng=3)
    expected = np.random.default_rng(3).uniform(-0.5, 0.5, 15).astype(dtype)
    np.testing.assert_array_equal(linear.flat_parameters, expected)


@pytest.mark.parametrize(
    "text",
    [
        "RNN(3, 4, nonlinearity='relu')",
        "GRU(65, 100, num_layers=2, bidirectional=True)",
        "GRU(3, 4, reset_after=False, bias=False)",
        "LSTM(3, 4, num_layers=3, dropout=0.5, dtype='float64')",
        "Embedding(3, 4)",
        "Linear(3, 4, bias=False)",
    ],
)
def test_a_layer_shows_itself_as_the_call_that_makes_it(text):
    assert repr(eval(text, vars(reference))) == text


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
@pytest.mark.parametrize("kind", RECURRENT)
def test_a_copy_computes_the_same_and_is_independent(kind, clone):
    layer = kind(3, 4, 2, dropout=0.5, rng=0)
    twin = clone(layer)
    x = np.ones((2, 1, 3), F32)
    np.testing.assert_array_equal(twin.forward(x)[0], layer.forward(x)[0])
    twin.parameters["weight_ih_l0"][...] = 0
    assert layer.parameters["weight_ih_l0"].all()
    assert not twin.flat_parameters[: 12 * twin.gates].any()


@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 1, 4)])
@pytest.mark.parametrize("bias", [False, True])
def test_linear_is_pytorchs(torch, dtype, rng, bias, shape):
    layer = reference.Linear(3, 7, bias=bias, dtype=dtype, rng=rng)
    module = torch.nn.Linear(3, 7, bias=bias, dtype=getattr(torch, layer.dtype.name))
    module.load_state_dict({name: torch.from_numpy(w) for name, w in layer.state_dict().items()})
    x, dy = (rng.standard_normal((*shape, size)).astype(dtype) for size in (3, 7))
    y, tape = layer.forward(x)
    results = {"y": y, "dx": layer.backward(tape, dy), **layer.gradients}
    expected_x = torch.from_numpy(x).requires_grad_()
    expected_y = module(expected_x)
    expected_y.backward(torch.from_numpy(dy))
    expected = {"y": expected_y.detach(), "dx": expected_x.grad}
    expected |= {name: parameter.grad for name, parameter in module.named_parameters()}
    assert_equal(results, {name: tensor.numpy() for name, tensor in expected.items()}, layer.dtype.name)
    np.testing.assert_array_equal(layer(x), y)


@pytest.mark.parametrize("shape", [(), (5,), (2, 30)])
def test_embedding_reads_rows_and_adds_to_them(dtype, rng, shape):
    layer = reference.Embedding(4, 3, dtype=dtype, rng=rng)
    x, dy = rng.integers(4, size=shape), rng.standard_normal((*shape, 3)).astype(dtype)
    one_hot = np.eye(4, dtype=dtype)[x]
    y, tape = layer.forward(x)
    assert layer.backward(tape, dy) is None
    expected = one_hot.reshape(-1, 4).T @ dy.reshape(-1, 3)
    assert_equal(
        {"y": y, "weight": layer.gradients["weight"]},
        {"y": one_hot @ layer.parameters["weight"], "weight": expected},
        layer.dtype.name,
    )
    np.testing.assert_array_equal(layer(x), y)


def test_errors_of_embedding_and_linear_name_the_argument():
    embedding, linear = reference.Embedding(4, 3), reference.Linear(4, 3)
    with pytest.raises(IndexError, match=r"x must be in \[0, 4\), and has 4"):
        embedding([[0, 4]])
    with pytest.raises(TypeError, match="x must hold integers, not float64"):
        embedding([0.5])
    with pytest.raises(ValueError, match=r"x must have shape \(2, 4\), not \(2, 3\)"):
        linear(np.zeros((2, 3), F32))
    with pytest.raises(TypeError, match="x must hold float32, not float64"):
        linear(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="num_embeddings must be at least 1"):
        reference.Embedding(0, 3)
    with pytest.raises(TypeError, match="bias must be True or False"):
        reference.Linear(4, 3, bias=None)

"""gradient_flow: answers known beforehand, differences of the loss, PyTorch's autograd, and what training does."""

import itertools
import json
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import fastrnn
from fastrnn import CharRNN, gradient_flow, reference
from fastrnn.flow.gates import gates
from fastrnn.flow.parts import single_layers

T, B, INPUTS, H = 6, 3, 2, 4
LAYERS = [
    (fastrnn.RNN, {}),
    (fastrnn.RNN, {"nonlinearity": "sigmoid"}),
    (fastrnn.RNN, {"nonlinearity": "relu", "bias": False}),
    (fastrnn.GRU, {}),
    (fastrnn.GRU, {"reset_after": False}),
    (fastrnn.GRU, {"bias": False}),
    (fastrnn.LSTM, {}),
]
TEXT = "the quick brown fox jumps over the lazy dog. " * 8


def inputs(seed=3, shape=(T, B, INPUTS)):
    return np.random.default_rng(seed).standard_normal(shape)


def linear_rnn(matrix):
    """h_t = matrix h_{t-1} where inputs and states are 0, so that tanh is its argument."""
    layer = fastrnn.RNN(1, len(matrix), dtype="float64", bias=False)
    layer.load_state_dict({"weight_ih_l0": np.zeros((len(matrix), 1)), "weight_hh_l0": matrix})
    return layer


# ---- answers known beforehand ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("s", [0.5, 0.9, 1.0, 1.3])
def test_singular_values_all_s_multiply_the_gradient_by_s_at_each_step(s):
    orthogonal, _ = np.linalg.qr(inputs(shape=(H, H)))
    flow = gradient_flow(linear_rnn(s * orthogonal), np.zeros((30, B, 1)))
    np.testing.assert_allclose(flow.dh_norm, [s ** np.arange(30)], rtol=1e-12)
    np.testing.assert_allclose(flow.singular_values["h"], [[s] * H], rtol=1e-12)
    assert flow.factor_per_step == pytest.approx([s])


def test_of_a_diagonal_matrix_each_unit_has_its_own_factor():
    factors = np.array([1.1, 0.7, 0.2, 1.0])
    flow = gradient_flow(linear_rnn(np.diag(factors)), np.zeros((9, 1, 1)), dy=np.array([[0.0, 3.0, 0.0, 4.0]]))
    lags = np.arange(9)
    np.testing.assert_allclose(flow.dh_norm[0], np.hypot(3 * 0.7**lags, 4 * 1.0**lags), rtol=1e-12)
    np.testing.assert_allclose(flow.singular_values["h"], [np.sort(factors)[::-1]], rtol=1e-12)


@pytest.mark.parametrize(("forget_bias", "forget"), [(50.0, 1.0), (0.0, 0.5)])
def test_a_cell_keeps_its_gradient_where_the_forget_gate_is_1_and_the_input_gate_0(forget_bias, forget):
    layer = fastrnn.LSTM(1, H, dtype="float64")
    bias = np.repeat([-50.0, forget_bias, 0.3, 0.1], H)
    state = {name: np.zeros_like(parameter) for name, parameter in layer.parameters.items()} | {"bias_ih_l0": bias}
    layer.load_state_dict(state)
    flow = gradient_flow(layer, inputs(shape=(40, B, 1)), h0=(inputs(4, (1, B, H)), inputs(5, (1, B, H))))
    np.testing.assert_allclose(flow.dc_norm[0] / flow.dc_norm[0, 0] / forget ** np.arange(40.0), 1, rtol=1e-9)
    assert not flow.dh_norm[0, 1:].any()  # no way back but the cell
    saturated = {"i": 1.0, "f": 1.0 if forget == 1 else 0.0, "g": 0.0, "o": 0.0}
    assert {name: share.item() for name, share in flow.saturated.items()} == saturated


# ---- differences of the loss -----------------------------------------------------------------------------------------


def last_output(layers, x, where=None, shift=0.0):
    """y (B, H) after stepping through x; `where` (t, layer, part, unit): what is shifted by the way."""
    states = [None] * len(layers)
    for t in range(len(x)):
        y = x[t]
        for number, layer in enumerate(layers):
            y, state = layer.step(y, states[number])
            parts = [part.copy() for part in (state if isinstance(state, tuple) else (state,))]
            if where is not None and where[:2] == (t, number):
                if where[2] == "c":  # h = o tanh(c) follows
                    o = parts[0][..., where[3]] / np.tanh(parts[1][..., where[3]])
                    parts[1][..., where[3]] += shift
                    parts[0][..., where[3]] = o * np.tanh(parts[1][..., where[3]])
                else:
                    parts[0][..., where[3]] += shift
                y = parts[0][0]
            states[number] = tuple(parts) if len(parts) == 2 else parts[0]
    return y


@pytest.mark.parametrize(("cell", "options"), LAYERS)
def test_norms_are_those_of_differences_of_the_loss(cell, options):
    stack = cell(INPUTS, H, 2, dtype="float64", rng=1, **options)
    x, dy = inputs(), inputs(4, (B, H))
    flow = gradient_flow(stack, x, dy=dy)
    layers, step = single_layers(stack), 1e-5
    for part, norms in [("h", flow.dh_norm), ("c", flow.dc_norm)]:
        if norms is None:
            continue
        for layer, lag in itertools.product(range(2), range(T)):
            gradient = np.empty((B, H))
            for unit in range(H):
                where = (T - 1 - lag, layer, part, unit)
                above, below = (last_output(layers, x, where, shift) for shift in (step, -step))
                gradient[:, unit] = (dy * (above - below)).sum(axis=1) / (2 * step)
            assert norms[layer, lag] == pytest.approx(np.linalg.norm(gradient, axis=1).mean(), rel=1e-6, abs=1e-10)


@pytest.mark.parametrize(("cell", "options"), LAYERS)
def test_gradient_norm_of_a_layer_is_that_of_its_backward_pass(cell, options):
    stack = cell(INPUTS, H, 2, dtype="float64", rng=1, **options)
    x, h0 = inputs(), inputs(6, (2, B, H))
    h0 = (h0, 2 * h0) if cell is fastrnn.LSTM else h0
    dy = np.zeros((T, B, H))
    dy[-1] = inputs(4, (B, H))
    flow = gradient_flow(stack, x, h0=h0, dy=dy[-1], clip_value=0.05)
    assert not stack.flat_gradients.any()
    _, _, tape = stack.forward(x, h0)
    stack.backward(tape, dy / B)
    assert flow.gradient_norm == pytest.approx([np.linalg.norm(stack.flat_gradients)], rel=1e-12)
    assert flow.clipped_share == pytest.approx([np.mean(np.abs(stack.flat_gradients) > 0.05)])
    assert 0 < flow.clipped_share[0] < 1


# ---- gates and matrices ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cell", "options"), LAYERS)
@pytest.mark.parametrize("integers", [False, True], ids=["floats", "integers"])
def test_gates_are_those_of_the_cells_in_numpy(cell, options, integers):
    layer = cell(INPUTS, H, dtype="float64", rng=1, **options)
    twin = getattr(reference, cell.__name__)(INPUTS, H, dtype="float64", **options)
    twin.load_state_dict(layer.state_dict())
    x = np.array([0, 1, 1]) if integers else inputs(shape=(B, INPUTS))
    h, c = inputs(7, (B, H)), inputs(8, (B, H))
    _, memory = twin._cell(*twin._maps(0, 0), x, (h, c)[: len(layer.state_names)])
    places = {"RNN": {"h": 2}, "GRU": {"r": 2, "z": 3, "n": 5}, "LSTM": {"i": 3, "f": 4, "g": 5, "o": 6}}
    found = gates(layer, x, h)
    assert found.keys() == places[cell.__name__].keys()
    for name, place in places[cell.__name__].items():
        np.testing.assert_allclose(found[name], memory[place], rtol=1e-12, atol=1e-15)


def test_saturation_and_singular_values_are_counted_gate_by_gate():
    layer = fastrnn.RNN(INPUTS, H, 2, dtype="float32", rng=1)
    x = 4 * inputs().astype(np.float32)
    flow = gradient_flow(layer, x)
    lower, upper = single_layers(layer)
    h, _ = lower(x)
    shares = [np.mean(np.abs(h) > 0.97), np.mean(np.abs(upper(h)[0]) > 0.97)]
    assert shares[0] > 0.1
    np.testing.assert_array_equal(flow.saturated["h"], shares)

    for nonlinearity, is_flat in [("relu", lambda h: h == 0), ("sigmoid", lambda h: np.abs(h - 0.5) > 0.47)]:
        layer = fastrnn.RNN(INPUTS, H, nonlinearity=nonlinearity, dtype="float32", rng=1)
        layer.parameters["weight_ih_l0"][...] *= 4
        share = np.mean(is_flat(layer(x)[0]))
        assert 0.1 < share < 0.9
        np.testing.assert_array_equal(gradient_flow(layer, x).saturated["h"], [share])

    lstm = fastrnn.LSTM(INPUTS, H, 2, rng=1)
    found = gradient_flow(lstm, x).singular_values
    for number, name in enumerate("ifgo"):
        block = lstm.parameters["weight_hh_l1"][number * H : (number + 1) * H].astype(np.float64)
        np.testing.assert_allclose(found[name][1] ** 2, np.linalg.eigvalsh(block @ block.T)[::-1], rtol=1e-6)


# ---- models ----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["rnn", "gru", "lstm"])
def model(request):
    model = CharRNN(
        request.param,
        7,
        2,
        embedding_size=3 if request.param == "gru" else None,
        optimizer="sgd",
        optimizer_options={},
        learning_rate=1.0,
        clip_value=None,
        seq_length=9,
        dtype="float64",
        seed=1,
    )
    model.build(TEXT)
    return model


def test_the_gradient_is_that_of_training(model):
    """A step of plain SGD at learning rate 1 is the gradient; the states go on to the next sequence."""
    flow = gradient_flow(model, TEXT, num_sequences=3, clip_value=0.1)
    before, norms, shares = model.state_dict(), [], []
    for _ in range(3):
        model.partial_fit(TEXT)
        after = model.state_dict()
        step = np.concatenate([(before[name] - after[name]).ravel() for name in before])
        trained = sum(before[name].size for name in before if model.cell == "gru" or "bias_hh" not in name)
        norms.append(np.linalg.norm(step))
        shares.append(np.count_nonzero(np.abs(step) > 0.1) / trained)
        model.load_state_dict(before)
    assert flow.gradient_norm == pytest.approx(norms, rel=1e-9)
    assert flow.clipped_share == pytest.approx(shares)
    assert max(shares) > 0
    assert (flow.steps, flow.sequences, flow.clip_value) == (9, 3, 0.1)


def test_batches_are_as_large_as_in_training(model):
    alone = gradient_flow(model, TEXT, num_sequences=4)
    wide = CharRNN(model.cell, 7, 2, embedding_size=model.embedding_size, batch_size=4, dtype="float64", seed=1)
    wide.build(TEXT)
    together = gradient_flow(wide, TEXT, seq_length=9, num_sequences=4)
    assert (len(alone.gradient_norm), len(together.gradient_norm)) == (4, 1)
    np.testing.assert_allclose(alone.dh_norm, together.dh_norm, rtol=1e-12)
    assert together.gradient_norm[0] <= alone.gradient_norm.mean()
    assert (alone.clipped_share, together.clip_value) == (None, 5.0)


def test_of_a_model_the_loss_is_that_of_the_last_character(model):
    """dL/dh of the last layer is W^T (p - onehot), by the probabilities that the model itself tells."""
    flow = gradient_flow(model, TEXT, num_sequences=2)
    norms = []
    for end in (9, 18):
        p = model.predict_proba(TEXT[:end])
        p[model.vocabulary.encode(TEXT[end])] -= 1
        norms.append(np.linalg.norm(model.parameters["linear.weight"].T @ p))
    assert flow.dh_norm[1, 0] == pytest.approx(np.mean(norms), rel=1e-12)


# ---- PyTorch ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
def test_norms_are_those_of_pytorch(cell, torch):
    layer = getattr(fastrnn, cell)(INPUTS, H, 2, dtype="float64", rng=1)
    cells = []
    for number, single in enumerate(single_layers(layer)):
        cells.append(getattr(torch.nn, cell + "Cell")(H if number else INPUTS, H, dtype=torch.float64))
        cells[-1].load_state_dict(
            {name.removesuffix("_l0"): torch.from_numpy(p) for name, p in single.state_dict().items()}
        )
    x, dy = inputs(), inputs(4, (B, H))
    states, seen = [None, None], []
    for t in range(T):
        y = torch.from_numpy(x[t])
        for number in range(2):
            states[number] = cells[number](y, states[number])
            y = states[number][0] if cell == "LSTM" else states[number]
            y.retain_grad()
            seen.append(y)
    y.backward(torch.from_numpy(dy))
    norms = np.array([h.grad.norm(dim=1).mean() for h in seen]).reshape(T, 2)[::-1].T
    np.testing.assert_allclose(gradient_flow(layer, x, dy=dy).dh_norm, norms, rtol=1e-10)


# ---- the example -----------------------------------------------------------------------------------------------------


def test_the_example_shows_what_it_says(capsys, monkeypatch):
    example = Path(__file__).resolve().parents[1] / "examples" / "gradient_flow.py"
    if not example.exists():
        pytest.skip("the examples are not beside the tests")
    monkeypatch.setattr(sys, "argv", [str(example)])
    runpy.run_path(str(example), run_name="__main__")
    printed = capsys.readouterr().out
    factors = [float(factor) for factor in re.findall(r"^\|dL/dh\|.* \* (\d\.\d+)$", printed, re.MULTILINE)]
    vanishing, exploding, saturating, *_ = factors
    assert len(factors) == 6
    assert 0.8 < vanishing < 0.9 < saturating < 1 < 1.08 < exploding < 1.2
    kept = re.findall(r"^\|dL/dc\|.* \* (\d\.\d+)$", printed, re.MULTILINE)[-1]
    assert kept == "1.000"


# ---- what is shown, and what is refused ------------------------------------------------------------------------------


def test_the_table_and_the_json_have_the_numbers():
    flow = gradient_flow(linear_rnn(np.diag([0.0, 0.5])), np.zeros((5, 1, 1)), dy=np.array([[1.0, 0.0]]))
    assert "lag" in (table := repr(flow)).splitlines()[1]
    assert "|dL/dh| layer 0         1        0        0        0" in table
    assert "largest singular value of weight_hh h 0.5" in table
    read = json.loads(json.dumps(flow.as_json(), allow_nan=False))
    assert read["dh_norm"] == [[1.0, 0.0, 0.0, 0.0, 0.0]]
    assert read["singular_values"] == {"h": [[0.5, 0.0]]}
    assert (read["dc_norm"], read["factor_per_step"]) == (None, [0.0])
    assert gradient_flow(linear_rnn(np.eye(2)), np.zeros((1, 1, 1))).as_json()["factor_per_step"] == [None]  # NaN


@pytest.mark.filterwarnings("error")
def test_a_gradient_that_overflows_is_not_finite_and_no_warning():
    layer = fastrnn.RNN(1, 2, nonlinearity="relu", bias=False)
    layer.load_state_dict({"weight_ih_l0": np.ones((2, 1)), "weight_hh_l0": 9 * np.eye(2)})
    flow = gradient_flow(layer, np.full((60, 1, 1), 1e-30, np.float32))
    np.testing.assert_allclose(flow.dh_norm[0, :40], 9.0 ** np.arange(40), rtol=1e-5)
    assert not np.isfinite(flow.dh_norm[0, -1])
    assert "nan" in repr(flow)
    assert json.loads(json.dumps(flow.as_json(), allow_nan=False))["dh_norm"][0][-1] is None


def test_the_picture_has_the_numbers(tmp_path):
    figure = pytest.importorskip("matplotlib.figure", reason="matplotlib is missing: no picture was drawn").Figure()
    flow = gradient_flow(fastrnn.LSTM(INPUTS, H, 2, rng=1), inputs().astype(np.float32))
    axes = figure.subplots()
    flow.plot(axes)
    drawn = [line.get_ydata() for line in axes.get_lines()]
    np.testing.assert_array_equal(drawn, [*flow.dh_norm, *flow.dc_norm])
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.get_lines()}) == 4
    flow.plot(tmp_path / "flow.svg")
    assert "</svg>" in (tmp_path / "flow.svg").read_text()
    with pytest.raises(TypeError, match=r"^target must be a path, or a matplotlib Axes, not int$"):
        flow.plot(3)


def test_without_matplotlib_the_picture_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    flow = gradient_flow(linear_rnn(np.eye(2)), np.zeros((2, 1, 1)))
    with pytest.raises(ImportError, match=r"pip install 'fastrnn\[plot\]'"):
        flow.plot(tmp_path / "flow.png")


@pytest.mark.parametrize(
    ("source", "arguments", "error", "message"),
    [
        ("layer", {"data": np.zeros((T, B, 5))}, ValueError, "x must have shape"),
        ("layer", {"data": np.full((T, B), INPUTS)}, IndexError, "x must be in"),
        ("layer", {"dy": np.zeros((B, 3))}, ValueError, "dy must have shape"),
        ("layer", {"h0": np.zeros((1, B, 3))}, ValueError, "h0 must have shape"),
        ("layer", {"seq_length": 3}, ValueError, "seq_length is not for a layer"),
        ("layer", {"clip_value": 0}, ValueError, "clip_value must be positive"),
        ("layer", {"rng": -1}, ValueError, "rng must not be negative"),
        ("both ways", {}, ValueError, "source must have one direction"),
        ("linear", {}, TypeError, "source must be a CharRNN, or an RNN, GRU or LSTM"),
        ("model", {"data": "abc"}, ValueError, "text has 3 tokens, fewer than the 5"),
        ("model", {"data": "xyz"}, ValueError, "not among"),
        ("model", {"data": 3}, TypeError, "text must be"),
        ("model", {"data": "abab", "dy": np.zeros((1, 2))}, ValueError, "dy is not for a model"),
        ("model", {"data": "abab", "num_sequences": 0}, ValueError, "num_sequences must be at least 1"),
        ("no model", {"data": "abab"}, ValueError, "call fit, or build"),
    ],
)
def test_wrong_arguments_are_named(source, arguments, error, message):
    model = CharRNN("gru", 2, seq_length=4, seed=1)
    sources = {
        "layer": fastrnn.GRU(INPUTS, H, dtype="float64"),
        "both ways": fastrnn.GRU(INPUTS, H, bidirectional=True, dtype="float64"),
        "linear": fastrnn.Linear(INPUTS, H),
        "model": model,
        "no model": CharRNN(),
    }
    model.build("abcabc")
    with pytest.raises(error, match=message):
        gradient_flow(sources[source], **{"data": inputs(), **arguments})

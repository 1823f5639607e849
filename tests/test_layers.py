"""The layers over the C kernels: against fastrnn.reference, against PyTorch where it is installed, and on their own."""

import numpy as np
import pytest
from conftest import ISAS
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from instruction_sets import kernels_of
from parity import assert_equal, make_case, options_in_words, options_of_pytorch, run, run_pytorch

import fastrnn
from fastrnn import _core, reference

TOLERANCE = {np.float64: 1e-10, np.float32: 1e-4}
CELLS = [
    ("RNN", {"nonlinearity": "tanh"}),
    ("RNN", {"nonlinearity": "relu"}),
    ("RNN", {"nonlinearity": "sigmoid"}),
    ("GRU", {"reset_after": True}),
    ("GRU", {"reset_after": False}),
    ("LSTM", {}),
]
every_cell = pytest.mark.parametrize(
    ("cell", "special"), CELLS, ids=["-".join([cell, *map(str, special.values())]) for cell, special in CELLS]
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def parts(state):
    """The arrays of a state: one, or an LSTM's two."""
    return state if isinstance(state, tuple) else (state,)


def new_state(layer, B, rng):
    """Random numbers in the form of layer's states for B sequences."""
    shape = (layer.num_layers * layer.num_directions, B, layer.hidden_size)
    arrays = tuple(rng.standard_normal(shape).astype(layer.dtype) for _ in layer.state_names)
    return arrays if len(arrays) > 1 else arrays[0]


def in_float64(state):
    if state is None:
        return None
    return tuple(map(np.float64, state)) if isinstance(state, tuple) else np.float64(state)


def twin_of(layer, cell, options, seed):
    """The reference's layer with the same numbers, in float64, its rng where layer's is."""
    twin = getattr(reference, cell)(**options, dtype="float64", rng=seed)
    twin.load_state_dict(layer.parameters)
    return twin


def assert_close(actual, expected, dtype):
    """Arrays that belong together differ by no more than the dtype's tolerance, relative to the largest number."""
    largest = max(np.abs(right).max(initial=0) for right in expected)
    for left, right in zip(actual, expected, strict=True):
        assert left.dtype == dtype
        assert left.shape == right.shape
        assert np.abs(left - right).max(initial=0) <= TOLERANCE[dtype] * largest


# ---- results --------------------------------------------------------------------------------------------------------


@st.composite
def calls(draw):
    """A cell, its options, and what of a call may be one way or the other."""
    cell, special = draw(st.sampled_from(CELLS))
    num_layers = draw(st.integers(1, 3))
    options = special | {
        "input_size": draw(st.integers(1, 40)),
        "hidden_size": draw(st.integers(1, 40) | st.sampled_from([63, 64, 65])),
        "num_layers": num_layers,
        "bias": draw(st.booleans()),
        "bidirectional": draw(st.booleans()),
        "dropout": draw(st.sampled_from([0.0, 0.3])) if num_layers > 1 else 0.0,
    }
    T, B = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    assume(T * B * options["hidden_size"] >= 5)  # or all that comes out may be the small difference of large numbers
    lengths = draw(st.none() | st.lists(st.integers(1, T), min_size=B, max_size=B))
    how = {name: draw(st.booleans()) for name in ("integers", "h0", "dh_n")}
    return cell, options, T, B, lengths, how, draw(st.integers(0, 2**32))


def assert_as_the_reference(dtype, cell, options, T, B, lengths, how, seed):
    layer = getattr(fastrnn, cell)(**options, dtype=dtype, rng=seed)
    twin = twin_of(layer, cell, options, seed)
    rng = np.random.default_rng(seed + 1)
    H, D = layer.hidden_size, layer.num_directions
    # So large that nothing saturates: of h = 0.9998 the nearest float32 alone makes 1 - h^2 wrong by 2e-4 of itself.
    x = (rng.standard_normal((T, B, layer.input_size)) / np.sqrt(layer.input_size)).astype(dtype)
    if how["integers"]:
        x = rng.integers(layer.input_size, size=(T, B))
    dy = rng.standard_normal((T, B, D * H)).astype(dtype)
    h0, dh_n = (new_state(layer, B, rng) if how[name] else None for name in ("h0", "dh_n"))
    wide_x = x if how["integers"] else np.float64(x)

    y, h_n, tape = layer.forward(x, h0, lengths)
    y_twin, h_n_twin, tape_twin = twin.forward(wide_x, in_float64(h0), lengths)
    assert_close([y, *parts(h_n)], [y_twin, *parts(h_n_twin)], dtype)

    dx, dh0 = layer.backward(tape, dy, dh_n)
    dx_twin, dh0_twin = twin.backward(tape_twin, np.float64(dy), in_float64(dh_n))
    # Relu's slope jumps at 0, and in float32 it is rounding that says on which side of it a sum lies.
    if not (options.get("nonlinearity") == "relu" and dtype == np.float32):
        dxs, dxs_twin = ([], []) if how["integers"] else ([dx], [dx_twin])
        gradients, twins = layer.gradients.values(), twin.gradients.values()
        assert_close([*dxs, *parts(dh0), *gradients], [*dxs_twin, *parts(dh0_twin), *twins], dtype)
    assert how["integers"] == (dx is None)

    y, h_n = layer(x, h0, lengths)
    y_twin, h_n_twin = twin(wide_x, in_float64(h0), lengths)  # without dropout
    assert_close([y, *parts(h_n)], [y_twin, *parts(h_n_twin)], dtype)


@settings(max_examples=80)
@given(call=calls())
def test_outputs_states_and_all_gradients_are_the_references(isa, dtype, call):
    assert_as_the_reference(dtype, *call)


@pytest.mark.parametrize("bias", [True, False])
@every_cell
def test_large_recurrent_weights_of_one_sequence(isa, dtype, cell, special, bias):
    """They are multiplied as they lie, both ways, if their rows are whole cache lines; other rows are packed."""
    for H in {"RNN": (112, 160, 208, 371), "GRU": (96, 112, 208, 220), "LSTM": (80, 112, 208, 210)}[cell]:
        options = special | {"input_size": 3, "hidden_size": H, "num_layers": 2, "bias": bias}
        how = {"integers": False, "h0": bias, "dh_n": True}
        assert_as_the_reference(dtype, cell, options, 4, 1, None, how, seed=H)


PYTORCH_OPTIONS = options_of_pytorch([(1, 1), (3, 5), (31, 17), (16, 33), (5, 16)])


@pytest.mark.parametrize(("ragged", "states"), [(False, False), (True, True)], ids=["full", "ragged-states"])
@pytest.mark.parametrize(
    ("cell", "options"),
    PYTORCH_OPTIONS,
    ids=[f"{cell}-{options_in_words(options)}-{options['dtype']}" for cell, options in PYTORCH_OPTIONS],
)
def test_outputs_states_and_all_gradients_are_pytorchs(torch, cell, options, ragged, states):
    case = make_case(cell, options, T=6, B=5, ragged=ragged, states=states)
    expected = run_pytorch(case)
    for isa in ISAS:
        with kernels_of(isa):
            assert_equal(run(fastrnn, case), expected, options["dtype"])


@pytest.mark.parametrize(("ragged", "states"), [(True, False), (False, True)])
@pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
def test_integers_are_pytorchs_one_hot_inputs(torch, isa, dtype, cell, ragged, states):
    options = {"input_size": 40, "hidden_size": 21, "num_layers": 2, "bidirectional": True, "bias": True}
    options["dtype"] = np.dtype(dtype).name
    case = make_case(cell, options, T=9, B=3, ragged=ragged, states=states, integers=True)
    assert_equal(run(fastrnn, case), run_pytorch(case), options["dtype"])


@every_cell
@pytest.mark.parametrize(("inputs", "T", "B"), [(30, 5, 3), (5000, 3, 2), (48, 3, 1), (47, 3, 1)])
def test_integers_are_one_hot_inputs(isa, dtype, rng, cell, special, inputs, T, B):
    """Also where a vocabulary is so large that only the columns that occur are touched."""
    layer, dense = (getattr(fastrnn, cell)(inputs, 9, 2, dtype=dtype, rng=3, **special) for _ in range(2))
    x, dy = rng.integers(inputs, size=(T, B)), rng.standard_normal((T, B, 9)).astype(dtype)
    x[0, 0], x[-1, -1] = inputs - 1, 0
    y, h_n, tape = layer.forward(x)
    y_dense, h_n_dense, tape_dense = dense.forward(np.eye(inputs, dtype=dtype)[x])
    assert_close([y, *parts(h_n)], [y_dense, *parts(h_n_dense)], dtype)
    assert layer.backward(tape, dy)[0] is None
    dense.backward(tape_dense, dy)
    assert_close([layer.flat_gradients], [dense.flat_gradients], dtype)


@every_cell
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("integers", [False, True])
def test_a_call_is_forward_however_long_the_sequences_are(isa, dtype, rng, cell, special, ragged, integers):
    """A call goes through 4096 rows at a time."""
    layer = getattr(fastrnn, cell)(3, 5, 2, dtype=dtype, rng=1, **special)
    T, B = 3000, 3
    x = rng.integers(3, size=(T, B)) if integers else rng.standard_normal((T, B, 3)).astype(dtype)
    lengths = [1366, 3000, 10] if ragged else None
    h0 = new_state(layer, B, rng)
    y, h_n = layer(x, h0, lengths)
    y_forward, h_n_forward, _ = layer.forward(x, h0, lengths)
    assert_close([y, *parts(h_n)], [y_forward, *parts(h_n_forward)], dtype)
    if ragged:
        assert not y[1366:, 0].any()
        assert not y[10:, 2].any()


@every_cell
@pytest.mark.parametrize("B", [1, 4, 5, 9])
@pytest.mark.parametrize("integers", [False, True])
def test_steps_one_after_the_other_are_a_call(isa, dtype, rng, cell, special, B, integers):
    layer = getattr(fastrnn, cell)(19, 21, 3, dtype=dtype, rng=1, **special)
    x = rng.integers(19, size=(6, B)) if integers else rng.standard_normal((6, B, 19)).astype(dtype)
    y, h_n = layer(x)
    h, ys = None, []
    for x_t in x:
        y_t, h = layer.step(x_t, h)
        ys.append(y_t)
    assert_close([np.stack(ys), *parts(h)], [y, *parts(h_n)], dtype)


@every_cell
@pytest.mark.parametrize("integers", [False, True])
def test_a_step_sees_what_was_written_into_the_weights_since_the_last_one(isa, rng, cell, special, integers):
    layer = getattr(fastrnn, cell)(20, 24, 2, rng=1, **special)
    x = rng.integers(20, size=3) if integers else rng.standard_normal((3, 20)).astype(np.float32)
    before, _ = layer.step(x)
    for name, parameter in layer.parameters.items():
        parameter[-1] += 1  # the last unit's
        after, _ = layer.step(x, None)
        assert_close([after], [layer(x[np.newaxis])[0][0]], np.float32)
        if name != "weight_hh_l0" and name != "weight_hh_l1":  # which multiply a state of zeros
            assert (after != before).any(), name
        before = after


@pytest.mark.parametrize(("inputs", "units"), [(5, 20), (3, 37), (65, 100), (16, 16)])
def test_equal_units_are_equal_wherever_their_weights_lie(isa, dtype, rng, inputs, units):
    """In whatever row, and however far from a cache line: a step loads them in different pieces."""
    count = units * (inputs + units)
    row_ih, row_hh = rng.random(inputs), rng.random(units)  # positive, as relu wants them
    x, h = rng.random((1, inputs)).astype(dtype), rng.random((1, 1, units)).astype(dtype)
    found = set()
    for offset in range(64 // np.dtype(dtype).itemsize):
        flat = np.zeros(offset + count, dtype)[offset:]
        flat[: units * inputs].reshape(units, inputs)[...] = row_ih
        flat[units * inputs :].reshape(units, units)[...] = row_hh
        y, _ = _core.Stack("relu", inputs, units, 1, 1, False, flat, np.zeros_like(flat)).step(x, h)
        found.update(y.ravel().tolist())
    assert len(found) == 1


@every_cell
def test_several_tapes_may_be_open_and_gradients_add_up(isa, dtype, rng, cell, special):
    layer = getattr(fastrnn, cell)(4, 7, 2, bidirectional=True, dtype=dtype, rng=1, **special)
    xs = [rng.standard_normal((T, B, 4)).astype(dtype) for T, B in [(3, 2), (8, 5), (1, 1), (5, 2)]]
    dys = [rng.standard_normal((*x.shape[:2], 14)).astype(dtype) for x in xs]
    alone, total = [], 0
    for x, dy in zip(xs, dys, strict=True):
        alone.append(layer.backward(layer.forward(x)[2], dy))
        total = total + layer.flat_gradients
        layer.zero_gradients()
    tapes = [layer.forward(x)[2] for x in xs]
    layer(xs[1])  # takes memory in between
    for i in (2, 0, 3, 1):
        dx, dh0 = layer.backward(tapes[i], dys[i])
        np.testing.assert_array_equal(dx, alone[i][0])
        np.testing.assert_array_equal(parts(dh0), parts(alone[i][1]))
    assert_close([layer.flat_gradients], [total], dtype)


@every_cell
def test_saturated_gates_stay_finite_and_right(isa, dtype, rng, cell, special):
    if special.get("nonlinearity") == "relu":
        pytest.skip("relu does not saturate: with such weights it overflows, and may")
    options = {"input_size": 3, "hidden_size": 18, "num_layers": 2} | special
    layer = getattr(fastrnn, cell)(**options, dtype=dtype)
    layer.flat_parameters[...] = rng.choice([-50.0, 50.0], layer.flat_parameters.size)
    twin = twin_of(layer, cell, options, 0)
    x, dy = rng.integers(-3, 4, (5, 3, 3)).astype(dtype), rng.standard_normal((5, 3, 18)).astype(dtype)
    y, h_n, tape = layer.forward(x)
    y_twin, h_n_twin, tape_twin = twin.forward(np.float64(x))
    assert_close([y, *parts(h_n)], [y_twin, *parts(h_n_twin)], dtype)
    layer.backward(tape, dy)
    twin.backward(tape_twin, np.float64(dy))
    assert np.isfinite(layer.flat_gradients).all()
    if (
        dtype == np.float64
    ):  # these are products of numbers around 1e-20, which float32 rounds to zero as early as it may
        assert_close([layer.flat_gradients], [twin.flat_gradients], dtype)


def test_with_f_1_and_i_0_an_lstms_cell_keeps_its_numbers_and_their_gradient_for_ever(isa, dtype, rng):
    """c_t = f_t * c_{t-1} + i_t * g_t and dc_{t-1} = f_t * dc_t: to the bit, where an RNN has forgotten."""
    T, B, H = 150, 3, 20
    lstm, rnn = (layer(4, H, dtype=dtype, rng=1) for layer in (fastrnn.LSTM, fastrnn.RNN))
    i, f, _, _ = np.split(lstm.parameters["bias_ih_l0"], 4)
    i -= 1000
    f += 1000
    x = rng.standard_normal((T, B, 4)).astype(dtype)
    h0, c0 = new_state(lstm, B, rng)
    _, (_, c_T), tape = lstm.forward(x, (h0, c0))
    np.testing.assert_array_equal(c_T, c0)
    zeros, dc_T = np.zeros_like(h0), rng.standard_normal(c0.shape).astype(dtype)
    _, (_, dc_0) = lstm.backward(tape, np.zeros((T, B, H), dtype), (zeros, dc_T))
    np.testing.assert_array_equal(dc_0, dc_T)

    _, _, tape = rnn.forward(x, h0)
    _, dh_0 = rnn.backward(tape, np.zeros((T, B, H), dtype), dc_T)
    assert np.abs(dh_0).max() < 1e-6 * np.abs(dc_T).max()


# ---- which numbers matter, and to what ------------------------------------------------------------------------------


@every_cell
@pytest.mark.parametrize("lengths", [None, [4, 6, 3, 6, 5]], ids=["full", "ragged"])
def test_nan_reaches_its_own_sequence_from_its_own_step_on(isa, dtype, rng, cell, special, lengths):
    layer = getattr(fastrnn, cell)(3, 17, 2, dtype=dtype, rng=1, **special)
    x = rng.standard_normal((6, 5, 3)).astype(dtype)
    clean, _ = layer(x, None, lengths)
    x[2, 1, 0] = np.nan
    for y, h_n in (layer(x, None, lengths), layer.forward(x, None, lengths)[:2]):
        assert np.isnan(y[2:, 1]).all()
        assert all(np.isnan(part[:, 1]).all() for part in parts(h_n))
        others = [0, 2, 3, 4]
        assert_close([y[:, others], y[:2, 1]], [clean[:, others], clean[:2, 1]], dtype)
        assert not any(np.isnan(part[:, others]).any() for part in parts(h_n))


@every_cell
def test_nan_reaches_all_of_its_own_sequence_where_there_are_both_directions(isa, dtype, rng, cell, special):
    layer = getattr(fastrnn, cell)(3, 17, 2, bidirectional=True, dtype=dtype, rng=1, **special)
    lengths, others = [4, 6, 3], [0, 2]
    x, dy = (rng.standard_normal((6, 3, size)).astype(dtype) for size in (3, 34))
    clean, _ = layer(x, None, lengths)
    x[2, 1, 0] = np.nan
    y, h_n, tape = layer.forward(x, None, lengths)
    dx, dh0 = layer.backward(tape, dy)
    assert_close([y[:, others]], [clean[:, others]], dtype)
    assert np.isnan(y[:, 1]).all()
    assert np.isnan(dx[:, 1]).all() or special.get("nonlinearity") == "relu"  # its slope at NaN is 0
    for part in [*parts(h_n), *parts(dh0), dx]:
        assert np.isfinite(part[:, others]).all()


@every_cell
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("integers", [False, True])
def test_what_lies_past_a_sequences_end_is_not_looked_at(isa, dtype, rng, cell, special, bidirectional, integers):
    layer = getattr(fastrnn, cell)(3, 17, 2, bidirectional=bidirectional, dtype=dtype, rng=1, **special)
    T, lengths = 6, np.array([4, 1, 6, 3])
    past = np.arange(T)[:, np.newaxis] >= lengths
    x = rng.integers(3, size=(T, 4)) if integers else rng.standard_normal((T, 4, 3)).astype(dtype)
    dy = rng.standard_normal((T, 4, 17 * layer.num_directions)).astype(dtype)

    def results():
        layer.zero_gradients()
        y_call, h_n_call = layer(x, None, lengths)
        y, h_n, tape = layer.forward(x, None, lengths)
        dx, dh0 = layer.backward(tape, dy)
        assert not y[past].any()
        assert not y_call[past].any()
        assert integers or not dx[past].any()
        found = [y_call, *parts(h_n_call), y, *parts(h_n), *parts(dh0), layer.flat_gradients.copy()]
        return found if integers else [*found, dx]

    clean = results()
    x[past] = -1 if integers else np.nan
    dy[past] = np.nan
    for spoilt, expected in zip(results(), clean, strict=True):
        np.testing.assert_array_equal(spoilt, expected)


def test_dropout_acts_in_forward_alone_and_draws_anew_each_time(dtype, rng):
    layer = fastrnn.GRU(3, 40, 2, dropout=0.5, dtype=dtype, rng=1)
    x = rng.standard_normal((4, 3, 3)).astype(dtype)
    first, second = layer.forward(x)[0], layer.forward(x)[0]
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(layer(x)[0], layer(x)[0])
    plain = fastrnn.GRU(3, 40, 2, dtype=dtype)
    plain.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(layer(x)[0], plain(x)[0])


# ---- arguments in any form ------------------------------------------------------------------------------------------


def forms_of(array):
    """The same numbers as other arrays that NumPy may hand over."""
    read_only = array.copy()
    read_only.flags.writeable = False
    strided = np.repeat(array, 2, axis=-1)[..., ::2]
    unaligned = np.empty(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    unaligned[...] = array
    return [read_only, np.asfortranarray(array), strided, array[::-1][::-1], unaligned]


def everything(layer, x, h0, lengths, dy, dh_n):
    """All results of all that a layer does with these arguments."""
    layer.zero_gradients()
    y_call, h_n_call = layer(x, h0, lengths)
    y, h_n, tape = layer.forward(x, h0, lengths)
    dx, dh0 = layer.backward(tape, dy, dh_n)
    y_step, h_step = layer.step(x[0], h0)
    arrays = [y_call, y, dx, y_step, layer.flat_gradients.copy()]
    return arrays + [part for state in (h_n_call, h_n, dh0, h_step) for part in parts(state)]


@pytest.mark.parametrize("number", range(5), ids=["read-only", "fortran", "strided", "reversed", "unaligned"])
@pytest.mark.parametrize("cell", ["GRU", "LSTM"])
def test_arrays_may_lie_in_memory_as_they_like(dtype, rng, cell, number):
    layer = getattr(fastrnn, cell)(3, 5, 2, dtype=dtype, rng=1)
    x, dy = (rng.standard_normal((4, 2, size)).astype(dtype) for size in (3, 5))
    h0, dh_n = new_state(layer, 2, rng), new_state(layer, 2, rng)
    lengths = np.array([3, 4])
    expected = everything(layer, x, h0, lengths, dy, dh_n)

    def form(state):
        return tuple(forms_of(part)[number] for part in state) if cell == "LSTM" else forms_of(state)[number]

    given = forms_of(x)[number], form(h0), forms_of(lengths)[number], forms_of(dy)[number], form(dh_n)
    for actual, wanted in zip(everything(layer, *given), expected, strict=True):
        np.testing.assert_array_equal(actual, wanted)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.uint64, ">i8"])
def test_integers_may_be_of_any_size(rng, kind):
    layer = fastrnn.GRU(5, 4, rng=1)
    x = rng.integers(5, size=(4, 2))
    expected = layer(x, None, [3, 4])[0]
    np.testing.assert_array_equal(layer(x.astype(kind), None, np.array([3, 4], kind))[0], expected)
    np.testing.assert_array_equal(layer(x.tolist(), None, (3, 4))[0], expected)
    np.testing.assert_array_equal(layer.step(x[0].astype(kind), None)[0], layer.step(x[0], None)[0])
    for form in forms_of(x[0].astype(kind)):
        np.testing.assert_array_equal(layer.step(form)[0], layer.step(x[0])[0])


@every_cell
def test_arguments_may_share_memory_and_are_left_as_they_are(isa, dtype, rng, cell, special):
    """Results are new arrays, whatever memory the arguments share: here everything is one array."""
    layer = getattr(fastrnn, cell)(6, 6, dtype=dtype, rng=1, **special)
    one = rng.standard_normal((1, 2, 6)).astype(dtype)
    before = one.copy()

    def state(array):
        return (array, array) if cell == "LSTM" else array

    expected = everything(layer, one.copy(), state(one.copy()), None, one.copy(), state(one.copy()))
    actual = everything(layer, one, state(one), None, one, state(one))
    np.testing.assert_array_equal(one, before)
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, e)
        assert not np.shares_memory(a, one)

    y, _, tape = layer.forward(one)
    gradient = layer.backward(tape, y)[0]  # dy is y itself
    y_copy, _, tape = layer.forward(one)
    np.testing.assert_array_equal(gradient, layer.backward(tape, y_copy.copy())[0])


@pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
def test_a_tape_holds_what_backward_needs(rng, cell):
    """What forward took and gave is the caller's to write to, before backward too."""
    layer = getattr(fastrnn, cell)(3, 5, 2, dropout=0.5, rng=1)
    x, dy = (rng.standard_normal((4, 2, size)).astype(np.float32) for size in (3, 5))
    lengths, h0 = np.array([4, 2]), new_state(layer, 2, rng)
    results = []
    for spoil in (False, True):
        layer.rng = np.random.default_rng(5)
        layer.zero_gradients()
        taken = [x.copy(), lengths.copy(), *(part.copy() for part in parts(h0))]
        y, h_n, tape = layer.forward(taken[0], tuple(taken[2:]) if cell == "LSTM" else taken[2], taken[1])
        for array in [*taken, y, *parts(h_n)] if spoil else []:
            array[...] = 1
        dx, dh0 = layer.backward(tape, dy)
        results.append([dx, *parts(dh0), layer.flat_gradients.copy()])
    for actual, expected in zip(results[1], results[0], strict=True):
        np.testing.assert_array_equal(actual, expected)


# ---- Linear and Embedding -------------------------------------------------------------------------------------------

SHAPES = [(), (1,), (5,), (2, 3), (300,), (2, 0, 3), (0,)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (3, 7), (33, 65), (100, 17)])
def test_linear_is_the_references(isa, dtype, rng, inputs, outputs, bias, shape):
    layer = fastrnn.Linear(inputs, outputs, bias=bias, dtype=dtype, rng=1)
    twin = reference.Linear(inputs, outputs, bias=bias, dtype="float64")
    twin.load_state_dict(layer.parameters)
    x, dy = (rng.standard_normal((*shape, size)).astype(dtype) for size in (inputs, outputs))
    for _ in range(2):  # gradients add up
        y, tape = layer.forward(x)
        y_twin, tape_twin = twin.forward(np.float64(x))
        dx, dx_twin = layer.backward(tape, dy), twin.backward(tape_twin, np.float64(dy))
        assert_close([y], [y_twin], dtype)
        assert_close([dx], [dx_twin], dtype)
        assert_close(layer.gradients.values(), twin.gradients.values(), dtype)
    np.testing.assert_array_equal(layer(x), y)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("count", "size"), [(1, 1), (4, 17), (5000, 3)])
def test_embedding_is_the_references(isa, dtype, rng, count, size, shape):
    layer = fastrnn.Embedding(count, size, dtype=dtype, rng=1)
    twin = reference.Embedding(count, size, dtype="float64")
    twin.load_state_dict(layer.parameters)
    x, dy = rng.integers(count, size=shape), rng.standard_normal((*shape, size)).astype(dtype)
    for _ in range(2):
        y, tape = layer.forward(x)
        y_twin, tape_twin = twin.forward(x)
        np.testing.assert_array_equal(y, y_twin)
        assert y.dtype == dtype
        assert layer.backward(tape, dy) is twin.backward(tape_twin, np.float64(dy)) is None
        assert_close([layer.flat_gradients], [twin.flat_gradients], dtype)
    np.testing.assert_array_equal(layer(x), y)


@pytest.mark.parametrize("number", range(5), ids=["read-only", "fortran", "strided", "reversed", "unaligned"])
def test_arrays_of_the_other_layers_may_lie_in_memory_as_they_like(dtype, rng, number):
    linear, embedding = fastrnn.Linear(3, 4, dtype=dtype, rng=1), fastrnn.Embedding(3, 4, dtype=dtype, rng=1)
    x, dy, rows = (
        rng.standard_normal((5, 2, 3)).astype(dtype),
        rng.standard_normal((5, 2, 4)).astype(dtype),
        [[0, 2]] * 5,
    )
    results = []
    for x_given, dy_given, rows_given in [
        (x, dy, np.array(rows)),
        [forms_of(array)[number] for array in (x, dy, np.array(rows))],
    ]:
        linear.zero_gradients()
        embedding.zero_gradients()
        y, tape = linear.forward(x_given)
        z, other = embedding.forward(rows_given)
        dx = linear.backward(tape, dy_given)
        embedding.backward(other, dy_given)
        results.append([y, z, dx, linear.flat_gradients.copy(), embedding.flat_gradients.copy()])
    for actual, expected in zip(results[1], results[0], strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_linear_and_embedding_keep_what_backward_needs(rng):
    linear, embedding = fastrnn.Linear(3, 4, rng=1), fastrnn.Embedding(3, 4, rng=1)
    x, dy, rows = rng.standard_normal((5, 3)).astype(np.float32), np.ones((5, 4), np.float32), rng.integers(3, size=5)
    results = []
    for spoil in (False, True):
        linear.zero_gradients()
        embedding.zero_gradients()
        y, tape = linear.forward(x)
        z, other = embedding.forward(rows)
        for array in [x, y, z, rows] if spoil else []:
            array[...] = 1
        results.append([linear.backward(tape, dy), linear.flat_gradients.copy()])
        embedding.backward(other, dy)
        results[-1].append(embedding.flat_gradients.copy())
    for actual, expected in zip(results[1], results[0], strict=True):
        np.testing.assert_array_equal(actual, expected)

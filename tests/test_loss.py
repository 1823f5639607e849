"""bind's lossFun against fastrnn.reference: the numbers, and what goes in and comes out."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastrnn import NumericalError, min_char_rnn, reference

RESULTS = ("loss", "dWxh", "dWhh", "dWhy", "dbh", "dby", "h_last")
TOLERANCE = {np.float32: 1e-4, np.float64: 1e-10}
INF = float("inf")


@pytest.fixture
def problem(random_network, dtype):
    """problem(H, V, T, scale=1.0, seed=0): the five weights as a list, and inputs, targets, hprev."""

    def make(H, V, T, scale=1.0, seed=0):
        rng = np.random.default_rng(seed)
        weights = list(vars(random_network(rng, H, V, dtype, scale)).values())
        inputs, targets = rng.integers(V, size=(2, T))
        return weights, inputs, targets, rng.uniform(-1, 1, (H, 1)).astype(dtype)

    return make


def native(weights, inputs, targets, hprev, clip=5.0):
    lossFun, _ = min_char_rnn.bind(*weights, clip=clip)
    return lossFun(inputs, targets, hprev)


def exact(weights, inputs, targets, hprev, clip=5.0):
    """What the reference says in float64, whatever the dtype of the weights."""
    lossFun, _ = reference.bind(*(np.float64(w) for w in weights), clip=clip)
    return lossFun(inputs, targets, np.float64(hprev))


def assert_agrees(weights, inputs, targets, hprev, clip=5.0, rounding=0.0):
    """lossFun's seven results are the reference's, to the dtype's tolerance relative to each array's largest element.

    Where a model is certain of its target, or targets pull both ways, terms cancel and leave their rounding, in the
    reference as in the kernels. So an array counts as no smaller than for another sequence, in which they cannot:
    all its targets are one character, and not the first target. `rounding` is an error that is allowed besides.
    """
    dtype, V = weights[0].dtype.type, weights[0].shape[1]
    actual = native(weights, inputs, targets, hprev, clip)
    expected = exact(weights, inputs, targets, hprev, clip)
    others = exact(weights, (inputs + 1) % V, np.full_like(targets, (targets[0] + 1) % V), -hprev, clip)
    for name, a, e, o in zip(RESULTS, actual, expected, others, strict=True):
        assert np.shape(a) == np.shape(e), name
        assert type(a) is float if name == "loss" else a.dtype == dtype, name
        largest = max(np.abs(e).max(), np.abs(o).max())
        error = np.abs(a - e).max()
        allowed = TOLERANCE[dtype] * largest + rounding
        assert error <= allowed, f"{name} is off by {error:.3g}, its largest element is {largest:.3g}"


def assert_same_bits(actual, expected):
    for name, a, e in zip(RESULTS, actual, expected, strict=True):
        assert np.asarray(a).tobytes() == np.asarray(e).tobytes(), name


# ---- the numbers ----------------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(
    H=st.integers(1, 130),
    V=st.integers(1, 100),
    T=st.integers(1, 40),
    scale=st.sampled_from([0.01, 0.1, 0.5, 1.0]),
    clip=st.sampled_from([5.0, 0.1, INF]),
    seed=st.integers(0, 2**32 - 1),
)
def test_agrees_with_the_reference(isa, problem, H, V, T, scale, clip, seed):
    assert_agrees(*problem(H, V, T, scale, seed), clip)


# H and V take every residue modulo 16, the widest register of float32, together with T modulo 4, the rows of a tile.
SMALL = [(n, n * 7 % 33 + 1, n * 3 % 8 + 1) for n in range(1, 34)]
# Beyond 12 registers a matrix is cut into panels, of which every width up to 12 registers should occur.
LARGE = [(16 * k + k * 5 % 16, 3, k % 4 + 1) for k in range(2, 26)]
# Beyond 96 KB whole lines of recurrent weights are multiplied as they lie; others are packed.
IN_ONE_COPY = [(104, 3, 2), (112, 3, 3), (144, 3, 2), (160, 3, 3), (168, 3, 4), (192, 3, 2), (208, 3, 3), (384, 3, 3)]


@pytest.mark.parametrize(("H", "V", "T"), SMALL + LARGE + IN_ONE_COPY + [(V, H, T) for H, V, T in LARGE])
def test_every_shape_modulo_the_registers(isa, problem, H, V, T):
    assert_agrees(*problem(H, V, T))


# Some instruction sets add the terms of a gradient in more than one block from 128 on, all from 256 on.
@pytest.mark.parametrize(("H", "V", "T"), [(12, 90, 1000), (300, 20, 300), (12, 50, 130), (20, 40, 255)])
def test_a_long_sequence(isa, problem, H, V, T):
    assert_agrees(*problem(H, V, T))


@settings(max_examples=200)
@given(
    H=st.integers(1, 70),
    V=st.integers(1, 70),
    T=st.integers(1, 3),
    scale=st.sampled_from([3.0, 10.0, 30.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_saturated_units(isa, dtype, problem, H, V, T, scale, seed):
    weights, inputs, targets, hprev = problem(H, V, T, seed=seed)
    weights[0] *= scale
    weights[3] *= scale
    # Where h is nearly 1, 1 - h^2 has the rounding of 1, times what comes back to the unit: at most a column of Why.
    back = np.abs(weights[2]).sum(axis=0).max()
    assert_agrees(weights, inputs, targets, hprev, rounding=8 * np.finfo(dtype).eps * T * back)


@settings(max_examples=200)
@given(
    H=st.integers(1, 70),
    V=st.integers(2, 100),
    T=st.integers(1, 20),
    step=st.sampled_from([1e3, 1e4, 1e5]),
    seed=st.integers(0, 2**32 - 1),
)
def test_large_logits(isa, problem, H, V, T, step, seed):
    # The output biases lie `step` apart, so that each p is 0 or 1, whichever way a logit of such size is rounded.
    weights, inputs, targets, hprev = problem(H, V, T, seed=seed)
    ranks = np.random.default_rng(seed).permutation(V).reshape(V, 1) - V // 3
    weights[4][:] = step * ranks
    with np.errstate(over="ignore"):
        assert np.isinf(np.exp(weights[4].max())) or V < 3  # where exp(y) / sum(exp(y)) would be NaN
    assert_agrees(weights, inputs, targets, hprev)


@settings(max_examples=200)
@given(
    H=st.integers(1, 70),
    V=st.integers(1, 100),
    T=st.integers(1, 20),
    scale=st.sampled_from([1e3, 1e4, 1e5]),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_large_output_matrix(isa, dtype, problem, H, V, T, scale, seed):
    # Two logits of such size may be within their rounding of each other, and then nobody knows p. But the loss is
    # right to the rounding of the logits, and nothing overflows.
    weights, inputs, targets, hprev = problem(H, V, T, seed=seed)
    weights[2] *= scale
    weights[4] *= scale
    actual, expected = native(weights, inputs, targets, hprev), exact(weights, inputs, targets, hprev)
    assert all(np.isfinite(a).all() for a in actual)
    largest = np.abs(weights[2]).sum(axis=1).max() + np.abs(weights[4]).max()
    assert abs(actual[0] - expected[0]) <= TOLERANCE[dtype] * largest * T


def test_every_step_of_training_on_a_real_text(isa, dtype, random_network, data):
    text = data("kafka.txt").read_text(encoding="utf-8")[:1000]
    vocabulary = sorted(set(text))
    characters = np.array([vocabulary.index(character) for character in text])
    rng, H, V, T = np.random.default_rng(0), 100, len(vocabulary), 25
    weights = list(vars(random_network(rng, H, V, dtype, scale=0.01)).values())
    memories = [np.zeros_like(w) for w in weights]
    h = np.zeros((H, 1), dtype)
    for p in range(0, len(text) - T, T):
        inputs, targets = characters[p : p + T], characters[p + 1 : p + T + 1]
        assert_agrees(weights, inputs, targets, h)
        _, *gradients, h = native(weights, inputs, targets, h)
        for w, gradient, memory in zip(weights, gradients, memories, strict=True):
            min_char_rnn.adagrad(w, gradient, memory, 0.1)


# ---- clipping -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clip", [1e-3, 0.1, 5.0, 1e30])
def test_clip_bounds_every_element(isa, dtype, problem, clip):
    weights, inputs, targets, hprev = problem(37, 21, 40, scale=1.0)
    weights[2] *= 20  # so that some gradients pass 5
    unclipped = native(weights, inputs, targets, hprev, clip=INF)
    clipped = native(weights, inputs, targets, hprev, clip=clip)
    limit = dtype(clip)
    expected = [np.clip(gradient, -limit, limit) for gradient in unclipped[1:6]]
    assert_same_bits(clipped, [unclipped[0], *expected, unclipped[6]])
    for gradient in expected:
        assert (np.abs(gradient) == limit).any() == (clip <= 5)


def test_clip_is_5_unless_told(isa, problem):
    weights, inputs, targets, hprev = problem(37, 21, 40)
    weights[2] *= 20
    lossFun, _ = min_char_rnn.bind(*weights)
    assert_same_bits(lossFun(inputs, targets, hprev), native(weights, inputs, targets, hprev, clip=5.0))
    assert all(np.abs(gradient).max() == 5 for gradient in lossFun(inputs, targets, hprev)[1:6])


# ---- what comes out -------------------------------------------------------------------------------------------------


def test_results_are_new_arrays(isa, problem):
    weights, inputs, targets, hprev = problem(19, 11, 3)
    before = [a.copy() for a in (*weights, inputs, targets, hprev)]
    lossFun, _ = min_char_rnn.bind(*weights)
    first = lossFun(inputs, targets, hprev)
    kept = [np.copy(a) for a in first]
    second = lossFun(targets, inputs, -hprev)
    assert_same_bits(first, kept)
    arrays = [*first[1:], *second[1:], *weights, hprev]
    for i, a in enumerate(arrays):
        assert not any(np.shares_memory(a, b) for b in arrays[:i])
    for a, b in zip((*weights, inputs, targets, hprev), before, strict=True):
        assert a.tobytes() == b.tobytes()
    for a in first[1:]:
        assert a.flags.c_contiguous
        assert a.flags.writeable


@pytest.mark.parametrize("shape", [(1, 1, 1), (31, 17, 9), (130, 100, 25)])
def test_the_same_call_gives_the_same_bits(isa, problem, shape):
    arguments = problem(*shape)
    first = native(*arguments)
    lossFun, _ = min_char_rnn.bind(*arguments[0])
    lossFun([0] * 50, [0] * 50, arguments[3])  # leaves other numbers in the scratch memory
    assert_same_bits(lossFun(*arguments[1:]), first)
    assert_same_bits(lossFun(*arguments[1:]), first)


@pytest.mark.parametrize("fails", [False, True])
def test_the_threads_floating_point_mode_is_left_as_it_was(isa, problem, fails):
    # Kernels may treat subnormal numbers as zeros, but not for the rest of the program.
    weights, inputs, targets, hprev = problem(19, 11, 3)
    if fails:
        weights[1][3, 3] = np.nan
    with pytest.raises(NumericalError) if fails else contextlib.nullcontext():
        native(weights, inputs, targets, hprev)
    subnormal = np.full(9, np.finfo(np.float64).smallest_subnormal)
    np.testing.assert_array_equal(subnormal + subnormal, 1e-323)
    assert (subnormal * 1.0 != 0).all()


# ---- what goes in ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", range(5))
def test_weights_changed_in_place_are_seen(isa, problem, which):
    weights, inputs, targets, hprev = problem(19, 11, 3)
    lossFun, _ = min_char_rnn.bind(*weights)
    before = lossFun(inputs, targets, hprev)
    weights[which] *= 2
    after = lossFun(inputs, targets, hprev)
    assert_same_bits(after, native([w.copy() for w in weights], inputs, targets, hprev))
    assert after[0] != before[0]


def test_read_only_arrays_are_read(isa, problem):
    weights, *sequence = problem(19, 11, 3)
    expected = native(weights, *sequence)
    for a in (*weights, *sequence):
        a.flags.writeable = False
    assert_same_bits(native(weights, *sequence), expected)


INTEGERS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">i4", ">u8"]
FORMS = {
    "list": list,
    "tuple": tuple,
    "range": lambda a: range(a[0], a[-1] + 2, 2),
    "list of NumPy integers": lambda a: list(np.array(a, np.int16)),
    "every second": lambda a: np.repeat(a, 2)[::2],
    "backwards": lambda a: np.array(a[::-1])[::-1],
    "column": lambda a: np.array([a, a]).T[:, 0],
} | {name: lambda a, name=name: np.array(a, name) for name in INTEGERS}


@pytest.mark.parametrize("form", FORMS)
def test_characters_in_any_form(isa, problem, form):
    weights, _, _, hprev = problem(19, 11, 1)
    inputs, targets = [1, 3, 5, 7, 9], [2, 4, 6, 8, 10]
    expected = native(weights, np.array(inputs), np.array(targets), hprev)
    convert = FORMS[form]
    assert_same_bits(native(weights, convert(inputs), targets, hprev), expected)
    assert_same_bits(native(weights, inputs, convert(targets), hprev), expected)


STATES = {
    "column of a matrix": lambda h: np.hstack([h, -h, h])[:, 0:1],
    "backwards": lambda h: h[::-1].copy()[::-1],
    "Fortran order": np.asfortranarray,
    "nested lists": np.ndarray.tolist,
    "float64": np.float64,
    "float32": np.float32,
    "float16": np.float16,
    "other bytes": lambda h: h.astype(h.dtype.newbyteorder()),
}


@pytest.mark.parametrize("form", STATES)
def test_a_state_in_any_form(isa, dtype, problem, form):
    weights, inputs, targets, hprev = problem(19, 11, 3)
    hprev = hprev.astype(np.float16).astype(dtype)  # representable in all of them
    expected = native(weights, inputs, targets, hprev)
    assert_same_bits(native(weights, inputs, targets, STATES[form](hprev)), expected)


# ---- batches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("B", [1, 2, 3, 4, 5, 6, 7, 8, 9, 33])
def test_a_batch_is_the_sum_of_its_sequences(isa, dtype, problem, B):
    H, V, T = 19 + B, 40 - B, 6
    weights = problem(H, V, T)[0]
    inputs, targets = np.random.default_rng(B).integers(V, size=(2, T, B))
    hprev = np.random.default_rng(B).uniform(-1, 1, (B, H)).astype(dtype)
    loss, *gradients, h_last = native(weights, inputs, targets, hprev, clip=INF)

    expected = [exact(weights, inputs[:, b], targets[:, b], hprev[b].reshape(H, 1), clip=INF) for b in range(B)]
    assert loss == pytest.approx(sum(results[0] for results in expected), rel=TOLERANCE[dtype])
    for i, gradient in enumerate(gradients, start=1):
        total = sum(results[i] for results in expected)
        assert np.abs(gradient - total).max() <= TOLERANCE[dtype] * np.abs(total).max(), RESULTS[i]
    assert h_last.shape == (B, H)
    assert np.abs(h_last - np.hstack([results[6] for results in expected]).T).max() <= TOLERANCE[dtype]


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_batch_in_either_order(isa, dtype, problem, order):
    weights = problem(19, 11, 1)[0]
    inputs, targets = np.random.default_rng(0).integers(11, size=(2, 5, 3))
    hprev = np.random.default_rng(0).uniform(-1, 1, (3, 19)).astype(dtype)
    expected = native(weights, inputs, targets, hprev)
    given = (np.array(a, order=order) for a in (inputs, targets, hprev))
    assert_same_bits(native(weights, *given), expected)
    assert expected[6].shape == (3, 19)

"""softmax_cross_entropy against NumPy: the loss, and softmax(logits) - onehot(targets) left in place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastrnn import NumericalError
from fastrnn._core import softmax_cross_entropy

TOLERANCE = {np.float32: 1e-6, np.float64: 2e-15}


def exact(logits, targets):
    """The loss of each row, and the gradient, in long double."""
    y = logits.astype(np.longdouble)
    with np.errstate(invalid="ignore"):
        y = y - y.max(axis=1, keepdims=True)
        log_p = y - np.log(np.exp(y).sum(axis=1, keepdims=True))
    rows = np.arange(len(y))
    gradient = np.exp(log_p)
    gradient[rows, targets] -= 1
    return -log_p[rows, targets], gradient


def assert_agrees(logits, targets):
    tolerance = TOLERANCE[logits.dtype.type]
    losses, expected = exact(logits, targets)
    actual = logits.copy()
    loss = softmax_cross_entropy(actual, targets)
    assert type(loss) is float
    assert abs(loss - losses.sum()) <= tolerance * (losses.sum() + len(logits))
    assert np.abs(actual - expected).max() <= tolerance


@pytest.mark.parametrize("V", range(1, 68))
def test_every_width(isa, dtype, V):
    rng = np.random.default_rng(V)
    N = V % 5 + 1
    assert_agrees(rng.normal(size=(N, V)).astype(dtype), rng.integers(V, size=N))


def test_many_rows(isa, dtype):
    rng = np.random.default_rng(0)
    assert_agrees(rng.normal(scale=0.1, size=(2000, 90)).astype(dtype), rng.integers(90, size=2000))


@settings(max_examples=200)
@given(
    N=st.integers(1, 20),
    V=st.integers(1, 100),
    scale=st.sampled_from([0.0, 1e-3, 1.0, 10.0, 1e3, 1e5, 1e30]),
    shift=st.sampled_from([0.0, 100.0, -1e4]),
    seed=st.integers(0, 2**32 - 1),
)
def test_logits_of_any_size(isa, dtype, N, V, scale, shift, seed):
    rng = np.random.default_rng(seed)
    logits = (rng.normal(scale=scale, size=(N, V)) + shift).astype(dtype)
    assert_agrees(logits, rng.integers(V, size=N))


@pytest.mark.parametrize("position", range(35))
def test_the_largest_at_every_position(isa, dtype, position):
    logits = np.zeros((2, 35), dtype)
    logits[:, position] = 200  # e^200 overflows float32: nobody but the largest may be subtracted
    assert_agrees(logits * dtype(5), np.array([position, 34 - position]))


@pytest.mark.parametrize("target", range(19))
def test_every_target(isa, dtype, target):
    assert_agrees(np.linspace(-2, 3, 19).astype(dtype).reshape(1, 19), [target])


def test_minus_infinity_has_probability_0(isa, dtype):
    for V in range(2, 68):
        logits = np.ones((1, V), dtype)
        logits[0, V // 2] = -np.inf
        assert_agrees(logits, [0 if V > 3 else V // 2 - 1])
        softmax_cross_entropy(logits, [0])
        assert logits[0, V // 2] == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_is_an_error(isa, dtype, bad):
    for V in (1, 2, 3, 7, 16, 17, 40):
        for position in range(V):
            logits = np.zeros((2, V), dtype)
            logits[1, position] = bad
            with pytest.raises(NumericalError, match="the loss is nan"):
                softmax_cross_entropy(logits, [0, 0])


def test_an_impossible_target_is_an_error(isa, dtype):
    logits = np.array([[0, -np.inf, 1]], dtype)
    with pytest.raises(NumericalError, match="the loss is inf"):
        softmax_cross_entropy(logits, [1])
    with pytest.raises(NumericalError, match="the loss is nan"):  # no largest logit to subtract
        softmax_cross_entropy(np.full((1, 5), -np.inf, dtype), [1])


def test_rows_do_not_depend_on_each_other(isa, dtype):
    logits = np.random.default_rng(0).normal(size=(9, 21)).astype(dtype)
    targets = np.arange(9)
    rows = [logits[i : i + 1].copy() for i in range(9)]
    total = sum(softmax_cross_entropy(row, targets[i : i + 1]) for i, row in enumerate(rows))
    assert softmax_cross_entropy(logits, targets) == pytest.approx(total, rel=1e-15)
    assert logits.tobytes() == np.vstack(rows).tobytes()

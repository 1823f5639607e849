"""The losses against NumPy and against PyTorch: the value, and the gradient with respect to the first argument."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastrnn
from fastrnn import NumericalError, reference
from fastrnn.reference import losses as reference_losses

NAMES = ["softmax_cross_entropy", "sigmoid_binary_cross_entropy", "mean_squared_error"]
DENSE = NAMES[1:]
TORCHS = {
    "softmax_cross_entropy": "cross_entropy",
    "sigmoid_binary_cross_entropy": "binary_cross_entropy_with_logits",
    "mean_squared_error": "mse_loss",
}
SHAPES = [(1, 1), (7, 5), (3, 4, 5), (1, 67), (130, 1), (2, 3, 1, 33)]
TOLERANCE = {np.float32: 1e-6, np.float64: 2e-15}  # of the largest term, which is a probability and a target, or larger

each_loss = pytest.mark.parametrize("name", NAMES)
each_reduction = pytest.mark.parametrize("reduction", ["sum", "mean"])


def problem(name, shape, dtype, seed=0, scale=3.0):
    rng = np.random.default_rng(seed)
    outputs = rng.normal(scale=scale, size=shape).astype(dtype)
    if name == "softmax_cross_entropy":
        return outputs, rng.integers(shape[-1], size=shape[:-1])
    targets = rng.random(shape)
    targets[rng.random(shape) < 0.5] = 0
    targets[rng.random(shape) < 0.3] = 1
    return outputs, targets.astype(dtype)


def assert_agrees(name, outputs, targets, reduction, dtype):
    before = outputs.tobytes(), targets.tobytes()
    loss, gradient = getattr(fastrnn, name)(outputs, targets, reduction)
    assert (outputs.tobytes(), targets.tobytes()) == before
    assert type(loss) is float
    assert (gradient.dtype, gradient.shape) == (dtype, outputs.shape)
    assert gradient.flags.c_contiguous
    wide = outputs.astype(np.longdouble)
    expected_loss, expected = getattr(reference, name)(wide, targets, reduction)
    terms = np.abs(outputs).sum() + outputs.size
    assert abs(loss - expected_loss) <= TOLERANCE[dtype] * max(expected_loss, terms / divisor(name, outputs, reduction))
    assert_gradient(name, gradient, expected, outputs, reduction, dtype)


def divisor(name, outputs, reduction):
    count = outputs.size // outputs.shape[-1] if name == "softmax_cross_entropy" else outputs.size
    return count if reduction == "mean" else 1


def assert_gradient(name, actual, expected, outputs, reduction, dtype):
    of_the_sum = divisor(name, outputs, reduction) * np.abs(expected).max()
    atol = TOLERANCE[dtype] * max(1, of_the_sum) / divisor(name, outputs, reduction)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=float(atol))


@each_loss
@each_reduction
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_references_loss_and_gradient(isa, dtype, name, reduction, shape):
    assert_agrees(name, *problem(name, shape, dtype), reduction, dtype)


@each_loss
@given(
    rows=st.integers(1, 9),
    columns=st.integers(1, 70),
    scale=st.sampled_from([0.0, 1e-3, 1.0, 30.0, 1e3]),
    reduction=st.sampled_from(["sum", "mean"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_outputs_of_any_size(isa, dtype, name, rows, columns, scale, reduction, seed):
    assert_agrees(name, *problem(name, (rows, columns), dtype, seed, scale), reduction, dtype)


@each_loss
@each_reduction
def test_the_gradient_is_the_losss_derivative(name, reduction):
    """Central differences in float64."""
    outputs, targets = problem(name, (3, 4), np.float64)
    loss = getattr(fastrnn, name)
    _, gradient = loss(outputs, targets, reduction)
    step = 1e-5
    for position in np.ndindex(outputs.shape):
        above, below = outputs.copy(), outputs.copy()
        above[position] += step
        below[position] -= step
        slope = (loss(above, targets, reduction)[0] - loss(below, targets, reduction)[0]) / (2 * step)
        assert gradient[position] == pytest.approx(slope, rel=1e-6, abs=1e-8)


@each_loss
@each_reduction
@pytest.mark.parametrize("shape", [(7, 5), (3, 4, 5), (40, 67)], ids=str)
def test_pytorchs_loss_and_gradient(isa, dtype, name, reduction, shape):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    outputs, targets = problem(name, shape, dtype)
    tensor = torch.from_numpy(outputs.copy()).requires_grad_()
    x, t = tensor, torch.from_numpy(targets)
    if name == "softmax_cross_entropy":
        x, t = x.reshape(-1, shape[-1]), t.reshape(-1)
    expected = getattr(torch.nn.functional, TORCHS[name])(x, t, reduction=reduction)
    expected.backward()
    loss, gradient = getattr(fastrnn, name)(outputs, targets, reduction)
    assert loss == pytest.approx(expected.item(), rel=4 * TOLERANCE[dtype])  # PyTorch sums in float32
    assert_gradient(name, gradient, tensor.grad.numpy(), outputs, reduction, dtype)


@each_loss
def test_the_mean_is_the_default(name):
    outputs, targets = problem(name, (6, 5), np.float64)
    loss, gradient = getattr(fastrnn, name)(outputs, targets)
    total, gradient_of_total = getattr(fastrnn, name)(outputs, targets, reduction="sum")
    count = 6 if name == "softmax_cross_entropy" else 30
    assert loss == pytest.approx(total / count, rel=1e-15)
    np.testing.assert_allclose(gradient, gradient_of_total / count, rtol=1e-15)


def test_a_confident_and_right_prediction_still_loses_a_little(isa, dtype):
    """ln(1 + e^-|x|) is not rounded to 0, though 1 + e^-|x| is rounded to 1."""
    for x in (1.0, 17.0, 40.0, 80.0):
        for logit, target in ((x, 1), (-x, 0)):
            loss, _ = fastrnn.sigmoid_binary_cross_entropy(np.full(3, logit, dtype), [target] * 3)
            assert loss == pytest.approx(math.log1p(math.exp(-x)), rel=8 * float(np.finfo(dtype).eps))


def test_the_largest_logits_do_not_overflow(isa, dtype):
    largest = np.finfo(dtype).max
    loss, gradient = fastrnn.sigmoid_binary_cross_entropy(np.array([largest, -largest], dtype), [1, 0], "sum")
    assert loss == 0
    np.testing.assert_array_equal(gradient, [0, 0])
    loss, gradient = fastrnn.sigmoid_binary_cross_entropy(np.array([1e4, -1e4], dtype), [0, 1], "sum")
    assert loss == 2e4
    np.testing.assert_array_equal(gradient, [1, -1])


def test_squares_beyond_float32_are_summed(isa):
    loss, _ = fastrnn.mean_squared_error(np.array([1e30, 0], np.float32), [0, 0])
    assert loss == pytest.approx(5e59, rel=1e-6)


@pytest.mark.parametrize("name", DENSE)
def test_targets_may_be_any_real_numbers(dtype, name):
    outputs, _ = problem(name, (3, 4), dtype)
    targets = np.random.default_rng(0).integers(2, size=(3, 4))
    expected = getattr(fastrnn, name)(outputs, targets.astype(dtype))
    for same in (targets, targets.astype(bool), targets.tolist(), np.asfortranarray(targets), targets.astype(">f8")):
        loss, gradient = getattr(fastrnn, name)(outputs, same)
        assert (loss, gradient.tobytes()) == (expected[0], expected[1].tobytes())


@each_loss
def test_outputs_may_be_views(dtype, name):
    outputs, targets = problem(name, (6, 5), dtype)
    expected = getattr(fastrnn, name)(outputs, targets)
    wide = np.zeros((6, 10), dtype)
    wide[:, ::2] = outputs
    for same in (wide[:, ::2], np.asfortranarray(outputs)):
        loss, gradient = getattr(fastrnn, name)(same, targets)
        assert (loss, gradient.tobytes()) == (expected[0], expected[1].tobytes())


def test_classes_may_be_lists_and_of_any_integer_type(dtype):
    logits, targets = problem("softmax_cross_entropy", (3, 4, 5), dtype)
    expected, _ = fastrnn.softmax_cross_entropy(logits, targets)
    for same in (targets.tolist(), targets.astype(np.uint8), np.asfortranarray(targets)):
        assert fastrnn.softmax_cross_entropy(logits, same)[0] == expected
    assert fastrnn.softmax_cross_entropy(logits[0, 0], targets[0, 0])[0] > 0  # one row alone


def test_one_number_alone(dtype):
    loss, gradient = fastrnn.mean_squared_error(np.array(3, dtype), 1)
    assert (loss, gradient.shape, gradient[()]) == (4, (), 4)


# ---- wrong arguments ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@each_loss
def test_a_loss_that_is_not_finite_is_an_error(isa, dtype, name, bad):
    for position in range(0, 37, 3):
        outputs, targets = problem(name, (1, 37), dtype)
        outputs[0, position] = bad
        if name == "softmax_cross_entropy":
            targets[0] = position
        with pytest.raises(NumericalError, match=r"^the loss is (nan|inf)"):
            getattr(fastrnn, name)(outputs, targets)
        with np.errstate(all="ignore"), pytest.raises(NumericalError, match=r"^the loss is (nan|inf)"):
            getattr(reference_losses, name)(outputs, targets)


FIRST = {name: "outputs" if name == "mean_squared_error" else "logits" for name in NAMES}


@each_loss
def test_wrong_outputs_are_refused(name):
    _, targets = problem(name, (3, 4), np.float64)
    for value, error, message in [
        ([[1.0]], TypeError, "must be a NumPy array, not list"),
        (np.zeros((3, 4), int), TypeError, "must be float64 or float32, not int64: convert it with"),
        (np.zeros((3, 4), np.float16), TypeError, "must be float64 or float32, not float16: convert it with"),
        (np.zeros((3, 0)), ValueError, "must hold at least one number, and has shape (3, 0)"),
        (np.zeros((0, 4)), ValueError, "must hold at least one number, and has shape (0, 4)"),
    ]:
        with pytest.raises(error, match=f"^{FIRST[name]} {re.escape(message)}"):
            getattr(fastrnn, name)(value, targets)


@pytest.mark.parametrize("name", DENSE)
def test_wrong_targets_are_refused(name):
    outputs, targets = problem(name, (3, 4), np.float64)
    for value, error, message in [
        (targets[:2], ValueError, "targets must have shape (3, 4), not (2, 4)"),
        (targets + 0j, TypeError, "targets must be real numbers, not complex128"),
        ([["a"] * 4] * 3, TypeError, "targets must be real numbers, not <U1"),
    ]:
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            getattr(fastrnn, name)(outputs, value)


@pytest.mark.parametrize("bad", [-0.001, 1.001, math.nan, math.inf])
def test_targets_outside_0_1_are_refused(isa, dtype, bad):
    for position in range(12):
        logits, targets = problem("sigmoid_binary_cross_entropy", (3, 4), dtype)
        targets[divmod(position, 4)] = bad
        message = f"targets must be in [0, 1], and targets[{position // 4}, {position % 4}] is {dtype(bad)}"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            fastrnn.sigmoid_binary_cross_entropy(logits, targets)


def test_wrong_classes_are_refused():
    logits, targets = problem("softmax_cross_entropy", (3, 4), np.float64)
    for value, error, message in [
        (targets[:2], ValueError, "targets must have shape (3,), that of logits without its last axis, not (2,)"),
        (targets * 1.0, TypeError, "targets must be integers, not float64"),
        (targets > 0, TypeError, "targets must be integers, not bool"),
        ([0, 4, 1], IndexError, "targets[1] is 4, outside [0, 4): logits have 4 classes"),
        ([0, 1, -1], IndexError, "targets[2] is -1, outside [0, 4): logits have 4 classes"),
    ]:
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            fastrnn.softmax_cross_entropy(logits, value)
    with pytest.raises(ValueError, match=r"^logits must have shape \(\.\.\., V\)"):
        fastrnn.softmax_cross_entropy(np.array(1.0), 0)


@each_loss
@pytest.mark.parametrize("reduction", ["none", "", None, 3])
def test_an_unknown_reduction_is_refused(name, reduction):
    outputs, targets = problem(name, (3, 4), np.float64)
    with pytest.raises(ValueError, match=re.escape(f'reduction must be "sum" or "mean", not {reduction!r}')):
        getattr(fastrnn, name)(outputs, targets, reduction)

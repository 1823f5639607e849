"""Gradients clipped by value and by norm, against NumPy and against PyTorch."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastrnn
from fastrnn import NumericalError, _core, reference
from fastrnn._core import clip
from fastrnn.layer import Layer

SHAPES = [(n,) for n in range(68)] + [(5, 13), (3, 5, 7), (1, 1), (0, 4), ()]


# ---- clip -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("limit", [0.1, 5.0, float("inf")])
def test_clip_is_numpys(isa, dtype, shape, limit):
    x = np.random.default_rng(0).normal(scale=5, size=shape).astype(dtype)
    expected = np.clip(x, -dtype(limit), dtype(limit))
    clip(x, limit)
    assert x.shape == shape
    assert x.tobytes() == expected.tobytes()


@pytest.mark.parametrize("limit", [5.0, float("inf")])
def test_clip_of_special_values(isa, dtype, limit):
    values = [np.nan, np.inf, -np.inf, 0.0, -0.0, 5.0, -5.0, np.nextafter(dtype(5), dtype(6)), 1e-45, -3e38]
    for n in range(1, 40):  # each value at every position of a register
        x = np.resize(np.array(values, dtype), n)
        expected = np.clip(x, -dtype(limit), dtype(limit))
        clip(x, limit)
        np.testing.assert_array_equal(x, expected)
        np.testing.assert_array_equal(np.signbit(x), np.signbit(expected))


# ---- scale and norm -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("factor", [0.37, -2.0, 0.0, 1e30])
def test_scale_is_numpys(isa, dtype, shape, factor):
    x = np.random.default_rng(0).normal(scale=5, size=shape).astype(dtype)
    expected = x * dtype(factor)
    _core.scale(x, factor)
    assert x.tobytes() == np.asarray(expected).tobytes()


@given(
    n=st.integers(0, 200),
    exponent=st.floats(-320, 300),
    spread=st.sampled_from([0.0, 3.0, 40.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_norm_is_the_root_of_the_sum_of_squares(isa, dtype, n, exponent, spread, seed):
    """From numbers whose squares vanish to numbers whose squares overflow."""
    rng, info = np.random.default_rng(seed), np.finfo(dtype)
    exponents = np.clip(exponent + rng.uniform(-spread, spread, n), np.log10(info.tiny) - 3, np.log10(info.max) - 2)
    x = (10.0**exponents * rng.choice([-1, 1], n)).astype(dtype)
    exact = float(np.sqrt((x.astype(np.longdouble) ** 2).sum()))
    assert _core.norm(x) == pytest.approx(exact, rel=1e-14, abs=1e-322)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_norm_of_special_values(isa, dtype, bad):
    for n in range(1, 40):
        for position in range(n):
            x = np.ones(n, dtype)
            x[position] = bad
            assert _core.norm(x) == math.inf if math.isinf(bad) else math.isnan(_core.norm(x))


def test_scale_and_norm_refuse():
    for value, error, message in [
        ([1.0], TypeError, "x must be a NumPy array, not list"),
        (np.zeros(3, int), TypeError, "x must be float64 or float32, not int64"),
        (np.zeros((3, 3))[:, 0], ValueError, "x must be C-contiguous"),
    ]:
        for function in (_core.norm, lambda x: _core.scale(x, 2.0), lambda x: clip(x, 2.0)):
            with pytest.raises(error, match=f"^{re.escape(message)}"):
                function(value)
    fixed = np.ones(3)
    fixed.flags.writeable = False
    assert _core.norm(fixed) == math.sqrt(3)
    with pytest.raises(ValueError, match=r"^x is read-only"):
        _core.scale(fixed, 2.0)
    for factor in (math.nan, math.inf):
        with pytest.raises(ValueError, match=f"^factor must be finite, not {factor}"):
            _core.scale(np.ones(3), factor)


# ---- the gradients of layers ----------------------------------------------------------------------------------------


def layers_with_gradients(dtype, scale=1.0):
    rng = np.random.default_rng(0)
    layers = [
        Layer({"weight": (7, 5), "bias": (7,)}, dtype, rng.standard_normal),
        Layer({"bias": (3,)}, dtype, np.ones),
    ]
    for layer in layers:
        layer.flat_gradients[:] = rng.normal(scale=scale, size=layer.flat_gradients.shape)
    return layers


def gradients(layers):
    return np.concatenate([layer.flat_gradients for layer in layers])


@pytest.mark.parametrize("module", [fastrnn, reference], ids=["fastrnn", "reference"])
def test_values_are_clipped_in_every_layer(isa, dtype, module):
    layers = layers_with_gradients(dtype)
    expected = np.clip(gradients(layers), -dtype(0.5), dtype(0.5))
    assert module.clip_gradient_value(layers, 0.5) is None
    np.testing.assert_array_equal(gradients(layers), expected)
    assert np.abs(layers[0].gradients["weight"]).max() == 0.5
    module.clip_gradient_value(layers[0], 0.25)
    assert np.abs(gradients(layers[:1])).max() == 0.25
    assert np.abs(gradients(layers[1:])).max() == 0.5


@pytest.mark.parametrize("module", [fastrnn, reference], ids=["fastrnn", "reference"])
@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 1e4])
def test_the_norm_is_taken_over_all_layers(isa, dtype, module, scale):
    layers = layers_with_gradients(dtype, scale)
    before = gradients(layers).astype(np.float64)
    norm = module.clip_gradient_norm(layers, 1.5)
    assert type(norm) is float
    assert norm == pytest.approx(np.linalg.norm(before), rel=1e-14)
    expected = before * min(1, 1.5 / (norm + 1e-6))
    np.testing.assert_allclose(gradients(layers), expected, rtol=2 * np.finfo(dtype).eps)
    if norm <= 1.5 - 1e-6:
        assert (gradients(layers) == before).all()


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 1e4])
def test_clipping_is_pytorchs(isa, dtype, scale):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    layers = layers_with_gradients(dtype, scale)
    tensors = [torch.zeros(each.flat_gradients.size, dtype=getattr(torch, np.dtype(dtype).name)) for each in layers]
    for tensor, layer in zip(tensors, layers, strict=True):
        tensor.grad = torch.from_numpy(layer.flat_gradients.copy())
    rounding = {"rtol": 16 * np.finfo(dtype).eps}
    expected = torch.nn.utils.clip_grad_norm_(tensors, 2.0, foreach=False)
    np.testing.assert_allclose(fastrnn.clip_gradient_norm(layers, 2.0), float(expected), **rounding)
    np.testing.assert_allclose(gradients(layers), np.concatenate([t.grad for t in tensors]), **rounding)
    torch.nn.utils.clip_grad_value_(tensors, 0.1 * scale, foreach=False)
    fastrnn.clip_gradient_value(layers, 0.1 * scale)
    np.testing.assert_allclose(gradients(layers), np.concatenate([t.grad for t in tensors]), **rounding)


def test_a_norm_beyond_the_squares_of_float32(isa):
    """Where the sum of squares overflows float32, or float64, the norm is clipped all the same."""
    for dtype, size in ((np.float32, 1e30), (np.float64, 1e200)):
        layers = layers_with_gradients(dtype, size)
        before = gradients(layers)
        norm = fastrnn.clip_gradient_norm(layers, 1.0)
        assert norm == pytest.approx(size * np.linalg.norm(before.astype(float) / size), rel=1e-12)
        assert np.linalg.norm(gradients(layers)) == pytest.approx(1, rel=1e-5)


def test_an_infinite_limit_measures_only(isa, dtype):
    layers = layers_with_gradients(dtype)
    before = gradients(layers)
    assert fastrnn.clip_gradient_norm(layers, math.inf) == pytest.approx(np.linalg.norm(before.astype(float)))
    fastrnn.clip_gradient_value(layers, math.inf)
    np.testing.assert_array_equal(gradients(layers), before)


def test_gradients_of_zero_stay_zero(isa, dtype):
    layers = layers_with_gradients(dtype, 0.0)
    assert fastrnn.clip_gradient_norm(layers, 1.0) == 0
    assert not gradients(layers).any()


@pytest.mark.parametrize("module", [fastrnn, reference], ids=["fastrnn", "reference"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_norm_that_is_not_finite_names_its_cause_and_changes_nothing(isa, dtype, module, bad):
    layers = layers_with_gradients(dtype, 100.0)
    layers[0].gradients["bias"][3] = bad
    before = gradients(layers).tobytes()
    message = f"the norm of the gradients is {abs(bad)}: NaN or infinity in bias of layers[0]; "
    with pytest.raises(NumericalError, match=f"^{re.escape(message)}.*lower the learning rate"):
        module.clip_gradient_norm(layers, 1.0)
    layers[1].gradients["bias"][0] = bad
    with pytest.raises(NumericalError, match=re.escape("in bias of layers[0], bias of layers[1]")):
        module.clip_gradient_norm(layers, 1.0)
    layers[1].gradients["bias"][0] = np.frombuffer(before, dtype)[-3]
    assert gradients(layers).tobytes() == before


def test_a_norm_larger_than_any_float64():
    layers = layers_with_gradients(np.float64)
    layers[0].flat_gradients[:] = 1.7e308
    with pytest.raises(NumericalError, match="is inf, larger than a float64 can be"):
        fastrnn.clip_gradient_norm(layers, 1.0)


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        (fastrnn.clip_gradient_value, "limit"),
        (fastrnn.clip_gradient_norm, "max_norm"),
        (reference.clip_gradient_value, "limit"),
        (reference.clip_gradient_norm, "max_norm"),
    ],
)
def test_wrong_arguments_are_refused(function, argument):
    layers = layers_with_gradients(np.float32)
    before = gradients(layers).tobytes()
    for value, error, message in [
        (0, ValueError, "must be positive, not 0"),
        (-1.5, ValueError, "must be positive, not -1.5"),
        (math.nan, ValueError, "must be positive, not nan"),
        ("1", TypeError, "must be a real number, not str"),
    ]:
        with pytest.raises(error, match=f"^{argument} {re.escape(message)}$"):
            function(layers, value)
    with pytest.raises(TypeError, match=r"^layers must be a layer or a sequence of layers, not NoneType"):
        function(None, 1.0)
    with pytest.raises(ValueError, match=r"^layers\[0\] and layers\[1\] are the same layer"):
        function([layers[0], layers[0]], 1.0)
    assert gradients(layers).tobytes() == before

"""exp, tanh and sigmoid: within 4 ulp of the true value over the whole range, at every position of an array."""

from functools import cache

import mpmath
import numpy as np
import pytest

from fastrnn import _core

LIMIT = 4  # ulp
NATIVE = {"exp": _core.exp, "tanh": _core.tanh, "sigmoid": _core.sigmoid}


def sigmoid(x):
    """From e^-|x|, which never overflows, so that the far left end is exact too."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


NUMPY = {"exp": np.exp, "tanh": np.tanh, "sigmoid": sigmoid}
MPMATH = {"exp": mpmath.exp, "tanh": mpmath.tanh, "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x))}


@pytest.fixture(params=NATIVE)
def name(request):
    return request.param


def native(name, x):
    out = np.empty_like(x)
    NATIVE[name](x, out)
    return out


def worst_ulp(actual, exact):
    """The largest distance from the exact values (of a wider type), in ulp of the exact value.

    At a power of two, where the ulp changes, the smaller one counts. Infinity must stand just where rounding to
    nearest gives infinity.
    """
    with np.errstate(over="ignore"):
        rounded = exact.astype(actual.dtype)
    np.testing.assert_array_equal(np.isinf(actual), np.isinf(rounded))
    finite = np.isfinite(rounded)
    ulp = np.spacing(np.nextafter(np.abs(rounded[finite]), actual.dtype.type(0)))
    distance = np.abs(actual[finite].astype(exact.dtype) - exact[finite]) / ulp.astype(exact.dtype)
    assert (distance >= 0).all()  # no NaN
    return float(distance.max())


def borders(dtype):
    """Where the functions change their course: the ends of the range, and halfway between multiples of ln 2."""
    info = np.finfo(dtype)
    powers = np.array([info.maxexp, info.minexp, info.minexp - info.nmant, info.minexp - info.nmant - 1])
    halves = np.arange(info.minexp - info.nmant - 1, info.maxexp + 1) + 0.5
    ends = np.concatenate([powers, halves]) * np.log(2)
    ends = np.concatenate([ends, -ends, ends / 2, [1, 10, 20, 22, 89, 105, 710, 746]]).astype(dtype)
    around = ends[:, None] + np.arange(-3, 4) * np.spacing(ends)[:, None]
    return around.ravel().astype(dtype)


@cache
def points(dtype, count):
    """`count` numbers of each kind: any bit pattern, the range where the functions bend, subnormals, and borders."""
    rng = np.random.default_rng(count)
    info = np.finfo(dtype)
    bits = rng.integers(0, 2 ** (8 * info.dtype.itemsize), count, dtype=f"u{info.dtype.itemsize}", endpoint=False)
    below = (info.minexp - info.nmant - 4) * np.log(2)
    kinds = [
        bits.view(dtype),
        rng.uniform(below, -below, count),
        rng.uniform(-20, 20, count),
        rng.uniform(-1, 1, count),
        rng.uniform(-2, 2, count) * info.smallest_normal,
        np.ldexp(rng.uniform(-1, 1, count), rng.integers(info.minexp, 4, count)),
        rng.choice(borders(dtype), count),
        [0.0, info.smallest_subnormal, info.smallest_normal, info.max, -info.max],
    ]
    x = np.concatenate([np.asarray(kind).astype(dtype) for kind in kinds])
    return x[np.isfinite(x)]


@cache
def exact(name, dtype, count, wide):
    x = points(dtype, count)
    with np.errstate(over="ignore", under="ignore"):
        if wide is not mpmath:
            return NUMPY[name](x.astype(wide))
    with mpmath.workprec(200):
        return np.array([MPMATH[name](mpmath.mpf(float(value))) for value in x])


def check_against(isa, name, dtype, count, wide, record_property):
    worst = worst_ulp(native(name, points(dtype, count)), exact(name, dtype, count, wide))
    record_property("ulp", worst)
    print(f"{name}, {np.dtype(dtype)}, {isa}: at most {worst:.3f} ulp from {wide.__name__}")
    assert worst <= LIMIT, f"{name} is {worst:.3f} ulp off"


def test_float32_against_float64(isa, name, record_property):
    check_against(isa, name, np.float32, 200_000, np.float64, record_property)


def test_float64_against_long_double(isa, name, record_property):
    if np.finfo(np.longdouble).nmant < 60:
        pytest.skip("long double is float64 on this machine: mpmath alone is the measure")
    check_against(isa, name, np.float64, 100_000, np.longdouble, record_property)


def test_against_mpmath(isa, dtype, name, record_property):
    check_against(isa, name, dtype, 600, mpmath, record_property)


@pytest.mark.parametrize("value", [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 3e38, -3e38])
def test_special_values_are_numpys(isa, dtype, name, value):
    x = np.full(19, value, dtype)
    with np.errstate(over="ignore", under="ignore"):
        expected = NUMPY[name](x)
    actual = native(name, x)
    np.testing.assert_array_equal(actual, expected)
    np.testing.assert_array_equal(np.signbit(actual)[expected == 0], np.signbit(expected)[expected == 0])


def test_a_value_does_not_depend_on_its_position(isa, dtype, name):
    x = np.random.default_rng(0).normal(scale=5, size=67).astype(dtype)
    alone = np.concatenate([native(name, x[i : i + 1]) for i in range(67)])
    for start in range(67):
        for end in range(start, 68):
            assert native(name, x[start:end]).tobytes() == alone[start:end].tobytes(), (start, end)


def test_in_place_and_in_many_dimensions(isa, dtype, name):
    x = np.random.default_rng(0).normal(size=(3, 5, 7)).astype(dtype)
    expected = native(name, x.ravel()).reshape(x.shape)
    assert native(name, x).tobytes() == expected.tobytes()
    NATIVE[name](x, x)
    assert x.tobytes() == expected.tobytes()


def test_nothing_past_the_end_is_written(isa, dtype, name):
    x = np.zeros(67, dtype)
    for n in range(68):
        out = np.full(n + 33, 7, dtype)
        NATIVE[name](x[:n], out[:n])
        assert (out[:n] != 7).all()
        assert (out[n:] == 7).all()

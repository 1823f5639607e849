"""clip and adagrad against NumPy."""

import numpy as np
import pytest

from fastrnn import min_char_rnn, reference
from fastrnn._core import adagrad, clip

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


# ---- adagrad --------------------------------------------------------------------------------------------------------


def adagrad_problem(shape, dtype):
    rng = np.random.default_rng(0)
    parameter, gradient, memory = rng.normal(size=shape), rng.normal(size=shape), rng.uniform(0, 2, shape)
    return tuple(np.array(a, dtype) for a in (parameter, gradient, memory))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_adagrad_is_the_references(isa, dtype, shape):
    parameter, gradient, memory = adagrad_problem(shape, dtype)
    before = gradient.copy()
    p, g, m = (np.array(a, np.float64) for a in (parameter, gradient, memory))
    reference.adagrad(p, g, m, 0.1)
    adagrad(parameter, gradient, memory, 0.1)
    assert parameter.shape == memory.shape == shape
    np.testing.assert_allclose(memory, m, rtol=2 * np.finfo(dtype).eps)
    np.testing.assert_allclose(parameter, p, rtol=2 * np.finfo(dtype).eps, atol=0.2 * np.finfo(dtype).eps)
    assert gradient.tobytes() == before.tobytes()


@pytest.mark.parametrize("learning_rate", [1e-4, 0.1, 3.0, 0.0, -0.1])
def test_fifty_steps(isa, dtype, learning_rate):
    eps = np.finfo(dtype).eps
    parameter, _, memory = adagrad_problem((37, 11), dtype)
    memory[:] = 0
    p, m = np.float64(parameter), np.float64(memory)
    rng = np.random.default_rng(1)
    for _ in range(50):
        gradient = rng.normal(scale=rng.choice([1e-6, 1e-2, 1, 5]), size=parameter.shape).astype(dtype)
        adagrad(parameter, gradient, memory, learning_rate)
        reference.adagrad(p, np.float64(gradient), m, learning_rate)
    # Each step rounds the memory once or twice, and the parameter once; its own size is at most the learning rate.
    np.testing.assert_allclose(memory, m, rtol=100 * eps)
    np.testing.assert_allclose(parameter, p, rtol=0, atol=100 * eps * (np.abs(p).max() + abs(learning_rate)))


def test_a_step_over_a_memory_of_any_size(isa, dtype):
    rng, info = np.random.default_rng(0), np.finfo(dtype)
    memory = (10 ** rng.uniform(-12, np.log10(info.max) - 1, 5003)).astype(dtype)
    gradient = (np.sqrt(memory) * rng.uniform(-1, 1, 5003)).astype(dtype)
    parameter = np.zeros(5003, dtype)
    p, g, m = (a.astype(np.longdouble) for a in (parameter, gradient, memory))
    reference.adagrad(p, g, m, 0.25)
    adagrad(parameter, gradient, memory, 0.25)
    np.testing.assert_allclose(memory, m, rtol=2 * info.eps)
    np.testing.assert_allclose(parameter, p, rtol=4 * info.eps)


@pytest.mark.parametrize("size", [1e-12, 1e-8, 1e-4])
def test_epsilon_is_inside_the_root(isa, dtype, size):
    parameter, gradient, memory = np.zeros(19, dtype), np.full(19, size, dtype), np.zeros(19, dtype)
    adagrad(parameter, gradient, memory, 1.0)
    np.testing.assert_allclose(parameter, -size / np.sqrt(size * size + 1e-8), rtol=8 * np.finfo(dtype).eps)


def test_adagrad_of_special_values(isa, dtype):
    large = np.sqrt(np.finfo(dtype).max) * dtype(4)  # its square is infinite
    values = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, large, -large, 1e-30, 1.0], dtype)
    # Every value as parameter with every value as gradient, over both memories, at many positions of a register.
    parameter, gradient, memory = (np.ravel(a) for a in np.meshgrid(values, values, np.array([0, 1, np.inf, np.nan])))
    parameter, gradient, memory = (np.tile(a, 3)[1:].astype(dtype) for a in (parameter, gradient, memory))
    p, m = parameter.copy(), memory.copy()
    with np.errstate(all="ignore"):
        reference.adagrad(p, gradient, m, dtype(0.1))
    adagrad(parameter, gradient, memory, 0.1)
    np.testing.assert_allclose(memory, m, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(parameter, p, rtol=4 * np.finfo(dtype).eps)


def test_a_read_only_gradient_is_read(isa, dtype):
    parameter, gradient, memory = adagrad_problem((5,), dtype)
    gradient.flags.writeable = False
    expected = parameter.copy()
    reference.adagrad(expected, gradient, memory.copy(), 0.1)
    adagrad(parameter, gradient, memory, 0.1)
    np.testing.assert_allclose(parameter, expected, rtol=4 * np.finfo(dtype).eps)


def test_the_public_name_is_the_kernel():
    assert min_char_rnn.adagrad is adagrad

"""lossFun's gradients against complex-step differentiation of a forward pass written for this file alone.

For a real function f that complex arithmetic continues, f'(x) = Im f(x + i e) / e up to O(e^2), without a difference
that would cancel: e may be 1e-30, and the derivative is right to rounding.
"""

import numpy as np
import pytest

from fastrnn import min_char_rnn, reference

TOLERANCE = {np.float32: 1e-4, np.float64: 1e-12}
NAMES = ("Wxh", "Whh", "Why", "bh", "by")
STEP = 1e-30


def loss(weights, inputs, targets, h):
    """The sum over t and b of -ln p_t[target]; inputs, targets (T, B), h (H, B)."""
    Wxh, Whh, Why, bh, by = weights
    one_hot = np.eye(Wxh.shape[1])
    total = 0
    for x, target in zip(inputs, targets, strict=True):
        h = np.tanh(Wxh @ one_hot[x].T + Whh @ h + bh)
        y = Why @ h + by
        total += np.sum(np.log(np.exp(y).sum(axis=0)) - (one_hot[target].T * y).sum(axis=0))
    return total


def complex_step(weights, inputs, targets, h):
    """The derivative of the loss by every element of every weight."""
    gradients = []
    weights = [w.astype(complex) for w in weights]
    for w in weights:
        gradient = np.empty(w.shape)
        for i in np.ndindex(w.shape):
            w[i] += 1j * STEP
            gradient[i] = loss(weights, inputs, targets, h).imag / STEP
            w[i] = w[i].real
        gradients.append(gradient)
    return gradients


def check(bind, random_network, H, V, T, B, dtype, scale):
    rng = np.random.default_rng(0)
    weights = list(vars(random_network(rng, H, V, dtype, scale)).values())
    inputs, targets = rng.integers(V, size=(2, T, B))
    hprev = rng.uniform(-1, 1, (B, H)).astype(dtype)

    lossFun, _ = bind(*weights, clip=float("inf"))
    sequence = (inputs[:, 0], targets[:, 0], hprev.T) if B == 1 else (inputs, targets, hprev)
    value, *actual, _ = lossFun(*sequence)
    in_float64 = [np.float64(w) for w in weights], inputs, targets, np.float64(hprev.T)
    assert value == pytest.approx(loss(*in_float64), rel=TOLERANCE[dtype])
    expected = complex_step(*in_float64)
    for name, a, e in zip(NAMES, actual, expected, strict=True):
        assert np.abs(a - e).max() <= TOLERANCE[dtype] * np.abs(e).max(), name


SHAPES = [(1, 2, 1), (1, 5, 4), (5, 2, 1), (4, 4, 8), (7, 9, 12), (17, 5, 3), (3, 17, 5)]


@pytest.mark.parametrize("scale", [0.1, 1.0])
@pytest.mark.parametrize(("H", "V", "T"), SHAPES)
def test_one_sequence(isa, dtype, random_network, H, V, T, scale):
    check(min_char_rnn.bind, random_network, H, V, T, 1, dtype, scale)


@pytest.mark.parametrize("B", [2, 3, 5])
def test_a_batch(isa, dtype, random_network, B):
    check(min_char_rnn.bind, random_network, 6, 5, 4, B, dtype, 1.0)


@pytest.mark.parametrize(("H", "V", "T"), SHAPES)
def test_the_reference(dtype, random_network, H, V, T):
    check(reference.bind, random_network, H, V, T, 1, dtype, 1.0)

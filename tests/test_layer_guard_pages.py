"""As test_guard_pages.py: every array that a layer reads or writes touches a page of memory that faults."""

import numpy as np
import pytest
from test_guard_pages import ALLOCATORS, SIZES, characters, check, numbers

import fastrnn

CELLS = [
    (fastrnn.RNN, {"nonlinearity": "relu"}),
    (fastrnn.GRU, {}),
    (fastrnn.GRU, {"reset_after": False}),
    (fastrnn.LSTM, {}),
]
every_cell = pytest.mark.parametrize(("kind", "options"), CELLS, ids=["relu", "gru", "gru-reset-before", "lstm"])


@pytest.fixture(params=ALLOCATORS)
def side(request):
    return request.param


def flat(*results):
    """The arrays of results, some of which are pairs of them, or None."""
    found = []
    for result in results:
        found += result if isinstance(result, tuple) else [] if result is None else [result]
    return found


@every_cell
@pytest.mark.parametrize("integers", [False, True])
def test_recurrent_layers(isa, dtype, side, kind, options, integers):
    """New arrays are guarded too: parameters, gradients and results."""
    for n in SIZES:
        units, inputs, T, B = n, 1 + n * 7 % 40, 1 + n % 3, 1 + n % 5
        two_way = n % 2 == 1
        states = (2 * (1 + two_way), B, units)
        pair = kind is fastrnn.LSTM

        def train(x, dy, h, lengths):
            layer = kind(inputs, units, 2, bidirectional=two_way, dropout=0.5, dtype=dtype, rng=0, **options)  # noqa: B023
            h = (h, h) if pair else h  # noqa: B023
            y, h_n, tape = layer.forward(x, h, lengths)
            dx, dh0 = layer.backward(tape, dy, h)
            called = layer(x, h, lengths)
            stepped = (None, None) if two_way else layer.step(x[0], h)  # noqa: B023
            return flat(y, h_n, dx, dh0, *called, *stepped, layer.flat_gradients)

        x = characters(inputs, T, B) if integers else numbers(T, B, inputs, dtype=dtype)
        lengths = 1 + np.arange(B)[::-1] % T
        check(
            train, [x, numbers(T, B, units * (1 + two_way), dtype=dtype), numbers(*states, dtype=dtype), lengths], side
        )


@every_cell
def test_a_large_vocabulary(isa, dtype, side, kind, options):
    """Of which single columns are read and written."""

    def train(x, dy):
        layer = kind(1000, 5, dtype=dtype, rng=0, **options)
        y, _, tape = layer.forward(x)
        layer.backward(tape, dy)
        return [y, layer.flat_gradients]

    for last in (0, 999):
        check(train, [np.array([[999, 0, last]]), numbers(1, 3, 5, dtype=dtype)], side)


def test_linear(isa, dtype, side):
    for n in SIZES:
        for N, inputs, outputs in [(1, n, 5), (7, 5, n), (2, n, n)]:

            def train(x, dy):
                layer = fastrnn.Linear(inputs, outputs, bias=n % 3 > 0, dtype=dtype, rng=0)  # noqa: B023
                y, tape = layer.forward(x)
                return [y, layer.backward(tape, dy), layer.flat_gradients]

            check(train, [numbers(N, inputs, dtype=dtype), numbers(N, outputs, dtype=dtype)], side)


def test_embedding(isa, dtype, side):
    for n in SIZES:

        def train(x, dy):
            layer = fastrnn.Embedding(7, n, dtype=dtype, rng=0)  # noqa: B023
            y, tape = layer.forward(x)
            layer.backward(tape, dy)
            return [y, layer.flat_gradients]

        check(train, [np.array([6, 0, 6]), numbers(3, n, dtype=dtype)], side)

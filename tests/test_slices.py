"""Products of float32 matrices on a matrix unit, each number in three bfloat16 slices: as exact as float32's own.

A linear layer over N rows has all three forms of product: y = x W^T, dx = dy W, dW = dy^T x. They run over every
instruction set, so that what is said of the unit is also said of the tiles that it replaces; where there is none, that
is left out.
"""

import multiprocessing
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from instruction_sets import kernels_of

import fastrnn
from fastrnn import reference

ROUNDING = 2.0**-24  # of float32

unit = pytest.mark.skipif("amx" not in fastrnn.cpu_info()["available"], reason="this machine has no matrix unit")


def products(x, W, dy):
    return products_of(fastrnn, x, W, dy)


def products_of(module, x, W, dy):
    """y, dx and dW of a float32 linear layer without a bias."""
    layer = module.Linear(W.shape[1], W.shape[0], bias=False, dtype="float32")
    layer.load_state_dict({"weight": W})
    y, tape = layer.forward(x)
    return {"y": y, "dx": layer.backward(tape, dy), "dW": layer.gradients["weight"]}


def exactly(x, W, dy):
    """The same in float64, and for each number the sum of the absolute values of its terms."""
    x, W, dy = (array.astype(np.float64) for array in (x, W, dy))
    pairs = {"y": (x, W.T), "dx": (dy, W), "dW": (dy.T, x)}
    return {name: (a @ b, np.abs(a) @ np.abs(b)) for name, (a, b) in pairs.items()}


def numbers(rng, shape, exponents):
    """Both signs, significands of all bits, and these exponents of 2, equally often."""
    low, high = exponents
    return np.ldexp(rng.uniform(-2, 2, shape), rng.integers(low, high + 1, shape)).astype(np.float32)


def random_arrays(N, inputs, outputs):
    rng = np.random.default_rng(0)
    return tuple(numbers(rng, shape, (-3, 3)) for shape in ((N, inputs), (outputs, inputs), (N, outputs)))


def median(values):
    return float(np.median(np.abs(values.astype(np.float64)))) if values.size else 0.0


def outcome(layer, x, lengths, dy):
    """Outputs, last states and all gradients."""
    y, h, tape = layer.forward(x.astype(layer.dtype), lengths=lengths)
    dx, _ = layer.backward(tape, dy.astype(layer.dtype))
    return [y, *(h if isinstance(h, tuple) else (h,)), dx, *layer.gradients.values()]


def largest_error(found, exact):
    """In roundings of the sum of absolute values."""
    return max(
        (np.abs(found[name] - value) / (ROUNDING * scale + np.finfo(np.float32).tiny)).max()
        for name, (value, scale) in exact.items()
    )


@given(
    N=st.integers(1, 150),
    inputs=st.integers(1, 200),
    outputs=st.integers(1, 200),
    exponents=st.sampled_from([(0, 0), (-20, 20), (-60, -40), (40, 50)]),
    seed=st.integers(0, 2**32 - 1),
)
def test_products_of_any_size_are_right_to_rounding(isa, N, inputs, outputs, exponents, seed):
    rng = np.random.default_rng(seed)
    arrays = (
        numbers(rng, (N, inputs), exponents),
        numbers(rng, (outputs, inputs), (-1, 1)),
        numbers(rng, (N, outputs), (-1, 1)),
    )
    # Each of n additions rounds a sum that is below that of the absolute values, up as often as down.
    assert largest_error(products(*arrays), exactly(*arrays)) < 8 + 2 * np.sqrt(max(N, inputs, outputs))


@unit
@pytest.mark.parametrize("sizes", [(300, 128, 96), (287, 95, 161), (700, 64, 65)], ids=str)
def test_the_unit_rounds_less_than_the_tiles(sizes):
    arrays = random_arrays(*sizes)
    exact, errors = exactly(*arrays), {}
    for name in ("amx", "avx512"):
        with kernels_of(name):
            found = products(*arrays)
        errors[name] = np.sqrt(np.mean([np.mean(((found[key] - v) / s) ** 2) for key, (v, s) in exact.items()]))
    assert errors["amx"] < 0.8 * errors["avx512"]


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan, 2.0**64, 3e38], ids=str)
@pytest.mark.parametrize("where", ["x", "W", "dy"])
def test_what_has_no_slices_is_multiplied_without(isa, where, bad):
    """Infinity times a slice that is 0 would be NaN, and sums of large products might overflow in another order."""
    arrays = dict(zip(("x", "W", "dy"), random_arrays(150, 200, 200), strict=True))
    rng = np.random.default_rng(1)
    for _ in range(3):  # some blocks and pairs of tiles of columns have none, others one
        arrays[where][tuple(rng.integers(arrays[where].shape))] = bad
    with np.errstate(over="ignore", invalid="ignore"):
        found, expected = products(**arrays), products_of(reference, **arrays)
    for name, value in expected.items():
        np.testing.assert_array_equal(np.isnan(found[name]), np.isnan(value))
        np.testing.assert_array_equal(found[name][np.isinf(value)], value[np.isinf(value)])
        finite = np.isfinite(value)
        np.testing.assert_allclose(found[name][finite], value[finite], rtol=1e-4, atol=1e-4 * median(value[finite]))


def test_numbers_too_small_for_three_slices(isa):
    """Below 2^-110 the smallest slices are subnormal, and a matrix unit takes them for 0."""
    x, W, dy = random_arrays(96, 128, 128)
    x = np.ldexp(x, -112).astype(np.float32)
    exact = exactly(x, W, dy)["y"][0]
    lost = np.finfo(np.float32).tiny * np.abs(W).max() * x.shape[1]  # all terms, of any instruction set
    assert np.abs(products(x, W, dy)["y"] - exact).max() < lost


@pytest.mark.parametrize(
    ("cell", "options"), [("RNN", {}), ("GRU", {}), ("GRU", {"reset_after": False}), ("LSTM", {})], ids=str
)
@pytest.mark.parametrize(("B", "H"), [(16, 200), (33, 200), (70, 70)])
def test_recurrent_layers_of_batches(isa, cell, options, B, H):
    """The recurrent weights' slices are made once for all steps, of which the last have fewer sequences."""
    T, inputs = 7, 40
    rng = np.random.default_rng(B)
    x, lengths = rng.normal(size=(T, B, inputs)), rng.integers(1, T + 1, B)
    dy = rng.normal(size=(T, B, H))
    found, expected = (
        outcome(getattr(module, cell)(inputs, H, 2, dtype=dtype, rng=0, **options), x, lengths, dy)
        for module, dtype in ((fastrnn, "float32"), (reference, "float64"))
    )
    for array, exact in zip(found, expected, strict=True):
        assert np.abs(array - exact).max() < 3e-6 * np.abs(exact).max()


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_a_recurrent_weight_that_is_not_finite(isa, bad):
    x = np.random.default_rng(0).normal(size=(5, 40, 20)).astype(np.float32)
    outputs = []
    for module in (fastrnn, reference):
        layer = module.RNN(20, 60, nonlinearity="relu", dtype="float32", rng=0)
        layer.parameters["weight_hh_l0"][3, 5] = bad
        with np.errstate(invalid="ignore"):
            outputs.append(layer(x)[0])
    np.testing.assert_array_equal(np.isnan(outputs[0]), np.isnan(outputs[1]))
    np.testing.assert_array_equal(np.isinf(outputs[0]), np.isinf(outputs[1]))


def test_same_input_same_bits(isa):
    arrays = random_arrays(150, 96, 130)
    first, second = products(*arrays), products(*arrays)
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


@unit
def test_the_unit_is_in_use():
    """Its sums are not those of the tiles: or else the tests above have not tested it."""
    arrays, found = random_arrays(300, 64, 64), {}
    for name in ("amx", "avx512"):
        with kernels_of(name):
            found[name] = products(*arrays)
    assert all((found["amx"][key] != array).any() for key, array in found["avx512"].items())


SIGNALLED = """
import faulthandler, signal, threading, time
import numpy as np
faulthandler.enable()  # its handlers have a stack of their own, which must hold what the unit has to save
import fastrnn
faulthandler.register(signal.SIGUSR1, open("/dev/null", "w"))
caught = 0
def handler(number, frame):
    global caught
    caught += 1
signal.signal(signal.SIGALRM, handler)
layer = fastrnn.Linear(400, 400, bias=False, rng=0)
x = np.random.default_rng(0).normal(size=(400, 400)).astype(np.float32)
expected = layer(x)
def compare():
    for _ in range(25):
        np.testing.assert_array_equal(layer(x), expected)
threads = [threading.Thread(target=compare) for _ in range(2)]
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
for thread in threads:
    thread.start()
for _ in range(8):
    signal.raise_signal(signal.SIGUSR1)
    compare()
for thread in threads:
    thread.join()
signal.setitimer(signal.ITIMER_REAL, 0)
print("caught" if caught > 3 else caught)
"""


def test_signals_and_threads_leave_its_tiles_alone():
    """They are switched with a thread, and saved where a signal is handled."""
    child = subprocess.run([sys.executable, "-c", SIGNALLED], capture_output=True, text=True, timeout=120, check=False)
    assert (child.returncode, child.stdout, child.stderr) == (0, "caught\n", "")


def test_a_child_process_has_it_too():
    """The operating system's permission is inherited."""
    arrays = random_arrays(128, 128, 128)
    expected = products(*arrays)

    def compare():
        found = products(*arrays)
        assert all((array == found[name]).all() for name, array in expected.items())

    child = multiprocessing.get_context("fork").Process(target=compare, daemon=True)
    child.start()
    child.join(30)
    assert child.exitcode == 0

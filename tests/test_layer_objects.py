"""The layers as objects: copied, pickled, sent to processes, shared by threads, kept and let go."""

import copy
import gc
import multiprocessing
import pickle
import weakref
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from test_objects import THREADS, copies, growth, in_threads

import fastrnn

F32 = np.float32
RECURRENT = {
    "RNN": lambda **options: fastrnn.RNN(3, 20, 2, **options),
    "GRU": lambda **options: fastrnn.GRU(3, 20, 2, **options),
    "LSTM": lambda **options: fastrnn.LSTM(3, 20, 2, **options),
}
LAYERS = RECURRENT | {
    "Linear": lambda **options: fastrnn.Linear(3, 20, **options),
    "Embedding": lambda **options: fastrnn.Embedding(3, 20, **options),
}
every_layer = pytest.mark.parametrize("name", LAYERS)


def inputs_for(layer, T=6, B=2, seed=0):
    """x and dy for a layer of LAYERS."""
    rng = np.random.default_rng(seed)
    if isinstance(layer, fastrnn.Embedding):
        return rng.integers(3, size=(T, B)), rng.standard_normal((T, B, 20)).astype(layer.dtype)
    return tuple(rng.standard_normal((T, B, size)).astype(layer.dtype) for size in (3, 20))


def train(layer, x, dy):
    """The bits of what a forward and a backward pass give, and of the gradients after them."""
    y, *_, tape = layer.forward(x)
    result = layer.backward(tape, dy)
    dx = result[0] if isinstance(result, tuple) else result
    return [y.tobytes(), None if dx is None else dx.tobytes(), layer.flat_gradients.tobytes()]


def check_views(layer):
    """Parameters and gradients are views into the flat buffers, in order, and the kernels work on those."""
    for flat, arrays in ((layer.flat_parameters, layer.parameters), (layer.flat_gradients, layer.gradients)):
        flat[...] = np.arange(flat.size)
        np.testing.assert_array_equal(np.concatenate([array.ravel() for array in arrays.values()]), flat)
        for array in arrays.values():
            array[...] = 0
        assert not flat.any()
    x, dy = inputs_for(layer)
    layer.flat_parameters[...] = 0.05  # with more the states would be 1, and have no gradient
    y, *_, tape = layer.forward(x)
    assert y.any()
    layer.backward(tape, dy)
    assert layer.flat_gradients.any()


# ---- copies ---------------------------------------------------------------------------------------------------------


@every_layer
@copies
def test_copies_go_on_as_the_layer_does_and_are_independent(dtype, name, duplicate):
    """Gradients and the dropout's generator go with them."""
    layer = LAYERS[name](dtype=dtype, rng=1, **({"dropout": 0.5} if name in RECURRENT else {}))
    x, dy = inputs_for(layer)
    train(layer, x, dy)
    twin = duplicate(layer)
    assert repr(twin) == repr(layer)
    assert not np.shares_memory(twin.flat_parameters, layer.flat_parameters)
    for _ in range(2):
        assert train(twin, x, dy) == train(layer, x, dy)
    before = layer.flat_parameters.copy(), layer.flat_gradients.copy()
    check_views(twin)
    np.testing.assert_array_equal(layer.flat_parameters, before[0])
    np.testing.assert_array_equal(layer.flat_gradients, before[1])


@copies
def test_layers_copied_together_still_share_their_generator(duplicate):
    rng = np.random.default_rng(2)
    layers = [fastrnn.GRU(3, 20, 2, dropout=0.5, rng=rng) for _ in range(2)]
    twins = duplicate(layers)
    assert twins[0].rng is twins[1].rng
    x, dy = inputs_for(layers[0])
    for layer, twin in zip(layers, twins, strict=True):
        assert train(twin, x, dy) == train(layer, x, dy)


@every_layer
def test_a_shallow_copy_has_numbers_of_its_own(name):
    """A layer's buffers are its own; what a shallow copy shares is the generator."""
    layer = LAYERS[name](rng=1)
    shallow = copy.copy(layer)
    assert getattr(shallow, "rng", None) is getattr(layer, "rng", None)
    x, dy = inputs_for(layer)
    assert train(shallow, x, dy) == train(LAYERS[name](rng=1), x, dy)
    assert not layer.flat_gradients.any()
    check_views(shallow)
    assert train(layer, x, dy) == train(LAYERS[name](rng=1), x, dy)


@pytest.mark.parametrize("name", RECURRENT)
def test_a_tape_is_not_copied(name):
    """It holds memory of the kernels, and serves one backward."""
    layer = RECURRENT[name]()
    tape = layer.forward(inputs_for(layer)[0])[2]
    with pytest.raises(TypeError, match="StackTape"):
        pickle.dumps(tape)
    with pytest.raises(TypeError, match="StackTape"):
        copy.deepcopy(tape)


# ---- the layer's memory ---------------------------------------------------------------------------------------------


@every_layer
def test_the_buffers_stay_where_they_are(name):
    layer = LAYERS[name](rng=1)
    for array in (layer.flat_parameters, layer.flat_gradients, *layer.parameters.values(), *layer.gradients.values()):
        with pytest.raises(ValueError, match=r"resize|own"):
            array.resize(0, refcheck=False)
    check_views(layer)


@every_layer
def test_a_tape_keeps_its_layer_and_is_let_go(name):
    layer = LAYERS[name](rng=1)
    x, dy = inputs_for(layer)
    expected = train(LAYERS[name](rng=1), x, dy)[2]
    tape = layer.forward(x)[-1]
    flat, reference, backward = layer.flat_gradients, weakref.ref(layer), layer.backward
    del layer
    gc.collect()
    backward(tape, dy)
    assert flat.tobytes() == expected
    del backward, tape
    gc.collect()
    assert reference() is None


@every_layer
def test_no_memory_is_left_behind(name):
    """Nor does it grow with tapes that no backward asks for, or with calls that raise."""
    layer = LAYERS[name](rng=1)
    x, dy = inputs_for(layer)

    def work():
        train(layer, x, dy)
        layer(x)
        layer.forward(x)
        tape = layer.forward(x)[-1]
        with pytest.raises(ValueError, match="dy must have shape"):
            layer.backward(tape, dy[1:])

    assert growth(work, 300) < 10_000  # a leak of the least object in each round would be more


@every_layer
def test_calls_leave_the_arithmetic_of_the_thread_as_it_was(isa, dtype, name):
    """Kernels may compute with subnormal numbers as zeros, if nobody else does afterwards."""
    layer = LAYERS[name](dtype=dtype, rng=1)
    x, dy = inputs_for(layer)
    calls = {"call": lambda: layer(x), "forward and backward": lambda: train(layer, x, dy)}
    if name in RECURRENT:
        calls["step"] = lambda: layer.step(x[0])
    subnormal = np.array([2.0**-1070])
    for what, call in calls.items():
        call()
        assert (subnormal / 4).view(np.int64).tolist() == [4], (
            what
        )  # as bits: where they count as zeros they equal zero


# ---- processes ------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_layers_work_in_other_processes(method):
    layers = [make(rng=1) for make in LAYERS.values()]
    for layer in layers:
        train(layer, *inputs_for(layer))  # so that the child inherits used objects
    with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as pool:
        for layer in layers:
            twin, arguments = copy.deepcopy(layer), inputs_for(layer)
            assert pool.submit(train, layer, *arguments).result(120) == train(twin, *arguments)


# ---- threads --------------------------------------------------------------------------------------------------------


@every_layer
@pytest.mark.parametrize("shared", [True, False], ids=["one layer", "a layer each"])
def test_eight_threads_get_the_bits_of_serial_calls(isa, name, shared):
    """And the gradients of one layer add up, whoever comes first."""
    rounds = 20
    layers = [LAYERS[name](dtype="float64", rng=1) for _ in range(1 if shared else THREADS)]

    def work(layer, thread):
        """The bits of all results, of sequences of two lengths by turns, so that threads take each other's memory."""
        found = []
        for n in range(rounds):
            x, dy = inputs_for(layer, T=(5, 40)[n % 2], seed=thread * rounds + n)
            found.append(train(layer, x, dy)[:2])
            found.append(np.asarray(layer(x) if name not in RECURRENT else layer(x)[0]).tobytes())
        return found

    serial, total = [], 0
    for thread in range(THREADS):
        alone = LAYERS[name](dtype="float64", rng=1)
        serial.append(work(alone, thread))
        total = total + alone.flat_gradients
    calls = [lambda thread=thread: work(layers[thread % len(layers)], thread) for thread in range(THREADS)]
    assert in_threads(calls) == serial
    actual = sum(layer.flat_gradients for layer in layers)
    np.testing.assert_allclose(actual, total, rtol=0, atol=1e-12 * np.abs(total).max())


@pytest.mark.parametrize("units", [7, 400])  # a short step keeps the GIL, a long one lets it go
@pytest.mark.parametrize("cell", ["GRU", "LSTM"])
def test_threads_may_step_with_one_layer(cell, units):
    layer = getattr(fastrnn, cell)(5, units, rng=1)
    rounds = 200

    def work(thread):
        y, h = None, None
        for n in range(rounds):
            y, h = layer.step(np.array([(thread + n) % 5] * (1 + thread % 3)), h)
        return y.tobytes()

    serial = [work(thread) for thread in range(THREADS)]
    assert in_threads([lambda thread=thread: work(thread) for thread in range(THREADS)]) == serial


@every_layer
def test_of_two_threads_with_one_tape_one_gets_it(name):
    layer = LAYERS[name](rng=1)
    x, dy = inputs_for(layer)
    expected = train(LAYERS[name](rng=1), x, dy)[2]
    for _ in range(50):
        layer.zero_gradients()
        tape = layer.forward(x)[-1]

        def claim(tape=tape):
            try:
                layer.backward(tape, dy)
            except ValueError as error:
                return str(error)
            return "served"

        outcomes = in_threads([claim, claim])
        assert sorted(outcomes)[0] == "served"
        assert "tape is used already" in sorted(outcomes)[1]
        assert layer.flat_gradients.tobytes() == expected

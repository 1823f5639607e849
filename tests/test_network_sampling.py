"""_core.Network.sample: the tokens that NumPy draws from the same outputs with the same random numbers."""

import signal
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from fastrnn import NumericalError, _core, reference
from fastrnn.layer import aligned_zeros

CELLS = {"tanh": "RNN", "gru": "GRU", "lstm": "LSTM"}
ANYTHING = {"temperature": 1.0, "top_k": 0, "top_p": 1.0}


def network_of(cell, V, E, H, L, dtype, seed=0):
    """A network with random parameters, and the reference's layers, in float64, with the same."""
    rng = np.random.default_rng(seed)
    parameters = aligned_zeros(_core.network_offsets(cell, V, E, H, L)[-1], np.dtype(dtype))
    embedding, rnn, W, b, _ = _core.network_offsets(cell, V, E, H, L)
    wide = {"dtype": "float64", "rng": rng}
    layers = SimpleNamespace(
        embedding=reference.Embedding(V, E, **wide) if E else None,
        rnn=getattr(reference, CELLS[cell])(E or V, H, L, **wide),
        linear=reference.Linear(H, V, **wide),
    )
    layers.linear.parameters["weight"] *= 3
    for layer, begin in [(layers.embedding, embedding), (layers.rnn, rnn)]:
        if layer is not None:
            parameters[begin : begin + layer.flat_parameters.size] = layer.flat_parameters
            layer.flat_parameters[...] = parameters[begin : begin + layer.flat_parameters.size]
    for name, begin in [("weight", W), ("bias", b)]:
        parameter = layers.linear.parameters[name]
        parameters[begin : begin + parameter.size] = parameter.ravel()
        parameter[...] = parameters[begin : begin + parameter.size].reshape(parameter.shape)
    return _core.Network(cell, V, E, H, L, parameters), layers


def states_of(cell, L, B, H, dtype, seed=1):
    rng = np.random.default_rng(seed)
    return tuple(rng.uniform(-1, 1, (L, B, H)).astype(dtype) for _ in range(1 + (cell == "lstm")))


def constant_network(y, dtype):
    """A network whose outputs are y whatever comes, and a state."""
    network, _ = network_of("tanh", len(y), 0, 3, 1, dtype)
    *_, W, b, end = _core.network_offsets("tanh", len(y), 0, 3, 1)
    network.parameters[W:end] = 0
    network.parameters[b : b + len(y)] = y
    return network, (np.zeros((1, 1, 3), dtype),)


def first_of(*tokens):
    return np.array(tokens, np.int64)


def outputs(layers, fed, states):
    """The reference's (T, B, V) for the tokens fed (T, B), and the states after them."""
    wide = tuple(map(np.float64, states))
    x = fed if layers.embedding is None else layers.embedding(fed)
    y, state = layers.rnn(x, wide if len(wide) > 1 else wide[0])
    return layers.linear(y), state if isinstance(state, tuple) else (state,)


def chosen(y, u, temperature, top_k, top_p):
    """The token that NumPy chooses from the outputs y (V,)."""
    if temperature == 0:
        return np.argmax(y)
    kept = np.argsort(-y, kind="stable")[: top_k or None]
    p = np.exp((y - y.max()) / temperature)
    sums = np.cumsum(p[kept])
    kept = kept[: np.searchsorted(sums, top_p * sums[-1]) + 1]
    cdf = np.cumsum(np.where(np.isin(np.arange(y.size), kept), p, 0))
    return np.searchsorted(cdf / cdf[-1], u, side="right")


CHOICES = [
    ANYTHING,
    {"temperature": 0.5, "top_k": 0, "top_p": 0.8},
    {"temperature": 2.0, "top_k": 5, "top_p": 1.0},
    {"temperature": 1.0, "top_k": 9, "top_p": 0.6},
    {"temperature": 0, "top_k": 0, "top_p": 1.0},
]


@pytest.mark.parametrize("cell", CELLS)
def test_the_tokens_that_numpy_draws(isa, dtype, cell):
    sizes = [(33, 0, 20, 1, 1), (12, 7, 17, 2, 3), (65, 16, 40, 1, 2), (700, 0, 5, 2, 1)]
    for i, (V, E, H, L, B) in enumerate(sizes):
        network, layers = network_of(cell, V, E, H, L, dtype, seed=i)
        for choice in CHOICES:
            states = states_of(cell, L, B, H, dtype)
            before = [state.copy() for state in states]
            first, rng = np.arange(B) % V, np.random.default_rng(7)
            tokens = network.sample(first, states, 11, **choice, bit_generator=rng.bit_generator)
            assert tokens.shape == (11, B)
            y, after = outputs(layers, np.concatenate([first[None], tokens[:-1]]), before)
            same = np.random.default_rng(7)
            u = same.random(tokens.shape) if choice["temperature"] else np.zeros(tokens.shape)
            expected = [chosen(y[t, b], u[t, b], **choice) for t, b in np.ndindex(tokens.shape)]
            assert tokens.ravel().tolist() == expected
            assert same.random() == rng.random()  # one number was taken for each token
            for ours, theirs in zip(states, after, strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12 if dtype == np.float64 else 1e-5)


def test_equals_count_from_the_first_on(isa, dtype):
    network, states = constant_network([0, 2, 1, 2, 2], dtype)

    def drawn(**choice):
        generator = np.random.default_rng(0).bit_generator
        return set(network.sample(first_of(4), states, 200, **ANYTHING | choice, bit_generator=generator).ravel())

    assert drawn(top_k=1) == drawn(top_p=0.1) == drawn(temperature=0) == {1}
    assert drawn(top_k=2) == drawn(top_k=3, top_p=0.6) == {1, 3}
    assert drawn(top_k=3) == drawn(temperature=1e-30) == {1, 3, 4}
    assert drawn(top_k=99) == drawn(top_k=0) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("cell", CELLS)
def test_several_calls_are_one_long_one(isa, dtype, cell):
    network, _ = network_of(cell, 40, 0, 30, 2, dtype)
    generator, pieces = np.random.default_rng(3).bit_generator, []
    states, same_states = (states_of(cell, 2, 2, 30, dtype) for _ in range(2))
    last = first_of(5, 6)
    for n in (1, 0, 8, 31):
        pieces.append(network.sample(last, states, n, **ANYTHING, bit_generator=generator))
        last = pieces[-1][-1] if n else last
    whole = network.sample(
        first_of(5, 6), same_states, 40, **ANYTHING, bit_generator=np.random.default_rng(3).bit_generator
    )
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(states, same_states, strict=True))


def test_the_text_of_min_char_rnn(isa, dtype, random_network):
    model = random_network(np.random.default_rng(0), 50, 30, dtype, 2.0)
    Wxh, Whh, Why, bh, by = vars(model).values()
    parameters = aligned_zeros(_core.network_offsets("tanh", 30, 0, 50, 1)[-1], np.dtype(dtype))
    _, rnn, W, b, _ = _core.network_offsets("tanh", 30, 0, 50, 1)
    weights = np.concatenate([Wxh.ravel(), Whh.ravel(), bh.ravel()])
    for begin, array in [(rnn, weights), (W, Why.ravel()), (b, by.ravel())]:
        parameters[begin : begin + array.size] = array
    network = _core.Network("tanh", 30, 0, 50, 1, parameters)
    h, generator = np.zeros((1, 1, 50), dtype), np.random.PCG64(0)
    tokens = network.sample(first_of(3), (h,), 500, **ANYTHING, bit_generator=generator)
    theirs = _core.CharNetwork(Wxh, Whh, Why, bh, by).sample(np.zeros((50, 1)), 3, 500, 1.0, np.random.PCG64(0))
    assert tokens.ravel().tolist() == theirs


@pytest.mark.parametrize("choice", [ANYTHING, ANYTHING | {"top_k": 1}, ANYTHING | {"temperature": 0}])
def test_nan_is_an_error_and_changes_nothing(isa, dtype, choice):
    for at in range(9):
        network, states = constant_network(np.where(np.arange(9) == at, np.nan, 0), dtype)
        states[0][...] = 0.25
        rng = np.random.default_rng(0)
        with pytest.raises(NumericalError, match=r"probabilities are NaN because the parameters hold NaN or infinity"):
            network.sample(first_of(0), states, 3, **choice, bit_generator=rng.bit_generator)
        assert rng.random() == np.random.default_rng(0).random()
        assert (states[0] == 0.25).all()
    network, states = constant_network(np.zeros(9), dtype)
    states[0][...] = np.nan
    with pytest.raises(NumericalError, match="because the states hold"):
        network.sample(first_of(0), states, 3, **choice, bit_generator=rng.bit_generator)


def test_ctrl_c_ends_a_long_sample():
    network, _ = network_of("gru", 65, 0, 100, 1, np.float32)
    states, rng = states_of("gru", 1, 1, 100, np.float32), np.random.default_rng(0)
    before, pressed = states[0].copy(), []

    def handler(*_):
        pressed.append(time.perf_counter())
        rng.random()  # which takes the generator's lock
        raise KeyboardInterrupt

    def ctrl_c():
        pressed.append(time.perf_counter())
        signal.raise_signal(signal.SIGINT)

    old = signal.signal(signal.SIGINT, handler)
    timer = threading.Timer(0.1, ctrl_c)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            network.sample(first_of(0), states, 50_000_000, **ANYTHING, bit_generator=rng.bit_generator)
        assert time.perf_counter() - pressed[0] < 10  # 0.03, where nothing else runs; all of it takes minutes
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, old)
    assert states[0].tobytes() == before.tobytes()
    assert rng.bit_generator.lock.acquire(blocking=False)
    rng.bit_generator.lock.release()


BAD = {
    "a token of the vocabulary's size": ({"first": first_of(0, 9)}, IndexError, "first must be in"),
    "a negative token": ({"first": first_of(-1, 0)}, IndexError, "first must be in"),
    "tokens of another dtype": ({"first": first_of(0, 0).astype(np.int32)}, TypeError, "first must be int64"),
    "no token": ({"first": first_of()}, ValueError, "first must have shape"),
    "tokens in two dimensions": ({"first": first_of(0, 0).reshape(1, 2)}, ValueError, "first must have shape"),
    "states of another shape": ({"states": (np.zeros((1, 2, 4)),)}, ValueError, "states must have shape"),
    "states of another dtype": ({"states": (np.zeros((1, 2, 3), np.float32),)}, TypeError, "states must be float64"),
    "an LSTM's states": ({"states": (np.zeros((1, 2, 3)),) * 2}, ValueError, "states must be 1 array"),
    "n = -1": ({"n": -1}, ValueError, "n must not be negative"),
    "more tokens than memory": ({"n": 2**60}, MemoryError, "no memory for n = 1152921504606846976 tokens"),
    "temperature = -1": ({"temperature": -1}, ValueError, "temperature must be finite and not negative"),
    "temperature = inf": ({"temperature": np.inf}, ValueError, "temperature must be finite and not negative"),
    "temperature = 'hot'": ({"temperature": "hot"}, TypeError, "temperature must be a real number|must be real"),
    "top_k = -1": ({"top_k": -1}, ValueError, "top_k must not be negative"),
    "top_p = 0": ({"top_p": 0.0}, ValueError, r"top_p must be in \(0, 1\]"),
    "top_p = 1.5": ({"top_p": 1.5}, ValueError, r"top_p must be in \(0, 1\]"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_are_refused_before_anything_is_changed(case):
    network, _ = network_of("tanh", 9, 0, 3, 1, np.float64)
    rng = np.random.default_rng(0)
    states = (np.zeros((1, 2, 3)),)
    wrong, error, message = BAD[case]
    arguments = {"first": first_of(0, 1), "states": states, "n": 4, **ANYTHING, **wrong}
    with pytest.raises(error, match=message):
        network.sample(**arguments, bit_generator=rng.bit_generator)
    assert rng.random() == np.random.default_rng(0).random()
    assert not states[0].any()


def test_a_network_is_drawn_from_in_several_threads_at_once():
    network, _ = network_of("lstm", 20, 8, 24, 2, np.float32)
    texts = {}

    def draw(seed):
        states = states_of("lstm", 2, 1, 24, np.float32)
        generator = np.random.default_rng(seed).bit_generator
        texts[seed] = network.sample(first_of(1), states, 3000, **ANYTHING, bit_generator=generator).tobytes()

    threads = [threading.Thread(target=draw, args=(seed,)) for seed in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together = dict(texts)
    draw(0)
    draw(1)
    assert texts == together

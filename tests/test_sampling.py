"""sample: the characters that np.random.choice would draw, from the same random numbers, and nothing else changed."""

# ruff: noqa: NPY002  (NumPy's global random state is what these tests are about)

import json
import signal
import threading
import time

import numpy as np
import pytest

from fastrnn import NumericalError, min_char_rnn, reference


@pytest.fixture(autouse=True)
def numpys_own_generator():
    """Puts NumPy's global generator back as it was, whichever generator a test has set in its place."""
    generator, state = np.random.get_bit_generator(), np.random.get_state(legacy=False)
    yield
    np.random.set_bit_generator(generator)
    np.random.set_state(state)


def global_state():
    """The whole of NumPy's global random state, as a string to compare."""
    return json.dumps(np.random.get_state(legacy=False), default=np.ndarray.tolist)


def network(random_network, H, V, dtype, scale=1.0, seed=0):
    """The weights as a list, and a state."""
    rng = np.random.default_rng(seed)
    weights = list(vars(random_network(rng, H, V, dtype, scale)).values())
    return weights, rng.uniform(-1, 1, (H, 1)).astype(dtype)


def constant_network(p, dtype):
    """Weights and a state that give each character the probabilities p, whatever came before."""
    V = len(p)
    zeros = [np.zeros(shape, dtype) for shape in [(3, V), (3, 3), (V, 3), (3, 1)]]
    return [*zeros, np.log(np.array(p, dtype)).reshape(V, 1)], np.zeros((3, 1), dtype)


def both(weights, h, seed_ix, n, temperature=1.0, reseed=lambda: np.random.seed(0)):
    """What sample draws, and what the reference draws in float64, each after `reseed`, and the state each leaves."""
    results = []
    for bind, cast in [(min_char_rnn.bind, np.asarray), (reference.bind, np.float64)]:
        _, sample = bind(*map(cast, weights))
        reseed()
        characters = sample(cast(h), seed_ix, n, temperature)
        results.append((characters, global_state()))
    return results


# ---- the same characters --------------------------------------------------------------------------------------------

NETWORKS = [(1, 1, 50), (1, 2, 1000), (16, 1, 50), (3, 5, 2000), (17, 33, 2000), (100, 80, 2000), (130, 7, 1000)]


@pytest.mark.parametrize("scale", [0.01, 1.0, 2.0])
@pytest.mark.parametrize(("H", "V", "n"), NETWORKS)
def test_the_same_characters_as_choice(isa, dtype, random_network, H, V, n, scale):
    weights, h = network(random_network, H, V, dtype, scale)
    if dtype == np.float32:
        n //= 5  # one draw in a million lies so near a boundary that float32 decides otherwise; none of these does
    actual, expected = both(weights, h, V // 2, n)
    assert actual == expected
    assert len(actual[0]) == n
    assert all(type(character) is int for character in actual[0])


def test_a_long_sample_of_a_large_network(isa, dtype, random_network):
    # Long enough to be drawn in several parts, between which Python looks for Ctrl-C.
    weights, h = network(random_network, 600, 40, dtype)
    actual, expected = both(weights, h, 0, 700)
    assert actual == expected


@pytest.mark.parametrize("V", range(1, 36))
def test_every_size_of_vocabulary(isa, dtype, random_network, V):
    weights, h = network(random_network, 36 - V, V, dtype)
    actual, expected = both(weights, h, V - 1, 100)
    assert actual == expected


@pytest.mark.parametrize("temperature", [0.05, 0.5, 0.9, 1, 2.0, np.float32(10), 1e6, 1e38])
def test_temperature_divides_the_outputs(isa, dtype, random_network, temperature):
    weights, h = network(random_network, 19, 23, dtype, scale=3.0)
    actual, expected = both(weights, h, 5, 500, temperature)
    assert actual == expected


def test_the_smallest_temperature_draws_the_likeliest(isa, dtype, random_network):
    weights, h = network(random_network, 19, 23, dtype, scale=3.0)
    with np.errstate(over="ignore"):  # in the reference
        actual, expected = both(weights, h, 5, 100, float(np.finfo(dtype).smallest_subnormal))
    assert actual == expected


def test_every_seed_character_and_state_counts(isa, dtype, random_network):
    weights, h = network(random_network, 19, 23, dtype, scale=3.0)
    samples = []
    for seed_ix in range(23):
        for state in (h, -h):
            actual, expected = both(weights, state, np.int64(seed_ix), 20)
            assert actual == expected
            samples.append(tuple(actual[0]))
    assert len(set(samples)) > 40


def test_large_outputs(isa, dtype):
    weights, h = constant_network([0.5, 0.25, 0.25], dtype)
    weights[4] += dtype(1000)  # whose exponential overflows
    actual, expected = both(weights, h, 0, 500)
    assert actual == expected
    assert set(actual[0]) == {0, 1, 2}


def test_a_character_of_probability_0_is_never_drawn(isa, dtype):
    for certain in range(20):
        weights, h = constant_network(np.ones(20), dtype)
        weights[4] -= dtype(1e4)
        weights[4][certain] += dtype(1e4)
        _, sample = min_char_rnn.bind(*weights)
        assert set(sample(h, 0, 50)) == {certain}


def test_the_number_0_draws_no_character_of_probability_0(isa, dtype):
    def zeros():
        np.random.set_state(("MT19937", np.zeros(624, np.uint32), 0))  # the next 312 numbers are 0

    weights, h = constant_network([1, 1, 1], dtype)
    weights[4][0] -= dtype(1e4)
    actual, expected = both(weights, h, 0, 10, reseed=zeros)
    assert actual == expected
    assert actual[0] == [1] * 10


# ---- the same random numbers ----------------------------------------------------------------------------------------


def after_normal_numbers():
    np.random.seed(7)
    np.random.normal(size=3)  # leaves one number over, which get_state shows


def after_set_state():
    np.random.seed(11)
    np.random.uniform(size=5)
    state = np.random.get_state()
    np.random.seed(0)
    np.random.set_state(state)


def with_another_generator():
    np.random.set_bit_generator(np.random.PCG64(3))


@pytest.mark.parametrize("reseed", [after_normal_numbers, after_set_state, with_another_generator])
def test_whatever_the_global_state_is(isa, dtype, random_network, reseed):
    weights, h = network(random_network, 19, 23, dtype)
    actual, expected = both(weights, h, 5, 300, reseed=reseed)
    assert actual == expected


def test_one_number_for_each_character(isa, dtype, random_network):
    weights, h = network(random_network, 19, 23, dtype)
    _, sample = min_char_rnn.bind(*weights)
    np.random.seed(0)
    sample(h, 5, 37)
    following = np.random.random_sample(4)
    np.random.seed(0)
    np.testing.assert_array_equal(np.random.random_sample(41)[37:], following)


def test_a_generator_set_after_bind_is_used(isa, random_network, dtype):
    weights, h = network(random_network, 19, 23, dtype)
    _, sample = min_char_rnn.bind(*weights)
    np.random.seed(0)
    first = sample(h, 5, 50)
    np.random.set_bit_generator(np.random.MT19937())
    np.random.seed(0)
    assert sample(h, 5, 50) == first
    np.random.set_bit_generator(np.random.PCG64(0))
    assert sample(h, 5, 50) != first


def test_two_samples_are_one_long_one_in_random_numbers(isa, dtype):
    weights, h = constant_network([0.2, 0.3, 0.5], dtype)
    _, sample = min_char_rnn.bind(*weights)
    np.random.seed(0)
    whole = sample(h, 0, 100)
    np.random.seed(0)
    assert sample(h, 0, 40) + sample(h, 0, 60) == whole


# ---- nothing else changed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 50])
def test_the_arguments_are_left_as_they_are(isa, dtype, random_network, n):
    weights, h = network(random_network, 19, 23, dtype)
    before = [a.copy() for a in (*weights, h)]
    for a in (*weights, h):
        a.flags.writeable = False
    _, sample = min_char_rnn.bind(*weights)
    sample(h, 5, n)
    assert all(a.tobytes() == b.tobytes() for a, b in zip((*weights, h), before, strict=True))


def test_no_characters(isa, dtype, random_network):
    weights, h = network(random_network, 19, 23, dtype)
    actual, expected = both(weights, h, 5, 0)
    assert actual == expected
    assert actual[0] == []


FAILING = {
    "seed_ix = V": ({"seed_ix": 23}, IndexError),
    "seed_ix = -1": ({"seed_ix": -1}, IndexError),
    "seed_ix = 0.5": ({"seed_ix": 0.5}, TypeError),
    "n = -1": ({"n": -1}, ValueError),
    "n = 2.5": ({"n": 2.5}, TypeError),
    "temperature = 0": ({"temperature": 0}, ValueError),
    "temperature = nan": ({"temperature": float("nan")}, ValueError),
    "h of another shape": ({"h": np.zeros((23, 1))}, ValueError),
    "NaN in h": ({"h": np.full((19, 1), np.nan)}, NumericalError),
    "NaN in by": ({}, NumericalError),
}


@pytest.mark.parametrize("case", FAILING)
def test_a_call_that_fails_takes_no_random_number(isa, dtype, random_network, case):
    weights, h = network(random_network, 19, 23, dtype)
    if case == "NaN in by":
        weights[4][7] = np.nan
    arguments, error = FAILING[case]
    _, sample = min_char_rnn.bind(*weights)
    np.random.seed(0)
    before = global_state()
    with pytest.raises(error):
        sample(**{"h": h, "seed_ix": 5, "n": 10, **arguments})
    assert global_state() == before


def test_a_call_that_fails_midway_has_taken_what_the_reference_takes(isa, dtype, random_network):
    weights, h = network(random_network, 19, 23, dtype)
    weights[0][:, 7] = np.nan  # fails once a 7 is drawn
    states = []
    for bind, error in [(min_char_rnn.bind, NumericalError), (reference.bind, ValueError)]:
        _, sample = bind(*weights)
        np.random.seed(0)
        with pytest.raises(error):
            sample(h, 5, 10_000)
        states.append(global_state())
    assert states[0] == states[1]


def test_ctrl_c_ends_a_long_sample(random_network):
    weights, h = network(random_network, 100, 80, np.float64)
    _, sample = min_char_rnn.bind(*weights)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs may be set to ignore it
    ctrl_c = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
    ctrl_c.start()
    begin = time.perf_counter()
    try:
        with pytest.raises(KeyboardInterrupt):
            sample(h, 5, 3_000_000)  # some 10 seconds
    finally:
        ctrl_c.cancel()
        signal.signal(signal.SIGINT, before)
    assert time.perf_counter() - begin < 2
    np.random.seed(0)
    assert len(sample(h, 5, 10)) == 10


# ---- the distribution -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("V", [2, 5, 17, 64])
def test_frequencies_are_the_probabilities(isa, dtype, V):
    n = 20_000
    p = np.arange(1, V + 1) / np.arange(1, V + 1).sum()
    weights, h = constant_network(p, dtype)
    _, sample = min_char_rnn.bind(*weights)
    np.random.seed(V)
    counts = np.bincount(sample(h, 0, n), minlength=V)
    chi_square = np.sum((counts - n * p) ** 2 / (n * p))
    freedom = V - 1  # the mean of chi-square; its variance is twice that
    assert abs(chi_square - freedom) < 4 * np.sqrt(2 * freedom)


def test_a_higher_temperature_is_flatter(isa, dtype):
    weights, h = constant_network([0.6, 0.2, 0.1, 0.05, 0.05], dtype)
    _, sample = min_char_rnn.bind(*weights)
    np.random.seed(0)
    of_the_likeliest = [sample(h, 0, 4000, temperature).count(0) / 4000 for temperature in (0.2, 0.5, 1, 2, 5, 1000)]
    assert of_the_likeliest == sorted(of_the_likeliest, reverse=True)
    assert of_the_likeliest[0] > 0.98
    assert of_the_likeliest[2] == pytest.approx(0.6, abs=0.03)
    assert of_the_likeliest[-1] == pytest.approx(0.2, abs=0.03)

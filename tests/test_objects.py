"""The two functions of bind as objects: copied, pickled, shared by threads, sent to processes, kept and let go."""

import copy
import gc
import multiprocessing
import pickle
import signal
import sys
import threading
import time
import tracemalloc
import weakref
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

from fastrnn import NumericalError, _core, min_char_rnn

H, V, T = 20, 11, 9
NAMES = ["Wxh", "Whh", "Why", "bh", "by"]


def bits(result):
    """A result of lossFun, to compare to the last bit."""
    loss, *arrays = result
    return loss.hex(), [(array.dtype, array.shape, array.tobytes()) for array in arrays]


@pytest.fixture
def arrays(random_network, dtype):
    return vars(random_network(np.random.default_rng(1), H, V, dtype))


@pytest.fixture
def call(dtype):
    """call(lossFun): the bits of its results for fixed arguments."""
    rng = np.random.default_rng(2)
    inputs, targets = rng.integers(V, size=(2, T)).tolist()
    hprev = rng.uniform(-1, 1, (H, 1)).astype(dtype)
    return lambda lossFun: bits(lossFun(inputs, targets, hprev))


def draw(sample, dtype, n=50):
    np.random.seed(3)  # noqa: NPY002
    return sample(np.zeros((H, 1), dtype), 0, n)


# ---- the caller's arrays --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_next_call_sees_what_is_written_in_place(arrays, call, dtype, name):
    lossFun, sample = min_char_rnn.bind(**arrays)
    before = call(lossFun), draw(sample, dtype)
    arrays[name] *= -3
    after = call(lossFun), draw(sample, dtype)
    fresh = min_char_rnn.bind(**{name: array.copy() for name, array in arrays.items()})
    assert after == (call(fresh[0]), draw(fresh[1], dtype))
    assert after[0] != before[0]


def test_the_arrays_are_held_as_they_are(arrays):
    network = _core.CharNetwork(**arrays)
    assert all(getattr(network, name) is array for name, array in arrays.items())


def test_views_are_held_as_views(arrays, call):
    """All parameters in one flat buffer, as an optimizer may want them."""
    flat = np.concatenate([array.ravel() for array in arrays.values()])
    borders = np.cumsum([array.size for array in arrays.values()])[:-1]
    views = [part.reshape(a.shape) for part, a in zip(np.split(flat, borders), arrays.values(), strict=True)]
    lossFun, _ = min_char_rnn.bind(*views)
    assert call(lossFun) == call(min_char_rnn.bind(**arrays)[0])
    flat *= 2
    assert call(lossFun) == call(min_char_rnn.bind(**{name: array * 2 for name, array in arrays.items()})[0])


def test_the_arrays_live_as_long_as_the_functions(arrays, call, dtype):
    expected = call(min_char_rnn.bind(**arrays)[0])
    functions = min_char_rnn.bind(**arrays)
    references = [weakref.ref(array) for array in arrays.values()]
    arrays.clear()
    gc.collect()
    junk = [np.full((H, H), np.nan, dtype) for _ in range(100)]  # would lie where they lay
    assert call(functions[0]) == expected
    del functions
    gc.collect()
    assert [reference() for reference in references] == [None] * 5
    assert len(junk) == 100


def test_results_are_new_arrays_and_arguments_stay_as_they_are(arrays, dtype):
    lossFun, sample = min_char_rnn.bind(**arrays)
    inputs, targets, h = np.arange(T), np.arange(T) + 1, np.full((H, 1), 0.5, dtype)
    saved = inputs.copy(), targets.copy(), h.copy()
    first = lossFun(inputs, targets, h)
    expected = bits(first)
    for array in first[1:]:
        array[:] = np.nan  # what the caller does with results is no concern of the next call
    assert bits(lossFun(inputs, targets, h)) == expected
    sample(h, 0, 20)
    assert all((after == before).all() for after, before in zip((inputs, targets, h), saved, strict=True))


def test_calls_leave_the_arithmetic_of_the_thread_as_it_was(arrays, dtype, isa):
    """Kernels may compute with subnormal numbers as zeros, if nobody else does afterwards."""
    lossFun, sample = min_char_rnn.bind(**arrays)
    h, text = np.zeros((H, 1), dtype), np.arange(100) % V
    trainer = min_char_rnn.Trainer(*(array.copy() for array in arrays.values()), text)
    param, gradient, memory = (np.ones((H, H), dtype) for _ in range(3))

    def fail():
        trainer.parameters[0][:] = np.nan
        with pytest.raises(NumericalError):
            trainer.run(1)

    calls = {
        "lossFun": lambda: lossFun([0], [1], h),
        "sample": lambda: sample(h, 0, 5),
        "adagrad": lambda: min_char_rnn.adagrad(param, gradient, memory, 0.1),
        "Trainer.run": lambda: trainer.run(5),
        "a failing Trainer.run": fail,
    }
    subnormal = np.array([2.0**-1070])
    for name, call in calls.items():
        call()
        # As bits: where subnormal numbers count as zeros they also compare equal to zero.
        assert (subnormal / 4).view(np.int64).tolist() == [4], name


# ---- copies ---------------------------------------------------------------------------------------------------------

copies = pytest.mark.parametrize(
    "duplicate",
    [copy.deepcopy]
    + [
        lambda things, protocol=protocol: pickle.loads(pickle.dumps(things, protocol))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ],
    ids=["deepcopy"] + [f"pickle {protocol}" for protocol in range(pickle.HIGHEST_PROTOCOL + 1)],
)


@copies
def test_copies_work_and_are_independent(arrays, call, dtype, duplicate):
    lossFun, sample = min_char_rnn.bind(**arrays)
    expected = call(lossFun), draw(sample, dtype)
    lossFun_copy, sample_copy = duplicate(lossFun), duplicate(sample)
    for array in arrays.values():
        array *= 2
    assert (call(lossFun_copy), draw(sample_copy, dtype)) == expected
    assert call(lossFun) != expected[0]


@copies
def test_arrays_copied_with_their_functions_stay_theirs(arrays, call, dtype, duplicate):
    """As when a whole training state is pickled: updates of the copied arrays reach the copied functions."""
    together, lossFun, sample = duplicate((arrays, *min_char_rnn.bind(**arrays)))
    for array in together.values():
        array *= 2
    fresh = min_char_rnn.bind(**together)
    assert (call(lossFun), draw(sample, dtype)) == (call(fresh[0]), draw(fresh[1], dtype))
    assert call(lossFun) != call(min_char_rnn.bind(**arrays)[0])


@copies
@pytest.mark.parametrize("clip", [0.01, float("inf")])
def test_copies_keep_the_clip(arrays, call, duplicate, clip):
    lossFun, _ = min_char_rnn.bind(**arrays, clip=clip)
    assert call(duplicate(lossFun)) == call(lossFun)
    assert call(lossFun) != call(min_char_rnn.bind(**arrays)[0]) or clip == float("inf")


def test_a_shallow_copy_shares_the_arrays(arrays, call):
    lossFun, _ = min_char_rnn.bind(**arrays)
    shallow = copy.copy(lossFun)
    arrays["Why"] *= 2
    assert call(shallow) == call(lossFun)


# ---- processes ------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_functions_work_in_other_processes(arrays, dtype, method):
    lossFun, sample = min_char_rnn.bind(**arrays)
    arguments = [1, 2, 3], (2, 3, 4), np.zeros((H, 1), dtype)
    expected = bits(lossFun(*arguments))  # before the fork, so that the child inherits a used object
    with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as pool:
        assert bits(pool.submit(lossFun, *arguments).result(120)) == expected
        assert len(pool.submit(sample, arguments[2], 0, 30).result(120)) == 30
        with pytest.raises(IndexError, match=r"\Ainputs\[0\] is 11, outside \[0, 11\)"):
            pool.submit(lossFun, [V], [0], arguments[2]).result(120)


# ---- threads --------------------------------------------------------------------------------------------------------

THREADS = 8


def in_threads(calls):
    """The results of these calls, each in a thread of its own, begun at the same moment."""
    barrier = threading.Barrier(len(calls))

    def run(call):
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


@pytest.mark.parametrize("shared", [True, False], ids=["one bound network", "a network each"])
def test_eight_threads_get_the_bits_of_serial_calls(random_network, dtype, isa, shared):
    rng = np.random.default_rng(4)
    units, steps, rounds = 64, [5, 50], 20
    networks = [vars(random_network(rng, units, V, dtype)) for _ in range(1 if shared else THREADS)]
    functions = [min_char_rnn.bind(**network)[0] for network in networks]

    def calls_of(thread):
        """Sequences of two lengths by turns, so that threads take over each other's scratch memory."""
        lossFun = functions[thread % len(functions)]
        own = np.random.default_rng(thread)
        cases = [
            (*own.integers(V, size=(2, steps[n % 2])), own.uniform(-1, 1, (units, 1)).astype(dtype))
            for n in range(rounds)
        ]
        return lambda: [bits(lossFun(*case)) for case in cases]

    calls = [calls_of(thread) for thread in range(THREADS)]
    serial = [call() for call in calls]
    assert in_threads(calls) == serial
    assert len({result[0] for result in serial[0]}) == rounds  # the cases do differ


def test_eight_threads_share_the_random_state(arrays, dtype):
    """Which thread draws which number is open; that each draws its own is not."""
    _, sample = min_char_rnn.bind(**arrays)
    n = 100_000
    np.random.seed(5)  # noqa: NPY002
    np.random.random_sample(THREADS * n)  # noqa: NPY002
    expected = np.random.random_sample()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    texts = in_threads([lambda: sample(np.zeros((H, 1), dtype), 0, n)] * THREADS)
    assert np.random.random_sample() == expected  # noqa: NPY002
    assert [len(text) for text in texts] == [n] * THREADS
    assert len({tuple(text) for text in texts}) == THREADS


def long_call(random_network):
    """A call of lossFun that takes some tenths of a second."""
    lossFun, _ = min_char_rnn.bind(**vars(random_network(np.random.default_rng(6), 128, V, np.float64)))
    sequence = np.zeros(30_000, int)
    return lambda: lossFun(sequence, sequence, np.zeros((128, 1)))


def test_long_calls_let_other_threads_run(random_network):
    thread = threading.Thread(target=long_call(random_network))
    thread.start()
    turns = 0
    while thread.is_alive():
        time.sleep(0.001)
        turns += 1
    assert turns > 10


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no signal.setitimer")
def test_a_signal_ends_a_long_text(arrays, call, dtype):
    """As Ctrl-C does; afterwards everything works."""

    class Alarm(Exception):
        pass

    def ring(*_):
        raise Alarm

    lossFun, sample = min_char_rnn.bind(**arrays)
    expected = call(lossFun), draw(sample, dtype)
    n, h = 100_000_000, np.zeros((H, 1), dtype)
    start = time.perf_counter()
    sample(h, 0, n // 1000)
    thousandth = time.perf_counter() - start
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, thousandth)
    start = time.perf_counter()
    try:
        with pytest.raises(Alarm):
            sample(h, 0, n)
        assert time.perf_counter() - start < 100 * thousandth  # and not at the end
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert (call(lossFun), draw(sample, dtype)) == expected


# ---- memory ---------------------------------------------------------------------------------------------------------


def growth(work, rounds):
    """Bytes that `rounds` calls of work leave behind, after some calls that fill caches."""
    tracemalloc.start()
    try:
        for _ in range(50):
            work()
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(rounds):
            work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def test_no_memory_is_left_behind(arrays, dtype):
    lossFun, sample = min_char_rnn.bind(**arrays)
    sick = min_char_rnn.bind(**arrays | {"by": np.full((V, 1), np.nan, dtype)})
    trainer = min_char_rnn.Trainer(*(array.copy() for array in arrays.values()), np.arange(100) % V, learning_rate=0.01)
    h = np.zeros((H, 1), dtype)
    param, gradient, memory = (np.ones((H, H), dtype) for _ in range(3))
    refused = [
        (IndexError, lambda: lossFun([0, V], [0, 1], h)),
        (TypeError, lambda: lossFun([0, 1.0], [0, 1], h)),
        (ValueError, lambda: lossFun([0, 1], [0], h)),
        (ValueError, lambda: lossFun([0], [0], h.T)),
        (NumericalError, lambda: sick[0]([0], [0], h)),
        (NumericalError, lambda: sick[1](h, 0, 5)),
        (IndexError, lambda: sample(h, V, 5)),
        (ValueError, lambda: sample(h, 0, 5, 0.0)),
        (MemoryError, lambda: sample(h, 0, 2**70)),
        (ValueError, lambda: min_char_rnn.bind(**arrays | {"by": h})),
        (ValueError, lambda: min_char_rnn.adagrad(param, gradient, h, 0.1)),
    ]

    def work():
        lossFun(range(V - 1), np.arange(1, V), h)
        sample(h, 0, 5)
        min_char_rnn.adagrad(param, gradient, memory, 0.1)
        min_char_rnn.bind(**arrays)[0]([0], [1], h)
        trainer.run(2)
        for error, call in refused:
            with pytest.raises(error):
                call()

    held = [h, param, gradient, memory, *arrays.values()]
    references = [sys.getrefcount(array) for array in held]
    assert growth(work, 500) < 10_000  # a leak of the least object in each round would be more
    assert [sys.getrefcount(array) for array in held] == references


def test_scratch_memory_is_used_again(arrays, dtype):
    """It stays at what the longest sequence took, however many calls follow and whatever they raise."""
    lossFun, _ = min_char_rnn.bind(**arrays)
    h = np.zeros((H, 1), dtype)
    lengths = iter(np.random.default_rng(7).integers(1, 500, size=2000))

    def work():
        sequence = np.zeros(next(lengths), int)
        lossFun(sequence, sequence, h)
        with pytest.raises(IndexError):
            lossFun(sequence, sequence + V, h)

    long = np.zeros(500, int)
    lossFun(long, long, h)
    assert growth(work, 1000) < 10_000

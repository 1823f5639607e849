"""The native training loop against the reference's, against one's own loop over lossFun, and against interruption."""

import copy
import pickle
import signal
import threading
import time

import numpy as np
import pytest

from fastrnn import NumericalError, min_char_rnn, reference

H, V, T = 19, 13, 7


@pytest.fixture
def text():
    """Characters with some structure, so that the loss falls: each is its predecessor or the next, mostly."""
    steps = np.random.default_rng(0).integers(0, 2, size=400)
    return np.cumsum(steps) % V


def parameters(dtype, H=H, V=V, scale=0.3):
    rng = np.random.default_rng(1)
    shapes = ((H, V), (H, H), (V, H), (H, 1), (V, 1))
    return tuple((rng.standard_normal(shape) * scale).astype(dtype) for shape in shapes)


def trainer(module, dtype, text, **options):
    return module.Trainer(*parameters(dtype), text, seq_length=T, learning_rate=0.01, **options)


def state(trainer):
    """All that a trainer is, as bytes and numbers."""
    arrays = (*trainer.parameters, *trainer.memories, trainer.hprev)
    numbers = (trainer.position, trainer.iterations, trainer.loss, trainer.smooth_loss)
    return [array.tobytes() for array in arrays], numbers


def assert_close(a, b, tolerance):
    for mine, its in zip((*a.parameters, *a.memories, a.hprev), (*b.parameters, *b.memories, b.hprev), strict=True):
        assert np.abs(mine - its).max() <= tolerance * max(np.abs(its).max(), 1)
    assert a.smooth_loss == pytest.approx(b.smooth_loss, rel=tolerance)
    assert a.loss == pytest.approx(b.loss, rel=10 * tolerance)
    assert (a.position, a.iterations) == (b.position, b.iterations)


@pytest.mark.parametrize("iterations", [1, 2, 56, 57, 58, 150])  # the text wraps after 56 sequences
def test_equals_the_reference(isa, dtype, text, iterations):
    native, slow = trainer(min_char_rnn, dtype, text), trainer(reference, np.float64, text)
    for mine, its in zip(slow.parameters, native.parameters, strict=True):
        mine[:] = its
    assert native.run(iterations) == native.smooth_loss
    slow.run(iterations)
    assert_close(native, slow, {np.float64: 1e-10, np.float32: 2e-4}[dtype])


def test_equals_ones_own_loop(isa, dtype, text):
    """lossFun and adagrad, called as a script calls them, take the same way."""
    native, own = trainer(min_char_rnn, dtype, text), parameters(dtype)
    lossFun, _ = min_char_rnn.bind(*own)
    memories, hprev = [np.zeros_like(array) for array in own], np.zeros((H, 1), dtype)
    for n in range(50):
        loss, *gradients, hprev = lossFun(text[n * T : n * T + T], text[n * T + 1 : n * T + T + 1], hprev)
        for arrays in zip(own, gradients, memories, strict=True):
            min_char_rnn.adagrad(*arrays, 0.01)
    native.run(50)
    assert native.loss == pytest.approx(loss, rel={np.float64: 1e-12, np.float32: 1e-5}[dtype])
    for mine, its in zip(native.parameters, own, strict=True):
        assert np.abs(mine - its).max() <= {np.float64: 1e-13, np.float32: 1e-5}[dtype]


def test_the_loss_falls(isa, dtype, text):
    native = trainer(min_char_rnn, dtype, text)
    first = native.smooth_loss
    assert first == pytest.approx(T * np.log(V))
    assert native.run(4000) < 0.6 * first


ODD_SIZES = [(H, V) for H in (1, 2, 7, 8, 9, 16, 17, 31, 33, 100, 130) for V in (1, 2, 8, 15, 65)]
# Large recurrent weights are packed, or multiplied as they lie.
LARGE_SIZES = [(H, 5) for H in (104, 112, 113, 144, 160, 168, 192, 208, 384)]


@pytest.mark.parametrize(("H", "V"), ODD_SIZES + LARGE_SIZES)
def test_odd_sizes(isa, dtype, H, V):
    text = np.arange(60) * 7 % V
    # Of many parameters some have gradients that are hardly more than rounding, and Adagrad's first step is no shorter
    # for those; and of many units, weights of 0.1 make states that any rounding changes more and more.
    scale, rate = (0.1, 0.01) if H <= 130 else (0.05, 0.0001)
    native = min_char_rnn.Trainer(*parameters(dtype, H, V, scale), text, seq_length=5, learning_rate=rate)
    slow = reference.Trainer(*parameters(np.float64, H, V, scale), text, seq_length=5, learning_rate=rate)
    native.run(15)
    slow.run(15)
    assert_close(native, slow, {np.float64: 1e-10, np.float32: 1e-3}[dtype])


def test_runs_add_up(isa, dtype, text):
    """N and N iterations give the bits of 2N."""
    once, twice = trainer(min_char_rnn, dtype, text), trainer(min_char_rnn, dtype, text)
    once.run(120)
    for iterations in (0, 1, 59, 60):
        twice.run(iterations)
    assert state(once) == state(twice)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda trainer: pickle.loads(pickle.dumps(trainer))])
@pytest.mark.parametrize("module", [min_char_rnn, reference])
def test_a_copy_goes_on_alike(module, copied, text):
    original = trainer(module, np.float64, text)
    original.run(30)
    twin = copied(original)
    original.run(30)
    assert state(twin) != state(original)
    twin.run(30)
    assert state(twin) == state(original)


def test_the_arrays_are_the_callers_own(text):
    own = parameters(np.float64)
    before = [array.copy() for array in own]
    native = min_char_rnn.Trainer(*own, text)
    native.run(10)
    assert all(mine is its for mine, its in zip(native.parameters, own, strict=True))
    assert all((mine != its).any() for mine, its in zip(own, before, strict=True))


@pytest.mark.parametrize("change", [{"learning_rate": 0.5}, {"clip": 1e-3}])
@pytest.mark.parametrize("module", [min_char_rnn, reference])
def test_settings_change_between_runs(module, change, text):
    one, other = (trainer(module, np.float64, text) for _ in range(2))
    vars(other).update(change)
    one.run(3)
    other.run(3)
    assert one.smooth_loss != other.smooth_loss


@pytest.mark.parametrize("module", [min_char_rnn, reference])
def test_a_loss_that_is_not_finite_stops_at_once(module, text):
    broken = trainer(module, np.float64, text)
    broken.run(5)
    broken.parameters[2][3, 2] = np.nan
    before = state(broken)
    with pytest.raises(NumericalError, match=r"^iteration 5: the loss is nan.*: go back to finite weights and lower "):
        broken.run(5)
    assert state(broken) == before
    broken.parameters[2][3, 2] = 0
    broken.run(5)
    assert broken.iterations == 10


def test_ctrl_c_ends_a_run_within_a_tenth_of_a_second(text):
    native = trainer(min_char_rnn, np.float64, text)
    pressed = []

    def press():
        pressed.append(time.perf_counter())
        signal.raise_signal(signal.SIGINT)

    timer = threading.Timer(0.2, press)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        native.run(10**9)
    # Nothing depends on this machine's speed: an answer that waited for the run's end would take hours.
    assert time.perf_counter() - pressed[0] < 2
    done = native.iterations
    assert 0 < done < 10**9
    assert np.isfinite(native.smooth_loss)
    native.run(3)
    assert native.iterations == done + 3


def test_two_threads_are_refused_not_mixed(text):
    native = trainer(min_char_rnn, np.float64, text)
    thread = threading.Thread(target=native.run, args=(20000,))
    thread.start()

    def run_while_it_runs():
        while thread.is_alive():
            native.run(0)

    with pytest.raises(RuntimeError, match=r"^this trainer is running in another thread: give each thread its own$"):
        run_while_it_runs()
    thread.join()
    assert native.iterations == 20000


BAD = [
    ({"text": [0.5] * 30}, TypeError, "text must be integers of shape (N,), not float64 of shape (30,): "),
    ({"text": [[1, 2]] * 30}, TypeError, "text must be integers of shape (N,), not int64 of shape (30, 2): "),
    ({"text": [1] * T}, ValueError, "text has 7 characters, fewer than the 8 that one sequence and its targets take"),
    ({"text": [0, V] * 9}, IndexError, f"text holds 0 to {V}, not all of it in [0, {V})"),
    ({"text": [-1, 0] * 9}, IndexError, f"text holds -1 to 0, not all of it in [0, {V})"),
    ({"seq_length": 0}, ValueError, "seq_length must be at least 1, not 0"),
    ({"seq_length": 2.5}, TypeError, "seq_length must be an integer, not float"),
    ({"learning_rate": "fast"}, TypeError, "learning_rate must be a real number, not str"),
    ({"learning_rate": np.nan}, ValueError, "learning_rate must be finite, not nan"),
    ({"clip": 0}, ValueError, "clip must be positive, not 0"),
    ({"Whh": np.zeros((H, H + 1))}, ValueError, f"Whh must have shape (H, H) = ({H}, {H}), not ({H}, {H + 1})"),
]


@pytest.mark.parametrize(("wrong", "error", "message"), BAD)
def test_bad_arguments(wrong, error, message, text):
    names = ("Wxh", "Whh", "Why", "bh", "by")
    good = dict(zip(names, parameters(np.float64), strict=True), text=text, seq_length=T)
    with pytest.raises(error) as raised:
        min_char_rnn.Trainer(**{**good, **wrong})
    assert str(raised.value).startswith(message)


def test_bad_runs(text):
    native = trainer(min_char_rnn, np.float64, text)
    with pytest.raises(ValueError, match=r"^iterations must be at least 0, not -1$"):
        native.run(-1)
    with pytest.raises(TypeError, match=r"^iterations must be an integer, not str$"):
        native.run("3")
    native.parameters[1].setflags(write=False)
    with pytest.raises(ValueError, match=r"^Whh is read-only, and is written here: use a writeable copy of it$"):
        native.run(1)
    native.parameters[1].setflags(write=True)
    native.position = len(text)
    with pytest.raises(ValueError, match=r"^position must be from 0 to 392, not 400: set it to 0 to start over$"):
        native.run(1)


def test_parameters_may_be_replaced_between_runs(text):
    native, other = trainer(min_char_rnn, np.float64, text), trainer(min_char_rnn, np.float64, text)
    native.parameters = tuple(array.copy() for array in native.parameters)
    assert native.run(20) == other.run(20)
    assert (native.parameters[0] == other.parameters[0]).all()


def test_a_signal_handler_cannot_take_the_memory_away(text):
    """A handler runs in the middle of a long call; what it must not do is free an array that the call works on."""
    native, refused = trainer(min_char_rnn, np.float64, text), []

    def resize(*_):
        for array in (*native.parameters, *native.memories, native.hprev, native.text):
            with pytest.raises(ValueError, match="referenced") as error:
                array.resize(1, refcheck=False)
            refused.append(error)
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, resize)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(TimeoutError):
            native.run(10**9)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert len(refused) == 12
    assert native.run(1) > 0

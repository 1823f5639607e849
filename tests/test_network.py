"""Networks over tokens, trained and asked natively, against the same networks made of layers and optimizers."""

import math
import os
import signal
import threading

import numpy as np
import pytest

import fastrnn
from fastrnn import NumericalError, _core
from fastrnn.layer import aligned_zeros

V, E, H, L, T, B = 11, 6, 13, 2, 5, 3
TOLERANCE = {np.float64: 1e-10, np.float32: 1e-4}
LAYERS = {"tanh": fastrnn.RNN, "gru": fastrnn.GRU, "lstm": fastrnn.LSTM}
OPTIMIZERS = {
    "sgd": (fastrnn.SGD, {"momentum": 0.9, "weight_decay": 0.01}),
    "adagrad": (fastrnn.Adagrad, {"eps": 1e-8, "eps_inside_sqrt": True}),
    "rmsprop": (fastrnn.RMSprop, {"momentum": 0.5, "centered": True, "eps": 1e-3}),
    "adam": (fastrnn.Adam, {"eps": 1e-3}),
    "adamw": (fastrnn.AdamW, {"eps": 1e-3, "weight_decay": 0.1}),
}
SETTINGS = ("momentum", "dampening", "nesterov", "weight_decay", "eps", "eps_inside_sqrt", "alpha", "centered", "betas")
SLOTS = {"sgd": "momentum_buffer", "adagrad": "sum", "rmsprop": "square_avg momentum_buffer grad_avg"}


class Run:
    """A network and what its training changes, and the layers that it is made of."""

    def __init__(self, cell, dtype, *, embedding=True, layers=L, batch_size=B, optimizer="adam", tokens=np.uint8):
        self.embedding = fastrnn.Embedding(V, E, dtype=dtype, rng=1) if embedding else None
        self.rnn = LAYERS[cell](E if embedding else V, H, layers, dtype=dtype, rng=2)
        self.linear = fastrnn.Linear(H, V, dtype=dtype, rng=3)
        self.layers = [layer for layer in (self.embedding, self.rnn, self.linear) if layer is not None]
        self.untrained = [name for name in self.rnn.parameters if name.startswith("bias_hh") and cell != "gru"]
        for name in self.untrained:
            self.rnn.parameters[name][...] = 0

        self.offsets = _core.network_offsets(cell, V, E if embedding else 0, H, layers)
        self.parameters = aligned_zeros(self.offsets[-1], np.dtype(dtype))
        for mine, its in self.parts():
            mine[:] = its
        self.network = _core.Network(cell, V, E if embedding else 0, H, layers, self.parameters)
        make, options = OPTIMIZERS[optimizer]
        self.optimizer = make(self.layers, 0.01, **options)
        names = SLOTS.get(optimizer, "exp_avg exp_avg_sq").split()
        self.slots = {name: np.zeros_like(self.parameters) for name in names}
        self.states = tuple(np.zeros((layers, batch_size, H), dtype) for _ in range(2 if cell == "lstm" else 1))
        self.text = np.random.default_rng(4).integers(0, V, batch_size * (3 * T + 4)).astype(tokens)
        self.progress = {"position": 0, "iterations_done": 0, "smooth_loss": T * math.log(V)}
        self.options = {
            "seq_length": T,
            "batch_size": batch_size,
            "random_chunks": False,
            "dropout": 0.0,
            "seed": 5,
            "optimizer": optimizer,
            "settings": {name: getattr(self.optimizer, name) for name in SETTINGS if hasattr(self.optimizer, name)},
            "learning_rate": 0.01,
            "schedule": "constant",
            "warmup": 0,
            "schedule_iterations": 0,
            "schedule_factor": 0.0,
            "clip_value": math.inf,
            "clip_norm": math.inf,
        }

    def parts(self):
        """(part of the one buffer, that part of the layers) for each that there is."""
        e, r, w, b, _ = self.offsets
        linear = self.linear.parameters
        pairs = [(r, self.rnn.flat_parameters), (w, linear["weight"].ravel()), (b, linear["bias"])]
        if self.embedding is not None:
            pairs.append((e, self.embedding.flat_parameters))
        return [(self.parameters[begin : begin + part.size], part) for begin, part in pairs]

    def train(self, iterations=1, **wrong):
        """(how many were done, the last loss, the error)"""
        arguments = {"text": self.text, "states": self.states, "slots": self.slots, "iterations": iterations}
        arguments |= self.options | self.progress | wrong
        text, states, slots = (arguments.pop(name) for name in ("text", "states", "slots"))
        done, position, loss, smooth_loss, error = self.network.train(text, states, slots, **arguments)
        iterations_done = arguments["iterations_done"] + done
        self.progress = {"position": position, "iterations_done": iterations_done, "smooth_loss": smooth_loss}
        return done, loss, error

    def everything(self):
        """All that training changes, as bytes and numbers."""
        return [array.tobytes() for array in (self.parameters, *self.states, *self.slots.values())], self.progress

    def logits(self, x, states):
        """(logits, last states, the tapes to go back over)"""
        tapes = []
        if self.embedding is not None:
            x, tape = self.embedding.forward(x)
            tapes.append(tape)
        y, states, tape = self.rnn.forward(x, states)
        logits, linear = self.linear.forward(y)
        return logits, states, [*tapes, tape, linear]

    def backward(self, tapes, dlogits):
        self.optimizer.zero_gradients()
        dx, _ = self.rnn.backward(tapes[-2], self.linear.backward(tapes[-1], dlogits))
        if self.embedding is not None:
            self.embedding.backward(tapes[0], dx)
        for name in self.untrained:
            self.rnn.gradients[name][...] = 0


def by_layers(run, iterations, rate):
    """The same iterations by layers and their optimizer: (position, last states, loss, smooth loss)."""
    batch_size, clip_value, clip_norm = (run.options[name] for name in ("batch_size", "clip_value", "clip_norm"))
    streams = run.text.astype(np.int64).reshape(batch_size, -1).T
    position, states, smooth = 0, None, T * math.log(V)
    for i in range(iterations):
        x, y = (np.ascontiguousarray(streams[position + next : position + next + T]) for next in (0, 1))
        logits, states, tapes = run.logits(x, states)
        loss, dlogits = fastrnn.softmax_cross_entropy(logits, y, "sum")
        run.backward(tapes, dlogits / batch_size)
        if clip_value < math.inf:
            fastrnn.clip_gradient_value(run.layers, clip_value)
        if clip_norm < math.inf:
            fastrnn.clip_gradient_norm(run.layers, clip_norm)
        run.optimizer.learning_rate = rate(i)
        run.optimizer.step()
        loss /= batch_size
        smooth = 0.999 * smooth + 0.001 * loss
        position += T
        if len(streams) - position < T + 2:
            position, states = 0, None
    return position, states, loss, smooth


def as_tuple(states, run):
    if states is None:
        return tuple(np.zeros_like(state) for state in run.states)
    return states if isinstance(states, tuple) else (states,)


def assert_close(mine, its, tolerance):
    assert np.abs(np.asarray(mine) - its).max() <= tolerance * max(1, np.abs(its).max())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("cell", LAYERS)
def test_training_equals_layers_and_optimizers(isa, dtype, cell, optimizer):
    """Over every cell and optimizer, and a little of everything else; the text begins anew after three iterations."""
    n = list(LAYERS).index(cell) + list(OPTIMIZERS).index(optimizer)
    run = Run(
        cell,
        dtype,
        embedding=n % 2 == 1,
        layers=1 + n % 3 // 2,
        batch_size=1 + n % 3,
        optimizer=optimizer,
        tokens=(np.uint8, np.uint16, np.uint32, np.int64)[n % 4],
    )
    run.options |= {"clip_value": (0.1, math.inf)[n % 2], "clip_norm": (math.inf, math.inf, 0.5)[n % 3]}
    run.options |= {"schedule": "step", "schedule_iterations": 2, "schedule_factor": 0.5, "warmup": 3}
    done, loss, error = run.train(4)
    assert (done, error) == (4, None)

    rates = [0.01 * min(1, (i + 1) / 3) * 0.5 ** (i // 2) for i in range(4)]
    position, states, its_loss, smooth = by_layers(run, 4, rates.__getitem__)
    for mine, its in (*run.parts(), *zip(run.states, as_tuple(states, run), strict=True)):
        assert_close(mine, its, TOLERANCE[dtype])
    assert run.progress["position"] == position == T
    assert loss == pytest.approx(its_loss, rel=TOLERANCE[dtype])
    assert run.progress["smooth_loss"] == pytest.approx(smooth, rel=TOLERANCE[dtype])


@pytest.mark.parametrize("random_chunks", [False, True])
def test_a_run_can_be_taken_up_again(isa, dtype, random_chunks):
    """With a seed, dropout and places in the text follow from it and from the iteration's number."""

    def run(*parts, seed=5):
        run = Run("lstm", dtype)
        run.options |= {"random_chunks": random_chunks, "dropout": 0.4, "seed": seed, "schedule": "cosine"}
        run.options |= {"schedule_iterations": 6, "schedule_factor": 0.1}
        for iterations in parts:
            run.train(iterations)
        return run.everything()

    assert run(5) == run(2, 0, 3)
    assert run(5) != run(5, seed=6)


@pytest.mark.parametrize("cell", LAYERS)
@pytest.mark.parametrize("embedding", [False, True])
def test_predictions_equal_layers(isa, dtype, cell, embedding):
    run = Run(cell, dtype, embedding=embedding)
    rng = np.random.default_rng(6)
    tokens, targets = rng.integers(0, V, (2, 7, B))
    for state in run.states:
        state[:] = rng.uniform(-1, 1, state.shape)
    before = tuple(state.copy() for state in run.states)
    logits, states, _ = run.logits(tokens, before if cell == "lstm" else before[0])
    logits = logits.astype(np.float64)
    expected = np.exp(logits - logits.max(-1, keepdims=True))
    expected /= expected.sum(-1, keepdims=True)

    nats, p = run.network.predict(tokens, run.states, targets)
    assert (nats.dtype, p.dtype) == (np.float64, dtype)
    assert_close(nats, -np.log(np.take_along_axis(expected, targets[..., None], -1)[..., 0]), TOLERANCE[dtype])
    assert_close(p, expected[-1], TOLERANCE[dtype])
    for mine, its in zip(run.states, as_tuple(states, run), strict=True):
        assert_close(mine, its, TOLERANCE[dtype])

    for mine, its in zip(run.states, before, strict=True):
        mine[:] = its
    nothing, alone = run.network.predict(tokens, run.states)
    assert nothing is None
    assert_close(alone, expected[-1], TOLERANCE[dtype])


def test_what_is_not_finite(isa, dtype):
    """The error comes back with the run as it was before the iteration that failed."""
    run = Run("gru", dtype)
    run.text[:] = np.where(run.text == V - 1, 0, run.text)
    run.text[-5] = V - 1  # of the last stream, in its third sequence
    run.parameters[(V - 1) * E] = np.nan  # that token's embedding
    _, loss, _ = run.train(2)
    whole = run.everything()
    done, nan, error = run.train(5)
    assert done == 0
    assert math.isfinite(loss)
    assert math.isnan(nan)
    assert isinstance(error, NumericalError)
    assert str(error) == "the loss is nan because the parameters hold NaN or infinity"
    assert run.everything() == whole
    with pytest.raises(NumericalError):
        run.network.predict(np.full((1, B), V - 1), run.states)


def test_a_token_outside_the_vocabulary():
    """The text is looked at as it is read: the iterations before the one that meets the token are done, and whole."""
    run, good = Run("gru", np.float64), Run("gru", np.float64)
    run.text[-5] = V
    done, _, error = run.train(5)
    assert done == 2
    assert isinstance(error, IndexError)
    assert str(error) == f"text holds a token outside [0, {V})"
    good.train(2)
    assert run.everything() == good.everything()


def test_interruption():
    """Ctrl-C ends a run after a whole iteration, and the run can go on from there."""
    run = Run("tanh", np.float64, embedding=False, layers=1, batch_size=1)
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    done, _, error = run.train(10**9)
    timer.join()
    assert isinstance(error, KeyboardInterrupt)
    assert 0 < done < 10**9
    same = Run("tanh", np.float64, embedding=False, layers=1, batch_size=1)
    same.train(done)
    assert run.everything() == same.everything()


def read_only(array):
    array.setflags(write=False)
    return array


TOKENS = np.zeros(60, np.uint8)
STATE = np.zeros((L, B, H))
SLOT = np.zeros(_core.network_offsets("lstm", V, E, H, L)[-1])
BAD = {
    "text of float64": ({"text": np.zeros(60)}, TypeError, "text must be uint8, uint16, uint32 or int64, not float64"),
    "text of the other byte order": ({"text": TOKENS.astype(">u2")}, TypeError, "text must be uint8"),
    "text in a list": ({"text": [0] * 60}, TypeError, "Argument 'text' has incorrect type"),
    "text in a column": ({"text": np.zeros((60, 1), np.uint8)}, ValueError, "text must have shape (n,)"),
    "text of one token": ({"text": np.array(0, np.uint8)}, ValueError, "text must have shape (n,)"),
    "text with gaps": ({"text": np.zeros(120, np.uint8)[::2]}, ValueError, "text must be C-contiguous"),
    "text out of line": (
        {"text": np.zeros(121, np.uint8)[1:].view(np.uint16)},
        ValueError,
        "text must be aligned in memory",
    ),
    "text too short": ({"text": TOKENS[: B * (T + 1) - 1]}, ValueError, "a size is"),
    "one state": ({"states": (STATE,)}, ValueError, "states must be 2 arrays, not 1"),
    "states in a list": ({"states": [STATE, STATE]}, TypeError, "Argument 'states' has incorrect type"),
    "states of float32": ({"states": (STATE.astype(np.float32),) * 2}, TypeError, "states must be float64"),
    "states of another batch": ({"states": (STATE[:, 1:],) * 2}, ValueError, "states must have shape (L, B, H)"),
    "states laid out otherwise": ({"states": (STATE.copy("F"),) * 2}, ValueError, "states must be C-contiguous"),
    "states read-only": ({"states": (read_only(STATE.copy()),) * 2}, ValueError, "states is read-only"),
    "slots of float32": (
        {"slots": {"exp_avg": SLOT.astype(np.float32)}},
        TypeError,
        "slots['exp_avg'] must be float64",
    ),
    "slots too short": ({"slots": {"exp_avg": SLOT[:-1]}}, ValueError, "slots['exp_avg'] must have shape (N,)"),
    "slots read-only": ({"slots": {"exp_avg": read_only(SLOT.copy())}}, ValueError, "slots['exp_avg'] is read-only"),
    "a slot missing": ({"slots": {"exp_avg": SLOT}}, ValueError, "a pointer that must not be NULL is"),
    "optimizer": ({"optimizer": "adamax"}, ValueError, "there is no optimizer 'adamax'"),
    "schedule": (
        {"schedule": "linear"},
        ValueError,
        "there is no schedule 'linear': it must be one of constant, step, cosine",
    ),
    "settings": ({"settings": {"betas": (1.5, 0.9), "eps": 0, "weight_decay": 0}}, ValueError, "a number among"),
    "iterations": ({"iterations": -1}, ValueError, "iterations must not be negative, and is -1"),
    "dropout": ({"dropout": 1.0}, ValueError, "a number among the arguments is out of the range"),
    "position": ({"position": 60}, ValueError, "a number among the arguments is out of the range"),
    "seq_length": (
        {"seq_length": 2**40},
        ValueError,
        "sequences of 1099511627776 steps, 3 side by side, are too large",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_of_train(case):
    wrong, kind, message = BAD[case]
    run = Run("lstm", np.float64)
    before = run.everything()
    with pytest.raises(kind) as raised:
        run.train(**wrong)
    assert str(raised.value).startswith(message)
    assert run.everything() == before


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        ({"tokens": np.array(3)}, ValueError, "tokens must have shape (T, B), neither of them 0, not ()"),
        ({"tokens": np.zeros(3, np.int64)}, ValueError, "tokens must have shape (T, B), neither of them 0, not (3,)"),
        ({"tokens": np.zeros((0, B), np.int64)}, ValueError, "tokens must have shape (T, B), neither of them 0"),
        ({"tokens": np.zeros((2, B), np.int32)}, TypeError, "tokens must be int64, not int32"),
        ({"tokens": np.zeros((2, 2 * B), np.int64)[:, ::2]}, ValueError, "tokens must be C-contiguous"),
        ({"tokens": np.full((2, B), V)}, IndexError, "an index is outside its vocabulary"),
        ({"targets": np.full((2, B), -1)}, IndexError, "an index is outside its vocabulary"),
        ({"targets": np.zeros((3, B), np.int64)}, ValueError, "targets must have shape (T, B) = (2, 3), not (3, 3)"),
        ({"states": (STATE,)}, ValueError, "states must be 2 arrays, not 1"),
        ({"states": (read_only(STATE.copy()),) * 2}, ValueError, "states is read-only"),
    ],
)
def test_bad_arguments_of_predict(wrong, kind, message):
    run = Run("lstm", np.float64)
    run.states[0][:] = 1
    before = run.everything()
    good = {"tokens": np.zeros((2, B), np.int64), "states": run.states, "targets": np.zeros((2, B), np.int64)}
    with pytest.raises(kind) as raised:
        run.network.predict(**{**good, **wrong})
    assert str(raised.value).startswith(message)
    assert run.everything() == before


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        ({"cell": "gru2"}, ValueError, "there is no cell 'gru2': it must be one of tanh, relu, sigmoid, gru"),
        ({"vocabulary": 2**24}, ValueError, "1 layers of 4 units over 16777216 tokens are too large"),
        ({"layers": 256}, ValueError, "256 layers of 4 units over 5 tokens are too large"),
        ({"parameters": np.zeros(80, np.float16)}, TypeError, "parameters must be float64 or float32, not float16"),
        ({"parameters": np.zeros(81)}, ValueError, "parameters must have shape (N,) ="),
        ({"parameters": read_only(np.zeros(192))}, ValueError, "parameters is read-only"),
    ],
)
def test_bad_networks(wrong, kind, message):
    good = {"cell": "gru", "vocabulary": 5, "embedding_size": 0, "hidden_size": 4, "layers": 1}
    parameters = np.zeros(_core.network_offsets(**good)[-1])
    with pytest.raises(kind) as raised:
        _core.Network(**{**good, "parameters": parameters, **wrong})
    assert str(raised.value).startswith(message)

"""`fastrnn.teaching`: the class of the textbooks, each method against NumPy, and what it learns."""

import copy
import math

import numpy as np
import pytest
from test_objects import copies

import fastrnn
from fastrnn import reference
from fastrnn.teaching import RNN, DataReader, softmax

H, T = 12, 6
LETTERS = ["U", "W", "V", "b", "c"]  # in the order of backward's gradients


@pytest.fixture
def reader(tmp_path):
    """reader(text, seq_length): a DataReader of a file of that text."""

    def reader(text="she sells sea shells\n" * 9, seq_length=T):
        (tmp_path / "text.txt").write_text(text, encoding="utf-8")
        return DataReader(tmp_path / "text.txt", seq_length)

    return reader


def network(V=7, seed=0, hidden_size=H, seq_length=T, lr=0.01):
    """An RNN whose biases are not 0 either."""
    np.random.seed(seed)  # noqa: NPY002
    rnn = RNN(hidden_size, V, seq_length, lr)
    rnn.b[...], rnn.c[...] = np.random.uniform(-1, 1, (hidden_size, 1)), np.random.uniform(-1, 1, (V, 1))  # noqa: NPY002
    return rnn


def sequence(rnn, seed=1, steps=T):
    """inputs, targets, hprev."""
    rng = np.random.default_rng(seed)
    inputs, targets = rng.integers(rnn.vocab_size, size=(2, steps)).tolist()
    return inputs, targets, rng.uniform(-1, 1, (rnn.hidden_size, 1))


def decoded(data_reader, ixes):
    return "".join(data_reader.ix_to_char[ix] for ix in ixes)


def arrays_of(rnn):
    return [getattr(rnn, letter) for letter in LETTERS]


# ---- the methods ----------------------------------------------------------------------------------------------------


def test_softmax_is_the_documented_one_and_cannot_overflow():
    np.testing.assert_allclose(softmax([1, 2, 3]), [0.09003057, 0.24472847, 0.66524096], rtol=0, atol=5e-9)
    np.testing.assert_array_equal(network().softmax(np.array([[1000.0], [1000.0]])), [[0.5], [0.5]])


def test_first_weights_are_numpys_draws_in_the_order_of_the_textbooks():
    np.random.seed(3)  # noqa: NPY002
    rnn = RNN(hidden_size=5, vocab_size=4, seq_length=2, lr=0.1)
    np.random.seed(3)  # noqa: NPY002
    for letter, shape in (("U", (5, 4)), ("V", (4, 5)), ("W", (5, 5))):
        bound = np.sqrt(1.0 / shape[1])
        np.testing.assert_array_equal(getattr(rnn, letter), np.random.uniform(-bound, bound, shape))  # noqa: NPY002
    assert rnn.b.shape == (5, 1)
    assert rnn.c.shape == (4, 1)
    assert not rnn.b.any()
    assert not rnn.c.any()


def test_forward_is_its_equations(isa):
    rnn = network()
    inputs, _, hprev = sequence(rnn)
    xs, hs, ycap = rnn.forward(inputs, hprev)
    assert (sorted(xs), sorted(hs), sorted(ycap)) == (list(range(T)), list(range(-1, T)), list(range(T)))
    np.testing.assert_array_equal(hs[-1], hprev)
    for t, character in enumerate(inputs):
        np.testing.assert_array_equal(xs[t], np.eye(rnn.vocab_size)[:, [character]])
        h = np.tanh(rnn.b + rnn.W @ hs[t - 1] + rnn.U @ xs[t])
        o = rnn.c + rnn.V @ h
        assert (hs[t].shape, ycap[t].shape) == (h.shape, o.shape)
        np.testing.assert_allclose(hs[t], h, rtol=1e-12)
        np.testing.assert_allclose(ycap[t], np.exp(o) / np.exp(o).sum(), rtol=1e-12)


@pytest.mark.parametrize("steps", [1, T, 100], ids=["one step", "a sequence", "gradients that are clipped"])
def test_loss_and_gradients_are_those_of_min_char_rnn(isa, steps):
    rnn = network()
    inputs, targets, hprev = sequence(rnn, steps=steps)
    xs, hs, ycap = rnn.forward(inputs, hprev)
    lossFun, _ = reference.bind(*arrays_of(rnn))
    loss, *gradients, h_last = lossFun(inputs, targets, hprev)
    assert rnn.loss(ycap, targets) == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(hs[steps - 1], h_last, rtol=1e-12)
    for ours, its in zip(rnn.backward(xs, hs, ycap, targets), gradients, strict=True):
        np.testing.assert_allclose(ours, its, rtol=1e-9, atol=1e-12)
    assert (max(np.abs(gradient).max() for gradient in gradients) == 5) == (steps == 100)


@pytest.mark.parametrize("letter", LETTERS)
def test_gradients_are_central_differences_of_the_loss(letter):
    rnn = network()
    inputs, targets, hprev = sequence(rnn)
    gradients = dict(zip(LETTERS, rnn.backward(*rnn.forward(inputs, hprev), targets), strict=True))
    parameter, gradient, step = getattr(rnn, letter), gradients[letter], 1e-5
    differences = np.empty_like(gradient)
    for place in np.ndindex(parameter.shape):
        before, losses = parameter[place], []
        for sign in (1, -1):
            parameter[place] = before + sign * step
            losses.append(rnn.loss(rnn.forward(inputs, hprev)[2], targets))
        parameter[place] = before
        differences[place] = (losses[0] - losses[1]) / (2 * step)
    assert np.abs(gradient - differences).max() < 1e-8 * np.abs(gradient).max()


def test_backward_takes_the_probabilities_as_they_are_given():
    """Steps whose prediction is taken for right add nothing: a loss over the last step alone, of a sequence."""
    rnn = network()
    inputs, targets, hprev = sequence(rnn)
    xs, hs, ycap = rnn.forward(inputs, hprev)
    masked = {t: np.eye(rnn.vocab_size)[:, [targets[t]]] for t in range(T - 1)} | {T - 1: ycap[T - 1]}
    dV, dc = rnn.backward(xs, hs, masked, targets)[2::2]
    dy = ycap[T - 1] - np.eye(rnn.vocab_size)[:, [targets[T - 1]]]
    np.testing.assert_allclose(dc, dy, rtol=1e-12)
    np.testing.assert_allclose(dV, dy @ hs[T - 1].T, rtol=1e-9)


def test_results_are_new_arrays():
    rnn = network()
    inputs, targets, hprev = sequence(rnn)
    xs, hs, ycap = rnn.forward(inputs, hprev)
    gradients = rnn.backward(xs, hs, ycap, targets)
    before = copy.deepcopy((hs, ycap, gradients))
    hprev[...] = 0
    rnn.backward(*rnn.forward(targets, hprev), inputs)
    np.testing.assert_equal((hs, ycap, gradients), before)


@pytest.mark.filterwarnings("error")
def test_the_loss_of_what_was_thought_impossible_is_infinite():
    rnn = network()
    assert rnn.loss({0: np.eye(7)[:, [1]]}, [2]) == math.inf


def test_update_model_is_gradient_descent():
    rnn = network(lr=0.25)
    before = [array.copy() for array in arrays_of(rnn)]
    gradients = [np.random.default_rng(2).standard_normal(array.shape) for array in before]
    rnn.update_model(*gradients)
    for after, array, gradient in zip(arrays_of(rnn), before, gradients, strict=True):
        np.testing.assert_array_equal(after, array - 0.25 * gradient)


# ---- training and prediction ----------------------------------------------------------------------------------------


def test_training_is_its_steps_one_after_the_other(reader):
    """Over more than one pass of the text, at whose beginning the state is zero."""
    alone, together = network(), network()
    data_reader, its = reader(), reader()
    smooth_loss = T * math.log(7)
    for _ in range(40):
        if data_reader.just_started():
            h = np.zeros((H, 1))
        inputs, targets = data_reader.next_batch()
        xs, hs, ycap = alone.forward(inputs, h)
        smooth_loss = 0.999 * smooth_loss + 0.001 * alone.loss(ycap, targets)
        alone.update_model(*alone.backward(xs, hs, ycap, targets))
        h = hs[T - 1]
    assert data_reader.pointer < 40 * T
    assert together.train(its, 40) == pytest.approx(smooth_loss, rel=1e-12)
    assert its.pointer == data_reader.pointer
    for ours, its_array in zip(arrays_of(together), arrays_of(alone), strict=True):
        np.testing.assert_allclose(ours, its_array, rtol=1e-9, atol=1e-12)


def test_it_learns_a_text(reader):
    data_reader = reader("the year that was. " * 3, seq_length=10)
    np.random.seed(0)  # noqa: NPY002
    rnn = RNN(30, data_reader.vocab_size, 10, lr=0.05)
    losses = []
    smooth_loss = rnn.train(data_reader, 3000, lambda n, smooth_loss: losses.append(smooth_loss))
    assert len(losses) == 3000
    assert losses[-1] == smooth_loss < 0.1 * losses[0]
    np.random.seed(1)  # noqa: NPY002
    assert rnn.predict(data_reader, "the year", 30) == "the year that was. the year that was. "


def test_the_callback_ends_training_by_true():
    data_reader, seen = DataReader(None, T), []
    rnn = RNN(4, data_reader.vocab_size, T, 0.01)
    rnn.train(data_reader, 100, lambda n, smooth_loss: seen.append(n) or n == 3)
    assert seen == [0, 1, 2, 3]


def test_predict_reads_all_of_its_start_one_character_after_the_other(reader):
    """As NumPy does it, draw by draw from the same global state."""
    data_reader = reader()
    rnn = network(V=data_reader.vocab_size)
    rnn.U, rnn.W, rnn.V = 3 * rnn.U, 3 * rnn.W, 3 * rnn.V  # so that what stands further back matters

    def by_hand(start, n):
        h, text = np.zeros((H, 1)), start
        for t in range(len(start) - 1 + n):
            x = np.eye(rnn.vocab_size)[:, [data_reader.char_to_ix[text[t]]]]
            h = np.tanh(rnn.b + rnn.W @ h + rnn.U @ x)
            if t >= len(start) - 1:
                p = softmax(rnn.c + rnn.V @ h)
                text += data_reader.ix_to_char[np.random.choice(rnn.vocab_size, p=p.ravel())]  # noqa: NPY002
        return text

    texts = set()
    for start in ("s", "se", "he sells", "eh sells"):
        np.random.seed(5)  # noqa: NPY002
        expected = by_hand(start, 60)
        np.random.seed(5)  # noqa: NPY002
        assert rnn.predict(data_reader, start, 60) == expected
        texts.add(expected[len(start) :])
    assert len(texts) == 4
    assert rnn.predict(data_reader, "sea", 0) == "sea"


def test_a_reader_goes_through_its_text_and_begins_again(reader):
    data_reader = reader("hello\r\nworld", seq_length=3)  # 11 characters: the line end becomes one
    assert data_reader.data == "hello\nworld"
    assert "".join(data_reader.char_to_ix) == "\ndehlorw"
    assert data_reader.ix_to_char == dict(enumerate("\ndehlorw"))
    assert (data_reader.data_size, data_reader.vocab_size) == (11, 8)
    seen = []
    for _ in range(4):
        just_started = data_reader.just_started()
        seen.append((just_started, *(decoded(data_reader, part) for part in data_reader.next_batch())))
    expected = [(True, "hel", "ell"), (False, "lo\n", "o\nw"), (False, "wor", "orl"), (True, "hel", "ell")]
    assert seen == expected
    shorter = reader("hello\nworl", seq_length=3)  # where T + 1 are left it begins again, as min-char-rnn does
    assert [decoded(shorter, shorter.next_batch()[0]) for _ in range(3)] == ["hel", "lo\n", "hel"]


# ---- as objects -----------------------------------------------------------------------------------------------------


@copies
def test_copies_go_on_as_the_network_does_and_are_independent(reader, duplicate):
    rnn = network()
    rnn.train(reader(), 5)
    twin = duplicate(rnn)
    assert twin.train(reader(), 20) == rnn.train(reader(), 20)
    for ours, its in zip(arrays_of(twin), arrays_of(rnn), strict=True):
        np.testing.assert_array_equal(ours, its)
        assert not np.shares_memory(ours, its)


def test_what_is_assigned_to_a_parameter_is_what_the_network_computes_with():
    rnn, twin = network(seed=0), network(seed=1)
    inputs, _, hprev = sequence(rnn)
    for letter in LETTERS:
        setattr(rnn, letter, getattr(twin, letter))
    np.testing.assert_array_equal(rnn.forward(inputs, hprev)[2][T - 1], twin.forward(inputs, hprev)[2][T - 1])
    rnn.c += 1  # each network has arrays of its own
    assert (rnn.c == twin.c + 1).all()


# ---- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda rnn, data, h: rnn.predict(data, "", 5), ValueError, "start must have at least one character"),
        (
            lambda rnn, data, h: rnn.predict(data, "sex!", 5),
            ValueError,
            r"start has '!', 'x', which .* use only its 7 char",
        ),
        (lambda rnn, data, h: rnn.predict(data, 3, 5), TypeError, "start must be a str, not int"),
        (lambda rnn, data, h: rnn.predict(data, "sea", -1), ValueError, "n must not be negative"),
        (lambda rnn, data, h: rnn.forward([0, 8], h), IndexError, r"inputs must be in \[0, 7\), and has 8"),
        (lambda rnn, data, h: rnn.forward([0.5], h), TypeError, "inputs must hold integers"),
        (lambda rnn, data, h: rnn.forward([0], h.T), ValueError, r"hprev must have shape \(12, 1\)"),
        (lambda rnn, data, h: rnn.loss(rnn.forward([0], h)[2], [0, 1]), ValueError, "ps must have 2 steps, .* not 1"),
        (lambda rnn, data, h: rnn.backward(*rnn.forward([0], h), [-1]), IndexError, r"targets must be in \[0, 7\)"),
        (lambda rnn, data, h: setattr(rnn, "U", rnn.V), ValueError, r"U must have shape \(12, 7\), not \(7, 12\)"),
        (
            lambda rnn, data, h: rnn.update_model(rnn.U, rnn.V, rnn.W, rnn.b, rnn.c),
            ValueError,
            r"dW must have shape \(12, 12\), not \(7, 12\)",
        ),
        (lambda rnn, data, h: RNN(H, 8, T, 0.1).train(data), ValueError, "the network's vocab_size, 8, not 7"),
        (lambda rnn, data, h: RNN(H, 8, T, 0.1).predict(data, "sea", 5), ValueError, "network's vocab_size, 8, not 7"),
        (lambda rnn, data, h: DataReader(0, T), TypeError, "path must be that of a file, .* not int"),
        (lambda rnn, data, h: RNN(H, 7, 9, 0.1).train(data), ValueError, "the network's seq_length, 9, not 6"),
        (lambda rnn, data, h: RNN(0, 8, T, 0.1), ValueError, "hidden_size must be at least 1"),
        (lambda rnn, data, h: RNN(H, 8, T, math.nan), ValueError, "lr must be finite"),
    ],
)
def test_wrong_arguments_are_named_and_change_nothing(reader, call, error, message):
    rnn, data_reader = network(), reader()
    before = copy.deepcopy(rnn)
    with pytest.raises(error, match=message):
        call(rnn, data_reader, np.zeros((H, 1)))
    assert data_reader.just_started()
    for ours, its in zip(arrays_of(rnn), arrays_of(before), strict=True):
        np.testing.assert_array_equal(ours, its)


def test_a_text_without_a_sequence_is_refused(reader):
    with pytest.raises(ValueError, match=r"has 6 characters, fewer than the 7 .*smaller seq_length"):
        reader("sea sh", seq_length=6)
    data_reader = reader("sea she", seq_length=6)
    assert [data_reader.next_batch() for _ in range(2)] == [([4, 2, 1, 0, 4, 3], [2, 1, 0, 4, 3, 2])] * 2


def test_training_that_diverges_ends_with_whole_weights(reader):
    data_reader = reader()
    rnn = network(lr=1e308)
    with pytest.raises(fastrnn.NumericalError, match="learning rate"):
        rnn.train(data_reader)

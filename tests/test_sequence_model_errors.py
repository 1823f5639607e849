"""Data and arguments that won't do for a SequenceModel: an error that names them, and nothing is changed."""

import copy
import re

import numpy as np
import pytest

import fastrnn

RNG = np.random.default_rng(0)
N, T, I, V = 6, 5, 3, 4  # noqa: E741  (sequences, steps, inputs, outputs)
X = RNG.standard_normal((N, T, I))
TOKENS = RNG.integers(I, size=(N, T))
CLASSES = np.array([0, 1, 2, 3, 0, 1])
STEP_CLASSES = RNG.integers(V, size=(N, T))
NUMBERS, STEP_NUMBERS = RNG.random((N, V)), RNG.random((N, T, V))
STEPS = {"topology": "many-to-many"}
ONE_TO_MANY = {"topology": "one-to-many"}
LINEAR, SIGMOID = {"output": "linear"}, {"output": "sigmoid"}


def changed(array, place, value):
    array = array.copy()
    array[place] = value
    return array


def model_of(**arguments):
    return fastrnn.SequenceModel(**{"hidden_size": 3, "batch_size": 2, "seed": 0, **arguments})


def whole(model):
    tensors, metadata = model._whole()
    return repr(metadata), {name: tensor.tobytes() for name, tensor in tensors.items()}


HOLES = np.array([X[0], X[1, :3]], dtype=object)
WRONG_DATA = [
    # arguments, X, y, keywords of fit, error, message
    # labels
    ({}, X, changed(CLASSES, 2, -1), {}, IndexError, "y must be in [0, "),
    ({}, X, -CLASSES - 1, {}, IndexError, "y must be in [0, 16777215), and has -1"),
    ({}, X, changed(CLASSES, 2, 2**40), {}, IndexError, "y must be in [0, "),
    ({}, X, np.full(N, 2**64 - 1, np.uint64), {}, IndexError, "y must be in [0, "),
    ({"output_size": V}, X, changed(CLASSES, 2, V), {}, IndexError, "y must be in [0, 4), and has 4"),
    ({**STEPS, "output_size": V}, X, changed(STEP_CLASSES, (2, 3), V), {}, IndexError, "y must be in [0, 4)"),
    ({}, X, CLASSES.astype(float), {}, TypeError, "y must hold a class, an integer, for each sequence, (N,), not (6,)"),
    ({}, X, CLASSES > 1, {}, TypeError, "not (6,) of bool"),
    ({}, X, np.eye(V)[CLASSES], {}, TypeError, "not (6, 4) of float64"),
    (STEPS, X, np.eye(V)[STEP_CLASSES], {}, TypeError, "y must hold a class, an integer, for each step"),
    (STEPS, X, STEP_CLASSES.astype(float), {}, ValueError, "y must have shape (N, T) of integers"),
    (STEPS, X, CLASSES, {}, ValueError, "y must have shape (N, T) of integers or (N, T, E) of numbers"),
    ({}, X, list("abcdef"), {}, TypeError, "y must hold a class"),
    ({}, X, None, {}, TypeError, "y must hold a class"),
    ({}, X, [[0], [1, 2]] * 3, {}, ValueError, "y must be an array, or lists that make one: its parts differ in shape"),
    # numbers
    (LINEAR, X, changed(NUMBERS, (1, 2), np.nan), {}, ValueError, "y must be finite, and has nan: replace"),
    (LINEAR, X, changed(NUMBERS, (1, 2), 1e300), {}, ValueError, "y must be finite, and has inf"),
    ({**LINEAR, **STEPS}, X, changed(STEP_NUMBERS, (1, 2, 0), np.inf), {}, ValueError, "y must be finite, and has inf"),
    (LINEAR, X, NUMBERS * 1j, {}, TypeError, "y must hold real numbers, not complex128"),
    (LINEAR, X, STEP_NUMBERS, {}, ValueError, "y must have shape (N, E), a row of numbers for each example, not (6, 5"),
    ({**LINEAR, "output_size": 3}, X, NUMBERS, {}, ValueError, "y must have output_size=3 numbers for each"),
    (SIGMOID, X, NUMBERS + 0.5, {}, ValueError, 'y must be in [0, 1] for output="sigmoid": scale it'),
    (SIGMOID, X, -NUMBERS, {}, ValueError, 'y must be in [0, 1] for output="sigmoid"'),
    # vectors and tokens
    ({}, changed(X, (1, 2, 0), np.nan), CLASSES, {}, ValueError, "X must be finite, and has nan: replace"),
    ({}, changed(X, (1, 2, 0), -np.inf), CLASSES, {}, ValueError, "X must be finite, and has -inf"),
    ({}, changed(X, (1, 2, 0), 1e39), CLASSES, {}, ValueError, "X must be finite, and has inf"),
    ({}, [X[0], changed(X[1], (2, 0), np.nan)], [0, 1], {}, ValueError, "X[1] must be finite, and has nan"),
    ({}, X * 1j, CLASSES, {}, TypeError, "X must hold real numbers, not complex128"),
    ({}, X.astype(object), CLASSES, {}, TypeError, "X must hold real numbers, not object"),
    ({}, changed(TOKENS, (1, 2), -1), CLASSES, {}, IndexError, "X must be in [0, "),
    ({}, -TOKENS - 1, CLASSES, {}, IndexError, "X must be in [0, 16777215), and has -"),
    ({}, changed(TOKENS, (1, 2), 2**40), CLASSES, {}, IndexError, "X must be in [0, "),
    ({"input_size": 2}, TOKENS, CLASSES, {}, IndexError, "X must be in [0, 2), and has 2"),
    ({"input_size": 2}, X, CLASSES, {}, ValueError, "X must have input_size=2 numbers at each step, not 3"),
    ({"inputs": "tokens"}, X, CLASSES, {}, TypeError, "X must hold tokens, and has vectors of real numbers"),
    ({"inputs": "vectors"}, TOKENS, CLASSES, {}, TypeError, "X must hold vectors, and has integers, which are tokens"),
    ({"embedding_size": 2}, X, CLASSES, {}, ValueError, "embedding_size is for tokens: leave it out where the inputs"),
    # shapes
    ({}, X[0], CLASSES, {}, ValueError, "X must have shape (N, T) of integers or (N, T, E) of numbers"),
    ({}, X[np.newaxis], CLASSES, {}, ValueError, "with at least one step, not (1, 6, 5, 3) of float64"),
    ({}, X[:, :0], CLASSES, {}, ValueError, "with at least one step, not (6, 0, 3) of float64"),
    ({}, X[:, :, :0], CLASSES, {}, ValueError, "with at least one step, not (6, 5, 0) of float64"),
    ({}, X[:0], CLASSES[:0], {}, ValueError, "with at least one step, not (0, 5, 3) of float64"),
    ({}, [], [], {}, ValueError, "with at least one step, not (0,) of float64"),
    ({}, 3, 3, {}, ValueError, "with at least one step, not () of int64"),
    ({}, None, CLASSES, {}, ValueError, "X must have shape"),
    ({}, "text", CLASSES, {}, ValueError, "X must have shape"),
    ({}, X > 0, CLASSES[:5], {}, ValueError, "X and y must be as many"),
    ({}, HOLES, CLASSES[:2], {}, ValueError, "with at least one step, not (2,) of object"),
    ({}, [X[0], X[1, :0]], [0, 1], {}, ValueError, "X[1] must have shape (T,) of integers or (T, E) of numbers, with"),
    ({}, [[], [1]], [0, 1], {}, ValueError, "X[0] must have shape (T,) of integers"),
    ({}, [X[0], X[1, :, :2]], [0, 1], {}, ValueError, "X[0] has shape (5, 3), and X[1] (5, 2)"),
    ({}, [X[0], TOKENS[1]], [0, 1], {}, ValueError, "the sequences of X must be all of integers or all of vectors"),
    ({}, [[[1, 2], [3]], [[1, 2]]], [0, 1], {}, ValueError, "X[0] must be an array, or lists that make one"),
    ({}, [[[1, 2]], [[1, 2], [3]]], [0, 1], {}, ValueError, "X[1] must be an array, or lists that make one"),
    ({}, X, CLASSES[:5], {}, ValueError, "X and y must be as many: X has 6 sequences, and y 5"),
    (STEPS, X, STEP_CLASSES[:5], {}, ValueError, "X and y must be as many: X has 6 sequences, and y 5"),
    (STEPS, X, STEP_CLASSES[:, :4], {}, ValueError, "sequence 0 has 5 steps in X and 4 in y"),
    (STEPS, list(X), [*STEP_CLASSES[:5], STEP_CLASSES[5, :2]], {}, ValueError, "sequence 5 has 5 steps in X and 2"),
    ({**STEPS, **LINEAR}, X, NUMBERS, {}, ValueError, "sequence 0 has 5 steps in X and 4 in y"),
    ({"topology": "one-to-one"}, X, CLASSES, {}, ValueError, "X must have shape (N, E), a row of numbers for each"),
    (ONE_TO_MANY, X, STEP_CLASSES, {}, ValueError, "X must have shape (N, E), a row of numbers for each example"),
    (ONE_TO_MANY, X[:5, 0], STEP_CLASSES, {}, ValueError, "X and y must be as many: X has 5 rows, and y 6 sequences"),
    (ONE_TO_MANY, CLASSES[:0], STEP_CLASSES, {}, ValueError, "X must have shape (N, E)"),
    (ONE_TO_MANY, CLASSES - 1, STEP_CLASSES, {}, IndexError, "X must be in [0, 16777215), and has -1"),
    (ONE_TO_MANY, CLASSES + 2**40, STEP_CLASSES, {}, IndexError, "X must be in [0, 16777215), and has 10995"),
    (ONE_TO_MANY, X[:, 0], CLASSES, {}, ValueError, "y must have shape (N, T) of integers"),
    # lengths
    ({}, X, CLASSES, {"lengths": np.ones(N)}, TypeError, "lengths must hold integers, not float64"),
    ({}, X, CLASSES, {"lengths": np.ones(N, bool)}, TypeError, "lengths must hold integers, not bool"),
    ({}, X, CLASSES, {"lengths": [1] * 5}, ValueError, "lengths must have shape (6,), one for each sequence, not (5,)"),
    ({}, X, CLASSES, {"lengths": 3}, ValueError, "lengths must have shape (6,)"),
    ({}, X, CLASSES, {"lengths": [[1], [1, 2]]}, ValueError, "lengths must be an array"),
    ({}, X, CLASSES, {"lengths": [1, 2, 0, 3, 4, 5]}, ValueError, "lengths must be in [1, 5], and lengths[2] is 0"),
    ({}, X, CLASSES, {"lengths": [1, 2, 3, 6, 4, 5]}, ValueError, "lengths must be in [1, 5], and lengths[3] is 6"),
    ({}, X, CLASSES, {"lengths": np.full(N, 2**63, np.uint64)}, ValueError, "lengths must be in [1, 5]"),
    ({}, list(X), CLASSES, {"lengths": [5] * N}, ValueError, "lengths belong to X as one padded array"),
    (STEPS, X, list(STEP_CLASSES), {"lengths": [5] * N}, ValueError, "lengths belong to y as one padded array"),
    ({"topology": "one-to-one"}, X[:, 0], CLASSES, {"lengths": [1] * N}, ValueError, "lengths are of sequences"),
    # of fit
    ({}, X, CLASSES, {"validation": 0.01}, ValueError, "leaves 6 to train on and 0 to hold out: give more sequences"),
    ({}, X, CLASSES, {"validation": 0.99}, ValueError, "leaves 0 to train on and 6 to hold out"),
    ({}, X, CLASSES, {"validation": 1}, ValueError, "validation must be at least 0 and below 1"),
    ({}, X, CLASSES, {"patience": 2}, ValueError, "patience counts records of the validation loss"),
    ({}, X, CLASSES, {"iterations": 1, "epochs": 1}, ValueError, "iterations and epochs say the same thing"),
    ({}, X, CLASSES, {"iterations": 1.0}, TypeError, "iterations must be an integer, not float"),
    ({}, X, CLASSES, {"epochs": -1}, ValueError, "epochs must be at least 0"),
    ({}, X, CLASSES, {"every": 0}, ValueError, "every must be at least 1"),
    ({}, X, CLASSES, {"callback": 1}, TypeError, "callback must be callable"),
    ({}, X, CLASSES, {"iterations": 2**62 + 1}, ValueError, "iterations must be at most 2**62"),
    ({"stateful": True, "shuffle": False}, X[:5], CLASSES[:5], {}, ValueError,
     "the sequences to train on must be a multiple of batch_size=2, and are 5"),
    ({"stateful": True, "shuffle": False}, X, CLASSES, {"validation": 0.17}, ValueError,
     "the sequences to train on must be a multiple of batch_size=2, and are 5"),
    ({"stateful": True, "shuffle": False, "batch_size": 2**31 - 1}, X, CLASSES, {}, ValueError, "must be a multiple"),
    ({"stateful": True, "shuffle": False}, X[:5], CLASSES[:5], {"validation": 0.2}, ValueError,
     "the sequences held out must be a multiple of batch_size=2, and are 1"),
    ({"hidden_size": 2**24 - 1, "num_layers": 255}, X, CLASSES, {}, MemoryError, "Unable to allocate"),
]  # fmt: skip


def good_data(arguments):
    """X, y that a model of these arguments takes."""
    tokens = "embedding_size" in arguments or arguments.get("inputs") == "tokens"
    many_in, many_out = (part == "many" for part in arguments.get("topology", "many-to-one").split("-to-"))
    inputs = TOKENS if tokens else X
    targets = STEP_CLASSES if many_out else CLASSES
    if arguments.get("output", "softmax") != "softmax":
        targets = STEP_NUMBERS if many_out else NUMBERS
    return inputs if many_in else inputs[:, 0], targets


@pytest.mark.parametrize(
    ("arguments", "X", "y", "fit", "error", "message"), WRONG_DATA, ids=[case[-1] for case in WRONG_DATA]
)
def test_data_that_wont_do_are_named_and_leave_the_model_unbuilt(arguments, X, y, fit, error, message):
    model = model_of(**arguments)
    before = whole(model)
    with pytest.raises(error, match=re.escape(message)):
        model.fit(X, y, **fit)
    assert whole(model) == before
    with pytest.raises(ValueError, match="no weights yet"):
        model.predict(X)


MADE_FOR_THE_DATA = {"hidden_size", "input_size", "output_size", "batch_size"}


WRONG_FOR_ALL = [case for case in WRONG_DATA if not case[0].keys() & MADE_FOR_THE_DATA]


@pytest.mark.parametrize(
    ("arguments", "X", "y", "fit"), [case[:4] for case in WRONG_FOR_ALL], ids=[case[-1] for case in WRONG_FOR_ALL]
)
def test_data_that_wont_do_change_nothing_of_a_trained_model(arguments, X, y, fit):
    model = model_of(**arguments)
    good = good_data(arguments)
    model.fit(*good, iterations=2)
    untouched = copy.deepcopy(model)
    uses = [model.fit]
    if not fit.keys() - {"lengths"}:
        uses += [model.partial_fit, model.evaluate]
    for use in uses:
        with pytest.raises((ValueError, TypeError, IndexError)):
            use(X, y, **fit)
    assert whole(model) == whole(untouched)
    assert model.fit(*good, iterations=2) == untouched.fit(*good, iterations=2)


@pytest.mark.parametrize(
    ("arguments", "trained", "X", "y", "error", "message"),
    [
        ({}, (X, CLASSES), TOKENS, CLASSES, TypeError, "X must hold vectors, and has integers, which"),
        ({}, (TOKENS, CLASSES), X, CLASSES, TypeError, "X must hold tokens, and has vectors of real numbers"),
        ({}, (X, CLASSES), X[:, :, :2], CLASSES, ValueError, "X must have input_size=3 numbers at each step, not 2"),
        ({}, (X, CLASSES), X, CLASSES + 1, IndexError, "y must be in [0, 4), and has 4"),
        ({}, (TOKENS, CLASSES), TOKENS + 1, CLASSES, IndexError, "X must be in [0, 3), and has 3"),
        (LINEAR, (X, NUMBERS), X, NUMBERS[:, 0], ValueError, "y must have output_size=4 numbers for each"),
        (ONE_TO_MANY, (CLASSES, STEP_CLASSES), CLASSES + 1, STEP_CLASSES, IndexError, "X must be in [0, 4), and has 4"),
        (ONE_TO_MANY, (X[:, 0], STEP_CLASSES), X[:, 0, :2], STEP_CLASSES, ValueError, "X must have input_size=3"),
        ({**ONE_TO_MANY, "inputs": "tokens"}, (CLASSES, STEP_CLASSES), X[:, 0], STEP_CLASSES, ValueError,
         "X must have shape (N,) of integers, and has (6, 3) of float64"),
    ],
)  # fmt: skip
def test_data_of_another_make_than_the_first_are_refused(arguments, trained, X, y, error, message):
    model = model_of(**arguments)
    model.fit(*trained, iterations=1)
    before = whole(model)
    predict = (lambda X, y: model.predict(X, steps=3)) if arguments.get("topology") else lambda X, y: model.predict(X)
    for use in (model.fit, model.partial_fit, model.evaluate, predict):
        if use is predict and "y must" in message:
            continue
        with pytest.raises(error, match=re.escape(message)):
            use(X, y)
    assert whole(model) == before


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"cell": "elman"}, ValueError, "cell must be one of 'rnn', 'gru', 'lstm'"),
        ({"topology": "many"}, ValueError, "topology must be one of 'one-to-one', 'one-to-many', 'many-to-one'"),
        ({"output": "tanh"}, ValueError, "output must be one of 'softmax', 'sigmoid', 'linear'"),
        ({"loss": "squared_error"}, ValueError, "loss must be one of 'cross_entropy', not 'squared_error'"),
        ({"output": "linear", "loss": "cross_entropy"}, ValueError, "loss must be one of 'squared_error'"),
        ({"inputs": "words"}, ValueError, "inputs must be one of 'vectors', 'tokens'"),
        ({"input_size": 0}, ValueError, "input_size must be at least 1"),
        ({"output_size": 2.5}, TypeError, "output_size must be an integer"),
        ({"output_size": 2**24}, ValueError, "output_size must be at most 16777215"),
        ({"embedding_size": 0}, ValueError, "embedding_size must be at least 1"),
        ({"embedding_size": 2, "inputs": "vectors"}, ValueError, "embedding_size is for tokens"),
        ({"embedding_size": 2, "topology": "one-to-many"}, ValueError, "embedding_size has no place in one-to-many"),
        ({"nonlinearity": "relu"}, ValueError, "nonlinearity is that of cell=\"rnn\": leave it out for 'lstm'"),
        ({"cell": "rnn", "nonlinearity": "selu"}, ValueError, "nonlinearity must be one of 'tanh', 'relu', 'sigmoid'"),
        ({"reset_after": False}, ValueError, 'reset_after=False is a form of cell="gru"'),
        ({"bidirectional": 1}, TypeError, "bidirectional must be True or False, not 1"),
        ({"bias": None}, TypeError, "bias must be True or False"),
        ({"shuffle": "no"}, TypeError, "shuffle must be True or False"),
        (
            {"stateful": True},
            ValueError,
            "stateful goes on from batch to batch, which needs their order: set shuffle=F",
        ),
        ({"stateful": True, "shuffle": False, "bidirectional": True}, ValueError, "stateful and bidirectional exclude"),
        ({"batch_size": 2**31}, ValueError, "batch_size must be at most 2147483647"),
        ({"hidden_size": 2**24}, ValueError, "hidden_size must be at most 16777215"),
        ({"num_layers": 256}, ValueError, "num_layers must be at most 255"),
        ({"dropout": 1.0}, ValueError, "dropout must be at least 0 and below 1"),
        ({"schedule": "step"}, ValueError, "needs schedule_iterations"),
        ({"dtype": "float16"}, TypeError, "dtype must be float32 or float64"),
    ],
)
def test_arguments_that_wont_do_are_named(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        fastrnn.SequenceModel(**arguments)


@pytest.mark.parametrize(
    ("arguments", "make", "error", "message"),
    [
        ({}, ("words", 2, 2), ValueError, "inputs must be one of 'vectors', 'tokens', not 'words'"),
        ({}, ("tokens", 0, 2), ValueError, "input_size must be at least 1"),
        ({}, ("tokens", 2, 2.5), TypeError, "output_size must be an integer"),
        ({"input_size": 3}, ("tokens", 2, 2), ValueError, "input_size is 3, not 2"),
        ({"inputs": "tokens"}, ("vectors", 2, 2), ValueError, "inputs is 'tokens', not 'vectors'"),
        ({"embedding_size": 3}, ("vectors", 2, 2), ValueError, "embedding_size is for tokens"),
        ({"hidden_size": 2**24 - 1}, ("vectors", 2**24 - 1, 2), MemoryError, "Unable to allocate"),
    ],
)
def test_a_make_that_wont_do_leaves_the_model_unbuilt(arguments, make, error, message):
    model = model_of(**arguments)
    before = whole(model)
    with pytest.raises(error, match=message):
        model.build(*make)
    assert whole(model) == before


def test_what_is_not_built_says_what_to_do(tmp_path):
    model = model_of()
    uses = [
        lambda: model.predict(X),
        lambda: model.evaluate(X, CLASSES),
        lambda: model.save(tmp_path / "model"),
        lambda: model.load_state_dict({}),
        model.state_dict,
    ]
    for use in uses:
        with pytest.raises(ValueError, match=re.escape("call fit, or build(inputs, input_size, output_size), first")):
            use()
    assert not list(tmp_path.iterdir())
    assert (model.best, len(model.history), model.iterations) == (None, 0, 0)
    with pytest.raises(ValueError, match="the model is built already: make a new one for other data"):
        model.build("vectors", 3, 2).build("vectors", 3, 2)


GOOD_STATE = np.zeros((1, N, 3), np.float32)


@pytest.mark.parametrize(
    ("topology", "arguments", "error", "message"),
    [
        ("many-to-one", {"steps": 3}, ValueError, 'steps is how many outputs "one-to-many" is to give'),
        ("one-to-many", {}, ValueError, 'steps is how many outputs "one-to-many" is to give'),
        ("one-to-many", {"steps": 0}, ValueError, "steps must be at least 1"),
        ("one-to-many", {"steps": 2.0}, TypeError, "steps must be an integer"),
        ("one-to-many", {"steps": 2**50}, MemoryError, "Unable to allocate"),
        ("one-to-many", {"steps": 2, "lengths": [1] * N}, ValueError, "lengths and steps say the same thing"),
        ("many-to-one", {"lengths": [6] * N}, ValueError, "lengths must be in [1, 5]"),
        ("many-to-one", {"return_states": 1}, TypeError, "return_states must be True or False"),
        ("many-to-one", {"states": GOOD_STATE}, TypeError, "states must be a tuple (h, c) of arrays"),
        ("many-to-one", {"states": (GOOD_STATE,)}, TypeError, "states must be a tuple (h, c) of arrays"),
        ("many-to-one", {"states": (GOOD_STATE, GOOD_STATE[:, 1:])}, ValueError, "states[1] must have shape (1, 6, 3)"),
        ("many-to-one", {"states": (GOOD_STATE, GOOD_STATE.astype(float))}, TypeError, "states[1] must hold float32"),
        ("many-to-one", {"states": (GOOD_STATE, [[1], [1, 2]])}, ValueError, "states[1] must be an array"),
        ("many-to-one", {"states": (GOOD_STATE + np.nan, GOOD_STATE)}, fastrnn.NumericalError, "the states hold NaN"),
    ],
)
def test_arguments_of_predict_that_wont_do_are_named(topology, arguments, error, message):
    model = model_of(topology=topology).build("vectors", I, V)
    before = whole(model)
    with pytest.raises(error, match=re.escape(message)):
        model.predict(X[:, 0] if topology == "one-to-many" else X, **arguments)
    assert whole(model) == before


def test_arrays_of_any_layout_and_kind_of_numbers_are_taken():
    """Unaligned, strided, read-only, of the other byte order, of other dtypes, lists: the numbers count."""
    ones = np.frombuffer(b"\0" + X.tobytes(), offset=1).reshape(X.shape), np.asfortranarray(X), X.astype(">f8")
    reverse, read_only = X[::-1].copy()[::-1], X.copy()
    read_only.flags.writeable = False
    expected = model_of(dtype="float64").fit(X, CLASSES, iterations=3)
    for same in (*ones, reverse, read_only, X.astype(np.longdouble), list(X), X.tolist(), tuple(X)):
        assert model_of(dtype="float64").fit(same, CLASSES, iterations=3) == expected
    for classes in (CLASSES.astype(np.uint8), CLASSES.astype(">i2"), np.repeat(CLASSES, 2)[::2], CLASSES.tolist()):
        assert model_of(dtype="float64").fit(X, classes, iterations=3) == expected
    assert X.flags.writeable
    bits = model_of(**SIGMOID).fit(X > 0, NUMBERS > 0.5, iterations=1)
    assert bits == model_of(**SIGMOID).fit((X > 0).astype(np.float16), (NUMBERS > 0.5) * 1, iterations=1)
    state = np.frombuffer(b"\0" + GOOD_STATE.tobytes(), np.float32, offset=1).reshape(GOOD_STATE.shape)
    model = model_of().build("vectors", I, V)
    assert (model.predict(X, states=(state, state)) == model.predict(X)).all()


def test_a_batch_may_be_larger_than_the_data():
    expected = model_of(batch_size=N).fit(X, CLASSES, iterations=4)
    assert model_of(batch_size=2**31 - 1).fit(X, CLASSES, iterations=4) == expected


def test_a_loss_that_is_not_finite_leaves_what_the_last_iteration_left():
    arguments = {"output": "linear", "optimizer": "sgd", "learning_rate": 1e6, "clip_norm": None, "hidden_size": 4}
    model = model_of(**arguments)
    with pytest.raises(fastrnn.NumericalError, match=r"iteration \d+: .* lower learning_rate or set clip_norm"):
        model.fit(X, NUMBERS, iterations=1000)
    assert 0 < model.iterations < 1000
    assert np.isfinite(model.smooth_loss)
    until_then = model_of(**arguments)
    until_then.fit(X, NUMBERS, iterations=model.iterations, every=10**9)
    assert whole(model)[1] == whole(until_then)[1]
    model.learning_rate = 1e-30
    with pytest.raises(fastrnn.NumericalError):
        model.fit(X, NUMBERS, iterations=1)

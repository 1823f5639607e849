"""SequenceModel as an object and as a file: saved, loaded, pickled, copied, used by many threads, interrupted."""

import copy
import os
import pickle
import signal
import sys
import threading
import time

import numpy as np
import pytest

import fastrnn
from fastrnn.files import read_model, write_model

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((30, 6, 3)), RNG.integers(3, size=30)
LENGTHS = RNG.integers(1, 7, size=30)
FIT = {"lengths": LENGTHS, "validation": 0.2, "every": 4}  # a pass takes five iterations


def small(**arguments):
    return fastrnn.SequenceModel(**{"hidden_size": 6, "batch_size": 5, "dropout": 0.2, "seed": 0, **arguments})


def same(a, b):
    (mine, metadata), (theirs, their_metadata) = a._whole(), b._whole()
    return metadata == their_metadata and mine.keys() == theirs.keys() and all(
        mine[name].tobytes() == theirs[name].tobytes() for name in mine
    )  # fmt: skip


@pytest.mark.parametrize(
    "times", [pickle.HIGHEST_PROTOCOL, copy.deepcopy, copy.copy], ids=["pickle", "deepcopy", "copy"]
)
def test_a_copy_is_whole_and_its_own(times):
    model = small()
    model.fit(X, Y, iterations=17, **FIT)
    model.notes["of"] = "an owner"
    other = times(model) if callable(times) else pickle.loads(pickle.dumps(model, times))
    assert same(model, other)
    before = model.state_dict()
    other.fit(X, Y, iterations=11, **FIT)
    assert all((before[name] == model.parameters[name]).all() for name in before)
    model.fit(X, Y, iterations=11, **FIT)
    assert same(model, other)
    unbuilt = pickle.loads(pickle.dumps(small()))
    assert repr(unbuilt) == repr(small())
    assert unbuilt.fit(X, Y, iterations=2) == small().fit(X, Y, iterations=2)


def test_the_data_are_not_in_what_is_pickled():
    model = small()
    model.fit(np.tile(X, (40, 1, 1)), np.tile(Y, 40), iterations=1)
    assert len(pickle.dumps(model)) < 20_000


def test_a_model_shows_the_call_that_makes_it():
    model = fastrnn.SequenceModel("rnn", nonlinearity="relu", optimizer_options={"betas": (0.8, 0.9)}, seed=1)
    assert repr(eval(repr(model), {"SequenceModel": fastrnn.SequenceModel})) == repr(model)
    model.fit(X, Y, iterations=1)
    again = eval(repr(model), {"SequenceModel": fastrnn.SequenceModel})
    assert repr(again) == repr(model)
    assert (again.inputs, again.input_size, again.output_size) == ("vectors", 3, 3)


def test_a_model_built_but_never_trained_is_saved_too(tmp_path):
    model = small(stateful=True, shuffle=False, embedding_size=4).build("tokens", 7, 2)
    model.save(tmp_path / "model")
    loaded = fastrnn.load(tmp_path / "model")
    assert same(model, loaded)
    assert repr(loaded) == repr(model)
    tokens = RNG.integers(7, size=(10, 4))
    assert (loaded.predict(tokens) == model.predict(tokens)).all()


def test_official_readers_open_a_model(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy", reason="safetensors is missing: it is no requirement")
    model = small(cell="gru", bidirectional=True, optimizer="rmsprop")
    model.fit(X, Y, iterations=12, **FIT)
    model.save(tmp_path / "model")
    tensors = safetensors.load_file(tmp_path / "model")
    for name, parameter in model.parameters.items():
        assert (tensors[name] == parameter).all()
        assert (tensors[f"best.{name}"] == model.best.parameters[name]).all()
        assert tensors[f"optimizer.square_avg.{name}"].shape == parameter.shape
    assert len(tensors) == 3 * len(model.parameters)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("tensors", "linear.bias"), None, "missing: linear.bias"),
        (("tensors", "state.c"), None, "missing: state.c"),
        (("tensors", "state.h"), np.zeros((1, 4, 6), np.float32), "state.h must have shape"),
        (("metadata", "config", "topology"), "many", "topology must be one of"),
        (("metadata", "config", "output"), "linear", "loss must be one of"),
        (("metadata", "config", "stateful"), False, "left over: state.h, state.c"),
        (("metadata", "config", "shuffle"), True, "set shuffle=False"),
        (("metadata", "config", "bidirectional"), 1, "bidirectional must be True or False"),
        (("metadata", "config", "bias"), False, "left over: rnn.bias_ih_l0"),
        (("metadata", "config", "hidden_size"), 2**24 - 1, "needs .* numbers"),
        (("metadata", "config", "output_size"), 4, "is not that of the configuration"),
        (("metadata", "vocabulary", "input_size"), 4, "is not that of the configuration"),
        (("metadata", "vocabulary", "input_size"), None, "is not that of the configuration"),
        (("metadata", "vocabulary"), [], "is not that of the configuration"),
        (("metadata", "training", "history"), [{}], "a record of the history"),
    ],
)
def test_a_file_that_does_not_fit_together_is_refused_with_the_reason(tmp_path, place, value, message):
    model = small(stateful=True, shuffle=False)
    model.fit(X, Y, iterations=3)
    model.save(tmp_path / "model")
    tensors, metadata = read_model(tmp_path / "model")
    *keys, last = place
    holder = {"tensors": tensors, "metadata": metadata}
    for key in keys:
        holder = holder[key]
    if value is None and keys == ["tensors"]:
        del holder[last]
    else:
        holder[last] = value
    write_model(tmp_path / "spoilt", tensors, metadata)
    with pytest.raises(fastrnn.ModelFileError, match=message):
        fastrnn.load(tmp_path / "spoilt")


def test_weights_come_from_a_state_dict_whole_or_not_at_all():
    model, other = small(seed=1).build("vectors", 3, 3), small(seed=2).build("vectors", 3, 3)
    before = other.state_dict()
    for spoilt, message in (
        ({"linear.bias": np.zeros(4)}, "linear.bias must have shape"),
        ({"extra": [1]}, "left over"),
    ):
        with pytest.raises(ValueError, match=message):
            other.load_state_dict(model.state_dict() | spoilt)
    assert all((other.parameters[name] == array).all() for name, array in before.items())
    other.load_state_dict(model.state_dict())
    assert (other.predict(X) == model.predict(X)).all()


def test_other_threads_use_a_model_while_it_is_fitted(tmp_path):
    """What they see is the model between two iterations, whole."""
    model, found, stop = small(hidden_size=16), {"files": {}, "errors": []}, threading.Event()
    model.fit(X, Y, iterations=1, **FIT)

    def use(i):
        try:
            while not stop.is_set():
                model.predict(X, LENGTHS)
                model.evaluate(X, Y, LENGTHS)
                model.save(tmp_path / str(i))
                loaded = fastrnn.load(tmp_path / str(i))
                found["files"][loaded.iterations] = loaded.state_dict()
        except Exception as error:
            found["errors"].append(error)

    threads = [threading.Thread(target=use, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    while len(found["files"]) < 3 and not found["errors"]:
        model.fit(X, Y, iterations=20, **FIT)
    stop.set()
    for thread in threads:
        thread.join()
    assert found["errors"] == []
    twin = small(hidden_size=16)
    for iterations in sorted(found["files"]):
        twin.fit(X, Y, iterations=iterations - twin.iterations, **FIT)
        assert all((twin.parameters[name] == array).all() for name, array in found["files"][iterations].items())


def test_threads_train_models_of_their_own_as_one_thread_would():
    models = [small(cell=("rnn", "gru", "lstm")[i % 3], bidirectional=i % 2 == 1, seed=i) for i in range(6)]
    alone = copy.deepcopy(models)
    threads = [threading.Thread(target=model.fit, args=(X, Y), kwargs={"iterations": 200}) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for model, expected in zip(models, alone, strict=True):
        expected.fit(X, Y, iterations=200)
        assert same(model, expected)


def test_a_callback_may_use_the_model_but_not_fit_it_and_ends_training_by_true(tmp_path):
    model = small()

    def callback(model, record):
        model.evaluate(X, Y)
        model.save(tmp_path / "model")
        assert fastrnn.load(tmp_path / "model").history[-1] == record
        with pytest.raises(RuntimeError, match="fitted by this thread"):
            model.partial_fit(X, Y)
        with pytest.raises(RuntimeError, match="fitted by this thread"):
            model.fit(X, Y)
        return record.iteration >= 8

    model.fit(X, Y, epochs=100, callback=callback, **FIT)
    assert model.iterations == 8
    assert not model.history[-1].provisional


def test_looking_at_a_model_does_not_change_how_it_trains():
    a, b = small(stateful=True, shuffle=False), small(stateful=True, shuffle=False)
    for _ in range(5):
        a.partial_fit(X, Y, iterations=4)
        b.partial_fit(X, Y, iterations=4)
        b.evaluate(X, Y)
        b.predict(X[:7])
        b.state_dict()
    assert same(a, b)


@pytest.mark.parametrize("arguments", [{}, {"stateful": True, "shuffle": False, "cell": "gru"}], ids=str)
@pytest.mark.parametrize("seconds", [0.1, 0.17])
def test_ctrl_c_ends_fit_between_two_iterations_and_all_goes_on(arguments, seconds):
    fit = {**FIT, "validation": 1 / 3, "every": 100}
    model = small(hidden_size=20, **arguments)
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()
    begin = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, iterations=10**9, **fit)
    assert time.perf_counter() - begin < seconds + 2
    done = model.iterations
    model.fit(X, Y, iterations=150, **fit)
    uninterrupted = small(hidden_size=20, **arguments)
    uninterrupted.fit(X, Y, iterations=done + 150, **fit)
    assert same(model, uninterrupted)


def test_ctrl_c_in_a_first_fit_leaves_a_model_that_is_saved_and_goes_on(tmp_path):
    model = small()

    def callback(model, record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, epochs=3, callback=callback, **FIT)
    model.save(tmp_path / "model")
    loaded = fastrnn.load(tmp_path / "model")
    loaded.fit(X, Y, iterations=10, **FIT)
    expected = small()
    expected.fit(X, Y, iterations=14, **FIT)
    assert same(loaded, expected)


ROOMS = ("contextlib.py", "example_model.py", "fitting.py", "locking.py", "sequence_model.py")


def interrupted(job, after):
    """Does the job with a KeyboardInterrupt after so many calls in these rooms: there Python calls a signal's handler.
    Returns whether it came to that."""
    left = after

    def look(frame, event, _):
        nonlocal left
        if event in ("call", "c_return") and frame.f_code.co_filename.endswith(ROOMS):
            left -= 1
            if left == 0:
                sys.setprofile(None)
                raise KeyboardInterrupt

    sys.setprofile(look)
    try:
        job()
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(None)
    return False


@pytest.mark.parametrize("first", [0, 2], ids=["in a first fit", "where other data come"])
def test_ctrl_c_between_any_two_calls_of_fit_changes_nothing_of_what_comes_of_it(first):
    fit = {"validation": 1 / 3, "every": 2}
    others = X[::-1], Y[::-1]

    def begun():
        model = small(stateful=True, shuffle=False)
        if first:
            model.fit(X, Y, iterations=first, **fit)
        return model

    expected = begun()
    expected.fit(*others, iterations=3, **fit)
    after, came = 0, True
    while came:
        after += 1
        model = begun()
        came = interrupted(lambda: model.fit(*others, iterations=3, **fit), after)  # noqa: B023
        if model._network is None:
            assert same(model, small(stateful=True, shuffle=False))
        model.fit(*others, iterations=first + 3 - model.iterations, **fit)
        assert same(model, expected), after
    assert after > 100


def test_ctrl_c_while_other_data_come_leaves_no_states_of_the_first():
    model = small(stateful=True, shuffle=False)
    model.fit(X, Y, iterations=3)
    twin = copy.deepcopy(model)

    class Interrupting:
        def __setitem__(self, place, value):
            raise KeyboardInterrupt

    states = model._states
    model._states = (states[0], Interrupting())
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[::-1], Y[::-1], iterations=1)
    model._states = states
    of_the_first = copy.deepcopy(model)
    of_the_first.fit(X, Y, iterations=1)
    assert of_the_first._progress.position == 5  # it cannot go on in the middle, without the states
    model.fit(X[::-1], Y[::-1], iterations=1)
    twin.fit(X[::-1], Y[::-1], iterations=1)
    assert same(model, twin)

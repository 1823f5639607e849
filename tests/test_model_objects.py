"""Models as objects and as files: saved, loaded, pickled, copied, forked, used by many threads, opened by others."""

import copy
import multiprocessing
import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest

import fastrnn
from fastrnn.files import read_model, write_model
from fastrnn.text import default_text

TEXT = default_text()[:6000]


def small(**arguments):
    return fastrnn.CharRNN(**{"hidden_size": 8, "seed": 0, "seq_length": 10, **arguments})


def same(a, b):
    (mine, metadata), (theirs, their_metadata) = a._whole(), b._whole()
    return metadata == their_metadata and mine.keys() == theirs.keys() and all(
        mine[name].tobytes() == theirs[name].tobytes() for name in mine
    )  # fmt: skip


@pytest.mark.parametrize(
    "times", [pickle.HIGHEST_PROTOCOL, copy.deepcopy, copy.copy], ids=["pickle", "deepcopy", "copy"]
)
def test_a_copy_is_whole_and_its_own(times):
    model = small(cell="lstm", optimizer="adam", learning_rate=0.01, optimizer_options={"betas": (0.8, 0.9)})
    model.fit(TEXT, iterations=20, validation=0.2, every=10)
    other = times(model) if callable(times) else pickle.loads(pickle.dumps(model, times))
    assert same(model, other)
    before = model.state_dict()
    other.fit(TEXT, iterations=15, validation=0.2, every=10)
    assert all((before[name] == model.parameters[name]).all() for name in before)
    model.fit(TEXT, iterations=15, validation=0.2, every=10)
    assert same(model, other)
    unbuilt = pickle.loads(pickle.dumps(small()))
    assert repr(unbuilt) == repr(small())
    assert unbuilt.fit(TEXT, iterations=2) == small().fit(TEXT, iterations=2)


def test_what_is_being_pickled_stays_as_it_was_while_training_goes_on():
    model = small(cell="lstm", optimizer="adam")
    model.fit(TEXT, iterations=5)
    tensors = model.__reduce__()[1][1]
    before = {name: array.copy() for name, array in tensors.items()}
    model.fit(TEXT, iterations=5)
    assert all((before[name] == array).all() for name, array in tensors.items())


def test_a_pickle_has_no_copy_of_the_text():
    text = TEXT * 100
    model = small()
    model.fit(text, iterations=1)
    assert len(pickle.dumps(model)) < 100_000


def test_a_model_built_but_never_trained_is_saved_too(tmp_path):
    model = small(tokens="word", unknown="<?>", vocabulary_size=50, lowercase=True, newline="\n").build(TEXT)
    model.save(tmp_path / "model")
    loaded = fastrnn.load(tmp_path / "model")
    assert same(model, loaded)
    assert loaded.vocabulary == model.vocabulary
    assert repr(loaded) == repr(model)


def test_a_vocabulary_with_anything_in_it_is_kept(tmp_path):
    text = "a\r\n\u0301é🐢\ud800\x00\u2028" * 10
    model = small()
    model.fit(text, iterations=3)
    model.save(tmp_path / "model")
    assert same(model, fastrnn.load(tmp_path / "model"))
    assert fastrnn.load(tmp_path / "model").evaluate(text) == model.evaluate(text)


def spoilt(tensors, metadata, how):
    """A change of one place, (path of keys, value); a value that is callable changes what is there."""
    *keys, last = how[0]
    place = {"tensors": tensors, "metadata": metadata}
    for key in keys:
        place = place[key]
    value = how[1]
    if value is None:
        del place[last]
    else:
        place[last] = value(place[last]) if callable(value) else value


BIG = 2**31 - 1


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("tensors", "linear.bias"), None, "missing: linear.bias"),
        (("tensors", "extra"), np.zeros(3), "left over: extra"),
        (("tensors", "linear.bias"), lambda a: a[:-1], "linear.bias must have shape"),
        (("tensors", "state.h"), lambda a: a[:, :, :-1], "state.h must have shape"),
        (("tensors", "optimizer.sum.linear.bias"), lambda a: a.astype(np.float64), "must hold float32"),
        (("tensors", "best.rnn.bias_ih_l0"), None, "missing: best.rnn.bias_ih_l0"),
        (("metadata", "model"), "Transformer", "kind 'Transformer', not one of .*CharRNN.*: upgrade fastrnn"),
        (("metadata", "model"), [1], "kind"),
        (("metadata", "config"), None, "no config"),
        (("metadata", "config"), 5, "config must have the entries"),
        (("metadata", "config", "cell"), "elman", "cell must be"),
        (("metadata", "config", "hidden_size"), BIG, "hidden_size must be at most"),
        (("metadata", "config", "hidden_size"), 2**24 - 1, "needs .* numbers"),
        (("metadata", "config", "num_layers"), 200, "numbers"),
        (("metadata", "config", "batch_size"), BIG, "state.h must have shape"),
        (("metadata", "config", "optimizer"), "adam", "missing: optimizer.exp_avg"),
        (("metadata", "config", "learning_rate"), "fast", "learning_rate must be"),
        (("metadata", "config", "seed"), -1, "seed"),
        (("metadata", "config", "unknown"), "?", "differ in unknown"),
        (("metadata", "config", "tokens"), "word", "the vocabulary has chars"),
        (("metadata", "vocabulary", "vocabulary"), lambda v: v[:-1], "must have shape"),
        (("metadata", "vocabulary"), 3, "tokens must be a dict"),
        (("metadata", "training", "iterations"), -1, "iterations must be at least 0"),
        (("metadata", "training", "iterations"), 2**70, "iterations must be at most"),
        (("metadata", "training", "position"), 1.5, "position must be an integer"),
        (("metadata", "training", "smooth_loss"), "x", "smooth_loss must be"),
        (("metadata", "training", "validation"), 3.0, "validation must be"),
        (("metadata", "training", "history"), [{}], "a record of the history"),
        (("metadata", "training", "history"), {}, "history must be a list"),
        (("metadata", "training", "best_loss"), None, "training must have the entries"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_together_is_refused_with_the_reason(tmp_path, place, value, message):
    model = small()
    model.fit(TEXT, iterations=20, validation=0.2, every=10)
    model.save(tmp_path / "model")
    tensors, metadata = read_model(tmp_path / "model")
    spoilt(tensors, metadata, (place, value))
    write_model(tmp_path / "spoilt", tensors, metadata)
    with pytest.raises(fastrnn.ModelFileError, match=message) as caught:
        fastrnn.load(tmp_path / "spoilt")
    assert str(tmp_path / "spoilt") in str(caught.value)


def test_a_position_beyond_the_text_begins_it_anew(tmp_path):
    model = small()
    model.fit(TEXT, iterations=20)
    model.save(tmp_path / "model")
    tensors, metadata = read_model(tmp_path / "model")
    metadata["training"]["position"] = 10**15
    write_model(tmp_path / "model", tensors, metadata)
    loaded = fastrnn.load(tmp_path / "model")
    loaded.fit(TEXT, iterations=1)
    assert loaded._progress.position == 10


def test_eight_threads_use_one_model_while_it_is_fitted(tmp_path):
    model = small(hidden_size=16)
    model.fit(TEXT, iterations=10, validation=0.1)
    expected = {"files": set(), "errors": []}
    stop = threading.Event()

    def use(i):
        try:
            while not stop.is_set():
                model.evaluate(TEXT[:200])
                model.sample(20)
                model.save(tmp_path / str(i))
                loaded = fastrnn.load(tmp_path / str(i))
                twin = small(hidden_size=16)
                twin.fit(TEXT, iterations=loaded.iterations, validation=0.1, every=50)
                expected["files"].add((loaded.iterations, all(
                    (twin.parameters[name] == loaded.parameters[name]).all() for name in twin.parameters
                )))  # fmt: skip
        except Exception as error:
            expected["errors"].append(error)

    threads = [threading.Thread(target=use, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    model.fit(TEXT, iterations=1000, validation=0.1, every=50)
    stop.set()
    for thread in threads:
        thread.join()
    assert expected["errors"] == []
    assert all(whole for _, whole in expected["files"])
    assert expected["files"]


def test_eight_threads_train_eight_models_as_one_thread_would():
    models = [small(cell=("rnn", "gru", "lstm")[i % 3], dropout=0.1, seed=i) for i in range(8)]
    threads = [threading.Thread(target=model.fit, args=(TEXT,), kwargs={"iterations": 200}) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for i, model in enumerate(models):
        alone = small(cell=("rnn", "gru", "lstm")[i % 3], dropout=0.1, seed=i)
        alone.fit(TEXT, iterations=200)
        assert same(model, alone)


def test_two_threads_cannot_fit_one_model():
    model = small(hidden_size=64).build(TEXT)
    begun, refused = threading.Event(), threading.Event()

    def callback(model, record):
        begun.set()
        refused.wait(60)

    arguments = {"iterations": 300, "every": 50, "callback": callback}
    thread = threading.Thread(target=model.fit, args=(TEXT,), kwargs=arguments)
    thread.start()
    begun.wait()
    with pytest.raises(RuntimeError, match=r"fitted by another thread: fit a copy, copy\.deepcopy"):
        model.fit(TEXT, iterations=1)
    refused.set()
    thread.join()
    assert model.iterations == 300
    model.fit(TEXT, iterations=1)


def test_a_signal_handler_cannot_use_a_model_in_the_middle_of_a_change():
    model = small(hidden_size=32)
    refused = []

    def handler(*_):
        with pytest.raises(RuntimeError, match="in the middle of a change"):
            model.state_dict()
        refused.append(True)

    before = signal.signal(signal.SIGUSR1, handler)
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    try:
        model.build(TEXT)
        while not refused:
            model.fit(TEXT, iterations=3000, every=10**9)
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)


def in_a_child(job):
    """What the job returns in a forked process, within ten seconds."""
    queue = multiprocessing.get_context("fork").SimpleQueue()
    pid = os.fork()
    if pid == 0:
        try:
            queue.put(job())
        except BaseException as error:
            queue.put(repr(error))
        finally:
            os._exit(0)
    for _ in range(1000):
        if os.waitpid(pid, os.WNOHANG)[0]:
            return queue.get()
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "it hung"


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_model_works_after_fork_unless_another_thread_was_using_it():
    model = small(hidden_size=64)
    model.fit(TEXT, iterations=10)
    twin = copy.deepcopy(model)
    assert in_a_child(lambda: model.partial_fit(TEXT)) == twin.partial_fit(TEXT)
    assert model.iterations == 10

    thread = threading.Thread(target=model.fit, args=(TEXT,), kwargs={"iterations": 20_000, "every": 10**9})
    thread.start()
    time.sleep(0.1)
    assert "forked while another thread was using the model" in in_a_child(lambda: model.sample(3))
    thread.join()
    assert len(in_a_child(lambda: model.sample(3))) == 3


def test_models_go_to_spawned_processes():
    model = small()
    model.fit(TEXT, iterations=10)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(model.evaluate, (TEXT[:100],)) == model.evaluate(TEXT[:100])


def test_joblib_takes_models():
    joblib = pytest.importorskip("joblib", reason="joblib is missing: it is no requirement")
    models = [small(seed=seed) for seed in range(2)]
    histories = joblib.Parallel(n_jobs=2)(joblib.delayed(model.fit)(TEXT, iterations=5) for model in models)
    assert histories == [model.fit(TEXT, iterations=5) for model in models]


def test_other_readers_open_a_model(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy", reason="safetensors is missing: it is no requirement")
    model = small(cell="gru")
    model.fit(TEXT, iterations=5)
    model.save(tmp_path / "model")
    tensors = safetensors.load_file(tmp_path / "model")
    assert all((tensors[name] == parameter).all() for name, parameter in model.parameters.items())


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_pytorch_module_takes_the_weights_and_gives_the_same_loss(cell, torch):
    model = small(cell=cell, num_layers=2, embedding_size=6, dtype="float64")
    model.fit(TEXT, iterations=50)
    V = model.vocabulary.size

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(V, 6)
            self.rnn = getattr(torch.nn, cell.upper())(6, 8, 2)
            self.linear = torch.nn.Linear(8, V)

    module = Module().double()
    module.load_state_dict({name: torch.from_numpy(array) for name, array in model.state_dict().items()})
    codes = torch.from_numpy(model.vocabulary.encode(TEXT[:300]))
    y, _ = module.rnn(module.embedding(codes[:-1]))
    loss = torch.nn.functional.cross_entropy(module.linear(y), codes[1:])
    assert model.evaluate(TEXT[:300])["loss"] == pytest.approx(loss.item(), rel=1e-10)

"""What fit does around the native loop: records, validation, the best model, early stopping, errors, Ctrl-C."""

import json
import math
import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest

import fastrnn
from fastrnn.history import Record
from fastrnn.text import default_text

TEXT = default_text()[:6000]


def small(**arguments):
    return fastrnn.CharRNN(**{"hidden_size": 8, "seed": 0, "seq_length": 10, **arguments})


def test_the_history_has_a_record_after_each_multiple_of_every():
    seen = []
    model = small()
    history = model.fit(TEXT, iterations=70, every=20, callback=lambda model, record: seen.append(record))
    assert [r.iteration for r in history] == [20, 40, 60, 70]
    assert seen == list(history[:3])
    assert history[-1].provisional
    model.fit(TEXT, iterations=20, every=20)
    assert model.history.column("iteration").tolist() == [20, 40, 60, 80, 90]
    assert history is model.history
    assert model.history[-1].smooth_loss == model.smooth_loss
    assert np.isnan(history.column("validation_loss")).all()
    assert "iteration 90" in repr(history)
    assert fastrnn.History.from_json(json.loads(json.dumps(history.as_json()))) == history
    with pytest.raises(ValueError, match="name must be one of"):
        history.column("accuracy")


def test_a_provisional_record_goes_when_training_goes_on():
    model = small()
    model.fit(TEXT, iterations=5)
    assert len(model.history) == 1
    model.fit(TEXT, iterations=0)
    assert len(model.history) == 1
    model.partial_fit(TEXT)
    assert len(model.history) == 0
    model.fit(TEXT, iterations=0)  # one that is missing, as after Ctrl-C, is made up for
    assert [record.iteration for record in model.history] == [6]


def test_the_loss_of_a_record_is_of_the_last_iteration_per_token():
    model = small()
    before = None
    for _ in range(3):
        before = model.partial_fit(TEXT)
    after = model.fit(TEXT, iterations=1)[-1]
    assert after.loss * 10 == pytest.approx((after.smooth_loss - 0.999 * before) / 0.001, rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "rates"),
    [
        ({}, [0.1] * 6),
        ({"warmup": 4}, [0.025, 0.05, 0.075, 0.1, 0.1, 0.1]),
        ({"schedule": "step", "schedule_iterations": 2}, [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]),
        ({"schedule": "step", "schedule_iterations": 3, "schedule_factor": 0.1}, [0.1, 0.1, 0.1, 0.01, 0.01, 0.01]),
        (
            {"schedule": "cosine", "schedule_iterations": 4, "schedule_factor": 0.2},
            [0.1, 0.02 + 0.04 * (1 + math.sqrt(0.5)), 0.06, 0.02 + 0.04 * (1 - math.sqrt(0.5)), 0.02, 0.02],
        ),
    ],
)
def test_learning_rates_are_those_of_the_schedule(arguments, rates):
    model = small(optimizer="sgd", clip_value=None, dtype="float64", **arguments)
    plain = small(optimizer="sgd", clip_value=None, dtype="float64")
    history = model.fit(TEXT, iterations=6, every=1)
    assert history.column("learning_rate") == pytest.approx(rates)
    for rate in rates:  # the native loop takes the same steps
        plain.learning_rate = rate
        plain.partial_fit(TEXT)
    np.testing.assert_allclose(model.parameters["rnn.weight_hh_l0"], plain.parameters["rnn.weight_hh_l0"], rtol=1e-12)


def test_the_best_model_is_that_of_the_smallest_validation_loss():
    model = small(hidden_size=80, learning_rate=0.02)
    weights = {}
    history = model.fit(
        TEXT,
        iterations=600,
        validation=0.1,
        every=50,
        callback=lambda model, record: weights.setdefault(record.iteration, model.state_dict()),
    )
    losses = history.column("validation_loss")
    assert losses.argmin() < len(losses) - 1  # it overfits, so that there is something to keep
    best = model.best
    expected = weights[history[int(losses.argmin())].iteration]
    assert all((best.parameters[name] == expected[name]).all() for name in expected)
    held_out = TEXT[-600:]
    assert best.evaluate(held_out)["loss"] == pytest.approx(losses.min(), rel=0.05)  # read in two streams, not in one
    assert best.iterations == 0
    best.fit(TEXT, iterations=1)
    assert (model.best.parameters["linear.bias"] == expected["linear.bias"]).all()


def test_patience_ends_training_and_a_later_fit_goes_on():
    model = small(hidden_size=40, learning_rate=0.2)
    history = model.fit(TEXT, iterations=5000, validation=0.1, every=50, patience=3)
    losses = history.column("validation_loss")
    assert len(losses) - 1 - losses.argmin() == 3
    assert model.iterations < 5000
    stopped = model.iterations
    model.fit(TEXT, iterations=100, validation=0.1, every=50, patience=3)
    assert model.iterations == stopped + 100


def test_validation_is_the_mean_over_streams_of_what_is_held_out():
    text = TEXT * 2
    model = small()
    history = model.fit(text, iterations=10, validation=0.25, every=10)
    held_out = text[-3000:]
    steps = 2999 // 11
    parts = [held_out[b * steps : (b + 1) * steps + 1] for b in range(11)]
    assert history[-1].validation_loss == pytest.approx(np.mean([model.evaluate(part)["loss"] for part in parts]))


def test_a_callback_may_use_the_model_but_not_fit_it_and_ends_training_by_true(tmp_path):
    model = small()

    def callback(model, record):
        model.sample(5)
        model.save(tmp_path / "model")
        assert fastrnn.load(tmp_path / "model").history[-1] == record == Record(**vars(record))
        with pytest.raises(RuntimeError, match="fitted by this thread"):
            model.partial_fit(TEXT)
        return record.iteration >= 20

    model.fit(TEXT, iterations=1000, every=10, callback=callback)
    assert model.iterations == 20
    assert not model.history[-1].provisional


def test_looking_at_a_model_does_not_change_how_it_trains():
    a, b = small(cell="lstm", dropout=0.2), small(cell="lstm", dropout=0.2)
    for _ in range(5):
        a.partial_fit(TEXT, iterations=10)
        b.partial_fit(TEXT, iterations=10)
        b.evaluate(TEXT[:100])
        b.sample(20, rng=0)
        b.predict_proba("The")
    assert a.smooth_loss == b.smooth_loss


def test_progress_is_told_some_times_a_second_and_changes_nothing():
    """Native calls are cut by time where it is, and the numbers do not depend on where."""
    arguments = {"iterations": 6000, "validation": 0.1, "every": 2500}
    alone, watched, told = small(dropout=0.1), small(dropout=0.1), []
    start = time.perf_counter()
    alone.fit(TEXT, **arguments)
    seconds = time.perf_counter() - start
    watched.fit(TEXT, **arguments, progress=lambda model, record: told.append((record, model.iterations)))
    assert all(record.iteration == iterations for record, iterations in told)
    assert [record for record, _ in told if not record.provisional] == list(watched.history[:-1])
    assert all(record.validation_loss is None for record, _ in told if record.provisional)
    assert told[-1][1] == 6000
    assert 3 <= len(told) <= 20 + 4 * seconds / 0.1  # twelve doublings to the pace, then at most ten a second
    assert watched.history == alone.history
    assert all((watched.parameters[name] == array).all() for name, array in alone.parameters.items())


def test_progress_ends_training_by_true():
    model = small()
    model.fit(TEXT, iterations=10**9, progress=lambda model, record: record.iteration >= 100)
    assert 100 <= model.iterations < 10**7
    assert model.history[-1].provisional
    with pytest.raises(TypeError, match=r"progress must be callable as progress\(model, record\), not int"):
        model.fit(TEXT, iterations=1, progress=3)


def test_a_model_keeps_notes(tmp_path):
    model = small().build(TEXT)
    model.notes["run"] = {"goal": 100, "texts": ["caf\xe9"]}
    model.save(tmp_path / "model")
    for copy in (fastrnn.load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        assert copy.notes == model.notes
        assert copy.notes["run"] is not model.notes["run"]
    model.notes["bad"] = {1, 2}
    with pytest.raises(TypeError, match=r"metadata\['notes'\] must be a value that JSON has"):
        model.save(tmp_path / "model")
    assert fastrnn.load(tmp_path / "model").notes == copy.notes


def test_the_measures_of_the_last_text():
    model = small(tokens="byte", batch_size=3)
    with pytest.raises(ValueError, match="the model has no text yet: call fit, with iterations=0"):
        model.characters_per_token  # noqa: B018
    text = "\u4e2da" * 500
    model.fit(text, iterations=0, validation=0.1)
    assert model.characters_per_token == 0.5
    tokens = 2000 - 200
    assert model.iterations_per_epoch == (tokens // 3 - 1) // 10
    model.fit(text, epochs=2, validation=0.1)
    assert model.iterations == 2 * model.iterations_per_epoch


def test_a_loss_that_is_not_finite_names_the_iteration_and_leaves_the_last_whole_state():
    model = small(optimizer="sgd", learning_rate=1e38, clip_value=None)
    with pytest.raises(
        fastrnn.NumericalError, match=r"iteration \d+: .*lower learning_rate or set clip_norm"
    ) as caught:
        model.fit(TEXT, iterations=100)
    assert f"iteration {model.iterations}:" in str(caught.value)
    assert math.isfinite(model.smooth_loss)
    until_then = small(optimizer="sgd", learning_rate=1e38, clip_value=None)
    until_then.fit(TEXT, iterations=model.iterations, every=10**9)
    mine, theirs = model._whole()[0], until_then._whole()[0]
    assert all(mine[name].tobytes() == theirs[name].tobytes() for name in theirs)


def interrupt_soon(seconds):
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()


@pytest.mark.parametrize("seconds", [0.1, 0.13, 0.17])
def test_ctrl_c_ends_fit_between_two_iterations_and_all_goes_on(seconds):
    fit = {"validation": 0.3, "every": 100}
    model = small(hidden_size=30)
    interrupt_soon(seconds)
    begin = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        model.fit(TEXT, iterations=10**9, **fit)
    assert time.perf_counter() - begin < seconds + 2
    done = model.iterations
    model.fit(TEXT, iterations=150, **fit)
    uninterrupted = small(hidden_size=30)
    uninterrupted.fit(TEXT, iterations=done + 150, **fit)
    assert model.history == uninterrupted.history
    mine, theirs = model._whole()[0], uninterrupted._whole()[0]
    assert all((mine[name] == theirs[name]).all() for name in theirs)

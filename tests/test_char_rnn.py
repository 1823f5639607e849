"""CharRNN trains as its layers, optimizers and the script say, and goes on exactly where it stopped."""

import itertools
import math

import numpy as np
import pytest

import fastrnn
from fastrnn import reference
from fastrnn.text import default_text, read_text

TEXT = default_text()[:6000]
LAYERS = {"rnn": fastrnn.RNN, "gru": fastrnn.GRU, "lstm": fastrnn.LSTM}
OPTIMIZERS = {
    "sgd": (fastrnn.SGD, {"momentum": 0.9, "weight_decay": 0.01}),
    "adagrad": (fastrnn.Adagrad, {"eps": 1e-8, "eps_inside_sqrt": True}),
    "rmsprop": (fastrnn.RMSprop, {"momentum": 0.5, "centered": True}),
    "adam": (fastrnn.Adam, {"betas": (0.8, 0.99)}),
    "adamw": (fastrnn.AdamW, {"weight_decay": 0.1}),
}


class Composition:
    """The same training, put together from layers in Python."""

    def __init__(self, model, text):
        self.model = model
        codes = model.vocabulary.encode(text)
        self.streams = codes[: len(codes) // model.batch_size * model.batch_size].reshape(model.batch_size, -1)
        V, dtype = model.vocabulary.size, model.dtype
        layers = {}
        if model.embedding_size:
            layers["embedding"] = fastrnn.Embedding(V, model.embedding_size, dtype=dtype)
        layers["rnn"] = LAYERS[model.cell](model.embedding_size or V, model.hidden_size, model.num_layers, dtype=dtype)
        layers["linear"] = fastrnn.Linear(model.hidden_size, V, dtype=dtype)
        self.layers, self.states, self.position = layers, None, 0
        for member, layer in layers.items():
            layer.load_state_dict({name: model.parameters[f"{member}.{name}"] for name in layer.parameters})
        kind, options = OPTIMIZERS[model.optimizer]
        self.optimizer = kind(list(layers.values()), model.learning_rate, **options)

    def iterate(self):
        model, T, p = self.model, self.model.seq_length, self.position
        x, targets = self.streams[:, p : p + T].T, self.streams[:, p + 1 : p + T + 1].T
        tape = None
        if "embedding" in self.layers:
            x, tape = self.layers["embedding"].forward(x)
        y, self.states, rnn_tape = self.layers["rnn"].forward(x, self.states)
        logits, linear_tape = self.layers["linear"].forward(y)
        loss, dlogits = fastrnn.softmax_cross_entropy(logits, targets, "sum")
        dlogits /= model.batch_size

        self.optimizer.zero_gradients()
        dx, _ = self.layers["rnn"].backward(rnn_tape, self.layers["linear"].backward(linear_tape, dlogits))
        if tape is not None:
            self.layers["embedding"].backward(tape, dx)
        if model.cell != "gru":
            for name, gradient in self.layers["rnn"].gradients.items():
                if name.startswith("bias_hh"):
                    gradient[...] = 0
        layers = list(self.layers.values())
        fastrnn.clip_gradient_value(layers, model.clip_value)
        fastrnn.clip_gradient_norm(layers, model.clip_norm)
        self.optimizer.learning_rate = model.learning_rate * min(1, (self.optimizer.iterations + 1) / model.warmup)
        self.optimizer.step()
        self.position += T
        if self.position + T + 1 >= self.streams.shape[1]:
            self.position, self.states = 0, None
        return loss / model.batch_size


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize(("cell", "optimizer"), list(itertools.product(LAYERS, OPTIMIZERS)))
def test_an_iteration_is_that_of_the_layers_put_together(cell, optimizer, batch_size, dtype):
    options = OPTIMIZERS[optimizer][1]
    model = fastrnn.CharRNN(
        cell,
        7,
        2 if batch_size == 1 else 1,
        embedding_size=5 if cell == "gru" else None,
        seq_length=6,
        batch_size=batch_size,
        optimizer=optimizer,
        optimizer_options=None if optimizer == "adagrad" else options,
        learning_rate=0.01,
        warmup=4,
        clip_value=0.5,
        clip_norm=0.9,
        dtype=dtype,
        seed=3,
    )
    text = TEXT[: 30 * batch_size]  # four iterations, and the fifth begins the text anew
    composition = Composition(model.build(text), text)
    smooth_loss = 6 * math.log(model.vocabulary.size)
    for _ in range(6):
        smooth_loss = 0.999 * smooth_loss + 0.001 * composition.iterate()
        tolerance = 1e-10 if dtype == np.float64 else 1e-5
        assert model.partial_fit(text) == pytest.approx(smooth_loss, rel=tolerance)
    for member, layer in composition.layers.items():
        for name, parameter in layer.parameters.items():
            ours = model.parameters[f"{member}.{name}"]
            assert np.abs(ours - parameter).max() <= (1e-10 if dtype == np.float64 else 2e-4) * np.abs(parameter).max()


def follow_the_script(text, iterations, learning_rate):
    """The largest difference of the smooth losses from those of the plain NumPy script."""
    rng = np.random.default_rng(0)
    model = fastrnn.CharRNN(hidden_size=20, learning_rate=learning_rate, dtype="float64", seed=0).build(text)
    H, V = model.hidden_size, model.vocabulary.size
    Wxh, Whh, Why = (rng.standard_normal(shape) * 0.01 for shape in ((H, V), (H, H), (V, H)))
    bh, by = np.zeros((H, 1)), np.zeros((V, 1))
    for name, array in zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"), (Wxh, Whh, bh[:, 0]), strict=True):
        model.parameters["rnn." + name][...] = array
    model.parameters["linear.weight"][...], model.parameters["linear.bias"][...] = Why, by[:, 0]
    script = reference.min_char_rnn.Trainer(
        Wxh, Whh, Why, bh, by, model.vocabulary.encode(text), learning_rate=learning_rate
    )
    return max(abs(model.partial_fit(text) - script.run(1)) for _ in range(iterations))


def test_it_follows_the_script_through_a_text_and_over_its_end():
    assert follow_the_script(TEXT, 300, 1e-2) < 1e-6


def test_it_follows_the_script_on_a_novel(data):
    assert follow_the_script(read_text(data("kafka.txt")), 3000, 1e-2) < 1e-6


RESUMED = [
    {"cell": "rnn", "optimizer": "adagrad", "dtype": "float64"},
    {"cell": "rnn", "optimizer": "sgd", "optimizer_options": {"momentum": 0.9}, "learning_rate": 0.01, "dropout": 0.3},
    {"cell": "gru", "optimizer": "rmsprop", "optimizer_options": {"centered": True}, "learning_rate": 0.001},
    {"cell": "gru", "optimizer": "adam", "learning_rate": 0.01, "batch_size": 3, "dropout": 0.2, "num_layers": 2},
    {"cell": "lstm", "optimizer": "adamw", "learning_rate": 0.01, "batch_size": 2, "chunks": "random", "dropout": 0.1},
    {"cell": "lstm", "optimizer": "adam", "learning_rate": 0.01, "dtype": "float64", "tokens": "word", "warmup": 60},
    {"cell": "lstm", "batch_size": 4, "tokens": "byte", "embedding_size": 9, "schedule": "cosine",
     "schedule_iterations": 80},
]  # fmt: skip


@pytest.mark.parametrize("arguments", RESUMED, ids=lambda a: "-".join(str(value) for value in a.values()))
def test_twice_as_many_iterations_are_the_same_as_two_runs_with_a_file_between(arguments, tmp_path):
    fit = {"validation": 0.2, "every": 30}
    whole = fastrnn.CharRNN(hidden_size=11, seed=5, seq_length=8, **arguments)
    halves = fastrnn.CharRNN(hidden_size=11, seed=5, seq_length=8, **arguments)
    whole.fit(TEXT, iterations=100, **fit)

    halves.fit(TEXT, iterations=50, **fit)
    assert halves.history[-1].provisional
    halves.save(tmp_path / "half")
    resumed = fastrnn.load(tmp_path / "half")
    resumed.fit("".join(list(TEXT)), iterations=50, **fit)

    whole.save(tmp_path / "whole")
    resumed.save(tmp_path / "resumed")
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "resumed").read_bytes()
    assert [record.iteration for record in whole.history] == [30, 60, 90, 100]


def test_another_text_begins_at_its_beginning_with_states_of_zero():
    model = fastrnn.CharRNN(hidden_size=8, seed=0, dtype="float64")
    model.fit(TEXT, iterations=5)
    other = TEXT[1000:3000]
    expected = model.evaluate(other[:26])["loss"]
    assert model.fit(other, iterations=1)[-1].loss == pytest.approx(expected, rel=1e-10)
    assert model.iterations == 6
    expected = model.evaluate(TEXT[:26])["loss"]  # and so does the first, if it comes again
    assert model.fit(TEXT, iterations=1)[-1].loss == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("arguments", [{"dropout": 0.5}, {"chunks": "random"}], ids=str)
def test_dropout_and_random_chunks_follow_from_the_seed(arguments):
    models = [fastrnn.CharRNN(hidden_size=8, seed=seed, **arguments).build(TEXT) for seed in (1, 2, 1)]
    for model in models:
        model.load_state_dict(models[0].state_dict())
    losses = [model.partial_fit(TEXT, iterations=5) for model in models]
    assert losses[0] == losses[2] != losses[1]


def test_epochs_are_passes():
    model = fastrnn.CharRNN(hidden_size=4, seq_length=10, batch_size=2, seed=0)
    model.fit(TEXT[:2000], epochs=2, validation=0.5)
    assert model.iterations == 2 * ((500 - 1) // 10)
    model.fit(TEXT[:2000], validation=0.5)
    assert model.iterations == 12 * 49
    random = fastrnn.CharRNN(hidden_size=4, seq_length=10, batch_size=2, chunks="random", seed=0)
    random.fit(TEXT[:2000], epochs=1)
    assert random.iterations == 100


def test_a_file_is_a_text_and_a_str_is_none(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    a, b = (fastrnn.CharRNN(hidden_size=8, seed=0) for _ in range(2))
    a.fit(path, iterations=20)
    b.fit(TEXT.encode(), iterations=20)
    assert a.smooth_loss == b.smooth_loss
    path.write_text(TEXT[:100])
    a.fit(path, iterations=1)
    assert a._progress.position == 25
    assert fastrnn.CharRNN(hidden_size=2).build(str(path)).vocabulary.size < 30


def test_evaluation_is_that_of_the_layers():
    model = fastrnn.CharRNN("gru", 8, 2, dtype="float64", seed=0)
    model.fit(TEXT, iterations=100)
    codes = model.vocabulary.encode(TEXT[:500])
    composition = Composition(model, TEXT)
    y, _ = composition.layers["rnn"](codes[:-1, np.newaxis])
    logits = composition.layers["linear"](y)
    nats = [fastrnn.softmax_cross_entropy(row, [t])[0] for row, t in zip(logits, codes[1:], strict=True)]
    found = model.evaluate(TEXT[:500])
    assert found["loss"] == pytest.approx(np.mean(nats), rel=1e-12)
    assert found["tokens"] == 499
    assert found["perplexity"] == pytest.approx(math.exp(np.mean(nats)))
    assert found["bits_per_char"] == found["bits_per_token"] == pytest.approx(np.mean(nats) / math.log(2))
    np.testing.assert_allclose(model.log_probabilities(TEXT[:500]), np.negative(nats), rtol=1e-10)
    p = model.predict_proba(TEXT[:499])
    assert p.sum() == pytest.approx(1)
    assert math.log(p[codes[499]]) == pytest.approx(-nats[-1])


def test_long_texts_are_evaluated_in_blocks_that_change_nothing(monkeypatch):
    model = fastrnn.CharRNN("lstm", 8, dtype="float64", seed=0).build(TEXT)
    at_once = model.evaluate(TEXT), model.predict_proba(TEXT)
    monkeypatch.setattr("fastrnn.token_network.NUMBERS_AT_ONCE", 10_000)
    in_blocks = model.evaluate(TEXT), model.predict_proba(TEXT)
    assert in_blocks[0]["loss"] == pytest.approx(at_once[0]["loss"], rel=1e-12)
    np.testing.assert_allclose(in_blocks[1], at_once[1], rtol=1e-10)


def test_bits_per_char_count_characters_whatever_the_tokens_are():
    text = "żółw i gęś, żółw i gęś; " * 20
    for tokens in ("char", "byte", "word"):
        model = fastrnn.CharRNN(hidden_size=8, tokens=tokens, seed=0).build(text)
        found = model.evaluate(text)
        first = len("żółw") if tokens == "word" else 1
        bits = found["bits_per_token"] * found["tokens"]
        assert found["bits_per_char"] == pytest.approx(bits / (len(text) - first))


def test_first_weights_are_pytorchs_and_follow_from_the_seed():
    a, b = (fastrnn.CharRNN("lstm", 50, embedding_size=40, seed=7).build(TEXT) for _ in range(2))
    assert all((a.parameters[name] == b.parameters[name]).all() for name in a.parameters)
    bound = 1 / math.sqrt(50)
    assert 0.98 * bound < np.abs(a.parameters["rnn.weight_hh_l0"]).max() <= bound
    assert 0.9 < a.parameters["embedding.weight"].std() < 1.1
    assert not a.parameters["rnn.bias_hh_l0"].any()
    assert a.parameters["rnn.bias_ih_l0"].any()
    gru = fastrnn.CharRNN("gru", 50).build(TEXT)
    assert gru.parameters["rnn.bias_hh_l0"].any()
    assert gru.seed != fastrnn.CharRNN().seed
    again = fastrnn.CharRNN("gru", 50, seed=gru.seed).build(TEXT)
    assert (again.parameters["linear.weight"] == gru.parameters["linear.weight"]).all()


def test_a_model_shows_the_call_that_makes_it():
    model = fastrnn.CharRNN(
        "gru", optimizer="adamw", optimizer_options={"betas": (0.9, 0.99)}, seed=1, dtype=np.float64
    )
    assert repr(model) == (
        "CharRNN(cell='gru', optimizer='adamw', optimizer_options={'betas': (0.9, 0.99)}, dtype='float64', seed=1)"
    )
    assert repr(eval(repr(model), {"CharRNN": fastrnn.CharRNN})) == repr(model)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"cell": "elman"}, ValueError, "cell must be one of 'rnn', 'gru', 'lstm'"),
        ({"hidden_size": 0}, ValueError, "hidden_size must be at least 1"),
        ({"hidden_size": 2.5}, TypeError, "hidden_size must be an integer"),
        ({"num_layers": 10**6}, ValueError, "num_layers must be at most 255"),
        ({"batch_size": 2**40}, ValueError, "batch_size must be at most"),
        ({"embedding_size": 0}, ValueError, "embedding_size must be at least 1"),
        ({"chunks": "blocks"}, ValueError, "chunks must be one of"),
        ({"optimizer": "lion"}, ValueError, "optimizer must be one of"),
        ({"optimizer_options": {"momentum": 1}}, ValueError, "'momentum', which adagrad has not: it has eps"),
        ({"optimizer_options": {"learning_rate": 1}}, ValueError, "an argument of the model itself"),
        ({"optimizer_options": [1]}, TypeError, "optimizer_options must be a dict"),
        ({"optimizer": "adam", "optimizer_options": {"betas": (1, 0)}}, ValueError, r"betas\[0\] must be in"),
        ({"learning_rate": math.nan}, ValueError, "learning_rate must be finite"),
        ({"schedule": "linear"}, ValueError, "schedule must be one of"),
        ({"schedule": "cosine"}, ValueError, "needs schedule_iterations"),
        ({"schedule_factor": 0.1}, ValueError, "schedule_factor does nothing"),
        (
            {"schedule": "step", "schedule_iterations": 5, "schedule_factor": 2},
            ValueError,
            "schedule_factor must be in",
        ),
        ({"warmup": -1}, ValueError, "warmup must be at least 0"),
        ({"clip_value": 0}, ValueError, "clip_value must be positive"),
        ({"clip_norm": math.inf}, ValueError, "None leaves gradients as they are"),
        ({"dropout": 1}, ValueError, "dropout must be at least 0 and below 1"),
        ({"tokens": "syllable"}, ValueError, "tokens must be"),
        ({"unknown": "??"}, ValueError, "unknown must be one character"),
        ({"vocabulary_size": 10}, ValueError, "unknown"),
        ({"lowercase": 1}, TypeError, "lowercase must be True or False"),
        ({"dtype": "float16"}, TypeError, "dtype must be float32 or float64"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"seed": 2**63}, ValueError, "seed must be below"),
    ],
)
def test_arguments_that_wont_do_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        fastrnn.CharRNN(**arguments)


@pytest.mark.parametrize(
    ("text", "arguments", "error", "message"),
    [
        ("", {}, ValueError, "empty"),
        ("short", {}, ValueError, "text has 5 tokens: .* at least 26"),
        ("ab" * 20, {"validation": 0.5}, ValueError, "of which 20 are to train on"),
        ("ab" * 40, {"validation": 0.015}, ValueError, "holds out 1"),
        (TEXT, {"validation": 1}, ValueError, "validation must be"),
        (TEXT, {"iterations": 1, "epochs": 1}, ValueError, "give one of them"),
        (TEXT, {"iterations": -1}, ValueError, "iterations must be at least 0"),
        (TEXT, {"epochs": 1.5}, TypeError, "epochs must be an integer"),
        (TEXT, {"every": 0}, ValueError, "every must be at least 1"),
        (TEXT, {"patience": 1}, ValueError, "give validation"),
        (TEXT, {"callback": 3}, TypeError, "callback must be callable"),
        (5, {}, TypeError, "text must be a str"),
        (b"\xff" * 50, {}, ValueError, "UTF-8"),
    ],
)
def test_a_text_that_wont_do_leaves_the_model_unbuilt(text, arguments, error, message):
    model = fastrnn.CharRNN(hidden_size=2)
    with pytest.raises(error, match=message):
        model.fit(text, **arguments)
    with pytest.raises(ValueError, match="no vocabulary"):
        model.vocabulary  # noqa: B018


def test_unknown_tokens_change_nothing_and_are_named():
    model = fastrnn.CharRNN(hidden_size=2, seed=0)
    model.fit("abc" * 20, iterations=3)
    for use in (model.fit, model.evaluate, model.predict_proba, model.log_probabilities):
        with pytest.raises(ValueError, match="'x'"):
            use("abx" * 30)
    with pytest.raises(ValueError, match="'x'"):
        model.sample(3, "x")
    untouched = fastrnn.CharRNN(hidden_size=2, seed=0)
    untouched.fit("abc" * 20, iterations=4)
    assert model.fit("abc" * 20, iterations=1) == untouched.history


def test_what_is_not_built_says_what_to_do(tmp_path):
    model = fastrnn.CharRNN()
    for use in (model.evaluate, model.predict_proba, model.log_probabilities, model.load_state_dict):
        with pytest.raises(ValueError, match=r"build\(text\)"):
            use("a")
    for use in (lambda: model.sample(1), lambda: model.stream(1), lambda: model.save(tmp_path / "m"), model.state_dict):
        with pytest.raises(ValueError, match=r"build\(text\)"):
            use()
    assert model.best is None
    assert len(model.history) == model.iterations == 0
    with pytest.raises(ValueError, match="built already"):
        model.build(TEXT).build(TEXT)


def test_settings_that_may_change_are_checked_and_the_others_stay():
    model = fastrnn.CharRNN()
    model.learning_rate = 0.01
    model.clip_norm = 3
    assert (model.learning_rate, model.clip_norm) == (0.01, 3.0)
    with pytest.raises(ValueError, match="learning_rate"):
        model.learning_rate = -1
    with pytest.raises(AttributeError, match="make a new model"):
        model.hidden_size = 5

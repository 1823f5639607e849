"""Seq2Seq computes and trains as its layers, and PyTorch's, do; its beam search finds what counting out finds."""

import copy
import itertools
import math
import os
import pickle
import signal
import threading
import time
import tracemalloc

import numpy as np
import pytest

import fastrnn
from fastrnn.beam import beam_search
from fastrnn.files import read_model, write_model

CELLS = ("rnn", "gru", "lstm")
SOURCES = ("tokens", "vectors", "features")
CLIP, RATE = 0.4, 0.01


def strings(rng, count, letters, shortest, longest):
    """Random strings, some as long as they may be, one as short."""
    lengths = [longest, shortest, *rng.integers(shortest, longest + 1, count - 2)]
    return ["".join(rng.choice(list(letters), length)) for length in lengths]


def data(source, count=7, seed=0):
    """Sources of a kind and targets, of different lengths, empty ones among them where they may be."""
    rng = np.random.default_rng(seed)
    sources = {
        "tokens": strings(rng, count, "xyz", 0, 6),
        "vectors": [rng.standard_normal((steps, 3)) for steps in (1, 5, *rng.integers(1, 6, count - 2))],
        "features": rng.standard_normal((count, 4)),
    }[source]
    return sources, strings(rng, count, "abcd", 0, 5)[::-1]


def small(**arguments):
    defaults = {"hidden_size": 6, "embedding_size": 5, "learning_rate": RATE, "clip_norm": CLIP, "seed": 1}
    return fastrnn.Seq2Seq(**{"dtype": "float64", **defaults, **arguments})


def built(sources, targets, scale=1.0, **arguments):
    """A model that has not been trained, with weights so many times as large as first ones are."""
    model = small(**arguments)
    model.partial_fit(sources, targets, iterations=0)
    for parameter in model.parameters.values():
        parameter *= scale
    return model


def same(a, b):
    (mine, metadata), (theirs, their_metadata) = a._whole(), b._whole()
    return metadata == their_metadata and mine.keys() == theirs.keys() and all(
        mine[name].tobytes() == theirs[name].tobytes() for name in mine
    )  # fmt: skip


# ---- the network, and its training ----


def padded(sequences):
    """(T, B) or (T, B, E), zero past each length, and the lengths (B,)."""
    lengths = np.array([len(sequence) for sequence in sequences])
    side_by_side = np.zeros(
        (lengths.max(), len(sequences), *np.shape(sequences[0])[1:]), np.asarray(sequences[0]).dtype
    )
    for b, sequence in enumerate(sequences):
        side_by_side[: len(sequence), b] = sequence
    return side_by_side, lengths


def read(model, sources, targets):
    """What the network reads and is to say: (sources, their lengths), (inputs, lengths), (targets, lengths)."""
    codes = model.target_tokens.encode(targets, "targets")
    inputs = padded([np.concatenate([[0], code]) for code in codes])
    wanted = padded([np.concatenate([code, [0]]) for code in codes])
    if model.source == "features":
        return (np.asarray(sources, model.dtype), None), inputs, wanted
    if model.source == "tokens":
        sources = [np.append(code, 0) for code in model.source_tokens.encode(sources, "sources")]
    else:
        sources = [source.astype(model.dtype) for source in sources]
    return padded(sources), inputs, wanted


def sizes(model):
    """(numbers that the encoder reads at a step, states, numbers beside the embedding)"""
    shapes = {name: parameter.shape for name, parameter in model.parameters.items()}
    beside = shapes["decoder.weight_ih_l0"][1] - model.embedding_size
    states = model.num_layers * (2 if model.cell == "lstm" else 1)
    reads = shapes["encoder.weight" if model.source == "features" else "encoder.weight_ih_l0"][1]
    return reads, states, beside


class Layers:
    """The same model, put together from fastrnn's layers."""

    def __init__(self, model):
        self.model = model
        (reads, states, beside), E, H, dtype = sizes(model), model.embedding_size, model.hidden_size, model.dtype
        cell = {"rnn": fastrnn.RNN, "gru": fastrnn.GRU, "lstm": fastrnn.LSTM}[model.cell]
        self.layers = {
            "embedding": fastrnn.Embedding(model.target_tokens.size, E, dtype=dtype),
            "decoder": cell(E + beside, H, model.num_layers, dtype=dtype),
            "linear": fastrnn.Linear(H, model.target_tokens.size, dtype=dtype),
        }
        if model.source == "features":
            self.layers["encoder"] = fastrnn.Linear(reads, states * H, dtype=dtype)
        else:
            self.layers["encoder"] = cell(reads, H, model.num_layers, dtype=dtype)
        if model.source == "tokens":
            self.layers["encoder_embedding"] = fastrnn.Embedding(model.source_tokens.size, E, dtype=dtype)
        for member, layer in self.layers.items():
            layer.load_state_dict({name: model.parameters[f"{member}.{name}"] for name in layer.parameters})
        self.optimizer = fastrnn.Adam(list(self.layers.values()), RATE)
        self.tapes = {}

    def __getitem__(self, member):
        """Calls this layer, and keeps the tape."""

        def call(*arguments, **options):
            *said, self.tapes[member] = self.layers[member].forward(*arguments, **options)
            return said if len(said) > 1 else said[0]

        return call

    def encoded(self, sources, lengths):
        """(the decoder's first states, what each step reads besides)"""
        model, B = self.model, len(sources) if lengths is None else len(lengths)
        if model.source == "features":
            h = self["encoder"](sources).reshape(B, -1, model.num_layers, model.hidden_size).transpose(1, 2, 0, 3)
            return (tuple(h) if model.cell == "lstm" else h[0]), sources
        x = self["encoder_embedding"](sources) if model.source == "tokens" else sources
        _, states = self["encoder"](x, lengths=lengths)
        return states, (states[0] if model.cell == "lstm" else states)[-1]

    def logits(self, sources, targets):
        """(T, B, V), the targets (T, B), and which of the steps there are (T, B)."""
        source, (inputs, lengths), (wanted, _) = read(self.model, sources, targets)
        states, beside = self.encoded(*source)
        x = self["embedding"](inputs)
        if self.model.every_step:
            x = np.concatenate([x, np.broadcast_to(beside, (*x.shape[:2], beside.shape[1]))], axis=2)
        y, _ = self["decoder"](x, states, lengths=lengths)
        return self["linear"](y), wanted, np.arange(len(y))[:, np.newaxis] < lengths

    def backward(self, dlogits):
        model = self.model
        back = {name: lambda *dy, name=name: self.layers[name].backward(self.tapes[name], *dy) for name in self.layers}
        dx, dstates = back["decoder"](back["linear"](dlogits))
        E = model.embedding_size
        back["embedding"](np.ascontiguousarray(dx[:, :, :E]))
        dstates = dstates if model.cell == "lstm" else (dstates,)
        if model.source == "features":
            back["encoder"](np.concatenate([d.transpose(1, 0, 2).reshape(d.shape[1], -1) for d in dstates], axis=1))
            return
        if model.every_step:
            dstates[0][-1] += dx[:, :, E:].sum(axis=0)
        dy = np.zeros((self.source_steps, dx.shape[1], model.hidden_size), model.dtype)
        dsource, _ = back["encoder"](dy, dstates if model.cell == "lstm" else dstates[0])
        if model.source == "tokens":
            back["encoder_embedding"](dsource)

    def iterate(self, sources, targets):
        """One of training; the loss."""
        self.source_steps = None if self.model.source == "features" else len(read(self.model, sources, targets)[0][0])
        logits, wanted, there = self.logits(sources, targets)
        loss, of_rows = fastrnn.softmax_cross_entropy(logits[there], wanted[there])
        dlogits = np.zeros_like(logits)
        dlogits[there] = of_rows
        self.optimizer.zero_gradients()
        self.backward(dlogits)
        for layer in self.layers.values():
            for name, gradient in layer.gradients.items():
                if name.startswith("bias_hh") and self.model.cell != "gru":
                    gradient[...] = 0
        fastrnn.clip_gradient_norm(list(self.layers.values()), CLIP)
        self.optimizer.step()
        return loss

    def log_p(self, sources, targets):
        """ln p of each target, the end too."""
        logits, wanted, there = self.logits(sources, targets)
        log_p = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
        return (np.take_along_axis(log_p, wanted[:, :, np.newaxis], axis=2)[:, :, 0] * there).sum(axis=0)

    def parameters(self):
        return {
            f"{member}.{name}": array
            for member, layer in self.layers.items()
            for name, array in layer.parameters.items()
        }


def pytorch_module(torch, model):
    """The same model, put together from PyTorch's modules, with its weights."""
    (reads, states, beside), E, H = sizes(model), model.embedding_size, model.hidden_size
    cell = getattr(torch.nn, model.cell.upper())

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            if model.source == "tokens":
                self.encoder_embedding = torch.nn.Embedding(model.source_tokens.size, E)
            self.encoder = (
                torch.nn.Linear(reads, states * H) if model.source == "features" else cell(reads, H, model.num_layers)
            )
            self.embedding = torch.nn.Embedding(model.target_tokens.size, E)
            self.decoder = cell(E + beside, H, model.num_layers)
            self.linear = torch.nn.Linear(H, model.target_tokens.size)

        def encoded(self, sources, lengths):
            if model.source == "features":
                h = self.encoder(sources).view(len(sources), -1, model.num_layers, H).permute(1, 2, 0, 3).contiguous()
                return ((h[0], h[1]) if model.cell == "lstm" else h[0]), sources
            x = self.encoder_embedding(sources) if model.source == "tokens" else sources
            packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
            _, states = self.encoder(packed)
            return states, (states[0] if model.cell == "lstm" else states)[-1]

        def forward(self, source, inputs):
            """ln p (T, B, V); what comes past a target's end is not looked at."""
            states, context = self.encoded(*source)
            x = self.embedding(inputs)
            if model.every_step:
                x = torch.cat([x, context.expand(len(x), *context.shape)], dim=2)
            y, _ = self.decoder(x, states)
            return torch.log_softmax(self.linear(y), dim=2)

    module = Module().to(torch.float64 if model.dtype == np.float64 else torch.float32)
    module.load_state_dict({name: torch.from_numpy(array) for name, array in model.state_dict().items()})
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(model.cell == "gru" or "bias_hh" not in name)
    return module


CASES = [
    (source, cell, every_step, 1 + (CELLS.index(cell) + every_step) % 2)
    for source, cell, every_step in itertools.product(SOURCES, CELLS, (False, True))
]
BATCHES = [slice(0, 3), slice(3, 6), slice(6, 7), slice(0, 3)]  # of three, a pass and the first batch again


def close(mine, other, dtype):
    """Whether they are equal but for rounding."""
    tolerance = 1e-10 if dtype == np.float64 else 1e-4
    return np.abs(mine - other).max() <= tolerance * max(1, np.abs(other).max())


@pytest.mark.parametrize(("source", "cell", "every_step", "num_layers"), CASES)
def test_it_computes_and_learns_as_the_layers_put_together(source, cell, every_step, num_layers, isa, dtype):
    sources, targets = data(source)
    model = built(
        sources, targets, 2.0, cell=cell, num_layers=num_layers, source=source, every_step=every_step, batch_size=3,
        shuffle=False, dtype=dtype,
    )  # fmt: skip
    layers = Layers(model)
    assert close(model.log_probabilities(sources, targets), layers.log_p(sources, targets), dtype)
    losses = []
    for number, batch in enumerate(BATCHES):
        losses.append(layers.iterate(sources[batch], targets[batch]))
        model.fit(sources, targets, iterations=1, every=1)
        for name, parameter in layers.parameters().items():
            assert close(model.parameters[name], parameter, dtype), (number, name)
    assert close(model.history.column("loss"), np.array(losses), dtype)
    assert close(model.log_probabilities(sources, targets), layers.log_p(sources, targets), dtype)


@pytest.mark.parametrize(("source", "cell", "every_step", "num_layers"), CASES)
def test_a_pytorch_module_takes_the_weights_computes_and_learns_the_same(
    source, cell, every_step, num_layers, dtype, torch
):
    sources, targets = data(source)
    model = built(
        sources, targets, 2.0, cell=cell, num_layers=num_layers, source=source, every_step=every_step, batch_size=3,
        shuffle=False, dtype=dtype,
    )  # fmt: skip
    module = pytorch_module(torch, model)

    def of_steps(batch):
        """ln p of each step's token (T, B), and which steps there are."""
        (values, ends), (inputs, lengths), (wanted, _) = read(model, sources[batch], targets[batch])
        source = torch.from_numpy(values), None if ends is None else torch.from_numpy(ends)
        log_p = module(source, torch.from_numpy(inputs))
        there = torch.from_numpy(np.arange(len(inputs))[:, np.newaxis] < lengths)
        return log_p.gather(2, torch.from_numpy(wanted)[:, :, None])[:, :, 0], there

    log_p, there = of_steps(slice(None))
    assert close(model.log_probabilities(sources, targets), (log_p * there).sum(dim=0).detach().numpy(), dtype)
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=RATE)
    for number, batch in enumerate(BATCHES):
        optimizer.zero_grad()
        log_p, there = of_steps(batch)
        (-log_p[there].mean()).backward()
        torch.nn.utils.clip_grad_norm_(trained, CLIP)
        optimizer.step()
        model.partial_fit(sources, targets)
        for name, parameter in module.state_dict().items():
            assert close(model.parameters[name], parameter.numpy(), dtype), (number, name)


@pytest.mark.parametrize("source", SOURCES)
def test_nothing_is_left_of_an_iteration_that_failed(source):
    """Also where shorter sequences leave room in the memory that the iterations share."""
    sources, targets = data(source)
    model, twin = (built(sources, targets, source=source, batch_size=7) for _ in range(2))
    good = model.state_dict()
    for parameter in model.parameters.values():
        parameter[...] = np.nan
    with pytest.raises(fastrnn.NumericalError, match=r"iteration 0: .* lower learning_rate or set clip_norm"):
        model.partial_fit(sources, targets)
    model.load_state_dict(good)
    for _ in range(2):
        assert model.partial_fit(sources, targets) == twin.partial_fit(sources, targets)
    assert same(model, twin)


def test_dropout_follows_from_the_seed_and_is_for_training_alone():
    sources, targets = data("tokens")
    models = [built(sources, targets, dropout=0.5, seed=seed) for seed in (1, 2, 1)] + [built(sources, targets)]
    for model in models:
        model.load_state_dict(models[0].state_dict())
    without = models[3].log_probabilities(sources, targets)
    assert all((model.log_probabilities(sources, targets) == without).all() for model in models)
    losses = [model.partial_fit(sources, targets) for model in models]
    assert losses[0] == losses[2]
    assert len(set(losses)) == 3


def test_evaluation_counts_tokens_and_ends_and_what_is_written_exactly():
    sources, targets = data("tokens")
    model = built(sources, targets, 2.0)
    log_p = model.log_probabilities(sources, targets)
    written = model.predict(sources, max_length=10)
    tokens = sum(map(len, targets)) + len(targets)
    found = model.evaluate(sources, targets)
    assert found == {
        "loss": pytest.approx(-log_p.sum() / tokens, rel=1e-12),
        "perplexity": pytest.approx(math.exp(-log_p.sum() / tokens), rel=1e-12),
        "exact": np.mean([said == target for said, target in zip(written, targets, strict=True)]),
        "sequences": 7,
        "tokens": tokens,
    }


# ---- what it writes ----

LETTERS = (0, 1, 2)
OUTPUTS = [list(codes) for length in range(5) for codes in itertools.product(LETTERS, repeat=length)]


def writer(source, cell="gru", every_step=False, num_layers=1, dtype="float64"):
    """A model that has half learnt to write three integers, some of them, and forty sources."""
    sources, targets = data(source, count=40)
    targets = [[ord(letter) % 3 for letter in target[:4]] for target in targets]
    model = small(
        hidden_size=12, num_layers=num_layers, source=source, cell=cell, every_step=every_step, dtype=dtype,
        learning_rate=0.02, batch_size=8,
    )  # fmt: skip
    model.partial_fit(sources, targets, iterations=80)
    return model, sources


@pytest.mark.parametrize("length_penalty", [0.0, 0.7, 3])
@pytest.mark.parametrize(("source", "cell", "every_step", "num_layers"), CASES[::4])
def test_a_large_beam_finds_all_outputs_the_best_first(source, cell, every_step, num_layers, length_penalty):
    model, sources = writer(source, cell, every_step, num_layers)
    for one in sources[:3]:
        log_p = model.log_probabilities([one] * len(OUTPUTS), OUTPUTS)
        score = {tuple(o): p / (len(o) + 1) ** length_penalty for o, p in zip(OUTPUTS, log_p, strict=True)}
        found = model.beam_search(one, beam_size=3**4 + 40, max_length=4, length_penalty=length_penalty)
        assert [tuple(codes) for codes, _ in found] == sorted(score, key=score.__getitem__, reverse=True)
        np.testing.assert_allclose(
            [p for _, p in found], log_p[[OUTPUTS.index(codes) for codes, _ in found]], rtol=1e-10
        )
        assert log_p.max() - log_p.min() > 5
        assert model.predict([one], max_length=4, beam_size=200, length_penalty=length_penalty) == [found[0][0]]


@pytest.mark.parametrize(("source", "cell", "every_step", "num_layers"), CASES[1::4])
def test_each_beam_has_the_probabilities_of_what_it_found(source, cell, every_step, num_layers, dtype):
    model, sources = writer(source, cell, every_step, num_layers, dtype)
    for i, beam_size in itertools.product(range(5), (1, 2, 4, 8)):
        found = model.beam_search(sources[i], beam_size=beam_size, max_length=6)
        assert len(found) == beam_size
        log_p = model.log_probabilities([sources[i]] * beam_size, [codes for codes, _ in found])
        assert close(np.array([p for _, p in found]), log_p, dtype)
        assert (np.diff(log_p) <= 1e-4).all()


@pytest.mark.parametrize(("source", "cell", "every_step", "num_layers"), CASES[::2])
def test_a_beam_of_one_takes_the_likeliest_token_step_by_step(source, cell, every_step, num_layers):
    model, sources = writer(source, cell, every_step, num_layers)
    layers, written = Layers(model), []
    for one in range(20):
        codes = []
        while len(codes) < 5:
            logits, _, _ = layers.logits(sources[one : one + 1], [codes])
            code = int(logits[-1, 0].argmax())
            if code == 0:
                break
            codes.append(model.target_tokens.vocabulary[code - 1])
        written.append(codes)
    assert model.predict(sources[:20], max_length=5) == written
    assert len(set(map(tuple, written))) > 3


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("every_step", [False, True])
def test_sources_together_one_by_one_and_in_blocks_give_the_same(source, every_step, monkeypatch):
    model, sources = writer(source, every_step=every_step)
    targets = model.predict(sources[::-1])
    arguments = {"beam_size": 3, "max_length": 7, "length_penalty": 0.5}
    together = model.predict(sources, **arguments)
    assert len(set(map(tuple, together))) > 3
    one_by_one = [model.predict(sources[i : i + 1], **arguments)[0] for i in range(40)]
    assert together == one_by_one
    log_p, measures = model.log_probabilities(sources, targets), model.evaluate(sources, targets)
    searched, search = [], beam_search
    monkeypatch.setattr("fastrnn.seq2seq.NUMBERS_AT_ONCE", 1500)
    monkeypatch.setattr("fastrnn.example_network.NUMBERS_AT_ONCE", 1500)
    monkeypatch.setattr("fastrnn.seq2seq.beam_search", lambda *a, **b: searched.append(search(*a, **b)) or searched[-1])
    assert model.predict(sources, **arguments) == together
    assert len(searched) > 5
    np.testing.assert_allclose(model.log_probabilities(sources, targets), log_p, rtol=1e-12)
    assert model.evaluate(sources, targets) == {name: pytest.approx(value) for name, value in measures.items()}


def test_the_longest_output_is_twice_the_longest_target_of_the_first_data():
    model, sources = writer("tokens")
    model.parameters["linear.bias"][0] = -1e3  # it hardly ever ends
    assert {len(codes) for codes in model.predict(sources)} == {8}
    model.partial_fit(sources, [[0] * 9] * 40, iterations=0)
    assert len(model.beam_search("x", beam_size=1)[0][0]) == 8
    assert len(model.beam_search("x", beam_size=1, max_length=1)[0][0]) == 1


def test_a_source_or_the_feature_of_one_may_be_an_array_a_list_or_a_tuple():
    for source in ("vectors", "features"):
        model, sources = writer(source)
        found = model.beam_search(sources[1])
        assert model.beam_search(sources[1].tolist()) == found
        assert model.beam_search(tuple(sources[1].tolist())) == found
    model, sources = writer("vectors")
    equal = np.random.default_rng(0).standard_normal((4, 5, 3))
    assert model.predict(equal) == model.predict(list(equal))
    words = [["ab", "c"], ["c"]]
    model = built(words, words)
    assert model.predict([np.array(one) for one in words]) == model.predict([tuple(one) for one in words])


def test_probabilities_of_much_data_take_little_memory(monkeypatch):
    numbers = 2**16
    monkeypatch.setattr("fastrnn.seq2seq.NUMBERS_AT_ONCE", numbers)
    targets = [list(range(i, i + 8)) for i in range(0, 1000, 4)]
    model = built(targets, targets)
    tracemalloc.start()
    try:
        model.log_probabilities(targets, targets)
        model.evaluate(targets, targets)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * 8 * numbers < 8 * 9 * len(targets) * 1000 / 5  # all logits, times 8 bytes, are five times that


# ---- what it can learn ----


def as_str(text):
    return text


def as_words(text):
    return [f"w{letter}" for letter in text]


def as_ints(text):
    return [7 * ord(letter) - 700 for letter in text]


@pytest.mark.parametrize(("backwards", "to_tokens"), [(False, as_str), (True, as_words), (True, as_ints)])
def test_it_learns_to_copy_and_to_reverse_what_it_has_not_seen(backwards, to_tokens):
    texts = ["".join(text) for length in range(1, 6) for text in itertools.product("abcde", repeat=length)]
    texts = [texts[i] for i in np.random.default_rng(0).permutation(len(texts))]
    sources, targets = [to_tokens(x) for x in texts], [to_tokens(x[:: -1 if backwards else 1]) for x in texts]
    model = fastrnn.Seq2Seq(
        hidden_size=64, embedding_size=16, learning_rate=0.01, schedule="cosine", schedule_iterations=1300, seed=0
    )
    model.fit(sources[500:], targets[500:], epochs=12)
    assert model.evaluate(sources[:500], targets[:500])["exact"] == 1
    assert model.predict(sources[:500]) == targets[:500]
    assert model.predict(sources[:100], beam_size=3) == targets[:100]


@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_it_learns_to_describe_features(cell, every_step):
    rng = np.random.default_rng(1)
    parts = [["red", "green", "blue", "grey", ""], ["big", "small", ""], ["cat", "dog", "bird"]]
    chosen = [rng.integers(0, len(part), 1500) for part in parts]
    hot = np.concatenate([np.eye(len(part))[i] for part, i in zip(parts, chosen, strict=True)], axis=1)
    features = hot @ np.linalg.qr(rng.standard_normal((11, 11)))[0] + 0.05 * rng.standard_normal((1500, 11))
    said = [[part[i] for part, i in zip(parts, one, strict=True) if part[i]] for one in zip(*chosen, strict=True)]
    model = fastrnn.Seq2Seq(
        cell, 32, source="features", embedding_size=8, every_step=every_step, learning_rate=0.01, seed=0
    )
    model.fit(features[300:], said[300:], epochs=8)
    assert model.predict(features[:300]) == said[:300]
    assert model.beam_search(features[0])[0][0] == said[0]


# ---- training that stops, and goes on ----

RESUMED = [
    {"source": "tokens", "cell": "lstm", "num_layers": 2, "dropout": 0.3, "dtype": "float32"},
    {"source": "vectors", "cell": "gru", "every_step": True, "optimizer": "adamw", "shuffle": False},
    {"source": "features", "cell": "rnn", "optimizer": "sgd", "optimizer_options": {"momentum": 0.9}, "dropout": 0.2},
    {"source": "features", "cell": "lstm", "every_step": True, "schedule": "cosine", "schedule_iterations": 12},
]


@pytest.mark.parametrize("arguments", RESUMED, ids=lambda a: "-".join(str(value) for value in a.values()))
def test_twice_as_many_iterations_are_the_same_as_two_runs_with_a_file_between(arguments, tmp_path):
    sources, targets = data(arguments["source"], count=20)
    fit = {"iterations": 7, "validation": 0.2, "every": 3}
    whole, halves = (small(batch_size=3, **arguments) for _ in range(2))
    whole.fit(sources, targets, **{**fit, "iterations": 14})  # in the third pass, of six iterations each

    halves.fit(sources, targets, **fit)
    halves.save(tmp_path / "half")
    resumed = fastrnn.load(tmp_path / "half")
    resumed.fit(copy.deepcopy(sources), tuple(targets), **fit)
    whole.save(tmp_path / "whole")
    resumed.save(tmp_path / "resumed")
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "resumed").read_bytes()

    for other in (pickle.loads(pickle.dumps(halves)), copy.deepcopy(halves)):
        other.fit(sources, targets, **fit)
        assert same(other, whole)
        assert other.predict(sources) == whole.predict(sources)
        assert repr(other) == repr(whole)


def test_other_data_begin_at_their_beginning_and_so_do_the_first_ones_after_them():
    first = data("tokens")
    second = [source[::-1] for source in first[0]], first[1]
    third = first[0], [target[::-1] for target in first[1]]
    model = built(*first, batch_size=2, shuffle=False)
    for (sources, targets), begin in ((first, 0), (first, 2), (second, 0), (second, 2), (third, 0), (first, 0)):
        batch = slice(begin, begin + 2)
        expected = model.evaluate(sources[batch], targets[batch])["loss"]
        assert model.fit(sources, targets, iterations=1)[-1].loss == pytest.approx(expected, rel=1e-10)
    assert model.iterations == 6


def test_an_epoch_reads_every_example_once_in_an_order_of_its_own():
    sources, targets = [str(i) for i in range(7)], list("abcdefg")

    def losses(shuffle):
        """Of eleven iterations of one example, in which nothing is learnt."""
        model = small(batch_size=1, optimizer="sgd", learning_rate=1e-300, shuffle=shuffle)
        return model.fit(sources, targets, iterations=14, every=1).column("loss").round(9).tolist()

    in_order, shuffled = losses(False), losses(True)
    assert in_order[:7] == in_order[7:]
    assert len(set(in_order[:7])) == 7
    assert sorted(shuffled[:7]) == sorted(shuffled[7:]) == sorted(in_order[:7])
    assert shuffled[:7] != shuffled[7:] != in_order[:7] != shuffled[:7]


def test_what_is_held_out_is_the_last_share_and_its_best_model_is_kept():
    sources, targets = data("tokens", count=40)
    model, weights = small(hidden_size=30, learning_rate=0.03, batch_size=8), {}
    history = model.fit(
        sources, targets, epochs=1000, validation=0.25, patience=4,
        callback=lambda model, record: weights.setdefault(record.iteration, model.state_dict()),
    )  # fmt: skip
    losses = history.column("validation_loss")
    assert model.iterations_per_epoch == 4
    assert history.column("iteration").tolist() == list(range(4, model.iterations + 1, 4))
    assert len(losses) - 1 - losses.argmin() == 4  # patience is at an end
    assert model.evaluate(sources[30:], targets[30:])["loss"] == pytest.approx(losses[-1], rel=1e-12)
    best = model.best
    expected = weights[history[int(losses.argmin())].iteration]
    assert all((best.parameters[name] == expected[name]).all() for name in expected)
    assert best.evaluate(sources[30:], targets[30:])["loss"] == pytest.approx(losses.min(), rel=1e-12)
    assert best.target_tokens == model.target_tokens
    assert model.fit(sources, targets, iterations=1, validation=0.25)[-1].iteration == model.iterations


# ---- files ----


def test_a_vocabulary_with_anything_in_it_is_kept(tmp_path):
    sources = ["a\r\n\u0301é🐢", "\ud800\x00\u2028", ""]
    for targets in (["\udfff", "", "\x00"], [["\ud800", "", "two words"], [], ["è"]], [[-(2**63)], [2**64 - 1, 0], []]):
        model = small()
        model.fit(sources, targets, iterations=3)
        model.save(tmp_path / "model")
        loaded = fastrnn.load(tmp_path / "model")
        assert same(model, loaded)
        assert (loaded.source_tokens, loaded.target_tokens) == (model.source_tokens, model.target_tokens)
        assert loaded.predict(sources, beam_size=2) == model.predict(sources, beam_size=2)


def test_other_readers_open_a_model(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy", reason="safetensors is missing: it is no requirement")
    model = built(["\ud800"], [["\udfff"]], cell="lstm", num_layers=2)
    model.save(tmp_path / "model")
    tensors = safetensors.load_file(tmp_path / "model")
    assert all((tensors[name] == parameter).all() for name, parameter in model.parameters.items())


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ((), None, "missing: none; left over: .*encoder.weight_ih_l0"),
        ((), {}, "vocabulary must have the entries sources, targets and longest"),
        ((), [1], "vocabulary must have the entries"),
        (("sources",), 3, "the vocabulary's sources are not tokens, as the configuration says"),
        (("sources",), None, "sources must be an integer"),
        (("sources",), {"kind": "str"}, "a kind and a vocabulary alone"),
        (("sources", "kind"), "bytes", "kind must be one of"),
        (("sources", "vocabulary"), ["x", "y"], "encoder_embedding.weight must have shape"),
        (("targets",), 4, "tokens must be a dict"),
        (("targets", "kind"), "ints", "vocabulary must hold the tokens of a list of integers, alone"),
        (("targets", "vocabulary"), [], "vocabulary must be a list of at least one token"),
        (("targets", "vocabulary"), ["d", "c", "b", "a"], "vocabulary must be sorted"),
        (("targets", "vocabulary"), ["a", "b", "c"], "embedding.weight must have shape"),
        (("targets", "vocabulary"), [chr(256 + i) for i in range(5000)], "needs .* numbers"),
        (("longest",), -1, "longest must be at least 0"),
        (("longest",), 2**31, "longest must be at most"),
        (("longest",), "many", "longest must be an integer"),
    ],
)  # fmt: skip
def test_a_vocabulary_that_does_not_fit_is_refused_with_the_reason(tmp_path, place, value, message):
    model = built(*data("tokens"))
    model.save(tmp_path / "model")
    tensors, metadata = read_model(tmp_path / "model")
    at, key = metadata, "vocabulary"
    for name in place:
        at, key = at[key], name
    at[key] = value
    write_model(tmp_path / "spoilt", tensors, metadata)
    with pytest.raises(fastrnn.ModelFileError, match=message) as caught:
        fastrnn.load(tmp_path / "spoilt")
    assert str(tmp_path / "spoilt") in str(caught.value)


@pytest.mark.parametrize("number", [0, -1, 1.5, 2**24, 10**30])
def test_a_file_cannot_have_vectors_of_such_a_number_of_numbers(number, tmp_path):
    model = built(*data("vectors"), source="vectors")
    model.save(tmp_path / "model")
    tensors, metadata = read_model(tmp_path / "model")
    metadata["vocabulary"]["sources"] = number
    write_model(tmp_path / "model", tensors, metadata)
    with pytest.raises(fastrnn.ModelFileError, match=r"sources must be|numbers"):
        fastrnn.load(tmp_path / "model")


# ---- what will not do ----

TEXTS, VECTORS, FEATURES = ["xy", "x"], [np.ones((2, 3)), np.ones((1, 3))], np.ones((2, 4))
NAN = [np.ones((2, 3)), np.full((1, 3), np.nan)]
AB = ["ab", ""]


@pytest.mark.parametrize(
    ("source", "sources", "targets", "options", "error", "message"),
    [
        ("tokens", TEXTS, ["ab"], {}, ValueError, "sources and targets must be as many, not 2 and 1"),
        ("vectors", VECTORS, ["ab"], {}, ValueError, "sources and targets must be as many, not 2 and 1"),
        ("features", FEATURES, [*AB, "b"], {}, ValueError, "sources and targets must be as many, not 2 and 3"),
        ("tokens", [], [], {}, ValueError, "targets must have at least one token, and its 0 sequences"),
        ("tokens", ["", ""], AB, {}, ValueError, "sources must have at least one token, and its 2 sequences have none"),
        ("tokens", TEXTS, ["", ""], {}, ValueError, "targets must have at least one token, and its 2 sequences"),
        ("tokens", TEXTS, "ab", {}, TypeError, "targets must be a list of sequences, not str: a single one is a list"),
        ("tokens", "xy", AB, {}, TypeError, "sources must be a list of sequences, not str"),
        ("tokens", TEXTS, iter(AB), {}, TypeError, "targets must be a list of sequences, not list_iterator"),
        ("tokens", TEXTS, [["a"], "b"], {}, TypeError, r"targets\[1\] must be a list of words, .* not a str"),
        ("tokens", ["xy", ["x"]], AB, {}, TypeError, r"sources\[1\] must be a str, .* not a list of words"),
        ("tokens", TEXTS, [["a", 1], []], {}, TypeError, r"targets\[0\] must be .* and holds int, str"),
        ("tokens", VECTORS, AB, {}, ValueError, r"sources\[0\] must have shape \(T,\), not \(2, 3\)"),
        ("vectors", [[1, 2], [3]], AB, {}, TypeError, 'sources must hold vectors .* for source="vectors", not int'),
        ("vectors", TEXTS, AB, {}, ValueError, "sources must have shape"),
        ("vectors", NAN, AB, {}, ValueError, r"sources\[1\] must be finite, and has nan: replace"),
        ("vectors", [*VECTORS[:1], np.ones((1, 4))], AB, {}, ValueError, r"sources\[1\] \(1, 4\)"),
        ("vectors", [np.ones((0, 3)), *VECTORS[:1]], AB, {}, ValueError, r"sources\[0\] must .* at least one step"),
        ("features", FEATURES * np.inf, AB, {}, ValueError, "sources must be finite, and has inf: replace"),
        ("features", FEATURES[0], AB, {}, ValueError, "sources must have shape .N, E., a row of numbers"),
        ("features", TEXTS, AB, {}, ValueError, "sources must have shape .N, E., a row of numbers"),
        ("features", np.array([["a"], ["b"]]), AB, {}, TypeError, "sources must hold real numbers, not <U1"),
        ("tokens", TEXTS, AB, {"validation": 0.1}, ValueError, "leaves 2 to train on and 0 to hold out"),
        ("features", FEATURES, AB, {"validation": 0.9}, ValueError, "leaves 0 to train on and 2 to hold out"),
        ("tokens", TEXTS, AB, {"iterations": 1, "epochs": 1}, ValueError, "iterations and epochs say the same"),
        ("tokens", TEXTS, AB, {"every": 0}, ValueError, "every must be at least 1"),
    ],
)  # fmt: skip
def test_a_first_fit_that_fails_decides_nothing(source, sources, targets, options, error, message):
    model = small(source=source)
    with pytest.raises(error, match=message):
        model.fit(sources, targets, **options)
    with pytest.raises(ValueError, match="the model has no vocabulary and no weights yet: call fit, first"):
        model.target_tokens  # noqa: B018
    good = {"tokens": ["q"], "vectors": [np.ones((1, 5))], "features": np.ones((1, 6))}[source]
    model.fit(good, [[1, 2]], iterations=1)
    assert model.target_tokens.vocabulary == (1, 2)
    assert model.iterations == 1


def test_a_network_too_large_to_be_made_decides_nothing():
    model = small(source="features", every_step=True, embedding_size=2**24 - 1)
    for features in (FEATURES, FEATURES[:, :3]):
        with pytest.raises(ValueError, match="1 layers of 6 units with 3 outputs are too large: below"):
            model.fit(features, AB)


@pytest.mark.parametrize(
    ("source", "sources", "targets", "error", "message"),
    [
        ("tokens", ["xyq"], ["a"], ValueError, r"sources\[0\]\[2\] is 'q', which is not among the 3 tokens"),
        ("tokens", ["x", "y"], ["a", "bq"], ValueError, r"targets\[1\]\[1\] is 'q', .*: leave it out, or train"),
        ("tokens", [["x"]], ["a"], TypeError, r"sources\[0\] must be a str, of characters, .* not a list of words"),
        ("tokens", ["x"], [[]], TypeError, r"targets\[0\] must be a str, of characters, .* not an empty list"),
        ("tokens", [], [], ValueError, "sources must have at least one sequence, and is empty"),
        ("vectors", [np.ones((2, 4))], ["a"], ValueError, "sources must be vectors of 3 numbers, as the first were"),
        ("vectors", np.ones((1, 2, 2)), ["a"], ValueError, "sources must be vectors of 3 numbers, .* not 2"),
        ("vectors", NAN, ["a", "b"], ValueError, r"sources\[1\] must be finite"),
        ("features", np.ones((1, 5)), ["a"], ValueError, "sources must be vectors of 4 numbers, as the first were"),
        ("features", np.full((1, 4), np.nan), ["a"], ValueError, "sources must be finite"),
    ],
)  # fmt: skip
def test_data_that_do_not_suit_the_model_change_nothing(source, sources, targets, error, message):
    model = built(*data(source), source=source)
    model.fit(*data(source), iterations=3)
    before = copy.deepcopy(model)
    for use in (model.fit, model.partial_fit, model.evaluate, model.log_probabilities):
        with pytest.raises(error, match=message):
            use(sources, targets)
    if "target" not in message:
        with pytest.raises(error, match=message):
            model.predict(sources)
    assert same(model, before)
    assert model.fit(*data(source), iterations=3) == before.fit(*data(source), iterations=3)


def test_a_source_of_features_is_one_vector():
    model = built(*data("features"), source="features")
    with pytest.raises(ValueError, match=r"source must have shape \(F,\), not \(2, 4\)"):
        model.beam_search(FEATURES)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"beam_size": 0}, ValueError, "beam_size must be at least 1, not 0"),
        ({"beam_size": 1.5}, TypeError, "beam_size must be an integer"),
        ({"max_length": 0}, ValueError, "max_length must be at least 1, not 0"),
        ({"max_length": "5"}, TypeError, "max_length must be an integer"),
        ({"length_penalty": -0.1}, ValueError, r"length_penalty must be in \[0, 10\], not -0.1"),
        ({"length_penalty": math.nan}, ValueError, "length_penalty must be finite"),
        ({"length_penalty": "1"}, TypeError, "length_penalty must be a real number"),
    ],
)
def test_a_search_with_arguments_that_will_not_do(arguments, error, message):
    model = built(*data("tokens"))
    with pytest.raises(error, match=message):
        model.predict(["x"], **arguments)
    with pytest.raises(error, match=message):
        model.beam_search("x", **arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"source": "images"}, ValueError, "source must be one of 'tokens', 'vectors', 'features'"),
        ({"every_step": 1}, TypeError, "every_step must be True or False"),
        ({"embedding_size": None}, ValueError, "embedding_size must be an integer: the decoder reads tokens through"),
        ({"embedding_size": 0}, ValueError, "embedding_size must be at least 1"),
        ({"cell": "elman"}, ValueError, "cell must be one of"),
        ({"hidden_size": 2**24}, ValueError, "hidden_size must be at most"),
    ],
)
def test_a_constructor_with_arguments_that_will_not_do(arguments, error, message):
    with pytest.raises(error, match=message):
        fastrnn.Seq2Seq(**arguments)


def test_a_model_that_was_not_fitted_says_so():
    model, (sources, targets) = small(), data("tokens")
    for use in (
        lambda: model.predict(sources),
        lambda: model.beam_search("x"),
        lambda: model.evaluate(sources, targets),
        lambda: model.log_probabilities(sources, targets),
        lambda: model.source_tokens,
    ):
        with pytest.raises(ValueError, match="the model has no vocabulary and no weights yet: call fit, first"):
            use()
    assert built(*data("vectors"), source="vectors").source_tokens is None


# ---- Ctrl-C, and threads ----


def interrupt_soon(seconds):
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()


@pytest.mark.parametrize("source", SOURCES)
def test_ctrl_c_ends_fit_between_two_iterations_and_all_goes_on(source):
    sources, targets = data(source, count=30)
    fit = {"validation": 0.2, "every": 100}
    model, uninterrupted = (small(source=source, batch_size=5, dropout=0.1) for _ in range(2))
    interrupt_soon(0.15)
    begin = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        model.fit(sources, targets, iterations=10**9, **fit)
    assert time.perf_counter() - begin < 2
    done = model.iterations
    assert done > 0
    model.fit(sources, targets, iterations=30, **fit)
    uninterrupted.fit(sources, targets, iterations=done + 30, **fit)
    assert same(model, uninterrupted)


@pytest.mark.parametrize("beam_size", [1, 20])
def test_ctrl_c_ends_a_long_search(beam_size):
    model, sources = writer("tokens")
    before = model.predict(sources)
    model.parameters["linear.bias"][0] -= 1e6  # it never ends
    interrupt_soon(0.2)
    begin = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        model.predict(sources, max_length=10**9, beam_size=beam_size)
    assert time.perf_counter() - begin < 2
    model.parameters["linear.bias"][0] += 1e6
    assert model.predict(sources) == before


def test_one_thread_writes_while_another_fits():
    sources, targets = data("tokens", count=30)
    model, alone = small(batch_size=5), small(batch_size=5)
    written, errors = [], []

    def use():
        try:
            while len(written) < 10:
                written.append(model.predict(sources, beam_size=2, max_length=6))
                found = model.evaluate(sources, targets)
                assert found["perplexity"] == pytest.approx(math.exp(found["loss"]))
                with pytest.raises(RuntimeError, match="fitted by another thread"):
                    model.partial_fit(sources, targets)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=use)

    def until_written(model, record):
        if thread.ident is None:
            thread.start()
        time.sleep(1e-3)  # so that the other one's turn comes: who waits for a model is in no queue
        return not thread.is_alive() and record.iteration >= 1000

    model.fit(sources, targets, iterations=10**7, every=100, callback=until_written)
    assert errors == []
    assert len({tuple(one) for one in written}) > 1
    alone.fit(sources, targets, iterations=model.iterations, every=100)
    assert same(model, alone)

"""Seq2Seq computes and trains as its layers, and PyTorch's, do; its beam search finds what counting out finds."""

import itertools
import math

import numpy as np
import pytest

import fastrnn
from fastrnn.beam import beam_search

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
def test_it_computes_and_learns_as_the_layers_put_together(source, cell, every_step, num_layers, dtype):
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
    with pytest.raises(fastrnn.NumericalError, match="iteration 0: .* lower learning_rate or set clip_norm"):
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

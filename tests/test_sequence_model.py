"""SequenceModel computes and trains as its layers and as PyTorch's, and goes on exactly where it stopped."""

import itertools
import math

import numpy as np
import pytest
import sequence_parity as parity
from parity import TOLERANCE, assert_equal
from sequence_parity import assert_same

import fastrnn
from fastrnn.files import read_model, write_model

LAYERS_CASES = parity.training_cases([*parity.CELLS, *parity.NOT_PYTORCHS], rounds=3)
PYTORCH_CASES = parity.training_cases(parity.CELLS, rounds=2)


# ---- what it puts out ----


@pytest.mark.parametrize("topology", parity.TOPOLOGIES)
@pytest.mark.parametrize(("cell", "special"), [*parity.CELLS, *parity.NOT_PYTORCHS], ids=str)
def test_the_outputs_are_those_of_the_layers(cell, special, topology):
    """With every number of layers, direction, bias, input and output, and with lengths and without."""
    inputs = [("vectors", {}), ("tokens", {})] + [("tokens", {"embedding_size": 2})] * (topology != "one-to-many")
    choices = itertools.product((1, 2), (False, True), (False, True), inputs, parity.OUTPUTS, (False, True))
    for seed, (layers, bidirectional, bias, (kind, embedding), output, ragged) in enumerate(choices):
        arguments = {"cell": cell, **special, "topology": topology, "num_layers": layers, **embedding, **output}
        arguments |= {"bidirectional": bidirectional, "bias": bias, "dtype": ("float64", "float32")[seed % 5 == 0]}
        case = parity.make_case(arguments, kind, ragged, seed)
        p, expected = parity.predicted(parity.model_of(case), case), parity.forward_layers(case)
        assert p.dtype == arguments["dtype"]
        assert np.abs(p - expected).max() <= TOLERANCE[arguments["dtype"]] * np.abs(expected).max(), str(case)


@pytest.mark.parametrize("case", PYTORCH_CASES[:16], ids=str)
def test_a_pytorch_module_takes_the_weights_and_puts_out_the_same(case, torch):
    model = parity.model_of(case)
    case.weights = model.state_dict()
    expected = parity.forward_pytorch(case, parity.pytorch_module(case))
    assert_equal({"p": parity.predicted(model, case)}, {"p": expected}, case.arguments["dtype"])


def test_p_is_zero_past_a_length_and_what_is_there_is_not_looked_at():
    case = parity.make_case({"topology": "many-to-many", "output": "linear", "bidirectional": True}, ragged=True)
    model, X, lengths = parity.model_of(case), case.inputs["X"], case.inputs["lengths"]
    p = model.predict(X, lengths)
    past = ~parity.there(lengths)
    assert not p[past].any()
    X[past] = np.nan
    case.inputs["y"][past] = np.inf
    assert (model.predict(X, lengths) == p).all()
    model.fit(**case.inputs, iterations=3)
    tokens = fastrnn.SequenceModel(topology="many-to-many", seed=0)
    codes = np.where(past, -100, 1)
    tokens.fit(codes, codes, lengths=lengths, iterations=1)
    assert (tokens.input_size, tokens.output_size) == (2, 2)


@pytest.mark.parametrize("topology", ["one-to-many", "many-to-one", "many-to-many"])
@pytest.mark.parametrize(("kind", "output"), [("vectors", "linear"), ("tokens", "softmax")])
def test_lists_give_what_padded_arrays_give(topology, kind, output):
    case = parity.make_case({"topology": topology, "output": output, "dropout": 0.2}, kind, ragged=True)
    X, y, lengths = case.inputs.values()
    lists_of = {
        name: [sequence[:length] for sequence, length in zip(values, lengths, strict=True)]
        for name, values in (("X", X), ("y", y))
        if values.ndim > 1 and values.shape[1] == parity.T
    }
    padded, listed, as_lists = (parity.model_of(case) for _ in range(3))
    padded.fit(X, y, lengths=lengths, iterations=4)
    lists = {"X": X, "y": y} | lists_of
    listed.fit(**lists, iterations=4)
    as_lists.fit(**{name: [part.tolist() for part in values] for name, values in lists.items()}, iterations=4)
    assert padded._whole()[1] == listed._whole()[1]
    for model in (listed, as_lists):
        assert all((model.parameters[name] == array).all() for name, array in padded.parameters.items())
        assert model.evaluate(**lists) == padded.evaluate(X, y, lengths)
    if topology == "many-to-many":
        for part, whole, length in zip(listed.predict(lists["X"]), padded.predict(X, lengths), lengths, strict=True):
            np.testing.assert_array_equal(part, whole[:length])


def test_states_go_in_and_out():
    """The rest of sequences, from the states after their beginnings, gives what the whole gives."""
    for cell in ("rnn", "gru", "lstm"):
        arguments = {"cell": cell, "topology": "many-to-many", "output": "linear", "num_layers": 2}
        model, X = parity.model_of(case := parity.make_case(arguments)), case.inputs["X"]
        whole, last = model.predict(X, return_states=True)
        first, states = model.predict(X[:, :2], return_states=True)
        rest, after = model.predict(X[:, 2:], states=states, return_states=True)
        assert [state.shape for state in states] == [(2, parity.N, 4)] * (2 if cell == "lstm" else 1)
        np.testing.assert_allclose(np.concatenate([first, rest], axis=1), whole, rtol=1e-12)
        for one, other in zip(after, last, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)


def test_many_sequences_are_read_in_blocks_that_change_nothing(monkeypatch):
    case = parity.make_case({"topology": "many-to-many", "bidirectional": True}, ragged=True)
    model, (X, y, lengths) = parity.model_of(case), case.inputs.values()
    states = tuple(np.random.default_rng(0).uniform(-1, 1, (2, 2, parity.N, 4)))
    at_once = model.predict(X, lengths, states=states, return_states=True), model.evaluate(X, y, lengths)
    monkeypatch.setattr("fastrnn.example_network.NUMBERS_AT_ONCE", 700)  # two or three at a time
    in_blocks = model.predict(X, lengths, states=states, return_states=True), model.evaluate(X, y, lengths)
    np.testing.assert_allclose(in_blocks[0][0], at_once[0][0], rtol=1e-12)
    for one, other in zip(in_blocks[0][1], at_once[0][1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    assert in_blocks[1] == pytest.approx(at_once[1], rel=1e-12)


# ---- what it says of itself ----


@pytest.mark.parametrize("output", [*parity.OUTPUTS, parity.SQUARED], ids=lambda output: "-".join(output.values()))
@pytest.mark.parametrize("topology", parity.TOPOLOGIES)
def test_evaluation_is_what_the_outputs_give(topology, output):
    case = parity.make_case({"topology": topology, **output}, ragged=True)
    model, (X, y, *lengths) = parity.model_of(case), case.inputs.values()
    x, counted, targets = parity.batch_of(case, slice(None))
    rows, _ = parity.Layers(case).forward(x, counted)
    found = model.evaluate(X, y, *lengths)
    assert found["loss"] == pytest.approx(parity.loss_and_gradient(case, rows, targets)[0], rel=1e-12)
    assert (found["sequences"], found["steps"]) == (parity.N, counted.sum())
    names = ["loss", "sequences", "steps"]
    if output["output"] != "linear":
        right = rows.argmax(axis=1) == targets if y.dtype.kind == "i" else (rows > 0) == (targets > 0.5)
        assert found["accuracy"] == pytest.approx(right.mean())
        names.insert(1, "accuracy")
        if not case.last:
            parts = np.split(right, np.cumsum(counted)[:-1])
            assert found["exact"] == pytest.approx(np.mean([part.all() for part in parts]))
            names.insert(2, "exact")
    assert list(found) == names


def test_a_stateful_model_reads_a_batch_as_what_follows_the_one_before():
    """Its loss is that of the sequences joined, which a model without states that are carried reads at once."""
    options = {"topology": "many-to-many", "dtype": "float64", "batch_size": 2, "shuffle": False, "seed": 0}
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((6, 4, 3)), rng.integers(5, size=(6, 4))
    stateful = fastrnn.SequenceModel("lstm", 6, 2, stateful=True, **options).build("vectors", 3, 5)
    plain = fastrnn.SequenceModel("lstm", 6, 2, **options).build("vectors", 3, 5)
    joined = (np.concatenate([part[i : i + 2] for i in (0, 2, 4)], axis=1) for part in (X, y))
    expected = plain.evaluate(*joined)
    assert stateful.evaluate(X, y)["loss"] == pytest.approx(expected["loss"], rel=1e-12)
    assert plain.evaluate(X, y)["loss"] != pytest.approx(expected["loss"], rel=1e-12)
    with pytest.raises(ValueError, match="the sequences must be a multiple of batch_size=2, and are 5"):
        stateful.evaluate(X[:5], y[:5])


def test_exact_is_the_share_of_sequences_of_which_all_is_right():
    X = [[0, 1, 2], [2, 2], [1], [0, 0, 1, 0]]
    model = fastrnn.SequenceModel("rnn", 16, topology="many-to-many", learning_rate=0.05, seed=0)
    model.fit(X, X, iterations=100)
    assert model.evaluate(X, X)["exact"] == 1
    found = model.evaluate(X, [[0, 1, 2], [2, 1], [1], [1, 1, 0, 1]])
    assert (found["exact"], found["accuracy"]) == (0.5, 0.5)


# ---- training ----


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_first_weights_are_pytorchs_and_follow_from_the_seed(cell):
    arguments = {"embedding_size": 40, "bidirectional": True, "seed": 7}
    a, b = (fastrnn.SequenceModel(cell, 50, **arguments).build("tokens", 90, 8) for _ in range(2))
    assert all((a.parameters[name] == array).all() for name, array in b.parameters.items())
    bounds = {"rnn.weight_hh_l0": 50, "rnn.weight_ih_l0_reverse": 50, "rnn.bias_ih_l0": 50, "linear.weight": 100}
    for name, size in bounds.items():
        assert 0.8 / math.sqrt(size) < np.abs(a.parameters[name]).max() <= 1 / math.sqrt(size)
    assert 0.95 < a.parameters["embedding.weight"].std() < 1.05
    tokens = np.random.default_rng(0).integers(8, size=(9, 4))
    a.fit(tokens, tokens[:, 0], iterations=3)
    for name in ("rnn.bias_hh_l0", "rnn.bias_hh_l0_reverse"):
        assert a.parameters[name].any() == (cell == "gru")


@pytest.mark.parametrize("case", LAYERS_CASES, ids=str)
def test_training_is_that_of_the_layers(case):
    """Five iterations, with a smaller one and the end of a pass among them."""
    assert_same(case, parity.run(case), parity.run_layers(case))


@pytest.mark.parametrize("case", PYTORCH_CASES, ids=str)
def test_training_is_pytorchs(case, torch):
    assert_same(case, parity.run(case), parity.run_pytorch(case))


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_training_on_every_instruction_set(isa, dtype, cell):
    arguments = {"cell": cell, "num_layers": 2, "bidirectional": True, "topology": "many-to-many", "hidden_size": 19}
    arguments |= parity.LEARNING[3] | {"optimizer_options": {"eps": 1e-3}, "dtype": np.dtype(dtype).name}
    case = parity.make_case(arguments, ragged=True)
    assert_same(case, parity.run(case), parity.run_layers(case))


def test_a_pass_reads_each_sequence_once_in_an_order_of_its_own():
    """Without steps (a learning rate near 0), the loss of an iteration tells which sequence it read."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((9, 4, 2)), rng.integers(3, size=9)
    model = fastrnn.SequenceModel(batch_size=1, optimizer="sgd", learning_rate=1e-300, dtype="float64", seed=0)
    losses = model.fit(X, y, epochs=3, every=1).column("loss").reshape(3, 9)
    alone = np.array([model.evaluate(X[i : i + 1], y[i : i + 1])["loss"] for i in range(9)])
    orders = [[int(np.abs(alone - loss).argmin()) for loss in of_pass] for of_pass in losses]
    assert all(sorted(order) == list(range(9)) for order in orders)
    assert orders[0] != orders[1] != orders[2]
    assert list(range(9)) not in orders


def test_dropout_is_for_training_alone():
    case = parity.make_case({"dropout": 0.5, "learning_rate": 1e-300, "optimizer": "sgd", "batch_size": parity.N})
    model, data = parity.model_of(case), case.inputs
    loss = model.evaluate(**data)["loss"]
    losses = model.fit(**data, iterations=3, every=1).column("loss")
    assert len({loss, *losses}) == 4
    assert model.evaluate(**data)["loss"] == loss
    again = parity.model_of(case)
    assert again.fit(**data, iterations=3, every=1).column("loss").tolist() == losses.tolist()


def test_epochs_are_passes_and_ten_is_the_default():
    X, y = np.zeros((10, 3, 2)), np.arange(10) % 2
    model = fastrnn.SequenceModel(hidden_size=2, batch_size=4, seed=0)
    with pytest.raises(ValueError, match="no examples yet: call fit, with iterations=0"):
        model.iterations_per_epoch  # noqa: B018
    model.fit(X, y, iterations=0)
    assert (model.iterations_per_epoch, model.iterations, len(model.history)) == (3, 0, 0)
    model.fit(X, y, epochs=2)
    assert model.iterations == 6
    model.fit(X, y, validation=0.2)
    assert model.iterations == 6 + 10 * 2
    assert model.history.column("iteration").tolist() == [3, 6, *range(8, 27, 2)]


def test_smooth_loss_begins_with_the_first_loss():
    X, y = np.random.default_rng(0).standard_normal((6, 3, 2)), np.arange(6) % 2
    model = fastrnn.SequenceModel(hidden_size=3, batch_size=2, dtype="float64", seed=0)
    with pytest.raises(ValueError, match="call fit, or build"):
        model.smooth_loss  # noqa: B018
    model.build("vectors", 2, 2)
    assert math.isnan(model.smooth_loss)
    smooth_loss = model.fit(X, y, iterations=1)[-1].loss
    assert model.smooth_loss == smooth_loss
    for _ in range(3):
        smooth_loss = 0.999 * smooth_loss + 0.001 * model.fit(X, y, iterations=1)[-1].loss
        assert model.smooth_loss == pytest.approx(smooth_loss, rel=1e-12)


def test_what_is_held_out_stands_at_the_end_and_decides_what_is_best():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 4, 2)), rng.integers(2, size=20)  # nothing to learn but by heart
    model, seen = fastrnn.SequenceModel(hidden_size=20, learning_rate=0.05, batch_size=5, seed=0), []

    def callback(model, record):
        seen.append((record, model.evaluate(X[15:], y[15:])["loss"], model.state_dict()))

    model.fit(X, y, epochs=100, validation=0.25, patience=4, callback=callback)
    losses = [record.validation_loss for record, _, _ in seen]
    assert losses == [loss for _, loss, _ in seen]
    assert [record.iteration for record, _, _ in seen] == list(range(3, 3 * len(seen) + 1, 3))
    best = int(np.argmin(losses))
    assert len(losses) - 1 - best == 4
    assert all((model.best.parameters[name] == array).all() for name, array in seen[best][2].items())
    assert model.best.evaluate(X[15:], y[15:])["loss"] == min(losses)
    assert model.best.iterations == 0


# ---- where it stopped ----

RESUMED = [
    {"cell": "rnn", "optimizer": "adagrad", "learning_rate": 0.05, "dtype": "float64"},
    {"cell": "rnn", "nonlinearity": "relu", "optimizer": "sgd", "optimizer_options": {"momentum": 0.9}, "dropout": 0.3,
     "learning_rate": 0.01, "topology": "many-to-many"},
    {"cell": "gru", "optimizer": "rmsprop", "optimizer_options": {"centered": True}, "bidirectional": True},
    {"cell": "gru", "reset_after": False, "num_layers": 2, "dropout": 0.2, "output": "sigmoid", "warmup": 20,
     "topology": "many-to-many", "dtype": "float64"},
    {"cell": "lstm", "optimizer": "adamw", "dropout": 0.1, "topology": "one-to-many", "output": "linear"},
    {"cell": "lstm", "num_layers": 2, "schedule": "cosine", "schedule_iterations": 30, "bias": False},
    {"cell": "lstm", "stateful": True, "shuffle": False, "topology": "many-to-many"},
    {"cell": "gru", "stateful": True, "shuffle": False, "topology": "one-to-one", "dropout": 0.1},
]  # fmt: skip


@pytest.mark.parametrize("arguments", RESUMED, ids=lambda a: "-".join(str(value) for value in a.values()))
@pytest.mark.parametrize("half", [17, 24], ids=["in a pass", "at its end"])
def test_twice_as_many_iterations_are_the_same_as_two_runs_with_a_file_between(arguments, half, tmp_path):
    arguments = {"hidden_size": 5, "learning_rate": 0.01, "shuffle": True, **arguments}
    case = parity.make_case(arguments, ragged=True, count=5 * parity.BATCH)
    data, fit = case.inputs, {"validation": 0.2, "every": 6}  # a pass takes four iterations
    whole, halves = (fastrnn.SequenceModel(**case.arguments) for _ in range(2))
    whole.fit(**data, iterations=2 * half, **fit)
    halves.fit(**data, iterations=half, **fit)
    halves.save(tmp_path / "half")
    resumed = fastrnn.load(tmp_path / "half")
    resumed.fit(**{name: array.copy() for name, array in data.items()}, iterations=half, **fit)

    whole.save(tmp_path / "whole")
    resumed.save(tmp_path / "resumed")
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "resumed").read_bytes()
    iterations = whole.history.column("iteration").tolist()
    assert iterations == sorted({*range(6, 2 * half + 1, 6), 2 * half})


def test_other_data_begin_a_pass_and_the_first_data_come_anew():
    """Stateful, and in the middle of a pass: the states are zero where other data begin."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((8, 3, 2)), rng.integers(2, size=8)
    model = fastrnn.SequenceModel(batch_size=2, stateful=True, shuffle=False, dtype="float64", seed=0)
    model.fit(X, y, iterations=2)
    for data in ((X[::-1], y), (X, y), (X, 1 - y), (X[:4], y[:4])):
        first = model.evaluate(*(part[:2] for part in data))["loss"]
        assert model.fit(*data, iterations=1)[-1].loss == pytest.approx(first, rel=1e-10)
        second = model.evaluate(*(part[2:4] for part in data))["loss"]
        assert model.fit(*data, iterations=1)[-1].loss != pytest.approx(second, rel=1e-10)  # it has a state
    model.fit(X, y, iterations=1)
    first = model.evaluate(X[:2], y[:2])["loss"]
    assert model.fit(X, y, iterations=1, validation=0.25)[-1].loss == pytest.approx(first, rel=1e-10)


def test_partial_fit_goes_on_as_fit_does():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((8, 3, 2)), rng.integers(2, size=8)
    one, other = (fastrnn.SequenceModel(hidden_size=4, batch_size=3, dropout=0.1, seed=0) for _ in range(2))
    one.fit(X, y, iterations=7)
    smooth_losses = [other.partial_fit(X, y, iterations=count) for count in (1, 4, 2)]
    assert smooth_losses[-1] == one.smooth_loss
    assert len(other.history) == 0
    assert all((other.parameters[name] == array).all() for name, array in one.parameters.items())
    assert other.partial_fit(X, y, lengths=[3, 1, 2, 3, 1, 2, 3, 3], iterations=0) == smooth_losses[-1]
    assert other._progress.position == 0


@pytest.mark.parametrize(
    ("iterations", "position"),
    [(5, 10**15), (5, 8), (5, 1), (1, 6)],
    ids=["beyond the data", "at their end", "within a batch", "further than it can have come"],
)
def test_a_position_that_training_cannot_have_begins_a_pass(tmp_path, iterations, position):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((8, 3, 2)), rng.integers(2, size=8)
    model = fastrnn.SequenceModel(hidden_size=4, batch_size=2, seed=0)
    model.fit(X, y, iterations=iterations)
    model.save(tmp_path / "model")
    tensors, metadata = read_model(tmp_path / "model")
    metadata["training"]["position"] = position
    write_model(tmp_path / "model", tensors, metadata)
    loaded = fastrnn.load(tmp_path / "model")
    loaded.fit(X, y, iterations=1)
    assert loaded._progress.position == 2

"""Sequence models put together from layers, of fastrnn and of PyTorch, that train on the same data in the same order.

`run` is SequenceModel itself, `run_layers` the loop over fastrnn's layers, losses and optimizers, `run_pytorch` that
over PyTorch's; each returns a dict of arrays under the same names. `run` takes also what tests/recorded has.
"""

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from parity import assert_equal, cut, flat

import fastrnn

ITERATIONS = 5
SIZES = {"vectors": 3, "tokens": 5}  # inputs
V, N, T, BATCH = 4, 7, 5, 3  # outputs, sequences, steps, sequences of a batch: the third of a pass has one
LAYERS = {"rnn": fastrnn.RNN, "gru": fastrnn.GRU, "lstm": fastrnn.LSTM}
OPTIMIZERS = {
    "sgd": fastrnn.SGD,
    "adagrad": fastrnn.Adagrad,
    "rmsprop": fastrnn.RMSprop,
    "adam": fastrnn.Adam,
    "adamw": fastrnn.AdamW,
}
LOSSES = {
    "softmax": fastrnn.softmax_cross_entropy,
    "sigmoid": fastrnn.sigmoid_binary_cross_entropy,
    "linear": fastrnn.mean_squared_error,
}


@dataclass
class Case:
    """A model's arguments, its data X, y and, where given, lengths, and its first weights."""

    arguments: dict[str, Any]
    inputs: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]
    results: dict[str, np.ndarray] = field(default_factory=dict)

    def __str__(self):
        words = [
            str(value) for name, value in self.arguments.items() if name in ("cell", "topology", "output", "dtype")
        ]
        names = ("nonlinearity", "reset_after", "bidirectional", "bias", "stateful", "embedding_size", "loss")
        words += [f"{name}={self.arguments[name]}" for name in names if name in self.arguments]
        return "-".join([*words, *["ragged"] * ("lengths" in self.inputs)])

    @property
    def last(self):
        """Whether a sequence has one output."""
        return self.arguments["topology"] in ("one-to-one", "many-to-one")


def make_case(arguments, inputs="vectors", ragged=False, seed=0, count=N):
    """Random data and weights."""
    arguments = {"cell": "lstm", "hidden_size": 4, "topology": "many-to-one", "output": "softmax", "shuffle": False} | {
        "batch_size": BATCH, "dtype": "float64", "seed": seed, **arguments
    }  # fmt: skip
    rng, dtype, size = np.random.default_rng(seed), arguments["dtype"], SIZES[inputs]
    first, last = arguments["topology"].split("-to-")
    rows = (count, T) if first == "many" else (count,)
    X = rng.integers(size, size=rows) if inputs == "tokens" else rng.standard_normal((*rows, size)).astype(dtype)
    rows = (count, T) if last == "many" else (count,)
    y = {
        "softmax": rng.integers(V, size=rows),
        "sigmoid": rng.random((*rows, V)).astype(dtype),
        "linear": rng.standard_normal((*rows, V)).astype(dtype),
    }[arguments["output"]]
    data = {"X": X, "y": y}
    if ragged and "many" in (first, last):
        data["lengths"] = rng.permutation([T, 1, *rng.integers(1, T + 1, count - 2)])
    model = built(arguments, inputs)
    weights = {name: rng.uniform(-0.8, 0.8, array.shape).astype(dtype) for name, array in model.parameters.items()}
    return Case(arguments, data, weights)


def built(arguments, inputs):
    """A new model for such data."""
    return fastrnn.SequenceModel(**arguments).build(inputs, SIZES[inputs], V)


def model_of(case):
    """SequenceModel, with the case's weights."""
    model = built(case.arguments, "tokens" if case.inputs["X"].dtype.kind == "i" else "vectors")
    model.load_state_dict(case.weights)
    return model


def batch_of(case, which):
    """x (T, B, I) or (T, B), lengths (B,), targets in rows: those of each sequence, or of each step that is there, one
    sequence after the other."""
    X, y = case.inputs["X"][which], case.inputs["y"][which]
    topology = case.arguments["topology"]
    steps = {"one-to-one": 1, "one-to-many": T}.get(topology, T)
    lengths = case.inputs["lengths"][which] if "lengths" in case.inputs else np.full(len(X), steps)
    if topology == "one-to-one":
        x = X[np.newaxis]
    elif topology == "one-to-many":
        first = np.eye(SIZES["tokens"])[X] if X.dtype.kind == "i" else X
        x = np.zeros((T, *first.shape), case.arguments["dtype"])
        x[0] = first
    else:
        x = X.swapaxes(0, 1)
    return x, lengths, y if case.last else y[there(lengths)]


def there(lengths):
    """(B, T): which steps are there."""
    return np.arange(T) < lengths[:, np.newaxis]


def batches(case):
    """Pass after pass, in the order of the data: (batch, whether it is the first of a pass)."""
    while True:
        for begin in range(0, len(case.inputs["X"]), BATCH):
            yield batch_of(case, slice(begin, begin + BATCH)), begin == 0


def learning_rate(case, iteration):
    """Of iteration 0, 1, ... of a schedule "step" with a warmup."""
    a = case.arguments
    rate = a["learning_rate"] * min(1, (iteration + 1) / max(a.get("warmup", 0), 1))
    return rate * 0.5 ** (iteration // a["schedule_iterations"]) if "schedule_iterations" in a else rate


# ---- SequenceModel ----


def run(case):
    """What SequenceModel does."""
    model = model_of(case)
    history = model.fit(**case.inputs, iterations=ITERATIONS, every=1)
    return {"losses": history.column("loss"), "p": predicted(model, case), **model.state_dict()}


def predicted(model, case):
    """p of all sequences, in rows; of "one-to-many" all are of T steps."""
    X = case.inputs["X"]
    if case.arguments["topology"] == "one-to-many":
        return model.predict(X, steps=T).reshape(-1, V)
    lengths = case.inputs.get("lengths")
    p = model.predict(X, lengths)
    return p if case.last else p[there(np.full(len(X), T) if lengths is None else lengths)]


# ---- fastrnn's layers ----


class Layers:
    """The network of a case."""

    def __init__(self, case):
        self.case, a = case, case.arguments
        self.dtype, self.H = a["dtype"], a["hidden_size"]
        shapes = {name: weight.shape for name, weight in case.weights.items()}
        options = {name: a[name] for name in ("nonlinearity", "reset_after", "bidirectional", "bias") if name in a}
        options["dtype"] = self.dtype
        self.layers = {}
        if "embedding_size" in a:
            self.layers["embedding"] = fastrnn.Embedding(*shapes["embedding.weight"], dtype=self.dtype)
        columns = shapes["rnn.weight_ih_l0"][1]
        self.layers["rnn"] = LAYERS[a["cell"]](columns, self.H, a.get("num_layers", 1), **options)
        outputs, width = shapes["linear.weight"]
        self.layers["linear"] = fastrnn.Linear(width, outputs, bias=a.get("bias", True), dtype=self.dtype)
        for member, layer in self.layers.items():
            layer.load_state_dict({name: case.weights[f"{member}.{name}"] for name in layer.parameters})

    def forward(self, x, lengths, states=None):
        """y in rows, states; what `backward` needs stays here."""
        self.tapes = {}
        if "embedding" in self.layers:
            x, self.tapes["embedding"] = self.layers["embedding"].forward(x)
        y, states, self.tapes["rnn"] = self.layers["rnn"].forward(x, states, lengths)
        self.lengths, self.shape = lengths, y.shape
        rows, self.tapes["linear"] = self.layers["linear"].forward(self.read(y))
        return rows, states

    def places(self):
        """Where the rows of a last layer's output come from: pairs of an index and the columns that it is of."""
        B, H = self.shape[1], self.H
        if not self.case.last:
            return [((*np.nonzero(there(self.lengths)[:, : self.shape[0]])[::-1],), slice(None))]
        sides = np.arange(B)
        return [((self.lengths - 1, sides), slice(0, H)), ((np.zeros(B, int), sides), slice(H, None))]

    def read(self, y):
        """The rows of y (T, B, D H) that the linear layer reads."""
        return np.concatenate([y[(*place, columns)] for place, columns in self.places()], axis=1)

    def backward(self, drows):
        """All gradients."""
        read, dy = self.layers["linear"].backward(self.tapes["linear"], drows), np.zeros(self.shape, self.dtype)
        for place, columns in self.places():
            dy[(*place, columns)] = read[:, columns]
        dx, _ = self.layers["rnn"].backward(self.tapes["rnn"], dy)
        if "embedding" in self.layers:
            self.layers["embedding"].backward(self.tapes["embedding"], dx)
        if self.case.arguments["cell"] != "gru":
            for name, gradient in self.layers["rnn"].gradients.items():
                gradient[...] = 0 if name.startswith("bias_hh") else gradient

    def parameters(self):
        """By the names of SequenceModel."""
        return {
            f"{member}.{name}": array
            for member, layer in self.layers.items()
            for name, array in layer.parameters.items()
        }


def activated(y, output):
    """p of rows y."""
    if output == "softmax":
        p = np.exp(y - y.max(axis=1, keepdims=True))
        return p / p.sum(axis=1, keepdims=True)
    return 1 / (1 + np.exp(-y)) if output == "sigmoid" else y


def loss_and_gradient(case, y, targets):
    """The mean loss of rows y, and its gradient."""
    if case.arguments.get("loss") == "squared_error" and case.arguments["output"] == "sigmoid":
        p = activated(y, "sigmoid")
        loss, dp = fastrnn.mean_squared_error(p, targets)
        return loss, dp * p * (1 - p)
    return LOSSES[case.arguments["output"]](y, targets)


def run_layers(case):
    """The same by layers."""
    network, a = Layers(case), case.arguments
    layers = list(network.layers.values())
    optimizer = OPTIMIZERS[a["optimizer"]](layers, a["learning_rate"], **a["optimizer_options"])
    losses, states = [], None
    for ((x, lengths, targets), begins), iteration in zip(batches(case), range(ITERATIONS), strict=False):
        y, states = network.forward(x, lengths, states if a.get("stateful") and not begins else None)
        loss, dy = loss_and_gradient(case, y, targets)
        losses.append(loss)
        optimizer.zero_gradients()
        network.backward(dy)
        if "clip_value" in a:
            fastrnn.clip_gradient_value(layers, a["clip_value"])
        fastrnn.clip_gradient_norm(layers, a.get("clip_norm", 1.0))
        optimizer.learning_rate = learning_rate(case, iteration)
        optimizer.step()
    return {"losses": np.array(losses), "p": forward_layers(case, network), **network.parameters()}


def inputs_of_predict(case):
    """x, lengths of what `predicted` has p of."""
    x, lengths, _ = batch_of(case, slice(None))
    return x, np.full_like(lengths, T) if case.arguments["topology"] == "one-to-many" else lengths


def forward_layers(case, network=None):
    """p of all sequences, in rows."""
    x, lengths = inputs_of_predict(case)
    return activated((network or Layers(case)).forward(x, lengths)[0], case.arguments["output"])


# ---- PyTorch ----


def pytorch_module(case):
    """A module with the members embedding, rnn and linear, and the case's weights; forward(x, lengths, states) gives y
    in rows, and states."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    a, shapes = case.arguments, {name: weight.shape for name, weight in case.weights.items()}
    options = {name: a[name] for name in ("nonlinearity", "bidirectional", "bias") if name in a}

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            if "embedding_size" in a:
                self.embedding = torch.nn.Embedding(*shapes["embedding.weight"])
            kind, columns = getattr(torch.nn, a["cell"].upper()), shapes["rnn.weight_ih_l0"][1]
            self.rnn = kind(columns, a["hidden_size"], a.get("num_layers", 1), **options)
            self.linear = torch.nn.Linear(*shapes["linear.weight"][::-1], bias=a.get("bias", True))

        def forward(self, x, lengths, states=None):
            if "embedding_size" in a:
                x = self.embedding(x)
            elif not x.is_floating_point():
                x = torch.nn.functional.one_hot(x, shapes["rnn.weight_ih_l0"][1]).to(self.linear.weight.dtype)
            packed, states = self.rnn(pack_padded_sequence(x, lengths, enforce_sorted=False), states)
            if case.last:
                h = states[0] if a["cell"] == "lstm" else states
                directions = 2 if a.get("bidirectional") else 1
                return self.linear(torch.cat(list(h[-directions:]), dim=1)), states
            y, _ = pad_packed_sequence(packed, batch_first=True)
            return self.linear(y[torch.from_numpy(there(lengths.numpy())[:, : y.shape[1]])]), states

    module = Module().to(getattr(torch, a["dtype"]))
    module.load_state_dict({name: torch.from_numpy(weight) for name, weight in case.weights.items()})
    for name, parameter in module.rnn.named_parameters():
        parameter.requires_grad = a["cell"] == "gru" or not name.startswith("bias_hh")
    return module


def run_pytorch(case):
    """The same by PyTorch."""
    import torch
    from torch.nn import functional, utils

    module, a = pytorch_module(case), case.arguments
    kind = {name: getattr(torch.optim, optimizer.__name__) for name, optimizer in OPTIMIZERS.items()}[a["optimizer"]]
    options = {name: value for name, value in a["optimizer_options"].items() if name != "eps_inside_sqrt"}
    optimizer = kind([p for p in module.parameters() if p.requires_grad], lr=1.0, **options)
    losses, states = [], None
    for ((x, lengths, targets), begins), iteration in zip(batches(case), range(ITERATIONS), strict=False):
        x, lengths, targets = (torch.from_numpy(np.ascontiguousarray(array)) for array in (x, lengths, targets))
        y, states = module(x, lengths, states if a.get("stateful") and not begins else None)
        states = tuple(s.detach() for s in states) if isinstance(states, tuple) else states.detach()
        if a["output"] == "softmax":
            loss = functional.cross_entropy(y, targets)
        elif a["output"] == "sigmoid" and a.get("loss") != "squared_error":
            loss = functional.binary_cross_entropy_with_logits(y, targets)
        else:
            loss = functional.mse_loss(y.sigmoid() if a["output"] == "sigmoid" else y, targets)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        if "clip_value" in a:
            utils.clip_grad_value_(module.parameters(), a["clip_value"])
        utils.clip_grad_norm_(module.parameters(), a.get("clip_norm", 1.0))
        optimizer.param_groups[0]["lr"] = learning_rate(case, iteration)
        optimizer.step()
    after = {name: parameter.detach().numpy() for name, parameter in module.state_dict().items()}
    return {"losses": np.array(losses), "p": forward_pytorch(case, module), **after}


def forward_pytorch(case, module):
    """p of all sequences, in rows."""
    import torch

    x, lengths = inputs_of_predict(case)
    with torch.no_grad():
        y, _ = module(torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(lengths))
    return activated(y.numpy(), case.arguments["output"])


# ---- cases ----

CELLS = [("rnn", {}), ("rnn", {"nonlinearity": "relu"}), ("gru", {}), ("lstm", {})]
NOT_PYTORCHS = [("rnn", {"nonlinearity": "sigmoid"}), ("gru", {"reset_after": False})]
TOPOLOGIES = ("one-to-one", "one-to-many", "many-to-one", "many-to-many")
OUTPUTS = [{"output": "softmax"}, {"output": "sigmoid"}, {"output": "linear"}]
SQUARED = {"output": "sigmoid", "loss": "squared_error"}
LEARNING = [
    {"optimizer": "sgd", "learning_rate": 0.3, "optimizer_options": {"momentum": 0.9}, "clip_norm": 0.2},
    {"optimizer": "adagrad", "learning_rate": 0.05, "optimizer_options": {"eps_inside_sqrt": False}, "warmup": 4},
    {"optimizer": "rmsprop", "learning_rate": 0.01, "clip_value": 0.02},
    {"optimizer": "adam", "learning_rate": 0.01},
    {"optimizer": "adamw", "learning_rate": 0.01, "optimizer_options": {"weight_decay": 0.0}, "schedule": "step"},
]


def training_cases(cells, rounds):
    """So many of every cell and topology, with the other choices as they come."""
    cases = []
    for number, (_, cell, topology) in enumerate(itertools.product(range(rounds), cells, TOPOLOGIES)):
        rng = np.random.default_rng(number)
        cases.append(_training_case(rng, number, {"cell": cell[0], "topology": topology, **cell[1]}))
    return cases


def _training_case(rng, number, arguments):
    def chance(share=0.5):
        return rng.random() < share

    learning = LEARNING[number % len(LEARNING)]
    options = learning.get("optimizer_options", {}) | ({} if learning["optimizer"] == "sgd" else {"eps": 1e-3})
    arguments |= [*OUTPUTS, SQUARED][rng.integers(4)] | learning | {"optimizer_options": options}
    arguments |= {"schedule_iterations": 2} if "schedule" in learning else {}
    arguments |= {"num_layers": int(rng.integers(1, 3)), "dtype": ("float64", "float32")[rng.integers(2)]}
    arguments |= {"bidirectional": True} if chance() else {"stateful": True} if chance() else {}
    arguments |= {"bias": False} if chance(0.2) else {}
    tokens = chance()
    arguments |= {"embedding_size": 2} if tokens and chance() and arguments["topology"] != "one-to-many" else {}
    count = 2 * BATCH if "stateful" in arguments else N
    return make_case(arguments, "tokens" if tokens else "vectors", ragged=chance(0.7), seed=number, count=count)


def assert_same(case, actual, expected):
    """The arrays are equal to rounding; the losses, which Python keeps as float64, to that of the case's dtype."""
    dtype = case.arguments["dtype"]
    kept = {"losses", "p"}
    actual, expected = ({**it, **{name: it[name].astype(dtype) for name in kept}} for it in (actual, expected))
    assert_equal(actual, expected, dtype)


# ---- files ----


def save_cases(path, cases):
    """Writes cases with their results to an .npz file. The weights of a case are one array, and so are those after."""
    entries = {}
    for number, case in enumerate(cases):
        shapes = {name: weight.shape for name, weight in case.weights.items()}
        entries[f"{number}.case"] = np.array(json.dumps({"arguments": case.arguments, "shapes": shapes}))
        entries[f"{number}.weights"] = flat(case.weights[name] for name in shapes)
        entries[f"{number}.after"] = flat(case.results[name] for name in shapes)
        entries |= {f"{number}.inputs.{name}": array for name, array in case.inputs.items()}
        entries |= {f"{number}.{name}": case.results[name] for name in ("losses", "p")}
    np.savez_compressed(path, **entries)


def load_cases(path):
    """The cases that `save_cases` wrote."""
    with np.load(path) as file:
        entries = dict(file)
    return [_load_case(entries, f"{number}.") for number in range(sum(name.endswith(".case") for name in entries))]


def _load_case(entries, prefix):
    about, begin = json.loads(str(entries[prefix + "case"])), prefix + "inputs."
    inputs = {name.removeprefix(begin): array for name, array in entries.items() if name.startswith(begin)}
    weights, after = (cut(entries[prefix + name], about["shapes"]) for name in ("weights", "after"))
    results = {name: entries[prefix + name] for name in ("losses", "p")} | after
    return Case(about["arguments"], inputs, weights, results)

"""Cases of recurrent layers that PyTorch has too, and both sides' results, as dicts of arrays under the same names.

`run_pytorch` needs torch, `run` needs none: it takes any module with classes RNN, GRU and LSTM, and any `Case`, one
that was made just now or one from `tests/recorded` (see record_pytorch.py).
"""

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

TOLERANCE = {"float64": 1e-10, "float32": 1e-4}


@dataclass
class Case:
    """One call of one layer, forward and backward."""

    cell: str  # "RNN", "GRU" or "LSTM"
    options: dict[str, Any]  # the constructor's arguments
    inputs: dict[str, np.ndarray]  # x, dy and, where given, lengths; h0 and dh_n; c0 and dc_n, for an LSTM
    weights: dict[str, np.ndarray]  # by PyTorch's names, in its order
    results: dict[str, np.ndarray] = field(default_factory=dict)  # of `run` and `run_pytorch`

    def __str__(self):
        parts = [self.cell, options_in_words(self.options)]
        parts += [name for name, entry in (("ragged", "lengths"), ("states", "h0")) if entry in self.inputs]
        parts += ["integers"] * (self.inputs["x"].dtype.kind == "i")
        return "-".join([*parts, self.options["dtype"]])


def options_in_words(options):
    """The constructor's arguments that a test's name tells of."""
    words = [f"{options['num_layers']}x{options['hidden_size']}"]
    words += [options["nonlinearity"]] if "nonlinearity" in options else []
    words += ["bidirectional"] * options["bidirectional"] + ["unbiased"] * (not options["bias"])
    return "-".join(words)


def options_of_pytorch(sizes):
    """Every cell that PyTorch has, number of layers, direction, bias and dtype: pairs of cell and options. Each takes
    those (inputs, units) of `sizes` that its other options lead to."""
    cells = [("RNN", {"nonlinearity": "tanh"}), ("RNN", {"nonlinearity": "relu"}), ("GRU", {}), ("LSTM", {})]
    choices = itertools.product(cells, (1, 2, 3), (False, True), (False, True), ("float64", "float32"))
    found = []
    for number, ((cell, special), num_layers, bidirectional, bias, dtype) in enumerate(choices):
        input_size, hidden_size = sizes[number // 2 % len(sizes)]
        shape = {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}
        found.append((cell, shape | special | {"bidirectional": bidirectional, "bias": bias, "dtype": dtype}))
    return found


def make_case(cell, options, *, T, B, ragged=False, states=False, integers=False, seed=0):
    """Random weights and inputs for a layer with these options, whose dtype must be among them."""
    rng = np.random.default_rng(seed)
    dtype = options["dtype"]
    L, H, D = options["num_layers"], options["hidden_size"], 1 + options["bidirectional"]

    def normal(*shape):
        return rng.standard_normal(shape).astype(dtype)

    inputs = {
        "x": rng.integers(options["input_size"], size=(T, B)) if integers else normal(T, B, options["input_size"]),
        "dy": normal(T, B, D * H),
    }
    if ragged:
        inputs["lengths"] = rng.permutation([T, *rng.integers(1, T + 1, B - 1)])
    if states:
        names = ("h0", "dh_n", "c0", "dc_n") if cell == "LSTM" else ("h0", "dh_n")
        inputs |= {name: normal(L * D, B, H) for name in names}
    bound = 1.5 / np.sqrt(H)  # more than the initial values have, so that the gates open and close
    weights = {
        name: rng.uniform(-bound, bound, parameter.shape).astype(dtype)
        for name, parameter in pytorch_module(cell, options).named_parameters()
    }
    return Case(cell, options, inputs, weights)


def pytorch_module(cell, options):
    import torch

    return getattr(torch.nn, cell)(**options | {"dtype": getattr(torch, options["dtype"])})


def run_pytorch(case):
    """The results of torch.nn's module; ragged sequences are packed, integers are one-hot."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    module = pytorch_module(case.cell, case.options)
    module.load_state_dict({name: torch.from_numpy(weight) for name, weight in case.weights.items()})
    inputs = {name: torch.from_numpy(array) for name, array in case.inputs.items()}
    x = inputs["x"]
    if not x.is_floating_point():
        x = torch.nn.functional.one_hot(x, case.options["input_size"]).to(inputs["dy"].dtype)
    x.requires_grad_()
    first = [inputs[name].requires_grad_() for name in ("h0", "c0") if name in inputs]
    state = None if not first else tuple(first) if case.cell == "LSTM" else first[0]

    if "lengths" in inputs:
        y, last = module(pack_padded_sequence(x, inputs["lengths"], enforce_sorted=False), state)
        y, _ = pad_packed_sequence(y, total_length=len(x))
    else:
        y, last = module(x, state)
    last = last if case.cell == "LSTM" else (last,)
    dlast = [inputs[name] for name in ("dh_n", "dc_n") if name in inputs]
    torch.autograd.backward([y, *last[: len(dlast)]], [inputs["dy"], *dlast])

    results = {"y": y, **dict(zip(("h_n", "c_n"), last, strict=False))}
    if inputs["x"].is_floating_point():
        results["dx"] = x.grad
    results |= {"d" + name: tensor.grad for name, tensor in zip(("h0", "c0"), first, strict=False)}
    results |= {"d" + name: parameter.grad for name, parameter in module.named_parameters()}
    return {name: tensor.detach().numpy() for name, tensor in results.items()}


def run(module, case):
    """The results of module.RNN, GRU or LSTM, under the names of `run_pytorch`."""
    layer = getattr(module, case.cell)(**case.options)
    layer.load_state_dict(case.weights)
    pair = case.cell == "LSTM"

    def state(*names):
        arrays = tuple(case.inputs[name] for name in names if name in case.inputs)
        return None if not arrays else arrays if pair else arrays[0]

    h0, lengths = state("h0", "c0"), case.inputs.get("lengths")
    y, last, tape = layer.forward(case.inputs["x"], h0, lengths)
    dx, dfirst = layer.backward(tape, case.inputs["dy"], state("dh_n", "dc_n"))
    last, dfirst = (last, dfirst) if pair else ((last,), (dfirst,))
    results = {"y": y, **dict(zip(("h_n", "c_n"), last, strict=False))}
    if dx is not None:
        results["dx"] = dx
    if h0 is not None:
        results |= dict(zip(("dh0", "dc0"), dfirst, strict=False))
    return results | {"d" + name: gradient for name, gradient in layer.gradients.items()}


def assert_equal(actual, expected, dtype):
    """Both dicts have the same names, and arrays that differ by no more than the dtype's tolerance, relative to the
    largest number of the array."""
    assert sorted(actual) == sorted(expected)
    for name, right in expected.items():
        assert actual[name].dtype == dtype, name
        assert actual[name].shape == right.shape, name
        error, largest = np.abs(actual[name] - right).max(), np.abs(right).max()
        assert error <= TOLERANCE[dtype] * largest, f"{name}: {error} off, where the largest is {largest}"


def save_cases(path, cases):
    """Writes cases to an .npz file. The entries of case 7 begin with "7."; its weights, one after the other, are one
    array, and so are their gradients, because an entry of the file takes more room than most of them."""
    entries = {}
    for number, case in enumerate(cases):
        shapes = {name: weight.shape for name, weight in case.weights.items()}
        entries[f"{number}.case"] = np.array(json.dumps({"cell": case.cell, "options": case.options, "shapes": shapes}))
        entries[f"{number}.weights"] = flat(case.weights[name] for name in shapes)
        entries[f"{number}.gradients"] = flat(case.results["d" + name] for name in shapes)
        entries |= {f"{number}.inputs.{name}": array for name, array in case.inputs.items()}
        others = case.results.keys() - {"d" + name for name in shapes}
        entries |= {f"{number}.results.{name}": case.results[name] for name in sorted(others)}
    np.savez_compressed(path, **entries)


def load_cases(path):
    """The cases that `save_cases` wrote."""
    with np.load(path) as file:
        entries = dict(file)
    return [_load_case(entries, f"{number}.") for number in range(sum(name.endswith(".case") for name in entries))]


def _load_case(entries, prefix):
    about = json.loads(str(entries[prefix + "case"]))

    def under(group):
        begin = prefix + group + "."
        return {name.removeprefix(begin): array for name, array in entries.items() if name.startswith(begin)}

    weights = cut(entries[prefix + "weights"], about["shapes"])
    gradients = cut(entries[prefix + "gradients"], about["shapes"])
    results = under("results") | {"d" + name: gradient for name, gradient in gradients.items()}
    return Case(about["cell"], about["options"], under("inputs"), weights, results)


def flat(arrays):
    return np.concatenate([array.ravel() for array in arrays])


def cut(flat, shapes):
    ends = np.cumsum([np.prod(shape) for shape in shapes.values()])
    parts = np.split(flat, ends[:-1])
    return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}

"""Writes tests/recorded: what PyTorch computes, so that test_recorded.py can ask for the same where torch is missing.

Run by hand, `python tests/record_pytorch.py`, with torch 2.13.0 (`pip install torch==2.13.0`), after a change of the
cases below; it writes the same bytes each time. test_recorded.py checks, where torch is there, that the files are what
this script makes.
"""

import json
from pathlib import Path

import numpy as np
import sequence_parity
from parity import make_case, run_pytorch, save_cases

FOLDER = Path(__file__).resolve().parent / "recorded"
LAYERS, OPTIMIZERS = FOLDER / "pytorch_layers.npz", FOLDER / "pytorch_optimizers.npz"
SEQUENCES = FOLDER / "pytorch_sequences.npz"

# Each number of layers with every other choice, and most pairs of choices.
SELECTION = [
    # layers, bidirectional, bias, ragged, states, integers, inputs, units, T, B
    (1, False, True, False, False, False, 3, 5, 6, 1),
    (1, False, False, False, True, False, 1, 1, 4, 3),
    (1, False, True, True, False, False, 2, 17, 3, 5),
    (1, True, True, True, True, False, 4, 3, 5, 4),
    (1, True, False, True, False, True, 5, 4, 6, 3),
    (2, False, True, True, True, False, 3, 7, 5, 3),
    (2, True, True, False, False, True, 6, 2, 7, 2),
    (2, True, False, True, True, False, 3, 4, 1, 3),
    (3, False, False, False, False, False, 2, 6, 8, 1),
    (3, False, True, False, True, True, 9, 3, 4, 2),
    (3, True, True, True, True, False, 3, 5, 6, 4),
]
CELLS = ("RNN", "GRU", "LSTM")

# The arguments of PyTorch's optimizers, under its names.
OPTIMIZER_CASES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "eps": 1e-3, "weight_decay": 0.1}),
    ("RMSprop", {}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"momentum": 0.9}),
    ("RMSprop", {"lr": 0.1, "alpha": 0.9, "eps": 1e-3, "momentum": 0.5, "centered": True, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": (0.8, 0.99), "eps": 1e-3, "weight_decay": 0.1}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.1, "betas": (0.8, 0.99), "eps": 1e-3, "weight_decay": 0.1}),
]
DTYPES = ("float64", "float32")
COUNTS = (7, 40)  # numbers in each of the two arrays that are optimized
KEPT_STEPS = (1, 2, 10, 50)


def layer_cases():
    """The cases with PyTorch's results; dtypes and nonlinearities take turns."""
    cases = []
    for number, (num_layers, bidirectional, bias, ragged, states, integers, inputs, units, T, B) in enumerate(
        SELECTION
    ):
        for turn, cell in enumerate(CELLS, start=number):
            options = {"input_size": inputs, "hidden_size": units, "num_layers": num_layers}
            options |= {"bias": bias, "bidirectional": bidirectional, "dtype": DTYPES[turn % 2]}
            if cell == "RNN":
                options["nonlinearity"] = ("tanh", "relu")[turn // 2 % 2]
            case = make_case(cell, options, T=T, B=B, ragged=ragged, states=states, integers=integers, seed=len(cases))
            case.results = run_pytorch(case)
            cases.append(case)
    return cases


def sequence_cases():
    """A sequence model of every cell and topology, with what PyTorch's modules and optimizers make of it."""
    cases = sequence_parity.training_cases(sequence_parity.CELLS, rounds=1)
    for case in cases:
        case.results = sequence_parity.run_pytorch(case)
    return cases


def optimizer_entries():
    """The arrays of the file of optimizers, by name: `cases` (JSON: names and arguments); for each dtype and count
    `first`, the parameters at first, and `gradients` (50, count); for each case, `steps` of the parameters
    (len(KEPT_STEPS), count)."""
    rng = np.random.default_rng(0)
    entries = {"cases": np.array(json.dumps(OPTIMIZER_CASES))}
    for count in COUNTS:
        first = rng.standard_normal(count)
        sizes = 10 ** rng.uniform(-3, 1, count)  # of the gradients: optimizers differ in what they make of these
        sizes[1] = 0  # a parameter that is never used
        gradients = sizes * rng.standard_normal((KEPT_STEPS[-1], count))
        for dtype in DTYPES:
            start, slopes = first.astype(dtype), gradients.astype(dtype)
            entries[f"{dtype}.{count}.first"], entries[f"{dtype}.{count}.gradients"] = start, slopes
            for number, (name, options) in enumerate(OPTIMIZER_CASES):
                entries[f"{dtype}.{count}.steps.{number}"] = optimized(name, options, start, slopes)
    return entries


def optimized(name, options, first, gradients):
    """The parameters after each of KEPT_STEPS."""
    import torch

    parameters = torch.from_numpy(first.copy()).requires_grad_()
    optimizer = getattr(torch.optim, name)([parameters], **options)
    kept = []
    for step, gradient in enumerate(gradients, start=1):
        parameters.grad = torch.from_numpy(gradient)
        optimizer.step()
        if step in KEPT_STEPS:
            kept.append(parameters.detach().numpy().copy())
    return np.array(kept)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    save_cases(LAYERS, layer_cases())
    np.savez_compressed(OPTIMIZERS, **optimizer_entries())
    sequence_parity.save_cases(SEQUENCES, sequence_cases())
    for path in (LAYERS, OPTIMIZERS, SEQUENCES):
        print(f"{path}: {path.stat().st_size} bytes")

"""Layers, optimizers and sequence models against PyTorch's results in tests/recorded, which record_pytorch.py wrote: no
torch needed."""

import json

import numpy as np
import pytest
import sequence_parity
from parity import TOLERANCE, assert_equal, load_cases, run
from record_pytorch import (
    COUNTS,
    DTYPES,
    KEPT_STEPS,
    LAYERS,
    OPTIMIZERS,
    SEQUENCES,
    layer_cases,
    optimizer_entries,
    sequence_cases,
)

import fastrnn
from fastrnn import reference

CASES = load_cases(LAYERS)
SEQUENCE_CASES = sequence_parity.load_cases(SEQUENCES)
with np.load(OPTIMIZERS) as file:
    OPTIMIZED = dict(file)
OPTIMIZER_CASES = json.loads(str(OPTIMIZED["cases"]))


def with_names(*names):
    """Both implementations; one that lacks some of these names is skipped."""

    def lack(module):
        lacking = [name for name in names if not hasattr(module, name)]
        return pytest.mark.skipif(bool(lacking), reason=f"{module.__name__} has no {', '.join(lacking)}")

    return [pytest.param(module, id=module.__name__, marks=lack(module)) for module in (reference, fastrnn)]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("module", [reference, fastrnn], ids=["reference", "fastrnn"])
def test_layers(module, case):
    assert_equal(run(module, case), case.results, case.options["dtype"])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "number", range(len(OPTIMIZER_CASES)), ids=["-".join([name, *options]) for name, options in OPTIMIZER_CASES]
)
@pytest.mark.parametrize("module", with_names("Linear", "SGD", "Adagrad", "RMSprop", "Adam", "AdamW"))
def test_optimizers(module, number, dtype):
    """After 1, 2, 10 and 50 steps over two layers, of 7 and of 40 numbers."""
    layers = [module.Linear(6, 1, dtype=dtype), module.Linear(4, 8, dtype=dtype)]
    for layer, count in zip(layers, COUNTS, strict=True):
        layer.flat_parameters[...] = OPTIMIZED[f"{dtype}.{count}.first"]
    name, options = OPTIMIZER_CASES[number]
    options = {argument: tuple(v) if isinstance(v, list) else v for argument, v in options.items()}  # betas
    learning_rate = {"learning_rate": options.pop("lr")} if "lr" in options else {}
    optimizer = getattr(module, name)(layers, **learning_rate, **options)

    for step in range(1, KEPT_STEPS[-1] + 1):
        for layer, count in zip(layers, COUNTS, strict=True):
            layer.flat_gradients[...] = OPTIMIZED[f"{dtype}.{count}.gradients"][step - 1]
        optimizer.step()
        if step in KEPT_STEPS:
            actual = {str(count): layer.flat_parameters for layer, count in zip(layers, COUNTS, strict=True)}
            kept = KEPT_STEPS.index(step)
            expected = {str(count): OPTIMIZED[f"{dtype}.{count}.steps.{number}"][kept] for count in COUNTS}
            assert_equal(actual, expected, dtype)


@pytest.mark.parametrize("case", SEQUENCE_CASES, ids=str)
def test_sequence_models(case):
    """After five iterations: losses, outputs, and every parameter."""
    sequence_parity.assert_same(case, sequence_parity.run(case), case.results)


def test_the_files_hold_what_pytorch_computes():
    """Up to rounding, which differs from machine to machine."""
    pytest.importorskip("torch", reason="torch is missing: what tests/recorded holds was not compared with it")
    for recorded, made in zip(CASES, layer_cases(), strict=True):
        assert (recorded.cell, recorded.options) == (made.cell, made.options)
        for name, array in (made.inputs | made.weights).items():
            np.testing.assert_array_equal((recorded.inputs | recorded.weights)[name], array)
        assert_equal(recorded.results, made.results, made.options["dtype"])

    for recorded, made in zip(SEQUENCE_CASES, sequence_cases(), strict=True):
        assert recorded.arguments == made.arguments
        for name, array in (made.inputs | made.weights).items():
            np.testing.assert_array_equal((recorded.inputs | recorded.weights)[name], array)
        sequence_parity.assert_same(made, recorded.results, made.results)

    entries = optimizer_entries()
    assert OPTIMIZED.keys() == entries.keys()
    assert OPTIMIZED["cases"] == entries["cases"]
    for name in entries.keys() - {"cases"}:
        error = np.abs(OPTIMIZED[name] - entries[name]).max()
        assert error <= TOLERANCE[entries[name].dtype.name] * np.abs(entries[name]).max(), name

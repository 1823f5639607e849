"""Networks learn what they should: problems with known answers, as the examples have them, from several seeds."""

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("the examples are not beside the tests", allow_module_level=True)


def example(name):
    """The example as a module, to take its parts from."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def printed(monkeypatch, capsys):
    """printed(example, *arguments): what its main prints."""

    def run(module, *arguments):
        monkeypatch.setattr(sys, "argv", [module.__file__, *map(str, arguments)])
        capsys.readouterr()
        module.main()
        return capsys.readouterr().out

    return run


# ---- binary addition -------------------------------------------------------------------------------------------------


def test_binary_addition_prints_the_scripts_errors(printed):
    """The numbers that the script in NumPy prints after np.random.seed(0), digit for digit."""
    output = printed(example("binary_addition"))
    errors = re.findall(r"^update +\d+, error (\S+) ", output, re.MULTILINE)
    assert errors == [
        *("3.45638663", "3.63389116", "3.91366595", "3.72191702", "3.58527130"),
        *("2.53352328", "0.57691441", "1.42589952", "0.47477457", "0.21595037"),
    ]
    assert "9 + 60 = 1\n" in output  # it has learned nothing yet
    assert "11 + 3 = 14\n" in output
    assert "of the last 500 sums 100.0% were exact" in output


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_binary_addition_is_learned_from_any_seed(printed, seed):
    share = re.search(r"of the last 500 sums (\S+)% were exact", printed(example("binary_addition"), seed))
    assert float(share[1]) >= 96


# ---- long memory -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1])
def test_the_adding_problem_needs_gates(monkeypatch, seed):
    """Guessing the mean has an error of 1/6. Where the LSTM and the GRU find both marked numbers, the vanilla RNN is no
    better than that, from 10 steps on and at each of three learning rates."""
    adding = example("adding_problem")
    monkeypatch.setattr(adding, "UPDATES", 1000)
    tests = [adding.draw(np.random.default_rng(T), np.full(500, T)) for T in (10, 100)]
    for cell, rates in adding.LEARNING_RATES.items():
        for rate in rates:
            model = adding.trained(cell, rate, seed)
            errors = [model.evaluate(*test)["loss"] for test in tests]
            assert all(error > 0.1 if cell == "rnn" else error < 0.03 for error in errors), (cell, rate, errors)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_parity_needs_gates(seed):
    """Strings of a hundred bits, after none of more than 20."""
    parity = example("parity")
    test = parity.draw(np.random.default_rng(100), np.full(500, 100))
    for cell, rates in parity.LEARNING_RATES.items():
        for rate in rates:
            share = parity.trained(cell, rate, seed).evaluate(*test)["accuracy"]
            assert share < 0.65 if cell == "rnn" else share > 0.97, (cell, rate, share)


# ---- sequences in, sequences out -------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["copy", "reverse"])
def test_short_strings_are_copied_and_reversed_without_a_mistake(monkeypatch, task):
    reversal = example("reversal")
    for constant, value in {"ALPHABET": "abcdef", "LONGEST": 5, "STRINGS": 20_000, "UPDATES": 1500}.items():
        monkeypatch.setattr(reversal, constant, value)
    rng, order = np.random.default_rng(0), reversal.TASKS[task]
    strings = reversal.draw(rng, reversal.STRINGS)
    new = reversal.unseen(rng, 200, strings)
    model = reversal.trained(order, strings)
    assert model.predict(new) == [string[order] for string in new]
    assert model.evaluate(new, [string[order] for string in new])["exact"] == 1


@pytest.mark.parametrize("seed", [0, 1])
def test_captions_of_unseen_features_are_exact(seed):
    caption = example("caption")
    rng = np.random.default_rng(seed)
    model = caption.trained(*caption.draw(rng, 1000), seed)
    features, captions = caption.draw(rng, 300)
    assert model.evaluate(features, captions)["exact"] > 0.98


# ---- the others, as they print themselves ----------------------------------------------------------------------------


def test_every_topology_finds_all_answers(printed):
    output = printed(example("topologies"))
    shares = re.findall(r"^(\S.*\S) +(\d+\.\d)%$", output, re.MULTILINE)
    assert len(shares) == 6
    assert all(share == "100.0" for _, share in shares), shares
    assert output.endswith("fed with what it says: hello\n")


def test_digits_read_row_by_row_beat_logistic_regression(printed):
    pytest.importorskip("sklearn", reason="scikit-learn is missing: it has the digits")
    output = printed(example("digits"))
    network, baseline = (float(share) for share in re.findall(r"(\d+\.\d)%$", output, re.MULTILINE))
    assert network > 97
    assert 95 < baseline < network


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("adding_problem", r"rnn, learning rate 0.001( +\d\.\d{4}){3}"),
        ("parity", r"rnn, learning rate 0.003( +\d+\.\d%){3}"),
        ("reversal", r"  [a-h]+ -> [a-h]*"),
        ("caption", r"  0\.\d{4}  [a-z ]*"),
    ],
)
def test_the_examples_run(printed, monkeypatch, name, last):
    """In a few updates, which teach nothing: what they print, and in which form."""
    module = example(name)
    for constant, value in {"UPDATES": 3, "STAGES": ((2, 3),), "STRINGS": 100}.items():
        if hasattr(module, constant):
            monkeypatch.setattr(module, constant, value)
    assert re.fullmatch(last, printed(module).splitlines()[-1])

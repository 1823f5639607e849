"""README.md keeps its word: its Python runs as printed, and prints what stands below it."""

import re
from pathlib import Path

import numpy as np
import pytest

import fastrnn

README = Path(__file__).resolve().parents[1] / "README.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"\d+\.\d+")
ROUNDING = 0.05  # relative: a loss after 100 iterations in float32, printed to two digits or more


def blocks(heading):
    """The code blocks of a section, as pairs (language, text)."""
    if not README.exists():
        pytest.skip("README.md is not beside the tests")
    [section] = re.findall(rf"^## {heading}\n(.*?)(?=^## )", README.read_text(), re.DOTALL | re.MULTILINE)
    return BLOCK.findall(section)


def assert_prints(printed, expected):
    """The same text, and the same numbers but for rounding."""
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", expected)
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (printed, expected)]
    assert numbers[0] == pytest.approx(numbers[1], rel=ROUNDING)


@pytest.mark.parametrize("heading", ["A language model", "Sequences", "Layers"])
def test_python_prints_what_the_readme_says(heading, isa, capsys, tmp_path, monkeypatch):
    """Block after block, as a reader types them in, but for those with a test of their own: PyTorch, a book."""
    monkeypatch.chdir(tmp_path)
    found = blocks(heading)
    namespace, prints = {}, 0
    for i, (language, code) in enumerate(found):
        if language == "python" and "import torch" not in code and "book" not in code:
            exec(code, namespace)
            expected = [text for language, text in found[i + 1 : i + 2] if not language]
            assert_prints(capsys.readouterr().out, "".join(expected))
            prints += len(expected)
    assert prints == sum(not language for language, _ in found) > 0


def test_a_book_is_trained_on_as_the_readme_says(tmp_path, monkeypatch, capsys):
    """With fewer iterations and units; all other arguments as printed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.txt").write_text("the quick brown fox jumps over the lazy dog. " * 1000)
    [code] = [code for _, code in blocks("A language model") if "book" in code]
    code = code.replace("10_000", "6").replace("256", "16").replace("validation=0.1", "validation=0.1, every=3")
    exec(code, {"fastrnn": fastrnn, "Path": Path})
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["3", "6"]
    assert fastrnn.load("book.safetensors").hidden_size == 16


def test_a_state_dict_of_pytorch_loads_as_the_readme_says(isa):
    torch = pytest.importorskip("torch", reason="torch is missing: the README's lines on it were not run")
    torch.manual_seed(0)
    [code] = [code for _, code in blocks("Layers") if "import torch" in code]
    namespace = {"fastrnn": fastrnn}
    exec(code, namespace)
    x = np.random.default_rng(0).standard_normal((7, 3, 8)).astype(np.float32)
    with torch.inference_mode():
        expected, _ = namespace["theirs"](torch.from_numpy(x))
    y, _ = namespace["ours"](x)
    np.testing.assert_allclose(y, expected.numpy(), rtol=0, atol=1e-6)


def test_the_one_line_and_the_trainer_run_in_a_script(random_network, capsys):
    """What the README shows of a min-char-rnn script, in a script's namespace."""
    text = "hello world, said the script. " * 20
    characters = sorted(set(text))
    codes = {character: i for i, character in enumerate(characters)}
    H, V = 20, len(characters)
    namespace = vars(random_network(np.random.default_rng(0), H, V, np.float64, scale=0.1)) | {
        "data": text,
        "char_to_ix": codes,
        "inputs": [codes[character] for character in text[:25]],
        "targets": [codes[character] for character in text[1:26]],
        "hprev": np.zeros((H, 1)),
    }
    (_, diff), (_, trainer) = blocks("The one line")
    added = [line[1:] for line in diff.splitlines() if line.startswith("+")]
    [call] = [line[1:] for line in diff.splitlines() if "= lossFun(" in line]
    exec("\n".join([*added, call]), namespace)
    assert namespace["loss"] == pytest.approx(25 * np.log(V), rel=0.1)  # it guesses
    exec(trainer, namespace)
    assert 0 < float(capsys.readouterr().out) < 0.1 * 25 * np.log(V)

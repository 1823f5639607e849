"""The examples that need neither PyTorch nor a long time, run as a user runs them, say what they promise."""

import re
import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.fixture
def run(capsys, monkeypatch):
    """run("hello.py", *arguments): what the example prints."""

    def run(name, *arguments):
        path = EXAMPLES / name
        if not path.exists():
            pytest.skip("the examples are not beside the tests")
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, arguments)])
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out

    return run


def test_hello_says_e_l_l_o(run):
    before, after = run("hello.py").split("\nafter 100 iterations")
    says = re.compile(r"^(h\w*) +(?:\d\.\d\d  ){4}(\w)$", re.MULTILINE)
    assert [read for read, _ in says.findall(before)] == ["h", "he", "hel", "hell"]
    assert says.findall(after) == [("h", "e"), ("he", "l"), ("hel", "l"), ("hell", "o")]
    assert after.endswith("\nhello\n")


def test_the_stepper_remembers_until_it_is_reset(run):
    lines = run("stepper.py").splitlines()
    h, _, l_one, l_two, _ = (line.split()[1:] for line in lines[1:6])
    assert len(h) == 8
    assert all(one != two for one, two in zip(l_one, l_two, strict=True))
    reset, kept = (re.findall(r"-?\d+\.\d*", line) for line in lines[7:9])
    assert [float(number) for number in reset] == [float(number) for number in h[:4]] != [float(x) for x in kept]


def test_the_textbooks_rnn_learns(run, tmp_path):
    (tmp_path / "text.txt").write_text("humpty dumpty sat on a wall. " * 10)
    printed = run("teaching.py", tmp_path / "text.txt", 2501)
    loss, guessing = map(float, re.match(r"loss (\S+); guessing costs (\S+)\n", printed).groups())
    assert loss == pytest.approx(guessing, rel=0.1)
    smooth = [float(number) for number in re.findall(r"^iter \d+, loss: (\S+)$", printed, re.MULTILINE)]
    assert smooth[1] < 0.5 * smooth[0]
    assert printed.count("----\n humpty") == 3


def test_the_cost_of_chunks_goes_down_from_that_of_guessing(run, tmp_path):
    (tmp_path / "text.txt").write_text("This be the verse: it is short, and this is it. " * 60)
    printed = run("chunks.py", tmp_path / "text.txt", 3, 32)
    guessing = float(re.search(r"guessing costs (\S+) a chunk", printed)[1])
    costs = [float(number) for number in re.findall(r"Avg cost/chunk:  (\S+)$", printed, re.MULTILINE)]
    assert guessing > costs[0] > costs[1] > costs[2]
    assert printed.count("Generated text:  this be ") == 3
    generated = printed.splitlines()[-1]
    assert generated.startswith("this be ")
    assert len(generated) == len("this be ") + 1500


def test_the_cost_of_chunks_is_drawn(run, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is missing: the picture of the costs was not drawn")
    (tmp_path / "text.txt").write_text("This be the verse: it is short, and this is it. " * 9)
    run("chunks.py", tmp_path / "text.txt", 1, 8, tmp_path / "costs.png")
    assert (tmp_path / "costs.png").read_bytes().startswith(b"\x89PNG")

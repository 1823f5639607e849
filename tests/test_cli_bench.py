"""`fastrnn bench`: its table, its JSON, and that both sides do the same work. How fast anything is plays no part."""

import json
import os
import re
import subprocess
import sys

import pytest

import fastrnn
from fastrnn.bench import THREADS, comparison, figures
from fastrnn.bench.comparison import problems
from fastrnn.cli import main

SHORTEST = ["bench", "--seconds", "0.01", "--hidden-size", "8"]
NUMBER = r"[\d,.]+"


def test_the_table():
    table = subprocess.run(
        [sys.executable, "-m", "fastrnn", *SHORTEST, "--quiet"], capture_output=True, text=True, timeout=120, check=True
    )
    assert table.stderr == ""
    heading, *lines = table.stdout.splitlines()
    rows = lines[: lines.index("")]
    assert heading.split() == ["task", "dtype", "B", "H", "fastrnn", "NumPy", "times", "faster", "x", "floor", "errors"]
    assert len({len(line) for line in (heading, *rows)}) == 1  # the columns stand below each other
    assert max(map(len, lines[: lines.index("", len(rows) + 1)])) <= 80
    expected = [(problem.cell or task, problem.dtype, str(problem.B), "8") for task, problem in problems([8])]
    assert [tuple(row.split()[:4]) for row in rows] == expected
    for row in rows:
        error = r"\d+/200" if row.startswith("sample") else r"\de-\d+|0e\+00"
        figures = rf"{NUMBER} +{NUMBER} +{NUMBER} ±{NUMBER} +{NUMBER} +({error}) +({error})"
        assert re.fullmatch(figures, row.split(None, 4)[4]), row
    assert re.search(r"^multiply-adds .*: float64 \d+ GFLOP/s, float32 \d+ GFLOP/s$", table.stdout, re.MULTILINE)
    assert re.search(r"^memory, GB/s +32 KB .* 32 MB$", table.stdout, re.MULTILINE)


def test_json_has_all_figures_and_the_table_is_narration(capsys, monkeypatch):
    for name in THREADS:
        monkeypatch.setenv(name, "2")
    assert main([*SHORTEST, "--json"]) == 0
    assert [os.environ[name] for name in THREADS] == ["1"] * len(THREADS)
    stdout, stderr = capsys.readouterr()
    assert stdout.count("\n") == 1
    found = json.loads(stdout)
    assert set(found) == {"machine", "contenders", "absent", "rows", "ceilings"}
    assert found["machine"]["isa"] == fastrnn.cpu_info()["isa"]
    assert found["contenders"] == ["reference"]
    for row, (task, problem) in zip(found["rows"], problems([8]), strict=True):
        assert (row["task"], row["cell"], row["dtype"], row["B"]) == (task, problem.cell, problem.dtype, problem.B)
        for times in (row["seconds"], row["sides"][0]["seconds"], row["floor"]["seconds"]):
            assert 0 < times["low"] <= times["value"] <= times["high"]
        assert row["error"] <= (0 if task == "sample" else {"float64": 1e-12, "float32": 1e-3}[row["dtype"]])
        if task == "train" and problem.dtype == "float64":  # in which the reference is what it is held against
            assert row["sides"][0]["error"] == 0 < row["error"]
    for dtype in ("float64", "float32"):
        assert found["ceilings"][dtype]["fma"] > 0
        assert min(found["ceilings"][dtype]["memory"]["load"].values()) > 0
    too_late, measuring, heading, *rows = stderr.splitlines()
    assert too_late == "NumPy may use more than one thread: set OPENBLAS_NUM_THREADS=1"
    assert measuring.startswith("measuring for about 0.01 s")
    assert heading.split()[0] == "task"
    assert len(rows) == len(found["rows"])


def test_ceilings_in_print():
    memory = {"load": {"32768": 2e9, "2097152": 1e9}, "update": {"32768": 4e9, "2097152": 3e9}}
    found = {"float64": {"fma": 5e9, "memory": memory, "wait": [2e-8, 4e-9]}}
    assert list(figures.ceilings(found)) == [
        "multiply-adds (a multiplication and an addition each): float64 10 GFLOP/s",
        "a step forward waits for the one before it at least: float64 20.0 ns",
        "a step backward waits for the one before it at least: float64 4.0 ns",
        "memory, GB/s                32 KB    2 MB",
        "  float64  loaded               2       1",
        "  float64  put back             4       3",
    ]


def test_quiet_leaves_errors(capsys, monkeypatch):
    def compare(hidden_sizes, seconds, tell):
        raise MemoryError

    monkeypatch.setattr(comparison, "compare", compare)
    for name in THREADS:
        monkeypatch.setenv(name, "2")
    assert main(["bench", "--quiet", "--json"]) == 1
    error = "fastrnn bench: there is not enough memory: use a smaller model, batch or text\n"
    assert capsys.readouterr() == ("", error)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--seconds", "0"], "argument --seconds: must be positive and finite, not 0"),
        (["--hidden-size", "0"], "argument --hidden-size: must be at least 1, not 0"),
    ],
)
def test_a_wrong_call_is_answered_by_one_line(capsys, arguments, complaint):
    assert main(["bench", *arguments]) == 2
    assert capsys.readouterr().err == f"fastrnn bench: {complaint}; see fastrnn bench --help\n"

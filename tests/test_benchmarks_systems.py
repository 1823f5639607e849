"""The benchmarks of whole systems: that both sides do the same work, and what the command prints and writes."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
if not (ROOT / "benchmarks" / "__main__.py").exists():
    pytest.skip("benchmarks/ is not beside tests/: it is no part of the package", allow_module_level=True)
sys.path.append(str(ROOT))

from benchmarks.systems import script  # noqa: E402
from benchmarks.systems.__main__ import goals, line  # noqa: E402
from benchmarks.systems.problems import Adder  # noqa: E402
from benchmarks.systems.run import Row, Side, difference  # noqa: E402
from benchmarks.systems.systems import FASTRNN, SYSTEMS  # noqa: E402
from fastrnn.bench.measure import Median  # noqa: E402


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_both_sides_do_the_same_work(system):
    """In float64 and over several batches, each side in its own process."""
    if system.peer.missing():
        pytest.skip(f"not installed: {', '.join(system.peer.missing())}")
    with Side(FASTRNN, 0) as fast, Side(system.peer, 0) as peer:
        for side in (fast, peer):
            side.open(system, replace(system.small, dtype="float64"))
        assert difference(fast.outcome(20), peer.outcome(20)) < 1e-11
        assert difference(fast.outcome(1), peer.outcome(0)) > 1e-6  # one update more is noticed


def test_the_adders_script_prints_the_documents_numbers():
    """What a run of the script prints after np.random.seed(0), as far as here: the first two thousand updates."""
    job = script.Training(Adder())
    job.run(2001)
    assert [f"{error:.8f}" for error in job.errors[::1000]] == ["3.45638663", "3.63389116", "3.91366595"]


def test_a_peer_that_is_absent_is_no_failed_goal():
    row = Row("classifier", {}, "pytorch", Median(2e-3, 1e-3, 3e-3), None, None, None, 3)
    assert line(row).split() == ["classifier", "2,000", "pytorch", "-", "-", "-"]
    assert [goal.verdict for goal in goals([row])] == ["not measured"]
    measured = replace(row, peer_seconds=Median(5e-3, 4e-3, 6e-3), ratio=Median(2.5, 2.4, 2.6), error=1e-6)
    assert line(measured).split() == ["classifier", "2,000", "pytorch", "5,000", "2.50", "±0.10", "1e-06"]
    assert [goal.verdict for goal in goals([measured])] == ["MISSED"]


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.systems", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


def test_quick_run(tmp_path):
    file = tmp_path / "systems.json"
    done = command("--quick", "--json", str(file))
    assert done.returncode == 0, done.stderr
    figures = json.loads(file.read_text())
    assert [row["system"] for row in figures["rows"]] == ["adder", "classifier", "seq2seq"]
    assert all(row["seconds"]["value"] > 0 for row in figures["rows"])
    adder = figures["rows"][0]
    assert adder["peer"] == "script"
    assert adder["error"] < 1e-9
    assert adder["ratio"]["value"] == pytest.approx(adder["peer_seconds"]["value"] / adder["seconds"]["value"], rel=0.5)
    assert [printed.split()[0] for printed in done.stdout.splitlines()[-3:]] == ["adder", "classifier", "seq2seq"]


@pytest.mark.parametrize(
    "arguments", [["--rounds", "1"], ["--slice", "0"], ["--system", "none"], ["--json", "/no/such/folder/file"]]
)
def test_wrong_arguments_are_refused(arguments):
    done = command(*arguments)
    assert done.returncode == 2
    assert "error: " in done.stderr

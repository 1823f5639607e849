"""How many instructions the AVX2 kernels take: a change that makes them slower shows here, the same on every run.

The counts, for tests/c/work.c built by csrc/Makefile, are kept in instruction_counts.json beside this file, with the
compiler that they belong to. After a change that is meant to alter them, write them anew, and say why in the commit:

    python tests/test_instruction_counts.py

It needs make, gcc, and valgrind, which knows no AVX-512, so AVX2 is what is counted.
"""

import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
KEPT = Path(__file__).with_name("instruction_counts.json")
TOLERANCE = 0.01  # how much more a change may cost before it has to say so
# As tests/c/work.c takes them: task, dtype, H or BxH.
TASKS = [
    *product(("train", "sample"), ("f64", "f32"), ("32", "100", "256")),
    *product(("gru", "lstm"), ("f64", "f32"), ("1x100",)),
    *product(("gru", "lstm"), ("f32",), ("16x128",)),
]
TIMES = {"train": 8, "sample": 64, "gru": 8, "lstm": 8}  # units of work to take the difference over


def missing():
    """What keeps the counts from being taken here, or None."""
    tools = [tool for tool in ("make", "gcc", "valgrind") if shutil.which(tool) is None]
    if tools:
        return f"instruction counts: no {', '.join(tools)}"
    if platform.machine() != "x86_64":
        return "instruction counts: AVX2 is what is counted, and this is no x86-64"
    if not (ROOT / "csrc" / "Makefile").exists():
        return "instruction counts: no csrc/ beside the tests"
    return None


def compiler():
    return subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=True).stdout.strip()


def build(folder):
    """The program of tests/c/work.c, linked with the library."""
    make = ["make", "-C", ROOT / "csrc", f"BUILD={folder}", "CC=gcc"]
    subprocess.run(make, check=True, capture_output=True)
    program = Path(folder) / "work"
    source = ROOT / "tests" / "c" / "work.c"
    link = ["gcc", "-std=c11", "-O1", "-I", ROOT / "csrc", source, Path(folder) / "libfastrnn.a", "-lm", "-o", program]
    subprocess.run(link, check=True)
    return program


def instructions(program, *arguments):
    """Instructions of one run, as cachegrind counts them."""
    valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    run = subprocess.run(
        [*valgrind, program, *arguments], capture_output=True, text=True, check=True, env={"FASTRNN_ISA": "avx2"}
    )
    return int(re.search(r"I\s+refs:\s+([\d,]+)", run.stderr).group(1).replace(",", ""))


def count(program, task, dtype, size):
    """Instructions of one iteration, of one character, or of one pass forward and back."""
    times = TIMES[task]
    many, none = (instructions(program, task, dtype, size, str(n)) for n in (times, 0))
    return round((many - none) / times)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if missing():
        pytest.skip(missing())
    if json.loads(KEPT.read_text())["gcc"] != compiler():
        pytest.skip(f"instruction counts: kept for another gcc than {compiler()}")
    return build(tmp_path_factory.mktemp("work"))


@pytest.mark.parametrize(("task", "dtype", "size"), TASKS)
def test_no_more_instructions_than_kept(program, task, dtype, size):
    kept = json.loads(KEPT.read_text())["counts"][f"{task} {dtype} {size}"]
    counted = count(program, task, dtype, size)
    assert counted <= kept * (1 + TOLERANCE), f"{counted} instructions, where {kept} were enough"
    assert counted >= kept * (1 - TOLERANCE), (
        f"{counted} instructions instead of {kept}: well done, keep the new counts"
    )


if __name__ == "__main__":
    if missing():
        sys.exit(missing())
    with tempfile.TemporaryDirectory() as folder:
        work = build(folder)
        counts = {" ".join(task): count(work, *task) for task in TASKS}
    KEPT.write_text(json.dumps({"gcc": compiler(), "counts": counts}, indent=1) + "\n")
    print(KEPT.read_text(), end="")

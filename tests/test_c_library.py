"""The C library without Python: its own tests, tests/c, built and run by its own Makefile."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

CSRC = Path(__file__).resolve().parents[1] / "csrc"
CC = os.environ.get("CC", "cc").split()[0]


@pytest.mark.skipif(not (CSRC / "Makefile").exists(), reason="there is no csrc/ beside tests/: these run from a copy")
@pytest.mark.skipif(not shutil.which("make"), reason="make is missing: the C library was neither built nor tested")
@pytest.mark.skipif(not shutil.which(CC), reason=f"{CC} is missing: the C library was neither built nor tested")
def test_the_c_library_passes_its_own_tests(tmp_path):
    # Flags and preloaded libraries that this process runs with are not meant for the compiler.
    environment = {name: value for name, value in os.environ.items() if name not in ("LD_PRELOAD", "CFLAGS", "LDFLAGS")}
    jobs = f"-j{os.cpu_count()}"
    child = subprocess.run(
        ["make", "--no-print-directory", jobs, "-C", CSRC, "check", f"BUILD={tmp_path}"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert child.returncode == 0, child.stdout[-5000:]
    counts = re.fullmatch(r"(\d+) passed, 0 failed", child.stdout.splitlines()[-1])
    assert counts, child.stdout[-5000:]
    assert int(counts[1]) > 0

"""`fastrnn` at a terminal, in pipes that break, and under Ctrl-C."""

import os
import random
import re
import signal
import subprocess
import time
from importlib.metadata import entry_points

import pytest
from commands import CTRL_C, ENVIRONMENT, PROGRAM, TIMEOUT, at_terminal, call, started

import fastrnn

TEXT = "peter piper picked a peck of pickled peppers\n" * 400
OPTIONS = ["--cell", "gru", "--hidden-size", 48, "--batch-size", 8, "--seq-length", 20, "--dropout", 0.1, "--seed", 7]
COLOUR = re.compile(r"\x1b\[[\d;]*m")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with text.txt, and whole, a model that was trained by one run that nobody stopped."""
    folder = tmp_path_factory.mktemp("terminal")
    (folder / "text.txt").write_text(TEXT)
    return folder


@pytest.fixture(scope="module")
def model_file(folder):
    model = fastrnn.CharRNN("gru", 16, batch_size=4, seq_length=10, optimizer="adam", learning_rate=0.01, seed=1)
    model.fit(TEXT, iterations=300)
    model.save(folder / "model")
    return folder / "model"


# ---- at a terminal --------------------------------------------------------------------------------------------------


def test_a_bar_ctrl_c_and_resume(folder, capsys, tmp_path):
    """As somebody does it who watches: the bar, Ctrl-C, and the rest another time leave what one run leaves."""
    pytest.importorskip("tqdm", reason="tqdm is missing: the progress bar was not shown")
    files = {name: tmp_path / name for name in ("stopped", "whole")}
    options = [folder / "text.txt", *OPTIONS, "--iterations", 4000, "--every", 300]
    stopped = at_terminal(*("train", *options, "-o", files["stopped"]), typed=[(b"validation ", CTRL_C)], NO_COLOR="1")
    assert stopped.code == 130
    assert re.search(
        r"\d+%\|.*\| \d\d:\d\d<\d\d:\d\d, [\d.]+[kM]?char/s, loss \d\.\d{3}, \d\.\d\d bits/char, validation \d\.\d\d",
        stopped.stdout,
    )
    done = fastrnn.load(files["stopped"]).iterations
    assert 0 < done < 4000
    assert f"stopped: {done} iterations, " in stopped.stdout
    assert f"saved; `fastrnn train --resume {files['stopped']}` goes on" in stopped.stdout
    assert "Traceback" not in stopped.stdout
    assert not COLOUR.search(stopped.stdout)
    assert call(capsys, "train", "--resume", files["stopped"], "--quiet").code == 0
    assert call(capsys, "train", *options, "-o", files["whole"], "--quiet").code == 0
    assert files["stopped"].read_bytes() == files["whole"].read_bytes()


def test_a_sample_at_a_terminal_ends_its_line(model_file):
    text = fastrnn.load(model_file).sample(20, rng=1)
    assert not text.endswith("\n")
    shown = at_terminal("sample", model_file, "-n", 20, "--seed", 1)
    assert (shown.code, shown.stdout.replace("\r\n", "\n")) == (0, text + "\n")


# ---- Ctrl-C at any moment -------------------------------------------------------------------------------------------


def test_ctrl_c_at_random_moments_leaves_the_bytes_of_a_run_never_stopped(folder, capsys, tmp_path):
    """Records, validation, saves and samples are so frequent that the moments fall among them too."""
    often = ["--iterations", 3000, "--every", 7, "--save-every", 11, "--sample-every", 13]
    options = [folder / "text.txt", *OPTIONS, *often]
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    stops = 0
    while stops < 4:
        start = ["--resume", stopped, *often[4:]] if stopped.exists() else [*options, "-o", stopped]
        with started("train", *start, stdout=subprocess.DEVNULL) as child:
            child.stderr.readline()  # it trains
            time.sleep(random.uniform(0, 0.15))
            child.send_signal(signal.SIGINT)
            _, stderr = child.communicate(timeout=TIMEOUT)
        assert b"Traceback" not in stderr
        if child.returncode == 0:  # it was done before the signal came: from the beginning
            assert fastrnn.load(stopped).iterations == 3000
            stopped.unlink()
            stops = 0
            continue
        assert child.returncode == 130
        assert [name for name in os.listdir(tmp_path) if name.endswith(".tmp")] == []
        stops += 1
    assert 0 < fastrnn.load(stopped).iterations < 3000
    assert call(capsys, "train", "--resume", stopped, "--quiet").code == 0
    assert call(capsys, "train", *options, "-o", whole, "--quiet").code == 0
    assert stopped.read_bytes() == whole.read_bytes()


def test_ctrl_c_before_training_leaves_nothing(tmp_path):
    with started("train", "-", "-o", tmp_path / "model", stdin=subprocess.PIPE) as child:
        child.stdin.write(bytes(1 << 18))  # more than a pipe holds: once that is written, the text is being read
        child.stdin.flush()
        child.send_signal(signal.SIGINT)
        assert child.communicate(timeout=TIMEOUT) == (b"", b"")
    assert child.returncode == 130
    assert os.listdir(tmp_path) == []


# ---- pipes ----------------------------------------------------------------------------------------------------------


def test_a_reader_that_leaves_early_ends_a_sample_quietly(model_file):
    """As in `fastrnn sample MODEL | head -1`."""
    with started("sample", model_file, "-n", 10**9) as child:
        assert child.stdout.readline()
        child.stdout.close()
        assert (child.wait(TIMEOUT), child.stderr.read()) == (0, b"")


def test_training_goes_on_when_nobody_reads_what_it_tells(folder, tmp_path):
    options = [folder / "text.txt", *OPTIONS, "--iterations", 300, "--every", 5, "-o", tmp_path / "model"]
    with started("train", *options, stdout=subprocess.DEVNULL) as child:
        child.stderr.close()
        assert child.wait(TIMEOUT) == 0
    assert fastrnn.load(tmp_path / "model").iterations == 300


def test_a_full_disk_behind_standard_output_is_named(model_file):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "wb") as full, started("eval", model_file, "-", stdin=subprocess.PIPE, stdout=full) as child:
        _, stderr = child.communicate(TEXT.encode(), timeout=TIMEOUT)
    assert (child.returncode, stderr) == (1, b"fastrnn eval: standard output: No space left on device\n")


def test_the_console_script_is_this_program(tmp_path):
    [script] = entry_points(group="console_scripts", name="fastrnn")
    assert script.value == "fastrnn.cli:main"
    by_module = subprocess.run([*PROGRAM, "--version"], env=ENVIRONMENT, cwd=tmp_path, capture_output=True, check=True)
    assert by_module.stdout.decode() == f"fastrnn {fastrnn.__version__}\n"

"""`python -m fastrnn.min_char_rnn` and `python -m fastrnn.reference`, run as a user runs them, in another folder."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import fastrnn
from fastrnn.text import default_text

PROGRAMS = ["min_char_rnn", "reference"]
PACKAGE = str(Path(fastrnn.__file__).parents[1])  # the child tests the fastrnn that this process has imported
UNSET = ("PYTHONUNBUFFERED", "PYTHONHASHSEED", "PYTHONIOENCODING")
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in UNSET} | {
    "PYTHONPATH": PACKAGE,
    "PYTHONUTF8": "1",
}
TIMEOUT = 300  # seconds: only a hang takes so long
BLOCK = re.compile(r"----\n (.{200}) \n----\niter (\d+), loss: (\d+\.\d{6})\n", re.DOTALL)
NARRATION = re.compile(r"[\d,]+ characters in \d+\.\d\d s: [\d,]+ a second\n")

both_programs = pytest.mark.parametrize("program", PROGRAMS)


def command(program, *arguments):
    return [sys.executable, "-m", f"fastrnn.{program}", *map(str, arguments)]


@pytest.fixture
def run(tmp_path):
    """run(program, *arguments, **environment): what it did, with stdout and stderr as bytes."""

    def run(program, *arguments, preexec_fn=None, stdout=subprocess.PIPE, **environment):
        return subprocess.run(
            command(program, *arguments),
            cwd=tmp_path,
            env=ENVIRONMENT | environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=TIMEOUT,
            preexec_fn=preexec_fn,  # in the child, before Python starts
            check=False,
        )

    return run


@pytest.fixture
def output(run):
    """output(program, *arguments, **environment): the stdout of a run that ends well and only narrates on stderr."""

    def output(program, *arguments, **environment):
        result = run(program, *arguments, **environment)
        assert result.returncode == 0, result.stderr.decode()
        assert NARRATION.fullmatch(result.stderr.decode())
        return result.stdout

    return output


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("she sells sea shells by the sea shore\n" * 20)
    return path


def parse(stdout):
    """Characters, distinct characters, and [(sample, iteration, loss), ...] of a whole output."""
    first, rest = stdout.decode().split("\n", 1)
    match = re.fullmatch(r"data has (\d+) characters, (\d+) unique\.", first)
    blocks = BLOCK.findall(rest)
    assert "".join(f"----\n {sample} \n----\niter {n}, loss: {loss}\n" for sample, n, loss in blocks) == rest
    return int(match[1]), int(match[2]), [(sample, int(n), float(loss)) for sample, n, loss in blocks]


# ---- what they print ------------------------------------------------------------------------------------------------


@both_programs
def test_output_has_the_form_of_the_script(output, program):
    text = default_text()
    characters, unique, blocks = parse(output(program, "--iterations", 201, "--seed", 0))
    assert (characters, unique) == (len(text), len(set(text)))
    assert [n for _, n, _ in blocks] == [0, 100, 200]
    assert all(set(sample) <= set(text) for sample, _, _ in blocks)
    # The smooth loss begins at what guessing loses, and a fresh network guesses.
    assert blocks[0][2] == pytest.approx(25 * np.log(unique), abs=1e-3)
    assert blocks[2][2] < blocks[1][2] < blocks[0][2]


@both_programs
def test_the_last_iteration_is_iterations_minus_one(output, text_file, program):
    for iterations, last in [(1, 0), (10, 0), (11, 10)]:
        _, _, blocks = parse(output(program, text_file, "--iterations", iterations, "--sample-every", 10))
        assert blocks[-1][1] == last


@pytest.mark.parametrize(
    "arguments",
    [
        ["--iterations", 600, "--sample-every", 50],
        ["--iterations", 200, "--hidden-size", 33, "--seq-length", 7, "--seed", 5],
        ["--iterations", 100, "--hidden-size", 1, "--seq-length", 1],
        ["--iterations", 100, "--hidden-size", 130, "--seq-length", 60],
    ],
    ids=lambda arguments: " ".join(map(str, arguments)),
)
def test_both_print_the_same_bytes_on_the_default_text(output, arguments):
    arguments = ["--learning-rate", 0.01, "--seed", 0, *arguments]
    assert output("min_char_rnn", *arguments) == output("reference", *arguments)


@pytest.mark.parametrize("name", ["kafka.txt", "divinacommedia.txt"])
def test_both_print_the_same_bytes_on_a_real_text(output, data, name):
    arguments = [data(name), "--learning-rate", 0.01, "--iterations", 3000, "--seed", 0]
    ours = output("min_char_rnn", *arguments)
    assert ours == output("reference", *arguments)
    assert len(parse(ours)[2]) == 30


def test_a_small_text_wraps_as_in_the_reference(output, text_file):
    arguments = [text_file, "--learning-rate", 0.01, "--iterations", 200, "--sample-every", 20, "--seed", 3]
    assert output("min_char_rnn", *arguments) == output("reference", *arguments)


@both_programs
def test_every_option_has_an_effect(output, text_file, program):
    text_file.with_name("other.txt").write_text("peter piper picked a peck of pickled peppers\n" * 20)
    options = [
        [],
        ["--hidden-size", 20],
        ["--seq-length", 20],
        ["--learning-rate", 0.05],
        ["--iterations", 41],
        ["--seed", 1],
        ["--sample-every", 20],
        ["--dtype", "float32"],
    ]
    base = ["--iterations", 31, "--sample-every", 10, "--seed", 0]
    printed = {str(option): output(program, *base, text_file, *option) for option in options}
    printed["other.txt"] = output(program, *base, "other.txt")
    alike = [(one, other) for one in printed for other in printed if one < other and printed[one] == printed[other]]
    assert alike == []


@both_programs
def test_the_defaults_are_those_of_the_script(output, text_file, program):
    arguments = [program, text_file, "--iterations", 201, "--seed", 0]
    spelt_out = "--hidden-size 100 --seq-length 25 --learning-rate 0.1 --sample-every 100 --dtype float64"
    assert output(*arguments) == output(*arguments, *spelt_out.split())


@both_programs
def test_float32_trains_like_float64(output, text_file, program):
    arguments = [text_file, "--iterations", 61, "--sample-every", 20, "--learning-rate", 0.01, "--seed", 0]
    single, double = (parse(output(program, *arguments, "--dtype", dtype))[2] for dtype in ("float32", "float64"))
    assert [loss for *_, loss in single] == pytest.approx([loss for *_, loss in double], rel=1e-5)


# ---- randomness -----------------------------------------------------------------------------------------------------


@both_programs
def test_the_same_seed_prints_the_same_bytes_in_every_process(output, text_file, program):
    arguments = [program, text_file, "--iterations", 50, "--sample-every", 10, "--seed", 4]
    assert output(*arguments, PYTHONHASHSEED="1") == output(*arguments, PYTHONHASHSEED="2")


@both_programs
def test_without_a_seed_each_run_is_another(output, text_file, program):
    arguments = [program, text_file, "--iterations", 1]
    assert output(*arguments) != output(*arguments)


# ---- texts ----------------------------------------------------------------------------------------------------------


@both_programs
def test_any_characters_and_any_terminal(output, tmp_path, program):
    text = "na\u0131\u0308ve \U0001f600\u200d\U0001f4a9 e\u0301 \u4e2d\u6587 \ufeff\x00\n" * 30
    (tmp_path / "wild.txt").write_text(text, encoding="utf-8")
    arguments = [program, "wild.txt", "--iterations", 21, "--sample-every", 10, "--seed", 0]
    printed = output(*arguments)
    characters, unique, blocks = parse(printed)
    assert (characters, unique) == (len(text), len(set(text)))
    assert any("\U0001f600" in sample for sample, _, _ in blocks)
    # A terminal that knows fewer characters shows the others as escapes.
    expected = printed.decode().encode("ascii", "backslashreplace")
    assert output(*arguments, PYTHONIOENCODING="ascii") == expected


@both_programs
def test_line_ends_of_windows_are_read_as_line_ends(output, text_file, program):
    windows = text_file.with_name("windows.txt")
    windows.write_bytes(text_file.read_bytes().replace(b"\n", b"\r\n"))
    assert windows.stat().st_size > text_file.stat().st_size
    rest = ["--iterations", 20, "--sample-every", 10, "--seed", 0]
    assert output(program, windows, *rest) == output(program, text_file, *rest)


@both_programs
def test_a_text_of_one_sequence_and_its_last_target_is_enough(output, run, tmp_path, program):
    T = 10
    (tmp_path / "enough.txt").write_text("abcdefghijk"[: T + 1])
    (tmp_path / "short.txt").write_text("abcdefghijk"[:T])
    options = ["--seq-length", T, "--iterations", 31, "--sample-every", 10]
    characters, _, blocks = parse(output(program, "enough.txt", *options))
    assert (characters, len(blocks)) == (T + 1, 4)
    assert_fails(
        run(program, "short.txt", *options),
        1,
        f"python -m fastrnn.{program}: short.txt has 10 characters, fewer than the 11 that one sequence and its "
        "targets take: use a longer text, or --seq-length 9",
    )
    output(program, "short.txt", "--seq-length", 9, "--iterations", 1)  # the remedy that it names


@both_programs
def test_a_text_of_one_distinct_character(output, tmp_path, program):
    (tmp_path / "a.txt").write_text("a" * 26)
    _, unique, blocks = parse(output(program, "a.txt", "--iterations", 2))
    assert (unique, blocks) == (1, [("a" * 200, 0, 0.0)])


# ---- refusals -------------------------------------------------------------------------------------------------------


def assert_fails(result, code, line):
    """It ended with this code and this one line on stderr."""
    assert (result.returncode, result.stderr.decode()) == (code, line + "\n")


@both_programs
def test_help_names_every_option(run, program):
    result = run(program, "--help")
    assert (result.returncode, result.stderr) == (0, b"")
    options = "--hidden-size --seq-length --learning-rate --iterations --seed --sample-every --dtype FILE"
    assert set(options.split()) <= set(result.stdout.decode().split())


# One `main` refuses for both programs, so most of what follows asks one of them.


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("missing.txt", None, "missing.txt: No such file or directory"),
        ("", None, ": No such file or directory"),
        (".", None, ".: Is a directory"),
        ("file/x", b"a file", "file/x: Not a directory"),
        ("empty.txt", b"", "empty.txt is empty: there is nothing to train on"),
        ("latin.txt", "caf\xe9".encode("latin-1"), "latin.txt is not UTF-8 text (byte 3): convert it to UTF-8"),
        ("cut.txt", "caf\xe9".encode()[:-1], "cut.txt is not UTF-8 text (byte 3): convert it to UTF-8"),
        ("surrogate.txt", b"\xed\xa0\x80", "surrogate.txt is not UTF-8 text (byte 0): convert it to UTF-8"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_text_that_cannot_be_read(run, tmp_path, file, content, complaint):
    if content is not None:
        (tmp_path / file.split("/")[0]).write_bytes(content)
    result = run("min_char_rnn", file)
    assert_fails(result, 1, f"python -m fastrnn.min_char_rnn: {complaint}")
    assert result.stdout == b""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_a_text_that_may_not_be_read(run, text_file):
    text_file.chmod(0)
    assert_fails(run("reference", "text.txt"), 1, "python -m fastrnn.reference: text.txt: Permission denied")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--hidden-size", "0"], "argument --hidden-size: must be at least 1, not 0"),
        (["--hidden-size", "16777216"], "argument --hidden-size: must be below 2**24, not 16777216"),
        (["--hidden-size", "ten"], "argument --hidden-size: must be an integer, not 'ten'"),
        (["--seq-length", "-3"], "argument --seq-length: must be at least 1, not -3"),
        (["--seq-length", "2.5"], "argument --seq-length: must be an integer, not '2.5'"),
        (["--iterations", "0"], "argument --iterations: must be at least 1, not 0"),
        (["--sample-every", "0"], "argument --sample-every: must be at least 1, not 0"),
        (["--learning-rate", "0"], "argument --learning-rate: must be positive and finite, not 0"),
        (["--learning-rate", "-1"], "argument --learning-rate: must be positive and finite, not -1"),
        (["--learning-rate", "nan"], "argument --learning-rate: must be positive and finite, not nan"),
        (["--learning-rate", "inf"], "argument --learning-rate: must be positive and finite, not inf"),
        (["--learning-rate", "fast"], "argument --learning-rate: must be a number, not 'fast'"),
        (["--seed", "-1"], "argument --seed: must be from 0 to 2**32 - 1, not -1"),
        (["--seed", "4294967296"], "argument --seed: must be from 0 to 2**32 - 1, not 4294967296"),
        (["--seed", "1.5"], "argument --seed: must be an integer, not '1.5'"),
        (["--seed"], "argument --seed: expected one argument"),
        (["--speed=1"], "unrecognized arguments: --speed=1"),
        (["one.txt", "two.txt"], "unrecognized arguments: two.txt"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_call(run, arguments, complaint):
    result = run("min_char_rnn", *arguments)
    prog = "python -m fastrnn.min_char_rnn"
    assert_fails(result, 2, f"{prog}: {complaint}; see {prog} --help")
    assert result.stdout == b""


def test_a_dtype_that_is_none(run):
    result = run("min_char_rnn", "--dtype", "float16")  # Python versions word the list of choices differently
    line = (
        r"python -m fastrnn\.min_char_rnn: argument --dtype: invalid choice: 'float16' \(choose from .*\); "
        r"see python -m fastrnn\.min_char_rnn --help\n"
    )
    assert result.returncode == 2
    assert re.fullmatch(line, result.stderr.decode())


def test_the_reference_refuses_in_its_own_name(run):
    prog = "python -m fastrnn.reference"
    assert_fails(run("reference", "missing.txt"), 1, f"{prog}: missing.txt: No such file or directory")
    complaint = "argument --seq-length: must be at least 1, not 0"
    assert_fails(run("reference", "--seq-length", 0), 2, f"{prog}: {complaint}; see {prog} --help")


@pytest.mark.skipif(
    "asan" in os.environ.get("LD_PRELOAD", ""), reason="the address sanitizer ends what asks for too much memory"
)
def test_a_network_too_large_for_memory(run, tmp_path):
    (tmp_path / "a.txt").write_text("a" * 26)  # one character: Wxh fits, Whh is far beyond any address space
    result = run("min_char_rnn", "a.txt", "--hidden-size", 2**24 - 1)
    assert result.returncode == 1
    line = r"python -m fastrnn\.min_char_rnn: .*: use a smaller --hidden-size or --seq-length\n"
    assert re.fullmatch(line, result.stderr.decode())


def test_a_loss_that_stops_being_finite(run, text_file):
    result = run("min_char_rnn", text_file, "--learning-rate", "1e308", "--iterations", 20, "--seed", 0)
    line = r"python -m fastrnn\.min_char_rnn: iteration \d+: the loss is nan because .*: .*lower the learning rate\n"
    assert result.returncode == 1
    assert re.fullmatch(line, result.stderr.decode())


# ---- pipes, signals, streams ----------------------------------------------------------------------------------------


@contextmanager
def started(arguments, **options):
    """A child that runs beside the test, and does not outlive it."""
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options) as child:
        try:
            yield child
        finally:
            child.kill()


@both_programs
@pytest.mark.parametrize("environment", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"])
def test_a_reader_that_leaves_early_ends_it_quietly(text_file, program, environment):
    """As in `python -m fastrnn.min_char_rnn | head -1`."""
    endless = command(program, text_file, "--iterations", 10**8, "--sample-every", 1)
    with started(endless, env=ENVIRONMENT | environment) as child:
        assert child.stdout.readline() == b"data has 760 characters, 12 unique.\n"
        child.stdout.close()
        assert (child.wait(TIMEOUT), child.stderr.read()) == (0, b"")


@both_programs
def test_a_reader_that_never_reads_ends_it_quietly(run, text_file, program):
    """The little that is printed reaches the pipe at the end, when nobody is there."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = run(program, text_file, "--iterations", 10, stdout=writer)
    finally:
        os.close(writer)
    assert (result.returncode, result.stderr) == (0, b"")


@both_programs
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("environment", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"])
def test_a_full_disk_is_named(run, text_file, program, environment):
    with open("/dev/full", "wb") as full:
        result = run(program, text_file, "--iterations", 10, stdout=full, **environment)
    assert_fails(result, 1, f"python -m fastrnn.{program}: standard output: No space left on device")


@both_programs
@pytest.mark.parametrize("stream", [0, 1, 2], ids=["stdin", "stdout", "stderr"])
def test_a_closed_stream_does_no_harm(run, text_file, program, stream):
    arguments = [program, text_file, "--iterations", 10, "--seed", 0]
    whole = run(*arguments)
    result = run(*arguments, preexec_fn=lambda: os.close(stream))
    assert result.returncode == 0
    assert result.stdout == (b"" if stream == 1 else whole.stdout)
    assert bool(NARRATION.fullmatch(result.stderr.decode())) == (stream != 2)


@both_programs
def test_ctrl_c_ends_it_with_130_and_no_traceback(text_file, program):
    endless = command(program, text_file, "--iterations", 10**8, "--sample-every", 100)
    # A test run in the background ignores Ctrl-C, and its children would too.
    with started(
        endless,
        env=ENVIRONMENT | {"PYTHONUNBUFFERED": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as child:
        while not child.stdout.readline().startswith(b"iter 100,"):
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate(timeout=TIMEOUT)
        assert (child.returncode, stderr) == (130, b"")

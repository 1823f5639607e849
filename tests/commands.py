"""Commands of `fastrnn`, run as a user runs them: in this process, in one of their own, or at a terminal."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import NamedTuple

import fastrnn
from fastrnn.cli import main

PROGRAM = [sys.executable, "-m", "fastrnn"]
UNSET = ("PYTHONUNBUFFERED", "PYTHONHASHSEED", "PYTHONIOENCODING", "NO_COLOR", "FASTRNN_ISA", "COLUMNS", "LINES")
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in UNSET} | {
    "PYTHONPATH": str(Path(fastrnn.__file__).parents[1]),  # the child tests the fastrnn that this process has imported
    "PYTHONUTF8": "1",
    "TERM": "xterm-256color",
}
TIMEOUT = 120  # seconds: only a hang takes so long
CTRL_C = b"\x03"


class Result(NamedTuple):
    """What a command did: at a terminal stdout has stderr with it."""

    code: int
    stdout: str
    stderr: str = ""


def call(capsys, *arguments):
    """The command in this process."""
    capsys.readouterr()
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as left:
        raise AssertionError("main returns its exit code") from left
    return Result(code, *capsys.readouterr())


def allow_ctrl_c():
    """In a child: a shell's background job ignores Ctrl-C, and its children would too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def started(*arguments, **options):
    """The command in a process beside the test, which does not outlive it."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": ENVIRONMENT} | options
    command = [*PROGRAM, *map(str, arguments)]
    with subprocess.Popen(command, preexec_fn=allow_ctrl_c, **streams) as child:
        try:
            yield child
        finally:
            child.kill()


def at_terminal(*arguments, typed=(), **environment):
    """The command at a terminal of 100 columns; typed: pairs (what is awaited, what is typed then)."""
    command = [*PROGRAM, *map(str, arguments)]
    pid, terminal = pty.fork()
    if pid == 0:
        try:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
            allow_ctrl_c()
            os.execve(command[0], command, ENVIRONMENT | environment)
        finally:
            os._exit(127)
    try:
        printed = _converse(terminal, list(typed))
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
    return Result(os.waitstatus_to_exitcode(status), printed.decode())


def _converse(terminal, typed):
    """All that is printed; an answer is typed as soon as what it awaits stands there."""
    printed, end = b"", time.monotonic() + TIMEOUT
    while True:
        assert select.select([terminal], [], [], end - time.monotonic())[0], f"it hangs after {printed!r}"
        try:
            piece = os.read(terminal, 1 << 16)
        except OSError:  # Linux says so that nobody is there any more
            return printed
        if not piece:
            return printed
        printed += piece
        if typed and typed[0][0] in printed:
            os.write(terminal, typed.pop(0)[1])

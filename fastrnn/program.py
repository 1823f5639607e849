"""What every program here shares: wrong calls and failures in one line, exit codes, arguments that are numbers.

Imports nothing that takes time: a program's help comes at once.
"""

import argparse
import contextlib
import math
import os
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn, TextIO

from fastrnn.errors import FastRNNError

INTERRUPTED = 130  # the exit code of a program that Ctrl-C ended


class UsageError(Exception):
    """A wrong call that is only seen after its arguments were parsed."""


class OneLineParser(argparse.ArgumentParser):
    """Answers a wrong call with one line, the usage being a `--help` away."""

    def error(self, message: str) -> NoReturn:
        """Says what is wrong, and exits with 2."""
        self.exit(2, wrong_call(self.prog, message))


def wrong_call(prog: str, message: str) -> str:
    """The line that answers a wrong call."""
    return f"{prog}: {message}; see {prog} --help\n"


def exit_code_of(prog: str, work: Callable[[], None], *, memory_remedy: str) -> int:
    """Does the work, and what goes wrong becomes one line on stderr. Returns the exit code.

    0 at the end, also where nobody reads on; 1 on a failure, 2 on a wrong call, 130 on Ctrl-C.
    """
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115  (a stream that was closed is None)
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that lacks a character still shows the rest
    try:
        try:
            work()
        except SystemExit as parsed:  # argparse's, after help or a wrong call
            sys.stdout.flush()
            return parsed.code if isinstance(parsed.code, int) else 0
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except UsageError as error:
        return _say(wrong_call(prog, str(error)), 2)
    except OSError as error:
        if error.filename is not None:
            return _say(f"{prog}: {os.fsdecode(error.filename)}: {error.strerror}\n", 1)
        _discard(sys.stdout)
        return 0 if isinstance(error, BrokenPipeError) else _say(f"{prog}: standard output: {error.strerror}\n", 1)
    except MemoryError as error:
        return _say(f"{prog}: {str(error) or 'there is not enough memory'}: {memory_remedy}\n", 1)
    except (FastRNNError, ValueError, ImportError) as error:
        return _say(f"{prog}: {error}\n", 1)
    return 0


def _say(line: str, code: int) -> int:
    with unread_stderr():
        sys.stderr.write(line)
        sys.stderr.flush()
    return code


@contextlib.contextmanager
def unread_stderr() -> Iterator[None]:
    """Around what writes to stderr: that nobody can read it is no failure of the work."""
    try:
        yield
    except OSError:
        _discard(sys.stderr)


def _discard(stream: TextIO) -> None:
    """What is still to be written there goes nowhere, or the flush at exit would fail again."""
    with contextlib.suppress(OSError, ValueError):  # it is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def integer(text: str) -> int:
    """An argument that is an integer."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be an integer, not {text!r}") from None


def at_least_zero(text: str) -> int:
    """An integer that is not negative."""
    number = integer(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"must be at least 0, not {number}")
    return number


def at_least_one(text: str) -> int:
    """An integer of at least 1."""
    number = integer(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def units(text: str) -> int:
    """A number of hidden units."""
    number = at_least_one(text)
    if number >= 2**24:
        raise argparse.ArgumentTypeError(f"must be below 2**24, not {number}")
    return number


def real(text: str) -> float:
    """A number that may have a fraction."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, not {text!r}") from None


def positive(text: str) -> float:
    """A finite number above 0."""
    number = real(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be positive and finite, not {text}")
    return number


def seed(text: str) -> int:
    """A seed of NumPy's random state."""
    number = integer(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"must be from 0 to 2**32 - 1, not {number}")
    return number

"""The texts that a command line names: files, standard input, or the one that is always there."""

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastrnn.text import Text

STDIN = "-"


def read_texts(names: list[str], tokens: str) -> "Text":
    """The text of these files, joined, `-` being standard input; without names Python's manual.

    One regular file is not read here but returned as a path, since it may be larger than memory. tokens="byte" takes
    bytes as they are; otherwise they are UTF-8. OSError where one cannot be read, ValueError where it is not UTF-8.
    """
    if not names:
        from fastrnn.text import default_text

        return default_text()
    if len(names) == 1 and names[0] != STDIN and stat.S_ISREG(os.stat(names[0]).st_mode):
        return Path(names[0])
    if tokens == "byte":
        return b"".join(map(_read, names))
    return "".join(map(_read_utf8, names))


def read_stdin() -> bytes:
    """All of standard input."""
    if sys.stdin is None:
        raise ValueError("standard input is closed: give a file instead of -")
    return sys.stdin.buffer.read()


def _read(name: str) -> bytes:
    return read_stdin() if name == STDIN else Path(name).read_bytes()


def _read_utf8(name: str) -> str:
    try:
        return _read(name).decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        shown = "standard input" if name == STDIN else name
        raise ValueError(
            f'{shown} is not UTF-8 text (byte {error.start}): convert it to UTF-8, or use tokens="byte"'
        ) from None

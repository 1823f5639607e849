"""What commands write: JSON for machines on stdout, narration for people on stderr."""

import argparse
import json
import os
import sys
from typing import Any, TextIO

from fastrnn.program import unread_stderr


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option for machines."""
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """The option for silence."""
    parser.add_argument("--quiet", action="store_true", help="no narration on standard error")


def print_json(value: Any) -> None:
    """One JSON value on a line of its own, at once."""
    print(json.dumps(value), flush=True)


def print_table(rows: dict[str, object]) -> None:
    """Names and values, a line each, in two columns."""
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name:{width}}  {value}")


def narrate(line: str) -> None:
    """A line on stderr."""
    with unread_stderr():
        print(line, file=sys.stderr, flush=True)


def colours_for(stream: TextIO) -> bool:
    """Whether to write colours there: to a terminal that has them, unless NO_COLOR says no (no-color.org)."""
    return stream.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")

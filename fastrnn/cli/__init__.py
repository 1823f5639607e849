"""The command line: `fastrnn COMMAND`, a module for each command.

A command's module has HELP, its line in the list of commands; `add_arguments(parser)`, which gives it a description, an
example and options; `run(args)`, which writes results to stdout and narrates on stderr, and raises for what goes wrong.
What takes time to import, NumPy and the kernels too, is imported in `run`, so that help comes at once.
"""

import argparse
import signal
import sys
from importlib import import_module
from types import ModuleType

from fastrnn import __version__
from fastrnn.program import OneLineParser, exit_code_of

COMMANDS = {  # each with its module
    "train": "train",
    "sample": "sample",
    "eval": "evaluate",
    "info": "info",
    "plot": "plot",
    "inspect": "inspect",
    "bench": "bench",
}


def main(argv: list[str] | None = None) -> int:
    """Runs a command. Returns the exit code: 0 at the end, 1 on a failure, 2 on a wrong call, 130 on Ctrl-C."""
    arguments = sys.argv[1:] if argv is None else argv
    prog = f"fastrnn {arguments[0]}" if arguments and arguments[0] in COMMANDS else "fastrnn"
    code = exit_code_of(prog, lambda: _run(prog, arguments), memory_remedy="use a smaller model, batch or text")
    if argv is None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process is ending, its work is done: nothing is left to stop
    return code


def _run(prog: str, arguments: list[str]) -> None:
    if prog == "fastrnn":
        _overview().parse_args(arguments)  # help, the version, or an error
        return
    command = _module(arguments[0])
    parser = _parser(prog)
    command.add_arguments(parser)
    command.run(parser.parse_args(arguments[1:]))


def _overview() -> OneLineParser:
    """The parser of a call that names no command."""
    lines = [f"  {name:8} {_module(name).HELP}" for name in COMMANDS]
    parser = _parser("fastrnn")
    parser.usage = "fastrnn COMMAND ..."
    parser.description = "\n".join(
        ["Trains small recurrent networks on texts, and writes with them.", "", "commands:", *lines]
    )
    parser.epilog = "`fastrnn COMMAND --help` says more of one.\n\nexample: fastrnn train book.txt -o book.safetensors"
    parser.add_argument("--version", action="version", version=f"fastrnn {__version__}")
    parser.add_argument("command", choices=list(COMMANDS), metavar="COMMAND", help=argparse.SUPPRESS)
    return parser


def _parser(prog: str) -> OneLineParser:
    return OneLineParser(prog=prog, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)


def _module(command: str) -> ModuleType:
    return import_module(f"fastrnn.cli.{COMMANDS[command]}")

"""`fastrnn inspect`: looks inside a model while it reads a text."""

import argparse
import os
from typing import TYPE_CHECKING, Any

from fastrnn.cli.models import load_char_rnn
from fastrnn.cli.output import add_json, add_quiet, narrate, print_json
from fastrnn.cli.texts import STDIN, read_texts
from fastrnn.program import UsageError, at_least_one

if TYPE_CHECKING:
    from fastrnn.report.contents import Report

HELP = "look inside a model while it reads a text"
OUTPUT = "report.html"
CHARACTERS, UNITS = 4000, 48  # `inspect_text`'s
SHOWN = 5  # units


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `fastrnn inspect`."""
    parser.description = (
        "Writes one HTML page, which needs nothing else, of a model that reads a text: the text coloured by the\n"
        "activation of a hidden unit, the units that tell most about the text first; at each place the likeliest next\n"
        "characters; the loss of each character; and how far back gradients reach."
    )
    parser.epilog = "example: fastrnn inspect model.safetensors other.txt -o report.html"
    parser.add_argument("model", metavar="MODEL", help="a file that `fastrnn train` or a model's `save` wrote")
    parser.add_argument("text", metavar="TEXT", help="a UTF-8 file; - is standard input")
    parser.add_argument("-o", "--output", metavar="REPORT", default=OUTPUT, help="the page (default: %(default)s)")
    parser.add_argument(
        "--characters",
        type=at_least_one,
        default=CHARACTERS,
        metavar="N",
        help="how many of the text's first characters (or other tokens) the page has (default: %(default)s)",
    )
    parser.add_argument(
        "--units", type=at_least_one, default=UNITS, metavar="N", help="how many hidden units (default: %(default)s)"
    )
    add_json(parser)
    add_quiet(parser)


def run(args: argparse.Namespace) -> None:
    """Writes the page."""
    from fastrnn.report.contents import inspect_text
    from fastrnn.report.page import page

    _check_output(args)
    model = load_char_rnn(args.model)
    report = inspect_text(model, read_texts([args.text], model.tokens), characters=args.characters, units=args.units)
    html = page(report, os.path.basename(args.model), _name_of(args.text))
    with open(args.output, "w", encoding="utf-8", newline="\n") as file:
        file.write(html)
    if args.json:
        print_json({"report": args.output, **report.as_json(), **_names(args)})
    elif not args.quiet:
        _tell(report, args.output)


def _check_output(args: argparse.Namespace) -> None:
    """UsageError where the page would replace what it is made of."""
    for name, value in _names(args).items():
        if value != STDIN and os.path.realpath(value) == os.path.realpath(args.output):
            raise UsageError(f"--output is the {name} itself, {value}: give the page another name")


def _names(args: argparse.Namespace) -> dict[str, Any]:
    return {"model": args.model, "text": args.text}


def _name_of(text: str) -> str:
    return "standard input" if text == STDIN else os.path.basename(text)


def _tell(report: "Report", output: str) -> None:
    """The most telling units, and where the page is."""
    for unit in report.units[:SHOWN]:
        if unit.trait is not None:
            narrate(f"layer {unit.layer}, unit {unit.number}: {unit.trait}, {unit.correlation:+.2f}")
    narrate(f"written: {output}")

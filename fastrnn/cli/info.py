"""`fastrnn info`: what a model file holds."""

import argparse
from typing import Any

from fastrnn.cli.output import add_json, print_json, print_table

HELP = "say what a model file holds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `fastrnn info`."""
    parser.description = "Says what a model file holds: its settings, its size, and how far it was trained."
    parser.epilog = "example: fastrnn info model.safetensors"
    parser.add_argument("model", metavar="MODEL", help="a file that `fastrnn train` or a model's `save` wrote")
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Prints it."""
    from fastrnn import load

    model = load(args.model)
    if args.json:
        print_json(_facts(model))
    else:
        raise NotImplementedError

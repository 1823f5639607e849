"""`fastrnn plot`: the course of training as a picture."""

import argparse
import shutil
import sys
from pathlib import Path

from fastrnn.cli.models import load_model
from fastrnn.cli.output import add_json, add_quiet, colours_for, narrate, print_json

HELP = "draw how training went, of one model or several"
ENDINGS = (".png", ".svg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `fastrnn plot`."""
    parser.description = (
        "Draws loss over iterations, in bits per token: training, raw and smoothed over about a thousand iterations,\n"
        "and validation, with the best one marked; of several models in one picture. In the terminal, or by\n"
        "matplotlib into a file. Of the raw losses, the lowest and the highest hundredth may lie beyond the edge.\n"
        "Of models of other data than texts the losses are as they were trained with, and none is smoothed."
    )
    parser.epilog = "example: fastrnn plot gru.safetensors lstm.safetensors -o losses.png"
    parser.add_argument(
        "models", nargs="+", metavar="MODEL", help="files that `fastrnn train` or a model's `save` wrote"
    )
    parser.add_argument(
        "-o", "--output", type=picture_file, metavar="FILE", help="write the picture there, PNG or SVG by its ending"
    )
    parser.add_argument("--terminal", action="store_true", help="draw in the terminal even so")
    parser.add_argument(
        "--log", choices=("iterations", "loss", "both"), help="a logarithmic scale (default: linear on both axes)"
    )
    add_json(parser)
    add_quiet(parser)


def picture_file(text: str) -> str:
    """The name of a picture to write."""
    if not text.lower().endswith(ENDINGS):
        raise argparse.ArgumentTypeError(f"must end in {' or '.join(ENDINGS)}, not {text!r}")
    if not Path(text).parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {Path(text).parent}")
    return text


def run(args: argparse.Namespace) -> None:
    """Draws."""
    from fastrnn.plot import course, picture, terminal

    names = course.names_of_files(args.models)
    courses = [course.course(load_model(path), name) for path, name in zip(args.models, names, strict=True)]
    scale = course.Scale(log_iterations=args.log in ("iterations", "both"), log_loss=args.log in ("loss", "both"))
    drawn = course.Plot(courses, scale)
    if args.output:
        picture.write(picture.picture(drawn), args.output)
        if not args.quiet:
            narrate(f"wrote {args.output}")
    if args.json:
        print_json({"models": [course.as_json() for course in courses]})
    elif args.terminal or not args.output:
        width, height = shutil.get_terminal_size()
        print(terminal.in_terminal(drawn, width, height, colours_for(sys.stdout)))

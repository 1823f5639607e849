"""`fastrnn sample`: writes with a model."""

import argparse
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fastrnn.cli.models import load_char_rnn
from fastrnn.cli.output import add_json, print_json
from fastrnn.cli.settings import wrong_arguments
from fastrnn.cli.texts import STDIN, read_stdin
from fastrnn.program import at_least_one, integer, real, seed

if TYPE_CHECKING:
    from fastrnn import CharRNN

HELP = "write with a model"
BETWEEN_SAMPLES = "----"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `fastrnn sample`."""
    parser.description = "Writes a text with a model, as it is drawn, to standard output."
    parser.epilog = "example: fastrnn sample model.safetensors -n 300 --prime 'The ' --temperature 0.8"
    parser.add_argument("model", metavar="MODEL", help="a file that `fastrnn train` or a model's `save` wrote")
    parser.add_argument("-n", type=integer, default=500, metavar="N", help="tokens to write (default: %(default)s)")
    parser.add_argument("--prime", default="", metavar="TEXT", help="what to go on from; - reads standard input")
    parser.add_argument(
        "--temperature", type=real, default=1.0, metavar="X", help="0: the likeliest; above 1: wilder (default: 1)"
    )
    parser.add_argument("--top-k", type=integer, metavar="K", help="of the K likeliest tokens alone")
    parser.add_argument("--top-p", type=real, metavar="P", help="of the fewest likeliest that have the probability P")
    parser.add_argument("--stop", action="append", metavar="TEXT", help="end before this; may be given several times")
    parser.add_argument("--seed", type=seed, metavar="N", help="of what is drawn (default: another one each time)")
    parser.add_argument(
        "--num-samples",
        type=at_least_one,
        metavar="N",
        help=f"so many texts, with a line {BETWEEN_SAMPLES} between two",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Writes."""
    model = load_char_rnn(args.model)
    prime: str | bytes = read_stdin() if args.prime == STDIN else args.prime
    with wrong_arguments("n", "prime", "temperature", "top_k", "top_p", "stop"):
        texts = _texts(model, prime, args)
    if args.json:
        for text in texts:
            print_json({"text": "".join(text)})
        return
    for i, text in enumerate(texts):
        if i:
            print(BETWEEN_SAMPLES)
        _write(text, whole_lines=args.num_samples is not None or sys.stdout.isatty())


def _texts(model: "CharRNN", prime: str | bytes, args: argparse.Namespace) -> list[Iterable[str]]:
    """Each text in pieces. Errors come here, before the first one."""
    from fastrnn.random import generator

    how: dict[str, Any] = {name: getattr(args, name) for name in ("temperature", "top_k", "top_p", "stop")}
    rng = generator(args.seed)
    if args.num_samples is None:
        return [model.stream(args.n, prime, rng=rng, **how)]
    return [[text] for text in model.sample(args.n, prime, rng=rng, num_samples=args.num_samples, **how)]


def _write(pieces: Iterable[str], whole_lines: bool) -> None:
    """Writes the pieces as they come, and, with `whole_lines`, a line end where the text has none."""
    last = ""
    for last in pieces:
        sys.stdout.write(last)
        sys.stdout.flush()
    if whole_lines and not last.endswith("\n"):
        sys.stdout.write("\n")

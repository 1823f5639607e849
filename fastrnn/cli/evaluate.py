"""`fastrnn eval`: how well a model knows a text."""

import argparse

from fastrnn.cli.models import load_char_rnn
from fastrnn.cli.output import add_json, print_json, print_table
from fastrnn.cli.texts import read_texts

HELP = "say how well a model knows a text"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `fastrnn eval`."""
    parser.description = (
        "Says how well a model predicts each token of a text from those before it: the fewer bits, the better."
    )
    parser.epilog = "example: fastrnn eval model.safetensors other.txt"
    parser.add_argument("model", metavar="MODEL", help="a file that `fastrnn train` or a model's `save` wrote")
    parser.add_argument("text", metavar="TEXT", help="a UTF-8 file; - is standard input")
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Says it."""
    model = load_char_rnn(args.model)
    figures = model.evaluate(read_texts([args.text], model.tokens))
    if args.json:
        print_json({"model": args.model, "text": args.text, **figures})
        return
    print_table(
        {
            "bits per character": f"{figures['bits_per_char']:.4f}",
            "bits per token": f"{figures['bits_per_token']:.4f}",
            "loss, nats per token": f"{figures['loss']:.4f}",
            "perplexity": f"{figures['perplexity']:.4f}",
            "tokens": f"{figures['tokens']:,}",
        }
    )

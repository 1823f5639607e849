"""The min-char-rnn script as a program, over the kernels or over NumPy.

`python -m fastrnn.min_char_rnn` and `python -m fastrnn.reference` are this program over those modules' `bind` and
`Trainer`.
"""

import argparse
import sys
import time
from types import ModuleType
from typing import NoReturn

import numpy as np

from fastrnn.program import OneLineParser, at_least_one, exit_code_of, positive, seed, units
from fastrnn.text import default_text, read_text
from fastrnn.tokens import tokens_of

SAMPLE_LENGTH = 200  # characters


def train(args: argparse.Namespace, text: str, module: ModuleType) -> None:
    """Trains and prints as the script does: a sample from the state before an iteration, then that iteration's loss."""
    tokens = tokens_of("char", text)
    H, V = args.hidden_size, tokens.size
    print(f"data has {len(text)} characters, {V} unique.")

    # The script's draws from NumPy's global state, in its order.
    np.random.seed(args.seed)  # noqa: NPY002
    Wxh, Whh, Why = (
        (np.random.randn(*shape) * 0.01).astype(args.dtype)  # noqa: NPY002
        for shape in ((H, V), (H, H), (V, H))
    )
    parameters = (Wxh, Whh, Why, np.zeros((H, 1), args.dtype), np.zeros((V, 1), args.dtype))
    _, sample = module.bind(*parameters)
    trainer = module.Trainer(
        *parameters, tokens.encode(text), seq_length=args.seq_length, learning_rate=args.learning_rate
    )
    for n in range(0, args.iterations, args.sample_every):
        characters = sample(trainer.hprev, trainer.text[trainer.position], SAMPLE_LENGTH)
        print(f"----\n {tokens.decode(characters)} \n----")
        print(f"iter {n}, loss: {trainer.run(1):f}", flush=True)
        trainer.run(min(args.sample_every, args.iterations - n) - 1)


def parse(prog: str, argv: list[str] | None) -> argparse.Namespace:
    parser = OneLineParser(
        prog=prog,
        description="Trains a character model as Karpathy's min-char-rnn does, printing samples and the smooth loss.",
        epilog=f"example: {prog} book.txt --iterations 20000 --sample-every 2000 --seed 1",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="a UTF-8 text; without it, Python's own manual")
    parser.add_argument("--hidden-size", type=units, default=100, help="hidden units (default: %(default)s)")
    parser.add_argument(
        "--seq-length", type=at_least_one, default=25, help="characters in a sequence (default: %(default)s)"
    )
    parser.add_argument(
        "--learning-rate", type=positive, default=0.1, help="Adagrad's step size (default: %(default)s)"
    )
    parser.add_argument(
        "--iterations", type=at_least_one, default=10000, help="sequences to train on (default: %(default)s)"
    )
    parser.add_argument("--seed", type=seed, help="of NumPy's random state; without it, another one each time")
    parser.add_argument(
        "--sample-every", type=at_least_one, default=100, help="iterations from sample to sample (default: %(default)s)"
    )
    parser.add_argument(
        "--dtype", choices=("float64", "float32"), default="float64", help="of all numbers (default: %(default)s)"
    )
    return parser.parse_args(argv)


def load(args: argparse.Namespace) -> str:
    """The text to train on; ValueError or OSError where there is none, or not enough of it."""
    name = args.file if args.file is not None else "Python's manual"
    text = default_text() if args.file is None else read_text(args.file)
    if not text:
        raise ValueError(f"{name} is empty: there is nothing to train on")
    if len(text) < args.seq_length + 1:
        raise ValueError(
            f"{name} has {len(text)} characters, fewer than the {args.seq_length + 1} that one sequence and its "
            f"targets take: use a longer text, or --seq-length {max(len(text) - 1, 1)}"
        )
    return text


def run(prog: str, argv: list[str] | None, module: ModuleType) -> None:
    args = parse(prog, argv)
    start = time.perf_counter()
    train(args, load(args), module)
    sys.stdout.flush()
    seconds = time.perf_counter() - start
    characters = args.iterations * args.seq_length
    print(f"{characters:,} characters in {seconds:.2f} s: {characters / seconds:,.0f} a second", file=sys.stderr)


def main(module: ModuleType, argv: list[str] | None = None) -> NoReturn:
    """Runs the program and exits: 0 at the end, 1 on a failure, 2 on a wrong call, 130 on Ctrl-C."""
    prog = f"python -m {module.__name__}"
    remedy = "use a smaller --hidden-size or --seq-length"
    sys.exit(exit_code_of(prog, lambda: run(prog, argv, module), memory_remedy=remedy))

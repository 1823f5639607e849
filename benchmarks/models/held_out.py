"""Bits per character on held-out text after a given time on one core: CharRNN, or the same network in PyTorch.

    python -m benchmarks.models.held_out FILE --side fastrnn --seconds 600
    python -m benchmarks.models.held_out FILE --side pytorch --seconds 600

The last tenth of the text is held out. Both sides train the same network by the same rule (Adam, gradients clipped by
norm, the learning rate warmed up and then on a cosine down to 0 at the end of the time, dropout) from weights of the
same distribution, on B streams of T characters at a time whose states are carried. How many iterations the time
allows is first found by doing some. Time is that of the process on its core, evaluation left out.
"""

import argparse
import importlib
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]


class Side(Protocol):
    """One library's model of the text."""

    def train(self, iterations: int) -> None: ...

    def held_out_bits(self) -> float:
        """Bits per character of the held-out text, read from its first character to its last with one state."""


Make = Callable[[argparse.Namespace, str, str, int], Side]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Bits per character on held-out text after a given time on one core.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--side", choices=("fastrnn", "pytorch"), default="fastrnn")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--cell", choices=("rnn", "gru", "lstm"), default="lstm")
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--num-layers", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seq-length", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=0.004)
    parser.add_argument("--warmup", type=int, default=100)
    parser.add_argument("--dropout", type=float, default=0.25)
    parser.add_argument("--clip-norm", type=float, default=1.0, help="of the gradient of the mean loss per character")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def seconds_an_iteration(make: Make, args: argparse.Namespace, train: str, held_out: str) -> float:
    """Of a model that is thrown away again."""
    side = make(args, train, held_out, 1000)
    side.train(5)
    start = time.process_time()
    side.train(25)
    return (time.process_time() - start) / 25


def main() -> None:
    args = parse()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    text = args.file.read_text(encoding="utf-8")
    border = len(text) - len(text) // 10
    train, held_out = text[:border], text[border:]
    make: Make = importlib.import_module(f"benchmarks.models.held_out_{args.side}").make
    iterations = int(args.seconds / seconds_an_iteration(make, args, train, held_out))
    print(f"{args.side}: {vars(args)}", flush=True)
    print(f"{len(train)} characters to train on, {len(held_out)} held out; {iterations} iterations", flush=True)

    side = make(args, train, held_out, iterations)
    spent, done, step = 0.0, 0, math.ceil(iterations / 10)
    while done < iterations and spent < args.seconds:
        start = time.process_time()
        side.train(min(step, iterations - done))
        spent += time.process_time() - start
        done += min(step, iterations - done)
        characters = done * args.batch_size * args.seq_length
        print(
            f"{done} iterations, {spent:.0f} s, {characters / spent:,.0f} characters a second: "
            f"{side.held_out_bits():.4f} bits per character held out",
            flush=True,
        )


if __name__ == "__main__":
    main()

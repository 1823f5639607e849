"""`python -m benchmarks`: the table of fastrnn against its NumPy reference."""

import argparse
import dataclasses
import json
import os
import sys

import numpy as np

import fastrnn
from benchmarks import bench_char_rnn

LEGEND = """\
train:  one iteration, lossFun and Adagrad, batch 1, T = 25, V = 65.  sample: 200 characters.  One thread, pinned.
ratio:  the reference's time over fastrnn's, both of this dtype; median of the pairs, and their quartiles.
error:  train, the largest difference from the reference in float64, relative to each array's largest element;
        sample, characters that differ from the reference's (same seed, same dtype).
"""


def pin() -> str:
    """Keeps this process on one processor where the system can; says which."""
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned"
    cpu = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpu})
    return f"pinned to processor {cpu}"


def line(row: bench_char_rnn.Row) -> str:
    pair = row.pair
    ratio = f"{pair.ratio:6.1f} ({pair.ratio_low:5.1f} to {pair.ratio_high:5.1f})"
    times = f"{pair.a * 1e6:10.1f} {pair.b * 1e6:11.1f}  {row.characters / pair.a:12,.0f}"
    return f"{row.task:7} {row.dtype:8} {row.hidden_size:5}  {ratio}  {times}  {row.error:>9}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--hidden-size", type=int, nargs="+", default=bench_char_rnn.HIDDEN_SIZES)
    parser.add_argument("--dtype", nargs="+", choices=bench_char_rnn.DTYPES, default=bench_char_rnn.DTYPES)
    parser.add_argument("--rounds", type=int, default=31, help="pairs a row (default: 31)")
    parser.add_argument("--json", metavar="FILE", help="also write the figures to this file")
    args = parser.parse_args()
    if args.rounds < 2 or min(args.hidden_size) < 1:
        parser.error("--rounds must be at least 2, --hidden-size at least 1")

    machine = {
        "fastrnn": fastrnn.__version__,
        "numpy": np.__version__,
        "python": sys.version.split()[0],
        **fastrnn.cpu_info(),
        "affinity": pin(),
    }
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    print(LEGEND)
    print("task    dtype        H   ratio     (quartiles)    fastrnn us  NumPy us   characters/s      error")
    table = []
    for row in bench_char_rnn.rows(tuple(args.hidden_size), tuple(args.dtype), args.rounds):
        print(line(row), flush=True)
        table.append(dataclasses.asdict(row))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine, "rows": table}, file, indent=1)


if __name__ == "__main__":
    main()

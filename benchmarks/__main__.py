"""`python -m benchmarks`: fastrnn against NumPy, other libraries, and what the processor can do."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import goals, run, table
from benchmarks.contenders import NUMPY, PEERS
from fastrnn.bench import results
from fastrnn.bench.machine import machine

QUICK: dict[str, Any] = {
    "hidden_sizes": (32, 100),
    "batches": ((8, 32),),
    "layers": ((1, 32), (8, 32)),
    "rounds": 3,
    "slice": 0.003,
    "peers": [],
}
QUICK["tasks"] = tuple(task for task in run.TASKS if task != "char-gru")  # whose check takes seconds


def two_numbers(text: str) -> tuple[int, int]:
    B, H = text.split("x")
    return int(B), int(H)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    peers = [peer.name for peer in PEERS]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=f"{__doc__} benchmarks/README.md says how to read what it prints."
    )
    parser.add_argument("--hidden-size", dest="hidden_sizes", type=int, nargs="+", metavar="H")
    parser.add_argument("--dtype", dest="dtypes", nargs="+", choices=run.DTYPES)
    parser.add_argument("--task", dest="tasks", nargs="+", choices=run.TASKS)
    parser.add_argument("--batch", dest="batches", type=two_numbers, nargs="+", metavar="BxH", help="such as 64x512")
    parser.add_argument("--cell", dest="cells", nargs="+", choices=run.CELLS)
    parser.add_argument("--layer", dest="layers", type=two_numbers, nargs="+", metavar="BxH", help="such as 1x100")
    parser.add_argument("--peers", nargs="*", choices=peers, help="none without a name (default: all that are there)")
    parser.add_argument("--rounds", type=int, help=f"slices of each side a row (default: {run.Plan.rounds})")
    parser.add_argument("--quick", action="store_true", help="NumPy only, few sizes and rounds: a look, not a measure")
    parser.add_argument("--goals", action="store_true", help="hold the figures against the project's goals")
    parser.add_argument("--json", metavar="FILE", help="write all figures to this file")
    parser.add_argument("--plot", metavar="FILE", help="draw time over H into this file, such as a .svg or a .png")
    parser.add_argument("--from", dest="source", metavar="FILE", help="measure nothing, show an earlier --json FILE")
    args = parser.parse_args(arguments)
    if args.rounds is not None and args.rounds < 2:
        parser.error("--rounds must be at least 2")
    sizes = [
        *(args.hidden_sizes or []),
        *(number for pair in (*(args.batches or []), *(args.layers or [])) for number in pair),
    ]
    if min(sizes, default=1) < 1:
        parser.error("sizes must be at least 1")
    for path in (args.json, args.plot):
        if path and not Path(path).parent.is_dir():
            parser.error(f"there is no folder {Path(path).parent}")
    return args


def chosen(args: argparse.Namespace) -> tuple[run.Plan, dict[str, str]]:
    """The plan, and which peers are absent and why."""
    names = ("hidden_sizes", "dtypes", "tasks", "batches", "cells", "layers", "rounds", "peers")
    options = {name: getattr(args, name) for name in names}
    options = (QUICK if args.quick else {}) | {name: value for name, value in options.items() if value is not None}
    wanted = options.pop("peers", [peer.name for peer in PEERS])
    absent = {}
    for peer in PEERS:
        if peer.name not in wanted:
            absent[peer.name] = "not asked for"
        elif peer.missing():
            absent[peer.name] = f"not installed: pip install {' '.join(peer.needs)}"
    return run.Plan((*NUMPY, *(peer for peer in PEERS if peer.name not in absent)), **options), absent


def measure(plan: run.Plan, absent: dict[str, str]) -> results.Results:
    """The run, its rows printed as they come."""
    libraries = ["numpy", *(name for contender in plan.contenders for name in contender.needs)]
    found = results.Results(machine(libraries, plan.rounds), [contender.name for contender in plan.contenders], absent)
    print(*table.head(found), sep="\n", flush=True)
    with run.Run(plan) as measuring:
        for row in measuring.rows():
            found.rows.append(row)
            print(table.line(row, found), flush=True)
        found.ceilings = {dtype: ceilings.as_json() for dtype, ceilings in measuring.ceilings.items()}
    return found


def main() -> None:
    args = parse()
    if args.plot:
        try:
            from benchmarks import plot
        except ModuleNotFoundError as error:
            sys.exit(f"--plot needs {error.name}: pip install matplotlib")
    if args.source:
        found = results.read(args.source)
        print(*table.head(found), *(table.line(row, found) for row in found.rows), sep="\n")
    else:
        found = measure(*chosen(args))
    print(*table.tail(found), sep="\n")
    if args.goals:
        print("", "Goals", *goals.lines(found), sep="\n")
    if args.json:
        found.write(args.json)
    if args.plot:
        plot.draw(found, args.plot)


if __name__ == "__main__":
    main()

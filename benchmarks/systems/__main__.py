"""`python -m benchmarks.systems`: how fast whole systems train, beside a script in NumPy and loops in PyTorch."""

import argparse
import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.goals import Goal, verdicts
from benchmarks.systems.run import Row, measure
from benchmarks.systems.systems import CONTENDERS, SYSTEMS
from fastrnn.bench.figures import microseconds, with_interval
from fastrnn.bench.machine import environment
from fastrnn.bench.results import rounded

QUICK = {"rounds": 2, "slice": 0.01}
LEGEND = """\
us     of one update, median; peer: the one named beside it
ratio  the peer's time over fastrnn's, so above 1 fastrnn is faster: median of paired ratios, the true one within ± with
       95 % confidence
error  the largest difference of the two sides' weights after some updates, relative to each array's largest"""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.systems", description=__doc__)
    names = [system.name for system in SYSTEMS]
    parser.add_argument("--system", dest="systems", nargs="+", choices=names, default=names)
    parser.add_argument("--rounds", type=int, default=25, help="slices of each side a row (default: %(default)s)")
    parser.add_argument("--slice", type=float, default=0.25, help="seconds that each takes (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="tiny systems, two rounds: a look, not a measure")
    parser.add_argument("--json", metavar="FILE", help="write all figures to this file")
    args = parser.parse_args(arguments)
    if args.rounds < 2:
        parser.error("--rounds must be at least 2")
    if not args.slice > 0:
        parser.error("--slice must be above 0")
    if args.json and not Path(args.json).parent.is_dir():
        parser.error(f"there is no folder {Path(args.json).parent}")
    return args


def head(machine: dict[str, Any]) -> Iterator[str]:
    yield ", ".join(f"{key} {value}" for key, value in machine.items())
    yield ""
    for name, contender in CONTENDERS.items():
        missing = contender.missing()
        absent = f"absent: not installed: pip install {' '.join(missing)}" if missing else ""
        yield f"{name:12} {absent or contender.about}"
    yield ""
    for system in SYSTEMS:
        yield f"{system.name:12} {system.about}"
    yield from ("", LEGEND, "", f"{'system':12} {'us':>9} {'peer':>8} {'its us':>9} {'ratio':>14} {'error':>8}")


def line(row: Row) -> str:
    peer = microseconds(row.peer_seconds.value) if row.peer_seconds else "-"
    ratio = with_interval(row.ratio) if row.ratio else "-"
    error = "-" if row.error is None else f"{row.error:.0e}"
    return f"{row.system:12} {microseconds(row.seconds.value):>9} {row.peer:>8} {peer:>9} {ratio:>14} {error:>8}"


def goals(rows: Sequence[Row]) -> list[Goal]:
    return [Goal(f"{row.system}: times faster than {row.peer}", row.goal, row.ratio) for row in rows]


def main() -> None:
    args = parse()
    libraries = [
        "numpy",
        *(name for contender in CONTENDERS.values() if not contender.missing() for name in contender.needs),
    ]
    machine = environment(libraries)
    print(*head(machine), sep="\n", flush=True)
    timing = {"rounds": args.rounds, "slice": args.slice} | (QUICK if args.quick else {})
    rows = []
    for system in SYSTEMS:
        if system.name in args.systems:
            rows.append(measure(system, system.small if args.quick else system.problem, **timing))
            print(line(rows[-1]), flush=True)
    if not args.quick:
        print("", "Goals", *verdicts(goals(rows)), sep="\n")
    if args.json:
        found = {"machine": machine, **timing, "rows": [rounded(dataclasses.asdict(row)) for row in rows]}
        Path(args.json).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

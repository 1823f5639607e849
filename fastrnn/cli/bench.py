"""`fastrnn bench`: how fast fastrnn is on this machine."""

import argparse
import os
import sys
from typing import TYPE_CHECKING

from fastrnn.cli.output import add_json, add_quiet, narrate, print_json
from fastrnn.program import positive, units

if TYPE_CHECKING:
    from fastrnn.bench.results import Results, Row

HELP = "measure fastrnn against NumPy on this machine"
LEGEND = """\
train           one iteration of min-char-rnn: {T} characters of {V}, Adagrad
sample          one character of {sample_length} that min-char-rnn draws
rnn, gru, lstm  one training step of a layer and a linear one on it: B sequences
                of {T} characters, Adagrad
fastrnn, NumPy  medians in microseconds; NumPy {numpy} runs fastrnn.reference
times faster    median of NumPy's time over fastrnn's, taken in turn; the true
                one lies within ± with 95 % confidence
x floor         fastrnn's time over the least that the ceilings below allow
errors          the largest difference of fastrnn and of NumPy from the
                reference in float64, after some iterations, relative to each
                array's largest number (Adagrad's first steps magnify rounding);
                of samples, characters that differ"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `fastrnn bench`."""
    parser.description = (
        "Measures fastrnn against NumPy on this machine, one thread each: training and sampling of min-char-rnn, and\n"
        "training steps of layers; and what the processor could do at most. It takes about a minute."
    )
    parser.epilog = "example: fastrnn bench --seconds 10 --hidden-size 100"
    parser.add_argument(
        "--hidden-size",
        type=units,
        nargs="+",
        default=[100, 256],
        metavar="H",
        dest="hidden_sizes",
        help="hidden units, one number or several (default: 100 256)",
    )
    parser.add_argument(
        "--seconds",
        type=positive,
        default=60.0,
        help="about how long it may take; with less the figures are less certain (default: %(default)g)",
    )
    add_json(parser)
    add_quiet(parser)


def run(args: argparse.Namespace) -> None:
    """Measures, each row of the table being printed as it comes; with --json the table is narration."""
    from fastrnn.bench import THREADS, one_thread

    if "numpy" in sys.modules and os.environ.get(THREADS[0]) != "1" and not args.quiet:
        narrate(f"NumPy may use more than one thread: set {THREADS[0]}=1")  # it comes first where FASTRNN_ISA is set
    one_thread()
    from fastrnn.bench.comparison import compare

    def table(line: str) -> None:
        if not args.json:
            print(line, flush=True)
        elif not args.quiet:
            narrate(line)

    if not args.quiet:
        narrate(f"measuring for about {args.seconds:g} s; other programs had better rest meanwhile")
    table(_heading())
    found = compare(args.hidden_sizes, args.seconds, lambda row: table(_line(row)))
    if args.json:
        print_json(found.as_json())
    else:
        print(_end(found))


def _heading() -> str:
    return (
        f"{'task':6} {'dtype':7} {'B':>2} {'H':>4} {'fastrnn':>8} {'NumPy':>9} {'times faster':>13} {'x floor':>7} "
        f"{'errors':>13}"
    )


def _line(row: "Row") -> str:
    from fastrnn.bench.figures import digits, error, microseconds, with_interval
    from fastrnn.bench.problem import SAMPLE_LENGTH

    numpy = row.sides[0]
    mine, its = (error(row, side.error, SAMPLE_LENGTH) for side in (row, numpy))
    return (
        f"{row.cell or row.task:6} {row.dtype} {row.B:2} {row.H:4} {microseconds(row.seconds.value):>8} "
        f"{microseconds(numpy.seconds.value):>9} {with_interval(numpy.ratio):>13} "
        f"{digits(row.times_floor.value):>7} {mine:>6} {its:>6}"
    )


def _end(found: "Results") -> str:
    """What stands below the rows."""
    from fastrnn.bench.figures import ceilings

    machine = found.machine
    of = f"The ceilings of {machine['processor']}, one thread, {machine['isa']}"
    return "\n".join(["", LEGEND.format(**machine), "", of, *ceilings(found.ceilings)])

"""The results in print."""

from collections.abc import Iterator

from benchmarks.contenders import named
from fastrnn.bench.figures import ceilings, error, microseconds, with_interval
from fastrnn.bench.results import Results, Row, Side

LEGEND = """\
train    one iteration of training, B = 1         sample   one character of {sample}, drawn one after the other
lossFun  one call of bind's lossFun from Python   batch    loss and gradients of B sequences at once
layer    one training step of a cell and a        stream   one step of a cell over a long sequence, of one call
         linear layer, with Adagrad               step     one step of a cell, called from Python
network  the same, many in one native call        char-gru one chunk: embedding, GRU, linear layer, Adam
us       median, in microseconds
x floor  its ratio to the least time that the ceilings of multiply-adds and loads allow
x bound  the same with what else nobody gets around: loads beside multiply-adds, numbers put back, whole registers, and
         steps that wait for one another
error    the largest difference from fastrnn.reference in float64, relative to each array's largest number (of
         training after some iterations); sample: characters that differ from the reference's of the same dtype
The other columns are ratios: that side's time over fastrnn's, so above 1 fastrnn is faster. Medians of paired ratios;
the true one lies within ± with 95 % confidence."""


def problem(row: Row, own_isa: str) -> str:
    """The row's name, 32 characters wide."""
    task = " ".join([row.task, *([row.cell] if row.cell else []), *([row.isa] if row.isa != own_isa else [])])
    return f"{task:14} {row.dtype:8} {row.B:3} {row.H:5}"


def heading(results: Results) -> str:
    names = "".join(f"{name:>14}" for name in results.contenders)
    speed = f"{'us':>9} {'characters/s':>13} {'x floor':>8} {'x bound':>8}"
    return f"{'task':14} {'dtype':8} {'B':>3} {'H':>5} {speed}{names} {'error':>8}"


def line(row: Row, results: Results) -> str:
    cells = []
    for name in results.contenders:
        side = row.side(name)
        cells.append(f"{with_interval(side.ratio) if side else '-':>14}")
    speed = (
        f"{microseconds(row.seconds.value):>9} {row.characters / row.seconds.value:13,.0f}"
        f" {row.times_floor.value:8.2f} {row.times_bound.value:8.2f}"
    )
    found = error(row, row.error, results.machine["sample_length"])
    return f"{problem(row, results.machine['isa'])} {speed}{''.join(cells)} {found:>8}"


def times(results: Results) -> Iterator[str]:
    """Everybody's microseconds, and the floor's and the bound's."""
    names = ["floor", "bound", "fastrnn", *results.contenders]
    yield f"{'task':14} {'dtype':8} {'B':>3} {'H':>5}" + "".join(f"{name:>11}" for name in names)
    for row in results.rows:
        sides = [row.side(name) for name in results.contenders]
        seconds = [
            row.floor.seconds.value,
            row.bound.seconds.value,
            row.seconds.value,
            *(side.seconds.value if side else None for side in sides),
        ]
        cells = "".join(f"{'-' if value is None else microseconds(value):>11}" for value in seconds)
        yield problem(row, results.machine["isa"]) + cells


def parts(results: Results) -> Iterator[str]:
    """What the floor and the bound of training are made of, in microseconds by the best ceilings of the row."""
    rows = [row for row in results.rows if row.task == "train"]
    names = list(dict.fromkeys(name for row in rows for name in row.floor.parts))
    if rows:
        yield f"{'':32}      " + "".join(f"{name:>12}" for name in [*names, "in all", "fastrnn"])
    for row in rows:
        for which, least in (("floor", row.floor), ("bound", row.bound)):
            found = [least.parts[name] for name in names]
            cells = "".join(f"{microseconds(value):>12}" for value in [*found, sum(found), row.seconds.value])
            yield f"{problem(row, results.machine['isa'])} {which}{cells}"


def shares(results: Results) -> Iterator[str]:
    for row in results.rows:
        if row.peak_share:
            yield f"{problem(row, results.machine['isa'])}  {with_interval(row.peak_share)}"


def errors(results: Results) -> Iterator[str]:
    """Each side's largest error over all rows, by its own dtype: did they do the same work?"""
    for task in dict.fromkeys(row.task for row in results.rows if row.task != "sample"):
        found: dict[tuple[str, str], float] = {}
        for row in results.rows:
            if row.task == task:
                own = Side("fastrnn", row.dtype, row.seconds, row.seconds, row.error)
                for side in (own, *row.sides):
                    key = side.name, side.dtype
                    found[key] = max(found.get(key, 0.0), side.error)
        for dtype in sorted({dtype for _, dtype in found}, reverse=True):
            cells = (f"{name} {value:.0e}" for (name, of), value in found.items() if of == dtype)
            yield f"{task:8} {dtype:8} {', '.join(cells)}"


def slower(results: Results) -> Iterator[str]:
    """Where a contender is faster than fastrnn."""
    pairs = [(row, side) for row in results.rows for side in row.sides if side.name != "fastrnn"]
    lost = [(row, side) for row, side in pairs if side.ratio.value < 1]
    for row, side in lost:
        sure = "" if side.ratio.high < 1 else ", within the uncertainty"
        yield (
            f"{problem(row, results.machine['isa'])}  {side.name}: {microseconds(side.seconds.value)} us "
            f"against {microseconds(row.seconds.value)}, ratio {with_interval(side.ratio)}{sure}"
        )
    if not lost:
        yield "nowhere in this run"


def head(results: Results) -> Iterator[str]:
    yield ", ".join(f"{key} {value}" for key, value in results.machine.items())
    yield ""
    for name in ("fastrnn", *results.contenders):
        yield f"{name:10} {named(name).about}"
    for name, reason in results.absent.items():
        yield f"{name:10} absent: {reason}"
    yield ""
    yield LEGEND.format(sample=results.machine["sample_length"])
    yield ""
    yield heading(results)


def tail(results: Results) -> Iterator[str]:
    yield from ("", "Microseconds of every side", *times(results))
    yield from ("", "Floor and bound of training, in parts, microseconds", *parts(results))
    found = list(shares(results))
    if found:
        yield from ("", "Multiply-adds of forward and backward at their peak, as a share of the time taken", *found)
    yield from ("", "Largest errors against fastrnn.reference in float64", *errors(results))
    yield from ("", "The processor's ceilings in this run, one thread", *ceilings(results.ceilings))
    yield from ("", "Where fastrnn is slower", *slower(results))

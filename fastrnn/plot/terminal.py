"""The course of training drawn with characters: it needs NumPy alone.

A letter for each model, not dots or blocks, which could be finer: curves must be told apart without colour too, in any
terminal, and in a pipe.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from fastrnn.plot.course import BEST, LOSS, SMOOTH, VALIDATION, Plot, Values

Cell = tuple[int, int]  # column and row, from below

LETTERS = "abcdefgh"  # of each model, a capital for validation
RAW, STAR = ".", "*"
ANSI = (34, 31, 32, 35, 33, 36, 94, 91)
LEAST_WIDTH, LEAST_HEIGHT = 20, 5  # of the area between the axes, in characters


@dataclass(frozen=True)
class _Axis:
    """From values to cells, 0 to cells - 1."""

    low: float
    high: float
    cells: int
    log: bool

    def cell(self, values: Any) -> Values:
        """Where the values stand, in cells and fractions of them: at the edge what lies beyond, and in the middle where
        there is only one value."""
        inside = np.clip(values, self.low, self.high)
        low, high, at = (np.log(value) if self.log else value for value in (self.low, self.high, inside))
        share = (at - low) / (high - low) if high > low else np.full(np.shape(at), 0.5)
        return np.asarray(share * (self.cells - 1))

    def value(self, cell: float) -> float:
        """What stands there."""
        share = cell / (self.cells - 1)
        if self.log:
            return float(self.low ** (1 - share) * self.high**share)
        return (1 - share) * self.low + share * self.high


def _steps(columns: Values, rows: Values) -> Iterator[Cell]:
    """The cells of a line through these points."""
    across = np.arange(round(columns[0]), round(columns[-1]) + 1)
    down = _whole(np.interp(across, columns, rows))
    for i, (column, row) in enumerate(zip(across.tolist(), down, strict=True)):
        before = down[max(i - 1, 0)]
        yield from ((column, between) for between in {row, *range(min(before, row) + 1, max(before, row))})


def in_terminal(plot: Plot, width: int, height: int, colour: bool) -> str:
    """The picture, `width` characters wide (the legend may be wider) and about `height` lines high; with `colour` each
    model's curves have ANSI's escapes for theirs. It is in ASCII but for the models' names."""
    low, high = plot.loss_range()
    digits = max(0, 2 - math.floor(math.log10(high - low or 1)))
    margin = len(f"{high:.{digits}f}") + len(" |")
    around = len(plot.courses) + 5  # lines: unit, axis, iterations, kinds, and the prompt
    x = _Axis(*plot.iteration_range(), max(LEAST_WIDTH, width - margin), plot.scale.log_iterations)
    y = _Axis(low, high, max(LEAST_HEIGHT, height - around), plot.scale.log_loss)
    marks = _marks(plot, x, y)

    def shown(text: str, number: int | None) -> str:
        return f"\x1b[{ANSI[number]}m{text}\x1b[0m" if colour and number is not None else text

    lines = [plot.loss_label]
    labelled = {round(share * (y.cells - 1)) for share in ((0, 0.25, 0.5, 0.75, 1) if low < high else (0.5,))}
    for row in reversed(range(y.cells)):
        label = f"{y.value(row):.{digits}f}" if row in labelled else ""
        line = [marks.get((column, row), (" ", None)) for column in range(x.cells)]
        runs = ((number, "".join(mark for mark, _ in run)) for number, run in groupby(line, key=itemgetter(1)))
        coloured = "".join(shown(text, number) for number, text in runs).rstrip()
        lines.append(f"{label:>{margin - 2}} |{coloured}")
    lines.append(f"{'+':>{margin}}{'-' * x.cells}")
    lines.append(" " * margin + _axis_labels(x))
    lines.append("   ".join(f"{_letters(plot, kind)} {kind}" for kind in plot.kinds()))
    lines.extend(f"{shown(LETTERS[number], number)} {course.label}" for number, course in enumerate(plot.courses))
    return "\n".join(lines)


def _marks(plot: Plot, x: _Axis, y: _Axis) -> dict[Cell, tuple[str, int]]:
    """In which cells there are marks, and of which models. Later ones hide others."""
    found: dict[Cell, tuple[str, int]] = {}

    def put(number: int, mark: str, cells: Iterable[Cell]) -> None:
        found.update((cell, (mark, number)) for cell in cells)

    for number, iterations, losses in plot.lines(LOSS):
        put(number, RAW, zip(_whole(x.cell(iterations)), _whole(y.cell(losses)), strict=True))
    for kind, letters in ((SMOOTH, LETTERS), (VALIDATION, LETTERS.upper())):
        for number, iterations, losses in plot.lines(kind):
            put(number, letters[number], _steps(x.cell(iterations), y.cell(losses)))
    for number, iteration, loss in plot.bests():
        put(number, STAR, zip(_whole(x.cell([iteration])), _whole(y.cell([loss])), strict=True))
    return found


def _whole(cells: Values) -> list[int]:
    whole: list[int] = np.rint(cells).astype(int).tolist()
    return whole


def _letters(plot: Plot, kind: str) -> str:
    """The marks of this kind."""
    if kind in (LOSS, BEST):
        return {LOSS: RAW, BEST: STAR}[kind]
    letters = " ".join(LETTERS[number] for number, *_ in plot.lines(kind))
    return letters.upper() if kind == VALIDATION else letters


def _axis_labels(x: _Axis) -> str:
    """The iterations at the axis's beginning, middle and end."""
    first, middle, last = (f"{x.value(cell):,.0f}" for cell in (0, (x.cells - 1) / 2, x.cells - 1))
    first = f"iteration {first}"
    if x.low == x.high:
        return f"{first:^{x.cells}}".rstrip()
    before = (x.cells - len(middle)) // 2
    if before > max(len(first), len(last)):
        first = f"{first:{before}}{middle}"
    return f"{first:{x.cells - len(last)}}{last}"

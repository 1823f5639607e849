"""What a run found, and its JSON."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from fastrnn.bench.measure import Median


@dataclass(frozen=True)
class Side:
    """A contender's figures in one row. `ratio`: its time over fastrnn's, how many times faster fastrnn is."""

    name: str
    dtype: str
    seconds: Median
    ratio: Median
    error: float


@dataclass(frozen=True)
class Least:
    """The least seconds, by the ceilings of each round; and by the best ceilings of all rounds, in parts."""

    seconds: Median
    parts: dict[str, float]


@dataclass(frozen=True)
class Row:
    """fastrnn's figures for one task on one problem. Seconds, and `characters`, are those of one iteration of train,
    layer, network and char-gru, one call of lossFun and step, one character of sample and stream, one step of batch.
    `best` is the fastest slice's time. `floor` and `bound` are explained in floor.py; `ceilings` are the best ones of
    all rounds, see ceilings.py. `times_floor`, `times_bound` and `peak_share` are medians of the ratios within the
    rounds; the last one is that of the multiply-adds at their peak in the time of a batch. `error` is explained in
    check.py, `cell` in problem.py."""

    task: str
    isa: str
    dtype: str
    H: int
    B: int
    T: int
    V: int
    characters: int
    seconds: Median
    best: float
    floor: Least
    bound: Least
    ceilings: dict[str, Any]
    times_floor: Median
    times_bound: Median
    peak_share: Median | None
    error: float
    sides: list[Side]
    cell: str | None = None

    def side(self, name: str) -> Side | None:
        return next((side for side in self.sides if side.name == name), None)


@dataclass
class Results:
    """`machine`: what was compared on what. `ceilings`: by dtype, the best seen at any time of the run. `absent`: why
    a contender took no part."""

    machine: dict[str, Any]
    contenders: list[str]
    absent: dict[str, str]
    rows: list[Row] = field(default_factory=list)
    ceilings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def find(
        self, task: str, dtype: str, H: int, B: int = 1, isa: str | None = None, cell: str | None = None
    ) -> Row | None:
        wanted = task, dtype, H, B, isa or self.machine["isa"], cell
        found = (row for row in self.rows if (row.task, row.dtype, row.H, row.B, row.isa, row.cell) == wanted)
        return next(found, None)

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON has it, every number with five digits: more than any measurement here has."""
        values: dict[str, Any] = rounded(dataclasses.asdict(self))
        return values

    def write(self, path: str) -> None:
        """Writes that into a file."""
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.as_json(), file, indent=1)
            file.write("\n")


def rounded(value: Any) -> Any:
    """Every number in it with five digits: more than any measurement here has."""
    if isinstance(value, float):
        return float(f"{value:.4e}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, (list, tuple)) else value


def _row(found: dict[str, Any]) -> Row:
    sides = [
        Side(**side | {"seconds": Median(**side["seconds"]), "ratio": Median(**side["ratio"])})
        for side in found["sides"]
    ]
    medians = {name: Median(**found[name]) for name in ("seconds", "times_floor", "times_bound")}
    least = {name: Least(Median(**found[name]["seconds"]), found[name]["parts"]) for name in ("floor", "bound")}
    share = Median(**found["peak_share"]) if found["peak_share"] else None
    return Row(**found | medians | least | {"peak_share": share, "sides": sides})


def read(path: str) -> Results:
    with open(path, encoding="utf-8") as file:
        found = json.load(file)
    return Results(**found | {"rows": [_row(row) for row in found["rows"]]})

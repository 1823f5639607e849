"""The course of training: a record now and then."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from fastrnn.arguments import finite, flag, integer


@dataclass(frozen=True)
class Record:
    """Where training stood after an iteration.

    iteration: how many were done. loss: of the last one, of a `CharRNN` in nats per token, of the others as the model's
    class has it. smooth_loss: of a `CharRNN` in nats per sequence, as min-char-rnn prints it. learning_rate: of the
    last iteration. validation_loss: of what is held out, in the unit of loss, or None without that. provisional: this
    is the end of a `fit` between two regular records; it goes when training goes on.
    """

    iteration: int
    loss: float
    smooth_loss: float
    learning_rate: float
    validation_loss: float | None = None
    provisional: bool = False

    def __post_init__(self) -> None:
        integer(self.iteration, "iteration", 1)
        for name in ("loss", "smooth_loss", "learning_rate"):
            finite(getattr(self, name), name)
        if self.validation_loss is not None:
            finite(self.validation_loss, "validation_loss")
        flag(self.provisional, "provisional")


COLUMNS = tuple(field.name for field in fields(Record))


class History(Sequence[Record]):
    """The records of a model's whole training, oldest first, as a sequence; `column` has them as arrays.

    It is the model's own, and grows while training goes on; `list(history)` is a copy that stays.
    """

    def __init__(self, records: Sequence[Record] = ()) -> None:
        self._records = list(records)

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        return self._records[index]

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and self._records == other._records

    __hash__ = None  # type: ignore[assignment]  # it changes

    def column(self, name: str) -> "NDArray[Any]":
        """One field of every record as an array (n,): "iteration" int64, "provisional" bool, the others float64, NaN
        where there is no value. ValueError for another name."""
        if name not in COLUMNS:
            raise ValueError(f"name must be one of {', '.join(COLUMNS)}, not {name!r}")
        dtype = {"iteration": np.int64, "provisional": np.bool_}.get(name, np.float64)
        values = [getattr(record, name) for record in self._records]
        return np.array([math.nan if value is None else value for value in values], dtype)

    def __repr__(self) -> str:
        """A line for each of the last records."""
        shown = self._records[-5:]
        lines = [f"History of {len(self)} records" + (", the last:" if shown else "")]
        for r in shown:
            validation = "" if r.validation_loss is None else f", validation loss {r.validation_loss:.4f}"
            lines.append(f"  iteration {r.iteration}: loss {r.loss:.4f}, smooth loss {r.smooth_loss:.4f}{validation}")
        return "\n".join(lines)

    def add(self, record: Record) -> None:
        """Puts a record at the end, in the place of a provisional one, or of one of the same iteration."""
        self.drop_provisional()
        if self._records and self._records[-1].iteration == record.iteration:
            self._records.pop()
        self._records.append(record)

    def drop_provisional(self) -> None:
        """Takes a provisional record away."""
        if self._records and self._records[-1].provisional:
            self._records.pop()

    def as_json(self) -> list[dict[str, Any]]:
        """The records as JSON has them."""
        return [asdict(record) for record in self._records]

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """What `as_json` returned; TypeError or ValueError for anything else."""
        if not isinstance(values, list):
            raise TypeError("history must be a list of records")
        for value in values:
            if not isinstance(value, dict) or sorted(value) != sorted(COLUMNS):
                raise ValueError(f"a record of the history must have the entries {', '.join(COLUMNS)}")
        return cls([Record(**value) for value in values])

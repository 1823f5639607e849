"""The course of training as JSON lines, a line for each record."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from fastrnn.cli.narration import bits_per_char

if TYPE_CHECKING:
    from fastrnn import CharRNN
    from fastrnn.history import Record

STDOUT = "-"


class HistoryFile:
    """Has all records of a model's history, those from before it was resumed too. Without a name it writes nothing."""

    def __init__(self, name: str | None) -> None:
        self._file: TextIO | None = None
        if name is not None:
            self._file = sys.stdout if name == STDOUT else open(name, "w", encoding="utf-8")  # noqa: SIM115
        self._written = 0

    def write(self, model: "CharRNN", final: bool = False) -> None:
        """Writes what the history has more than the file; at the very end also the provisional record."""
        if self._file is None:
            return
        for record in model.history[self._written :]:
            if final or not record.provisional:
                self._file.write(json.dumps(as_line(model, record)) + "\n")
                self._written += 1
        self._file.flush()


def as_line(model: "CharRNN", record: "Record") -> dict[str, Any]:
    """A record, with its losses in bits per character too."""
    validation = record.validation_loss
    return {
        **asdict(record),
        "bits_per_char": bits_per_char(model, record.loss),
        "validation_bits_per_char": None if validation is None else bits_per_char(model, validation),
    }

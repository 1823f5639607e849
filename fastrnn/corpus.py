"""A text to train on, as a model sees it: its codes, the part held out, and how it is read in chunks."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.codes import EncodedText
from fastrnn.text import Text

Codes = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text with its codes, kept so that the same object need not be encoded again."""

    text: Text
    status: tuple[int, ...] | None  # of its file, if it is one
    encoded: EncodedText

    def is_of(self, text: Text) -> bool:
        """Whether this is the very same text, or a path of it whose file was not touched."""
        return self.text is text and self.status == file_status(text)


@dataclass(frozen=True)
class Chunks:
    """How an iteration takes its B sequences of T tokens from a text of n.

    "stream": from B streams of n // B tokens, which are read on; "random": anywhere.
    """

    kind: str
    B: int
    T: int

    def least(self) -> int:
        """The tokens that a text must have."""
        return (self.T + 1) * (self.B if self.kind == "stream" else 1)

    def per_epoch(self, n: int) -> int:
        """The iterations that take about as many tokens as the text has."""
        if self.kind == "stream":
            return (n // self.B - 1) // self.T
        return max(1, n // (self.T * self.B))

    def is_position(self, position: int, n: int) -> bool:
        """Whether a stream can be at this position."""
        return position == 0 or 0 < position <= n // self.B - self.T - 1


def split(codes: Codes, validation: float, chunks: Chunks, name: str) -> tuple[Codes, Codes]:
    """The part to train on, and the last `validation` of the tokens, held out. ValueError where either is too short."""
    held_out = round(len(codes) * validation)
    training = len(codes) - held_out
    if training < chunks.least():
        left = (
            f"{name} has {len(codes)} tokens, of which {training} are to train on"
            if held_out
            else (f"{name} has {len(codes)} tokens")
        )
        raise ValueError(
            f"{left}: batch_size={chunks.B} sequences of seq_length={chunks.T} and their targets take at least "
            f"{chunks.least()}; use a longer text, or make one of these smaller"
        )
    if validation and held_out < 2:
        raise ValueError(f"validation={validation} of {len(codes)} tokens holds out {held_out}: hold out at least 2")
    return codes[:training], codes[training:]


def validation_streams(n: int) -> int:
    """How many parts of a held-out text are read side by side: up to 64, as far as each has some 256 tokens, so that
    what is lost at their beginnings, where nothing was read yet, counts little."""
    return min(64, max(1, (n - 1) // 256))


def file_status(text: Text) -> tuple[int, ...] | None:
    """What changes when the file of a text does; None for a text that is no file."""
    if not isinstance(text, os.PathLike):
        return None
    status = os.stat(text)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns

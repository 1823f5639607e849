"""Texts to train on, and the characters that they are made of."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray


def default_text() -> str:
    """The text found on every Python installation: the language's own manual, as `help()` shows it."""
    from pydoc_data.topics import topics

    return "\n".join(topics[name] for name in sorted(topics))


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a UTF-8 file, line ends as \\n. OSError where it can't be read, ValueError where it isn't UTF-8."""
    with open(path, encoding="utf-8") as file:
        try:
            return file.read()
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not UTF-8 text (byte {error.start}): convert it to UTF-8") from None


class Vocabulary:
    """The distinct characters of a text, sorted, and the numbers 0 ... V - 1 that stand for them."""

    def __init__(self, text: str) -> None:
        self.characters = sorted(set(text))

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> NDArray[np.int64]:
        """The numbers of the text's characters, all of which must be in the vocabulary: shape (len(text),)."""
        if unknown := set(text).difference(self.characters):
            raise ValueError(f"{min(unknown)!r} is not in the vocabulary")
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        known = np.array([ord(character) for character in self.characters], dtype=np.uint32)
        return np.searchsorted(known, points).astype(np.int64)

    def decode(self, indices: Any) -> str:
        """The text that these numbers stand for."""
        return "".join(self.characters[index] for index in indices)

"""Texts to train on: the one that is always there, and any other, read block after block."""

import codecs
import io
import os
import stat
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, AnyStr

import numpy as np
from numpy.typing import NDArray

Text = str | bytes | os.PathLike[str]  # a text itself, or a file of it: a str is never a path

BLOCK = 2**18  # characters or bytes: much work for each call, little memory


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


class TextSource:
    """A text that is read in blocks, as often as need be, and is the same each time.

    text is a str, bytes, or the path of a regular file as an `os.PathLike`; `name` stands for it in messages, if it is
    no path. Nothing is opened here. A block is never empty. What the methods raise comes while one iterates: OSError
    where the file can't be read, ValueError where it is not regular, or not as it was when it was first read.
    """

    def __init__(self, text: Text, name: str = "text") -> None:
        if not isinstance(text, str | bytes | os.PathLike):
            raise TypeError(
                f"{name} must be a str, bytes, or the path of a file as an os.PathLike, not {type(text).__name__}"
            )
        self._text = text
        self._status: tuple[int, ...] | None = None
        self.in_memory = not isinstance(text, os.PathLike)
        self.name = os.fsdecode(text) if isinstance(text, os.PathLike) else name

    def blocks(self, newline: str | None = None, lowercase: bool = False) -> Iterator[str]:
        """The text's characters, with `newline="\\n"` every line end as \\n, with `lowercase` in lower case.

        Bytes and files are UTF-8, of which a byte-order mark at the beginning is left out; ValueError for others.
        """
        if isinstance(self._text, str):
            blocks: Iterator[str] = _slices(self._text)
        else:
            blocks = _decoded(self.byte_blocks(), self.name)
        if newline is not None:
            blocks = _with_one_line_end(blocks)
        if lowercase:
            blocks = map(_lowercased, blocks)
        return filter(None, blocks)

    def byte_blocks(self) -> Iterator[bytes]:
        """The text's bytes: a str's in UTF-8, in which a lone surrogate takes three bytes as its neighbours do."""
        if isinstance(self._text, str):
            return (block.encode("utf-8", "surrogatepass") for block in _slices(self._text))
        return _slices(self._text) if isinstance(self._text, bytes) else self._read(self._text)

    def _read(self, path: os.PathLike[str]) -> Iterator[bytes]:
        with open(path, "rb", buffering=0, opener=_open_without_waiting) as file:
            while True:
                block = file.read(BLOCK)
                self._check_status(os.fstat(file.fileno()))
                if not block:
                    return
                yield block

    def _check_status(self, status: os.stat_result) -> None:
        """ValueError unless this is a regular file, and the one that was read before, unchanged."""
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{self.name} is no regular file, which can be read twice: pass its content, as bytes")
        now = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if self._status not in (None, now):
            raise ValueError(f"{self.name} was changed while it was being read: use a copy that nobody writes to")
        self._status = now


def text_source(text: Text | TextSource, name: str = "text") -> TextSource:
    """text as a source of blocks; a TextSource as it is. TypeError for anything else."""
    return text if isinstance(text, TextSource) else TextSource(text, name)


def code_points(text: str) -> "NDArray[np.unsignedinteger[Any]]":
    """The characters' code points, (len(text),): uint8 where all are below 256, else uint32."""
    try:
        return np.frombuffer(text.encode("latin-1"), np.uint8)
    except UnicodeEncodeError:
        return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _slices(text: AnyStr) -> Iterator[AnyStr]:
    return (text[start : start + BLOCK] for start in range(0, len(text), BLOCK))


def _open_without_waiting(path: str, flags: int) -> int:
    """For `open`: a pipe that nobody writes to is opened at once too, to be refused, instead of waited for."""
    return os.open(path, flags | os.O_NONBLOCK)


def _decoded(blocks: Iterable[bytes], name: str) -> Iterator[str]:
    """The text of UTF-8 blocks, which may end within a character, without a byte-order mark at its beginning."""
    rest, done = b"", 0
    for block in chain(blocks, [b""]):
        data = rest + block
        try:
            text, used = codecs.utf_8_decode(data, "strict", not block)
        except UnicodeDecodeError as error:
            raise ValueError(
                f'{name} is not UTF-8 text (byte {done + error.start}): convert it to UTF-8, or use tokens="byte"'
            ) from None
        yield text if done else text.removeprefix("\ufeff")
        rest, done = data[used:], done + used


def _with_one_line_end(blocks: Iterable[str]) -> Iterator[str]:
    """Every \\r\\n and \\r as \\n, a \\r\\n on the border of two blocks too."""
    decoder = io.IncrementalNewlineDecoder(None, translate=True)
    for block in blocks:
        yield decoder.decode(block)
    yield decoder.decode("", final=True)


def _lowercased(text: str) -> str:
    """Each character in lower case if that is one character: unlike str.lower it keeps the length, and a character
    never depends on its neighbours, which may be in another block."""
    if text.isascii():
        return text.lower()
    points = _lower_case()[code_points(text)]
    return str(points.tobytes(), "utf-32-le", "surrogatepass")


_lower_case_points: "NDArray[np.uint32] | None" = None


def _lower_case() -> "NDArray[np.uint32]":
    """The code point of each code point's lower case, made when it is first wanted."""
    global _lower_case_points
    if _lower_case_points is None:
        lower = (chr(point).lower() for point in range(0x110000))
        points = (ord(text) if len(text) == 1 else point for point, text in enumerate(lower))
        _lower_case_points = np.fromiter(points, "<u4", 0x110000)
    return _lower_case_points

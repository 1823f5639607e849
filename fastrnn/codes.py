"""The codes of a whole text, as one array: in memory, or, where they are many, in a file that is mapped."""

import io
import mmap
import os
import tempfile
from dataclasses import dataclass
from hashlib import blake2b
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.unsignedinteger[Any]]

IN_MEMORY = 2**25  # bytes of a file's codes; more of them lie in a file


@dataclass(frozen=True, eq=False)
class EncodedText:
    """A text in codes.

    codes (n,) is uint8, uint16 or uint32, contiguous, read-only, and may be a mapped file; the fingerprint is the
    BLAKE2b hash of the codes (little-endian, 16 bytes, in hexadecimal); characters is how many Unicode characters the
    text has, whatever its tokens are. A copy, pickled or deep, has its codes in memory.
    """

    codes: Codes
    fingerprint: str
    characters: int


class CodeWriter:
    """Takes codes block after block, at most `in_memory` bytes of them in memory, and gives them as an EncodedText.

    Beyond that they go to an unnamed temporary file, of which nothing is left when the array goes, however the process
    ends, and which nobody can cut short: touching a mapped file past its end would kill the process.
    """

    def __init__(self, dtype: "np.dtype[Any]", in_memory: float) -> None:
        self._dtype = dtype
        self._in_memory = in_memory
        self._hash = blake2b(digest_size=16)
        self._characters = 0
        self._memory = io.BytesIO()
        self._file: io.FileIO | None = None

    def __enter__(self) -> "CodeWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, codes: "NDArray[np.integer[Any]]", characters: int) -> None:
        """Appends codes, which fit the dtype and stand for so many characters. OSError where the disk is full."""
        codes = codes.astype(self._dtype, copy=False)
        self._hash.update(codes.astype(self._dtype.newbyteorder("<"), copy=False).data)
        self._characters += characters
        if self._file is not None:
            self._write_to_file(codes.tobytes())
            return
        self._memory.write(codes.tobytes())
        if self._memory.tell() > self._in_memory:
            self._file = _temporary_file()
            self._write_to_file(self._memory.getvalue())
            self._memory.close()

    def _write_to_file(self, data: bytes) -> None:
        assert self._file is not None
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise _with_remedy(error) from None

    def finish(self) -> EncodedText:
        """What was written."""
        data: bytes | mmap.mmap
        if self._file is None:
            data = self._memory.getvalue()
        else:  # the mapping keeps the file, which can then be closed
            data = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        return EncodedText(np.frombuffer(data, self._dtype), self._hash.hexdigest(), self._characters)


def _folder() -> str:
    """Where temporary files go: TMPDIR, or else /var/tmp, because /tmp may be kept in memory, which is to be spared."""
    if folder := os.environ.get("TMPDIR"):
        return folder
    return "/var/tmp" if os.access("/var/tmp", os.W_OK | os.X_OK) else tempfile.gettempdir()


def _temporary_file() -> io.FileIO:
    try:
        return tempfile.TemporaryFile(buffering=0, dir=_folder())
    except OSError as error:
        raise _with_remedy(error) from None


def _with_remedy(error: OSError) -> OSError:
    """The same error, of the folder for temporary files, and what to do about it."""
    return OSError(
        error.errno,
        f"{error.strerror}, writing the text's codes to a temporary file: let TMPDIR name a folder with room for them",
        _folder(),
    )

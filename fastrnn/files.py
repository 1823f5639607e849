"""Model files: named tensors and metadata in one safetensors file, written whole or not at all, and checked when read.

    8 bytes     the length of the header, little-endian
    header      a JSON object in ASCII, filled up with spaces so that the data begin at a multiple of 64 bytes:
                {"__metadata__": {"format": "fastrnn", "format_version": "1", "checksum": ..., key: JSON text, ...},
                 name: {"dtype": "F32", "shape": [...], "data_offsets": [begin, end]}, ...}
    data        the tensors in the header's order, C order, little-endian, without gaps

Source: https://github.com/huggingface/safetensors, whose readers open these files. What is more than its format:

- The header begins with the bytes `OPENING`, in every version up to the version's number: that tells a model from any
  other file, and one from a newer fastrnn, before anything else is looked at.
- "checksum" is the SHA-256, as 64 hexadecimal digits, of all bytes of the file but these digits.
- Each value of the metadata is a JSON text of its own, since safetensors allows strings alone. These are ASCII, with
  what is beyond as escapes: lone surrogates are no part of UTF-8, but a vocabulary may have some.
"""

import contextlib
import hashlib
import io
import json
import math
import os
import reprlib
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from fastrnn.errors import ModelFileError

AnyPath: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]

VERSION = 1
SIGNATURE = b'{"__metadata__":{"format":"fastrnn","format_version":"'
OPENING = SIGNATURE + b'%d","checksum":"' % VERSION
LENGTH_BYTES = 8
CHECKSUM_AT = LENGTH_BYTES + len(OPENING)
DIGITS = 64
RESERVED = ("format", "format_version", "checksum")
ALIGNMENT = 64  # a cache line, and the widest register: whoever maps the file into memory finds the data aligned
LARGEST_HEADER = 100_000_000  # safetensors' own readers refuse more
MOST_DIMENSIONS = 64  # of NumPy's arrays
LARGEST_ARRAY = 2**63 - 1  # bytes; NumPy's too, which does not count lengths of 0 here
BLOCK = 1 << 20  # bytes hashed and moved at a time: they stay in the cache, and Ctrl-C does not wait long
DTYPES: dict[str, "np.dtype[Any]"] = {
    "F64": np.dtype("<f8"),
    "I64": np.dtype("<i8"),
    "F32": np.dtype("<f4"),
    "U8": np.dtype("u1"),
}
COPY_AGAIN = "copy it again from where it is whole, or take an earlier one"


# ---- writing --------------------------------------------------------------------------------------------------------


def write_model(path: AnyPath, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]) -> None:
    """Write one model file, or leave what was there as it was.

    tensors: name -> array of float32, float64, int64 or uint8, of any shape and layout. They are kept in the order
    given, but for wider dtypes before narrower ones: so each is aligned to its own elements. Nothing may change them
    meanwhile, or the checksum will not be theirs.
    metadata: key -> value of JSON: None, bool, int, finite float, str, list, or dict with keys of str, in any nesting.
    A value must come back from JSON as it was: no tuples, no keys of int, no two surrogates side by side that make a
    pair.

    The bytes go to a temporary file beside path, `.fastrnn-*.tmp`, to the disk, and then to path's name in one step. A
    symbolic link is followed. The mode is that of the file replaced, or a new file's. After an error, or Ctrl-C, there
    is no temporary file, and path has the old file or the new one, whole; only a process killed while it saves leaves
    its temporary file.

    Raises TypeError or ValueError for other tensors or metadata, or a path that is neither new nor a regular file;
    OSError, with path as its filename, for what the system refuses; PermissionError also for a file that may not be
    written.
    """
    name = _file_name(path)
    arrays = _arrays_by_width(tensors)
    header = _header(arrays, metadata)
    with _errors_named(name):
        _replace(os.path.realpath(name), lambda file: _write(file, header, arrays))


def check_writable(path: AnyPath) -> None:
    """OSError or ValueError, as from `write_model`, where that could not write this file now; and ValueError for a file
    that holds something, but no model: a text named by mistake."""
    name = _file_name(path)
    with _errors_named(name):
        target = os.path.realpath(name)
        if _mode_to_keep(target) is not None:
            with open(target, "rb") as file:
                start = file.read(LENGTH_BYTES + len(SIGNATURE))
            if start and start[LENGTH_BYTES:] != SIGNATURE:
                raise ValueError(
                    f"path must be a new file or a model's, and {name} holds something else: choose another name"
                )
        temporary = _temporary_name(os.path.dirname(target))
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.unlink(temporary)


def _arrays_by_width(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The tensors in C order, the widest elements first; TypeError or ValueError for what cannot be written."""
    arrays = {}
    for name, array in tensors.items():
        _check_key(name, "tensors")
        if name == "__metadata__":
            raise ValueError("tensors cannot have the name '__metadata__', which the format keeps for itself")
        if not isinstance(array, np.ndarray):
            raise TypeError(f"tensors[{name!r}] must be a NumPy array, not {type(array).__name__}")
        if array.dtype not in DTYPES.values():
            raise TypeError(f"tensors[{name!r}] must hold float32, float64, int64 or uint8, not {array.dtype}")
        arrays[name] = np.asarray(array, order="C")
    return dict(sorted(arrays.items(), key=lambda item: -item[1].itemsize))


def _header(arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]) -> bytes:
    """The header of these arrays, in this order, with zeros for the digits of the checksum."""
    texts = {}
    for key, value in metadata.items():
        _check_key(key, "metadata")
        if key in RESERVED:
            raise ValueError(f"metadata cannot have the key {key!r}, which the format keeps for itself: rename it")
        texts[key] = _json_text(value, f"metadata[{key!r}]")
    own = {"format": "fastrnn", "format_version": str(VERSION), "checksum": "0" * DIGITS}
    content = {"__metadata__": own | texts} | _entries(arrays)
    header = json.dumps(content, separators=(",", ":")).encode("ascii")
    header += b" " * (-(LENGTH_BYTES + len(header)) % ALIGNMENT)
    if len(header) > LARGEST_HEADER:
        raise ValueError(f"metadata and names take {len(header)} bytes, above the {LARGEST_HEADER} that the format has")
    return header


def _entries(arrays: Mapping[str, NDArray[Any]]) -> dict[str, dict[str, Any]]:
    """What the header says of each array."""
    codes = {dtype: code for code, dtype in DTYPES.items()}
    entries = {}
    end = 0
    for name, array in arrays.items():
        begin, end = end, end + array.nbytes
        entries[name] = {"dtype": codes[array.dtype], "shape": list(array.shape), "data_offsets": [begin, end]}
    return entries


def _check_key(key: Any, mapping: str) -> None:
    """TypeError or ValueError unless the key can stand in a safetensors header."""
    if not isinstance(key, str):
        raise TypeError(f"{mapping} must have keys of type str, not {type(key).__name__}")
    if not _is_unicode(key):
        raise ValueError(f"{mapping} has the key {key!r}, with a lone surrogate, which is no part of UTF-8: rename it")


def _is_unicode(text: str) -> bool:
    """Whether the text is free of surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _json_text(value: Any, name: str) -> str:
    """The value as JSON in ASCII; TypeError or ValueError unless the same comes back from it."""
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
        same = json.loads(text) == value
    except TypeError as error:
        raise TypeError(f"{name} must be a value that JSON has: {error}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} must be a value that JSON has: {error}") from None
    if not same:
        raise ValueError(
            f"{name} would come back from JSON as another value: have lists for tuples, keys of str, and no two "
            "surrogates side by side"
        )
    return text


def _write(file: io.FileIO, header: bytes, arrays: Mapping[str, NDArray[Any]]) -> None:
    """The whole content of a model file; the checksum last, when all of the rest is known."""
    start = len(header).to_bytes(LENGTH_BYTES, "little") + header
    _write_all(file, start)
    checksum = _checksum_of(start)
    for array in arrays.values():
        for block in _blocks(_bytes_of(array)):
            checksum.update(block)
            _write_all(file, block)
    file.seek(CHECKSUM_AT)
    _write_all(file, checksum.hexdigest().encode("ascii"))


def _write_all(file: io.FileIO, data: bytes | memoryview) -> None:
    """All of the data, though the system may take only a part of it at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _replace(target: str, write: Callable[[io.FileIO], None]) -> None:
    """The file `target` with what `write` writes, in one step, or as it was."""
    folder = os.path.dirname(target)
    mode = _mode_to_keep(target)
    temporary = _temporary_name(folder)
    try:
        with open(temporary, "xb", buffering=0, opener=_opener(0o666 if mode is None else mode)) as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)  # what the umask took away
            write(file)
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def _temporary_name(folder: str) -> str:
    """Not made from the target's name, which may already be as long as a name may be."""
    return os.path.join(folder, f".fastrnn-{os.urandom(8).hex()}.tmp")


def _opener(mode: int) -> Callable[[str, int], int]:
    """What `open` takes to make a file of this mode from the first: nobody may read it who may not in the end."""
    return lambda path, flags: os.open(path, flags, mode)


def _mode_to_keep(target: str) -> int | None:
    """The mode of the file that will be replaced, None where there is none; OSError or ValueError if it must not be."""
    try:
        status = os.stat(target)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):  # /dev/null must stay what it is
        raise ValueError(f"path must be a new or a regular file, and {target} is neither: choose another name")
    os.close(os.open(target, os.O_WRONLY))  # replacing it would not ask whether it may be written, and is no folder
    return stat.S_IMODE(status.st_mode)


def _sync_folder(folder: str) -> None:
    """Bring the new name to the disk, as far as the system does: the file is whole without it, the old or the new."""
    with contextlib.suppress(OSError):  # a folder that may not be read, file systems that do not sync folders
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


# ---- reading --------------------------------------------------------------------------------------------------------


def read_model(path: AnyPath) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The tensors and the metadata of a file that `write_model` wrote, the tensors in the file's order.

    Nothing in the file is executed, and no more than the file's size is allocated for tensors; the objects that the
    header describes can take some 30 times its length.

    Raises ModelFileError, which names the file, the reason and a remedy, for anything that is not a whole, unaltered
    model of this format version; OSError, with path as its filename, for what the system refuses; MemoryError for a
    model that does not fit; TypeError or ValueError for what is no path.
    """
    name = _file_name(path)
    with _errors_named(name), _open_regular(name) as file:
        return _read(file, os.fstat(file.fileno()).st_size)


class _Tensor(NamedTuple):
    """A tensor as the header describes it."""

    name: str
    dtype: "np.dtype[Any]"
    shape: tuple[int, ...]


def _open_regular(name: str) -> io.FileIO:
    """The file, if it is a regular one; it neither waits for a pipe's other end nor reads a device."""
    try:
        file = io.FileIO(name, opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK))
    except IsADirectoryError:
        raise ModelFileError("is a directory, not a model: name a file in it") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ModelFileError("is a pipe or a device, not a model: copy it to a file first")
    return file


def _read(file: io.FileIO, size: int) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The content of a file of this size, each part checked before it says what the next takes."""
    start = _read_start(file, size)
    described, metadata = _parse_header(bytes(start[LENGTH_BYTES:]))
    _check_size(size, len(start) + sum(_byte_count(tensor.dtype, tensor.shape) for tensor in described))
    return _read_data(file, described, start), metadata


def _read_start(file: io.FileIO, size: int) -> bytearray:
    """The length and the header of a file of this size."""
    start = bytearray(min(size, CHECKSUM_AT + DIGITS))
    _fill(file, memoryview(start))
    _check_opening(bytes(start))
    length = int.from_bytes(start[:LENGTH_BYTES], "little")
    _check_length(length, size)
    start.extend(bytes(LENGTH_BYTES + length - len(start)))
    _fill(file, memoryview(start)[CHECKSUM_AT + DIGITS :])
    return start


def _read_data(file: io.FileIO, described: list[_Tensor], start: bytearray) -> dict[str, NDArray[Any]]:
    """The tensors, if they and the start of the file have the checksum that the start tells."""
    checksum = _checksum_of(start)
    tensors = {}
    for name, dtype, shape in described:
        tensors[name] = array = np.empty(shape, dtype)
        for block in _blocks(_bytes_of(array)):
            _fill(file, block)
            checksum.update(block)
    if not start.startswith(checksum.hexdigest().encode("ascii") + b'"', CHECKSUM_AT):
        raise _altered("its checksum is another")
    return tensors


def _fill(file: io.FileIO, buffer: memoryview) -> None:
    """The next bytes of the file, as many as the buffer holds."""
    while buffer:
        count = file.readinto(buffer)
        if not count:  # its size was looked up before
            raise ModelFileError("became shorter while it was read: read it again when it is whole")
        buffer = buffer[count:]


def _check_opening(start: bytes) -> None:
    """ModelFileError unless the first bytes are those of a model of this version."""
    header = start[LENGTH_BYTES:]
    if not start:
        raise ModelFileError(f"is empty: {COPY_AGAIN}")
    if SIGNATURE.startswith(header):
        raise ModelFileError(f"is cut, if it is a model at all: it has {len(start)} bytes; {COPY_AGAIN}")
    if not header.startswith(SIGNATURE):
        other = ", though it may be another program's safetensors file" if header.startswith(b"{") else ""
        raise ModelFileError(f"is not a model that fastrnn has saved{other}: load one that is")
    version = header.removeprefix(SIGNATURE).partition(b'"')[0]
    if version.isdigit() and int(version) > VERSION:
        raise ModelFileError(
            f"has format version {version.decode('ascii')}, and this fastrnn reads up to {VERSION}: upgrade fastrnn"
        )
    if OPENING.startswith(header) or (header.startswith(OPENING) and len(header) < len(OPENING) + DIGITS):
        raise _cut(len(start))
    if not header.startswith(OPENING):
        raise _altered("its first bytes are others")


def _check_length(length: int, size: int) -> None:
    """ModelFileError unless a header of this length can be that of a file of this size."""
    if not len(OPENING) + DIGITS < length <= LARGEST_HEADER:
        raise _altered(f"its header would have {length} bytes")
    if LENGTH_BYTES + length > size:
        raise _cut(size, LENGTH_BYTES + length)


def _check_size(size: int, expected: int) -> None:
    """ModelFileError unless the file has just the size that its header makes one expect."""
    if size < expected:
        raise _cut(size, expected)
    if size > expected:
        raise _altered(f"it has {size} bytes, {size - expected} more than its header says")


def _parse_header(header: bytes) -> tuple[list[_Tensor], dict[str, Any]]:
    """The tensors that the header describes, in the data's order, and the metadata, without the format's own."""
    try:
        text = header.decode("ascii")
    except UnicodeDecodeError as error:
        raise _altered(f"byte {LENGTH_BYTES + error.start} is not ASCII") from None
    content = _parse_json(text, "its header")  # an object, since OPENING began one, and in it the metadata, another
    texts = content.pop("__metadata__")
    metadata = {key: _parse_metadata(key, text) for key, text in texts.items() if key not in RESERVED}
    return _parse_entries(content), metadata


def _parse_metadata(key: str, text: Any) -> Any:
    """The value of a key of the metadata."""
    what = f"the metadata {reprlib.repr(key)}"
    if not _is_unicode(key):
        raise _altered(f"{what} have a lone surrogate in their key")
    if not isinstance(text, str) or not text.isascii():
        raise _altered(f"{what} are no ASCII text")
    return _parse_json(text, what)


def _parse_entries(entries: dict[str, Any]) -> list[_Tensor]:
    """The tensors, each of which must begin where the one before ends."""
    described = []
    end = 0
    for name, entry in entries.items():
        tensor, end = _parse_entry(name, entry, end)
        described.append(tensor)
    return described


def _parse_entry(name: str, entry: Any, begin: int) -> tuple[_Tensor, int]:
    """A tensor whose data begin at this place, and where they end."""
    what = f"the tensor {reprlib.repr(name)}"
    if not _is_unicode(name):
        raise _altered(f"{what} has a lone surrogate in its name")
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise _altered(f"{what} is not described by dtype, shape and data_offsets")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(code, str) or code not in DTYPES:
        raise _altered(f"{what} has the dtype {reprlib.repr(code)}")
    dtype = DTYPES[code]
    if not _is_shape(shape, dtype):
        raise _altered(f"{what} has the shape {reprlib.repr(shape)}")
    end = begin + _byte_count(dtype, shape)
    if not _are_counts(offsets) or offsets != [begin, end]:  # anything else would be a hole or an overlap
        raise _altered(f"{what} has the data_offsets {reprlib.repr(offsets)}, not {[begin, end]}")
    return _Tensor(name, dtype, tuple(shape)), end


def _is_shape(shape: Any, dtype: "np.dtype[Any]") -> bool:
    """Whether NumPy can have an array of this shape, given as a list."""
    if not _are_counts(shape) or len(shape) > MOST_DIMENSIONS:
        return False
    return math.prod(max(length, 1) for length in shape) * dtype.itemsize <= LARGEST_ARRAY


def _are_counts(value: Any) -> TypeGuard[list[int]]:
    """Whether it is a list of integers from 0; True, which Python takes for one, is none."""
    return isinstance(value, list) and all(type(number) is int and number >= 0 for number in value)


def _byte_count(dtype: "np.dtype[Any]", shape: tuple[int, ...] | list[int]) -> int:
    return math.prod(shape) * dtype.itemsize


# ---- JSON that means one thing only ---------------------------------------------------------------------------------


def _parse_json(text: str, what: str) -> Any:
    """The value of a JSON text. ModelFileError for what is no JSON, names that stand twice, -0, numbers beyond float64,
    NaN, integers of thousands of digits, and nesting deeper than Python's stack."""
    try:
        return _JSON.decode(text)
    except (ValueError, RecursionError) as error:
        raise _altered(f"in {what}: {error}") from None


def _object_of_distinct_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a name stands twice")
    return result


def _finite_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is not finite")
    return number


def _integer(text: str) -> int:
    if text == "-0":
        raise ValueError("-0 is no integer")  # but 0 for Python, and no length for other readers
    return int(text)


_JSON = json.JSONDecoder(
    object_pairs_hook=_object_of_distinct_names,
    parse_int=_integer,
    parse_float=_finite_number,
    parse_constant=_finite_number,
)


# ---- what both directions share -------------------------------------------------------------------------------------


def _file_name(path: AnyPath) -> str:
    """path as a str; TypeError or ValueError for what is no path."""
    try:
        name = os.fsdecode(path)
    except TypeError:
        raise TypeError(f"path must be a str or os.PathLike, not {type(path).__name__}") from None
    if "\0" in name:
        raise ValueError(f"path must not have a null character, as {name!r} has")
    return name


@contextlib.contextmanager
def _errors_named(name: str) -> Iterator[None]:
    """Errors tell this name of the file, not that of a temporary one, or none."""
    try:
        yield
    except ModelFileError as error:
        raise ModelFileError(f"{name} {error}") from None
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from None


def _altered(how: str) -> ModelFileError:
    return ModelFileError(f"has been altered: {how}; {COPY_AGAIN}")


def _cut(size: int, expected: int | None = None) -> ModelFileError:
    of = "" if expected is None else f" of at least {expected}"
    return ModelFileError(f"is cut: it has {size} bytes{of}; {COPY_AGAIN}")


def _checksum_of(start: bytes | bytearray) -> "hashlib._Hash":
    """The checksum as far as the data, which are still to come: of the length and the header, but for its digits."""
    checksum = hashlib.sha256(memoryview(start)[:CHECKSUM_AT])
    checksum.update(memoryview(start)[CHECKSUM_AT + DIGITS :])
    return checksum


def _bytes_of(array: NDArray[Any]) -> memoryview:
    """The memory of an array in C order, of any shape."""
    return array.reshape(-1).view(np.uint8).data


def _blocks(data: memoryview) -> Iterator[memoryview]:
    """The data in pieces of at most BLOCK bytes."""
    for begin in range(0, len(data), BLOCK):
        yield data[begin : begin + BLOCK]

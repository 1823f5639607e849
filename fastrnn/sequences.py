"""Sequences of a batch of examples: from what a user has, to one after the other, as the kernels read them, and
padded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.arrays import array_of, integer_array, is_integer

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sequences:
    """N sequences one after the other.

    steps: tokens (n,) int64, or vectors (n, E) of the model's dtype, contiguous; begin (N + 1,) int64: sequence i is
    steps[begin[i]:begin[i + 1]], at least one. T: how many steps the padded array had that they came in; None: they
    came as a list, and so is to be returned what belongs to them.
    """

    steps: "NDArray[Any]"
    begin: Indices
    T: int | None = None

    def __len__(self) -> int:
        return len(self.begin) - 1

    @property
    def lengths(self) -> Indices:
        """(N,)"""
        return np.diff(self.begin)

    def part(self, first: int, end: int) -> "Sequences":
        """Sequences first ... end - 1, as views."""
        begin = self.begin[first : end + 1]
        return Sequences(self.steps[begin[0] : begin[-1]], np.ascontiguousarray(begin - begin[0]), self.T)

    def padded(self) -> "tuple[NDArray[Any], Indices | None]":
        """Side by side: (T, N) or (T, N, E), zero past each length, and the lengths (N,), None where all are T."""
        lengths, N = self.lengths, len(self)
        T = int(lengths.max())
        if (lengths == T).all():
            equal = self.steps.reshape(N, T, *self.steps.shape[1:])
            return np.ascontiguousarray(equal.swapaxes(0, 1)), None
        side_by_side = np.zeros((T, N, *self.steps.shape[1:]), self.steps.dtype)
        side_by_side[steps_and_sequences(lengths)] = self.steps
        return side_by_side, lengths

    def returned(self, rows: "NDArray[Any]") -> "NDArray[Any] | list[NDArray[Any]]":
        """Rows (n, O) of the steps in the form that the sequences came in: (N, T, O), zero past each length, or a
        list."""
        if self.T is None:
            return np.split(rows, self.begin[1:-1])
        padded = np.zeros((len(self), self.T, *rows.shape[1:]), rows.dtype)
        times, sequences = steps_and_sequences(self.lengths)
        padded[sequences, times] = rows
        return padded


def steps_and_sequences(lengths: Indices) -> tuple[Indices, Indices]:
    """Of each step, one sequence after the other, its number in its sequence and that of the sequence."""
    ends = np.cumsum(lengths)
    times = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
    return times, np.repeat(np.arange(len(lengths)), lengths)


def sequences_of(values: Any, name: str, dtype: "np.dtype[Any]", lengths: Any = None) -> Sequences:
    """An array (N, T) of integers or (N, T, E) of numbers, of which the first lengths[i] steps of each count, or a list
    of arrays (T_i,) or (T_i, E). TypeError or ValueError, naming the argument and the place, for anything else."""
    if is_list_of_sequences(values, name):
        if lengths is not None:
            raise ValueError(f"lengths belong to {name} as one padded array: a list's sequences have their own")
        parts = [_steps(value, f"{name}[{i}]", dtype, axes=1) for i, value in enumerate(values)]
        _check_alike(parts, name)
        return joined(parts)
    array = _steps(values, name, dtype, axes=2, check=False)
    N, T = array.shape[:2]
    counted = check_lengths(lengths, N, T)
    if (counted == T).all():
        steps = array.reshape(N * T, *array.shape[2:])
    else:
        steps = array[np.arange(T) < counted[:, np.newaxis]]
    return Sequences(_finite(np.ascontiguousarray(steps), name), _begin(counted), T)


def part_of(data: "Sequences | NDArray[Any]", first: int, end: int) -> Any:
    """Sequences, or rows of features, first ... end - 1."""
    return data.part(first, min(end, len(data))) if isinstance(data, Sequences) else data[first:end]


def joined(parts: "list[NDArray[Any]]") -> Sequences:
    """The sequences, each an array of at least one step, one after the other."""
    return Sequences(np.concatenate(parts), _begin([len(part) for part in parts]))


def check_lengths(lengths: Any, N: int, T: int) -> Indices:
    """lengths (N,) in [1, T], None: all T; TypeError or ValueError otherwise."""
    if lengths is None:
        return np.full(N, T, np.int64)
    array = integer_array(lengths, "lengths")
    if array.shape != (N,):
        raise ValueError(f"lengths must have shape ({N},), one for each sequence, not {array.shape}")
    outside = np.flatnonzero((array < 1) | (array > T))
    if outside.size:
        raise ValueError(f"lengths must be in [1, {T}], and lengths[{outside[0]}] is {array[outside[0]]}")
    return array.astype(np.int64)


def vectors_of(values: Any, name: str, dtype: "np.dtype[Any]") -> "NDArray[Any]":
    """One row of numbers for each example, (N, E); TypeError or ValueError otherwise."""
    array = array_of(values, name)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} must have shape (N, E), a row of numbers for each example, not {array.shape}")
    return _finite(_numbers(array, name, dtype), name)


def one_step(values: Any, name: str, dtype: "np.dtype[Any]") -> Sequences:
    """One token for each example, (N,), or one row, (N, E), as sequences of one step."""
    array = array_of(values, name)
    if is_integer(array) and array.ndim == 1 and array.size:
        return Sequences(array.astype(np.int64), np.arange(len(array) + 1), 1)
    rows = vectors_of(array, name, dtype)
    return Sequences(rows, np.arange(len(rows) + 1), 1)


def is_list_of_sequences(values: Any, name: str) -> bool:
    """Whether these are arrays, one for each sequence, and not one of all; ValueError for a first that makes none."""
    return isinstance(values, Sequence) and len(values) > 0 and array_of(values[0], f"{name}[0]").ndim > 0


def _steps(value: Any, name: str, dtype: "np.dtype[Any]", axes: int, check: bool = True) -> "NDArray[Any]":
    """value as tokens with so many axes, or as numbers with one more."""
    array = array_of(value, name)
    if is_integer(array) and array.ndim == axes and array.size:
        return array.astype(np.int64)
    if array.ndim != axes + 1 or array.size == 0:
        integers, numbers = ("(N, T)", "(N, T, E)") if axes == 2 else ("(T,)", "(T, E)")
        raise ValueError(
            f"{name} must have shape {integers} of integers or {numbers} of numbers, with at least one step, not "
            f"{array.shape} of {array.dtype}"
        )
    rows = _numbers(array, name, dtype)
    return _finite(rows, name) if check else rows


def _numbers(array: "NDArray[Any]", name: str, dtype: "np.dtype[Any]") -> "NDArray[Any]":
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, not {array.dtype}")
    with np.errstate(over="ignore"):  # what becomes infinite is refused by its place
        return np.require(array, dtype, ["C", "A"])


def _finite(array: "NDArray[Any]", name: str) -> "NDArray[Any]":
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        step = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(
            f"{name} must be finite, and has {array[tuple(step)]}: replace what is missing, or leave its sequence out"
        )
    return array


def _check_alike(parts: "list[NDArray[Any]]", name: str) -> None:
    """All are tokens, or vectors of one length."""
    for i, part in enumerate(parts):
        if part.shape[1:] != parts[0].shape[1:]:
            raise ValueError(
                f"the sequences of {name} must be all of integers or all of vectors of one length: {name}[0] has shape "
                f"{parts[0].shape}, and {name}[{i}] {part.shape}"
            )


def _begin(lengths: Any) -> Indices:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)

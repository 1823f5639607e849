"""Checks of array arguments, with errors that name them."""

from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]


def is_integer(array: "NDArray[Any]") -> TypeGuard[Integers]:
    """Whether the array holds integers, signed or not."""
    return array.dtype.kind in "iu"


def array_of(value: Any, name: str) -> "NDArray[Any]":
    """value as an array of whatever it holds; ValueError for lists whose parts differ in length."""
    try:
        return np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be an array, or lists that make one: its parts differ in shape") from None


def integer_array(value: Any, name: str) -> Integers:
    """value as an array of integers; TypeError otherwise."""
    array = array_of(value, name)
    if not is_integer(array):
        raise TypeError(f"{name} must hold integers, not {array.dtype}")
    return array


def real_array(value: Any, name: str, dtype: "np.dtype[Any]", shape: tuple[int | str, ...]) -> Array:
    """value as an array of this dtype and shape, in which strings stand for lengths that may be any from 1;
    TypeError or ValueError otherwise."""
    array = array_of(value, name)
    if array.dtype != dtype:
        raise TypeError(f"{name} must hold {dtype}, not {array.dtype}: {name}.astype({dtype.name!r})")
    check_shape(array, name, shape)
    return array


def check_shape(array: "NDArray[Any]", name: str, shape: tuple[int | str, ...]) -> None:
    """ValueError unless the array has this shape, in which strings stand for lengths that may be any from 1."""
    fits = array.ndim == len(shape) and all(
        got >= 1 if isinstance(wanted, str) else got == wanted for got, wanted in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
        raise ValueError(f"{name} must have shape ({wanted}), not {array.shape}")


def check_indices(array: Integers, name: str, count: int) -> None:
    """IndexError unless every element is in [0, count)."""
    outside = array[(array < 0) | (array >= count)]
    if outside.size:
        raise IndexError(f"{name} must be in [0, {count}), and has {outside[0]}")

"""Checks of plain arguments, with errors that name them."""

import inspect
import math
import operator
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import DTypeLike


def integer(value: Any, name: str, least: int) -> int:
    """value as an int of at least `least`; TypeError or ValueError otherwise."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, not {number}")
    return number


def real(value: Any, name: str) -> float:
    """value as a float; TypeError for what is no real number."""
    if not isinstance(value, Real):
        raise TypeError(f"{name} must be a real number, not {type(value).__name__}")
    return float(value)


def positive(value: Any, name: str) -> float:
    """value as a float above 0, infinity included; TypeError or ValueError otherwise."""
    number = real(value, name)
    if not number > 0:
        raise ValueError(f"{name} must be positive, not {value}")
    return number


def finite(value: Any, name: str) -> float:
    """value as a finite float; TypeError or ValueError otherwise."""
    number = real(value, name)
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, not {value}")
    return number


def flag(value: Any, name: str) -> bool:
    """value as a bool; TypeError for anything else, such as a number that was meant for another argument."""
    if not isinstance(value, bool | np.bool):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return bool(value)


def real_dtype(value: DTypeLike) -> "np.dtype[Any]":
    """value as the dtype float32 or float64; TypeError for anything else."""
    try:
        dtype = np.dtype(value) if value is not None else None
    except TypeError:
        dtype = None
    if dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(f"dtype must be float32 or float64, not {value}")
    return dtype


def one_of(value: Any, name: str, allowed: tuple[str, ...]) -> str:
    """value, if it is one of these strings; ValueError otherwise."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, not {value!r}")
    return value


def call_of(thing: Any, leave_out: tuple[str, ...] = ()) -> str:
    """The call that makes such a thing, by its attributes of the arguments' names, without arguments at defaults."""
    arguments = []
    for name, parameter in inspect.signature(type(thing)).parameters.items():
        value = getattr(thing, name, parameter.default)
        if isinstance(value, np.dtype):
            value = value.name
        if parameter.default is parameter.empty:
            arguments.append(repr(value))
        elif name not in leave_out and value != parameter.default:
            arguments.append(f"{name}={value!r}")
    return f"{type(thing).__name__}({', '.join(arguments)})"

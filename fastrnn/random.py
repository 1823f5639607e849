"""Where random numbers come from: what every argument named `rng` may be."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Random(Protocol):
    """What `numpy.random.Generator` and `RandomState` have in common, as far as it is used here."""

    def random(self, size: Any = None) -> Any:
        """Uniform in [0, 1)."""

    def choice(self, a: Any, size: Any = None, replace: bool = True) -> Any:
        """Elements of a."""

    def uniform(self, low: float, high: float, size: Any) -> "NDArray[np.float64]":
        """Uniform in [low, high)."""

    def standard_normal(self, size: Any) -> "NDArray[np.float64]":
        """Of mean 0 and variance 1."""


def generator(rng: Any) -> Random:
    """rng as it is if it is a `numpy.random.Generator` or `RandomState`; a new Generator from an integer seed, or, for
    None, from the operating system's entropy. TypeError or ValueError otherwise."""
    if isinstance(rng, np.random.Generator | np.random.RandomState):
        return rng
    if rng is None:
        return np.random.default_rng()
    if isinstance(rng, bool) or not isinstance(rng, int | np.integer):
        raise TypeError(
            f"rng must be None, an integer, or NumPy's Generator or RandomState, not {type(rng).__name__}: "
            "pass numpy.random.default_rng(...)"
        )
    if rng < 0:
        raise ValueError(f"rng must not be negative, and is {rng}")
    return np.random.default_rng(int(rng))


def bit_generator(rng: Any) -> Any:
    """The source of bits below such a Generator or RandomState, whose `capsule` and `lock` C code takes."""
    return rng.bit_generator if isinstance(rng, np.random.Generator) else rng._bit_generator

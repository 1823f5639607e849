"""Where random numbers come from: what every argument named `rng` may be."""

from typing import Any, TypeAlias

import numpy as np

# Both have the methods that are used: random, uniform, standard_normal. (The strings keep numpy.random, which takes
# longer to import than all of fastrnn, from being imported before it is used.)
Random: TypeAlias = "np.random.Generator | np.random.RandomState"


def generator(rng: Any) -> "Random":
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

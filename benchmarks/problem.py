"""The work that every contender is given: the same network, text and optimizer."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.text import Vocabulary, default_text

Array = NDArray[np.floating[Any]]
Indices = NDArray[np.int64]

SAMPLE_LENGTH = 200  # characters that one call of `sample` draws
ITERATIONS = 20  # of training that one call does at least, where a loop of many runs outside Python


@dataclass(frozen=True)
class Problem:
    """A min-char-rnn of H units over V characters, trained on T characters at a time of each of B streams."""

    dtype: str
    H: int
    B: int = 1
    T: int = 25
    V: int = 65  # as in an English book
    learning_rate: float = 1e-3
    clip: float = 5.0

    def of_dtype(self, dtype: str | None) -> "Problem":
        return self if dtype is None else replace(self, dtype=dtype)


@cache
def text(V: int) -> Indices:
    """The manual that every Python brings, in its V most frequent characters, the others left out, as numbers."""
    manual = default_text()
    frequent = sorted(set(manual), key=lambda character: (-manual.count(character), character))[:V]
    manual = "".join(character for character in manual if character in frequent)
    return Vocabulary(manual).encode(manual)


def distinct(problem: Problem) -> float:
    """How many different characters T in a row hold, on average."""
    T = problem.T
    whole = text(problem.V)
    sequences = np.sort(whole[: len(whole) // T * T].reshape(-1, T))
    return 1 + float(np.count_nonzero(np.diff(sequences), axis=1).mean())


def weights(problem: Problem) -> tuple[Array, ...]:
    """Wxh, Whh, Why, bh, by, of the size that they have after some training."""
    H, V = problem.H, problem.V
    rng = np.random.default_rng(H)
    shapes = ((H, V), (H, H), (V, H), (H, 1), (V, 1))
    return tuple((rng.standard_normal(shape) * 0.5 / shape[1] ** 0.5).astype(problem.dtype) for shape in shapes)


def batch(problem: Problem) -> tuple[Indices, Indices, Array]:
    """inputs and targets (T, B), the beginnings of B equal parts of the text, and states (B, H) to begin from."""
    T, B = problem.T, problem.B
    whole = text(problem.V)
    streams = whole[: len(whole) // B * B].reshape(B, -1)
    states = np.random.default_rng(B).uniform(-0.5, 0.5, (B, problem.H)).astype(problem.dtype)
    return np.ascontiguousarray(streams[:, :T].T), np.ascontiguousarray(streams[:, 1 : T + 1].T), states

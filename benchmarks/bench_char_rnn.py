"""min-char-rnn: fastrnn against the NumPy reference that ships with it, on the same weights and text."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import Pair, compare
from fastrnn import min_char_rnn, reference
from fastrnn.text import Vocabulary, default_text

Array = NDArray[np.floating[Any]]

SEQ_LENGTH = 25
SAMPLE_LENGTH = 200
LEARNING_RATE = 1e-2
HIDDEN_SIZES = (32, 64, 100, 128, 256, 512)
DTYPES = ("float64", "float32")
CHARACTERS = 65  # the vocabulary's size: that of an English book


@dataclass(frozen=True)
class Row:
    """One line of the table; `error` is described in the table's legend."""

    task: str
    dtype: str
    hidden_size: int
    pair: Pair
    characters: int  # in one call
    error: str


def book() -> NDArray[np.int64]:
    """The default text in its CHARACTERS most frequent characters, the others left out, as numbers."""
    text = default_text()
    frequent = sorted(set(text), key=lambda character: (-text.count(character), character))[:CHARACTERS]
    text = "".join(character for character in text if character in frequent)
    return Vocabulary(text).encode(text)


def weights(hidden_size: int, dtype: str) -> tuple[Array, ...]:
    """Wxh, Whh, Why, bh, by of a network that has left the first flat stretch of training behind."""
    rng = np.random.default_rng(hidden_size)
    H, V = hidden_size, CHARACTERS
    shapes = ((H, V), (H, H), (V, H), (H, 1), (V, 1))
    return tuple((rng.standard_normal(shape) * 0.5 / shape[1] ** 0.5).astype(dtype) for shape in shapes)


class Trainer:
    """The script's iteration: lossFun, then Adagrad on the five parameters, along the text."""

    def __init__(self, module: Any, hidden_size: int, dtype: str, data: NDArray[np.int64]) -> None:
        self.parameters = weights(hidden_size, dtype)
        self.memories = tuple(np.zeros_like(parameter) for parameter in self.parameters)
        self.lossFun, self.sample = module.bind(*self.parameters)
        self.adagrad = module.adagrad
        self.data, self.p = data.tolist(), 0
        self.hprev = np.zeros((hidden_size, 1), dtype)

    def step(self) -> tuple[Any, ...]:
        """One iteration; returns the loss, the gradients and the last state."""
        p, T = self.p, SEQ_LENGTH
        result: tuple[Any, ...] = self.lossFun(self.data[p : p + T], self.data[p + 1 : p + T + 1], self.hprev)
        for parameter, gradient, memory in zip(self.parameters, result[1:6], self.memories, strict=True):
            self.adagrad(parameter, gradient, memory, LEARNING_RATE)
        self.hprev = result[6]
        self.p = p + T if p + 2 * T + 1 < len(self.data) else 0
        return result

    def draw(self) -> list[int]:
        np.random.seed(0)  # noqa: NPY002  (the script's random numbers are NumPy's global ones)
        characters: list[int] = self.sample(self.hprev, self.data[0], SAMPLE_LENGTH)
        return characters


def largest_error(hidden_size: int, dtype: str, data: NDArray[np.int64]) -> float:
    """The largest difference between an array that fastrnn computes in this dtype and the reference computes in
    float64 from the same weights, in one iteration, relative to the array's largest element."""
    fast = Trainer(min_char_rnn, hidden_size, dtype, data)
    exact = Trainer(reference, hidden_size, "float64", data)
    for mine, its in zip(exact.parameters, fast.parameters, strict=True):
        mine[:] = its
    pairs = zip(fast.step(), exact.step(), strict=True)
    return float(max(np.max(np.abs(np.asarray(a) - b)) / np.max(np.abs(b)) for a, b in pairs))


def mismatches(a: Callable[[], list[int]], b: Callable[[], list[int]]) -> str:
    different = sum(x != y for x, y in zip(a(), b(), strict=True))
    return f"{different}/{SAMPLE_LENGTH}"


def rows(hidden_sizes: tuple[int, ...], dtypes: tuple[str, ...], rounds: int) -> Iterator[Row]:
    """The table's rows, each measured when it is asked for."""
    data = book()
    for dtype in dtypes:
        for H in hidden_sizes:
            fast, slow = (Trainer(module, H, dtype, data) for module in (min_char_rnn, reference))
            error = f"{largest_error(H, dtype, data):.1e}"
            yield Row("train", dtype, H, compare(fast.step, slow.step, rounds), SEQ_LENGTH, error)
            for trainer in (fast, slow):
                for parameter, initial in zip(trainer.parameters, weights(H, dtype), strict=True):
                    parameter[:] = initial
                trainer.hprev[:] = 0
            differences = mismatches(fast.draw, slow.draw)
            yield Row("sample", dtype, H, compare(fast.draw, slow.draw, rounds), SAMPLE_LENGTH, differences)

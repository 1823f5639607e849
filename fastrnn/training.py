"""What every training loop over a text has in common: where it stands, and what it checks."""

import math
import threading
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.arguments import finite, integer, positive
from fastrnn.arrays import Array
from fastrnn.errors import NumericalError


class CharTrainer(ABC):
    """min-char-rnn's training loop, up to the iterations themselves, which subclasses add as `_iterate`.

    Each iteration takes the next T characters of the text: the loss over them, its gradients clipped element by element
    to [-clip, clip], one Adagrad update of the five arrays, in place. The state is carried from sequence to sequence;
    where fewer than T + 2 characters are left the text begins anew, with the state zero.

    Wxh (H, V), Whh (H, H), Why (V, H), bh (H, 1), by (V, 1) are all float64 or all float32, C-contiguous; they stay
    the caller's own. text (N,) holds the characters as integers in [0, V), N > T = seq_length >= 1. learning_rate is
    finite, clip positive. Wrong arguments raise TypeError, ValueError or IndexError.

    Attributes, to read, and between two runs to change: `parameters`, the five arrays; `memories`, Adagrad's sums of
    squares in the same order; `hprev` (H, 1), the state before the next character; `position` in the text of that
    character; `iterations` done; `loss` of the last one in nats, summed over its T characters; `smooth_loss`, at first
    T ln V, and 0.999 smooth_loss + 0.001 loss after each; `learning_rate`; `clip`.
    """

    def __init__(
        self,
        Wxh: Array,
        Whh: Array,
        Why: Array,
        bh: Array,
        by: Array,
        text: NDArray[np.integer[Any]],
        *,
        seq_length: int = 25,
        learning_rate: float = 0.1,
        clip: float = 5.0,
    ) -> None:
        self.parameters = (Wxh, Whh, Why, bh, by)
        self.seq_length = integer(seq_length, "seq_length", least=1)
        self.learning_rate, self.clip = finite(learning_rate, "learning_rate"), positive(clip, "clip")
        self.text = np.asarray(text)
        if self.text.ndim != 1 or self.text.dtype.kind not in "iu":
            raise TypeError(
                f"text must be integers of shape (N,), not {self.text.dtype} of shape {self.text.shape}: "
                "number its characters first"
            )
        if len(self.text) < seq_length + 1:
            raise ValueError(
                f"text has {len(self.text)} characters, fewer than the {seq_length + 1} that one sequence and its "
                f"targets take: use a longer text or a smaller seq_length"
            )
        self._bind()
        V, H = Why.shape
        if self.text.min() < 0 or self.text.max() >= V:
            raise IndexError(f"text holds {self.text.min()} to {self.text.max()}, not all of it in [0, {V})")
        self.text = np.ascontiguousarray(self.text, dtype=np.int64)

        self.memories = tuple(np.zeros_like(parameter) for parameter in self.parameters)
        self.hprev = np.zeros((H, 1), Whh.dtype)
        self.position = 0
        self.iterations = 0
        self.loss = math.nan
        self.smooth_loss = math.log(V) * seq_length
        self._busy = threading.Lock()

    def run(self, iterations: int) -> float:
        """Does so many iterations and returns the smooth loss after them.

        NumericalError, with the iteration and what to try, where the loss is no longer finite; everything is then as it
        was before that iteration. Ctrl-C ends the run between two iterations, with everything whole. RuntimeError where
        another thread is in `run`.
        """
        iterations = integer(iterations, "iterations", least=0)
        last = len(self.text) - self.seq_length - 1
        if not 0 <= self.position <= last:
            raise ValueError(f"position must be from 0 to {last}, not {self.position}: set it to 0 to start over")
        if not self._busy.acquire(blocking=False):
            raise RuntimeError("this trainer is running in another thread: give each thread its own")
        try:
            self._iterate(iterations)
        except NumericalError as error:
            raise NumericalError(f"iteration {self.iterations}: {error}") from None
        finally:
            self._busy.release()
        return self.smooth_loss

    def _bind(self) -> None:  # noqa: B027  (there may be nothing to do)
        """Makes ready to compute with `parameters`; TypeError or ValueError where they won't do."""

    @abstractmethod
    def _iterate(self, iterations: int) -> None:
        """Does the iterations, updating the arrays and attributes; NumericalError before changing anything."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._busy = threading.Lock()
        self._bind()

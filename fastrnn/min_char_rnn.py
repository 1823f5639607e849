"""Karpathy's min-char-rnn over C kernels: one line replaces a script's NumPy code.

    from fastrnn import min_char_rnn
    lossFun, sample = min_char_rnn.bind(Wxh, Whh, Why, bh, by)

The rest of the script runs unchanged. `Trainer` is the script's loop as well, many iterations in one call.
`python -m fastrnn.min_char_rnn [FILE]` is the whole script as a program. `fastrnn.reference` has the same in NumPy, to
read and to compare with.

    h_t = tanh(Wxh x_t + Whh h_{t-1} + bh),  y_t = Why h_t + by,  p_t = softmax(y_t)
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn._core import CharNetwork, adagrad
from fastrnn.arguments import positive
from fastrnn.arrays import Array
from fastrnn.training import CharTrainer

__all__ = ["Trainer", "adagrad", "bind"]

Integers = NDArray[np.integer[Any]]
Loss = tuple[float, Array, Array, Array, Array, Array, Array]


def bind(
    Wxh: Array, Whh: Array, Why: Array, bh: Array, by: Array, *, clip: float = 5.0
) -> tuple[Callable[..., Loss], Callable[..., list[int]]]:
    """The script's `lossFun` and `sample`, over the script's own five arrays.

    Wxh (H, V), Whh (H, H), Why (V, H), bh (H, 1), by (V, 1) are all float64 or all float32 and C-contiguous. They are
    not copied: what an in-place update such as `Wxh += ...` writes, the next call sees. `clip` > 0 is the bound of
    each gradient's elements; `float("inf")` leaves gradients as they are.

    Returns `lossFun(inputs, targets, hprev)` and `sample(h, seed_ix, n, temperature=1.0)`; their docstrings say more.
    Both may be called from several threads at once, and pickled or copied (with copies of the arrays).

    Raises TypeError for something that is not an array or has another dtype, ValueError for a wrong shape or layout;
    the message names the array, what was expected and what came.
    """
    network = _Network(Wxh, Whh, Why, bh, by, clip)
    return network.lossFun, network.sample


class _Network:
    """What the two functions share. A class of its own, not closures, so that they pickle."""

    def __init__(self, Wxh: Array, Whh: Array, Why: Array, bh: Array, by: Array, clip: float) -> None:
        self._kernels = CharNetwork(Wxh, Whh, Why, bh, by)
        self._clip = positive(clip, "clip")

    def __reduce__(self) -> tuple[Any, ...]:
        k = self._kernels
        return _Network, (k.Wxh, k.Whh, k.Why, k.bh, k.by, self._clip)

    def lossFun(self, inputs: Sequence[int] | Integers, targets: Sequence[int] | Integers, hprev: Array) -> Loss:
        """Loss, gradients and last state over one sequence of T characters.

        inputs, targets: T >= 1 integers in [0, V) each, as list, tuple, range or integer array. hprev (H, 1): the
        state before the first character. Integer arrays of shape (T, B) with hprev (B, H) are a batch of B sequences,
        whose losses and gradients are summed.

        Returns `loss, dWxh, dWhh, dWhy, dbh, dby, h_last`. loss = sum over t of -ln p_t[targets[t]], in nats, a float;
        the gradients of it, in the shapes of the arrays, are clipped element by element to [-clip, clip]; h_last has
        hprev's shape. All are new arrays. They agree with `fastrnn.reference` to rounding.

        Raises IndexError for a character outside [0, V), TypeError for characters that are not integers, ValueError
        for lengths that differ or a wrong hprev, NumericalError where weights or state make the loss NaN or infinite.
        """
        return self._kernels.loss(inputs, targets, hprev, self._clip)

    def sample(self, h: Array, seed_ix: int, n: int, temperature: float = 1.0) -> list[int]:
        """n characters drawn one after the other, as a list of int.

        h (H, 1): the state to begin from, left as it is. seed_ix in [0, V): the character before the first drawn one.
        temperature > 0 divides the outputs before the softmax: above 1 flattens the distribution, below 1 sharpens it.

        Each character takes one number of NumPy's global random state, as `np.random.choice(range(V), p=p)` would:
        after the same `np.random.seed` come the same characters, and the state is left at the same place.

        Raises IndexError, TypeError and ValueError for such arguments, and NumericalError where a probability is NaN.
        """
        source = np.random.get_bit_generator()  # type: ignore[attr-defined]  # public, but not in NumPy's stubs
        return self._kernels.sample(h, seed_ix, n, temperature, source)


class Trainer(CharTrainer):
    __doc__ = CharTrainer.__doc__

    def _bind(self) -> None:
        self._network, self._bound = CharNetwork(*self.parameters), self.parameters

    def _iterate(self, iterations: int) -> None:
        if self._bound is not self.parameters:
            self._bind()
        done, self.position, loss, self.smooth_loss, error = self._network.train(
            CharNetwork(*self.memories),
            self.text,
            self.hprev,
            self.seq_length,
            self.position,
            self.smooth_loss,
            self.learning_rate,
            self.clip,
            iterations,
        )
        self.iterations += done
        if done:
            self.loss = loss
        if error is not None:
            raise error


if __name__ == "__main__":
    from fastrnn import min_char_rnn, script

    script.main(min_char_rnn)

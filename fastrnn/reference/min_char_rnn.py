"""min-char-rnn in plain NumPy: what the kernels compute, written to be read.

A character model reads one character at a time and keeps a state h, a column of H numbers:

    h_t = tanh(Wxh x_t + Whh h_{t-1} + bh)      x_t: the 1-of-V code of character t
    y_t = Why h_t + by                          one score for each of the V characters
    p_t = softmax(y_t)                          the probabilities of character t + 1

    Wxh (H, V)    Whh (H, H)    Why (V, H)    bh (H, 1)    by (V, 1)

`fastrnn.min_char_rnn` has the same functions over the C kernels. Source: Andrej Karpathy's min-char-rnn.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastrnn.arrays import Array
from fastrnn.errors import NumericalError
from fastrnn.training import CharTrainer


def log_softmax(y: Array) -> Array:
    """ln softmax(y) = y - m - ln(sum(exp(y - m))), with m the largest y so that no exponential overflows."""
    y = y - y.max()
    log_p: Array = y - np.log(np.exp(y).sum())
    return log_p


def bind(
    Wxh: Array, Whh: Array, Why: Array, bh: Array, by: Array, *, clip: float = 5.0
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """`lossFun` and `sample` over these five arrays; see `fastrnn.min_char_rnn.bind`."""
    V = Wxh.shape[1]

    def lossFun(inputs: Sequence[int], targets: Sequence[int], hprev: Array) -> tuple[Any, ...]:
        """loss, dWxh, dWhh, dWhy, dbh, dby, h_last for one sequence; see `fastrnn.min_char_rnn`."""
        T = len(inputs)

        # Forward: keep every state and every distribution, the way back needs them.
        hs, ps = {-1: np.copy(hprev)}, {}
        loss = 0.0
        for t in range(T):
            x = inputs[t]  # Wxh x_t is the column of Wxh that belongs to this character
            hs[t] = np.tanh(Wxh[:, x : x + 1] + Whh @ hs[t - 1] + bh)
            log_p = log_softmax(Why @ hs[t] + by)
            ps[t] = np.exp(log_p)
            loss -= float(log_p[targets[t], 0])

        # Backward: d loss / d y_t is p_t with 1 taken off at the target; the chain rule does the rest. What reaches
        # h_t comes from y_t, and through Whh from h_{t+1}.
        dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
        dbh, dby = np.zeros_like(bh), np.zeros_like(by)
        dh_from_next = np.zeros_like(hs[0])
        for t in reversed(range(T)):
            dy = ps[t]
            dy[targets[t]] -= 1
            dWhy += dy @ hs[t].T
            dby += dy
            dh = Why.T @ dy + dh_from_next
            da = (1 - hs[t] * hs[t]) * dh  # tanh'(a) = 1 - tanh(a)^2
            dWxh[:, inputs[t] : inputs[t] + 1] += da
            dWhh += da @ hs[t - 1].T
            dbh += da
            dh_from_next = Whh.T @ da

        for gradient in (dWxh, dWhh, dWhy, dbh, dby):
            np.clip(gradient, -clip, clip, out=gradient)  # keeps one exploding sequence from undoing the rest
        return loss, dWxh, dWhh, dWhy, dbh, dby, hs[T - 1]

    def sample(h: Array, seed_ix: int, n: int, temperature: float = 1.0) -> list[int]:
        """n characters drawn from the model; see `fastrnn.min_char_rnn`."""
        x, characters = seed_ix, []
        for _ in range(n):
            h = np.tanh(Wxh[:, x : x + 1] + Whh @ h + bh)
            y = Why @ h + by
            p = np.exp(log_softmax((y - y.max()) / temperature))
            x = int(np.random.choice(range(V), p=p.ravel()))  # noqa: NPY002  (the script's random numbers are these)
            characters.append(x)
        return characters

    return lossFun, sample


def adagrad(param: Array, dparam: Array, mem: Array, learning_rate: float) -> None:
    """One Adagrad update in place, with the epsilon inside the root; see `fastrnn.min_char_rnn.adagrad`."""
    mem += dparam * dparam
    param -= learning_rate * dparam / np.sqrt(mem + 1e-8)


class Trainer(CharTrainer):
    """The training loop; see `fastrnn.min_char_rnn.Trainer`."""

    def _iterate(self, iterations: int) -> None:
        lossFun, _ = bind(*self.parameters, clip=self.clip)
        T, p = self.seq_length, self.position
        for _ in range(iterations):
            inputs, targets = self.text[p : p + T], self.text[p + 1 : p + T + 1]
            loss, *gradients, h_last = lossFun(inputs, targets, self.hprev)
            if not np.isfinite(loss):
                raise NumericalError(f"the loss is {loss}: go back to finite weights and lower the learning rate")
            self.loss, self.hprev = loss, h_last
            for param, dparam, mem in zip(self.parameters, gradients, self.memories, strict=True):
                adagrad(param, dparam, mem, self.learning_rate)
            self.smooth_loss = self.smooth_loss * 0.999 + self.loss * 0.001
            self.iterations += 1
            p += T
            if p + T + 1 >= len(self.text):  # the text wraps: start over, with nothing remembered
                self.hprev = np.zeros_like(self.hprev)
                p = 0
            self.position = p

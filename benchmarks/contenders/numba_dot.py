"""min-char-rnn compiled by numba: all iterations in one call, np.dot (BLAS, called straight from the compiled code) for
the products, loops for everything else."""

from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np

from fastrnn.bench.job import Job
from fastrnn.bench.problem import Array, Problem, text, weights


def loss_and_gradients(parameters: Any, gradients: Any, inputs: Any, targets: Any, hs: Any, da: Any, p: Any) -> float:
    """The loss; the gradients, not clipped, in `gradients`. hs[0] holds the state before. Wxh is transposed."""
    Wxh_rows, Whh, Why, bh, by = parameters
    dWxh_rows, dWhh, dWhy, dbh, dby = gradients
    T, H, V = len(inputs), len(bh), len(by)
    for t in range(T):
        np.dot(Whh, hs[t], hs[t + 1])
        for j in range(H):
            hs[t + 1, j] = np.tanh(hs[t + 1, j] + Wxh_rows[inputs[t], j] + bh[j])
    np.dot(hs[1:], Why.T, p)
    loss = 0.0
    for t in range(T):
        largest = p[t, 0] + by[0]
        for i in range(V):
            p[t, i] += by[i]
            largest = max(largest, p[t, i])
        right = p[t, targets[t]] - largest
        total = p[t, 0] * 0
        for i in range(V):
            p[t, i] = np.exp(p[t, i] - largest)
            total += p[t, i]
        loss += np.log(total) - right
        for i in range(V):
            p[t, i] /= total
        p[t, targets[t]] -= 1
    np.dot(p.T, hs[1:], dWhy)
    np.dot(p, Why, da)
    for t in range(T - 1, -1, -1):
        if t + 1 < T:
            from_next = np.dot(Whh.T, da[t + 1])
            for j in range(H):
                da[t, j] += from_next[j]
        for j in range(H):
            da[t, j] *= 1 - hs[t + 1, j] * hs[t + 1, j]
    np.dot(da.T, hs[:-1], dWhh)
    dWxh_rows[:] = 0
    dbh[:] = 0
    dby[:] = 0
    for t in range(T):
        for j in range(H):
            dWxh_rows[inputs[t], j] += da[t, j]
            dbh[j] += da[t, j]
        for i in range(V):
            dby[i] += p[t, i]
    return loss


def adagrad(parameters: Any, gradients: Any, memories: Any, learning_rate: Any, clip: Any, epsilon: Any) -> None:
    """Clips and updates, over the whole of the three as vectors."""
    for i in range(len(parameters)):
        g = min(max(gradients[i], -clip), clip)
        memories[i] += g * g
        parameters[i] -= learning_rate * g / np.sqrt(memories[i] + epsilon)


def pieces(flat: Any, H: int, V: int) -> Any:
    """The five parameters within one vector."""
    a, b, c, d = H * V, H * V + H * H, 2 * H * V + H * H, 2 * H * V + H * H + H
    return flat[:a].reshape(V, H), flat[a:b].reshape(H, H), flat[b:c].reshape(V, H), flat[c:d], flat[d:]


def iterate(
    iterations: int,
    characters: Any,
    p: int,
    flat: tuple[Any, Any, Any],
    numbers: tuple[Any, Any, Any],
    hs: Any,
    da: Any,
    ps: Any,
) -> int:
    """The training loop; flat: parameters, gradients, memories. Returns the position in the text."""
    T, H, V = len(da), hs.shape[1], ps.shape[1]
    learning_rate, clip, epsilon = numbers
    parameters, gradients = pieces(flat[0], H, V), pieces(flat[1], H, V)
    for _ in range(iterations):
        loss_and_gradients(parameters, gradients, characters[p : p + T], characters[p + 1 : p + T + 1], hs, da, ps)
        adagrad(flat[0], flat[1], flat[2], learning_rate, clip, epsilon)
        hs[0] = hs[T]
        p += T
        if p + T + 1 >= len(characters):
            hs[0] = 0
            p = 0
    return p


_options = {"error_model": "numpy"}  # a division by zero is no exception: the loops can then be vectorised
loss_and_gradients = numba.njit(**_options)(loss_and_gradients)
adagrad = numba.njit(**_options)(adagrad)
pieces = numba.njit(**_options)(pieces)
iterate = numba.njit(**_options)(iterate)


class Training:
    unit = 1

    def __init__(self, problem: Problem) -> None:
        T, H, V, dtype = problem.T, problem.H, problem.V, problem.dtype
        self.H, self.V = H, V
        Wxh, *others = weights(problem)
        parameters = np.concatenate([array.ravel() for array in (Wxh.T, *others)])
        self.flat = parameters, np.zeros_like(parameters), np.zeros_like(parameters)
        kind = np.dtype(dtype).type
        self.numbers = kind(problem.learning_rate), kind(problem.clip), kind(1e-8)
        self.text, self.p = text(V), 0
        self.arrays = np.zeros((T + 1, H), dtype), np.zeros((T, H), dtype), np.zeros((T, V), dtype)

    def run(self, times: int) -> None:
        self.p = iterate(times, self.text, self.p, self.flat, self.numbers, *self.arrays)

    def outcome(self) -> Sequence[Array]:
        found = []
        for flat in (self.flat[0], self.flat[2]):
            Wxh_rows, Whh, Why, bh, by = pieces(flat, self.H, self.V)
            found += [Wxh_rows.T, Whh, Why, bh[:, None], by[:, None]]
        return [*found, self.arrays[0][0][:, None]]


TASKS: dict[str, Callable[[Problem], Job]] = {"train": Training}

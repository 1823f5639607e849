"""min-char-rnn in NumPy, rewritten to be fast. Only the products with Whh follow one another in time; all others are
one matrix product per sequence, and the one-hot inputs are columns of Wxh. The parameters are pieces of one array, and
so are their gradients, so that clipping and Adagrad are a few operations in place.

It also takes batches: inputs (T, B) and states (B, H)."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fastrnn.bench.job import Calls, Job
from fastrnn.bench.problem import Array, Indices, Problem, batch, text, weights


def joined(arrays: Sequence[Array]) -> tuple[Array, tuple[Array, ...]]:
    """One long array with the contents of these, and its pieces in their shapes."""
    flat = np.concatenate([array.ravel() for array in arrays])
    ends = np.cumsum([array.size for array in arrays])
    pieces = np.split(flat, ends[:-1])
    return flat, tuple(piece.reshape(array.shape) for piece, array in zip(pieces, arrays, strict=True))


class Network:
    def __init__(self, problem: Problem) -> None:
        T, B, H, V = problem.T, problem.B, problem.H, problem.V
        self.clip, self.learning_rate = problem.clip, problem.learning_rate
        self.flat, self.parameters = joined(weights(problem))
        self.dflat, self.gradients = joined([np.zeros_like(parameter) for parameter in self.parameters])
        self.memory, self.memories = joined(self.gradients)
        self.scratch = np.zeros_like(self.flat)
        self.characters, self.steps = np.arange(V), np.arange(T * B)
        self.hs = np.zeros((T + 1, B, H), problem.dtype)  # h_{-1}, h_0 ... h_{T-1}
        self.da = np.zeros((T, B, H), problem.dtype)

    def loss(self, inputs: Indices, targets: Indices, hprev: Array) -> float:
        """The loss; clipped gradients in self.gradients, the states in self.hs. inputs, targets (T * B,)."""
        Wxh, Whh, Why, bh, by = self.parameters
        dWxh, dWhh, dWhy, dbh, dby = self.gradients
        hs, da, T, H = self.hs, self.da, len(self.da), len(Whh)
        hs[0] = hprev
        Wxh.T.take(inputs, axis=0, out=hs[1:].reshape(-1, H), mode="clip")  # the columns of the characters
        hs[1:] += bh.T
        for t in range(T):
            h = hs[t + 1]
            h += hs[t] @ Whh.T
            np.tanh(h, out=h)
        states = hs[1:].reshape(-1, H)

        p = states @ Why.T
        p += by.T
        p -= p.max(axis=1, keepdims=True)
        right = p[self.steps, targets]
        np.exp(p, out=p)
        sums = p.sum(axis=1, keepdims=True)
        loss = float(np.log(sums).sum() - right.sum())
        p /= sums
        p[self.steps, targets] -= 1

        np.dot(p.T, states, out=dWhy)
        p.sum(axis=0, out=dby[:, 0])
        np.dot(p, Why, out=da.reshape(-1, H))
        slope = 1 - hs[1:] * hs[1:]
        da[T - 1] *= slope[T - 1]
        for t in range(T - 2, -1, -1):
            da[t] += da[t + 1] @ Whh
            da[t] *= slope[t]
        d = da.reshape(-1, H)
        np.dot(d.T, hs[:-1].reshape(-1, H), out=dWhh)
        d.sum(axis=0, out=dbh[:, 0])
        np.dot(d.T, (inputs[:, None] == self.characters).astype(d.dtype), out=dWxh)
        np.clip(self.dflat, -self.clip, self.clip, out=self.dflat)
        return loss

    def adagrad(self) -> None:
        np.multiply(self.dflat, self.dflat, out=self.scratch)
        self.memory += self.scratch
        np.add(self.memory, 1e-8, out=self.scratch)
        np.sqrt(self.scratch, out=self.scratch)
        np.divide(self.dflat, self.scratch, out=self.scratch)
        self.scratch *= self.learning_rate
        self.flat -= self.scratch


class Training:
    unit = 1

    def __init__(self, problem: Problem) -> None:
        self.network = Network(replace(problem, B=1))
        self.T, self.text, self.p = problem.T, text(problem.V), 0
        self.h = np.zeros((1, problem.H), problem.dtype)

    def run(self, times: int) -> None:
        T = self.T
        for _ in range(times):
            self.network.loss(self.text[self.p : self.p + T], self.text[self.p + 1 : self.p + T + 1], self.h)
            self.network.adagrad()
            self.p += T
            if self.p + T + 1 >= len(self.text):
                self.h, self.p = np.zeros_like(self.h), 0
            else:
                self.h = self.network.hs[-1]

    def outcome(self) -> Sequence[Array]:
        return [*self.network.parameters, *self.network.memories, self.h.T]


def loss_fun(problem: Problem) -> Job:
    network, characters = Network(replace(problem, B=1)), text(problem.V)[: problem.T + 1]
    hprev = np.zeros((1, problem.H), problem.dtype)

    def call() -> Sequence[object]:
        loss = network.loss(characters[:-1], characters[1:], hprev)
        return loss, *network.gradients, network.hs[-1].T

    return Calls(call)


def batched_loss(problem: Problem) -> Job:
    network = Network(problem)
    inputs, targets, hprev = batch(problem)

    def call() -> Sequence[object]:
        return network.loss(inputs.ravel(), targets.ravel(), hprev), *network.gradients, network.hs[-1]

    return Calls(call)


TASKS: dict[str, Callable[[Problem], Job]] = {"train": Training, "lossFun": loss_fun, "batch": batched_loss}

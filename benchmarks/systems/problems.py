"""The systems that are timed: their sizes, their data, and the weights that all sides begin with.

Weights have the names and shapes of the models' parameters, which are those of PyTorch's modules, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Indices = NDArray[np.int64]
Weights = Mapping[str, Array]

BATCHES = 16  # that the sides go through, again and again, where they do not draw data of their own


@dataclass(frozen=True)
class Adder:
    """An RNN of sigmoid units, 2 -> hidden_size -> 1, without biases, that adds two numbers of `bits` bits, the
    uppermost 0, from the least significant on; squared error through a sigmoid, gradient descent, one sum at a time.
    Weights and operands are drawn from one stream, as in the script."""

    bits: int = 8
    hidden_size: int = 16
    seed: int = 0
    dtype: str = "float64"

    @property
    def operands(self) -> int:
        """All are below this."""
        return 1 << (self.bits - 1)

    def begin(self) -> tuple[np.random.RandomState, Array, Array, Array]:
        """The stream from which operands come, and weights of the input (2, H), of the output (H, 1) and of the
        recurrence (H, H), uniform in (-1, 1), which were drawn from it before."""
        random, H = np.random.RandomState(self.seed), self.hidden_size
        first, second, third = (2 * random.random_sample(shape) - 1 for shape in ((2, H), (H, 1), (H, H)))
        return random, first, second, third


@dataclass(frozen=True)
class Classifier:
    """Many to one: an LSTM over sequences of vectors, a linear layer on its last state, softmax cross-entropy, Adam."""

    batch_size: int = 32
    steps: int = 50
    input_size: int = 8
    hidden_size: int = 64
    classes: int = 10
    learning_rate: float = 0.001
    dtype: str = "float32"

    def data(self) -> tuple[Array, Indices]:
        """Sequences (N, steps, input_size) and their classes (N,), of which all occur."""
        rng, n = np.random.default_rng(1), BATCHES * self.batch_size
        x = rng.standard_normal((n, self.steps, self.input_size)).astype(np.float32)
        return x.astype(self.dtype), np.arange(n) % self.classes

    def weights(self) -> Weights:
        rows, H = 4 * self.hidden_size, self.hidden_size
        lstm = {"weight_ih_l0": (rows, self.input_size), "weight_hh_l0": (rows, H), "bias_ih_l0": (rows,)}
        linear = {"linear.weight": (self.classes, H), "linear.bias": (self.classes,)}
        return _uniform({f"rnn.{name}": shape for name, shape in lstm.items()} | linear, H, self.dtype)


@dataclass(frozen=True)
class Reversal:
    """Sequence to sequence: an encoder and a decoder, each an embedding and a GRU. The encoder reads the source and its
    end; the decoder reads that it begins and the true tokens, and says the tokens and their end; softmax cross-entropy,
    Adam."""

    batch_size: int = 32
    length: int = 20
    vocabulary: int = 30
    embedding_size: int = 64
    hidden_size: int = 128
    learning_rate: float = 0.001
    dtype: str = "float32"

    def data(self) -> tuple[Indices, Indices]:
        """Sources and targets, both (N, length), of tokens from 1 to `vocabulary`, of which all occur. (0 stands for
        the beginning and the end.) The targets are the sources backwards."""
        rng, shape = np.random.default_rng(2), (BATCHES * self.batch_size, self.length)
        sources = 1 + rng.permutation(np.arange(shape[0] * shape[1]) % self.vocabulary).reshape(shape)
        return sources, np.ascontiguousarray(sources[:, ::-1])

    def weights(self) -> Weights:
        E, H, V = self.embedding_size, self.hidden_size, self.vocabulary + 1
        gru = {"weight_ih_l0": (3 * H, E), "weight_hh_l0": (3 * H, H), "bias_ih_l0": (3 * H,), "bias_hh_l0": (3 * H,)}
        shapes: dict[str, tuple[int, ...]] = {"encoder_embedding.weight": (V, E), "embedding.weight": (V, E)}
        shapes |= {f"{layer}.{name}": shape for layer in ("encoder", "decoder") for name, shape in gru.items()}
        return _uniform(shapes | {"linear.weight": (V, H), "linear.bias": (V,)}, H, self.dtype)


Problem = Adder | Classifier | Reversal


def _uniform(shapes: Mapping[str, tuple[int, ...]], hidden_size: int, dtype: str) -> Weights:
    """Uniform in +-1 / sqrt(hidden_size), and the same in every dtype."""
    rng, bound = np.random.default_rng(hidden_size), hidden_size**-0.5
    return {name: rng.uniform(-bound, bound, shape).astype(np.float32).astype(dtype) for name, shape in shapes.items()}

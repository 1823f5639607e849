"""What `Embedding` and `Linear` are before they compute: arguments, parameters, initial values. Over the C kernels
(`fastrnn.layers`) and over NumPy (`fastrnn.reference`) they are the same."""

import math
from typing import Any

from numpy.typing import DTypeLike

from fastrnn.arguments import flag, integer
from fastrnn.layer import Layer, Shapes, uniform
from fastrnn.random import generator


class EmbeddingLayer(Layer):
    """One row for each of V things: `weight` (V, E), at first N(0, 1) from `rng`, as in PyTorch's module."""

    def __init__(
        self, num_embeddings: int, embedding_size: int, *, dtype: DTypeLike = "float32", rng: Any = None
    ) -> None:
        self.num_embeddings = integer(num_embeddings, "num_embeddings", 1)
        self.embedding_size = integer(embedding_size, "embedding_size", 1)
        shapes: Shapes = {"weight": (self.num_embeddings, self.embedding_size)}
        super().__init__(shapes, dtype, generator(rng).standard_normal)


class LinearLayer(Layer):
    """`weight` (O, I) and, where bias is true, `bias` (O,), at first U(-1/sqrt(I), 1/sqrt(I)) from `rng`, as in
    PyTorch's module."""

    def __init__(
        self, input_size: int, output_size: int, *, bias: bool = True, dtype: DTypeLike = "float32", rng: Any = None
    ) -> None:
        self.input_size = integer(input_size, "input_size", 1)
        self.output_size = integer(output_size, "output_size", 1)
        self.bias = flag(bias, "bias")
        shapes: Shapes = {"weight": (self.output_size, self.input_size)}
        if self.bias:
            shapes["bias"] = (self.output_size,)
        super().__init__(shapes, dtype, uniform(generator(rng), 1 / math.sqrt(self.input_size)))

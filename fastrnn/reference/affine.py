"""W x + b, which every layer here is made of."""

from typing import NamedTuple, Self

import numpy as np

from fastrnn.arrays import Array, Integers, is_integer
from fastrnn.layer import Layer


class Affine(NamedTuple):
    """W x + b for each row x of a batch, with the gradients of W and b beside them; b may be missing."""

    W: Array  # (O, I)
    b: Array | None  # (O,)
    dW: Array
    db: Array | None

    @classmethod
    def of(cls, layer: Layer, weight: str, bias: str) -> Self:
        """Over the layer's parameters of these names."""
        parameters, gradients = layer.parameters, layer.gradients
        return cls(parameters[weight], parameters.get(bias), gradients[weight], gradients.get(bias))

    def __call__(self, x: Array | Integers) -> Array:
        """a = W x + b; x is (B, I) or (B,) integers, each of which stands for its 1-of-I code."""
        a: Array = self.W[:, x].T if is_integer(x) else x @ self.W.T  # W times a code is one column of W
        return a if self.b is None else a + self.b

    def backward(self, x: Array | Integers, da: Array) -> Array:
        """a = W x + b, so dW += da x^T and db += da, summed over the batch; returns dx = W^T da."""
        if self.db is not None:
            self.db[...] += da.sum(axis=0)
        if is_integer(x):
            np.add.at(self.dW.T, x, da)  # a column that occurs twice is added to twice, which += would not do
        else:
            self.dW[...] += da.T @ x
        dx: Array = da @ self.W
        return dx

    def blocks(self, count: int) -> list["Affine"]:
        """The same, cut into `count` blocks of rows: one for each gate."""
        split = [[None] * count if array is None else np.split(array, count) for array in self]
        return [Affine(*block) for block in zip(*split, strict=True)]

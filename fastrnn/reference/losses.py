"""The losses of `fastrnn.losses` in plain NumPy: value, and gradient with respect to what the network put out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.arrays import Array
from fastrnn.errors import NumericalError

Integers = NDArray[np.integer[Any]]


def softmax_cross_entropy(logits: Array, targets: Integers, reduction: str = "mean") -> tuple[float, Array]:
    """See `fastrnn.softmax_cross_entropy`."""
    y = logits - logits.max(axis=-1, keepdims=True)  # so that no exponential overflows
    log_p = y - np.log(np.exp(y).sum(axis=-1, keepdims=True))
    target = np.expand_dims(np.asarray(targets), -1)
    losses = -np.take_along_axis(log_p, target, axis=-1)
    gradient = np.exp(log_p)
    np.put_along_axis(gradient, target, np.take_along_axis(gradient, target, axis=-1) - 1, axis=-1)
    return _reduced(losses, gradient, reduction)


def sigmoid_binary_cross_entropy(logits: Array, targets: Array, reduction: str = "mean") -> tuple[float, Array]:
    """See `fastrnn.sigmoid_binary_cross_entropy`."""
    e = np.exp(-np.abs(logits))  # of the two forms of a sigmoid, each where its exponential is at most 1
    losses = np.maximum(logits, 0) - targets * logits + np.log1p(e)
    gradient = np.where(logits < 0, e, 1) / (1 + e) - targets
    return _reduced(losses, gradient.astype(logits.dtype), reduction)


def mean_squared_error(outputs: Array, targets: Array, reduction: str = "mean") -> tuple[float, Array]:
    """See `fastrnn.mean_squared_error`."""
    difference = outputs - targets
    return _reduced(difference**2, (2 * difference).astype(outputs.dtype), reduction)


def _reduced(losses: Array, gradient: Array, reduction: str) -> tuple[float, Array]:
    """The sum of the losses, or their mean, and the gradient of that."""
    divisor = losses.size if reduction == "mean" else 1
    loss = float(losses.sum(dtype=np.float64)) / divisor
    if not np.isfinite(loss):
        raise NumericalError(f"the loss is {loss}")
    return loss, gradient / gradient.dtype.type(divisor)

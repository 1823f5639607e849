"""Losses: each returns its value and its gradient with respect to what the network put out."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn import _core
from fastrnn.arrays import Array


def softmax_cross_entropy(logits: Array, targets: ArrayLike, reduction: str = "mean") -> tuple[float, Array]:
    """Cross-entropy of softmax probabilities, for one right class in V.

        loss = sum or mean over the rows of -ln softmax(row)[target],  d loss / d row = softmax(row) - onehot(target)

    logits (..., V), float32 or float64; targets (...), integers in [0, V). reduction "sum" or "mean", which divides
    loss and gradient by the number of rows. Returns the loss, in nats, and its gradient, a new array like logits.

    NumericalError where the loss is NaN or infinite; TypeError, ValueError or IndexError, naming the argument, for
    other arguments. Source: torch.nn.functional.cross_entropy.
    """
    gradient = _copy(logits, "logits")
    if gradient.ndim == 0:
        raise ValueError("logits must have shape (..., V), with one number for each class, not ()")
    V = gradient.shape[-1]
    rows = gradient.reshape(-1, V)
    mean = _is_mean(reduction)
    loss = _core.softmax_cross_entropy(rows, _classes(targets, gradient.shape[:-1], V))
    if not mean:
        return loss, gradient
    _core.scale(rows, 1 / len(rows))
    return loss / len(rows), gradient


def sigmoid_binary_cross_entropy(logits: Array, targets: ArrayLike, reduction: str = "mean") -> tuple[float, Array]:
    """Binary cross-entropy of the probabilities sigmoid(x), for each number x of logits with its target t.

        loss = sum or mean of -t ln sigmoid(x) - (1 - t) ln(1 - sigmoid(x)),  d loss / dx = sigmoid(x) - t

    logits, float32 or float64, of any shape; targets of the same shape, in [0, 1]. reduction "sum" or "mean", which
    divides loss and gradient by the number of elements. Returns the loss, in nats, and its gradient, a new array like
    logits. No logit, however large, overflows.

    NumericalError where the loss is NaN or infinite; TypeError or ValueError, naming the argument, for other
    arguments. Source: torch.nn.functional.binary_cross_entropy_with_logits.
    """
    gradient = _copy(logits, "logits")
    t = _targets(targets, gradient)
    divisor = gradient.size if _is_mean(reduction) else 1
    return _core.sigmoid_binary_cross_entropy(gradient, t, 1 / divisor) / divisor, gradient


def mean_squared_error(outputs: Array, targets: ArrayLike, reduction: str = "mean") -> tuple[float, Array]:
    """Squared error of each number y of outputs against its target t.

        loss = sum or mean of (y - t)^2,  d loss / dy = 2 (y - t)

    outputs, float32 or float64, of any shape; targets of the same shape. reduction "sum" or "mean", which divides loss
    and gradient by the number of elements. Returns the loss and its gradient, a new array like outputs.

    NumericalError where the loss is NaN or infinite; TypeError or ValueError, naming the argument, for other
    arguments. Source: torch.nn.functional.mse_loss.
    """
    gradient = _copy(outputs, "outputs")
    t = _targets(targets, gradient)
    divisor = gradient.size if _is_mean(reduction) else 1
    return _core.squared_error(gradient, t, 1 / divisor) / divisor, gradient


def _copy(array: Any, name: str) -> Array:
    """A C-contiguous copy, to become the gradient."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array, not {type(array).__name__}")
    if array.dtype not in (np.float32, np.float64):
        raise TypeError(
            f"{name} must be float64 or float32, not {array.dtype}: convert it with {name}.astype(np.float64)"
        )
    if array.size == 0:
        raise ValueError(f"{name} must hold at least one number, and has shape {array.shape}")
    return np.array(array, order="C")


def _classes(targets: ArrayLike, shape: tuple[int, ...], V: int) -> NDArray[np.int64]:
    """Targets of this shape as integers in [0, V), in one row."""
    array = np.asarray(targets)
    if array.dtype.kind not in "iu":
        raise TypeError(f"targets must be integers, not {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"targets must have shape {shape}, that of logits without its last axis, not {array.shape}")
    try:
        return _core.indices(array, V, "targets").ravel()
    except IndexError:
        position = tuple(map(int, np.argwhere((array < 0) | (array >= V))[0]))
        where = f"targets[{', '.join(map(str, position))}]" if position else "targets"
        raise IndexError(f"{where} is {array[position]}, outside [0, {V}): logits have {V} classes") from None


def _targets(targets: ArrayLike, outputs: Array) -> Array:
    """Targets as an array of the shape and dtype of outputs."""
    array = np.asarray(targets)
    if array.dtype.kind not in "bfiu":
        raise TypeError(f"targets must be real numbers, not {array.dtype}")
    if array.shape != outputs.shape:
        raise ValueError(f"targets must have shape {outputs.shape}, not {array.shape}")
    return np.require(array, outputs.dtype, ["C", "A"]).reshape(outputs.shape)


def _is_mean(reduction: str) -> bool:
    if reduction not in ("sum", "mean"):
        raise ValueError(f'reduction must be "sum" or "mean", not {reduction!r}')
    return reduction == "mean"

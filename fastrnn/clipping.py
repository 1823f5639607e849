"""Gradients that are too large, cut down before an optimizer's step."""

import math
from collections.abc import Iterable

import numpy as np

from fastrnn import _core
from fastrnn.arguments import positive
from fastrnn.errors import NumericalError
from fastrnn.layer import Layer, layers_of


def clip_gradient_value(layers: Layer | Iterable[Layer], limit: float) -> None:
    """Each element of each gradient = min(max(element, -limit), limit), in place; NaN stays NaN.

    layers: one layer or several. limit > 0, infinity included; ValueError or TypeError otherwise.
    Source: torch.nn.utils.clip_grad_value_.
    """
    limit = positive(limit, "limit")
    for layer in layers_of(layers):
        _core.clip(layer.flat_gradients, limit)


def clip_gradient_norm(layers: Layer | Iterable[Layer], max_norm: float) -> float:
    """Scales all gradients, in place, so that their norm is at most max_norm; returns the norm before.

        norm = sqrt(sum of g^2 over all elements of all layers),  g *= min(1, max_norm / (norm + 1e-6))

    layers: one layer or several. max_norm > 0, infinity included; ValueError or TypeError otherwise. NumericalError
    where the norm is NaN or infinite: the message names the gradients that are, and none is changed.
    Source: Pascanu, Mikolov and Bengio 2013; torch.nn.utils.clip_grad_norm_.
    """
    several, max_norm = layers_of(layers), positive(max_norm, "max_norm")
    norm = math.hypot(*(_core.norm(layer.flat_gradients) for layer in several))
    if not math.isfinite(norm):
        raise norm_not_finite(norm, several)
    factor = max_norm / (norm + 1e-6)
    if factor < 1:
        for layer in several:
            _core.scale(layer.flat_gradients, factor)
    return norm


def norm_not_finite(norm: float, layers: tuple[Layer, ...]) -> NumericalError:
    """The error for a norm that is NaN or infinite, with its cause."""
    culprits = [
        f"{name} of layers[{i}]"
        for i, layer in enumerate(layers)
        for name, gradient in layer.gradients.items()
        if not np.isfinite(gradient).all()
    ]
    remedy = "go back to finite weights and lower the learning rate"
    if not culprits:
        return NumericalError(f"the norm of the gradients is {norm}, larger than a float64 can be: {remedy}")
    return NumericalError(f"the norm of the gradients is {norm}: NaN or infinity in {', '.join(culprits)}; {remedy}")

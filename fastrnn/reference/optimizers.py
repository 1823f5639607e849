"""The optimizers and the clipping of gradients in plain NumPy: what the kernels compute, written to be read.

The classes are those of `fastrnn.optimizers` but for `_update`; equations and sources stand in their docstrings.
"""

import math
from collections.abc import Iterable, Iterator

import numpy as np

from fastrnn import optimizer
from fastrnn.arguments import positive
from fastrnn.arrays import Array
from fastrnn.clipping import norm_not_finite
from fastrnn.layer import Layer, layers_of


class SGD(optimizer.SGD):
    __doc__ = optimizer.SGD.__doc__

    def _update(self, parameters: list[Array], gradients: list[Array]) -> None:
        for i, (p, g) in enumerate(_decayed(parameters, gradients, self.weight_decay)):
            change = g
            if self.momentum != 0:
                buffer = self.slots["momentum_buffer"][i]
                buffer[...] = g if self.iterations == 0 else self.momentum * buffer + (1 - self.dampening) * g
                change = g + self.momentum * buffer if self.nesterov else buffer
            p -= self.learning_rate * change


class Adagrad(optimizer.Adagrad):
    __doc__ = optimizer.Adagrad.__doc__

    def _update(self, parameters: list[Array], gradients: list[Array]) -> None:
        for i, (p, g) in enumerate(_decayed(parameters, gradients, self.weight_decay)):
            G = self.slots["sum"][i]
            G += g * g
            p -= self.learning_rate * g / (np.sqrt(G + self.eps) if self.eps_inside_sqrt else np.sqrt(G) + self.eps)


class RMSprop(optimizer.RMSprop):
    __doc__ = optimizer.RMSprop.__doc__

    def _update(self, parameters: list[Array], gradients: list[Array]) -> None:
        for i, (p, g) in enumerate(_decayed(parameters, gradients, self.weight_decay)):
            v = self.slots["square_avg"][i]
            v[...] = self.alpha * v + (1 - self.alpha) * g * g
            variance = v
            if self.centered:
                m = self.slots["grad_avg"][i]
                m[...] = self.alpha * m + (1 - self.alpha) * g
                variance = np.maximum(0, v - m * m)  # of a constant gradient it may come out below 0 by rounding
            change = g / (np.sqrt(variance) + self.eps)
            if self.momentum != 0:
                buffer = self.slots["momentum_buffer"][i]
                change = buffer[...] = self.momentum * buffer + change
            p -= self.learning_rate * change


class Adam(optimizer.Adam):
    __doc__ = optimizer.Adam.__doc__

    def _update(self, parameters: list[Array], gradients: list[Array]) -> None:
        (beta1, beta2), t = self.betas, self.iterations + 1
        if self._decoupled:
            for p in parameters:
                p -= self.learning_rate * self.weight_decay * p
        for i, (p, g) in enumerate(_decayed(parameters, gradients, 0 if self._decoupled else self.weight_decay)):
            m, v = self.slots["exp_avg"][i], self.slots["exp_avg_sq"][i]
            m[...] = beta1 * m + (1 - beta1) * g
            v[...] = beta2 * v + (1 - beta2) * g * g
            p -= self.learning_rate * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + self.eps)


class AdamW(Adam, optimizer.AdamW):
    __doc__ = optimizer.AdamW.__doc__


def _decayed(parameters: list[Array], gradients: list[Array], decay: float) -> Iterator[tuple[Array, Array]]:
    """Each p with g + decay p, the gradient of the loss plus decay / 2 times the sum of p^2."""
    for p, g in zip(parameters, gradients, strict=True):
        yield p, g + decay * p if decay != 0 else g


def clip_gradient_value(layers: Layer | Iterable[Layer], limit: float) -> None:
    """See `fastrnn.clip_gradient_value`."""
    limit = positive(limit, "limit")
    for layer in layers_of(layers):
        np.clip(layer.flat_gradients, -limit, limit, out=layer.flat_gradients)


def clip_gradient_norm(layers: Layer | Iterable[Layer], max_norm: float) -> float:
    """See `fastrnn.clip_gradient_norm`."""
    several, max_norm = layers_of(layers), positive(max_norm, "max_norm")
    norm = math.hypot(*(element for layer in several for element in layer.flat_gradients.tolist()))
    if not math.isfinite(norm):
        raise norm_not_finite(norm, several)
    for layer in several:
        layer.flat_gradients *= min(1, max_norm / (norm + 1e-6))
    return norm

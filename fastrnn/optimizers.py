"""Optimizers over layers' flat buffers, in C: each step is one pass over parameters, gradients and slots.

optimizer = fastrnn.Adam([rnn, output], learning_rate=0.002)
...
optimizer.step()
"""

from fastrnn import _core, optimizer
from fastrnn.arrays import Array
from fastrnn.optimizer import Optimizer

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop"]


class SGD(optimizer.SGD):
    __doc__ = optimizer.SGD.__doc__

    def _update(self, parameters: list[Array], gradients: list[Array]) -> None:
        _core.update_sgd(
            parameters,
            gradients,
            self.slots,
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            dampening=self.dampening,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov,
            iteration=self.iterations + 1,
        )


class Adagrad(optimizer.Adagrad):
    __doc__ = optimizer.Adagrad.__doc__

    def _update(self, parameters: list[Array], gradients: list[Array]) -> None:
        _core.update_adagrad(
            parameters,
            gradients,
            self.slots,
            learning_rate=self.learning_rate,
            eps=self.eps,
            weight_decay=self.weight_decay,
            eps_inside_sqrt=self.eps_inside_sqrt,
        )


class RMSprop(optimizer.RMSprop):
    __doc__ = optimizer.RMSprop.__doc__

    def _update(self, parameters: list[Array], gradients: list[Array]) -> None:
        _core.update_rmsprop(
            parameters,
            gradients,
            self.slots,
            learning_rate=self.learning_rate,
            alpha=self.alpha,
            eps=self.eps,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            centered=self.centered,
        )


class Adam(optimizer.Adam):
    __doc__ = optimizer.Adam.__doc__

    def _update(self, parameters: list[Array], gradients: list[Array]) -> None:
        beta1, beta2 = self.betas
        _core.update_adam(
            parameters,
            gradients,
            self.slots,
            learning_rate=self.learning_rate,
            beta1=beta1,
            beta2=beta2,
            eps=self.eps,
            weight_decay=self.weight_decay,
            decoupled=self._decoupled,
            iteration=self.iterations + 1,
        )


class AdamW(Adam, optimizer.AdamW):
    __doc__ = optimizer.AdamW.__doc__

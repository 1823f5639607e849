"""What an optimizer is, but for its arithmetic, which `fastrnn.optimizers` does in C and `fastrnn.reference` in NumPy:
settings, what it remembers of each layer, and how that is saved."""

import math
from _thread import allocate_lock
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fastrnn.arguments import finite, integer
from fastrnn.arrays import Array
from fastrnn.layer import Layer, layers_of

Slots = dict[str, list[Array]]


class Optimizer(ABC):
    """An optimizer of one layer or of several, whose parameters `step` updates in place.

    Attributes, to read: `layers`, a tuple; `iterations`, the number of steps done; `slots`, what is remembered from
    step to step, a dict of name -> list of arrays (N,) in the layers' dtypes, one for each layer, laid out as its
    `flat_parameters`; the settings, by the names of the arguments. `learning_rate` can also be set.
    """

    def __init__(self, layers: Layer | Iterable[Layer], learning_rate: float) -> None:
        self.layers = layers_of(layers)
        self._largest = min(float(np.finfo(layer.flat_parameters.dtype).max) for layer in self.layers)
        self.learning_rate = learning_rate
        self.iterations = 0
        self.slots: Slots = {}
        self._stepping = allocate_lock()

    def _remember(self, *names: str) -> None:
        """Makes slots of these names, zero at first."""
        for name in names:
            self.slots[name] = [np.zeros_like(layer.flat_parameters) for layer in self.layers]

    def _setting(self, value: Any, name: str, least: float = -math.inf, below: float = math.inf) -> float:
        """value as a float in [least, below), finite in each layer's dtype; TypeError or ValueError otherwise."""
        number = finite(value, name)
        if not least <= number < below:
            wanted = f"at least {least}" if below == math.inf else f"in [{least}, {below})"
            raise ValueError(f"{name} must be {wanted}, not {value}")
        if abs(number) > self._largest:
            raise ValueError(f"{name} must be finite in the layers' dtype, at most {self._largest}, not {value}")
        return number

    @property
    def learning_rate(self) -> float:
        """The size of a step, finite and at least 0. What is set counts from the next step on."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._learning_rate = self._setting(value, "learning_rate", least=0)

    def step(self) -> None:
        """Updates every parameter by its gradient, and `iterations`.

        ValueError or TypeError where a flat buffer or a slot is no longer the array that it was, and then nothing is
        changed. Gradients that are NaN or infinite go where the arithmetic takes them: `clip_gradient_norm` before
        the step refuses them. In the running sums and means, numbers below the dtype's least normal one count as 0.
        Of several threads that call it at once, each waits for the others.
        """
        parameters = [layer.flat_parameters for layer in self.layers]
        gradients = [layer.flat_gradients for layer in self.layers]
        with self._stepping:
            self._update(parameters, gradients)
            self.iterations += 1

    @abstractmethod
    def _update(self, parameters: list[Array], gradients: list[Array]) -> None:
        """One step over the flat buffers of all layers, or an error before anything is changed."""

    def zero_gradients(self) -> None:
        """Sets every gradient of every layer to zero."""
        for layer in self.layers:
            layer.zero_gradients()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_stepping"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._stepping = allocate_lock()

    def state_dict(self) -> dict[str, Any]:
        """What the next steps depend on besides the settings: `iterations`, `learning_rate` and copies of `slots`."""
        slots = {name: [array.copy() for array in arrays] for name, arrays in self.slots.items()}
        return {"iterations": self.iterations, "learning_rate": self.learning_rate, "slots": slots}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over what `state_dict` of an optimizer of the same kind, over layers of the same sizes, returned.

        TypeError or ValueError, naming the entry, where something is missing, left over or of another shape; nothing
        is changed then.
        """
        _check_names(state, ("iterations", "learning_rate", "slots"), "state")
        iterations = integer(state["iterations"], "iterations", least=0)
        if iterations >= 2**63:
            raise ValueError(f"iterations must be below 2**63, not {iterations}")
        learning_rate = self._setting(state["learning_rate"], "learning_rate", least=0)
        _check_names(state["slots"], tuple(self.slots), "slots")
        slots = {name: self._slot(state["slots"][name], name) for name in self.slots}
        self.iterations, self.learning_rate = iterations, learning_rate
        for name, arrays in slots.items():
            for mine, array in zip(self.slots[name], arrays, strict=True):
                mine[...] = array

    def _slot(self, values: Any, name: str) -> list[Array]:
        """values as the arrays of this slot, or an error."""
        if not isinstance(values, list | tuple):
            raise TypeError(f"slots['{name}'] must be a list of arrays, not {type(values).__name__}")
        if len(values) != len(self.layers):
            raise ValueError(
                f"slots['{name}'] must hold {len(self.layers)} arrays, one for each layer, not {len(values)}"
            )
        arrays = [np.asarray(value) for value in values]
        for i, (array, mine) in enumerate(zip(arrays, self.slots[name], strict=True)):
            if array.dtype.kind not in "fiu":
                raise TypeError(f"slots['{name}'][{i}] must hold real numbers, not {array.dtype}")
            if array.shape != mine.shape:
                raise ValueError(f"slots['{name}'][{i}] must have shape {mine.shape}, not {array.shape}")
        return arrays


def _check_names(entries: Any, wanted: tuple[str, ...], what: str) -> None:
    if not isinstance(entries, Mapping):
        raise TypeError(f"{what} must be a dict, not {type(entries).__name__}")
    missing = [name for name in wanted if name not in entries]
    left_over = [str(name) for name in entries if name not in wanted]
    if missing or left_over:
        raise ValueError(
            f"{what} must have the entries {', '.join(wanted) or '(none)'}: "
            f"missing {', '.join(missing) or 'none'}, left over {', '.join(left_over) or 'none'}"
        )


class SGD(Optimizer):
    """Stochastic gradient descent. With g the gradient and p the parameter:

        g += weight_decay p
        p -= learning_rate g                    without momentum; with it
        b = momentum b + (1 - dampening) g      (b = g at the first step)
        p -= learning_rate b, or with nesterov p -= learning_rate (g + momentum b)

    momentum and weight_decay are at least 0, dampening is finite; nesterov needs momentum > 0 and dampening 0. With
    momentum, slots has "momentum_buffer". TypeError or ValueError for other arguments.

    Source: Sutskever, Martens, Dahl and Hinton 2013; equal to torch.optim.SGD step for step.
    """

    def __init__(
        self,
        layers: Layer | Iterable[Layer],
        learning_rate: float,
        *,
        momentum: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(layers, learning_rate)
        self.momentum = self._setting(momentum, "momentum", least=0)
        self.dampening = self._setting(dampening, "dampening")
        self.nesterov = bool(nesterov)
        self.weight_decay = self._setting(weight_decay, "weight_decay", least=0)
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError(
                f"nesterov needs momentum above 0 and dampening 0, not momentum {momentum} and dampening {dampening}"
            )
        if self.momentum != 0:
            self._remember("momentum_buffer")


class Adagrad(Optimizer):
    """Adagrad. With g the gradient and p the parameter:

        g += weight_decay p;  G += g^2
        p -= learning_rate g / (sqrt(G) + eps), or with eps_inside_sqrt p -= learning_rate g / sqrt(G + eps)

    eps is at least 0, and above 0 inside the root, weight_decay at least 0. slots has "sum", which is G. TypeError or
    ValueError for other arguments. min-char-rnn's update is eps=1e-8, eps_inside_sqrt=True.

    Source: Duchi, Hazan and Singer 2011; with the epsilon outside equal to torch.optim.Adagrad step for step.
    """

    def __init__(
        self,
        layers: Layer | Iterable[Layer],
        learning_rate: float = 0.01,
        *,
        eps: float = 1e-10,
        eps_inside_sqrt: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(layers, learning_rate)
        self.eps = self._setting(eps, "eps", least=0)
        self.eps_inside_sqrt = bool(eps_inside_sqrt)
        self.weight_decay = self._setting(weight_decay, "weight_decay", least=0)
        smallest = max(float(np.finfo(layer.flat_parameters.dtype).tiny) for layer in self.layers)
        if self.eps_inside_sqrt and self.eps < smallest:
            raise ValueError(f"eps must be at least {smallest}, the least normal number, inside the root, not {eps}")
        self._remember("sum")


class RMSprop(Optimizer):
    """RMSprop. With g the gradient and p the parameter:

        g += weight_decay p
        v = alpha v + (1 - alpha) g^2;  m = alpha m + (1 - alpha) g
        d = g / (sqrt(v) + eps), or centered d = g / (sqrt(max(0, v - m^2)) + eps)
        p -= learning_rate d, or with momentum b = momentum b + d;  p -= learning_rate b

    alpha is in [0, 1); eps, momentum and weight_decay are at least 0. slots has "square_avg", which is v, with momentum
    "momentum_buffer", centered "grad_avg", which is m. TypeError or ValueError for other arguments.

    Source: Tieleman and Hinton 2012, centered: Graves 2013; equal to torch.optim.RMSprop step for step, except that
    PyTorch's v - m^2 may fall below 0 by rounding, which makes the parameter NaN.
    """

    def __init__(
        self,
        layers: Layer | Iterable[Layer],
        learning_rate: float = 0.01,
        *,
        alpha: float = 0.99,
        eps: float = 1e-8,
        momentum: float = 0.0,
        centered: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(layers, learning_rate)
        self.alpha = self._setting(alpha, "alpha", least=0, below=1)
        self.eps = self._setting(eps, "eps", least=0)
        self.momentum = self._setting(momentum, "momentum", least=0)
        self.centered = bool(centered)
        self.weight_decay = self._setting(weight_decay, "weight_decay", least=0)
        self._remember("square_avg")
        if self.momentum != 0:
            self._remember("momentum_buffer")
        if self.centered:
            self._remember("grad_avg")


class Adam(Optimizer):
    """Adam. With g the gradient, p the parameter and t = 1, 2, ... the iteration:

        g += weight_decay p
        m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
        p -= learning_rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

    betas = (beta1, beta2), each in [0, 1); eps and weight_decay are at least 0. slots has "exp_avg", which is m, and
    "exp_avg_sq", which is v. TypeError or ValueError for other arguments.

    Source: Kingma and Ba 2015; equal to torch.optim.Adam step for step.
    """

    _decoupled = False

    def __init__(
        self,
        layers: Layer | Iterable[Layer],
        learning_rate: float = 0.001,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(layers, learning_rate)
        try:
            beta1, beta2 = betas
        except (TypeError, ValueError):
            raise TypeError(f"betas must be two numbers, (beta1, beta2), not {betas!r}") from None
        below_1 = {"least": 0, "below": 1}
        self.betas = (self._setting(beta1, "betas[0]", **below_1), self._setting(beta2, "betas[1]", **below_1))
        self.eps = self._setting(eps, "eps", least=0)
        self.weight_decay = self._setting(weight_decay, "weight_decay", least=0)
        self._remember("exp_avg", "exp_avg_sq")


class AdamW(Adam):
    """Adam with decoupled weight decay: as `Adam`, but instead of g += weight_decay p

        p -= learning_rate weight_decay p

    Source: Loshchilov and Hutter 2019; equal to torch.optim.AdamW step for step.
    """

    _decoupled = True

    def __init__(
        self,
        layers: Layer | Iterable[Layer],
        learning_rate: float = 0.001,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(layers, learning_rate, betas=betas, eps=eps, weight_decay=weight_decay)

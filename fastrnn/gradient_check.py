"""Is a backward pass right? Its gradients, held against differences of the loss."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fastrnn.arguments import integer, positive, real
from fastrnn.arrays import Array
from fastrnn.errors import GradientCheckError, NumericalError
from fastrnn.random import Random, generator
from fastrnn.recurrent import RecurrentLayer

# A central difference (L(p + s) - L(p - s)) / 2s is wrong by s^2 |L'''| / 6 (truncation) and, where L is known
# to within d, by up to d / s (rounding). With d about eps |L| the sum is least near s = eps^(1/3), 6e-6 in float64 and
# 5e-3 in float32, where truncation is 6e-12 and 4e-6 times L'''. L''' / L' grows with the inputs and the steps of
# time, to some hundreds in networks of ordinary size; the tolerances leave a factor of ten or more beyond that. They do
# not cover rounding, which is measured (`_noise`).
STEP = {"float64": 6e-6, "float32": 5e-3}
TOLERANCE = {"float64": 1e-6, "float32": 1e-2}

SHORTER = (1, 1 / 4, 1 / 16)  # times the step, one after the other, where the first does not agree
DEVIATIONS = 4  # of the loss's rounding that a difference may be off by
SUMMED = 100  # times eps, relative to its array's largest, that a gradient may be off: it is a sum, in its own dtype


class HasGradients(Protocol):
    """What is checked: any layer of fastrnn's, or whatever has arrays under the same names in both dicts."""

    @property
    def parameters(self) -> dict[str, Array]: ...

    @property
    def gradients(self) -> dict[str, Array]: ...

    def zero_gradients(self) -> None:
        """Sets every gradient to zero, in place."""


def check_gradients(
    layers: HasGradients | Sequence[HasGradients],
    loss: Callable[[], float] | None = None,
    *,
    inputs: Any = None,
    h0: Any = None,
    lengths: Any = None,
    samples: int = 32,
    step: float | None = None,
    tolerance: float | None = None,
    rng: Any = 0,
) -> float:
    """Compares the gradients that a backward pass leaves in layers with central differences of the loss,

        dL/dp = (L(p + step) - L(p - step)) / (2 step) + O(step^2)

    and returns the largest relative error; GradientCheckError where it exceeds the tolerance, naming the parameter, the
    index in it, and both values.

    For any composition of layers, `loss` is a function without arguments that runs it forward and backward, once, and
    returns the loss; the gradients are in the layers afterwards:

        def loss():
            y, _, tape = gru.forward(x)
            logits, linear_tape = linear.forward(y)
            value, dlogits = fastrnn.softmax_cross_entropy(logits, targets)
            gru.backward(tape, linear.backward(linear_tape, dlogits))
            return value

        fastrnn.check_gradients([gru, linear], loss)

    For one recurrent layer `inputs` is enough, and optionally `h0` and `lengths`, all as in a call of the layer. The
    loss is then a sum of the outputs and last states with random factors, and the gradients with respect to float
    inputs ("x") and to the initial state ("h0", "c0"; drawn at random without `h0`) are checked too.

        fastrnn.check_gradients(fastrnn.LSTM(3, 4, dtype="float64"), inputs=x)

    Arrays of at most `samples` numbers are checked whole. Of a larger one, cut into equal stretches, each stretch gives
    the number of largest gradient and another at random, `samples` in all, so that every gate's rows take part. A check
    calls `loss` some 2 * samples times for each array: small networks and short sequences show the same mistakes.

    The relative error of one number is |gradient - difference| / max(|gradient|, |difference|, floor). The floor is
    where the loss's own rounding, which is measured, alone makes an error of the tolerance: gradients far below it
    cannot be judged, in float32 all the fewer; check in float64 where you can choose. Where the two disagree, shorter
    steps, and steps to one side, are tried too: right gradients beside a kink of relu, or of a strongly curved loss,
    agree by then, and wrong ones do not. `step` and `tolerance` are 6e-6 and 1e-6 for float64, 5e-3 and 1e-2 for
    float32 parameters unless given. `rng` is as everywhere, but 0 by default: the same numbers are chosen each time.

    Parameters and gradients are afterwards what they were, also when `loss` raises. GradientCheckError too where the
    loss changes from call to call, as with dropout; NumericalError where it is not finite; TypeError and ValueError for
    arguments that are none of the above.
    """
    checked = _as_list(layers)
    samples = integer(samples, "samples", 1)
    step = None if step is None else positive(step, "step")
    tolerance = None if tolerance is None else positive(tolerance, "tolerance")
    random = generator(rng)
    if (loss is None) == (inputs is None):
        raise ValueError("either loss, for any composition, or inputs, for one recurrent layer, must be given")
    if loss is None:
        projection = _Projection(layers, inputs, h0, lengths, random)
        checked, loss = [*checked, projection], projection.loss
    elif h0 is not None or lengths is not None:
        raise ValueError("h0 and lengths belong to inputs; a loss of your own passes them to its layers itself")

    parameters = _parameters(checked)
    with _restored(parameters):
        evaluate = _Evaluation(loss, parameters)
        for layer in checked:
            layer.zero_gradients()
        evaluate.repeatedly()
        noise = _noise(evaluate, parameters, random)
        found = [
            finding
            for parameter in parameters
            for finding in _compared(parameter, evaluate, noise, samples, step, tolerance, random)
        ]
    wrong = [finding for finding in found if not finding.error <= finding.tolerance]
    if wrong:
        raise GradientCheckError(_report(wrong, found))
    return max(finding.error for finding in found)


class _Parameter(NamedTuple):
    """An array that is varied, where its gradient arrives, and what both were before the check."""

    name: str
    values: Array
    gradient: Array
    values_before: Array
    gradient_before: Array


class _Finding(NamedTuple):
    name: str
    place: tuple[int, ...]  # the index in the array
    analytic: float
    numeric: float
    error: float  # relative
    tolerance: float


class _Evaluation:
    """The user's loss, its value before anything is varied, and the gradients that it leaves then."""

    def __init__(self, loss: Callable[[], float], parameters: list[_Parameter]) -> None:
        self._loss = loss
        self._parameters = parameters
        self.analytic: dict[str, Array] = {}
        self.value = math.nan

    def __call__(self) -> float:
        value = real(self._loss(), "what loss() returns")
        if not math.isfinite(value):
            raise NumericalError(f"loss() returned {value}: gradients can be checked where the loss is finite")
        return value

    def repeatedly(self) -> None:
        """The loss and its analytic gradients, from a first call; a second one shows whether the loss stays the same.
        Equal but for rounding would do: threads may add in another order."""
        first = self.value = self()
        self.analytic = {parameter.name: parameter.gradient.copy() for parameter in self._parameters}
        second = self()
        eps = max(float(np.finfo(parameter.values.dtype).eps) for parameter in self._parameters)
        if abs(first - second) > math.sqrt(eps) * max(abs(first), abs(second)):
            raise GradientCheckError(
                f"loss() returned {first:.9g} and then {second:.9g} with the same parameters: it must depend on "
                "nothing else, so leave out dropout, new data, a state carried on from call to call, and the "
                "optimizer's step"
            )


class _Projection:
    """One recurrent layer and L = sum(factors * y) + sum(state_factors * h_n), with its inputs as parameters."""

    def __init__(self, layer: Any, inputs: Any, h0: Any, lengths: Any, random: Random) -> None:
        if not isinstance(layer, RecurrentLayer):
            raise TypeError(
                f"inputs are for one recurrent layer, not {type(layer).__name__}: pass a loss for other compositions"
            )
        self._layer: Any = layer
        self._x, self._lengths = np.array(inputs), lengths
        T, B = self._x.shape[:2] if self._x.ndim >= 2 else (1, 1)  # the layer itself says what is wrong with its inputs
        D, H, names = layer.num_directions, layer.hidden_size, layer.state_names
        shape = layer.num_layers * D, B, H
        if h0 is None:
            self._states = [random.uniform(-0.5, 0.5, shape).astype(layer.dtype) for _ in names]
        else:
            self._states = [np.array(state) for state in ([h0] if len(names) == 1 else h0)]
        self._factors = random.standard_normal((T, B, D * H)).astype(layer.dtype)
        self._state_factors = [random.standard_normal(shape).astype(layer.dtype) for _ in names]
        self.parameters = {f"{name}0": state for name, state in zip(names, self._states, strict=False)}
        if self._x.dtype.kind == "f":
            self.parameters["x"] = self._x
        self.gradients = {name: np.zeros_like(array) for name, array in self.parameters.items()}

    def zero_gradients(self) -> None:
        for gradient in self.gradients.values():
            gradient.fill(0)

    def loss(self) -> float:
        y, h_n, tape = self._layer.forward(self._x, self._as_state(self._states), self._lengths)
        dx, dh0 = self._layer.backward(tape, self._factors, self._as_state(self._state_factors))
        for name, gradient in zip(self._layer.state_names, self._as_arrays(dh0), strict=True):
            self.gradients[f"{name}0"] += gradient
        if dx is not None:
            self.gradients["x"] += dx
        outputs, factors = (y, *self._as_arrays(h_n)), (self._factors, *self._state_factors)
        # Summed in float64, so that the sum adds no rounding to that of the layer.
        return sum(float(np.vdot(a.astype(float), b.astype(float))) for a, b in zip(outputs, factors, strict=True))

    def _as_state(self, arrays: list[Array]) -> Any:
        return arrays[0] if len(arrays) == 1 else tuple(arrays)

    def _as_arrays(self, state: Any) -> tuple[Array, ...]:
        return (state,) if len(self._layer.state_names) == 1 else state


def _as_list(layers: Any) -> list[HasGradients]:
    found = list(layers) if isinstance(layers, Sequence) else [layers]
    if not found:
        raise ValueError("layers must be a layer or a sequence of at least one, and is empty")
    for layer in found:
        if not all(hasattr(layer, name) for name in ("parameters", "gradients", "zero_gradients")):
            raise TypeError(
                "layers must be a layer or a sequence of layers, with parameters, gradients and zero_gradients, "
                f"not {type(layer).__name__}"
            )
    return found


def _parameters(layers: list[HasGradients]) -> list[_Parameter]:
    """All arrays, under names that say which layer they are of, where there are several."""
    several = len([layer for layer in layers if not isinstance(layer, _Projection)]) > 1
    return [
        _Parameter(
            f"layers[{i}].{name}" if several else name,
            values,
            layer.gradients[name],
            values.copy(),
            layer.gradients[name].copy(),
        )
        for i, layer in enumerate(layers)
        for name, values in layer.parameters.items()
    ]


@contextmanager
def _restored(parameters: list[_Parameter]) -> Iterator[None]:
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.values[...] = parameter.values_before
            parameter.gradient[...] = parameter.gradient_before


def _noise(evaluate: _Evaluation, parameters: list[_Parameter], random: Random) -> float:
    """The standard deviation of the loss's rounding.

    On seventeen points close together, on a line through the parameters, the loss's sixth differences are nothing but
    its rounding: what is smooth has vanished from them, and independent errors of deviation d make differences of
    variance d^2 12! / (6!)^2. (Moré and Wild, Estimating computational noise, SIAM J. Sci. Comput. 33, 2011.) It is at
    least that of the returned value itself.
    """
    directions = [random.choice(np.array([-1.0, 1.0]), parameter.values.shape) for parameter in parameters]
    values = []
    for i in range(-8, 9):
        for parameter, direction in zip(parameters, directions, strict=True):
            spacing = math.sqrt(np.finfo(parameter.values.dtype).eps)
            parameter.values[...] = parameter.values_before + i * spacing * direction
        values.append(evaluate())
    for parameter in parameters:
        parameter.values[...] = parameter.values_before
    sixth = np.diff(values, 6)
    measured = math.sqrt(float(np.mean(sixth**2)) * math.factorial(6) ** 2 / math.factorial(12))
    eps = min(float(np.finfo(parameter.values.dtype).eps) for parameter in parameters)
    return max(measured, eps * max(map(abs, values)))


def _compared(
    parameter: _Parameter,
    evaluate: _Evaluation,
    noise: float,
    samples: int,
    step: float | None,
    tolerance: float | None,
    random: Random,
) -> Iterator[_Finding]:
    name, analytic = parameter.name, evaluate.analytic[parameter.name]
    dtype = parameter.values.dtype
    step = STEP[dtype.name] if step is None else step
    tolerance = TOLERANCE[dtype.name] if tolerance is None else tolerance
    largest = float(np.max(np.abs(analytic), initial=0, where=np.isfinite(analytic)))
    floor = (DEVIATIONS * noise / step + SUMMED * float(np.finfo(dtype).eps) * largest) / tolerance
    for position in _chosen(np.abs(analytic).ravel(), samples, random):
        index = tuple(map(int, np.unravel_index(position, analytic.shape)))
        gradient = float(analytic[index])
        best = _Finding(name, index, gradient, math.nan, math.inf, tolerance)
        for difference in _differences(parameter, index, evaluate, step):
            error = abs(gradient - difference) / max(abs(gradient), abs(difference), floor)
            if error < best.error or math.isnan(best.numeric):
                best = _Finding(name, index, gradient, difference, error, tolerance)
            if error <= tolerance:
                break
        yield best


def _chosen(sizes: Array, samples: int, random: Random) -> NDArray[np.intp]:
    """Which numbers of an array to check, given the sizes of their gradients."""
    if sizes.size <= samples:
        return np.arange(sizes.size)
    stretches = np.array_split(np.arange(sizes.size), (samples + 1) // 2)
    largest = [stretch[np.argmax(sizes[stretch])] for stretch in stretches]
    others = [stretch[int(random.random() * len(stretch))] for stretch in stretches]
    return np.unique(np.concatenate([largest, others[: samples // 2]]))


def _differences(parameter: _Parameter, index: tuple[int, ...], evaluate: _Evaluation, step: float) -> Iterator[float]:
    """The central difference, and where it is not enough those of shorter steps, and to both sides: a step that passes
    a kink says nothing of the derivative, but mostly one side's does not. Each step is what the parameter, rounded to
    its dtype, really went."""
    values, before = parameter.values, float(parameter.values_before[index])

    def at(value: float) -> tuple[float, float]:
        values[index] = value
        stepped, loss = float(values[index]), evaluate()
        values[index] = before
        return stepped, loss

    for shorter in SHORTER:
        (above, high), (below, low) = at(before + shorter * step), at(before - shorter * step)
        yield (high - low) / (above - below)
        if shorter < 1:
            yield (high - evaluate.value) / (above - before)
            yield (evaluate.value - low) / (before - below)


def _report(wrong: list[_Finding], found: list[_Finding]) -> str:
    worst = max(wrong, key=lambda finding: math.inf if math.isnan(finding.error) else finding.error)
    index = f"[{', '.join(map(str, worst.place))}]" if worst.place else ""
    counts = [
        f"{name} ({sum(finding.name == name for finding in wrong)} of {sum(finding.name == name for finding in found)})"
        for name in dict.fromkeys(finding.name for finding in wrong)
    ]
    return (
        f"the gradient of {worst.name}{index} is {worst.analytic:.9g}, but differences of the loss give "
        f"{worst.numeric:.9g} (relative error {worst.error:.2g}, tolerance {worst.tolerance:.2g}); "
        f"wrong, of the numbers checked: {', '.join(counts)}"
    )

"""What every layer has: named parameters and their gradients, each a view into one flat buffer."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from fastrnn import _core
from fastrnn.arguments import call_of, real_dtype
from fastrnn.arrays import Array
from fastrnn.random import Random

Shapes = dict[str, tuple[int, ...]]


class Parameters:
    """Arrays by name, `parameters`, and how their values leave and come."""

    parameters: dict[str, Array]

    def state_dict(self) -> dict[str, Array]:
        """A copy of every parameter, by name, in the form that `load_state_dict` and PyTorch's modules take."""
        return {name: parameter.copy() for name, parameter in self.parameters.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copies the entries of `state`, arrays or whatever NumPy makes arrays of, into the parameters of those names.

        ValueError for an entry that is missing, left over or of another shape, TypeError for one that holds no real
        numbers; the message names the entry, and nothing is changed.
        """
        missing = [name for name in self.parameters if name not in state]
        left_over = [name for name in state if name not in self.parameters]
        if missing or left_over:
            raise ValueError(_difference(missing, left_over, self.parameters))
        arrays = {}
        for name, parameter in self.parameters.items():
            array = np.asarray(state[name])
            if array.dtype.kind not in "fiu":
                raise TypeError(f"{name} must hold real numbers, not {array.dtype}")
            if array.shape != parameter.shape:
                raise ValueError(f"{name} must have shape {parameter.shape}, not {array.shape}")
            arrays[name] = array
        for name, array in arrays.items():
            self.parameters[name][...] = array


class Layer(Parameters):
    """Parameters and gradients of a layer.

    Attributes: `parameters` and `gradients`, dicts of name -> array in the layer's dtype, with the names, shapes and
    order of PyTorch's module of the same kind; `flat_parameters` and `flat_gradients` (N,), the buffers that those
    arrays are views into, so that writing to either writes to both. Write into the arrays, `array[...] = value`; they
    are the layer's for its whole life.
    """

    def __init__(self, shapes: Shapes, dtype: DTypeLike, initial: Callable[[tuple[int, ...]], Array]) -> None:
        self.dtype = real_dtype(dtype)
        self._shapes = shapes
        count = sum(math.prod(shape) for shape in shapes.values())
        self._attach(aligned_zeros(count, self.dtype), aligned_zeros(count, self.dtype))
        for parameter in self.parameters.values():
            parameter[...] = initial(parameter.shape)

    def _attach(self, flat_parameters: Array, flat_gradients: Array) -> None:
        """Makes the two dicts of views into these buffers."""
        self.flat_parameters, self.flat_gradients = flat_parameters, flat_gradients
        self.parameters = {}
        self.gradients: dict[str, Array] = {}
        begin = 0
        for name, shape in self._shapes.items():
            end = begin + math.prod(shape)
            self.parameters[name] = flat_parameters[begin:end].reshape(shape)
            self.gradients[name] = flat_gradients[begin:end].reshape(shape)
            begin = end

    def zero_gradients(self) -> None:
        """Sets every gradient to zero, in place: `backward` adds to what is there."""
        _core.set_zero(self.flat_gradients)

    def __repr__(self) -> str:
        """The call that makes such a layer, without the arguments that are at their defaults, and without rng."""
        return call_of(self, leave_out=("rng",))

    def __getstate__(self) -> dict[str, Any]:
        """All but the views, which would come back as arrays of their own, and what `_attach` makes over them."""
        made = ("parameters", "gradients", "_kernels")
        return {name: value for name, value in vars(self).items() if name not in made}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        buffers = []
        for flat in (self.flat_parameters, self.flat_gradients):
            buffers.append(aligned_zeros(flat.size, self.dtype))
            buffers[-1][...] = flat
        self._attach(*buffers)


def aligned_zeros(count: int, dtype: "np.dtype[Any]") -> Array:
    """A new array (count,) that begins on a cache line, which the kernels read faster. It is a view, and NumPy resizes
    none: the memory stays where it is."""
    line = 64
    memory = np.zeros(count * dtype.itemsize + line, np.uint8)
    begin = -memory.ctypes.data % line
    zeros: Array = memory[begin : begin + count * dtype.itemsize].view(dtype)
    return zeros


def uniform(rng: Random, bound: float) -> Callable[[tuple[int, ...]], Array]:
    """Initial values in [-bound, bound)."""
    return lambda shape: rng.uniform(-bound, bound, shape)


def _difference(missing: list[str], left_over: list[str], wanted: Mapping[str, Any]) -> str:
    parts = []
    if missing:
        parts.append(f"missing: {', '.join(missing)}")
    if left_over:
        parts.append(f"left over: {', '.join(map(str, left_over))}")
    return f"{'; '.join(parts)} (there are {', '.join(wanted)})"


def layers_of(layers: Layer | Iterable[Layer]) -> tuple[Layer, ...]:
    """One layer or several as a tuple. TypeError for what is no layer, ValueError for none at all or one twice: its
    gradients would count twice."""
    if _is_layer(layers):
        return (layers,)  # type: ignore[return-value]
    try:
        several = tuple(layers)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"layers must be a layer or a sequence of layers, not {type(layers).__name__}") from None
    if not several:
        raise ValueError("layers must hold at least one layer, and is empty")
    for i, layer in enumerate(several):
        if not _is_layer(layer):
            raise TypeError(f"layers[{i}] must be a layer, not {type(layer).__name__}")
        for j in range(i):
            if several[j] is layer:
                raise ValueError(f"layers[{j}] and layers[{i}] are the same layer: pass each once")
    return several


def _is_layer(value: Any) -> bool:
    return hasattr(value, "flat_parameters") and hasattr(value, "flat_gradients")

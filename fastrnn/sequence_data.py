"""The data of a `SequenceModel`: X and y, as a user has them, become examples, or an error that names what is wrong."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.arguments import integer
from fastrnn.arrays import array_of, check_indices, is_integer
from fastrnn.example_model import Examples
from fastrnn.example_settings import SequenceSettings
from fastrnn.sequences import Sequences, is_list_of_sequences, one_step, sequences_of, vectors_of
from fastrnn.settings import MOST_UNITS


class SequenceData:
    """Reads data for a model of these settings."""

    def __init__(self, settings: SequenceSettings) -> None:
        self.settings = settings
        self.dtype: np.dtype[Any] = np.dtype(settings.dtype)

    def examples(self, X: Any, y: Any, lengths: Any) -> Examples:
        """The data of `fit`, checked. Their make are the settings, with what these leave open as the data have it."""
        settings = self.settings
        if settings.topology == "one-to-many":
            targets = self._step_targets(y, lengths)
            inputs, rows = self._first_steps(X, targets), targets.steps
        else:
            inputs = self._read(X, lengths)
            rows = self._last_targets(y) if settings.last else self._aligned(y, lengths, inputs)
        if settings.last and len(rows) != len(inputs):
            raise ValueError(f"X and y must be as many: X has {len(inputs)} sequences, and y {len(rows)}")
        decided = self._decided(inputs, rows)
        SequenceData(decided)._check(inputs, rows)
        return Examples(inputs, rows, settings.last, make=decided)

    def inputs(self, X: Any, lengths: Any, steps: int | None) -> Sequences:
        """The data of `predict`, checked."""
        if (steps is not None) != (self.settings.topology == "one-to-many"):
            raise ValueError('steps is how many outputs "one-to-many" is to give, and of no other topology')
        if steps is None:
            inputs = self._read(X, lengths)
        elif lengths is not None:
            raise ValueError("lengths and steps say the same thing: of one-to-many give steps")
        else:
            first = self._one_vector(X)
            T = integer(steps, "steps", 1)
            inputs = _followed_by_zeros(first, np.full(len(first), T, np.int64), T)
        self._check_inputs(inputs)
        return inputs

    def _read(self, X: Any, lengths: Any) -> Sequences:
        if self.settings.topology == "one-to-one":
            if lengths is not None:
                raise ValueError("lengths are of sequences: a one-to-one model reads one step of each")
            return one_step(X, "X", self.dtype)
        return sequences_of(X, "X", self.dtype, lengths)

    def _one_vector(self, X: Any) -> "NDArray[Any]":
        """The one input of "one-to-many", (N, I), of tokens their codes."""
        array = array_of(X, "X")
        if not (is_integer(array) and array.ndim == 1 and array.size):
            if self.settings.inputs == "tokens":
                raise ValueError(f"X must have shape (N,) of integers, and has {array.shape} of {array.dtype}")
            return vectors_of(array, "X", self.dtype)
        size = self.settings.input_size or _size(array, "X")
        check_indices(array, "X", size)
        codes = np.zeros((len(array), size), self.dtype)
        codes[np.arange(len(array)), array] = 1
        return codes

    def _first_steps(self, X: Any, targets: Sequences) -> Sequences:
        first = self._one_vector(X)
        if len(first) != len(targets):
            raise ValueError(f"X and y must be as many: X has {len(first)} rows, and y {len(targets)} sequences")
        return _followed_by_zeros(first, targets.lengths, targets.T)

    def _step_targets(self, y: Any, lengths: Any) -> Sequences:
        """y of each step, as sequences of classes or of rows of numbers."""
        if self.settings.output == "softmax":
            return _of_classes(sequences_of(y, "y", self.dtype, lengths))
        return sequences_of(_with_last_axis(y), "y", self.dtype, lengths)

    def _aligned(self, y: Any, lengths: Any, inputs: Sequences) -> "NDArray[Any]":
        """y of each step of the inputs."""
        targets = self._step_targets(y, lengths)
        if len(targets) != len(inputs):
            raise ValueError(f"X and y must be as many: X has {len(inputs)} sequences, and y {len(targets)}")
        different = np.flatnonzero(targets.lengths != inputs.lengths)
        if different.size:
            i = different[0]
            raise ValueError(
                f"y must have an output for each step of X: sequence {i} has {inputs.lengths[i]} steps in X and "
                f"{targets.lengths[i]} in y"
            )
        return targets.steps

    def _last_targets(self, y: Any) -> "NDArray[Any]":
        """y of each sequence: (N,) of classes or (N, O) of numbers."""
        array = array_of(y, "y")
        if self.settings.output == "softmax":
            if not is_integer(array) or array.ndim != 1:
                raise TypeError(
                    f"y must hold a class, an integer, for each sequence, (N,), not {array.shape} of {array.dtype}"
                )
            return array.astype(np.int64)
        return vectors_of(array[:, np.newaxis] if array.ndim == 1 else array, "y", self.dtype)

    # ---- the make of the data ----

    def _decided(self, inputs: Sequences, rows: "NDArray[Any]") -> SequenceSettings:
        """The settings, with what they leave open as these data have it."""
        settings, steps = self.settings, inputs.steps
        if settings.inputs and settings.input_size and settings.output_size:
            return settings
        return replace(
            settings,
            inputs=settings.inputs or ("tokens" if steps.ndim == 1 else "vectors"),
            input_size=settings.input_size or _size(steps, "X"),
            output_size=settings.output_size or _size(rows, "y"),
        )

    def _check(self, inputs: Sequences, rows: "NDArray[Any]") -> None:
        """TypeError, ValueError or IndexError for data that do not suit the settings."""
        self._check_inputs(inputs)
        outputs = self.settings.output_size
        assert outputs is not None
        if rows.ndim == 1:
            check_indices(rows, "y", outputs)
        elif rows.shape[1] != outputs:
            raise ValueError(f"y must have output_size={outputs} numbers for each output, not {rows.shape[1]}")
        elif self.settings.kernel_loss == "sigmoid_cross_entropy" and not ((rows >= 0) & (rows <= 1)).all():
            raise ValueError('y must be in [0, 1] for output="sigmoid": scale it, or use output="linear"')

    def _check_inputs(self, inputs: Sequences) -> None:
        settings = self.settings
        tokens = inputs.steps.ndim == 1
        if tokens != (settings.inputs == "tokens") and settings.topology != "one-to-many":
            came = "integers, which are tokens" if tokens else "vectors of real numbers"
            raise TypeError(f"X must hold {settings.inputs}, and has {came}: convert it, X.astype(...)")
        size = settings.input_size
        assert size is not None
        if tokens:
            check_indices(inputs.steps, "X", size)
        elif inputs.steps.shape[1] != size:
            raise ValueError(f"X must have input_size={size} numbers at each step, not {inputs.steps.shape[1]}")


def _size(rows: "NDArray[Any]", name: str) -> int:
    """How many different integers there are to be, or numbers in a row; IndexError for integers that no model takes."""
    if rows.ndim > 1:
        return int(rows.shape[1])
    check_indices(rows, name, MOST_UNITS)
    return int(rows.max()) + 1


def _followed_by_zeros(first: "NDArray[Any]", lengths: "NDArray[np.int64]", T: int | None) -> Sequences:
    """Sequences of these lengths that have rows (N, I) at their first steps, and zeros at the others."""
    begin = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    steps = np.zeros((begin[-1], first.shape[1]), first.dtype)
    steps[begin[:-1]] = first
    return Sequences(steps, begin, T)


def _of_classes(targets: Sequences) -> Sequences:
    if targets.steps.ndim != 1:
        raise TypeError("y must hold a class, an integer, for each step of softmax, shape (N, T), not rows of numbers")
    return targets


def _with_last_axis(y: Any) -> Any:
    """y of one number for each step as rows of one number, of real numbers."""
    if is_list_of_sequences(y, "y"):
        return [_row_of_numbers(part, f"y[{i}]", axes=1) for i, part in enumerate(y)]
    return _row_of_numbers(y, "y", axes=2)


def _row_of_numbers(y: Any, name: str, axes: int) -> Any:
    array = array_of(y, name)
    if is_integer(array) or array.dtype.kind == "b":
        array = array.astype(np.float64)
    return array[..., np.newaxis] if array.ndim == axes else array

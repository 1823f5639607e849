"""SequenceModel: sequences in, classes or numbers out, for each sequence or each of its steps."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastrnn import _core
from fastrnn.arguments import flag, one_of
from fastrnn.arrays import Array, real_array
from fastrnn.example_model import ExampleModel, Examples, fit_arguments, partial_fit_arguments
from fastrnn.example_network import ExampleLayout, Part
from fastrnn.example_settings import INPUTS, SequenceSettings
from fastrnn.fitting import Callback
from fastrnn.history import History
from fastrnn.losses import mean_squared_error, sigmoid_binary_cross_entropy, softmax_cross_entropy
from fastrnn.sequence_data import SequenceData
from fastrnn.settings import Setting

LOSSES = {
    "softmax_cross_entropy": softmax_cross_entropy,
    "sigmoid_cross_entropy": sigmoid_binary_cross_entropy,
    "squared_error": mean_squared_error,
}


class SequenceModel(ExampleModel):
    """A network that reads sequences, and says something of each, or of each of their steps.

        h_t = cell(x_t, h_{t-1}), num_layers of them, each over the one below, in both directions if `bidirectional`
        y_t = W h_t + b,  p_t = y_t, sigmoid(y_t) or softmax(y_t): `output` "linear", "sigmoid", "softmax"

    topology: "many-to-one": y after the last step of each sequence (in the other direction, its first); "many-to-many":
    y at each step; "one-to-one": one step; "one-to-many": x at the first step, zeros at the others, y at each.
    cell: "rnn", with the nonlinearity "tanh", "relu" or "sigmoid"; "gru", with PyTorch's reset_after or without;
    "lstm". bias=False: none in the cells, nor in the linear layer.
    inputs: "vectors" of input_size numbers, or "tokens", integers in [0, input_size), read as 1-of-input_size codes or,
    with embedding_size, as rows of a table. output_size: how many classes or numbers. None: as the first data have
    them, of integers the largest and 1.
    loss, the mean over all y of a batch of

        "cross_entropy"    -ln p[class] of softmax; -t ln p - (1 - t) ln(1 - p) of each number of sigmoid, t in [0, 1]
        "squared_error"    (p - t)^2 of each number of linear or sigmoid

    An iteration takes batch_size sequences of a pass over all, in a new order in each with `shuffle`, computes the
    loss, clips the gradients, and takes a step of the optimizer; the last batch of a pass may be smaller. Sequences may
    have different lengths, at a cost in proportion to their steps. No Python runs between two iterations.
    stateful: sequence b of a batch goes on from the state after sequence b of the batch before; a pass begins with
    states of zero. It needs shuffle=False, and a multiple of batch_size sequences.
    The other arguments are those of `CharRNN`; smooth_loss begins with the first loss. First weights are those of
    PyTorch's modules. Where bias_hh does nothing that bias_ih does not ("rnn", "lstm"), it is 0 and is not trained.

    Data are batches first: X (N, T, input_size) or (N, T), or a list of N arrays (T_i, input_size) or (T_i,).
    Attributes: the arguments; `iterations`, `smooth_loss`, `history`; `parameters`; `best`; `notes`.

    TypeError or ValueError, naming the argument, for arguments that won't do.

    Sources: Elman 1990; Hochreiter and Schmidhuber 1997; Cho et al. 2014; both directions: Schuster and Paliwal,
    "Bidirectional recurrent neural networks", 1997; the topologies: Karpathy, "The unreasonable effectiveness of
    recurrent neural networks", 2015.
    """

    kind = "SequenceModel"
    settings_class = SequenceSettings

    topology = Setting[str]()
    output = Setting[str]()
    loss = Setting[str]()
    inputs = Setting["str | None"]()
    input_size = Setting["int | None"]()
    output_size = Setting["int | None"]()
    nonlinearity = Setting[str]()
    reset_after = Setting[bool]()
    bidirectional = Setting[bool]()
    bias = Setting[bool]()
    stateful = Setting[bool]()

    def __init__(
        self,
        cell: str = "lstm",
        hidden_size: int = 64,
        num_layers: int = 1,
        *,
        topology: str = "many-to-one",
        output: str = "softmax",
        loss: str | None = None,
        inputs: str | None = None,
        input_size: int | None = None,
        output_size: int | None = None,
        embedding_size: int | None = None,
        nonlinearity: str = "tanh",
        reset_after: bool = True,
        bidirectional: bool = False,
        bias: bool = True,
        stateful: bool = False,
        shuffle: bool = True,
        batch_size: int = 32,
        optimizer: str = "adam",
        optimizer_options: dict[str, Any] | None = None,
        learning_rate: float = 0.001,
        schedule: str = "constant",
        schedule_iterations: int | None = None,
        schedule_factor: float | None = None,
        warmup: int = 0,
        clip_value: float | None = None,
        clip_norm: float | None = 1.0,
        dropout: float = 0.0,
        dtype: DTypeLike = "float32",
        seed: int | None = None,
    ) -> None:
        self._begin(SequenceSettings.of(locals()))

    # ---- training ----

    def build(self, inputs: str, input_size: int, output_size: int) -> Self:
        """Makes the first weights for data of this make, without any, and returns the model. ValueError if it is built
        already, or for sizes that are not those of the constructor."""
        with self._lock.fitting():
            if self._network is not None:
                raise ValueError("the model is built already: make a new one for other data")
            one_of(inputs, "inputs", INPUTS)
            settings = replace(self.settings, inputs=inputs, input_size=input_size, output_size=output_size)
            for name in ("inputs", "input_size", "output_size"):
                if getattr(self.settings, name) not in (None, getattr(settings, name)):
                    raise ValueError(f"{name} is {getattr(self.settings, name)!r}, not {getattr(settings, name)!r}")
            self._take_make(settings)
        return self

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        lengths: Any = None,
        iterations: int | None = None,
        epochs: int | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        callback: Callback | None = None,
        every: int | None = None,
        progress: Callback | None = None,
    ) -> History:
        """Trains for `iterations` more, or `epochs` more (10, if neither is given), and returns `history`.

        X: as the class has it; of one step (N, input_size) or (N,). lengths (N,) in [1, T], in any order, or None: how
        many steps of each sequence of an array count.
        y: for each sequence, or each step, of softmax an integer in [0, output_size), otherwise output_size numbers or,
        if that is 1, a number: (N,), (N, O); (N, T), (N, T, O), or a list of such. Of "one-to-many" y says how many
        steps there are, and lengths are its.

        The same data again, with the same `validation`, go on exactly where they stopped, in the middle of a pass too;
        for other data a pass begins, and the weights and all else go on. validation: the share of the sequences, at the
        end, that is held out. every: iterations from record to record, an epoch if None. The rest, Ctrl-C and errors
        are those of `CharRNN.fit`; what is no finite number in X or y, and classes or tokens out of range, are errors
        before anything is changed.
        """
        share = fit_arguments(iterations, epochs, validation, patience, callback, every, progress)
        with self._lock.fitting():
            examples = self._examples(X, y, lengths)
            return self._fit(examples, iterations, epochs, share, patience, callback, every, progress)

    def partial_fit(self, X: Any, y: Any, *, lengths: Any = None, iterations: int = 1) -> float:
        """Trains for `iterations` more, and returns the smooth loss: `fit` without validation, records and callbacks,
        for one's own loops. Errors as those of `fit`."""
        partial_fit_arguments(iterations)
        with self._lock.fitting():
            return self._partial_fit(self._examples(X, y, lengths), iterations)

    # ---- what it says ----

    def predict(
        self,
        X: Any,
        lengths: Any = None,
        *,
        steps: int | None = None,
        states: Sequence[Any] | None = None,
        return_states: bool = False,
    ) -> Any:
        """p of each sequence, (N, O), or of each step, (N, T, O), zero past each length, or a list if X is one; in the
        model's dtype: probabilities (softmax, sigmoid), or numbers.

        X, lengths: as `fit` takes them. steps: of "one-to-many", how many. states: those before the first step, one
        array (num_layers * directions, N, hidden_size), of an LSTM two; None: zeros. return_states: returns (p, states
        after each sequence's last step).
        """
        flag(return_states, "return_states")
        network = self._built()
        inputs = SequenceData(self.settings).inputs(X, lengths, steps)
        before = None if states is None else self._states_of(states, len(inputs))
        with self._lock.use():
            y, after = network.outputs(inputs, before)
        p = self._activated(y)
        said = p if self.settings.last else inputs.returned(p)
        return (said, after) if return_states else said

    def evaluate(self, X: Any, y: Any, lengths: Any = None) -> dict[str, float | int]:
        """How well the model does on these sequences:

            loss         the mean over all outputs
            accuracy     share of the right classes of softmax, or of the numbers of sigmoid on the right side of 0.5
            exact        at each step: share of the sequences of which all outputs are right
            sequences, steps    how many there were

        A stateful model reads them batch after batch, as `fit` does. Arguments and errors as those of `fit`.
        """
        self._built()
        examples = self._examples(X, y, lengths)
        outputs = self._outputs_of(examples)
        result: dict[str, float | int] = {"loss": self._loss_of(outputs, examples)}
        if self.output != "linear":
            right = self._right(outputs, examples)
            result["accuracy"] = float(right.mean())
            if not self.settings.last:
                of_rows = right.reshape(len(right), -1).all(axis=1)
                result["exact"] = float(np.logical_and.reduceat(of_rows, examples.inputs.begin[:-1]).mean())
        return {**result, "sequences": len(examples), "steps": len(examples.inputs.steps)}

    def _outputs_of(self, examples: Examples) -> Array:
        """y, of a stateful model with the states carried from batch to batch."""
        network = self._built()
        with self._lock.use():
            if not self.stateful:
                y, _ = network.outputs(examples.inputs)
                return np.asarray(y)
            self._check_whole_batches(len(examples), "the sequences")
            states, rows = network.zero_states(self.batch_size), []
            for first in range(0, len(examples), self.batch_size):
                y, states = network.outputs(examples.inputs.part(first, first + self.batch_size), states)
                rows.append(y)
            return np.concatenate(rows)

    def _mean_loss_of(self, examples: Examples) -> float:
        return self._loss_of(self._outputs_of(examples), examples)

    def _loss_of(self, y: Array, examples: Examples) -> float:
        if self.settings.kernel_loss == "sigmoid_squared_error":
            return mean_squared_error(self._activated(y), examples.targets)[0]
        return LOSSES[self.settings.kernel_loss](y, examples.targets)[0]

    def _right(self, y: Array, examples: Examples) -> "NDArray[np.bool]":
        """Of each row, or each number, whether it is on the right side."""
        if self.output == "softmax":
            return np.asarray(y.argmax(axis=1) == examples.targets)
        return np.asarray((y > 0) == (examples.targets > 0.5))

    def _activated(self, y: Array) -> Array:
        """p of y (rows, O)."""
        if self.output == "softmax":
            p = np.exp(y - y.max(axis=1, keepdims=True))
            return np.asarray(p / p.sum(axis=1, keepdims=True))
        if self.output == "sigmoid":
            p = np.empty_like(y)
            _core.sigmoid(y, p)
            return p
        return y

    # ---- what it learns of its data ----

    def _examples(self, X: Any, y: Any, lengths: Any) -> Examples:
        """The data, checked."""
        return SequenceData(self.settings).examples(X, y, lengths)

    def _take_make(self, make: SequenceSettings) -> None:
        before = self.settings
        self.settings = make
        try:
            self._build(self._vocabulary_json())
        finally:
            if self._network is None:  # otherwise it is built, and a Ctrl-C came after that
                self.settings = before

    def _states_of(self, states: Any, N: int) -> tuple[Array, ...]:
        layout = self._built().layout
        if not isinstance(states, tuple | list) or len(states) != len(layout.state_names):
            raise TypeError(f"states must be a tuple ({', '.join(layout.state_names)}) of arrays")
        shape = layout.state_shape(N)
        return tuple(
            np.require(real_array(state, f"states[{i}]", self.dtype, shape), None, ["C", "A"])
            for i, state in enumerate(states)
        )

    # ---- what the base classes ask for ----

    def _carries_states(self) -> bool:
        return self.stateful

    def _how_to_build(self) -> str:
        return "fit, or build(inputs, input_size, output_size)"

    def _layout(self, vocabulary: Any, most: int) -> ExampleLayout:
        s: SequenceSettings = self.settings
        size, outputs, embedded = vocabulary["input_size"], vocabulary["output_size"], s.embedding_size is not None
        vectors = vocabulary["inputs"] == "vectors" or s.topology == "one-to-many"
        if embedded and vectors:
            raise ValueError("embedding_size is for tokens, and the inputs are vectors: leave it out")
        part = Part(
            cell=s.kernel,
            input_size=s.embedding_size if s.embedding_size is not None else size,
            hidden_size=s.hidden_size,
            layers=s.num_layers,
            directions=2 if s.bidirectional else 1,
            bias=s.bias,
            embeddings=size if embedded else 0,
            outputs=outputs,
            loss=s.kernel_loss,
            vectors=vectors,
            last=s.last,
        )
        return ExampleLayout(s.cell, part, most=most)

    def _vocabulary_json(self) -> Any:
        return {name: getattr(self.settings, name) for name in ("inputs", "input_size", "output_size")}

    def _restore_vocabulary(self, values: Any) -> Any:
        if values != self._vocabulary_json() or None in values.values():
            raise ValueError(f"the data's make, {values!r}, is not that of the configuration")
        return values

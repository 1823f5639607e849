"""What fastrnn and fastrnn.reference have in common: their layers, losses and optimizers, called from Python."""

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from typing import Any

import numpy as np

from fastrnn.bench.job import Calls, Job
from fastrnn.bench.problem import (
    STREAM_LENGTH,
    Array,
    Problem,
    chunks,
    embedding_weights,
    layer_weights,
    linear_weights,
    one_bias,
    streams,
    text,
    walk,
)


def recurrent(module: Any, problem: Problem, input_size: int) -> Any:
    """The module's RNN, GRU or LSTM, with the problem's weights."""
    assert problem.cell is not None
    layer = getattr(module, problem.cell.upper())(input_size, problem.H, dtype=problem.dtype, rng=0)
    layer.load_state_dict(layer_weights(problem, input_size))
    return layer


def linear(module: Any, problem: Problem) -> Any:
    layer = module.Linear(problem.H, problem.V, dtype=problem.dtype, rng=0)
    layer.load_state_dict(linear_weights(problem))
    return layer


def states(h: Any) -> list[Array]:
    """h, or h and c."""
    return list(h) if isinstance(h, tuple) else [h]


def trained(layers: Sequence[Any], optimizer: Any) -> Iterator[Array]:
    """Parameters, and the optimizer's slots, by parameter: after few steps it is the slots that tell how large the
    gradients were."""
    for layer in layers:
        yield from layer.parameters.values()
    for slot in optimizer.slots.values():
        for layer, flat in zip(layers, slot, strict=True):
            ends = np.cumsum([parameter.size for parameter in layer.parameters.values()])
            yield from np.split(flat, ends[:-1])


class Training:
    """Recurrent layer on one-hot characters, linear layer, softmax cross-entropy, Adagrad; the state is carried on."""

    unit = 1

    def __init__(self, module: Any, problem: Problem) -> None:
        self.layer, self.output = recurrent(module, problem, problem.V), linear(module, problem)
        self.optimizer = module.Adagrad([self.layer, self.output], problem.learning_rate)
        self.loss = module.softmax_cross_entropy
        self.walk = walk(streams(problem), problem.T)
        self.h: Any = None

    def run(self, times: int) -> None:
        for inputs, targets, first in islice(self.walk, times):
            if first:
                self.h = None
            self.step(inputs, targets)

    def step(self, inputs: Any, targets: Any) -> None:
        y, self.h, tape = self.layer.forward(inputs, self.h)
        logits, output_tape = self.output.forward(y)
        dlogits = self.dlogits(logits, targets)
        self.optimizer.zero_gradients()
        self.layer.backward(tape, self.output.backward(output_tape, dlogits))
        self.update()

    def dlogits(self, logits: Array, targets: Any) -> Any:
        """The gradient of the loss, which is the mean over all characters."""
        return self.loss(logits, targets)[1]

    def update(self) -> None:
        self.optimizer.step()

    def outcome(self) -> Sequence[Array]:
        return [*trained([self.layer, self.output], self.optimizer), *states(self.h)]


class NetworkTraining(Training):
    """The same of a network, as CharRNN trains it: the loss is the sum over the steps, the mean over the sequences, and
    a bias that only adds to another one is not trained."""

    def __init__(self, module: Any, problem: Problem) -> None:
        super().__init__(module, problem)
        self.one_bias = one_bias(problem)

    def dlogits(self, logits: Array, targets: Any) -> Any:
        return self.loss(logits, targets, reduction="sum")[1] / targets.shape[1]

    def update(self) -> None:
        if self.one_bias:
            self.layer.gradients["bias_hh_l0"][...] = 0
        super().update()


class CharacterGRU:
    """Embedding, GRU, linear layer, cross-entropy summed over a chunk, Adam; each chunk begins with a state of zero."""

    unit = 1

    def __init__(self, module: Any, problem: Problem) -> None:
        V = problem.V
        self.embedding = module.Embedding(V, V, dtype=problem.dtype, rng=0)
        self.embedding.load_state_dict(embedding_weights(problem))
        self.layer, self.output = recurrent(module, problem, V), linear(module, problem)
        self.layers = [self.embedding, self.layer, self.output]
        self.optimizer = module.Adam(self.layers, problem.learning_rate)
        self.loss = module.softmax_cross_entropy
        self.chunks = cycle(zip(*(array[:, :, None] for array in chunks(problem)), strict=True))

    def run(self, times: int) -> None:
        for inputs, targets in islice(self.chunks, times):
            self.step(inputs, targets)

    def step(self, inputs: Any, targets: Any) -> None:
        embedded, embedding_tape = self.embedding.forward(inputs)
        y, _, tape = self.layer.forward(embedded)
        logits, output_tape = self.output.forward(y)
        _, dlogits = self.loss(logits, targets, reduction="sum")
        self.optimizer.zero_gradients()
        dembedded, _ = self.layer.backward(tape, self.output.backward(output_tape, dlogits))
        self.embedding.backward(embedding_tape, dembedded)
        self.optimizer.step()

    def outcome(self) -> Sequence[Array]:
        return list(trained(self.layers, self.optimizer))


def stream(module: Any, problem: Problem) -> Job:
    """One call over a long sequence."""
    layer = recurrent(module, problem, problem.V)
    inputs = text(problem.V)[:STREAM_LENGTH, None]

    def call() -> Sequence[Array]:
        y, h = layer(inputs)
        return [y, *states(h)]

    return Calls(call)


class Stepping:
    """A call for each step, the state carried on."""

    unit = 1

    def __init__(self, module: Any, problem: Problem) -> None:
        layer = recurrent(module, problem, problem.V)
        self.call = layer.step
        self.inputs = cycle(text(problem.V)[:STREAM_LENGTH, None])
        _, self.h = layer(next(self.inputs)[None])

    def run(self, times: int) -> None:
        call, h = self.call, self.h
        for x in islice(self.inputs, times):
            _, h = call(x, h)
        self.h = h

    def outcome(self) -> Sequence[Array]:
        return states(self.h)


def tasks(module: Any) -> dict[str, Callable[[Problem], Job]]:
    return {
        "layer": lambda problem: Training(module, problem),
        "stream": lambda problem: stream(module, problem),
        "step": lambda problem: Stepping(module, problem),
        "char-gru": lambda problem: CharacterGRU(module, problem),
    }

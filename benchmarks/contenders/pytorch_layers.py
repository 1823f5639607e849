"""The tasks of layers in PyTorch: its own modules and optimizers, on one-hot vectors where there is no embedding."""

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from typing import Any

import torch

from fastrnn.bench.job import Calls, Job
from fastrnn.bench.problem import (
    STREAM_LENGTH,
    Array,
    Problem,
    State,
    chunks,
    embedding_weights,
    layer_weights,
    linear_weights,
    one_bias,
    streams,
    text,
    walk,
)

# For pytorch.py and pytorch_loop.py as well.
torch.set_num_threads(1)
torch.set_num_interop_threads(1)

MODULES = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
CELLS = {"rnn": torch.nn.RNNCell, "gru": torch.nn.GRUCell, "lstm": torch.nn.LSTMCell}


def loaded(module: Any, state: State) -> Any:
    module.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    return module


def recurrent(problem: Problem, input_size: int) -> Any:
    assert problem.cell is not None
    module = MODULES[problem.cell](input_size, problem.H, dtype=getattr(torch, problem.dtype))
    return loaded(module, layer_weights(problem, input_size))


def linear(problem: Problem) -> Any:
    module = torch.nn.Linear(problem.H, problem.V, dtype=getattr(torch, problem.dtype))
    return loaded(module, linear_weights(problem))


def one_hot(problem: Problem) -> Any:
    return torch.eye(problem.V, dtype=getattr(torch, problem.dtype))


def states(h: Any) -> list[Any]:
    """h, or h and c."""
    return list(h) if isinstance(h, tuple) else [h]


def detached(h: Any) -> Any:
    return tuple(state.detach() for state in h) if isinstance(h, tuple) else h.detach()


def trained(modules: Sequence[Any], optimizer: Any, slots: Sequence[str]) -> Iterator[Array]:
    parameters = [parameter for module in modules for parameter in module.parameters()]
    for parameter in parameters:
        yield parameter.detach().numpy()
    for slot in slots:
        for parameter in parameters:
            yield optimizer.state[parameter][slot].numpy().ravel()


class Training:
    unit = 1
    dloss: Any = None  # what `backward` begins with; None is 1

    def __init__(self, problem: Problem) -> None:
        self.layer, self.output = recurrent(problem, problem.V), linear(problem)
        parameters = [*self.layer.parameters(), *self.output.parameters()]
        self.optimizer = torch.optim.Adagrad(parameters, problem.learning_rate, fused=True)
        self.one_hot = one_hot(problem)
        self.walk = walk(torch.from_numpy(streams(problem)), problem.T)
        self.h: Any = None

    def run(self, times: int) -> None:
        for inputs, targets, first in islice(self.walk, times):
            if first:
                self.h = None
            self.step(inputs, targets)

    def step(self, inputs: Any, targets: Any) -> None:
        y, h = self.layer(self.one_hot[inputs], self.h)
        loss = torch.nn.functional.cross_entropy(self.output(y).flatten(0, 1), targets.flatten())
        self.optimizer.zero_grad()
        loss.backward(self.dloss)
        self.optimizer.step()
        self.h = detached(h)

    def outcome(self) -> Sequence[Array]:
        last = [state.numpy() for state in states(self.h)]
        return [*trained([self.layer, self.output], self.optimizer, ["sum"]), *last]


class NetworkTraining(Training):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        # T times the mean over all is the sum over the steps, the mean over the sequences; this way at no cost.
        self.dloss = torch.tensor(problem.T, dtype=getattr(torch, problem.dtype))
        self.layer.bias_hh_l0.requires_grad_(not one_bias(problem))


class CharacterGRU:
    """One call of each layer for the whole chunk."""

    unit = 1

    def __init__(self, problem: Problem) -> None:
        V = problem.V
        self.embedding = loaded(
            torch.nn.Embedding(V, V, dtype=getattr(torch, problem.dtype)), embedding_weights(problem)
        )
        self.layer, self.output = recurrent(problem, V), linear(problem)
        self.modules = [self.embedding, self.layer, self.output]
        parameters = [parameter for module in self.modules for parameter in module.parameters()]
        self.optimizer = torch.optim.Adam(parameters, problem.learning_rate)
        self.chunks = cycle(zip(*map(torch.from_numpy, chunks(problem)), strict=True))

    def run(self, times: int) -> None:
        for inputs, targets in islice(self.chunks, times):
            loss = self.loss(inputs, targets)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    def loss(self, inputs: Any, targets: Any) -> Any:
        y, _ = self.layer(self.embedding(inputs))
        return torch.nn.functional.cross_entropy(self.output(y), targets, reduction="sum")

    def outcome(self) -> Sequence[Array]:
        return list(trained(self.modules, self.optimizer, ["exp_avg", "exp_avg_sq"]))


def stream(problem: Problem) -> Job:
    layer = recurrent(problem, problem.V)
    inputs = one_hot(problem)[torch.from_numpy(text(problem.V)[:STREAM_LENGTH, None])]

    def call() -> Sequence[Array]:
        with torch.inference_mode():
            y, h = layer(inputs)
        return [array.numpy() for array in (y, *states(h))]

    return Calls(call)


class Stepping:
    """GRUCell and LSTMCell, which take less time than nn.GRU and nn.LSTM on a sequence of one."""

    unit = 1

    def __init__(self, problem: Problem) -> None:
        assert problem.cell is not None
        cell = CELLS[problem.cell](problem.V, problem.H, dtype=getattr(torch, problem.dtype))
        weights = layer_weights(problem, problem.V)
        self.cell = loaded(cell, {name.removesuffix("_l0"): array for name, array in weights.items()})
        whole = torch.from_numpy(text(problem.V)[:STREAM_LENGTH, None])
        self.inputs = cycle(one_hot(problem)[whole])
        with torch.inference_mode():
            self.h = self.cell(next(self.inputs))

    def run(self, times: int) -> None:
        cell, h = self.cell, self.h
        with torch.inference_mode():
            for x in islice(self.inputs, times):
                h = cell(x, h)
        self.h = h

    def outcome(self) -> Sequence[Array]:
        return [state[None].numpy() for state in states(self.h)]


TASKS: dict[str, Callable[[Problem], Job]] = {
    "layer": Training,
    "network": NetworkTraining,
    "stream": stream,
    "step": Stepping,
    "char-gru": CharacterGRU,
}

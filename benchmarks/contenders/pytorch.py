"""min-char-rnn in PyTorch, as its own layers do it: nn.RNN on one-hot vectors, nn.Linear, cross_entropy, autograd."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from benchmarks.contenders import pytorch_layers
from fastrnn.bench.job import Calls, Job
from fastrnn.bench.problem import Array, Problem, batch, text, weights


class Network:
    def __init__(self, problem: Problem) -> None:
        H, V = problem.H, problem.V
        dtype = getattr(torch, problem.dtype)
        self.clip = problem.clip
        self.rnn, self.output = torch.nn.RNN(V, H, dtype=dtype), torch.nn.Linear(H, V, dtype=dtype)
        self.rnn.bias_hh_l0.requires_grad_(False).zero_()  # nn.RNN has two biases, which are added: one is enough
        self.parameters = (
            self.rnn.weight_ih_l0,
            self.rnn.weight_hh_l0,
            self.output.weight,
            self.rnn.bias_ih_l0,
            self.output.bias,
        )
        with torch.no_grad():
            for mine, initial in zip(self.parameters, weights(problem), strict=True):
                mine.copy_(torch.from_numpy(initial).reshape(mine.shape))
        self.one_hot = torch.eye(V, dtype=dtype)

    def loss(self, inputs: Any, targets: Any, hprev: Any) -> tuple[Any, Any]:
        """Loss and last states; the gradients, clipped, are in the parameters' `grad`. inputs, targets (T, B)."""
        hs, h = self.rnn(self.one_hot[inputs], hprev)
        scores = self.output(hs).flatten(0, 1)
        loss = torch.nn.functional.cross_entropy(scores, targets.flatten(), reduction="sum")
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward()
        torch.nn.utils.clip_grad_value_(self.parameters, self.clip)
        return loss, h.detach()


def arrays(tensors: Sequence[Any]) -> list[Array]:
    return [tensor.detach().numpy().reshape(tensor.shape if tensor.ndim == 2 else (-1, 1)) for tensor in tensors]


class Training:
    unit = 1

    def __init__(self, problem: Problem) -> None:
        self.network = Network(problem)
        self.memories = [torch.zeros_like(parameter) for parameter in self.network.parameters]
        self.text, self.p = torch.from_numpy(text(problem.V)), 0
        self.h = torch.zeros(1, 1, problem.H, dtype=getattr(torch, problem.dtype))
        self.T, self.learning_rate = problem.T, problem.learning_rate

    def run(self, times: int) -> None:
        T = self.T
        for _ in range(times):
            chunk = self.text[self.p : self.p + T + 1, None]
            _, self.h = self.network.loss(chunk[:-1], chunk[1:], self.h)
            self.adagrad()
            self.p += T
            if self.p + T + 1 >= len(self.text):
                self.h, self.p = torch.zeros_like(self.h), 0

    def adagrad(self) -> None:
        """torch.optim.Adagrad adds its epsilon outside the root, so this is written out."""
        with torch.no_grad():
            for parameter, memory in zip(self.network.parameters, self.memories, strict=True):
                gradient = parameter.grad
                memory.addcmul_(gradient, gradient)
                parameter.addcdiv_(gradient, (memory + 1e-8).sqrt_(), value=-self.learning_rate)

    def outcome(self) -> Sequence[Array]:
        return arrays([*self.network.parameters, *self.memories, self.h.flatten()])


def batched_loss(problem: Problem) -> Job:
    network = Network(problem)
    inputs, targets, hprev = map(torch.from_numpy, batch(problem))

    def call() -> Sequence[Array]:
        loss, h = network.loss(inputs, targets, hprev[None])
        return [np.asarray(loss.item()), *arrays([parameter.grad for parameter in network.parameters]), h[0].numpy()]

    return Calls(call)


TASKS: dict[str, Callable[[Problem], Job]] = {"train": Training, "batch": batched_loss} | pytorch_layers.TASKS

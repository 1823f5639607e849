"""The sides in PyTorch: nn.LSTM and nn.GRU over whole sequences, and the loop that one writes around them. The batches
are tensors before the clock runs, time their first axis, and Adam is the fused one: the fastest of its forms here."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle, islice
from typing import Any

import torch

from benchmarks.systems.job import Job
from benchmarks.systems.problems import BATCHES, Array, Classifier, Reversal, Weights

torch.set_num_threads(1)
torch.set_num_interop_threads(1)


class Training(ABC):
    """The loop. `modules`, by the names that the weights have; what has no weights is 0 and stays 0."""

    def __init__(
        self, modules: Mapping[str, Any], weights: Weights, learning_rate: float, batches: Iterable[Any]
    ) -> None:
        dtype = torch.from_numpy(next(iter(weights.values()))).dtype
        self.modules = torch.nn.ModuleDict(modules).to(dtype)
        named = dict(self.modules.named_parameters())
        for name, parameter in named.items():
            parameter.requires_grad_(False).zero_()
            if name in weights:
                parameter.copy_(torch.from_numpy(weights[name])).requires_grad_()
        self.trained = [named[name] for name in weights]
        self.optimizer = torch.optim.Adam(self.trained, learning_rate, fused=True)
        self.batches = cycle(batches)

    @abstractmethod
    def loss(self, *batch: Any) -> Any: ...

    def run(self, times: int) -> None:
        for batch in islice(self.batches, times):
            loss = self.loss(*batch)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    def outcome(self) -> Sequence[Array]:
        return [parameter.detach().numpy() for parameter in self.trained]


class ClassifierTraining(Training):
    def __init__(self, problem: Classifier) -> None:
        self.rnn = torch.nn.LSTM(problem.input_size, problem.hidden_size)
        self.linear = torch.nn.Linear(problem.hidden_size, problem.classes)
        x, y = map(torch.from_numpy, problem.data())
        batches = zip(batched(x.transpose(0, 1)), y.chunk(BATCHES), strict=True)
        super().__init__({"rnn": self.rnn, "linear": self.linear}, problem.weights(), problem.learning_rate, batches)

    def loss(self, x: Any, y: Any) -> Any:
        outputs, _ = self.rnn(x)
        return torch.nn.functional.cross_entropy(self.linear(outputs[-1]), y)


class Seq2SeqTraining(Training):
    def __init__(self, problem: Reversal) -> None:
        E, H, V = problem.embedding_size, problem.hidden_size, problem.vocabulary + 1
        self.encoder_embedding, self.encoder = torch.nn.Embedding(V, E), torch.nn.GRU(E, H)
        self.embedding, self.decoder = torch.nn.Embedding(V, E), torch.nn.GRU(E, H)
        self.linear = torch.nn.Linear(H, V)
        names = ("encoder_embedding", "encoder", "embedding", "decoder", "linear")
        modules = {name: getattr(self, name) for name in names}
        sources, targets = (torch.from_numpy(codes).T for codes in problem.data())
        end = torch.zeros_like(targets[:1])
        read, said = torch.cat([end, targets]), torch.cat([targets, end])
        batches = zip(*map(batched, (torch.cat([sources, end]), read, said)), strict=True)
        super().__init__(modules, problem.weights(), problem.learning_rate, batches)

    def loss(self, source: Any, read: Any, said: Any) -> Any:
        _, h = self.encoder(self.encoder_embedding(source))
        outputs, _ = self.decoder(self.embedding(read), h)
        return torch.nn.functional.cross_entropy(self.linear(outputs).flatten(0, 1), said.flatten())


def batched(tensor: Any) -> list[Any]:
    """(T, N, ...) in BATCHES parts (T, B, ...)."""
    return [part.contiguous() for part in tensor.chunk(BATCHES, 1)]


TASKS: dict[str, Callable[[Any], Job]] = {"classifier": ClassifierTraining, "seq2seq": Seq2SeqTraining}

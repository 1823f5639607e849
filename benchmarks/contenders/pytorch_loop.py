"""The character GRU in PyTorch as a loop over the characters, each a call of every layer, as tutorials write it."""

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.contenders.pytorch_layers import CharacterGRU
from fastrnn.bench.job import Job
from fastrnn.bench.problem import Problem


class CharacterLoop(CharacterGRU):
    def loss(self, inputs: Any, targets: Any) -> Any:
        h = torch.zeros(1, 1, self.layer.hidden_size, dtype=self.embedding.weight.dtype)
        loss: Any = 0
        for i in range(len(inputs)):
            embedded = self.embedding(inputs[i].view(1, -1))
            y, h = self.layer(embedded.view(1, 1, -1), h)
            loss += torch.nn.functional.cross_entropy(self.output(y.view(1, -1)), targets[i].view(1))
        return loss


TASKS: dict[str, Callable[[Problem], Job]] = {"char-gru": CharacterLoop}

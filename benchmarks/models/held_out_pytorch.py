"""The side of held_out.py that is PyTorch: 1-of-V codes, nn.RNN, nn.GRU or nn.LSTM, dropout, nn.Linear."""

import argparse
import math
from typing import Any

import numpy as np
import torch

torch.set_num_threads(1)
torch.set_num_interop_threads(1)

MODULES = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}


class Model:
    """The network, its optimizer, and where it is in the text."""

    def __init__(self, args: argparse.Namespace, train: str, held_out: str, iterations: int) -> None:
        torch.manual_seed(args.seed)
        characters = sorted(set(train + held_out))
        self.T, self.clip = args.seq_length, args.clip_norm
        codes = self.codes(train, characters)
        B = args.batch_size
        self.streams = codes[: len(codes) // B * B].reshape(B, -1).T.contiguous()
        self.held_out = self.codes(held_out, characters)
        self.one_hot = torch.eye(len(characters))
        layers = args.num_layers
        self.rnn = MODULES[args.cell](
            len(characters), args.hidden_size, layers, dropout=args.dropout if layers > 1 else 0
        )
        self.dropout = torch.nn.Dropout(args.dropout)
        self.linear = torch.nn.Linear(args.hidden_size, len(characters))
        self.modules = torch.nn.ModuleList([self.rnn, self.dropout, self.linear])
        self.optimizer = torch.optim.Adam(self.modules.parameters(), lr=args.learning_rate, fused=True)

        def rate(i: int) -> float:
            warm = float(min(1, (i + 1) / args.warmup))
            return warm * (1 + math.cos(math.pi * min(i / iterations, 1))) / 2

        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, rate)
        self.position = 0
        self.h: Any = None

    @staticmethod
    def codes(text: str, characters: list[str]) -> Any:
        points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        known = np.array([ord(character) for character in characters], np.uint32)
        return torch.from_numpy(np.searchsorted(known, points))

    def outputs(self, codes: Any, h: Any) -> tuple[Any, Any]:
        y, h = self.rnn(self.one_hot[codes], h)
        return self.linear(self.dropout(y)), h

    def train(self, iterations: int) -> None:
        self.modules.train()
        for _ in range(iterations):
            if self.position + self.T + 1 >= len(self.streams):
                self.position, self.h = 0, None
            x = self.streams[self.position : self.position + self.T]
            targets = self.streams[self.position + 1 : self.position + self.T + 1]
            outputs, h = self.outputs(x, self.h)
            self.h = tuple(state.detach() for state in h) if isinstance(h, tuple) else h.detach()
            loss = torch.nn.functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.modules.parameters(), self.clip)
            self.optimizer.step()
            self.schedule.step()
            self.position += self.T

    def held_out_bits(self) -> float:
        """See `Side`."""
        self.modules.eval()
        nats, h = 0.0, None
        with torch.inference_mode():
            for begin in range(0, len(self.held_out) - 1, 1000):
                codes = self.held_out[begin : begin + 1001]
                outputs, h = self.outputs(codes[:-1, None], h)
                nats += float(torch.nn.functional.cross_entropy(outputs[:, 0], codes[1:], reduction="sum"))
        return nats / (len(self.held_out) - 1) / math.log(2)


make = Model

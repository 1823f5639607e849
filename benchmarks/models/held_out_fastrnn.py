"""The side of held_out.py that is fastrnn."""

import argparse

import fastrnn


class Model:
    """A CharRNN."""

    def __init__(self, args: argparse.Namespace, train: str, held_out: str, iterations: int) -> None:
        self.train_text, self.held_out = train, held_out
        self.model = fastrnn.CharRNN(
            args.cell,
            args.hidden_size,
            args.num_layers,
            seq_length=args.seq_length,
            batch_size=args.batch_size,
            optimizer="adam",
            learning_rate=args.learning_rate,
            schedule="cosine",
            schedule_iterations=iterations,
            warmup=args.warmup,
            clip_value=None,
            clip_norm=args.clip_norm * args.seq_length,  # the model's loss is a sum over the steps
            dropout=args.dropout,
            seed=args.seed,
        )
        self.model.build(train + held_out)

    def train(self, iterations: int) -> None:
        self.model.partial_fit(self.train_text, iterations=iterations)

    def held_out_bits(self) -> float:
        """See `Side`."""
        return self.model.evaluate(self.held_out)["bits_per_char"]


make = Model

"""The rows: which systems there are, who is beside fastrnn in each, and how many times faster fastrnn is to be."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.contenders import Contender
from benchmarks.systems.problems import Adder, Classifier, Problem, Reversal

FASTRNN = Contender(
    "fastrnn", "benchmarks.systems.native", "fit of SequenceModel and Seq2Seq", ("adder", "classifier", "seq2seq")
)
SCRIPT = Contender("script", "benchmarks.systems.script", "the adder's script, its own operations in NumPy", ("adder",))
PYTORCH = Contender(
    "pytorch",
    "benchmarks.systems.pytorch",
    "PyTorch: nn.LSTM or nn.GRU, nn.Embedding, nn.Linear, cross_entropy, autograd, torch.optim.Adam",
    ("classifier", "seq2seq"),
    needs=("torch",),
)
CONTENDERS = {contender.name: contender for contender in (FASTRNN, SCRIPT, PYTORCH)}


@dataclass(frozen=True)
class System:
    """`small`: the same problem for a quick look. `checked`: after so many updates the two sides' weights are held
    against each other."""

    name: str
    about: str
    problem: Problem
    small: Problem
    peer: Contender
    goal: float
    checked: int


SYSTEMS = (
    System(
        "adder",
        "binary addition: a sigmoid RNN of 16 units, one sum an update",
        Adder(),
        Adder(bits=4, hidden_size=5),
        SCRIPT,
        goal=100,
        checked=1000,
    ),
    System(
        "classifier",
        "many to one: an LSTM of 64 units, 32 sequences of 50 vectors an update",
        Classifier(),
        Classifier(batch_size=3, steps=5, input_size=2, hidden_size=7, classes=4),
        PYTORCH,
        goal=3,
        checked=2,
    ),
    System(
        "seq2seq",
        "Seq2Seq: GRUs of 128 units, 32 pairs of 20 tokens each an update",
        Reversal(),
        Reversal(batch_size=3, length=4, vocabulary=5, embedding_size=6, hidden_size=7),
        PYTORCH,
        goal=2.5,
        checked=2,
    ),
)


def problem(name: str, settings: Mapping[str, Any]) -> Problem:
    """That of this system with these settings; the others are as in its row."""
    return next(dataclasses.replace(system.problem, **settings) for system in SYSTEMS if system.name == name)

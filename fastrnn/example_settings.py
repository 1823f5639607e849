"""The arguments of the models that learn from examples, checked."""

from dataclasses import dataclass

from fastrnn.arguments import flag, one_of
from fastrnn.recurrent import NONLINEARITIES
from fastrnn.settings import CELLS, MOST_LAYERS, MOST_UNITS, TrainingSettings, count

TOPOLOGIES = ("one-to-one", "one-to-many", "many-to-one", "many-to-many")
INPUTS = ("vectors", "tokens")
OUTPUTS = {  # with the losses that go with them, the default first, and their names in the kernels
    "softmax": {"cross_entropy": "softmax_cross_entropy"},
    "sigmoid": {"cross_entropy": "sigmoid_cross_entropy", "squared_error": "sigmoid_squared_error"},
    "linear": {"squared_error": "squared_error"},
}
SOURCES = ("tokens", "vectors", "features")


@dataclass(frozen=True, kw_only=True)
class ExampleSettings(TrainingSettings):
    """What the models that learn from examples have in common."""

    cell: str
    hidden_size: int
    num_layers: int
    embedding_size: int | None
    shuffle: bool

    def __post_init__(self) -> None:
        one_of(self.cell, "cell", CELLS)
        self._keep(
            hidden_size=count(self.hidden_size, "hidden_size", most=MOST_UNITS),
            num_layers=count(self.num_layers, "num_layers", most=MOST_LAYERS),
            shuffle=flag(self.shuffle, "shuffle"),
        )
        if self.embedding_size is not None:
            self._keep(embedding_size=count(self.embedding_size, "embedding_size", most=MOST_UNITS))
        super().__post_init__()


@dataclass(frozen=True, kw_only=True)
class SequenceSettings(ExampleSettings):
    """The settings of a `SequenceModel`."""

    topology: str
    output: str
    loss: str | None
    inputs: str | None
    input_size: int | None
    output_size: int | None
    nonlinearity: str
    reset_after: bool
    bidirectional: bool
    bias: bool
    stateful: bool

    def __post_init__(self) -> None:
        one_of(self.topology, "topology", TOPOLOGIES)
        losses = OUTPUTS[one_of(self.output, "output", tuple(OUTPUTS))]
        self._keep(loss=next(iter(losses)) if self.loss is None else one_of(self.loss, "loss", tuple(losses)))
        if self.inputs is not None:
            one_of(self.inputs, "inputs", INPUTS)
        for name in ("input_size", "output_size"):
            if getattr(self, name) is not None:
                self._keep(**{name: count(getattr(self, name), name, most=MOST_UNITS)})
        for name in ("reset_after", "bidirectional", "bias", "stateful"):
            self._keep(**{name: flag(getattr(self, name), name)})
        super().__post_init__()
        self._check_together()

    def _check_together(self) -> None:
        """ValueError for arguments of which one has no effect, or no meaning, beside another."""
        one_of(self.nonlinearity, "nonlinearity", NONLINEARITIES)
        if self.nonlinearity != "tanh" and self.cell != "rnn":
            raise ValueError(f'nonlinearity is that of cell="rnn": leave it out for {self.cell!r}')
        if not self.reset_after and self.cell != "gru":
            raise ValueError(f'reset_after=False is a form of cell="gru": leave it out for {self.cell!r}')
        if self.embedding_size is not None and self.inputs == "vectors":
            raise ValueError("embedding_size is for tokens: leave it out where the inputs are vectors")
        if self.embedding_size is not None and self.topology == "one-to-many":
            raise ValueError("embedding_size has no place in one-to-many, whose one input is followed by zeros")
        if self.stateful and self.shuffle:
            raise ValueError("stateful goes on from batch to batch, which needs their order: set shuffle=False")
        if self.stateful and self.bidirectional:
            raise ValueError("stateful and bidirectional exclude each other: one reads from the end")

    @property
    def kernel(self) -> str:
        """The kernels' name of the cell."""
        if self.cell == "rnn":
            return self.nonlinearity
        return "gru_reset_before" if self.cell == "gru" and not self.reset_after else self.cell

    @property
    def kernel_loss(self) -> str:
        """The kernels' name of the loss."""
        assert self.loss is not None
        return OUTPUTS[self.output][self.loss]

    @property
    def last(self) -> bool:
        """Whether a sequence has one output, after its last step."""
        return self.topology in ("one-to-one", "many-to-one")


@dataclass(frozen=True, kw_only=True)
class Seq2SeqSettings(ExampleSettings):
    """The settings of a `Seq2Seq`."""

    source: str
    every_step: bool

    def __post_init__(self) -> None:
        one_of(self.source, "source", SOURCES)
        self._keep(every_step=flag(self.every_step, "every_step"))
        super().__post_init__()
        if self.embedding_size is None:
            raise ValueError("embedding_size must be an integer: the decoder reads tokens through an embedding")

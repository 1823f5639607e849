"""Networks taken apart: each recurrent layer by itself, so that what passes between layers and steps can be seen."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastrnn.char_rnn import CharRNN
from fastrnn.layer import Layer
from fastrnn.layers import GRU, LSTM, RNN, Embedding, Linear
from fastrnn.recurrent import parameter_suffix

Recurrent = RNN | GRU | LSTM
CELLS: dict[str, type[Recurrent]] = {"rnn": RNN, "gru": GRU, "lstm": LSTM}


@dataclass(frozen=True, eq=False)
class Parts:
    """The layers that a `CharRNN` consists of, with copies of its parameters: token codes go through the embedding, if
    there is one, the recurrent layers, each of num_layers=1, and the linear layer, which gives logits."""

    embedding: Embedding | None
    recurrent: tuple[Recurrent, ...]
    linear: Linear

    def layers(self) -> Iterator[Layer]:
        """All of them, from the bottom up."""
        if self.embedding is not None:
            yield self.embedding
        yield from self.recurrent
        yield self.linear


def parts_of(model: CharRNN) -> Parts:
    """A model's layers. ValueError before it is built."""
    state = model.state_dict()
    V, H = state["linear.weight"].shape
    embedding = None
    if model.embedding_size is not None:
        embedding = Embedding(V, model.embedding_size, dtype=model.dtype, rng=0)
        embedding.load_state_dict({"weight": state["embedding.weight"]})
    stack = CELLS[model.cell](model.embedding_size or V, H, model.num_layers, dtype=model.dtype, rng=0)
    stack.load_state_dict({name: state[f"rnn.{name}"] for name in stack.parameters})
    linear = Linear(H, V, dtype=model.dtype, rng=0)
    linear.load_state_dict({name: state[f"linear.{name}"] for name in linear.parameters})
    return Parts(embedding, single_layers(stack), linear)


def single_layers(stack: Recurrent) -> tuple[Recurrent, ...]:
    """The layers of a stack of one direction, from the bottom up, as stacks of one layer with copies of the
    parameters."""
    return tuple(_single_layer(stack, number) for number in range(stack.num_layers))


def _single_layer(stack: Recurrent, number: int) -> Recurrent:
    options: dict[str, Any] = {"bias": stack.bias, "dtype": stack.dtype, "rng": 0}
    for name in ("nonlinearity", "reset_after"):  # of the cells that have it
        if hasattr(stack, name):
            options[name] = getattr(stack, name)
    layer = type(stack)(stack.hidden_size if number else stack.input_size, stack.hidden_size, **options)
    own, bottom = parameter_suffix(number, 0), parameter_suffix(0, 0)
    layer.load_state_dict({name: stack.parameters[name.removesuffix(bottom) + own] for name in layer.parameters})
    return layer

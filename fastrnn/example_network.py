"""The network of a model that learns from examples, with what its first states come from."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn import _core
from fastrnn.arrays import Array
from fastrnn.network import Layout, Network, States
from fastrnn.sequences import Indices, Sequences

NUMBERS_AT_ONCE = 2**22  # of what is put out at a time: 32 MB of float64


@dataclass(frozen=True, kw_only=True)
class Part:
    """A stack with what it reads and what it puts out, as the kernels want it (`fastrnn_network` in csrc/fastrnn.h)."""

    cell: str
    input_size: int
    hidden_size: int
    layers: int
    directions: int = 1
    bias: bool = True
    embeddings: int = 0
    outputs: int = 0
    loss: str = "softmax_cross_entropy"
    vectors: bool = False
    last: bool = False
    context: int = 0


class ExampleLayout(Layout):
    """Names of a PyTorch module whose members are `embedding`, `rnn` and `linear`, and before them, if there is a
    source, `encoder_embedding` and `encoder`, which for features is a linear layer."""

    def __init__(
        self,
        cell: str,
        network: Part,
        source: str | None = None,
        features: int = 0,
        encoder: Part | None = None,
        most: int = 2**62,
        rnn: str = "rnn",
    ) -> None:
        self.network, self.source, self.features, self.encoder = network, source, features, encoder
        at, before, size = _core.conditioned_offsets(**self.arguments())
        super().__init__(size, most, cell, network.hidden_size, network.layers, network.directions)
        if encoder is not None:
            self._add_part(encoder, before, "encoder_embedding", "encoder")
        elif source == "features":
            states = self.L * self.H * len(self.state_names)
            self.add_linear("encoder", before["weight"], before["bias"] if network.bias else None, features, states)
        self._add_part(network, at, "embedding", rnn)
        width = network.directions * network.hidden_size
        self.add_linear("linear", at["weight"], at["bias"] if network.bias else None, width, network.outputs)

    def _add_part(self, part: Part, at: dict[str, int], embedding: str, rnn: str) -> None:
        if part.embeddings:
            self.add_embedding(embedding, at["embedding"], part.embeddings, part.input_size - part.context)
        self.add_rnn(rnn, at["rnn"], part.input_size, part.bias)

    def arguments(self) -> dict[str, Any]:
        """As the kernels take them."""
        return {
            "network": asdict(self.network),
            "source": self.source,
            "features": self.features,
            "encoder": None if self.encoder is None else asdict(self.encoder),
        }


class ExampleNetwork(Network):
    """h_t: the last of L recurrent layers after x_t, in one direction or both
    y_t = W h_t + b, at each step or after the last
    """

    layout: ExampleLayout

    def __init__(self, layout: ExampleLayout, dtype: "np.dtype[Any]") -> None:
        super().__init__(layout, dtype)
        self.kernels = _core.Conditioned(self.flat_parameters, **layout.arguments())

    def outputs(
        self, inputs: Sequences, states: States | None = None, context: Array | None = None
    ) -> tuple[Array, States]:
        """y of each step, one sequence after the other, or of each sequence, (rows, O); and the states after each's
        last step. context (N, C), where the network has one. Memory beyond that is bounded, by blocks of sequences."""
        rows, last = [], []
        for first, end in _blocks(self.layout.network, inputs):
            part = inputs.part(first, end)
            side_by_side, lengths = part.padded()
            before = None if states is None else tuple(np.ascontiguousarray(s[:, first:end]) for s in states)
            beside = None if context is None else np.ascontiguousarray(context[first:end])
            y, after = self.kernels.outputs(side_by_side, before, lengths=lengths, context=beside)
            assert y is not None
            rows.append(y if self.layout.network.last else _in_sequences(y, part.lengths))
            last.append(after)
        return np.concatenate(rows), _side_by_side(last)

    # ---- what its first states come from ----

    def first_states(self, sources: Sequences | Array) -> tuple[States, Array | None]:
        """The states before the first step, and the context (N, C) or None: of features (N, F) by the linear layer, of
        sequences by the encoder."""
        states = self._encoded(sources) if isinstance(sources, Sequences) else self._of_features(sources)
        if not self.layout.network.context:
            return states, None
        return states, np.ascontiguousarray(states[0][-1]) if isinstance(sources, Sequences) else sources

    def _encoded(self, sources: Sequences) -> States:
        assert self.layout.encoder is not None
        last = []
        for first, end in _blocks(self.layout.encoder, sources):
            side_by_side, lengths = sources.part(first, end).padded()
            _, after = self.kernels.outputs(side_by_side, lengths=lengths, encoder=True)
            last.append(after)
        return _side_by_side(last)

    def _of_features(self, features: Array) -> States:
        """(h, c) = W f + b, of all layers."""
        rows = features @ self.parameters["encoder.weight"].T
        if "encoder.bias" in self.parameters:
            rows += self.parameters["encoder.bias"]
        L, N, H = self.layout.state_shape(len(features))
        states = rows.reshape(N, -1, L, H).transpose(1, 2, 0, 3)
        return tuple(np.ascontiguousarray(state) for state in states)


def _blocks(part: Part, inputs: Sequences) -> list[tuple[int, int]]:
    """Sequences first ... end - 1 at a time."""
    width = part.input_size + part.outputs + part.layers * part.directions * 6 * part.hidden_size
    at_once = max(1, NUMBERS_AT_ONCE // (width * int(inputs.lengths.max())))
    return [(first, min(first + at_once, len(inputs))) for first in range(0, len(inputs), at_once)]


def _side_by_side(states: list[States]) -> States:
    """The states of successive blocks of sequences."""
    return tuple(np.concatenate(part, axis=1) for part in zip(*states, strict=True))


def _in_sequences(y: Array, lengths: Indices) -> "NDArray[Any]":
    """(T, N, O) as the steps of one sequence after the other."""
    T = len(y)
    by_sequence = y.swapaxes(0, 1)
    return by_sequence[np.arange(T) < lengths[:, np.newaxis]]

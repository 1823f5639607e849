"""Seq2Seq: from a sequence, or a vector of features, to a sequence of another length."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastrnn.arguments import integer
from fastrnn.arrays import Array, array_of, check_shape
from fastrnn.beam import Hypothesis, beam_search
from fastrnn.example_model import ExampleModel, Examples, fit_arguments, partial_fit_arguments
from fastrnn.example_network import NUMBERS_AT_ONCE, ExampleLayout, Part
from fastrnn.example_settings import Seq2SeqSettings
from fastrnn.fitting import Callback
from fastrnn.history import History
from fastrnn.sequence_tokens import SequenceTokens, TokenSequence
from fastrnn.sequences import Sequences, joined, part_of, sequences_of, vectors_of
from fastrnn.settings import MOST_UNITS, Setting, count

END = SequenceTokens.end
LONGEST = 2**31 - 1  # of a target, in tokens


class Seq2Seq(ExampleModel):
    """A network that reads a source, and then writes a sequence of tokens, until it writes the end.

        h_0 = states of the encoder after the source's last token, or W f + b of features f    (of an LSTM also c_0)
        h_t = cell(x_t, h_{t-1}), num_layers of them; x_t: embedding of the token before, at first of the end
        p_t = softmax(W h_t + b): of each token, and of the end, the probability of being token t

    source: what stands before a target. "tokens": a sequence of tokens, read through an embedding of its own by an
    encoder of the same cell, num_layers and hidden_size, and then the end; "vectors": a sequence of vectors, (T_i, I),
    read by such an encoder; "features": one vector (F,) of features, as of an image that is to be described.
    every_step: each step reads besides x_t also the features, or the encoder's last state of its last layer.
    Tokens are str or integers. A sequence is a str, of characters; or a list, tuple or array of str, which are words,
    or of integers. Which there are, the first data say: others are errors.

    It learns with teacher forcing: the decoder reads the target's own tokens, whatever it would have written.

        loss = mean over all tokens of the batch's targets, ends too, of -ln p_t[token t]    (nats)

    An iteration takes batch_size examples, and goes on as that of a `SequenceModel`; all other arguments, attributes
    and errors are its, or those of `CharRNN`. Sources and targets may have any lengths, at a cost in proportion to
    their tokens.

    TypeError or ValueError, naming the argument, for arguments that won't do.

    Sources: Sutskever, Vinyals and Le, "Sequence to sequence learning with neural networks", 2014; every_step: Cho et
    al., "Learning phrase representations using RNN encoder-decoder for statistical machine translation", 2014;
    features: Karpathy and Fei-Fei, "Deep visual-semantic alignments for generating image descriptions", 2015.
    """

    kind = "Seq2Seq"
    settings_class = Seq2SeqSettings

    source = Setting[str]()
    every_step = Setting[bool]()

    def __init__(
        self,
        cell: str = "gru",
        hidden_size: int = 128,
        num_layers: int = 1,
        *,
        source: str = "tokens",
        embedding_size: int = 64,
        every_step: bool = False,
        shuffle: bool = True,
        batch_size: int = 32,
        optimizer: str = "adam",
        optimizer_options: dict[str, Any] | None = None,
        learning_rate: float = 0.001,
        schedule: str = "constant",
        schedule_iterations: int | None = None,
        schedule_factor: float | None = None,
        warmup: int = 0,
        clip_value: float | None = None,
        clip_norm: float | None = 1.0,
        dropout: float = 0.0,
        dtype: DTypeLike = "float32",
        seed: int | None = None,
    ) -> None:
        self._begin(Seq2SeqSettings.of(locals()))

    def _begin(self, settings: Any) -> None:
        super()._begin(settings)
        self._make: _Make | None = None

    @property
    def target_tokens(self) -> SequenceTokens:
        """The tokens of targets: `size`, the end among them, `vocabulary`. ValueError before the model is built."""
        return self._known().targets

    @property
    def source_tokens(self) -> SequenceTokens | None:
        """The tokens of sources, None if these are no tokens. ValueError before the model is built."""
        sources = self._known().sources
        return sources if isinstance(sources, SequenceTokens) else None

    # ---- training ----

    def fit(
        self,
        sources: Any,
        targets: Any,
        *,
        iterations: int | None = None,
        epochs: int | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        callback: Callback | None = None,
        every: int | None = None,
        progress: Callback | None = None,
    ) -> History:
        """Trains for `iterations` more, or `epochs` more (10, if neither is given), and returns `history`.

        sources: a list of sequences, or of features an array (N, F); targets: a list of as many sequences, which may be
        empty. At the first call they decide which tokens there are. The rest as `SequenceModel.fit`.
        """
        share = fit_arguments(iterations, epochs, validation, patience, callback, every, progress)
        with self._lock.fitting():
            examples = self._examples(sources, targets)
            return self._fit(examples, iterations, epochs, share, patience, callback, every, progress)

    def partial_fit(self, sources: Any, targets: Any, *, iterations: int = 1) -> float:
        """Trains for `iterations` more, and returns the smooth loss: `fit` without validation, records and callbacks,
        for one's own loops. Errors as those of `fit`."""
        partial_fit_arguments(iterations)
        with self._lock.fitting():
            return self._partial_fit(self._examples(sources, targets), iterations)

    # ---- what it writes ----

    def predict(
        self, sources: Any, *, max_length: int | None = None, beam_size: int = 1, length_penalty: float = 0.0
    ) -> list[TokenSequence]:
        """What the model writes for each source, as a list of sequences of the kind of the targets: str, list of str,
        or list of int.

        beam_size 1 is greedy, the likeliest token at each step; more of them find likelier sequences: see
        `beam_search`, which also has max_length and length_penalty. What is written for a source depends on the others
        beside it only where rounding decides between equally likely tokens.
        """
        beams = self._search(sources, max_length, beam_size, length_penalty)
        targets = self._known().targets
        return [targets.decode(hypotheses[0].codes) if hypotheses else targets.decode(()) for hypotheses in beams]

    def beam_search(
        self, source: Any, *, beam_size: int = 10, max_length: int | None = None, length_penalty: float = 0.0
    ) -> list[tuple[TokenSequence, float]]:
        """The best sequences that beam search finds for one source, with ln p of each, nats, that of the end among
        them: up to beam_size, the best first.

        At each step each of the beam_size likeliest beginnings is continued by every token, and the likeliest of all
        are kept. The best have the highest ln p / n**length_penalty, n being the number of tokens with the end;
        length_penalty is in [0, 10], 0 prefers short ones. max_length: the most tokens of a sequence; None: twice as
        many as the longest target of the first data had. TypeError or ValueError for arguments that won't do.

        Sources: Sutskever, Vinyals and Le 2014; Graves, "Sequence transduction with recurrent neural networks", 2012.
        """
        if self.source == "features":
            check_shape(array_of(source, "source"), "source", ("F",))
        [hypotheses] = self._search([source], max_length, beam_size, length_penalty)
        targets = self._known().targets
        return [(targets.decode(found.codes), found.log_probability) for found in hypotheses]

    def _search(
        self, sources: Any, max_length: int | None, beam_size: int, length_penalty: float
    ) -> list[list[Hypothesis]]:
        make = self._known()
        most = 2 * make.longest if max_length is None else integer(max_length, "max_length", 1)
        places = integer(beam_size, "beam_size", 1)
        read = self._sources(sources, make)
        at_once = max(1, NUMBERS_AT_ONCE // (places * (make.targets.size + 12 * self.num_layers * self.hidden_size)))
        found = []
        for first in range(0, len(read), at_once):
            with self._lock.use():
                found += self._search_for(part_of(read, first, first + at_once), max(most, 1), places, length_penalty)
        return found

    def _search_for(
        self, sources: Sequences | Array, max_length: int, beam_size: int, length_penalty: float
    ) -> list[list[Hypothesis]]:
        network = self._built()
        states, context = network.first_states(sources)

        def step(
            tokens: "NDArray[np.int64]", states: tuple[Array, ...], rows: "NDArray[np.intp]"
        ) -> "tuple[NDArray[np.float64], tuple[Array, ...]]":
            beside = None if context is None else context[rows]
            before = tuple(np.ascontiguousarray(state) for state in states)
            y, after = network.kernels.outputs(tokens[np.newaxis], before, context=beside)
            assert y is not None
            return log_softmax(y[0]), after

        return beam_search(
            step, states, end=END, beam_size=beam_size, max_length=max_length, length_penalty=length_penalty
        )

    # ---- what is likely ----

    def log_probabilities(self, sources: Any, targets: Any) -> "NDArray[np.float64]":
        """ln p of each target and its end, given its source: (N,) float64, in nats. Errors as those of `fit`, and
        ValueError before the model is built."""
        self._known()
        return self._log_probabilities_of(self._examples(sources, targets))

    def evaluate(self, sources: Any, targets: Any) -> dict[str, float | int]:
        """How well the model does on these examples:

        loss          mean of -ln p over the tokens of the targets, ends too, each given those before it; nats
        perplexity    exp(loss)
        exact         share of the targets that `predict`, greedy, writes exactly
        sequences, tokens    how many targets there were, and tokens in them with their ends
        """
        self._known()
        examples = self._examples(sources, targets)
        loss = self._mean_loss_of(examples)
        written = self.predict(sources, max_length=int(examples.inputs.lengths.max()))
        tokens = self._known().targets
        wanted = tokens.encode(targets, "targets")
        exact = sum(said == tokens.decode(codes) for said, codes in zip(written, wanted, strict=True))
        return {
            "loss": loss,
            "perplexity": float(np.exp(loss)),
            "exact": exact / len(examples),
            "sequences": len(examples),
            "tokens": len(examples.targets),
        }

    def _mean_loss_of(self, examples: Examples) -> float:
        return -float(self._log_probabilities_of(examples).sum()) / len(examples.targets)

    def _log_probabilities_of(self, examples: Examples) -> "NDArray[np.float64]":
        with self._lock.use():
            return np.concatenate([self._log_probabilities_at_once(part) for part in self._parts(examples)])

    def _parts(self, examples: Examples) -> Iterator[Examples]:
        """Some examples after others, so that the probabilities of all tokens at all steps of some have room."""
        begin, first = examples.inputs.begin, 0
        steps = NUMBERS_AT_ONCE // self._known().targets.size
        while first < len(examples):
            fitting = int(np.searchsorted(begin, begin[first] + steps, side="right")) - 1
            end = max(fitting, first + 1)
            yield examples.part(first, end)
            first = end

    def _log_probabilities_at_once(self, examples: Examples) -> "NDArray[np.float64]":
        network = self._built()
        assert examples.sources is not None
        states, context = network.first_states(examples.sources)
        y, _ = network.outputs(examples.inputs, states, context)
        log_p = np.take_along_axis(y, examples.targets[:, np.newaxis], axis=1) - log_sum_exp(y)
        return np.asarray(np.add.reduceat(log_p[:, 0], examples.inputs.begin[:-1]))

    # ---- data ----

    def _examples(self, sources: Any, targets: Any) -> Examples:
        """The data, checked."""
        make = self._make or self._first_make(sources, targets)
        read = self._sources(sources, make)
        codes = make.targets.encode(targets, "targets")
        if len(codes) != len(read):
            raise ValueError(f"sources and targets must be as many, not {len(read)} and {len(codes)}")
        end = np.array([END])
        inputs = joined([np.concatenate([end, target]) for target in codes])
        following = np.concatenate([np.concatenate([target, end]) for target in codes])
        return Examples(inputs, following, False, read, make)

    def _first_make(self, sources: Any, targets: Any) -> "_Make":
        tokens = SequenceTokens.of(targets, "targets")
        longest = max(map(len, targets))
        if self.source == "tokens":
            return _Make(SequenceTokens.of(sources, "sources"), tokens, longest)
        if self.source == "features":
            return _Make(vectors_of(sources, "sources", self.dtype).shape[1], tokens, longest)
        return _Make(_vectors(sources, self.dtype).steps.shape[1], tokens, longest)

    def _sources(self, sources: Any, make: "_Make") -> Sequences | Array:
        """The sources as the network reads them; TypeError or ValueError for what it cannot."""
        if isinstance(make.sources, SequenceTokens):
            codes = make.sources.encode(sources, "sources")
            if not codes:
                raise ValueError("sources must have at least one sequence, and is empty")
            return joined([np.append(source, END) for source in codes])
        features = self.source == "features"
        read = vectors_of(sources, "sources", self.dtype) if features else _vectors(sources, self.dtype)
        rows = read if isinstance(read, np.ndarray) else read.steps
        if rows.shape[1] != make.sources:
            raise ValueError(
                f"sources must be vectors of {make.sources} numbers, as the first were, not {rows.shape[1]}"
            )
        return read

    def _take_make(self, make: "_Make") -> None:
        self._make = make
        try:
            self._build(self._vocabulary_json())
        finally:
            if self._network is None:  # otherwise it is built, and a Ctrl-C came after that
                self._make = None

    def _known(self) -> "_Make":
        self._built()
        assert self._make is not None
        return self._make

    # ---- what the base classes ask for ----

    def _carries_states(self) -> bool:
        return False

    def _how_to_build(self) -> str:
        return "fit"

    def _layout(self, vocabulary: Any, most: int) -> ExampleLayout:
        make, s = _Make.from_json(vocabulary), self.settings
        tokens = isinstance(make.sources, SequenceTokens)
        size = make.sources.size if isinstance(make.sources, SequenceTokens) else make.sources
        features = size if s.source == "features" else 0
        encoder = Part(
            cell=s.cell if s.cell != "rnn" else "tanh",
            input_size=s.embedding_size if tokens else size,
            hidden_size=s.hidden_size,
            layers=s.num_layers,
            embeddings=size if tokens else 0,
            vectors=not tokens,
        )
        context = (features or s.hidden_size) if s.every_step else 0
        decoder = Part(
            cell=encoder.cell,
            input_size=s.embedding_size + context,
            hidden_size=s.hidden_size,
            layers=s.num_layers,
            embeddings=make.targets.size,
            outputs=make.targets.size,
            context=context,
        )
        if features:
            return ExampleLayout(s.cell, decoder, "features", features, most=most, rnn="decoder")
        return ExampleLayout(s.cell, decoder, "encoder", encoder=encoder, most=most, rnn="decoder")

    def _vocabulary_json(self) -> Any:
        assert self._make is not None
        return self._make.as_json()

    def _restore_vocabulary(self, values: Any) -> Any:
        make = _Make.from_json(values)
        if isinstance(make.sources, SequenceTokens) != (self.source == "tokens"):
            raise ValueError(f"the vocabulary's sources are not {self.source}, as the configuration says")
        self._make = make
        return values


class _Make:
    """What the first data decide: the tokens of the sources, or how many numbers their vectors have; those of the
    targets; the longest target."""

    def __init__(self, sources: SequenceTokens | int, targets: SequenceTokens, longest: int) -> None:
        self.sources, self.targets, self.longest = sources, targets, longest

    def as_json(self) -> dict[str, Any]:
        """As JSON has it."""
        sources = self.sources.state() if isinstance(self.sources, SequenceTokens) else self.sources
        return {"sources": sources, "targets": self.targets.state(), "longest": self.longest}

    @classmethod
    def from_json(cls, values: Any) -> "_Make":
        """What `as_json` returned; TypeError or ValueError for anything else."""
        if not isinstance(values, dict) or values.keys() != {"sources", "targets", "longest"}:
            raise ValueError("vocabulary must have the entries sources, targets and longest")
        sources = values["sources"]
        return cls(
            SequenceTokens.from_state(sources)
            if isinstance(sources, dict)
            else count(sources, "sources", most=MOST_UNITS),
            SequenceTokens.from_state(values["targets"]),
            count(values["longest"], "longest", least=0, most=LONGEST),
        )


def _vectors(sources: Any, dtype: "np.dtype[Any]") -> Sequences:
    """Sequences of vectors; TypeError for integers, which would be tokens."""
    read = sequences_of(sources, "sources", dtype)
    if read.steps.ndim != 2:
        raise TypeError('sources must hold vectors of real numbers, (T, I), for source="vectors", not integers')
    return read


def log_softmax(y: Array) -> "NDArray[np.float64]":
    """ln softmax(y) of rows (N, O), in float64."""
    return np.asarray(y - log_sum_exp(y))


def log_sum_exp(y: Array) -> "NDArray[np.float64]":
    """ln of the sum of exp(y) of each row (N, O): (N, 1), in float64."""
    largest = y.max(axis=1, keepdims=True).astype(np.float64)
    shifted = y - largest
    return np.asarray(largest + np.log(np.exp(shifted, out=shifted).sum(axis=1, keepdims=True)))

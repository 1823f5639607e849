"""CharRNN: a language model of characters, bytes or words."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastrnn.arguments import integer
from fastrnn.corpus import Chunks, Codes, Corpus, file_status, split, validation_streams
from fastrnn.fitting import Callback, FittedModel, check_loop_arguments
from fastrnn.history import History
from fastrnn.progress import Progress, validation_share
from fastrnn.random import bit_generator, generator
from fastrnn.sampling import Choice, Writer, stop_strings
from fastrnn.settings import CharSettings, Setting
from fastrnn.text import Text, text_source
from fastrnn.token_network import TokenLayout, TokenNetwork
from fastrnn.tokens import Tokens, tokens_from_state, tokens_of

TOKENS_AT_ONCE = 4096  # drawn between two looks at other threads and at Ctrl-C
TOKENS_PER_LOOK = 256  # where a stop string may end the text
TOKENS_PER_PIECE = 8  # of a stream

Indices = NDArray[np.int64]


class CharRNN(FittedModel):
    """A language model: it reads tokens, and says of each how likely it is to be next.

        x_t = embedding of token t (embedding_size numbers), or without embedding_size its 1-of-V code
        h_t = cell(x_t, h_{t-1}), num_layers of them, each over the one below: `fastrnn.RNN` (tanh), `GRU` or `LSTM`
        p_t = softmax(W h_t + b): of each of the V tokens of the vocabulary, the probability of being token t + 1

    An iteration takes `batch_size` sequences of `seq_length` tokens, and

        loss = mean over the sequences of the sum over the tokens of -ln p_t[token t + 1]          (nats)
        smooth_loss = 0.999 smooth_loss + 0.001 loss, from seq_length ln V on

    clips the gradients, and takes a step of the optimizer. No Python runs between two iterations.

    cell: "rnn", "gru" or "lstm". embedding_size: None, or the length of the vectors that stand for tokens.
    chunks: "stream": the text is cut into batch_size streams, read side by side, states carried from iteration to
    iteration; where a stream has fewer than seq_length + 2 tokens left all begin anew, from states of zero. "random":
    each sequence begins anywhere, from states of zero.
    optimizer: "sgd", "adagrad", "rmsprop", "adam" or "adamw", each as the class in `fastrnn`; optimizer_options: a dict
    of that class's arguments. "adagrad" has here eps=1e-8 and eps_inside_sqrt=True unless that says otherwise.
    learning_rate: of iteration i = 0, 1, ... it is learning_rate min(1, (i + 1) / warmup) s(i), with n =
    schedule_iterations and f = schedule_factor: schedule "constant": s = 1; "step": s = f^floor(i / n), f 0.5 unless
    given; "cosine": s = f + (1 - f) (1 + cos(pi min(i / n, 1))) / 2, f 0 unless given. warmup 0: none.
    clip_value: first, each element of the gradients into [-clip_value, clip_value]; clip_norm: then, all of them
    together to a norm of at most that. None: not at all.
    dropout: the share of each layer's outputs, also the last's, that an iteration sets to 0 on the way up (the others
    are divided by 1 - dropout).
    tokens: "char", "byte" or "word" (a word with the space before it, a punctuation mark, or other white space).
    unknown: what stands for tokens outside the vocabulary, which are errors otherwise. newline: "\\n" makes every
    line end that. lowercase: all in lower case. vocabulary_size: only the most frequent tokens; it needs `unknown`.
    dtype: float32 or float64. seed: an int below 2**63, of all that is random in training; None draws one.

    First weights are those of PyTorch's modules. Where bias_hh does nothing that bias_ih does not ("rnn", "lstm"), it
    is 0 and is not trained. Attributes: the arguments, of which learning_rate, schedule_iterations, clip_value and
    clip_norm can be set; `iterations`, `smooth_loss`, `history`; `vocabulary`, the tokens; `parameters`; `best`;
    `notes`, yours, which the file keeps: a dict of what JSON has.

    TypeError or ValueError, naming the argument, for arguments that won't do.

    Sources: Karpathy's min-char-rnn and char-rnn; Mikolov et al., "Recurrent neural network based language model",
    2010; dropout: Zaremba, Sutskever and Vinyals, "Recurrent neural network regularization", 2014.
    """

    kind = "CharRNN"
    settings_class = CharSettings
    network_class = TokenNetwork

    cell = Setting[str]()
    hidden_size = Setting[int]()
    num_layers = Setting[int]()
    embedding_size = Setting["int | None"]()
    seq_length = Setting[int]()
    chunks = Setting[str]()
    tokens = Setting[str]()
    unknown = Setting["str | None"]()
    newline = Setting["str | None"]()
    lowercase = Setting[bool]()
    vocabulary_size = Setting["int | None"]()

    def __init__(
        self,
        cell: str = "rnn",
        hidden_size: int = 100,
        num_layers: int = 1,
        *,
        embedding_size: int | None = None,
        seq_length: int = 25,
        batch_size: int = 1,
        chunks: str = "stream",
        optimizer: str = "adagrad",
        optimizer_options: dict[str, Any] | None = None,
        learning_rate: float = 0.1,
        schedule: str = "constant",
        schedule_iterations: int | None = None,
        schedule_factor: float | None = None,
        warmup: int = 0,
        clip_value: float | None = 5.0,
        clip_norm: float | None = None,
        dropout: float = 0.0,
        tokens: str = "char",
        unknown: str | None = None,
        newline: str | None = None,
        lowercase: bool = False,
        vocabulary_size: int | None = None,
        dtype: DTypeLike = "float32",
        seed: int | None = None,
    ) -> None:
        self._begin(CharSettings.of(locals()))

    def _begin(self, settings: Any) -> None:
        super()._begin(settings)
        self._tokens: Tokens | None = None
        self._corpus: Corpus | None = None  # what is cached of the last text: neither saved nor pickled
        self._training_codes: Codes | None = None
        self._held_out: Codes | None = None

    def _built(self) -> TokenNetwork:
        network: TokenNetwork = super()._built()
        return network

    @property
    def vocabulary(self) -> Tokens:
        """The tokens: `size`, `vocabulary`, `encode`, `decode`. ValueError before the model is built."""
        self._built()
        assert self._tokens is not None
        return self._tokens

    # ---- training ----

    def build(self, text: Text) -> Self:
        """Makes the vocabulary of this text and the first weights, without training, and returns the model.

        ValueError if the model is built already, or the text is empty; for other texts see `fit`.
        """
        with self._lock.fitting():
            if self._network is not None:
                raise ValueError("the model is built already: make a new one for another vocabulary")
            self._take_vocabulary(tokens_of(self.tokens, text, **self.settings.token_options()))
        return self

    def fit(
        self,
        text: Text,
        *,
        iterations: int | None = None,
        epochs: int | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        callback: Callback | None = None,
        every: int = 1000,
        progress: Callback | None = None,
    ) -> History:
        """Trains for `iterations` more, or `epochs` more (10, if neither is given), and returns `history`.

        text: a str, bytes (UTF-8, unless tokens="byte"), or a file as an `os.PathLike`; at the first call the model is
        built on it. The same text again, with the same `validation`, goes on exactly where it stopped; another text
        begins at its beginning, with states of zero, and the weights and all else go on. An epoch is as many
        iterations as take one pass over the part that is trained on.

        validation: the share of the tokens, at the end, that is held out. After each multiple of `every` iterations,
        counted from the model's first, the history gets a record (`fastrnn.history.Record`), with the loss of what is
        held out; `best` keeps the parameters of the smallest; after `patience` records in a row without a smaller one
        training ends, early. Then callback(model, record) is called; it may use the model, but not fit it, and if it
        returns True training ends. Where training ends between two records, the history gets a provisional one, which
        goes when training goes on: so 2N iterations leave what N, `save`, `load` and N leave.

        progress: called about ten times a second as progress(model, record), with a provisional record that the history
        does not get, without a validation loss; for the rest it is as callback. It changes nothing of what is computed.

        Ctrl-C ends training between two iterations, with the model whole. NumericalError, with the iteration, where the
        loss or a gradient is no longer finite: the model is as it was before that iteration. ValueError for a text that
        is too short or has tokens outside the vocabulary, TypeError or ValueError for other arguments that won't do,
        OSError where a file cannot be read: nothing is changed then. RuntimeError where another thread is fitting.
        """
        validation = validation_share(validation)
        check_loop_arguments(iterations, epochs, validation, patience, callback, every, progress)
        with self._lock.fitting():
            self._prepare(text, validation)
            if iterations is None:
                assert self._training_codes is not None
                iterations = (10 if epochs is None else epochs) * self._chunks().per_epoch(len(self._training_codes))
            return self._run(iterations, every, patience, callback, progress)

    def partial_fit(self, text: Text, *, iterations: int = 1) -> float:
        """Trains for `iterations` more, and returns the smooth loss, nats per sequence: `fit` without validation,
        records and callbacks, for one's own loops. Errors as those of `fit`."""
        integer(iterations, "iterations", 0)
        with self._lock.fitting():
            self._prepare(text, 0.0)
            with self._lock.use():
                self._advance(self._progress.iterations + iterations, every=None)
            return self.smooth_loss

    @property
    def iterations_per_epoch(self) -> int:
        """How many iterations take one pass over the part of the text that is trained on, the text being the last that
        `fit` was given. ValueError before there is one."""
        return self._chunks().per_epoch(len(self._last_text()[1]))

    @property
    def characters_per_token(self) -> float:
        """How many Unicode characters a token of that text has in the mean: nats per token, divided by ln 2 and by
        this, are bits per character. ValueError before there is such a text."""
        encoded = self._last_text()[0].encoded
        return encoded.characters / len(encoded.codes)

    def _last_text(self) -> tuple[Corpus, Codes]:
        if self._corpus is None or self._training_codes is None:
            raise ValueError("the model has no text yet: call fit, with iterations=0 if it is not to be trained")
        return self._corpus, self._training_codes

    def _chunks(self) -> Chunks:
        return Chunks(self.chunks, self.batch_size, self.seq_length)

    def _prepare(self, text: Text, validation: float) -> None:
        """Makes ready to train on a text: encoded, cut in two, and the position found. Errors before anything is
        changed."""
        tokens, corpus = self._tokens, self._corpus
        if corpus is None or not corpus.is_of(text):
            status, source = file_status(text), text_source(text)
            if tokens is None:
                tokens = tokens_of(self.tokens, source, **self.settings.token_options())
            corpus = Corpus(text, status, tokens.encode_text(source))
        assert tokens is not None
        codes = corpus.encoded.codes
        training, held_out = split(codes, validation, self._chunks(), text_source(text).name)
        if self._network is None:
            self._take_vocabulary(tokens)
        with self._lock.use():
            self._corpus, self._training_codes, self._held_out = corpus, training, held_out
            chunks, n = self._chunks(), len(training)
            self._go_on(corpus.encoded.fingerprint, validation, lambda position: chunks.is_position(position, n))

    def _train(self, iterations: int) -> BaseException | None:
        return self._train_natively(
            self._built().kernels.train,
            self._training_codes,
            iterations=iterations,
            seq_length=self.seq_length,
            random_chunks=self.chunks == "random",
        )

    def _validate(self) -> float | None:
        if self._held_out is None or not len(self._held_out):
            return None
        blocks = self._built().nats(self._held_out, validation_streams(len(self._held_out)))
        return math.fsum(block.sum() for block in blocks) / sum(block.size for block in blocks)

    def _mean_loss(self, loss: float) -> float:
        return loss / self.seq_length

    # ---- what is likely ----

    def predict_proba(self, prime: Text) -> "NDArray[Any]":
        """The probabilities (V,), in the model's dtype, of each token of the vocabulary to be the first after `prime`,
        which is read from states of zero. An empty prime is a line end, if the vocabulary has one.

        ValueError for tokens outside the vocabulary, an empty prime where there is no line end, or before the model
        is built.
        """
        network, codes = self._built(), self._primed(prime)
        if not len(codes):
            raise ValueError("prime must have at least one token: the vocabulary has no line end to begin after")
        with self._lock.use():
            p = network.step_through(codes, network.zero_states(1))
        assert p is not None
        return p

    def log_probabilities(self, text: Text) -> "NDArray[np.float64]":
        """ln p of each token of the text but the first, given all those before it, from states of zero: (n - 1,)
        float64, in nats. ValueError for a text of fewer than two tokens, or tokens outside the vocabulary."""
        return -self._nats(text)[1]

    def evaluate(self, text: Text) -> dict[str, float | int]:
        """How well the model knows a text, which it reads from its beginning to its end, from states of zero:

            loss             mean of -ln p over the tokens but the first, each given all those before it; nats per token
            bits_per_token   loss / ln 2
            bits_per_char    the sum of -ln p / ln 2, divided by the Unicode characters that those tokens stand for
            perplexity       exp(loss)
            tokens           how many were predicted, n - 1

        ValueError for a text of fewer than two tokens, or with tokens outside the vocabulary. Memory is for the
        encoded text and one number for each token.
        """
        characters, nats = self._nats(text)
        loss = math.fsum(nats) / len(nats)
        bits = loss / math.log(2)
        return {
            "loss": loss,
            "bits_per_token": bits,
            "bits_per_char": bits * len(nats) / characters,
            "perplexity": float(np.exp(loss)),
            "tokens": len(nats),
        }

    def _nats(self, text: Text) -> "tuple[int, NDArray[np.float64]]":
        """The characters of the text's tokens but the first, and -ln p of these (n - 1,)."""
        network = self._built()
        corpus = self._corpus
        encoded = corpus.encoded if corpus is not None and corpus.is_of(text) else self.vocabulary.encode_text(text)
        if len(encoded.codes) < 2:
            raise ValueError("text must have at least two tokens: the first is what the next is predicted from")
        with self._lock.use():
            blocks = network.nats(encoded.codes)
        first = len(self.vocabulary.decode(encoded.codes[:1]))
        return max(encoded.characters - first, 1), np.concatenate(blocks).ravel()

    # ---- sampling ----

    def sample(
        self,
        n: int,
        prime: Text = "",
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] | None = None,
        rng: Any = None,
        num_samples: int | None = None,
    ) -> Any:
        """A text of n tokens that goes on where `prime` ends, as a str; with num_samples a list of so many, drawn side
        by side.

        prime is read token after token, from states of zero, and is no part of what is returned. An empty prime begins
        after a line end, if the vocabulary has one, otherwise with a token drawn uniformly, the first of the n.

        temperature: p = softmax(y / temperature); 0 always takes the likeliest token, the first of several. top_k: of
        the k likeliest tokens alone. top_p: of the fewest likeliest that together have this probability. stop: a str or
        several; the text ends before the one that is complete first (of several at once, before the longest). rng:
        None, an int, or NumPy's Generator or RandomState; each token takes one number of it, step after step, and
        within a step text after text; with `stop` some more may be drawn than are used.

        ValueError for a prime with tokens outside the vocabulary, TypeError or ValueError for other arguments that
        won't do, or before the model is built; NumericalError where a probability is NaN.
        """
        B = 1 if num_samples is None else integer(num_samples, "num_samples", 1)
        stops = stop_strings(stop)
        at_once = TOKENS_PER_LOOK if stops else TOKENS_AT_ONCE
        drawn = self._draw(n, prime, Choice.of(temperature, top_k, top_p), rng, B, at_once, at_once)
        writers = [Writer(self.vocabulary.decoder(), stops) for _ in range(B)]
        texts: list[list[str]] = [[] for _ in range(B)]
        for codes in drawn:
            for b, writer in enumerate(writers):
                texts[b].append(writer.write(codes[:, b]))
            if all(writer.stopped for writer in writers):
                break
        samples = [
            "".join(text) + writer.write(NOTHING, final=True) for text, writer in zip(texts, writers, strict=True)
        ]
        return samples[0] if num_samples is None else samples

    def stream(
        self,
        n: int,
        prime: Text = "",
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] | None = None,
        rng: Any = None,
    ) -> Iterator[str]:
        """What `sample` returns, in pieces as they are drawn: joined, they are the same text. No piece is empty, or has
        a part of a stop string. Arguments and errors as those of `sample`; arguments are checked at once."""
        stops = stop_strings(stop)
        drawn = self._draw(n, prime, Choice.of(temperature, top_k, top_p), rng, 1, 1, TOKENS_PER_PIECE)
        return _pieces(drawn, Writer(self.vocabulary.decoder(), stops))

    def _primed(self, prime: Text) -> Indices:
        """The codes of a prime; of an empty one those of a line end, if the vocabulary has it."""
        codes = self.vocabulary.encode(prime, "prime")
        if len(codes):
            return codes
        try:
            line_end = self.vocabulary.encode("\n")
        except ValueError:
            return codes
        return line_end if self.vocabulary.decode(line_end) == "\n" else codes  # `unknown` may stand for it

    def _draw(
        self, n: int, prime: Text, choice: Choice, rng: Any, B: int, at_first: int, at_most: int
    ) -> Iterator[Indices]:
        """n tokens of each of B texts, in blocks (t, B) of at_first tokens, twice that, ... up to at_most."""
        n, random = integer(n, "n", 0), generator(rng)
        network, codes = self._built(), self._primed(prime)

        def blocks() -> Iterator[Indices]:
            states, last, done, size = network.zero_states(1), np.repeat(codes[-1:], B), 0, at_first
            with self._lock.use():
                network.step_through(codes[:-1], states)
            states = tuple(np.repeat(state, B, axis=1) for state in states)
            if not len(codes) and n:
                last = (np.asarray(random.random(B)) * self.vocabulary.size).astype(np.int64)
                done = 1
                yield last[np.newaxis]
            while done < n:
                with self._lock.use():
                    drawn: Indices = network.kernels.sample(
                        last,
                        states,
                        min(size, n - done),
                        temperature=choice.temperature,
                        top_k=choice.top_k,
                        top_p=choice.top_p,
                        bit_generator=bit_generator(random),
                    )
                last, done, size = drawn[-1].copy(), done + len(drawn), min(2 * size, at_most)
                yield drawn

        return blocks()

    # ---- what the base class asks for ----

    def _layout(self, vocabulary: Tokens, most: int) -> TokenLayout:
        return TokenLayout(self.cell, vocabulary.size, self.embedding_size, self.hidden_size, self.num_layers, most)

    def _take_vocabulary(self, tokens: Tokens) -> None:
        """Makes the network over this vocabulary, and its first weights."""
        network = TokenNetwork(self._layout(tokens, most=2**62), self.dtype)
        network.draw(self.seed)
        with self._lock.use():
            self._tokens = tokens
            self._take_network(network, self._first_progress())

    def _first_progress(self) -> Progress:
        assert self._tokens is not None
        return Progress(smooth_loss=self.seq_length * math.log(self._tokens.size))

    def _vocabulary_json(self) -> Any:
        return self.vocabulary.state()

    def _restore_vocabulary(self, values: Any) -> Tokens:
        tokens = tokens_from_state(values)
        if tokens.kind != self.tokens:
            raise ValueError(f"the vocabulary has {tokens.kind}s, and the configuration {self.tokens}s")
        for name in ("unknown", "newline", "lowercase"):
            if tokens.kind != "byte" and getattr(tokens, name) != getattr(self, name):
                raise ValueError(f"the vocabulary and the configuration differ in {name}")
        self._tokens = tokens
        return tokens


NOTHING: Indices = np.empty(0, np.int64)


def _pieces(drawn: Iterator[Indices], writer: Writer) -> Iterator[str]:
    for codes in drawn:
        if piece := writer.write(codes[:, 0]):
            yield piece
        if writer.stopped:
            return
    if piece := writer.write(NOTHING, final=True):
        yield piece

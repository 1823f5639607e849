"""What the models that learn from examples have in common: their data, passes over them, what is held out."""

import math
import zlib
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.arguments import integer
from fastrnn.arrays import Array
from fastrnn.example_network import ExampleLayout, ExampleNetwork
from fastrnn.fitting import Callback, FittedModel, check_loop_arguments
from fastrnn.history import History
from fastrnn.progress import Progress, validation_share
from fastrnn.sequences import Sequences, part_of
from fastrnn.settings import Setting

EPOCHS = 10  # of a `fit` that says nothing else


@dataclass(frozen=True, eq=False)
class Examples:
    """What a network learns from.

    targets: of each step of the inputs, one sequence after the other, or, with `last`, of each sequence: classes
    (rows,) int64, or numbers (rows, O). sources: features (N, F), sequences that an encoder reads, or None. make: what
    a model has to be that learns from them, in that model's own terms.
    """

    inputs: Sequences
    targets: "NDArray[Any]"
    last: bool
    sources: Sequences | Array | None = None
    make: Any = None

    def __len__(self) -> int:
        return len(self.inputs)

    def part(self, first: int, end: int) -> "Examples":
        """Examples first ... end - 1."""
        begin = self.inputs.begin
        rows = slice(first, end) if self.last else slice(begin[first], begin[end])
        sources = None if self.sources is None else part_of(self.sources, first, end)
        return Examples(self.inputs.part(first, end), self.targets[rows], self.last, sources, self.make)

    def arrays(self) -> "dict[str, NDArray[Any]]":
        """As the kernels take them."""
        arrays = {"inputs": self.inputs.steps, "inputs_begin": self.inputs.begin, "targets": self.targets}
        if isinstance(self.sources, Sequences):
            arrays |= {"sources": self.sources.steps, "sources_begin": self.sources.begin}
        elif self.sources is not None:
            arrays["sources"] = self.sources
        return arrays

    def fingerprint(self) -> str:
        """A checksum of all of it: other data of the same shapes have the same one with a chance of 2^-32."""
        checksum, make = 0, []
        for name, array in self.arrays().items():
            make.append(f"{name} {array.dtype.str} {array.shape}")
            checksum = zlib.crc32(np.ascontiguousarray(array).data, checksum)
        return f"{checksum:08x} {', '.join(make)}"


class ExampleModel(FittedModel):
    """A model that learns from examples: pass after pass, batch_size of them at a time."""

    network_class = ExampleNetwork

    cell = Setting[str]()
    hidden_size = Setting[int]()
    num_layers = Setting[int]()
    embedding_size = Setting["int | None"]()
    shuffle = Setting[bool]()

    def _begin(self, settings: Any) -> None:
        super()._begin(settings)
        self._training: Examples | None = None  # of the last fit: neither saved nor pickled
        self._held_out: Examples | None = None

    @abstractmethod
    def _layout(self, vocabulary: Any, most: int) -> ExampleLayout:
        """Of the network of a model with this vocabulary; ValueError where it would have more than `most` numbers."""

    def _built(self) -> ExampleNetwork:
        network: ExampleNetwork = super()._built()
        return network

    @abstractmethod
    def _take_make(self, make: Any) -> None:
        """Makes the network, by `_build`, for examples of this make; all is as before if that fails."""

    @abstractmethod
    def _mean_loss_of(self, examples: Examples) -> float:
        """The mean loss of all rows of outputs, as that of an iteration is of its own."""

    def _fit(
        self,
        examples: Examples,
        iterations: int | None,
        epochs: int | None,
        validation: float,
        patience: int | None,
        callback: Callback | None,
        every: int | None,
        progress: Callback | None,
    ) -> History:
        """What `fit` does with examples that suit the model; its arguments have been checked."""
        self._take_examples(examples, validation)
        epoch = self._iterations_of_epoch()
        if iterations is None:
            iterations = (EPOCHS if epochs is None else epochs) * epoch
        return self._run(iterations, epoch if every is None else every, patience, callback, progress)

    def _partial_fit(self, examples: Examples, iterations: int) -> float:
        """What `partial_fit` does."""
        self._take_examples(examples, 0.0)
        with self._lock.use():
            self._advance(self._progress.iterations + iterations, every=None)
        return self.smooth_loss

    def _take_examples(self, examples: Examples, validation: float) -> None:
        """Makes ready to train on them: cut in two, the network built if there is none, and the position found. Errors
        before anything is changed."""
        held_out = round(len(examples) * validation)
        training = len(examples) - held_out
        if validation and not (held_out and training):
            raise ValueError(
                f"validation={validation} of {len(examples)} sequences leaves {training} to train on and {held_out} to "
                "hold out: give more sequences, or another share"
            )
        if self._carries_states():
            self._check_whole_batches(training, "the sequences to train on")
            self._check_whole_batches(held_out, "the sequences held out")
        if self._network is None:
            self._take_make(examples.make)
        with self._lock.use():
            self._training = examples.part(0, training)
            self._held_out = examples.part(training, len(examples)) if held_out else None
            self._go_on(examples.fingerprint(), validation, self._is_position)

    def _check_whole_batches(self, count: int, what: str) -> None:
        """ValueError unless a stateful model finds as many sequences in every batch."""
        if count % self.batch_size:
            raise ValueError(
                f"stateful goes on from batch to batch, so that {what} must be a multiple of "
                f"batch_size={self.batch_size}, and are {count}"
            )

    def _is_position(self, position: int) -> bool:
        assert self._training is not None
        batches, rest = divmod(position, self.batch_size)
        return position < len(self._training) and rest == 0 and batches <= self._progress.iterations

    def _iterations_of_epoch(self) -> int:
        assert self._training is not None
        return math.ceil(len(self._training) / self.batch_size)

    @property
    def iterations_per_epoch(self) -> int:
        """How many iterations take one pass over the examples that are trained on, those of the last `fit`. ValueError
        before there are some."""
        if self._training is None:
            raise ValueError("the model has no examples yet: call fit, with iterations=0 if it is not to be trained")
        return self._iterations_of_epoch()

    def _train(self, iterations: int) -> BaseException | None:
        assert self._training is not None
        return self._train_natively(
            self._built().kernels.train, self._training.arrays(), iterations=iterations, shuffle=self.shuffle
        )

    def _validate(self) -> float | None:
        return None if self._held_out is None else self._mean_loss_of(self._held_out)

    def _mean_loss(self, loss: float) -> float:
        return loss

    def _first_progress(self) -> Progress:
        return Progress(smooth_loss=None)

    def _build(self, vocabulary: Any) -> None:
        """Makes the network for data of this make, and its first weights."""
        network = ExampleNetwork(self._layout(vocabulary, most=2**62), self.dtype)
        network.draw(self.seed)
        with self._lock.use():
            self._take_network(network, self._first_progress())


def fit_arguments(
    iterations: Any, epochs: Any, validation: Any, patience: Any, callback: Any, every: Any, progress: Any
) -> float:
    """The share to hold out; TypeError or ValueError for arguments of `fit` that won't do."""
    share = validation_share(validation)
    check_loop_arguments(iterations, epochs, share, patience, callback, 1 if every is None else every, progress)
    return share


def partial_fit_arguments(iterations: Any) -> int:
    """How many iterations; TypeError or ValueError otherwise."""
    return integer(iterations, "iterations", 0)

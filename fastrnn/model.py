"""What models have in common: settings, parameters, locks, and how they are saved, loaded, pickled and copied."""

import copy
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from fastrnn.arguments import call_of
from fastrnn.arrays import Array, check_shape
from fastrnn.errors import ModelFileError
from fastrnn.files import AnyPath, read_model, write_model
from fastrnn.history import History
from fastrnn.locking import ModelLock
from fastrnn.network import Layout, Network, States
from fastrnn.progress import Progress
from fastrnn.settings import Setting, TrainingSettings

Tensors = Mapping[str, NDArray[Any]]

_kinds: "dict[str, type[Model]]" = {}


class Model(ABC):
    """A network with what its training needs. It has a network only once it is built.

    `notes` is a dict of what JSON has, for its owner's use: it is kept in the file, and means nothing to the model.

    One model may be used by several threads: they wait for each other. All of it pickles and copies, whole.
    """

    kind: ClassVar[str]  # the name of the class in files
    settings_class: ClassVar[type[TrainingSettings]]
    network_class: ClassVar[type[Network]]  # made of a layout and a dtype

    batch_size = Setting[int]()
    optimizer = Setting[str]()
    optimizer_options = Setting["dict[str, Any] | None"]()
    learning_rate = Setting[float](may_change=True)
    schedule = Setting[str]()
    schedule_iterations = Setting["int | None"](may_change=True)
    schedule_factor = Setting["float | None"]()
    warmup = Setting[int]()
    clip_value = Setting["float | None"](may_change=True)
    clip_norm = Setting["float | None"](may_change=True)
    dropout = Setting[float]()
    dtype = Setting["np.dtype[Any]"]()
    seed = Setting[int]()

    def __init_subclass__(cls) -> None:
        if "kind" in vars(cls):
            _kinds[cls.kind] = cls

    def _begin(self, settings: TrainingSettings) -> None:
        """Makes this a model of these settings, with no network yet."""
        self.settings: Any = settings
        self.notes: dict[str, Any] = {}
        self._lock = ModelLock()
        self._network: Any = None

    def __repr__(self) -> str:
        """The call that makes such a model, without the arguments that are at their defaults."""
        return call_of(self)

    # ---- a network, once there is one ----

    @abstractmethod
    def _layout(self, vocabulary: Any, most: int) -> Layout:
        """Of the network of a model with this vocabulary; ValueError where it would have more than `most` numbers."""

    def _carries_states(self) -> bool:
        """Whether an iteration goes on from the states that the one before left."""
        return True

    def _state_shapes(self, layout: Layout) -> dict[str, tuple[int, ...]]:
        """Of the states that are carried, by their names."""
        return dict.fromkeys(layout.state_names, layout.state_shape(self.batch_size)) if self._carries_states() else {}

    def _take_network(self, network: Network, progress: Progress) -> None:
        """Makes this the network, with an optimizer that remembers nothing and states that are zero."""
        self._slots = {name: network.flat_zeros() for name in self.settings.slots}
        self._states: States = network.zero_states(self.batch_size) if self._carries_states() else ()
        self._best: Array | None = None
        self._progress = progress
        self._network = network

    def _built(self) -> Any:
        """The network; ValueError before there is one."""
        if self._network is None:
            raise ValueError(f"the model has no vocabulary and no weights yet: call {self._how_to_build()}, first")
        return self._network

    def _how_to_build(self) -> str:
        return "fit, or build(text)"

    @property
    def parameters(self) -> dict[str, Array]:
        """Every parameter by its name in PyTorch's modules, as a view: write into it, `array[...] = value`, and the
        model computes with that. ValueError before the model is built."""
        parameters: dict[str, Array] = self._built().parameters
        return parameters

    def state_dict(self) -> dict[str, Array]:
        """A copy of every parameter, by name, in the form that `load_state_dict` and PyTorch's modules take."""
        network: Network = self._built()
        with self._lock.use():
            return network.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copies the entries of `state` into the parameters of those names; what training remembers stays.

        ValueError for an entry that is missing, left over or of another shape, or before the model is built, TypeError
        for one that holds no real numbers; nothing is changed then.
        """
        network = self._built()
        with self._lock.use(), self._lock.changing():
            network.load_state_dict(state)

    @property
    def iterations(self) -> int:
        """How many iterations of training were done, 0 before the model is built."""
        return self._progress.iterations if self._network else 0

    @property
    def smooth_loss(self) -> float:
        """The smooth loss: 0.999 of it and 0.001 of the loss after each iteration. NaN where there was none yet,
        ValueError before the model is built."""
        self._built()
        smooth_loss = self._progress.smooth_loss
        return math.nan if smooth_loss is None else smooth_loss

    @property
    def history(self) -> History:
        """The records of all training so far; empty before the model is built."""
        return self._progress.history if self._network else History()

    # ---- whole models, in and out ----

    @abstractmethod
    def _vocabulary_json(self) -> Any:
        """The vocabulary as JSON has it."""

    @abstractmethod
    def _restore_vocabulary(self, values: Any) -> Any:
        """Takes over such a vocabulary, and returns it; ValueError for anything else, or one that does not fit."""

    def save(self, path: AnyPath) -> None:
        """Writes the model to one safetensors file, whole or not at all, with everything that training needs to go on
        exactly: weights under the names of a PyTorch module's state dict, `optimizer.<slot>.<name>`, `state.h` (and
        `state.c`), `best.<name>`, and in the metadata settings, vocabulary and the course of training.

        A file of that name is replaced. ValueError before the model is built; OSError for what the system refuses.
        """
        self._built()
        write_model(path, *self._whole())

    def _whole(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """All of the model as tensors, copied, and metadata of what JSON has."""
        with self._lock.use():
            metadata: dict[str, Any] = {
                "model": self.kind,
                "config": self.settings.as_json(),
                "notes": copy.deepcopy(self.notes),
            }
            if self._network is None:
                return {}, {**metadata, "vocabulary": None, "training": None}
            flats = {"": self._network.flat_parameters}
            flats |= {f"optimizer.{name}.": slot for name, slot in self._slots.items()}
            if self._best is not None and self._progress.best_loss is not None:
                flats["best."] = self._best
            views = self._network.layout.views
            tensors = {
                prefix + name: view.copy() for prefix, flat in flats.items() for name, view in views(flat).items()
            }
            names = self._state_shapes(self._network.layout)
            tensors |= {f"state.{name}": state.copy() for name, state in zip(names, self._states, strict=True)}
            return tensors, {**metadata, "vocabulary": self._vocabulary_json(), "training": self._progress.as_json()}

    @classmethod
    def _of_settings(cls, settings: TrainingSettings) -> Self:
        model = cls.__new__(cls)
        model._begin(settings)
        return model

    @classmethod
    def _from_whole(cls, tensors: Tensors, metadata: Mapping[str, Any]) -> Self:
        """The model of which `_whole` gave this; ValueError or TypeError, with the reason, for anything else."""
        for name in ("config", "vocabulary", "training"):
            if name not in metadata:
                raise ValueError(f"the metadata have no {name}")
        model = cls._of_settings(cls.settings_class.from_json(metadata["config"]))
        model.notes = metadata.get("notes", {})
        if not isinstance(model.notes, dict):
            raise TypeError(f"notes must be a dict, not {type(model.notes).__name__}")
        if metadata["vocabulary"] is not None:
            model._restore(tensors, metadata)
        else:
            _check_tensors(tensors, {}, model.dtype)
        return model

    def _restore(self, tensors: Tensors, metadata: Mapping[str, Any]) -> None:
        vocabulary = self._restore_vocabulary(metadata["vocabulary"])
        slack = 4096  # between the parts
        layout = self._layout(vocabulary, most=slack + sum(tensor.size for tensor in tensors.values()))
        progress = Progress.from_json(metadata["training"])
        prefixes = ["", *(f"optimizer.{name}." for name in self.settings.slots)]
        if progress.best_loss is not None:
            prefixes.append("best.")
        shapes = {prefix + name: shape for prefix in prefixes for name, (_, shape) in layout.places.items()}
        states = self._state_shapes(layout)
        shapes |= {f"state.{name}": shape for name, shape in states.items()}
        _check_tensors(tensors, shapes, self.dtype)

        self._take_network(self.network_class(layout, self.dtype), progress)
        flats = {"": self._network.flat_parameters}
        flats |= {f"optimizer.{name}.": slot for name, slot in self._slots.items()}
        if progress.best_loss is not None:
            flats["best."] = self._best = self._network.flat_zeros()
        for prefix, flat in flats.items():
            for name, view in layout.views(flat).items():
                view[...] = tensors[prefix + name]
        for name, state in zip(states, self._states, strict=True):
            state[...] = tensors[f"state.{name}"]

    @property
    def best(self) -> Self | None:
        """A model of its own with the parameters of the best validation loss, to use, evaluate and save, which has not
        been trained otherwise; None where there was no validation."""
        with self._lock.use():
            if self._network is None or self._best is None:
                return None
            best = self._of_settings(self.settings)
            vocabulary = best._restore_vocabulary(self._vocabulary_json())
            network = self.network_class(best._layout(vocabulary, most=2**62), self.dtype)
            network.flat_parameters[...] = self._best
            best._take_network(network, best._first_progress())
            return best

    @abstractmethod
    def _first_progress(self) -> Progress:
        """Where training stands before its first iteration."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (type(self), *self._whole())


def _unpickled(kind: type[Model], tensors: Tensors, metadata: Mapping[str, Any]) -> Model:
    return kind._from_whole(tensors, metadata)


def load(path: AnyPath) -> Any:
    """The model that `save` wrote to this file, of the class that it was, to go on exactly where it was.

    ModelFileError, with the reason, for a file that is no model, is cut or altered, was written by a newer version, or
    holds what does not fit together; OSError for what the system refuses. Nothing in a file is ever executed.
    """
    tensors, metadata = read_model(path)
    kind = metadata.get("model")
    if not isinstance(kind, str) or kind not in _kinds:
        known = ", ".join(sorted(_kinds))
        raise ModelFileError(
            f"{os.fsdecode(path)} holds a model of the kind {kind!r}, not one of {known}: upgrade fastrnn"
        )
    try:
        return _kinds[kind]._from_whole(tensors, metadata)
    except (ValueError, TypeError) as error:
        raise ModelFileError(f"{os.fsdecode(path)} does not hold a whole model: {error}") from None


def _check_tensors(tensors: Tensors, shapes: Mapping[str, tuple[int, ...]], dtype: "np.dtype[Any]") -> None:
    """ValueError unless there are tensors of exactly these names and shapes, all of this dtype."""
    missing = [name for name in shapes if name not in tensors]
    left_over = [name for name in tensors if name not in shapes]
    if missing or left_over:
        raise ValueError(
            f"tensors missing: {', '.join(missing) or 'none'}; left over: {', '.join(left_over) or 'none'}"
        )
    for name, shape in shapes.items():
        check_shape(tensors[name], name, shape)
        if tensors[name].dtype != dtype:
            raise ValueError(f"{name} must hold {dtype}, not {tensors[name].dtype}")

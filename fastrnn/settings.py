"""The arguments of a model's constructor, checked: once when it is made, and again when one is set later."""

import dataclasses
import inspect
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Self, TypeVar, overload

import numpy as np
from numpy.typing import DTypeLike

from fastrnn import optimizers
from fastrnn.arguments import flag, integer, one_of, positive, real, real_dtype
from fastrnn.optimizer import Optimizer
from fastrnn.schedule import SCHEDULES, scheduled_rate
from fastrnn.tokens import check_options

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": optimizers.SGD,
    "adagrad": optimizers.Adagrad,
    "rmsprop": optimizers.RMSprop,
    "adam": optimizers.Adam,
    "adamw": optimizers.AdamW,
}
OPTIMIZER_DEFAULTS = {"adagrad": {"eps": 1e-8, "eps_inside_sqrt": True}}  # min-char-rnn's, not PyTorch's
CELLS = ("rnn", "gru", "lstm")
CHUNKS = ("stream", "random")
DEFAULT_FACTOR = {"step": 0.5, "cosine": 0.0}
MOST = 2**31 - 1  # of units, steps, ...: what is beyond has no memory anyway, and no overflow is near
MOST_LAYERS, MOST_UNITS = 255, 2**24 - 1  # the kernels'

T = TypeVar("T")


class Setting(Generic[T]):
    """An attribute of a model that is one of its settings, under the same name. It can be set where `may_change`."""

    def __init__(self, *, may_change: bool = False) -> None:
        self._may_change = may_change

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, model: None, owner: type) -> Self: ...
    @overload
    def __get__(self, model: object, owner: type) -> T: ...
    def __get__(self, model: Any, owner: type) -> Any:
        return self if model is None else getattr(model.settings, self._name)

    def __set__(self, model: Any, value: T) -> None:
        if not self._may_change:
            raise AttributeError(f"{self._name} of a model stays as it is: make a new model with another one")
        model.settings = dataclasses.replace(model.settings, **{self._name: value})


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """What every model's training depends on. TypeError or ValueError, naming the argument, for what won't do."""

    batch_size: int
    optimizer: str
    optimizer_options: Mapping[str, Any] | None
    learning_rate: float
    schedule: str
    schedule_iterations: int | None
    schedule_factor: float | None
    warmup: int
    clip_value: float | None
    clip_norm: float | None
    dropout: float
    dtype: DTypeLike
    seed: int | None

    def __post_init__(self) -> None:
        dtype = real_dtype(self.dtype)
        optimizer = _optimizer(self.optimizer, self.optimizer_options, self.learning_rate, dtype)
        options = self.optimizer_options or {}
        self._keep(
            dtype=dtype,
            batch_size=count(self.batch_size, "batch_size"),
            optimizer_options={name: getattr(optimizer, name) for name in options} or None,
            learning_rate=optimizer.learning_rate,
            warmup=count(self.warmup, "warmup", least=0),
            clip_value=_limit(self.clip_value, "clip_value"),
            clip_norm=_limit(self.clip_norm, "clip_norm"),
            dropout=_dropout(self.dropout),
            seed=_seed(self.seed),
            **_schedule(self.schedule, self.schedule_iterations, self.schedule_factor),
        )

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Self:
        """The settings of a model whose constructor has these local variables: itself, and its arguments."""
        return cls(**{name: value for name, value in arguments.items() if name != "self"})

    def _keep(self, **checked: Any) -> None:
        """Puts checked values in the place of those that came."""
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @cached_property
    def optimizer_settings(self) -> dict[str, Any]:
        """The optimizer's own settings, by the names of its class's arguments."""
        return {name: getattr(self._example, name) for name in _option_names(type(self._example))}

    @cached_property
    def slots(self) -> tuple[str, ...]:
        """The names of what the optimizer remembers."""
        return tuple(self._example.slots)

    @cached_property
    def _example(self) -> Optimizer:
        """The optimizer, over one number."""
        return _optimizer(self.optimizer, self.optimizer_options, self.learning_rate, np.dtype(self.dtype))

    def rate(self, iteration: int) -> float:
        """The learning rate of iteration 0, 1, ..."""
        return scheduled_rate(
            iteration, self.learning_rate, self.schedule, self.schedule_iterations, self.schedule_factor, self.warmup
        )

    def as_json(self) -> dict[str, Any]:
        """All settings as JSON has them."""
        options = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in (self.optimizer_options or {}).items()
        }
        return {**dataclasses.asdict(self), "optimizer_options": options or None, "dtype": np.dtype(self.dtype).name}

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """The settings that `as_json` returned; ValueError or TypeError for what it cannot have."""
        names = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(values, dict) or sorted(values) != sorted(names):
            raise ValueError(f"config must have the entries {', '.join(names)}")
        if values["seed"] is None:
            raise ValueError("seed must be an integer")
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class CharSettings(TrainingSettings):
    """The settings of a `CharRNN`."""

    cell: str
    hidden_size: int
    num_layers: int
    embedding_size: int | None
    seq_length: int
    chunks: str
    tokens: str
    unknown: str | None
    newline: str | None
    lowercase: bool
    vocabulary_size: int | None

    def __post_init__(self) -> None:
        one_of(self.cell, "cell", CELLS)
        one_of(self.chunks, "chunks", CHUNKS)
        self._keep(
            hidden_size=count(self.hidden_size, "hidden_size", most=MOST_UNITS),
            num_layers=count(self.num_layers, "num_layers", most=MOST_LAYERS),
            seq_length=count(self.seq_length, "seq_length"),
            lowercase=flag(self.lowercase, "lowercase"),
        )
        if self.embedding_size is not None:
            self._keep(embedding_size=count(self.embedding_size, "embedding_size", most=MOST_UNITS))
        if self.vocabulary_size is not None:
            self._keep(vocabulary_size=count(self.vocabulary_size, "vocabulary_size"))
        check_options(self.tokens, **self.token_options())
        super().__post_init__()

    def token_options(self) -> dict[str, Any]:
        """What decides, beside the kind of token, how a text becomes a vocabulary and codes."""
        names = ("unknown", "newline", "lowercase", "vocabulary_size")
        return {name: getattr(self, name) for name in names}


def count(value: Any, name: str, least: int = 1, most: int = MOST) -> int:
    """value as an int in [least, most]; TypeError or ValueError otherwise."""
    number = integer(value, name, least)
    if number > most:
        raise ValueError(f"{name} must be at most {most}, not {number}")
    return number


def _option_names(kind: type[Optimizer]) -> list[str]:
    return [name for name in inspect.signature(kind).parameters if name not in ("layers", "learning_rate")]


class _OneNumber:
    """Enough of a layer for an optimizer to be made, and its arguments checked."""

    def __init__(self, dtype: "np.dtype[Any]") -> None:
        self.flat_parameters = self.flat_gradients = np.zeros(1, dtype)


def _optimizer(name: Any, options: Any, learning_rate: Any, dtype: "np.dtype[Any]") -> Optimizer:
    kind = OPTIMIZERS[one_of(name, "optimizer", tuple(OPTIMIZERS))]
    if options is not None and not isinstance(options, Mapping):
        raise TypeError(f"optimizer_options must be a dict or None, not {type(options).__name__}")
    known = _option_names(kind)
    for option in options or {}:
        if option not in known:
            remedy = "an argument of the model itself" if option == "learning_rate" else f"it has {', '.join(known)}"
            raise ValueError(f"optimizer_options has {option!r}, which {name} has not: {remedy}")
    merged = {**OPTIMIZER_DEFAULTS.get(name, {}), **(options or {})}
    return kind(_OneNumber(dtype), learning_rate, **merged)  # type: ignore[arg-type]


def _limit(value: Any, name: str) -> float | None:
    if value is None:
        return None
    number = positive(value, name)
    if number == float("inf"):
        raise ValueError(f"{name} must be finite: None leaves gradients as they are")
    return number


def _dropout(value: Any) -> float:
    p = real(value, "dropout")
    if not 0 <= p < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, not {value}")
    return p


def _seed(value: Any) -> int:
    if value is None:
        return int.from_bytes(os.urandom(8)) >> 1
    number = integer(value, "seed", 0)
    if number >= 2**63:
        raise ValueError(f"seed must be below 2**63, not {number}")
    return number


def _schedule(schedule: Any, iterations: Any, factor: Any) -> dict[str, Any]:
    """The schedule's arguments, checked together."""
    one_of(schedule, "schedule", SCHEDULES)
    if schedule == "constant":
        for name, value in (("schedule_iterations", iterations), ("schedule_factor", factor)):
            if value is not None:
                raise ValueError(
                    f'{name} does nothing with schedule="constant": use "step" or "cosine", or leave it out'
                )
        return {}
    if iterations is None:
        raise ValueError(f'schedule="{schedule}" needs schedule_iterations, the number of iterations that it takes')
    factor = DEFAULT_FACTOR[schedule] if factor is None else real(factor, "schedule_factor")
    if not 0 <= factor <= 1:
        raise ValueError(f"schedule_factor must be in [0, 1], not {factor}")
    return {"schedule_iterations": count(iterations, "schedule_iterations"), "schedule_factor": factor}

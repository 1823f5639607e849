"""What a picture of training shows: losses over iterations, of one model or several side by side.

Losses are in bits per token (per character, byte or word, where all models have the same), so that they compare between
sequence lengths, and with what compressors and papers say; those of models of other data are as they were trained with.
`picture` draws with matplotlib, `in_terminal` with characters alone.
"""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fastrnn.char_rnn import CharRNN
    from fastrnn.fitting import FittedModel

Values = NDArray[np.float64]

DECAY = 0.999  # of the smooth loss, in one iteration: a mean over about a thousand
RARE = 0.01  # the share of raw losses, among the lowest and among the highest, that may lie beyond the edge
MOST_MODELS = 8  # that can be told apart
TOKENS = {"char": "character", "byte": "byte", "word": "word"}
LOSS, SMOOTH, VALIDATION, BEST = "training, raw", "training, smoothed", "validation", "best validation"
CURVES = (LOSS, SMOOTH, VALIDATION)


@dataclass(frozen=True)
class Course:
    """Of one model: at which iterations there are records (n,), and losses (n,), in bits per `token`, or, where that is
    None, as the model has them. `loss`: of the last iteration before each record. `smoothed`: the mean over all
    iterations before, those further back weighted less, NaN where it is not known. `validation_loss`: NaN where nothing
    was held out."""

    name: str
    token: str | None
    iterations: Values
    loss: Values
    smoothed: Values
    validation_loss: Values

    @property
    def best(self) -> tuple[float, float] | None:
        """The iteration of the lowest validation loss, the first of several, and that loss."""
        if np.isnan(self.validation_loss).all():
            return None
        i = int(np.nanargmin(self.validation_loss))
        return float(self.iterations[i]), float(self.validation_loss[i])

    @property
    def label(self) -> str:
        """The name, and how good the best was."""
        if self.best is None:
            return self.name
        iteration, loss = self.best
        return f"{self.name}: {BEST} {loss:.3f} at iteration {iteration:,.0f}"

    def as_json(self) -> dict[str, Any]:
        """What is drawn, as JSON has it."""
        return {
            "name": self.name,
            "unit": "loss" if self.token is None else f"bits per {self.token}",
            "iterations": self.iterations.astype(np.int64).tolist(),
            "loss": self.loss.tolist(),
            "smoothed": _without_nan(self.smoothed),
            "validation_loss": _without_nan(self.validation_loss),
            "best": None if self.best is None else {"iteration": int(self.best[0]), "validation_loss": self.best[1]},
        }


def _without_nan(losses: Values) -> list[float | None]:
    return [None if math.isnan(loss) else loss for loss in losses.tolist()]


def course(model: "FittedModel", name: str) -> Course:
    """The course of a model's training; ValueError where it has no history."""
    from fastrnn.char_rnn import CharRNN

    history = model.history
    if not history:
        raise ValueError(f"{name} has no history to draw: train it by fit, which keeps one (partial_fit keeps none)")
    iterations = history.column("iteration").astype(np.float64)
    loss, validation_loss = history.column("loss"), history.column("validation_loss")
    if not isinstance(model, CharRNN):
        # Their smooth loss begins with the first one, which hides all others for thousands of iterations.
        return Course(name, None, iterations, loss, np.full_like(loss, math.nan), validation_loss)
    bits = 1 / math.log(2)
    token = TOKENS[model.tokens]
    return Course(name, token, iterations, loss * bits, _smoothed(model) * bits, validation_loss * bits)


def _smoothed(model: "CharRNN") -> Values:
    """The smooth losses, nats per token, without the T ln V that they begin with, which is no loss of any iteration and
    would hide the first thousands: what is left are the losses alone, with the weights that they have in it."""
    history, T = model.history, model.seq_length
    beginning = DECAY ** history.column("iteration")
    losses = history.column("smooth_loss") - beginning * T * math.log(model.vocabulary.size)
    smoothed: Values = losses / (1 - beginning) / T
    return smoothed


def names_of_files(paths: Sequence[str]) -> list[str]:
    """The names of these files without their folders, or with them where two would be the same."""
    printable = [path.encode("utf-8", "backslashreplace").decode() for path in paths]
    files = [os.path.basename(path) for path in printable]
    return [path if files.count(file) > 1 else file for path, file in zip(printable, files, strict=True)]


@dataclass(frozen=True)
class Scale:
    """Which axes are logarithmic."""

    log_iterations: bool = False
    log_loss: bool = False


@dataclass(frozen=True)
class Plot:
    """Courses to be drawn together, on these scales; ValueError for too many, or where nothing can be drawn."""

    courses: Sequence[Course]
    scale: Scale = Scale()

    def __post_init__(self) -> None:
        if not 1 <= len(self.courses) <= MOST_MODELS:
            raise ValueError(
                f"one picture has room for 1 to {MOST_MODELS} models, not {len(self.courses)}: draw several pictures"
            )
        if len({course.token is None for course in self.courses}) > 1:
            raise ValueError("bits per token and losses of other data have no common axis: draw several pictures")
        if not any(True for kind in CURVES for _ in self.lines(kind)):
            raise ValueError("no loss is above 0: on a logarithmic scale there is nothing to draw")

    @property
    def loss_label(self) -> str:
        """What the losses are, with their unit."""
        tokens = {course.token for course in self.courses}
        if None in tokens:
            return "loss"
        return f"loss, bits per {tokens.pop() if len(tokens) == 1 else 'token'}"

    def lines(self, kind: str) -> Iterator[tuple[int, Values, Values]]:
        """Of every model that has this kind of loss: its number, iterations, and those losses that can be drawn."""
        attribute = {LOSS: "loss", SMOOTH: "smoothed", VALIDATION: "validation_loss"}[kind]
        for number, course in enumerate(self.courses):
            losses = getattr(course, attribute)
            drawn = losses > (0 if self.scale.log_loss else -math.inf)  # NaN is not
            if drawn.any():
                yield number, course.iterations[drawn], losses[drawn]

    def bests(self) -> Iterator[tuple[int, float, float]]:
        """Of every model that has validation losses: its number, and where the lowest is."""
        for number, course in enumerate(self.courses):
            if course.best is not None and (course.best[1] > 0 or not self.scale.log_loss):
                yield number, *course.best

    def iteration_range(self) -> tuple[float, float]:
        """The lowest and the highest that are drawn."""
        found = np.concatenate([iterations for kind in CURVES for _, iterations, _ in self.lines(kind)])
        return float(found.min()), float(found.max())

    def loss_range(self) -> tuple[float, float]:
        """The lowest and the highest loss, but for the rarest raw ones: of a single sequence, or of a few, they say
        little, and would press all the rest together."""
        curves = [losses for kind in (SMOOTH, VALIDATION) for _, _, losses in self.lines(kind)]
        raw = [losses for _, _, losses in self.lines(LOSS)]
        if raw:
            together = np.concatenate(raw)
            curves.append(np.quantile(together, [RARE], method="lower"))
            curves.append(np.quantile(together, [1 - RARE], method="higher"))
        found = np.concatenate(curves)
        return float(found.min()), float(found.max())

    def kinds(self) -> list[str]:
        """Which kinds of losses there are, and BEST."""
        found = [kind for kind in CURVES if any(True for _ in self.lines(kind))]
        return [*found, BEST] if any(True for _ in self.bests()) else found

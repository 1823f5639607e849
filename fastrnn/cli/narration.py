"""How a run of training is told on stderr: a bar where people watch, lines where they read later, or nothing."""

import math
import os
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastrnn.cli.output import narrate
from fastrnn.program import unread_stderr

if TYPE_CHECKING:
    from fastrnn import CharRNN
    from fastrnn.history import Record

SMOOTHING = 0.2  # of a loss, ten times a second


class Narrator:
    """Is told what happens in training, and tells nothing."""

    def begin(self, model: "CharRNN", goal: int) -> None:
        """Training begins, up to an iteration."""

    def progress(self, model: "CharRNN", record: "Record") -> None:
        """Some times a second, and at each record."""

    def say(self, text: str) -> None:
        """Something to read."""

    def end(self) -> None:
        """Training ended, in whatever way."""


def narrator(quiet: bool) -> Narrator:
    """The one that suits this stderr and what is installed."""
    if quiet:
        return Narrator()
    if not sys.stderr.isatty():
        return Lines()
    try:
        tqdm = import_module("tqdm").tqdm
    except ImportError:
        narrate("a line for each record; for a progress bar: pip install 'fastrnn[progress]'")
        return Lines()
    return Bar(tqdm)


class Lines(Narrator):
    """A line for each record."""

    def begin(self, model: "CharRNN", goal: int) -> None:
        """Takes the time from here."""
        self._goal, self._first, self._start = goal, model.iterations, time.perf_counter()

    def progress(self, model: "CharRNN", record: "Record") -> None:
        """The record in a line, if it is a regular one."""
        if record.provisional:
            return
        rate = (record.iteration - self._first) / (time.perf_counter() - self._start)
        self.say(
            f"iteration {record.iteration} of {self._goal}: {losses(model, record.loss, record.validation_loss)}; "
            f"{rate * characters_per_iteration(model):,.0f} characters a second, "
            f"{_duration((self._goal - record.iteration) / rate)} left"
        )

    def say(self, text: str) -> None:
        """Writes it."""
        narrate(text)


class Bar(Narrator):
    """tqdm's bar: how far, how fast, how long still, and the losses."""

    def __init__(self, tqdm: Any) -> None:
        self._tqdm = tqdm
        self._bar: Any = None
        self._loss = 0.0
        self._validation_loss: float | None = None

    def begin(self, model: "CharRNN", goal: int) -> None:
        """Draws it."""
        size = characters_per_iteration(model)
        # A terminal that does not know its size would get no bar.
        known = os.get_terminal_size(sys.stderr.fileno()).columns > 0
        screen = {"dynamic_ncols": True} if known else {"ncols": 80, "nrows": 24}
        self._bar = self._tqdm(
            total=goal * size,
            initial=model.iterations * size,
            unit="char",
            unit_scale=True,
            **screen,
            file=sys.stderr,
            bar_format="{percentage:3.0f}%|{bar}| {elapsed}<{remaining}, {rate_fmt}{postfix}",
        )

    def progress(self, model: "CharRNN", record: "Record") -> None:
        """Moves it. An iteration's own loss jumps about, so that it is smoothed, over about half a second."""
        self._loss += (record.loss - self._loss) * (1.0 if self._loss == 0 else SMOOTHING)
        if record.validation_loss is not None:
            self._validation_loss = record.validation_loss
        with unread_stderr():
            self._bar.set_postfix_str(losses(model, self._loss, self._validation_loss), refresh=False)
            self._bar.update(record.iteration * characters_per_iteration(model) - self._bar.n)

    def say(self, text: str) -> None:
        """Writes it above the bar."""
        with unread_stderr():
            self._tqdm.write(text, file=sys.stderr)

    def end(self) -> None:
        """Leaves it as it stands."""
        if self._bar is not None:
            with unread_stderr():
                self._bar.close()


def losses(model: "CharRNN", loss: float, validation_loss: float | None) -> str:
    """Training's loss in nats per token, and both losses in bits per character."""
    text = f"loss {loss:.3f}, {bits_per_char(model, loss):.2f} bits/char"
    return text if validation_loss is None else f"{text}, validation {bits_per_char(model, validation_loss):.2f}"


def bits_per_char(model: "CharRNN", loss: float) -> float:
    """A loss in nats per token as bits per character of the text that is trained on."""
    return loss / math.log(2) / model.characters_per_token


def characters_per_iteration(model: "CharRNN") -> float:
    """How many characters an iteration reads."""
    return model.batch_size * model.seq_length * model.characters_per_token


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

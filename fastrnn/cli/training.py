"""A run of training: up to a goal that the model's file keeps, saved on the way, at the end, and on Ctrl-C."""

import contextlib
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fastrnn.cli.history_file import HistoryFile
from fastrnn.cli.narration import Narrator
from fastrnn.cli.settings import WHOLE_RUN
from fastrnn.errors import NumericalError

if TYPE_CHECKING:
    from fastrnn import CharRNN
    from fastrnn.fitting import FittedModel
    from fastrnn.history import Record
    from fastrnn.text import Text

SAMPLES = 5  # of a run, unless it says otherwise
SAMPLE_LENGTH = 300  # tokens
SAMPLE_TEMPERATURE = 0.8
SECONDS_BETWEEN_SAVES = 60.0
SECONDS_OF_TRIAL = 1.5  # of training, to see how fast it is


@dataclass
class Plan:
    """What a run was asked for; the model's file keeps it as `notes["run"]`.

    texts: as they were named. goal: the iteration to end after, or None as long as it is unknown how many `minutes` or
    `epochs` are.
    """

    texts: list[str]
    validation: float
    every: int
    patience: int | None
    goal: int | None = None
    minutes: float | None = None
    epochs: int | None = None

    def note(self, model: "CharRNN") -> None:
        """Writes it where `of` finds it."""
        model.notes["run"] = asdict(self)

    @classmethod
    def of(cls, model: "FittedModel") -> "Plan | None":
        """The plan that a model was trained by, None if it was by none."""
        try:
            return cls(**model.notes["run"])
        except (KeyError, TypeError):
            return None


class Run:
    """Trains a model as planned. `save_every`, `sample_every`: iterations, or None for what suits."""

    def __init__(
        self,
        model: "CharRNN",
        text: "Text",
        plan: Plan,
        output: str,
        narrator: Narrator,
        history: HistoryFile,
        save_every: int | None,
        sample_every: int | None,
    ) -> None:
        self.model, self.plan, self._text, self._output = model, plan, text, output
        self._narrator, self._history = narrator, history
        self._save_every, self._sample_every = save_every, sample_every
        self.last: Record | None = None  # of the records that training told, the newest
        self._iteration = 0  # of the last look
        self._start = self._saved = time.perf_counter()

    def train(self) -> None:
        """Up to the goal. Whatever ends it, a model that was trained is saved whole; then the error goes on."""
        try:
            self._fit(iterations=0)  # builds the model, reads the text
            self._train()
            self._end()
        except (KeyboardInterrupt, NumericalError):
            self._end()
            raise

    def _train(self) -> None:
        goal = self._goal()
        if self.model.schedule_iterations == WHOLE_RUN:
            self.model.schedule_iterations = max(goal, 1)
        self.plan.goal = goal
        self.plan.note(self.model)
        if goal <= self.model.iterations:
            self._narrator.say(f"its run of {goal} iterations is finished: --iterations N trains it by N more")
            return
        if self._sample_every is None:
            self._sample_every = max(1, goal // SAMPLES)
        self._iteration = self.model.iterations
        self._narrator.begin(self.model, goal)
        self._fit(iterations=goal - self.model.iterations, patience=self.plan.patience, progress=self._look)

    def _fit(self, **more: Any) -> None:
        self.model.fit(self._text, validation=self.plan.validation, every=self.plan.every, **more)

    def _end(self) -> None:
        with _no_ctrl_c():
            self._narrator.end()
            if self.model.iterations:
                self.model.save(self._output)
                self._history.write(self.model, final=True)

    def newest_record(self) -> "Record | None":
        """The last of the history, or what was told after that; None if nothing was trained."""
        records = [*self.model.history[-1:], *([] if self.last is None else [self.last])]
        return max(records, key=lambda record: (record.iteration, record.validation_loss is not None), default=None)

    def seconds(self) -> float:
        """Since the run was made."""
        return time.perf_counter() - self._start

    # ---- how long ----

    def _goal(self) -> int:
        """The iteration to end after."""
        plan, done = self.plan, self.model.iterations
        if plan.goal is not None:
            return plan.goal
        if plan.minutes is not None:
            return self._iterations_in(60 * plan.minutes)
        assert plan.epochs is not None
        return done + plan.epochs * self.model.iterations_per_epoch

    def _iterations_in(self, seconds: float) -> int:
        """The iteration that this machine comes to, some seconds after the run's start, found by a trial; validation's
        time counts too."""
        first, start = self.model.iterations, time.perf_counter()
        self.plan.note(self.model)  # who stops it now resumes with a trial
        end = start + min(SECONDS_OF_TRIAL, seconds / 10)
        trained = start

        def look(model: "CharRNN", record: "Record") -> bool:
            nonlocal trained
            self.last, trained = record, time.perf_counter()
            return trained >= end

        self._fit(iterations=WHOLE_RUN, progress=look)
        now = time.perf_counter()
        of_iteration = (trained - start) / (self.model.iterations - first)
        of_validation = now - trained
        left = max(0.0, seconds - (now - self._start))
        return self.model.iterations + int(left / (of_iteration + of_validation / self.plan.every))

    # ---- on the way ----

    def _look(self, model: "CharRNN", record: "Record") -> None:
        """What `fit` calls as its `progress`."""
        self.last = record
        before, self._iteration = self._iteration, record.iteration
        self._narrator.progress(model, record)
        self._history.write(model)
        if _passed(self._sample_every, before, record.iteration):
            self._narrator.say(_sample(model))
        if self._save_is_due(before):
            try:
                model.save(self._output)
            except OSError as error:
                self._narrator.say(f"{self._output} could not be saved now: {error.strerror}; training goes on")
            self._saved = time.perf_counter()

    def _save_is_due(self, before: int) -> bool:
        if self._save_every is not None:
            return _passed(self._save_every, before, self._iteration)
        return time.perf_counter() - self._saved > SECONDS_BETWEEN_SAVES


def _passed(every: int | None, before: int, now: int) -> bool:
    """Whether a multiple of `every` lies in (before, now]; there is none of 0."""
    return bool(every) and now // every > before // every  # type: ignore[operator]  # None is false


def _sample(model: "CharRNN") -> str:
    text = model.sample(SAMPLE_LENGTH, temperature=SAMPLE_TEMPERATURE, rng=model.iterations)
    return f"---- iteration {model.iterations}\n{text}\n----"


@contextlib.contextmanager
def _no_ctrl_c() -> Iterator[None]:
    """While the model is saved, which is soon done: an impatient second Ctrl-C does not prevent it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

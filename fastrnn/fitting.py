"""The training loop around the native one: records, validation, the best parameters, early stopping, callbacks."""

import functools
import math
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from fastrnn.arguments import integer
from fastrnn.errors import NumericalError
from fastrnn.history import History, Record
from fastrnn.model import Model
from fastrnn.progress import MOST_ITERATIONS

Callback = Callable[[Any, Record], object]

BETWEEN_LOOKS = 0.1  # seconds from one call of `progress` to the next


class Pace:
    """How many iterations a native call may do, so that it takes about BETWEEN_LOOKS."""

    def __init__(self) -> None:
        self.iterations = 1

    def learn(self, iterations: int, seconds: float) -> None:
        """From a call that did so many in so many seconds. One that was slow by chance makes few of them the next time,
        one that was fast at most twice as many."""
        fitting = int(iterations * BETWEEN_LOOKS / max(seconds, 1e-9))
        self.iterations = max(1, min(fitting, 2 * self.iterations))


class FittedModel(Model):
    """A model with a training loop; what an iteration is, and how the held-out data are judged, subclasses say."""

    @abstractmethod
    def _train(self, iterations: int) -> BaseException | None:
        """So many iterations in one native call, by `_train_natively`; returns what ended it early."""

    @abstractmethod
    def _validate(self) -> float | None:
        """The mean loss of what is held out, in the unit of `_mean_loss`, or None where nothing is."""

    @abstractmethod
    def _mean_loss(self, loss: float) -> float:
        """An iteration's loss as records have it: of a model of tokens nats per token."""

    def _go_on(self, fingerprint: str, validation: float, is_position: Callable[[int], bool]) -> None:
        """From where training on the same data stopped, or from the beginning if they are others."""
        progress = self._progress
        if (progress.fingerprint, progress.validation) == (fingerprint, validation) and is_position(progress.position):
            return
        progress.fingerprint = None  # what a Ctrl-C leaves half done goes on from nowhere
        progress.record_at = None
        if validation:  # losses of other data are no measure for these
            progress.best_loss, progress.without_improvement, self._best = None, 0, None
        for state in self._states:
            state[...] = 0
        progress.fingerprint, progress.validation, progress.position = fingerprint, validation, 0

    def _train_natively(
        self, train: Callable[..., tuple[int, int, float, float, BaseException | None]], data: Any, **options: Any
    ) -> BaseException | None:
        """train(data, ...), told the settings and where training stands, and the options. It updates the arrays; in
        `_progress` iterations, position, loss and smooth loss come to where it came. Returns what ended it early."""
        progress, settings = self._progress, self.settings
        native = functools.partial(
            train,
            states=self._states,
            slots=self._slots,
            batch_size=settings.batch_size,
            dropout=settings.dropout,
            seed=settings.seed,
            optimizer=settings.optimizer,
            settings=settings.optimizer_settings,
            learning_rate=settings.learning_rate,
            schedule=settings.schedule,
            warmup=settings.warmup,
            schedule_iterations=settings.schedule_iterations or 0,
            schedule_factor=settings.schedule_factor or 0.0,
            clip_value=math.inf if settings.clip_value is None else settings.clip_value,
            clip_norm=math.inf if settings.clip_norm is None else settings.clip_norm,
            position=progress.position,
            iterations_done=progress.iterations,
            smooth_loss=math.nan if progress.smooth_loss is None else progress.smooth_loss,
            **options,
        )
        outcome: list[Any] = []
        try:
            # As soon as a call returns to the interpreter, a signal's handler may raise: extend has kept the result.
            outcome.extend(map(native, [data]))
        finally:
            for done, position, loss, smooth_loss, _ in outcome:
                progress.iterations += done
                progress.position = position
                if done:  # otherwise they may be those of an iteration that was not done
                    progress.smooth_loss = smooth_loss
                if done and -math.inf < loss < math.inf:  # no call, so that no Ctrl-C comes in between
                    progress.loss = loss
        error: BaseException | None = outcome[0][-1]
        return error

    def _run(
        self, iterations: int, every: int, patience: int | None, callback: Callback | None, watch: Callback | None
    ) -> History:
        """So many iterations more, with a record after each multiple of `every`, and `watch` called in between."""
        progress, end = self._progress, self._progress.iterations + iterations
        pace = Pace() if watch is not None else None
        if end > MOST_ITERATIONS:
            raise ValueError(f"iterations must not come to more than 2**62 in all, and {iterations} more do")
        while progress.record_is_due() or progress.iterations < end:
            with self._lock.use():
                if not progress.record_is_due():
                    self._advance(min(end, progress.iterations - progress.iterations % every + every), every, pace)
                record = self._record_if_due()
            if record is not None and self._ends(record, patience, callback):
                return progress.history
            if watch is not None and _is_true(watch(self, record or self._record(None))):
                break
        # Also after no iterations: Ctrl-C may have prevented it at the end of the last run.
        if progress.loss is not None and [r.iteration for r in progress.history[-1:]] != [progress.iterations]:
            with self._lock.use():
                progress.history.add(self._record(self._validate()))
        return progress.history

    def _advance(self, until: int, every: int | None, pace: Pace | None = None) -> None:
        """Trains natively up to an iteration, after which, at a multiple of `every`, a record is due; with `pace` not
        so far, where that would take long.

        NumericalError and KeyboardInterrupt, and what else a signal's handler raises, leave the model whole.
        """
        progress, before = self._progress, self._progress.iterations
        if pace is not None:
            until = min(until, before + pace.iterations)
        progress.record_at = until if every and until % every == 0 else None
        start = time.perf_counter()
        try:
            with self._lock.changing():
                error = self._train(until - before)
        finally:
            if progress.iterations > before:
                progress.history.drop_provisional()
        if isinstance(error, NumericalError):
            raise NumericalError(
                f"iteration {progress.iterations}: {error}; the model is as it was before this iteration: lower "
                "learning_rate or set clip_norm, and if it stays so, go back to a model saved earlier"
            )
        if error is not None:
            raise error
        if pace is not None:
            pace.learn(until - before, time.perf_counter() - start)

    def _record_if_due(self) -> Record | None:
        """The record, with what follows from it, added to the history."""
        progress = self._progress
        if not progress.record_is_due():
            return None
        record = self._record(self._validate(), provisional=False)
        loss = record.validation_loss
        best, best_loss, without = self._best, progress.best_loss, progress.without_improvement
        if loss is not None:
            without += 1
            if best_loss is None or loss < best_loss:
                best, best_loss, without = self._built().flat_parameters.copy(), loss, 0
        progress.history.add(record)
        # No call among these lines, so that no Ctrl-C comes between them; before them, all is done once more.
        self._best = best
        progress.best_loss = best_loss
        progress.without_improvement = without
        progress.record_at = None
        return record

    def _record(self, validation_loss: float | None, provisional: bool = True) -> Record:
        progress = self._progress
        loss = math.nan if progress.loss is None else self._mean_loss(progress.loss)
        rate = self.settings.rate(progress.iterations - 1)
        return Record(progress.iterations, loss, self.smooth_loss, rate, validation_loss, provisional)

    def _ends(self, record: Record, patience: int | None, callback: Callback | None) -> bool:
        """Whether `fit` is to end after this record: the callback says so, or patience is at an end."""
        progress = self._progress
        said = callback(self, record) if callback is not None else None
        exhausted = patience is not None and progress.without_improvement >= patience
        if exhausted:
            progress.without_improvement = 0  # who calls fit again has new patience
        return exhausted or _is_true(said)


def _is_true(said: Any) -> bool:
    """Whether a callback said True, and not only something that counts as true."""
    return isinstance(said, bool | np.bool) and bool(said)


def check_loop_arguments(
    iterations: Any, epochs: Any, validation: float, patience: Any, callback: Any, every: Any, progress: Any
) -> None:
    """TypeError or ValueError for arguments of `fit` that won't do."""
    if iterations is not None and epochs is not None:
        raise ValueError("iterations and epochs say the same thing: give one of them")
    for name, value, least in (("iterations", iterations, 0), ("epochs", epochs, 0), ("patience", patience, 1)):
        if value is not None and integer(value, name, least) > MOST_ITERATIONS:
            raise ValueError(f"{name} must be at most 2**62, not {value}")
    integer(every, "every", 1)
    if patience is not None and not validation:
        raise ValueError("patience counts records of the validation loss: give validation=..., a share to hold out")
    for name, value in (("callback", callback), ("progress", progress)):
        if value is not None and not callable(value):
            raise TypeError(f"{name} must be callable as {name}(model, record), not {type(value).__name__}")

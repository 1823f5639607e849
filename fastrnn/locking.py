"""Who may use a model now: one thread at a time, none in the middle of a change, in the process that it belongs to."""

import contextlib
import os
import threading
import weakref
from collections.abc import Iterator

_all: "weakref.WeakSet[ModelLock]" = weakref.WeakSet()


class ModelLock:
    """A lock for short uses, at which threads wait for each other, and a mark of who is fitting, who excludes others.

    RuntimeError where waiting would never end: in a signal handler that interrupts a use by the same thread, and in a
    process that was forked while another thread was using the model.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # for `with`, which no Ctrl-C can come between
        self._changing = False
        self._fitter: int | None = None
        self._torn = False
        _all.add(self)

    def use(self) -> threading.RLock:
        """What to enter by `with`: the model is between two changes inside, and no other thread uses it."""
        if self._torn:
            raise RuntimeError(
                "this process was forked while another thread was using the model, which may be half changed here: "
                "fork while no thread uses it, or load it from a file"
            )
        if self._changing and self._lock._is_owned():  # type: ignore[attr-defined]  # also threading.Condition's way
            raise RuntimeError("the model is in the middle of a change: use it in fit's callback, not a signal handler")
        return self._lock

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """While the model changes, inside a use."""
        self._changing = True
        try:
            yield
        finally:
            self._changing = False

    @contextlib.contextmanager
    def fitting(self) -> Iterator[None]:
        """While one thread fits. RuntimeError where another does, or the same one, in a callback."""
        me, mine = threading.get_ident(), False
        try:  # around the use as well: a Ctrl-C may come as it ends
            with self.use():
                if self._fitter is not None:
                    who = "this" if self._fitter == me else "another"
                    raise RuntimeError(f"the model is being fitted by {who} thread: fit a copy, copy.deepcopy(model)")
                self._fitter, mine = me, True
            yield
        finally:
            if mine:
                self._fitter = None

    def after_fork(self) -> None:
        """In the child, which has only the thread that forked."""
        if self._lock.acquire(blocking=False):
            self._lock.release()
        else:
            self._torn = True
        if self._fitter != threading.get_ident():
            self._fitter = None


def _after_fork() -> None:
    for lock in list(_all):
        lock.after_fork()


os.register_at_fork(after_in_child=_after_fork)

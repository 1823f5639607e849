# Ctrl-C in long calls. Included by _core.pyx.

cdef class _Signals:
    """Looks now and then whether a signal, such as Ctrl-C's, waits for Python, from inside a call without the GIL."""
    cdef double next_look  # on the monotonic clock, in seconds
    cdef object error      # what the signal's handler raised
    cdef object lock       # which the call holds, or None: a handler, and other threads, find it free at each look

    cdef fastrnn_interruption interruption(self):
        self.next_look = seconds_now() + SECONDS_BETWEEN_LOOKS
        return fastrnn_interruption(poll=poll_signals, state=<void *>self)

    cdef int look(self) except -1:
        if self.lock is not None:
            self.lock.release()
        try:
            PyErr_CheckSignals()
        except BaseException as error:
            self.error = error
        held = self.lock is None
        while not held:
            try:
                held = self.lock.acquire()
            except BaseException as error:  # another Ctrl-C while it waits
                self.error = error
        self.next_look = seconds_now() + SECONDS_BETWEEN_LOOKS
        return 0


# Well below the 0.1 s after which a user wonders, and rare enough that waiting for the GIL costs nothing.
cdef double SECONDS_BETWEEN_LOOKS = 0.03


# Where there is one, the clock that is read without asking the hardware: it is some milliseconds late at most, and small
# networks ask for it every microsecond.
cdef extern from *:
    """
    #ifdef CLOCK_MONOTONIC_COARSE
    #define FASTRNN_CLOCK CLOCK_MONOTONIC_COARSE
    #else
    #define FASTRNN_CLOCK CLOCK_MONOTONIC
    #endif
    """
    const clockid_t FASTRNN_CLOCK


cdef double seconds_now() noexcept nogil:
    cdef timespec t
    clock_gettime(FASTRNN_CLOCK, &t)
    return <double>t.tv_sec + 1e-9 * <double>t.tv_nsec


cdef int poll_signals(void *state) noexcept nogil:
    if seconds_now() < (<_Signals>state).next_look:
        return 0
    with gil:
        (<_Signals>state).look()
        return (<_Signals>state).error is not None

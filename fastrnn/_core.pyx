# cython: boundscheck=False, wraparound=False, initializedcheck=False, auto_pickle=False, autotestdict=False
"""The C library in Python: one def per C function. Each checks shapes, dtypes and layout, lets go of the GIL and turns
the status into an exception."""

from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawMalloc
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport INFINITY, NAN, isfinite
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset
from posix.time cimport clock_gettime, timespec
from posix.types cimport clockid_t
cimport numpy as cnp

from fastrnn.cfastrnn cimport *

import weakref
from _thread import allocate_lock

import numpy as np

from fastrnn.arrays import real_array
from fastrnn.errors import NumericalError

cnp.import_array()

# Not cimported from numpy.random, which would be imported with it: six times what all of fastrnn takes to import.
cdef extern from "numpy/random/bitgen.h":
    ctypedef struct bitgen_t:
        void *state
        double (*next_double)(void *state)

cdef extern from "Python.h":
    int64_t PyLong_AsLongLongAndOverflow(object number, int *overflow) except? -1
    bint PyIndex_Check(object number)


cdef int check(fastrnn_status status) except -1:
    """Raises what a status means. What a user can get wrong is caught before, with a better message."""
    if status == FASTRNN_OK:
        return 0
    message = fastrnn_status_message(status).decode()
    if status == FASTRNN_ERROR_NOT_FINITE:
        raise NumericalError(message)
    if status == FASTRNN_ERROR_INDEX:
        raise IndexError(message)
    raise ValueError(message)


# ---- instruction sets -----------------------------------------------------------------------------------------------

def isa():
    cdef const char *name = fastrnn_isa()
    return None if name == NULL else name.decode()


def available_isas():
    names = []
    while fastrnn_available_isa(len(names)) != NULL:
        names.append(fastrnn_available_isa(len(names)).decode())
    return tuple(names)


def select_isa(name=None):
    cdef bytes encoded = b"" if name is None else name.encode()
    check(fastrnn_select_isa(NULL if name is None else <const char *>encoded))


# ---- the rest, a room each ------------------------------------------------------------------------------------------

include "_arguments.pxi"
include "_memory.pxi"
include "_signals.pxi"
include "_char.pxi"
include "_stack.pxi"
include "_feedforward.pxi"
include "_functions.pxi"
include "_optimizers.pxi"
include "_network.pxi"
include "_examples.pxi"
include "_ceilings.pxi"

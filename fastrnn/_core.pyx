# cython: boundscheck=False, wraparound=False, initializedcheck=False, auto_pickle=False, autotestdict=False
"""The C library in Python: one def per C function. Each checks shapes, dtypes and layout, lets go of the GIL and turns
the status into an exception."""

from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawMalloc
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint64_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec
cimport numpy as cnp

from fastrnn.cfastrnn cimport *

import weakref
from _thread import allocate_lock

import numpy as np

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


# ---- arguments ------------------------------------------------------------------------------------------------------

cdef int check_array(object array, str name, tuple shape, str symbols, object dtype) except -1:
    """A C-contiguous array of this shape and dtype, or an error that says what came and what to do."""
    if not cnp.PyArray_Check(array):
        raise TypeError(f"{name} must be a NumPy array, not {type(array).__name__}")
    if array.dtype != dtype:
        raise TypeError(f"{name} must be {dtype}, not {array.dtype}: convert it with {name}.astype(np.{dtype})")
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {symbols} = {shape}, not {array.shape}")
    if not cnp.PyArray_ISCARRAY_RO(array):
        if array.flags.c_contiguous:
            raise ValueError(f"{name} must be aligned in memory: pass {name}.copy()")
        raise ValueError(f"{name} must be C-contiguous: convert it with np.ascontiguousarray({name})")
    return 0


cdef int check_writeable(cnp.ndarray array, str name) except -1:
    if not cnp.PyArray_ISWRITEABLE(array):
        raise ValueError(f"{name} is read-only, and is written here: use a writeable copy of it")
    return 0


cdef object real_dtype(object array, str name):
    """The dtype of an array that may be of either: the one that the others must share."""
    if not cnp.PyArray_Check(array):
        raise TypeError(f"{name} must be a NumPy array, not {type(array).__name__}")
    dtype = array.dtype
    if dtype not in (np.float32, np.float64):
        raise TypeError(
            f"{name} must be float64 or float32, not {dtype}: convert it with {name}.astype(np.float64)")
    return dtype


cdef object out_of_vocabulary(str where, object value, Py_ssize_t V):
    return IndexError(f"{where} is {value}, outside [0, {V}): the vocabulary has {V} characters")


cdef int64_t index_below(object value, Py_ssize_t V, str name, Py_ssize_t position) except -1:
    """value as an integer in [0, V); position >= 0 says where in the sequence `name` it stands."""
    cdef int overflow = 0
    cdef int64_t index = 0
    where = f"{name}[{position}]" if position >= 0 else name
    if isinstance(value, bool) or not PyIndex_Check(value):
        raise TypeError(f"{where} must be an integer, not {type(value).__name__}")
    try:
        index = PyLong_AsLongLongAndOverflow(value.__index__(), &overflow)
    except TypeError:  # an array of several numbers has an __index__ that refuses
        raise TypeError(f"{where} must be an integer, not {type(value).__name__}") from None
    if overflow or index < 0 or index >= V:
        raise out_of_vocabulary(where, value, V)
    return index


cdef double real_number(object value, str name) except? -1:
    try:
        return <double>value
    except TypeError:
        raise TypeError(f"{name} must be a real number, not {type(value).__name__}") from None


cdef cnp.ndarray indices_below(object values, Py_ssize_t V, str name):
    """Characters as a new int64 array: (T,) from any sequence, or (T, B) from an array of that shape. New, because
    what was checked must not change before it is used, and because an element's __index__ may do anything."""
    cdef cnp.ndarray array
    cdef cnp.npy_intp T
    cdef Py_ssize_t t = 0
    cdef int64_t *data
    cdef int overflow = 0
    cdef int64_t index
    if cnp.PyArray_Check(values):
        if values.dtype.kind not in "iu":
            raise TypeError(f"{name} must be integers, not {values.dtype}")
        if values.ndim not in (1, 2) or values.size == 0:
            raise ValueError(f"{name} must have shape (T,) with at least one step, not {values.shape}")
        array = np.array(values, dtype=np.int64, order="C")
        data = <int64_t *>cnp.PyArray_DATA(array)
        for t in range(cnp.PyArray_SIZE(array)):
            if not 0 <= data[t] < V:
                position = np.unravel_index(t, (<object>array).shape)
                raise out_of_vocabulary(f"{name}[{', '.join(map(str, position))}]", values[position], V)
        return array
    try:
        T = len(values)  # what has no length may have no end
    except TypeError:
        raise TypeError(f"{name} must be a list, a range or an integer array, not {type(values).__name__}") from None
    if T == 0:
        raise ValueError(f"{name} must have at least one step, and is empty")
    array = cnp.PyArray_EMPTY(1, &T, cnp.NPY_INT64, 0)
    data = <int64_t *>cnp.PyArray_DATA(array)
    for value in values:
        if t == T:
            break
        if type(value) is int:
            index = PyLong_AsLongLongAndOverflow(value, &overflow)
            if not overflow and 0 <= index < V:
                data[t] = index
                t += 1
                continue
        data[t] = index_below(value, V, name, t)
        t += 1
    if t != T or len(values) != T:
        raise ValueError(f"{name} changed its length while it was read")
    return array


INT64 = np.dtype(np.int64)


cpdef cnp.ndarray indices(cnp.ndarray values, Py_ssize_t count, str name):
    """A copy of an array of integers, of any shape, as int64; IndexError unless all are in [0, count)."""
    cdef cnp.ndarray copy = cnp.PyArray_EMPTY(cnp.PyArray_NDIM(values), cnp.PyArray_DIMS(values), cnp.NPY_INT64, 0)
    cdef const int64_t *data = <const int64_t *>cnp.PyArray_DATA(copy)
    cdef cnp.npy_intp i
    if cnp.PyArray_CopyInto(copy, values) < 0:
        raise ValueError(f"{name} cannot be copied")
    for i in range(cnp.PyArray_SIZE(copy)):
        if not 0 <= data[i] < count:  # also what is too large for int64, and has become negative
            raise IndexError(f"{name} must be in [0, {count}), and has {values.flat[i]}")
    return copy


cdef bint is_float64(object array):
    return cnp.PyArray_TYPE(array) == cnp.NPY_FLOAT64


cdef list pinned(tuple arrays):
    """Weak references: while they live NumPy resizes none of these arrays, so that neither a signal handler nor another
    thread moves the memory that a call without the GIL works on."""
    return [weakref.ref(array) for array in arrays]


cdef cnp.ndarray state(object h, str name, tuple shape, str symbols, object dtype):
    """A hidden state to read: any real array of the right shape, in the network's dtype."""
    array = np.asarray(h)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {symbols} = {shape}, not {array.shape}")
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        raise TypeError(f"{name} must be {dtype}, not {array.dtype}")
    return np.ascontiguousarray(array, dtype=dtype)


# ---- scratch memory -------------------------------------------------------------------------------------------------

cdef class _Workspace:
    """Scratch memory of at least `size` bytes, kept from call to call."""
    cdef void *memory
    cdef size_t size

    def __dealloc__(self):
        PyMem_RawFree(self.memory)

    cdef int grow(self, size_t size) except -1:
        if size > self.size:
            PyMem_RawFree(self.memory)
            self.size = 0
            self.memory = PyMem_RawMalloc(size)
            if self.memory == NULL:
                raise MemoryError(f"no {size} bytes for the states and gradients of this sequence: shorten it")
            self.size = size
        return 0


cdef class _WorkspacePool:
    """Workspaces at rest. A call takes one and brings it back, so that calls from several threads never share one."""
    cdef list at_rest

    def __cinit__(self):
        self.at_rest = []

    cdef _Workspace take(self, size_t size):
        cdef _Workspace workspace = self.at_rest.pop() if self.at_rest else _Workspace()
        workspace.grow(size)
        return workspace

    cdef int bring_back(self, _Workspace workspace) except -1:
        self.at_rest.append(workspace)
        return 0


# ---- Ctrl-C in long calls -------------------------------------------------------------------------------------------

cdef class _Signals:
    """Looks now and then whether a signal, such as Ctrl-C's, waits for Python, from inside a call without the GIL."""
    cdef double next_look  # on the monotonic clock, in seconds
    cdef object error      # what the signal's handler raised

    cdef fastrnn_interruption interruption(self):
        self.next_look = seconds_now() + SECONDS_BETWEEN_LOOKS
        return fastrnn_interruption(poll=poll_signals, state=<void *>self)


# Well below the 0.1 s after which a user wonders, and rare enough that waiting for the GIL costs nothing.
cdef double SECONDS_BETWEEN_LOOKS = 0.03


cdef double seconds_now() noexcept nogil:
    cdef timespec t
    clock_gettime(CLOCK_MONOTONIC, &t)
    return <double>t.tv_sec + 1e-9 * <double>t.tv_nsec


cdef int poll_signals(void *state) noexcept nogil:
    if seconds_now() < (<_Signals>state).next_look:
        return 0
    with gil:
        try:
            PyErr_CheckSignals()
        except BaseException as error:
            (<_Signals>state).error = error
            return 1
        (<_Signals>state).next_look = seconds_now() + SECONDS_BETWEEN_LOOKS
        return 0


# ---- the character model --------------------------------------------------------------------------------------------

cdef size_t workspace_size(const fastrnn_shape *shape, bint double_precision) except? 0:
    cdef size_t size = 0
    if double_precision:
        check(fastrnn_workspace_size_f64(shape, &size))
    else:
        check(fastrnn_workspace_size_f32(shape, &size))
    return size


# Pointers to float and to double are alike in memory: the names are filled in through f64 and read through either.
cdef union char_rnn:
    fastrnn_char_rnn_f32 f32
    fastrnn_char_rnn_f64 f64


cdef char_rnn point_to(cnp.ndarray Wxh, cnp.ndarray Whh, cnp.ndarray Why, cnp.ndarray bh, cnp.ndarray by):
    cdef char_rnn pointers
    pointers.f64.rnn.Wxh = <double *>cnp.PyArray_DATA(Wxh)
    pointers.f64.rnn.Whh = <double *>cnp.PyArray_DATA(Whh)
    pointers.f64.rnn.bh = <double *>cnp.PyArray_DATA(bh)
    pointers.f64.output.Why = <double *>cnp.PyArray_DATA(Why)
    pointers.f64.output.by = <double *>cnp.PyArray_DATA(by)
    return pointers


cdef cnp.ndarray empty_like(cnp.ndarray array):
    return cnp.PyArray_EMPTY(cnp.PyArray_NDIM(array), cnp.PyArray_DIMS(array), cnp.PyArray_TYPE(array), 0)


cdef class CharNetwork:
    """The five arrays of a min-char-rnn, held as the caller's own, and the kernels over them.

    Wxh (H, V), Whh (H, H), Why (V, H), bh (H, 1), by (V, 1): float64 or float32, one dtype, C-contiguous.
    """
    cdef readonly cnp.ndarray Wxh, Whh, Why, bh, by
    cdef readonly object dtype
    cdef char_rnn model
    cdef Py_ssize_t H, V
    cdef _WorkspacePool workspaces

    def __cinit__(self, Wxh, Whh, Why, bh, by):
        self.dtype = real_dtype(Wxh, "Wxh")
        if Wxh.ndim != 2 or Wxh.size == 0:
            raise ValueError(f"Wxh must have shape (H, V), hidden units by characters, not {Wxh.shape}")
        H, V = Wxh.shape
        check_array(Wxh, "Wxh", (H, V), "(H, V)", self.dtype)
        check_array(Whh, "Whh", (H, H), "(H, H)", self.dtype)
        check_array(Why, "Why", (V, H), "(V, H)", self.dtype)
        check_array(bh, "bh", (H, 1), "(H, 1)", self.dtype)
        check_array(by, "by", (V, 1), "(V, 1)", self.dtype)
        self.H, self.V = H, V
        self.Wxh, self.Whh, self.Why, self.bh, self.by = Wxh, Whh, Why, bh, by
        self.model = point_to(Wxh, Whh, Why, bh, by)
        self.workspaces = _WorkspacePool()

    cdef int check_unmoved(self) except -1:
        """The memory that was bound is still theirs: ndarray.resize may have freed it."""
        cdef char_rnn now = point_to(self.Wxh, self.Whh, self.Why, self.bh, self.by)
        cdef Py_ssize_t H = self.H, V = self.V
        if (now.f64.rnn.Wxh != self.model.f64.rnn.Wxh or cnp.PyArray_SIZE(self.Wxh) != H * V
                or now.f64.rnn.Whh != self.model.f64.rnn.Whh or cnp.PyArray_SIZE(self.Whh) != H * H
                or now.f64.rnn.bh != self.model.f64.rnn.bh or cnp.PyArray_SIZE(self.bh) != H
                or now.f64.output.Why != self.model.f64.output.Why or cnp.PyArray_SIZE(self.Why) != V * H
                or now.f64.output.by != self.model.f64.output.by or cnp.PyArray_SIZE(self.by) != V):
            raise ValueError("an array was resized after bind: call bind again")
        return 0

    cdef list pinned(self):
        """What keeps the five arrays where they are during a long call."""
        return pinned((self.Wxh, self.Whh, self.Why, self.bh, self.by))

    cdef object not_finite(self, str what, cnp.ndarray h):
        """The error for a loss or a probability that is NaN or infinite, with its cause."""
        arrays = {"Wxh": self.Wxh, "Whh": self.Whh, "Why": self.Why, "bh": self.bh, "by": self.by,
                  "the hidden state": h}
        culprits = [name for name, array in arrays.items() if not np.isfinite(array).all()]
        if culprits:
            hold = "holds" if len(culprits) == 1 else "hold"
            return NumericalError(f"{what} because {' and '.join(culprits)} {hold} NaN or infinity: "
                                  "go back to finite weights and lower the learning rate")
        return NumericalError(f"{what} because the weights are so large that the outputs overflow {self.dtype}: "
                              "lower the learning rate")

    def loss(self, inputs, targets, hprev, double clip=5.0):
        """loss, dWxh, dWhh, dWhy, dbh, dby, h_last. inputs and targets (T,) with hprev (H, 1), or a batch: (T, B) with
        hprev (B, H)."""
        cdef cnp.ndarray x = indices_below(inputs, self.V, "inputs")
        cdef cnp.ndarray y = indices_below(targets, self.V, "targets")
        cdef bint batched = cnp.PyArray_NDIM(x) == 2
        cdef fastrnn_shape shape
        cdef fastrnn_status status
        cdef double loss = 0
        if not cnp.PyArray_SAMESHAPE(x, y):
            raise ValueError(
                f"inputs and targets must have one shape, not {(<object>x).shape} and {(<object>y).shape}")
        shape.T = cnp.PyArray_DIM(x, 0)
        shape.B = cnp.PyArray_DIM(x, 1) if batched else 1
        shape.H = self.H
        shape.V = self.V
        if not clip > 0:
            raise ValueError(f"clip must be positive, not {clip}")
        cdef cnp.ndarray h
        if batched:
            h = state(hprev, "hprev", (shape.B, self.H), "(B, H)", self.dtype)
        else:
            h = state(hprev, "hprev", (self.H, 1), "(H, 1)", self.dtype)
        self.check_unmoved()
        cdef cnp.ndarray dWxh = empty_like(self.Wxh), dWhh = empty_like(self.Whh), dWhy = empty_like(self.Why)
        cdef cnp.ndarray dbh = empty_like(self.bh), dby = empty_like(self.by), hlast = empty_like(h)
        cdef char_rnn gradients = point_to(dWxh, dWhh, dWhy, dbh, dby)
        cdef bint double_precision = is_float64(self.Wxh)
        cdef _Workspace workspace = self.workspaces.take(workspace_size(&shape, double_precision))
        cdef const int64_t *x_data = <const int64_t *>cnp.PyArray_DATA(x)
        cdef const int64_t *y_data = <const int64_t *>cnp.PyArray_DATA(y)
        with nogil:
            if double_precision:
                status = fastrnn_char_rnn_loss_f64(
                    &shape, &self.model.f64, x_data, y_data, <double *>cnp.PyArray_DATA(h), clip, &gradients.f64,
                    <double *>cnp.PyArray_DATA(hlast), &loss, workspace.memory)
            else:
                status = fastrnn_char_rnn_loss_f32(
                    &shape, &self.model.f32, x_data, y_data, <float *>cnp.PyArray_DATA(h), clip, &gradients.f32,
                    <float *>cnp.PyArray_DATA(hlast), &loss, workspace.memory)
        self.workspaces.bring_back(workspace)
        if status == FASTRNN_ERROR_NOT_FINITE:
            raise self.not_finite(f"the loss is {loss}", h)
        check(status)
        return loss, dWxh, dWhh, dWhy, dbh, dby, hlast

    def train(self, CharNetwork memory, cnp.ndarray text, cnp.ndarray hprev, Py_ssize_t seq_length, Py_ssize_t position,
              double smooth_loss, double learning_rate, double clip, Py_ssize_t iterations):
        """Up to `iterations` of the training loop. Arrays are updated in place: the network's, those of `memory`
        (Adagrad's), and hprev (H, 1). text (N,) int64 in [0, V).

        Returns how many were done, the position, the last loss, the smooth loss, and the error that ended it early, or
        None: NumericalError, or what a signal's handler raised. What is returned and the arrays are whole either way.
        """
        check_array(text, "text", (text.size,), "(N,)", np.dtype(np.int64))
        check_array(hprev, "hprev", (self.H, 1), "(H, 1)", self.dtype)
        shapes = {"Wxh": "(H, V)", "Whh": "(H, H)", "Why": "(V, H)", "bh": "(H, 1)", "by": "(V, 1)"}
        for name, symbols in shapes.items():
            check_array(getattr(memory, name), f"the memory of {name}", getattr(self, name).shape, symbols, self.dtype)
            check_writeable(getattr(self, name), name)
            check_writeable(getattr(memory, name), f"the memory of {name}")
        check_writeable(hprev, "hprev")
        self.check_unmoved()
        memory.check_unmoved()
        pins = self.pinned(), memory.pinned(), weakref.ref(text), weakref.ref(hprev)
        cdef fastrnn_shape shape = fastrnn_shape(T=seq_length, B=1, H=self.H, V=self.V)
        cdef fastrnn_training training = fastrnn_training(
            text=<const int64_t *>cnp.PyArray_DATA(text), length=text.size, learning_rate=learning_rate, clip=clip,
            position=position, iterations=0, loss=0, smooth_loss=smooth_loss)
        cdef _Signals signals = _Signals()
        cdef fastrnn_interruption interruption = signals.interruption()
        cdef bint double_precision = is_float64(self.Wxh)
        cdef _Workspace workspace = self.workspaces.take(workspace_size(&shape, double_precision))
        cdef fastrnn_status status
        with nogil:
            if double_precision:
                status = fastrnn_char_rnn_train_f64(
                    &shape, &self.model.f64, &memory.model.f64, <double *>cnp.PyArray_DATA(hprev), &training,
                    iterations, &interruption, workspace.memory)
            else:
                status = fastrnn_char_rnn_train_f32(
                    &shape, &self.model.f32, &memory.model.f32, <float *>cnp.PyArray_DATA(hprev), &training,
                    iterations, &interruption, workspace.memory)
        self.workspaces.bring_back(workspace)
        error = signals.error
        if status == FASTRNN_ERROR_NOT_FINITE:
            error = self.not_finite(f"the loss is {training.loss}", hprev)
        else:
            check(status)
        return training.iterations, training.position, training.loss, training.smooth_loss, error

    def sample(self, h, seed_ix, n, temperature, bit_generator):
        """n characters as a list of int, one uniform number of `bit_generator` each."""
        cdef cnp.ndarray now = state(h, "h", (self.H, 1), "(H, 1)", self.dtype).copy()
        cdef int64_t first = index_below(seed_ix, self.V, "seed_ix", -1)
        if isinstance(n, bool) or not PyIndex_Check(n):
            raise TypeError(f"n must be an integer, not {type(n).__name__}")
        try:
            wanted = n.__index__()
        except TypeError:  # an array of several numbers has an __index__ that refuses
            raise TypeError(f"n must be an integer, not {type(n).__name__}") from None
        if wanted < 0:
            raise ValueError(f"n must not be negative, and is {n}")
        cdef double heat = real_number(temperature, "temperature")
        if not is_float64(self.Wxh):
            heat = <float>heat
        if not (isfinite(heat) and heat > 0):
            raise ValueError(f"temperature must be positive and finite, not {temperature}")
        cdef cnp.ndarray characters
        try:
            characters = np.empty((wanted,), dtype=np.int64)
        except (MemoryError, OverflowError, ValueError):
            raise MemoryError(f"no memory for n = {n} characters: draw fewer at a time") from None
        cdef Py_ssize_t count = cnp.PyArray_SIZE(characters), done = 0, part
        self.check_unmoved()
        pins = self.pinned()
        cdef fastrnn_shape shape = fastrnn_shape(T=16, B=1, H=self.H, V=self.V)  # 16 states in a row, then over again
        cdef bitgen_t *source = <bitgen_t *>PyCapsule_GetPointer(bit_generator.capsule, "BitGenerator")
        cdef fastrnn_uniform_source uniform = fastrnn_uniform_source(next=source.next_double, state=source.state)
        cdef int64_t *out = <int64_t *>cnp.PyArray_DATA(characters)
        cdef bint double_precision = is_float64(self.Wxh)
        cdef _Workspace workspace = self.workspaces.take(workspace_size(&shape, double_precision))
        cdef fastrnn_status status = FASTRNN_OK
        # Some 10 ms of work between two looks at whether Ctrl-C was pressed: 10^8 multiplications or one character.
        cdef Py_ssize_t at_once = 1 + 100_000_000 // (self.H * (self.H + self.V))
        while done < count and status == FASTRNN_OK:
            part = min(at_once, count - done)
            with bit_generator.lock, nogil:
                if double_precision:
                    status = fastrnn_char_rnn_sample_f64(
                        &shape, &self.model.f64, <double *>cnp.PyArray_DATA(now), first, part, heat, &uniform,
                        out + done, workspace.memory)
                else:
                    status = fastrnn_char_rnn_sample_f32(
                        &shape, &self.model.f32, <float *>cnp.PyArray_DATA(now), first, part, heat, &uniform,
                        out + done, workspace.memory)
            done += part
            first = out[done - 1]
            PyErr_CheckSignals()
        self.workspaces.bring_back(workspace)
        if status == FASTRNN_ERROR_NOT_FINITE:
            raise self.not_finite("the probabilities are NaN", now)
        check(status)
        return characters.tolist()


include "_stack.pxi"
include "_feedforward.pxi"


# ---- functions --------------------------------------------------------------------------------------------------------

def softmax_cross_entropy(logits, targets):
    """logits (N, V) becomes softmax(logits) - onehot(targets) in place; the loss, summed over the rows, in nats."""
    dtype = real_dtype(logits, "logits")
    if logits.ndim != 2 or logits.size == 0:
        raise ValueError(f"logits must have shape (N, V), not {logits.shape}")
    check_array(logits, "logits", logits.shape, "(N, V)", dtype)
    check_writeable(logits, "logits")
    cdef size_t N = logits.shape[0], V = logits.shape[1]
    cdef cnp.ndarray y = indices_below(targets, V, "targets")
    if (<object>y).shape != (N,):
        raise ValueError(f"targets must have shape (N,) = ({N},), not {(<object>y).shape}")
    cdef void *data = cnp.PyArray_DATA(logits)
    cdef const int64_t *y_data = <const int64_t *>cnp.PyArray_DATA(y)
    cdef bint double_precision = is_float64(logits)
    cdef double loss = 0
    cdef fastrnn_status status
    with nogil:
        if double_precision:
            status = fastrnn_softmax_cross_entropy_f64(N, V, y_data, <double *>data, &loss)
        else:
            status = fastrnn_softmax_cross_entropy_f32(N, V, y_data, <float *>data, &loss)
    if status == FASTRNN_ERROR_NOT_FINITE:
        raise NumericalError(f"the loss is {loss}: the logits hold NaN or infinity")
    check(status)
    return loss


ctypedef fastrnn_status (*function_f32)(size_t n, const float *x, float *y) noexcept nogil
ctypedef fastrnn_status (*function_f64)(size_t n, const double *x, double *y) noexcept nogil


cdef int elementwise(function_f32 f32, function_f64 f64, object x, object out) except -1:
    """out = f(x), of one shape and dtype; out may be x."""
    dtype = real_dtype(x, "x")
    check_array(x, "x", x.shape, "any shape", dtype)
    check_array(out, "out", x.shape, "x's shape", dtype)
    check_writeable(out, "out")
    cdef size_t n = x.size
    cdef void *source = cnp.PyArray_DATA(x)
    cdef void *target = cnp.PyArray_DATA(out)
    cdef bint double_precision = is_float64(x)
    cdef fastrnn_status status
    with nogil:
        if double_precision:
            status = f64(n, <double *>source, <double *>target)
        else:
            status = f32(n, <float *>source, <float *>target)
    check(status)
    return 0


def exp(x, out):
    elementwise(fastrnn_exp_f32, fastrnn_exp_f64, x, out)


def tanh(x, out):
    elementwise(fastrnn_tanh_f32, fastrnn_tanh_f64, x, out)


def sigmoid(x, out):
    elementwise(fastrnn_sigmoid_f32, fastrnn_sigmoid_f64, x, out)


# ---- losses, gradients, optimizers ----------------------------------------------------------------------------------

ctypedef fastrnn_status (*loss_f32)(size_t n, double scale, const float *targets, float *x, double *loss) noexcept nogil
ctypedef fastrnn_status (*loss_f64)(size_t n, double scale, const double *targets, double *x, double *loss) noexcept nogil


cdef double loss_of_targets(loss_f32 f32, loss_f64 f64, object x, str name, object targets, double scale) except? -1:
    """The loss, summed; x becomes scale times its gradient."""
    dtype = real_dtype(x, name)
    check_array(x, name, x.shape, "any shape", dtype)
    check_array(targets, "targets", x.shape, f"{name}'s shape", dtype)
    check_writeable(x, name)
    if not isfinite(scale):
        raise ValueError(f"scale must be finite, not {scale}")
    pins = pinned((x, targets))
    cdef size_t n = x.size
    cdef void *x_data = cnp.PyArray_DATA(x)
    cdef void *target_data = cnp.PyArray_DATA(targets)
    cdef bint double_precision = is_float64(x)
    cdef double loss = 0
    cdef fastrnn_status status
    with nogil:
        if double_precision:
            status = f64(n, scale, <double *>target_data, <double *>x_data, &loss)
        else:
            status = f32(n, scale, <float *>target_data, <float *>x_data, &loss)
    if status == FASTRNN_ERROR_NOT_FINITE:
        raise NumericalError(f"the loss is {loss}: {name} or targets hold NaN or infinity, or lie too far apart")
    if status == FASTRNN_ERROR_VALUE:
        raise target_error(targets)
    check(status)
    return loss


cdef object target_error(object targets):
    """The error for targets that are not all in [0, 1], with the first that is not."""
    position = np.argwhere(~((targets >= 0) & (targets <= 1)))[0].tolist()
    where = f"targets[{', '.join(map(str, position))}]" if position else "targets"
    return ValueError(f"targets must be in [0, 1], and {where} is {targets[tuple(position)]}")


def sigmoid_binary_cross_entropy(logits, targets, double scale):
    """The loss, summed, in nats; logits becomes scale (sigmoid(logits) - targets) in place. One shape and dtype."""
    return loss_of_targets(fastrnn_sigmoid_binary_cross_entropy_f32, fastrnn_sigmoid_binary_cross_entropy_f64, logits,
                           "logits", targets, scale)


def squared_error(outputs, targets, double scale):
    """The loss, summed; outputs becomes 2 scale (outputs - targets) in place. One shape and dtype."""
    return loss_of_targets(fastrnn_squared_error_f32, fastrnn_squared_error_f64, outputs, "outputs", targets, scale)


ctypedef fastrnn_status (*change_f32)(size_t n, double by, float *x) noexcept nogil
ctypedef fastrnn_status (*change_f64)(size_t n, double by, double *x) noexcept nogil


cdef int change_in_place(change_f32 f32, change_f64 f64, object x, double by) except -1:
    dtype = real_dtype(x, "x")
    check_array(x, "x", x.shape, "any shape", dtype)
    check_writeable(x, "x")
    pins = pinned((x,))
    cdef size_t n = x.size
    cdef void *data = cnp.PyArray_DATA(x)
    cdef bint double_precision = is_float64(x)
    cdef fastrnn_status status
    with nogil:
        if double_precision:
            status = f64(n, by, <double *>data)
        else:
            status = f32(n, by, <float *>data)
    check(status)
    return 0


def clip(x, double limit):
    """x = min(max(x, -limit), limit) in place."""
    if not limit > 0:
        raise ValueError(f"limit must be positive, not {limit}")
    change_in_place(fastrnn_clip_f32, fastrnn_clip_f64, x, limit)


def scale(x, double factor):
    """x = factor x in place."""
    if not isfinite(factor):
        raise ValueError(f"factor must be finite, not {factor}")
    change_in_place(fastrnn_scale_f32, fastrnn_scale_f64, x, factor)


def norm(x):
    """sqrt(sum of x^2), summed in double; NaN and infinity come through."""
    dtype = real_dtype(x, "x")
    check_array(x, "x", x.shape, "any shape", dtype)
    pins = pinned((x,))
    cdef size_t n = x.size
    cdef void *data = cnp.PyArray_DATA(x)
    cdef bint double_precision = is_float64(x)
    cdef double norm = 0
    cdef fastrnn_status status
    with nogil:
        if double_precision:
            status = fastrnn_norm_f64(n, <double *>data, &norm)
        else:
            status = fastrnn_norm_f32(n, <float *>data, &norm)
    check(status)
    return norm


def adagrad(param, dparam, mem, double learning_rate):
    """mem += dparam * dparam; param -= learning_rate * dparam / sqrt(mem + 1e-8), both in place."""
    dtype = real_dtype(param, "param")
    check_array(param, "param", param.shape, "any shape", dtype)
    check_array(dparam, "dparam", param.shape, "param's shape", dtype)
    check_array(mem, "mem", param.shape, "param's shape", dtype)
    check_writeable(param, "param")
    check_writeable(mem, "mem")
    if not isfinite(learning_rate):
        raise ValueError(f"learning_rate must be finite, not {learning_rate}")
    pins = pinned((param, dparam, mem))
    cdef optimizer_settings settings
    settings.adagrad = fastrnn_adagrad(learning_rate=learning_rate, eps=1e-8, weight_decay=0, eps_inside_sqrt=True)
    cdef update_task task
    task.arrays = no_arrays()
    task.n = param.size
    task.double_precision = is_float64(param)
    task.arrays.f64.parameter = <double *>cnp.PyArray_DATA(param)
    task.arrays.f64.gradient = <double *>cnp.PyArray_DATA(dparam)
    task.arrays.f64.squares = <double *>cnp.PyArray_DATA(mem)
    cdef fastrnn_status status
    with nogil:
        status = task_adagrad(&settings, &task)
    check(status)


# Of either dtype, as char_rnn above.
cdef union update_arrays:
    fastrnn_update_f32 f32
    fastrnn_update_f64 f64


cdef update_arrays no_arrays() noexcept:
    cdef update_arrays arrays
    arrays.f64 = fastrnn_update_f64(NULL, NULL, NULL, NULL, NULL)
    return arrays


cdef union optimizer_settings:
    fastrnn_sgd sgd
    fastrnn_adagrad adagrad
    fastrnn_rmsprop rmsprop
    fastrnn_adam adam


# One call of an optimizer's door.
cdef struct update_task:
    size_t n
    bint double_precision
    update_arrays arrays


ctypedef fastrnn_status (*task_function)(const optimizer_settings *s, const update_task *t) noexcept nogil


cdef fastrnn_status task_sgd(const optimizer_settings *s, const update_task *t) noexcept nogil:
    if t.double_precision:
        return fastrnn_sgd_f64(&s.sgd, t.n, &t.arrays.f64)
    return fastrnn_sgd_f32(&s.sgd, t.n, &t.arrays.f32)


cdef fastrnn_status task_adagrad(const optimizer_settings *s, const update_task *t) noexcept nogil:
    if t.double_precision:
        return fastrnn_adagrad_f64(&s.adagrad, t.n, &t.arrays.f64)
    return fastrnn_adagrad_f32(&s.adagrad, t.n, &t.arrays.f32)


cdef fastrnn_status task_rmsprop(const optimizer_settings *s, const update_task *t) noexcept nogil:
    if t.double_precision:
        return fastrnn_rmsprop_f64(&s.rmsprop, t.n, &t.arrays.f64)
    return fastrnn_rmsprop_f32(&s.rmsprop, t.n, &t.arrays.f32)


cdef fastrnn_status task_adam(const optimizer_settings *s, const update_task *t) noexcept nogil:
    if t.double_precision:
        return fastrnn_adam_f64(&s.adam, t.n, &t.arrays.f64)
    return fastrnn_adam_f32(&s.adam, t.n, &t.arrays.f32)


cdef class _Updates:
    """The arrays of one optimizer step, several layers' of them: all checked before any is written, and held where
    they are until it is done.

    parameters and gradients are lists of one array (N,) for each layer; slots is a dict of such lists, by the name of
    what the optimizer remembers.
    """
    cdef list arrays, pins
    cdef update_task *tasks
    cdef Py_ssize_t count

    def __cinit__(self, list parameters, list gradients, dict slots):
        self.arrays, self.pins = [], []
        self.count = len(parameters)
        self.tasks = <update_task *>PyMem_RawCalloc(self.count + 1, sizeof(update_task))
        if self.tasks == NULL:
            raise MemoryError(f"no memory to update {self.count} layers")
        for name, arrays in [("flat_gradients", gradients), *slots.items()]:
            if len(arrays) != self.count:
                raise ValueError(f"{name} must hold one array for each of {self.count} layers, not {len(arrays)}")
        cdef Py_ssize_t i
        for i in range(self.count):
            self.add(i, parameters[i], gradients[i], {name: arrays[i] for name, arrays in slots.items()})

    def __dealloc__(self):
        PyMem_RawFree(self.tasks)

    cdef int add(self, Py_ssize_t i, object parameter, object gradient, dict slots) except -1:
        name = f"layers[{i}].flat_parameters"
        dtype = real_dtype(parameter, name)
        shape = (parameter.size,)
        cdef update_task *task = &self.tasks[i]
        task.n = parameter.size
        task.double_precision = dtype == np.float64
        task.arrays = no_arrays()
        task.arrays.f64.parameter = <double *>self.hold(parameter, name, shape, dtype, True)
        task.arrays.f64.gradient = <double *>self.hold(gradient, f"layers[{i}].flat_gradients", shape, dtype, False)
        for name, slot in slots.items():
            memory = self.hold(slot, f"slots['{name}'][{i}]", shape, dtype, True)
            if name == "momentum_buffer":
                task.arrays.f64.momentum = <double *>memory
            elif name in ("exp_avg", "grad_avg"):
                task.arrays.f64.mean = <double *>memory
            else:
                task.arrays.f64.squares = <double *>memory
        return 0

    cdef void *hold(self, object array, str name, tuple shape, object dtype, bint written) except? NULL:
        """The array's memory, which stays its own for as long as this object lives."""
        check_array(array, name, shape, "(N,)", dtype)
        if written:
            check_writeable(array, name)
        self.arrays.append(array)
        self.pins.append(weakref.ref(array))
        return cnp.PyArray_DATA(array)

    cdef int apply(self, task_function update, const optimizer_settings *settings) except -1:
        cdef fastrnn_status status = FASTRNN_OK
        cdef Py_ssize_t i = 0
        with nogil:
            while i < self.count and status == FASTRNN_OK:
                status = update(settings, &self.tasks[i])
                i += 1
        check(status)
        return 0


def update_sgd(parameters, gradients, slots, *, double learning_rate, double momentum, double dampening,
               double weight_decay, bint nesterov, uint64_t iteration):
    """One step of SGD; with momentum slots has "momentum_buffer"."""
    cdef optimizer_settings s
    s.sgd = fastrnn_sgd(learning_rate=learning_rate, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
                        nesterov=nesterov, iteration=iteration)
    _Updates(parameters, gradients, slots).apply(task_sgd, &s)


def update_adagrad(parameters, gradients, slots, *, double learning_rate, double eps, double weight_decay,
                   bint eps_inside_sqrt):
    """One step of Adagrad; slots has "sum"."""
    cdef optimizer_settings s
    s.adagrad = fastrnn_adagrad(learning_rate=learning_rate, eps=eps, weight_decay=weight_decay,
                                eps_inside_sqrt=eps_inside_sqrt)
    _Updates(parameters, gradients, slots).apply(task_adagrad, &s)


def update_rmsprop(parameters, gradients, slots, *, double learning_rate, double alpha, double eps, double momentum,
                   double weight_decay, bint centered):
    """One step of RMSprop; slots has "square_avg", with momentum "momentum_buffer", centered "grad_avg"."""
    cdef optimizer_settings s
    s.rmsprop = fastrnn_rmsprop(learning_rate=learning_rate, alpha=alpha, eps=eps, momentum=momentum,
                                weight_decay=weight_decay, centered=centered)
    _Updates(parameters, gradients, slots).apply(task_rmsprop, &s)


def update_adam(parameters, gradients, slots, *, double learning_rate, double beta1, double beta2, double eps,
                double weight_decay, bint decoupled, uint64_t iteration):
    """One step of Adam, or decoupled of AdamW; slots has "exp_avg" and "exp_avg_sq"."""
    cdef optimizer_settings s
    s.adam = fastrnn_adam(learning_rate=learning_rate, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay,
                          decoupled=decoupled, iteration=iteration)
    _Updates(parameters, gradients, slots).apply(task_adam, &s)


# ---- the machine's ceilings -----------------------------------------------------------------------------------------

def ceiling_fma(dtype, size_t rounds):
    """Multiplies and adds numbers of this dtype; returns how many."""
    cdef bint double_precision = np.dtype(dtype) == np.float64
    cdef fastrnn_status status
    cdef size_t done = 0
    cdef float result_f32
    cdef double result_f64
    with nogil:
        if double_precision:
            status = fastrnn_ceiling_fma_f64(rounds, &done, &result_f64)
        else:
            status = fastrnn_ceiling_fma_f32(rounds, &done, &result_f32)
    check(status)
    return done


def ceiling_load(x, size_t rounds):
    """Reads the numbers of x so many times; returns how many were read."""
    dtype = real_dtype(x, "x")
    check_array(x, "x", x.shape, "any shape", dtype)
    cdef size_t n = x.size
    cdef void *data = cnp.PyArray_DATA(x)
    cdef bint double_precision = is_float64(x)
    cdef fastrnn_status status
    cdef size_t done = 0
    cdef float result_f32
    cdef double result_f64
    with nogil:
        if double_precision:
            status = fastrnn_ceiling_load_f64(rounds, n, <double *>data, &done, &result_f64)
        else:
            status = fastrnn_ceiling_load_f32(rounds, n, <float *>data, &done, &result_f32)
    check(status)
    return done

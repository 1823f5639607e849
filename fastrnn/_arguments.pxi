# What arguments may be, and the errors that say so. Included by _core.pyx.

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


cdef object INT64 = np.dtype(np.int64)


cpdef cnp.ndarray indices(cnp.ndarray values, Py_ssize_t count, str name):
    """A copy of an array of integers, of any shape, as int64; IndexError unless all are in [0, count)."""
    cdef cnp.ndarray copy = cnp.PyArray_EMPTY(cnp.PyArray_NDIM(values), cnp.PyArray_DIMS(values), cnp.NPY_INT64, 0)
    copy_indices(values, count, name, <int64_t *>cnp.PyArray_DATA(copy))
    return copy


cdef int copy_indices(cnp.ndarray values, Py_ssize_t count, str name, int64_t *to) except -1:
    """The same into memory that has room for them."""
    cdef cnp.npy_intp size = cnp.PyArray_SIZE(values), i
    if cnp.PyArray_TYPE(values) == cnp.NPY_INT64 and cnp.PyArray_ISCARRAY_RO(values):
        memcpy(to, cnp.PyArray_DATA(values), size * sizeof(int64_t))
    elif cnp.PyArray_CopyInto(cnp.PyArray_SimpleNewFromData(
            cnp.PyArray_NDIM(values), cnp.PyArray_DIMS(values), cnp.NPY_INT64, to), values) < 0:
        raise ValueError(f"{name} cannot be copied")
    for i in range(size):
        if not 0 <= to[i] < count:  # also what is too large for int64, and has become negative
            raise IndexError(f"{name} must be in [0, {count}), and has {values.flat[i]}")
    return 0


cdef cnp.ndarray as_array(object value):
    """np.asarray, and quick where there is nothing to do."""
    return value if cnp.PyArray_CheckExact(value) else np.asarray(value)


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


cpdef cnp.ndarray laid_out(cnp.ndarray array):
    """The array as the kernels read it: itself, or, unless it is C-contiguous, aligned and of this machine's byte order, a
    copy that is."""
    return array if cnp.PyArray_ISCARRAY_RO(array) else np.array(array, dtype=array.dtype.newbyteorder("="), order="C")

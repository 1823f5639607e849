# The machine's ceilings, for benchmarks. Included by _core.pyx.

cdef dict CEILINGS = {
    "load": FASTRNN_CEILING_LOAD,
    "load_fma": FASTRNN_CEILING_LOAD_FMA,
    "update": FASTRNN_CEILING_UPDATE,
}


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


def ceiling_memory(ceiling, x, size_t rounds):
    """Goes so many times through the numbers of x: "load" loads them, "load_fma" multiplies and adds them besides,
    "update" changes them in their place; returns how many that makes."""
    if ceiling not in CEILINGS:
        raise ValueError(f"ceiling must be one of {', '.join(CEILINGS)}, not {ceiling!r}")
    dtype = real_dtype(x, "x")
    check_array(x, "x", x.shape, "any shape", dtype)
    if not x.flags.writeable:
        raise ValueError("x must be writable")
    cdef fastrnn_ceiling kind = CEILINGS[ceiling]
    cdef size_t n = x.size
    cdef void *data = cnp.PyArray_DATA(x)
    cdef bint double_precision = is_float64(x)
    cdef fastrnn_status status
    cdef size_t done = 0
    cdef float result_f32
    cdef double result_f64
    with nogil:
        if double_precision:
            status = fastrnn_ceiling_memory_f64(kind, rounds, n, <double *>data, &done, &result_f64)
        else:
            status = fastrnn_ceiling_memory_f32(kind, rounds, n, <float *>data, &done, &result_f32)
    check(status)
    return done


def ceiling_wait(dtype, bint backward, size_t rounds):
    """So many steps of the smallest network, each waiting for the one before."""
    cdef bint double_precision = np.dtype(dtype) == np.float64
    cdef fastrnn_status status
    cdef float result_f32
    cdef double result_f64
    with nogil:
        if double_precision:
            status = fastrnn_ceiling_wait_f64(backward, rounds, &result_f64)
        else:
            status = fastrnn_ceiling_wait_f32(backward, rounds, &result_f32)
    check(status)

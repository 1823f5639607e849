# The machine's ceilings, for benchmarks. Included by _core.pyx.

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

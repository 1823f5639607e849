# Losses, functions of each element, changes in place. Included by _core.pyx.

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


def set_zero(x):
    """x = 0, in place."""
    dtype = real_dtype(x, "x")
    check_array(x, "x", x.shape, "any shape", dtype)
    check_writeable(x, "x")
    memset(cnp.PyArray_DATA(x), 0, cnp.PyArray_NBYTES(x))

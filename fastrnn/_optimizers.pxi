# The optimizers' steps. Included by _core.pyx.

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

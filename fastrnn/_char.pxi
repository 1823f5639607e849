# The character model of min-char-rnn. Included by _core.pyx.

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
        cdef fastrnn_training training
        memset(&training, 0, sizeof(training))
        training.text = fastrnn_text(tokens=cnp.PyArray_DATA(text), length=text.size, width=text.itemsize)
        training.schedule.learning_rate = learning_rate
        training.clip_value, training.clip_norm = clip, INFINITY
        training.position, training.smooth_loss = position, smooth_loss
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
        cdef cnp.ndarray characters = new_tokens((wanted,), n, "characters")
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

# Stacks of recurrent layers. Included by _core.pyx.

# As with char_rnn: filled in through f64, read through either.
cdef union stack_input:
    fastrnn_stack_input_f32 f32
    fastrnn_stack_input_f64 f64


cdef union stack_output:
    fastrnn_stack_output_f32 f32
    fastrnn_stack_output_f64 f64


cdef union stack_output_gradient:
    fastrnn_stack_output_gradient_f32 f32
    fastrnn_stack_output_gradient_f64 f64


cdef union stack_input_gradient:
    fastrnn_stack_input_gradient_f32 f32
    fastrnn_stack_input_gradient_f64 f64


CELLS = {
    "tanh": FASTRNN_RNN_TANH,
    "relu": FASTRNN_RNN_RELU,
    "sigmoid": FASTRNN_RNN_SIGMOID,
    "gru": FASTRNN_GRU,
    "gru_reset_before": FASTRNN_GRU_RESET_BEFORE,
    "lstm": FASTRNN_LSTM,
}

# Rows, steps times sequences, that a call without a tape computes at once: enough that packing the weights for them
# counts for little, and a bound on its memory however long the sequences are. A multiple of 4, as the rows of a tile.
cdef size_t ROWS_AT_ONCE = 4096

cdef enum:
    LARGEST_UNPACKED_STEP = 4  # sequences: so many use the weights as they are; for more, packing them pays

# Parameters, times sequences, up to which a step keeps the GIL: it takes a few microseconds then, and letting go of the lock
# and taking it again is a part of that which can be measured.
cdef size_t SHORT_STEP = 1 << 17


cdef double *data_of(cnp.ndarray array) noexcept:
    """NULL for None."""
    return NULL if array is None else <double *>cnp.PyArray_DATA(array)


cdef class StackTape:
    """What a forward call found out, and of what batch."""
    cdef _Workspace memory
    cdef fastrnn_batch batch
    cdef readonly cnp.ndarray dropout  # (L - 1, T, B, D*H) or None
    cdef cnp.ndarray lengths

    @property
    def T(self):
        return self.batch.T

    @property
    def B(self):
        return self.batch.B

    @property
    def one_hot(self):
        return bool(self.batch.one_hot)


cdef class Stack:
    """L recurrent layers of H units in D directions over the flat parameters (N,) and gradients (N,), which it holds."""
    cdef fastrnn_stack stack
    cdef readonly cnp.ndarray parameters, gradients
    cdef readonly object dtype
    cdef bint double_precision
    cdef int type_number  # NumPy's, of the dtype
    cdef Py_ssize_t n_inputs, H, L, D
    cdef int n_states  # arrays that make up a state
    cdef size_t step_bytes  # scratch memory of any unpacked step
    cdef _WorkspacePool workspaces, tapes
    cdef object backward_lock  # gradients are added to by one thread at a time

    def __cinit__(self, str cell, size_t input_size, size_t hidden_size, size_t layers, size_t directions, bint bias,
                  parameters, gradients):
        self.stack = fastrnn_stack(cell=CELLS[cell], input_size=input_size, hidden_size=hidden_size,
                                   layers=layers, directions=directions, bias=bias)
        self.dtype = real_dtype(parameters, "parameters")
        cdef size_t count = fastrnn_stack_parameters(&self.stack)
        if count == 0:
            raise ValueError(f"{layers} layers of {hidden_size} units over {input_size} inputs are too large: "
                             "2**24 units, 255 layers at most")
        check_array(parameters, "parameters", (count,), "(N,)", self.dtype)
        check_array(gradients, "gradients", (count,), "(N,)", self.dtype)
        self.parameters, self.gradients = parameters, gradients
        self.double_precision = is_float64(parameters)
        self.type_number = cnp.PyArray_TYPE(parameters)
        self.n_inputs, self.H, self.L, self.D = input_size, hidden_size, layers, directions
        self.n_states = 2 if self.stack.cell == FASTRNN_LSTM else 1
        self.workspaces, self.tapes = _WorkspacePool(), _WorkspacePool()
        self.backward_lock = allocate_lock()
        cdef fastrnn_batch largest = fastrnn_batch(T=1, B=LARGEST_UNPACKED_STEP, lengths=NULL, one_hot=0, embeddings=0,
                                                   dropout=0)
        self.step_bytes = self.memory_for(&largest).step

    cdef cnp.ndarray new(self, cnp.npy_intp first, cnp.npy_intp second, cnp.npy_intp third):
        cdef cnp.npy_intp[3] shape = [first, second, third]
        return cnp.PyArray_EMPTY(3, shape, self.type_number, 0)

    cdef int check_real(self, object array, str name, Py_ssize_t first, Py_ssize_t second, Py_ssize_t third,
                        str symbols) except -1:
        """As check_array, and quick where there is nothing to say."""
        if (cnp.PyArray_Check(array) and cnp.PyArray_TYPE(array) == self.type_number and cnp.PyArray_NDIM(array) == 3
                and cnp.PyArray_DIM(array, 0) == first and cnp.PyArray_DIM(array, 1) == second
                and cnp.PyArray_DIM(array, 2) == third and cnp.PyArray_ISCARRAY_RO(array)):
            return 0
        return check_array(array, name, (first, second, third), symbols, self.dtype)

    cdef fastrnn_stack_bytes memory_for(self, const fastrnn_batch *batch) except *:
        cdef fastrnn_stack_bytes bytes
        cdef fastrnn_status status
        if self.double_precision:
            status = fastrnn_stack_memory_f64(&self.stack, batch, &bytes)
        else:
            status = fastrnn_stack_memory_f32(&self.stack, batch, &bytes)
        if status == FASTRNN_ERROR_SHAPE:
            raise ValueError(f"a batch of T = {batch.T} steps and B = {batch.B} sequences is too large: cut it up")
        check(status)
        return bytes

    cdef int check_input(self, cnp.ndarray x, Py_ssize_t T, Py_ssize_t B, bint one_hot) except -1:
        if one_hot:
            return check_array(x, "x", (T, B), "(T, B)", INT64)
        return self.check_real(x, "x", T, B, self.n_inputs, "(T, B, I)")

    cdef int check_states(self, tuple states, str name, Py_ssize_t B) except -1:
        if states is not None:
            for array in states:
                if array is not None:
                    self.check_real(array, name, self.L * self.D, B, self.H, "(L*D, B, H)")
        return 0

    cdef tuple new_states(self, Py_ssize_t B):
        cdef cnp.npy_intp rows = self.L * self.D
        if self.n_states == 1:
            return (self.new(rows, B, self.H),)
        return self.new(rows, B, self.H), self.new(rows, B, self.H)

    cdef int run_forward(self, const fastrnn_batch *batch, const stack_input *source, const stack_output *target,
                         _Workspace tape, _Workspace workspace) except -1:
        cdef fastrnn_status status
        with nogil:
            if self.double_precision:
                status = fastrnn_stack_forward_f64(&self.stack, batch, &source.f64, &target.f64, tape.memory,
                                                   workspace.memory)
            else:
                status = fastrnn_stack_forward_f32(&self.stack, batch, &source.f32, &target.f32, tape.memory,
                                                   workspace.memory)
        return check(status)

    def forward(self, cnp.ndarray x, tuple h0, cnp.ndarray lengths, cnp.ndarray dropout):
        """y, the last states as a tuple, and the tape. x (T, B, I), or (T, B) int64; h0: None, or as the last states;
        lengths (B,) int64 or None, kept by the tape; dropout (L - 1, T, B, D*H) or None, likewise."""
        cdef StackTape tape = StackTape()
        cdef bint one_hot = cnp.PyArray_TYPE(x) == cnp.NPY_INT64
        cdef Py_ssize_t T = x.shape[0], B = x.shape[1]
        self.check_input(x, T, B, one_hot)
        self.check_states(h0, "h0", B)
        if lengths is not None:
            check_array(lengths, "lengths", (B,), "(B,)", INT64)
        if dropout is not None:
            check_array(dropout, "dropout", (self.L - 1, T, B, self.D * self.H), "(L - 1, T, B, D*H)", self.dtype)
        tape.lengths, tape.dropout = lengths, dropout
        tape.batch = fastrnn_batch(T=T, B=B, lengths=<const int64_t *>data_of(lengths), one_hot=one_hot, embeddings=0,
                                   dropout=dropout is not None)
        cdef fastrnn_stack_bytes bytes = self.memory_for(&tape.batch)
        cdef cnp.ndarray y = self.new(T, B, self.D * self.H)
        cdef tuple states = self.new_states(B)
        cdef stack_input source = self.input_of(x, one_hot, h0, dropout)
        cdef stack_output target = self.output_of(y, states)
        cdef _Workspace workspace = self.workspaces.take(bytes.forward)
        tape.memory = self.tapes.take(bytes.tape)
        self.run_forward(&tape.batch, &source, &target, tape.memory, workspace)
        self.workspaces.bring_back(workspace)
        return y, states, tape

    cdef stack_input input_of(self, cnp.ndarray x, bint one_hot, tuple h0, cnp.ndarray dropout):
        cdef stack_input source
        source.f64.parameters = data_of(self.parameters)
        source.f64.x = NULL if one_hot else data_of(x)
        source.f64.indices = <const int64_t *>data_of(x) if one_hot else NULL
        source.f64.embedding = NULL
        source.f64.h0 = NULL if h0 is None else data_of(h0[0])
        source.f64.c0 = NULL if h0 is None or self.n_states == 1 else data_of(h0[1])
        source.f64.dropout = data_of(dropout)
        return source

    cdef stack_output output_of(self, cnp.ndarray y, tuple states):
        cdef stack_output target
        target.f64.y = data_of(y)
        target.f64.hn = data_of(states[0])
        target.f64.cn = data_of(states[1]) if self.n_states == 2 else NULL
        return target

    def run(self, cnp.ndarray x, tuple h0, cnp.ndarray lengths):
        """y and the last states as a tuple, without a tape; arguments as of `forward`."""
        if self.D == 1:
            return self.run_in_parts(x, h0, lengths)
        cdef StackTape tape  # the reverse direction begins where the sequence ends
        y, states, tape = self.forward(x, h0, lengths, None)
        self.tapes.bring_back(tape.memory)
        tape.memory = None
        return y, states

    cdef tuple run_in_parts(self, cnp.ndarray x, tuple h0, cnp.ndarray lengths):
        """The same, ROWS_AT_ONCE at a time."""
        cdef bint one_hot = cnp.PyArray_TYPE(x) == cnp.NPY_INT64
        cdef Py_ssize_t T = x.shape[0], B = x.shape[1], begin = 0, steps = max(ROWS_AT_ONCE // B, 1)
        self.check_input(x, T, B, one_hot)
        self.check_states(h0, "h0", B)
        cdef cnp.ndarray y_all = self.new(T, B, self.H), part_lengths = None
        cdef tuple last = self.new_states(B)
        cdef stack_input source = self.input_of(x, one_hot, h0, None)
        cdef stack_output target = self.output_of(y_all, last)
        cdef fastrnn_batch batch = fastrnn_batch(T=min(T, steps), B=B, lengths=NULL, one_hot=one_hot, embeddings=0,
                                                 dropout=0)
        cdef fastrnn_stack_bytes bytes = self.memory_for(&batch)
        cdef _Workspace workspace = self.workspaces.take(bytes.forward), tape = self.tapes.take(bytes.tape)
        cdef size_t size = 8 if self.double_precision else 4
        while begin < T:
            batch.T = min(T - begin, steps)
            if lengths is not None:
                part_lengths = np.clip(lengths - begin, 0, batch.T)
                batch.lengths = <const int64_t *>data_of(part_lengths)
                bytes = self.memory_for(&batch)
                workspace.grow(bytes.forward)
                tape.grow(bytes.tape)
            self.run_forward(&batch, &source, &target, tape, workspace)
            begin += batch.T
            if one_hot:
                source.f64.indices += batch.T * B
            else:
                source.f64.x = <const double *>(<const char *>source.f64.x + batch.T * B * self.n_inputs * size)
            target.f64.y = <double *>(<char *>target.f64.y + batch.T * B * self.H * size)
            source.f64.h0, source.f64.c0 = target.f64.hn, target.f64.cn
            if begin < T:
                PyErr_CheckSignals()
        self.workspaces.bring_back(workspace)
        self.tapes.bring_back(tape)
        return y_all, last

    def backward(self, StackTape tape, cnp.ndarray dy, tuple dstates, bint want_dx):
        """dx (None unless wanted), and d loss / d initial states as a tuple. dy (T, B, D*H); dstates: None, or a tuple
        whose arrays may be None. Adds to the gradients. The tape is used up."""
        cdef Py_ssize_t T = tape.batch.T, B = tape.batch.B
        self.check_real(dy, "dy", T, B, self.D * self.H, "(T, B, D*H)")
        self.check_states(dstates, "dh_n", B)
        cdef _Workspace memory = tape.memory
        if memory is None:
            raise ValueError("tape is used already: backward takes one only once, so call forward again")
        tape.memory = None
        cdef fastrnn_stack_bytes bytes = self.memory_for(&tape.batch)
        cdef cnp.ndarray dx = self.new(T, B, self.n_inputs) if want_dx else None
        cdef tuple before = self.new_states(B)
        cdef stack_input source
        source.f64.parameters = data_of(self.parameters)
        source.f64.x = source.f64.embedding = source.f64.h0 = source.f64.c0 = NULL
        source.f64.indices = NULL
        source.f64.dropout = data_of(tape.dropout)
        cdef stack_output_gradient from_above
        from_above.f64.y = data_of(dy)
        from_above.f64.hn = NULL if dstates is None else data_of(dstates[0])
        from_above.f64.cn = NULL if dstates is None or self.n_states == 1 else data_of(dstates[1])
        cdef stack_input_gradient below
        below.f64.parameters = data_of(self.gradients)
        below.f64.x, below.f64.embedding = data_of(dx), NULL
        below.f64.h0 = data_of(before[0])
        below.f64.c0 = data_of(before[1]) if self.n_states == 2 else NULL
        cdef _Workspace workspace = self.workspaces.take(bytes.backward)
        cdef fastrnn_status status
        with self.backward_lock:
            with nogil:
                if self.double_precision:
                    status = fastrnn_stack_backward_f64(&self.stack, &tape.batch, &source.f64, memory.memory,
                                                        &from_above.f64, &below.f64, workspace.memory)
                else:
                    status = fastrnn_stack_backward_f32(&self.stack, &tape.batch, &source.f32, memory.memory,
                                                        &from_above.f32, &below.f32, workspace.memory)
        self.workspaces.bring_back(workspace)
        self.tapes.bring_back(memory)
        check(status)
        return dx, before

    def step(self, x, h):
        """y (B, H) and the state after one step, as the caller gave it: an array (L, B, H), or a pair of them. x (B, I), or
        (B,) of integers; h: None for zeros."""
        if self.D == 2:
            raise ValueError("step needs a layer of one direction: the reverse one begins where the sequence ends")
        cdef int64_t[LARGEST_UNPACKED_STEP] codes
        cdef cnp.ndarray inputs = self.step_input(x, codes), y
        cdef cnp.npy_intp[2] shape = [cnp.PyArray_DIM(inputs, 0), self.H]
        cdef tuple before = self.states_to_read(h, shape[0]), after
        if shape[0] > LARGEST_UNPACKED_STEP:
            y, after = self.run(inputs[np.newaxis], before, None)
            y = y[0]
        else:
            y = cnp.PyArray_EMPTY(2, shape, self.type_number, 0)
            after = self.new_states(shape[0])
            self.unpacked_step(inputs, codes, before, y, after)
        return y, after if self.n_states == 2 else after[0]

    cdef int unpacked_step(self, cnp.ndarray inputs, const int64_t *codes, tuple before, cnp.ndarray y,
                           tuple after) except -1:
        """One step into y and the states after it. Of integers only the codes are read."""
        cdef bint one_hot = cnp.PyArray_NDIM(inputs) == 1
        cdef fastrnn_batch batch = fastrnn_batch(T=1, B=cnp.PyArray_DIM(inputs, 0), lengths=NULL, one_hot=one_hot,
                                                 embeddings=0, dropout=0)
        cdef stack_input source = self.input_of(inputs, one_hot, before, None)
        cdef stack_output target = self.output_of(y, after)
        cdef _Workspace workspace = self.workspaces.take(self.step_bytes)
        cdef fastrnn_status status
        if one_hot:
            source.f64.indices = codes
        if cnp.PyArray_SIZE(self.parameters) * batch.B <= SHORT_STEP:
            status = self.run_step(&batch, &source, &target, workspace.memory)
        else:
            with nogil:
                status = self.run_step(&batch, &source, &target, workspace.memory)
        self.workspaces.bring_back(workspace)
        return check(status)

    cdef fastrnn_status run_step(self, const fastrnn_batch *batch, const stack_input *source, const stack_output *target,
                                 void *workspace) noexcept nogil:
        if self.double_precision:
            return fastrnn_stack_step_f64(&self.stack, batch, &source.f64, &target.f64, workspace)
        return fastrnn_stack_step_f32(&self.stack, batch, &source.f32, &target.f32, workspace)

    cdef cnp.ndarray step_input(self, object x, int64_t *codes):
        """x as (B, I) of the layer's dtype, or as (B,) integers, checked and copied: to `codes`, or where an unpacked step
        is too small for them, to the array that is returned."""
        cdef cnp.ndarray array = as_array(x)
        if cnp.PyArray_ISINTEGER(array):
            if cnp.PyArray_NDIM(array) != 1 or cnp.PyArray_SIZE(array) == 0:
                raise ValueError(f"x must have shape (B,), not {(<object>array).shape}")
            if cnp.PyArray_SIZE(array) > LARGEST_UNPACKED_STEP:
                return indices(array, self.n_inputs, "x")
            copy_indices(array, self.n_inputs, "x", codes)
            return array
        if cnp.PyArray_NDIM(array) != 2 or cnp.PyArray_DIM(array, 0) == 0:
            raise ValueError(f"x must have shape (B, {self.n_inputs}), not {(<object>array).shape}")
        array = laid_out(array)
        if cnp.PyArray_TYPE(array) != self.type_number or cnp.PyArray_DIM(array, 1) != self.n_inputs:
            check_array(array, "x", (array.shape[0], self.n_inputs), "(B, I)", self.dtype)
        return array

    cdef tuple states_to_read(self, object h, Py_ssize_t B):
        """The arrays of a caller's state, or None."""
        if h is None:
            return None
        if self.n_states == 1:
            return (self.state_to_read(h, "h", B),)
        if not isinstance(h, (tuple, list)) or len(h) != 2:
            raise TypeError("h must be a tuple (h, c) of arrays")
        return self.state_to_read(h[0], "h[0]", B), self.state_to_read(h[1], "h[1]", B)

    cdef cnp.ndarray state_to_read(self, object h, str name, Py_ssize_t B):
        cdef cnp.ndarray array = laid_out(as_array(h))
        self.check_real(array, name, self.L, B, self.H, "(L, B, H)")
        return array

# Linear and Embedding. Included by _core.pyx.

cdef union linear_layer:
    fastrnn_linear_f32 f32
    fastrnn_linear_f64 f64


cdef tuple leading(tuple shape):
    """All sizes but the last one."""
    return shape[:max(len(shape) - 1, 0)]


cdef class LinearTape:
    """The inputs of a forward call."""
    cdef _Workspace memory
    cdef Py_ssize_t N
    cdef readonly tuple shape  # of the inputs


cdef class Linear:
    """y = W x + b over rows, with the arrays W (O, I), b (O,) or None and their gradients, which it holds."""
    cdef cnp.ndarray W, b, dW, db
    cdef object dtype
    cdef bint double_precision
    cdef int type_number  # NumPy's, of the dtype
    cdef Py_ssize_t n_inputs, n_outputs
    cdef linear_layer layer, gradients
    cdef _WorkspacePool workspaces, tapes
    cdef object backward_lock  # gradients are added to by one thread at a time

    def __cinit__(self, W, b, dW, db):
        self.dtype = real_dtype(W, "W")
        n_outputs, n_inputs = W.shape
        for name, array, shape in (("W", W, (n_outputs, n_inputs)), ("dW", dW, (n_outputs, n_inputs)),
                                   ("b", b, (n_outputs,)), ("db", db, (n_outputs,))):
            if array is not None:
                check_array(array, name, shape, "that of W", self.dtype)
        self.n_inputs, self.n_outputs = n_inputs, n_outputs
        self.W, self.b, self.dW, self.db = W, b, dW, db
        self.double_precision = is_float64(W)
        self.type_number = cnp.PyArray_TYPE(W)
        self.layer.f64 = fastrnn_linear_f64(Why=data_of(W), by=data_of(b))
        self.gradients.f64 = fastrnn_linear_f64(Why=data_of(dW), by=data_of(db))
        self.workspaces, self.tapes = _WorkspacePool(), _WorkspacePool()
        self.backward_lock = allocate_lock()

    cdef fastrnn_linear_bytes memory_for(self, Py_ssize_t N) except *:
        cdef fastrnn_linear_bytes bytes
        cdef fastrnn_status status
        if self.double_precision:
            status = fastrnn_linear_memory_f64(N, self.n_inputs, self.n_outputs, &bytes)
        else:
            status = fastrnn_linear_memory_f32(N, self.n_inputs, self.n_outputs, &bytes)
        if status == FASTRNN_ERROR_SHAPE:
            raise ValueError(f"{N} rows of {self.n_inputs} to {self.n_outputs} numbers are too large: cut them up")
        check(status)
        return bytes

    cdef cnp.ndarray rows(self, object value, str name, tuple shape, Py_ssize_t width):
        """value as the kernels read it: (*shape, width), with any shape where that is None; TypeError or ValueError."""
        cdef cnp.ndarray array = np.asarray(value)
        if (cnp.PyArray_TYPE(array) != self.type_number or cnp.PyArray_NDIM(array) == 0
                or cnp.PyArray_DIM(array, cnp.PyArray_NDIM(array) - 1) != width
                or shape is not None and leading((<object>array).shape) != shape or not cnp.PyArray_ISCARRAY_RO(array)):
            wanted = leading((<object>array).shape) if shape is None else shape
            array = laid_out(real_array(array, name, self.dtype, (*wanted, width)))
        return array

    cdef cnp.ndarray like(self, cnp.ndarray array, Py_ssize_t width):
        """A new array of this shape, but for the last axis."""
        cdef cnp.npy_intp[64] shape
        cdef int axis, n = cnp.PyArray_NDIM(array)
        for axis in range(n):
            shape[axis] = cnp.PyArray_DIM(array, axis)
        shape[n - 1] = width
        return cnp.PyArray_EMPTY(n, shape, self.type_number, 0)

    def run(self, value):
        """y (..., O) from x (..., I)."""
        return self.outputs(self.rows(value, "x", None, self.n_inputs), None)

    def forward(self, value):
        """y (..., O) and the tape, from x (..., I)."""
        cdef LinearTape tape = LinearTape()
        cdef cnp.ndarray x = self.rows(value, "x", None, self.n_inputs)
        tape.shape = (<object>x).shape
        y = self.outputs(x, tape)
        return y, tape

    cdef cnp.ndarray outputs(self, cnp.ndarray x, LinearTape tape):
        cdef cnp.ndarray y = self.like(x, self.n_outputs)
        cdef Py_ssize_t N = cnp.PyArray_SIZE(x) // self.n_inputs
        if tape is not None:
            tape.N = N
        if N == 0:
            return y
        cdef void *from_x = cnp.PyArray_DATA(x)
        cdef void *to_y = cnp.PyArray_DATA(y)
        cdef void *to_tape = NULL
        cdef fastrnn_linear_bytes bytes = self.memory_for(N)
        cdef _Workspace workspace = self.workspaces.take(bytes.workspace)
        cdef fastrnn_status status
        if tape is not None:
            tape.memory = self.tapes.take(bytes.tape)
            to_tape = tape.memory.memory
        with nogil:
            if self.double_precision:
                status = fastrnn_linear_forward_f64(N, self.n_inputs, self.n_outputs, &self.layer.f64, <double *>from_x,
                                                    <double *>to_y, to_tape, workspace.memory)
            else:
                status = fastrnn_linear_forward_f32(N, self.n_inputs, self.n_outputs, &self.layer.f32, <float *>from_x,
                                                    <float *>to_y, to_tape, workspace.memory)
        self.workspaces.bring_back(workspace)
        check(status)
        return y

    def output_gradient(self, LinearTape tape, value):
        """value as `backward` takes it; TypeError or ValueError."""
        return self.rows(value, "dy", leading(tape.shape), self.n_outputs)

    def backward(self, LinearTape tape, cnp.ndarray dy):
        """dx, in the shape of x, from the tape, which is used up, and dy (..., O); adds to the gradients."""
        cdef cnp.ndarray dx = self.like(self.rows(dy, "dy", leading(tape.shape), self.n_outputs), self.n_inputs)
        cdef Py_ssize_t N = tape.N
        if N == 0:
            return dx
        cdef void *from_dy = cnp.PyArray_DATA(dy)
        cdef void *to_dx = cnp.PyArray_DATA(dx)
        cdef _Workspace memory = tape.memory
        if memory is None:
            raise ValueError("tape is used already: backward takes one only once, so call forward again")
        tape.memory = None
        cdef _Workspace workspace = self.workspaces.take(self.memory_for(N).workspace)
        cdef fastrnn_status status
        with self.backward_lock:
            with nogil:
                if self.double_precision:
                    status = fastrnn_linear_backward_f64(
                        N, self.n_inputs, self.n_outputs, &self.layer.f64, memory.memory, <double *>from_dy,
                        &self.gradients.f64, <double *>to_dx, workspace.memory)
                else:
                    status = fastrnn_linear_backward_f32(
                        N, self.n_inputs, self.n_outputs, &self.layer.f32, memory.memory, <float *>from_dy,
                        &self.gradients.f32, <float *>to_dx, workspace.memory)
        self.workspaces.bring_back(workspace)
        self.tapes.bring_back(memory)
        check(status)
        return dx


cdef class Embedding:
    """y = rows of W (V, E), with its gradient, which it holds as well."""
    cdef cnp.ndarray W, dW
    cdef object dtype
    cdef bint double_precision
    cdef Py_ssize_t V, E
    cdef object backward_lock

    def __cinit__(self, W, dW):
        self.dtype = real_dtype(W, "W")
        V, E = W.shape
        check_array(W, "W", (V, E), "(V, E)", self.dtype)
        check_array(dW, "dW", (V, E), "(V, E)", self.dtype)
        self.V, self.E = V, E
        self.W, self.dW = W, dW
        self.double_precision = is_float64(W)
        self.backward_lock = allocate_lock()

    def forward(self, cnp.ndarray indices):
        """y (N, E) from indices (N,) int64 in [0, V), N >= 1."""
        cdef Py_ssize_t N = indices.shape[0]
        check_array(indices, "x", (N,), "(N,)", INT64)
        cdef cnp.ndarray y = np.empty((N, self.E), self.dtype)
        cdef const int64_t *from_x = <const int64_t *>cnp.PyArray_DATA(indices)
        cdef void *from_W = cnp.PyArray_DATA(self.W)
        cdef void *to_y = cnp.PyArray_DATA(y)
        cdef fastrnn_status status
        with nogil:
            if self.double_precision:
                status = fastrnn_embedding_forward_f64(N, self.V, self.E, <double *>from_W, from_x, <double *>to_y)
            else:
                status = fastrnn_embedding_forward_f32(N, self.V, self.E, <float *>from_W, from_x, <float *>to_y)
        check(status)
        return y

    def backward(self, cnp.ndarray indices, cnp.ndarray dy):
        """The rows of the gradient that indices (N,) name get those of dy (N, E) added."""
        cdef Py_ssize_t N = indices.shape[0]
        check_array(indices, "x", (N,), "(N,)", INT64)
        check_array(dy, "dy", (N, self.E), "(N, E)", self.dtype)
        cdef const int64_t *from_x = <const int64_t *>cnp.PyArray_DATA(indices)
        cdef void *from_dy = cnp.PyArray_DATA(dy)
        cdef void *to_dW = cnp.PyArray_DATA(self.dW)
        cdef fastrnn_status status
        with self.backward_lock:
            with nogil:
                if self.double_precision:
                    status = fastrnn_embedding_backward_f64(N, self.V, self.E, from_x, <double *>from_dy,
                                                            <double *>to_dW)
                else:
                    status = fastrnn_embedding_backward_f32(N, self.V, self.E, from_x, <float *>from_dy, <float *>to_dW)
        check(status)

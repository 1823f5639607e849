# Linear and Embedding. Included by _core.pyx.

cdef union linear_layer:
    fastrnn_linear_f32 f32
    fastrnn_linear_f64 f64


cdef class Linear:
    """y = W x + b over N rows, with the arrays W (O, I), b (O,) or None and their gradients, which it holds."""
    cdef cnp.ndarray W, b, dW, db
    cdef object dtype
    cdef bint double_precision
    cdef Py_ssize_t n_inputs, n_outputs
    cdef linear_layer layer, gradients
    cdef _WorkspacePool workspaces
    cdef object backward_lock

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
        self.layer.f64 = fastrnn_linear_f64(Why=data_of(W), by=data_of(b))
        self.gradients.f64 = fastrnn_linear_f64(Why=data_of(dW), by=data_of(db))
        self.workspaces = _WorkspacePool()
        self.backward_lock = allocate_lock()

    cdef _Workspace workspace(self, Py_ssize_t N):
        cdef size_t size = 0
        cdef fastrnn_status status
        if self.double_precision:
            status = fastrnn_linear_memory_f64(N, self.n_inputs, self.n_outputs, &size)
        else:
            status = fastrnn_linear_memory_f32(N, self.n_inputs, self.n_outputs, &size)
        if status == FASTRNN_ERROR_SHAPE:
            raise ValueError(f"{N} rows of {self.n_inputs} to {self.n_outputs} numbers are too large: cut them up")
        check(status)
        return self.workspaces.take(size)

    def forward(self, cnp.ndarray x):
        """y (N, O) from x (N, I), N >= 1."""
        cdef Py_ssize_t N = x.shape[0]
        check_array(x, "x", (N, self.n_inputs), "(N, I)", self.dtype)
        cdef cnp.ndarray y = np.empty((N, self.n_outputs), self.dtype)
        cdef void *from_x = cnp.PyArray_DATA(x)
        cdef void *to_y = cnp.PyArray_DATA(y)
        cdef _Workspace workspace = self.workspace(N)
        cdef fastrnn_status status
        with nogil:
            if self.double_precision:
                status = fastrnn_linear_forward_f64(N, self.n_inputs, self.n_outputs, &self.layer.f64, <double *>from_x,
                                                    <double *>to_y, workspace.memory)
            else:
                status = fastrnn_linear_forward_f32(N, self.n_inputs, self.n_outputs, &self.layer.f32, <float *>from_x, <float *>to_y,
                                                    workspace.memory)
        self.workspaces.bring_back(workspace)
        check(status)
        return y

    def backward(self, cnp.ndarray x, cnp.ndarray dy):
        """dx (N, I) from x (N, I) and dy (N, O); adds to the gradients."""
        cdef Py_ssize_t N = x.shape[0]
        check_array(x, "x", (N, self.n_inputs), "(N, I)", self.dtype)
        check_array(dy, "dy", (N, self.n_outputs), "(N, O)", self.dtype)
        cdef cnp.ndarray dx = np.empty((N, self.n_inputs), self.dtype)
        cdef void *from_x = cnp.PyArray_DATA(x)
        cdef void *from_dy = cnp.PyArray_DATA(dy)
        cdef void *to_dx = cnp.PyArray_DATA(dx)
        cdef _Workspace workspace = self.workspace(N)
        cdef fastrnn_status status
        with self.backward_lock:
            with nogil:
                if self.double_precision:
                    status = fastrnn_linear_backward_f64(
                        N, self.n_inputs, self.n_outputs, &self.layer.f64, <double *>from_x, <double *>from_dy, &self.gradients.f64,
                        <double *>to_dx, workspace.memory)
                else:
                    status = fastrnn_linear_backward_f32(
                        N, self.n_inputs, self.n_outputs, &self.layer.f32, <float *>from_x, <float *>from_dy, &self.gradients.f32,
                        <float *>to_dx, workspace.memory)
        self.workspaces.bring_back(workspace)
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

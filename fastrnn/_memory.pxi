# Scratch memory, kept from call to call. Included by _core.pyx.

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


cdef cnp.ndarray new_tokens(tuple shape, object n, str what):
    """Room for n tokens of each text; `what` they are."""
    try:
        return np.empty(shape, dtype=np.int64)
    except (MemoryError, OverflowError, ValueError):
        raise MemoryError(f"no memory for n = {n} {what}: draw fewer at a time") from None


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

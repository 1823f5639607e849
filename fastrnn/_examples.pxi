# Networks that learn from examples. Included by _core.pyx.

cdef union examples:
    fastrnn_examples_f32 f32
    fastrnn_examples_f64 f64

cdef union network_input:
    fastrnn_network_input_f32 f32
    fastrnn_network_input_f64 f64


LOSSES = {
    "softmax_cross_entropy": FASTRNN_SOFTMAX_CROSS_ENTROPY,
    "sigmoid_cross_entropy": FASTRNN_SIGMOID_CROSS_ENTROPY,
    "squared_error": FASTRNN_SQUARED_ERROR,
    "sigmoid_squared_error": FASTRNN_SIGMOID_SQUARED_ERROR,
}
SOURCES = {None: FASTRNN_NO_SOURCE, "features": FASTRNN_FEATURES, "encoder": FASTRNN_ENCODER}


cdef fastrnn_network network_from(dict n) except *:
    """A network of these: cell, input_size, hidden_size, layers, directions, bias, embeddings, outputs, loss, vectors,
    last, context."""
    cdef fastrnn_network network
    memset(&network, 0, sizeof(network))
    network.stack = fastrnn_stack(
        cell=named(CELLS, n["cell"], "cell"), input_size=n["input_size"], hidden_size=n["hidden_size"],
        layers=n["layers"], directions=n["directions"], bias=n["bias"])
    network.embeddings, network.outputs, network.context = n["embeddings"], n["outputs"], n["context"]
    network.loss = named(LOSSES, n["loss"], "loss")
    network.vectors, network.last, network.without_bias = n["vectors"], n["last"], not n["bias"]
    return network


cdef fastrnn_conditioned conditioned_from(dict network, source, size_t features, dict encoder) except *:
    cdef fastrnn_conditioned model
    memset(&model, 0, sizeof(model))
    model.network, model.features = network_from(network), features
    model.source = named(SOURCES, source, "source")
    if encoder is not None:
        model.encoder = network_from(encoder)
    return model


cdef fastrnn_conditioned_offsets conditioned_offsets_of(const fastrnn_conditioned *model) except *:
    cdef fastrnn_conditioned_offsets at
    if fastrnn_conditioned_parameters(model, &at) != FASTRNN_OK:
        raise ValueError(
            f"{model.network.stack.layers} layers of {model.network.stack.hidden_size} units with "
            f"{model.network.outputs} outputs are too large: below 2**24 units, inputs and outputs, 255 layers at most")
    return at


cdef dict parts_from(const fastrnn_network *network, size_t begin):
    cdef fastrnn_network_offsets at
    check(fastrnn_network_parameters(network, &at))
    return {"embedding": begin + at.embedding, "rnn": begin + at.stack, "weight": begin + at.W, "bias": begin + at.b}


def conditioned_offsets(dict network, source=None, size_t features=0, dict encoder=None):
    """Where the parts begin in the one buffer, and its length: (parts of the network, parts of the source, end), the
    parts being embedding, rnn, weight, bias."""
    cdef fastrnn_conditioned model = conditioned_from(network, source, features, encoder)
    cdef fastrnn_conditioned_offsets at = conditioned_offsets_of(&model)
    parts = parts_from(&model.network, at.network)
    if model.source == FASTRNN_ENCODER:
        return parts, parts_from(&model.encoder, at.encoder), at.end
    return parts, {"weight": at.W, "bias": at.b} if model.source == FASTRNN_FEATURES else {}, at.end


cdef class Conditioned:
    """A network that learns from examples, with what its first states come from: nothing, features, or an encoder. It
    holds the flat parameters (N,) of all."""
    cdef fastrnn_conditioned model
    cdef fastrnn_conditioned_offsets at
    cdef readonly cnp.ndarray parameters
    cdef readonly object dtype
    cdef bint double_precision
    cdef int n_states
    cdef _WorkspacePool workspaces

    def __cinit__(self, cnp.ndarray parameters, dict network, source=None, size_t features=0, dict encoder=None):
        self.model = conditioned_from(network, source, features, encoder)
        self.at = conditioned_offsets_of(&self.model)
        self.dtype = real_dtype(parameters, "parameters")
        check_array(parameters, "parameters", (self.at.end,), "(N,)", self.dtype)
        check_writeable(parameters, "parameters")
        self.parameters = parameters
        self.double_precision = is_float64(parameters)
        self.n_states = 2 if self.model.network.stack.cell == FASTRNN_LSTM else 1
        self.workspaces = _WorkspacePool()

    # ---- training ----

    cdef int check_sequences(self, dict arrays, str name, const fastrnn_network *network, Py_ssize_t count) except -1:
        """`name`_begin (count + 1) of int64, and `name`: int64 (steps,), or vectors (steps, E)."""
        begin, steps = arrays[f"{name}_begin"], arrays[name]
        check_array(begin, f"{name}_begin", (count + 1,), "(count + 1,)", INT64)
        if begin[0] != 0 or (np.diff(begin) < 1).any():
            raise ValueError(f"{name}_begin must go up from 0")
        if network.vectors:
            E = network.stack.input_size - network.context
            check_array(steps, name, (begin[count], E), "(steps, E)", self.dtype)
        else:
            check_array(steps, name, (begin[count],), "(steps,)", INT64)
        return 0

    cdef examples examples_of(self, dict arrays, bint shuffle, bint carried) except *:
        cdef const fastrnn_network *network = &self.model.network
        cdef examples e
        memset(&e, 0, sizeof(e))
        cdef Py_ssize_t count = arrays["inputs_begin"].size - 1
        self.check_sequences(arrays, "inputs", network, count)
        rows = count if network.last else arrays["inputs_begin"][count]
        e.f64.count, e.f64.shuffle, e.f64.carried = count, shuffle, carried
        e.f64.inputs.begin = <int64_t *>data_of(arrays["inputs_begin"])
        if network.vectors:
            e.f64.inputs.vectors = data_of(arrays["inputs"])
        else:
            e.f64.inputs.tokens = <int64_t *>data_of(arrays["inputs"])
        if network.loss == FASTRNN_SOFTMAX_CROSS_ENTROPY:
            check_array(arrays["targets"], "targets", (rows,), "(rows,)", INT64)
            e.f64.classes = <int64_t *>data_of(arrays["targets"])
        else:
            check_array(arrays["targets"], "targets", (rows, network.outputs), "(rows, outputs)", self.dtype)
            e.f64.numbers = data_of(arrays["targets"])
        if self.model.source == FASTRNN_FEATURES:
            check_array(arrays["sources"], "sources", (count, self.model.features), "(count, F)", self.dtype)
            e.f64.features = data_of(arrays["sources"])
        elif self.model.source == FASTRNN_ENCODER:
            self.check_sequences(arrays, "sources", &self.model.encoder, count)
            e.f64.sources.begin = <int64_t *>data_of(arrays["sources_begin"])
            if self.model.encoder.vectors:
                e.f64.sources.vectors = data_of(arrays["sources"])
            else:
                e.f64.sources.tokens = <int64_t *>data_of(arrays["sources"])
        return e

    cdef size_t memory_for(self, const examples *e, size_t batch_size, bint dropout) except *:
        cdef size_t bytes
        cdef fastrnn_status status
        if self.double_precision:
            status = fastrnn_conditioned_memory_f64(&self.model, &e.f64, batch_size, dropout, &bytes)
        else:
            status = fastrnn_conditioned_memory_f32(&self.model, &e.f32, batch_size, dropout, &bytes)
        if status == FASTRNN_ERROR_SHAPE:
            raise ValueError(f"batches of {batch_size} of these sequences are too large: use smaller ones")
        check(status)
        return bytes

    def train(self, dict arrays, tuple states, dict slots, *, Py_ssize_t iterations, Py_ssize_t batch_size, bint shuffle,
              str optimizer, dict settings, **course):
        """Up to `iterations` iterations over batches of batch_size examples; parameters, states and slots are updated in
        place.

        arrays: inputs (steps,) int64 or (steps, E), one sequence after the other, of which number n begins at step
        inputs_begin[n] (count + 1,) int64; targets, int64 or (rows, outputs), a row for each step or, of a network with
        `last`, for each sequence; sources: (count, F) features, or sequences as inputs are, with sources_begin. states:
        arrays (L, B, H) that are carried from batch to batch, or () for none. course, slots and what is returned: as of
        Network.train; the position is the number of examples that the pass has read.
        """
        cdef examples e = self.examples_of(arrays, shuffle, len(states) > 0)
        if iterations < 0 or batch_size < 1:
            raise ValueError(f"iterations must not be negative nor batch_size 0: {iterations}, {batch_size}")
        if states and len(states) != self.n_states:
            raise ValueError(f"states must be {self.n_states} arrays, not {len(states)}")
        for array in states:
            stack = self.model.network.stack
            check_array(array, "states", (stack.layers, batch_size, stack.hidden_size), "(L, B, H)", self.dtype)
            check_writeable(array, "states")
        cdef learner l = learner_of(self.parameters, states, slots)
        pins = pinned((self.parameters, *arrays.values(), *states, *slots.values()))
        cdef fastrnn_optimizer o = optimizer_of(optimizer, settings)
        cdef fastrnn_training training = training_of(course)
        cdef uint64_t iterations_done = training.iterations
        cdef _Signals signals = _Signals()
        cdef fastrnn_interruption interruption = signals.interruption()
        cdef _Workspace workspace = self.workspaces.take(self.memory_for(&e, batch_size, training.dropout > 0))
        cdef fastrnn_status status
        with nogil:
            if self.double_precision:
                status = fastrnn_conditioned_train_f64(&self.model, &e.f64, batch_size, &o, &l.f64, &training, iterations,
                                                       &interruption, workspace.memory)
            else:
                status = fastrnn_conditioned_train_f32(&self.model, &e.f32, batch_size, &o, &l.f32, &training, iterations,
                                                       &interruption, workspace.memory)
        self.workspaces.bring_back(workspace)
        error = signals.error
        if status == FASTRNN_ERROR_NOT_FINITE:
            error = not_finite_in_training(&training, self.parameters, states)
        elif status == FASTRNN_ERROR_INDEX:
            error = IndexError("a token or a class is outside its vocabulary")
        else:
            check(status)
        return training.iterations - iterations_done, training.position, training.loss, training.smooth_loss, error

    # ---- what it puts out ----

    def outputs(self, cnp.ndarray inputs, tuple states=None, *, cnp.ndarray lengths=None, cnp.ndarray context=None,
                bint encoder=False):
        """y, states: what the network, or the encoder, puts out, y (T, B, outputs) or, of a network with `last`, (B, outputs),
        None without outputs; zero past a length; and the states after each sequence's last step.

        inputs (T, B) int64, or (T, B, E); lengths (B,) int64 in [1, T], or None; context (B, C) where the network has one;
        states: arrays (L D, B, H) before the first step, None for zeros.
        """
        cdef const fastrnn_network *network = &self.model.encoder if encoder else &self.model.network
        cdef Py_ssize_t begin = self.at.encoder if encoder else self.at.network
        cdef Py_ssize_t T = (<object>inputs).shape[0], B = (<object>inputs).shape[1]
        cdef Py_ssize_t O = network.outputs, E = network.stack.input_size - network.context
        state_shape = (network.stack.layers * network.stack.directions, B, network.stack.hidden_size)
        if network.vectors:
            check_array(inputs, "inputs", (T, B, E), "(T, B, E)", self.dtype)
        else:
            check_array(inputs, "inputs", (T, B), "(T, B)", INT64)
        if lengths is not None:
            check_array(lengths, "lengths", (B,), "(B,)", INT64)
        if network.context:
            check_array(context, "context", (B, network.context), "(B, C)", self.dtype)
        for array in states or ():
            check_array(array, "states", state_shape, "(L D, B, H)", self.dtype)
        last = tuple([np.empty(state_shape, self.dtype) for _ in range(self.n_states)])
        cdef cnp.ndarray y = np.empty([B, O] if network.last else [T, B, O], self.dtype) if O else None
        given = [array for array in (lengths, context) if array is not None]
        pins = pinned((self.parameters, inputs, *(states or ()), *given))
        cdef network_input i
        memset(&i, 0, sizeof(i))
        if network.vectors:
            i.f64.vectors = data_of(inputs)
        else:
            i.f64.tokens = <int64_t *>data_of(inputs)
        i.f64.context = data_of(context)
        i.f64.h = data_of(states[0]) if states else NULL
        i.f64.c = data_of(states[1]) if states and self.n_states == 2 else NULL
        cdef const int64_t *ends = <int64_t *>data_of(lengths)
        cdef double *hn = data_of(last[0])
        cdef double *cn = data_of(last[1]) if self.n_states == 2 else NULL
        cdef double *out = data_of(y)
        cdef size_t bytes
        cdef fastrnn_status status
        if self.double_precision:
            status = fastrnn_network_outputs_memory_f64(network, T, B, &bytes)
        else:
            status = fastrnn_network_outputs_memory_f32(network, T, B, &bytes)
        if status == FASTRNN_ERROR_SHAPE:
            raise ValueError(f"sequences of {T} steps, {B} side by side, are too large: use fewer or shorter ones")
        check(status)
        cdef _Workspace workspace = self.workspaces.take(bytes)
        cdef double *own = <double *>data_of(self.parameters)
        with nogil:
            if self.double_precision:
                status = fastrnn_network_outputs_f64(
                    network, T, B, ends, own + begin, &i.f64, hn, cn, out, workspace.memory)
            else:
                status = fastrnn_network_outputs_f32(
                    network, T, B, ends, <float *>own + begin, &i.f32, <float *>hn, <float *>cn, <float *>out,
                    workspace.memory)
        self.workspaces.bring_back(workspace)
        if status == FASTRNN_ERROR_NOT_FINITE:
            raise not_finite("an output is NaN or infinite", self.parameters, states or ())
        check(status)
        return y, last

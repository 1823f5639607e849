# Networks over sequences of tokens. Included by _core.pyx.

# As with char_rnn: filled in through f64, read through either.
cdef union learner:
    fastrnn_learner_f32 f32
    fastrnn_learner_f64 f64


DECAYS = {"constant": FASTRNN_CONSTANT, "step": FASTRNN_STEPS, "cosine": FASTRNN_COSINE}


cdef object named(dict choices, str name, str what):
    if name not in choices:
        raise ValueError(f"there is no {what} {name!r}: it must be one of {', '.join(choices)}")
    return choices[name]


cdef fastrnn_optimizer optimizer_of(str name, dict settings) except *:
    """The optimizer of `fastrnn.optimizers` of this name in small letters, with its arguments by name."""
    cdef fastrnn_optimizer o
    memset(&o, 0, sizeof(o))
    if name == "sgd":
        o.kind = FASTRNN_SGD
        o.settings.sgd = fastrnn_sgd(
            learning_rate=0, momentum=settings["momentum"], dampening=settings["dampening"],
            weight_decay=settings["weight_decay"], nesterov=settings["nesterov"], iteration=1)
    elif name == "adagrad":
        o.kind = FASTRNN_ADAGRAD
        o.settings.adagrad = fastrnn_adagrad(
            learning_rate=0, eps=settings["eps"], weight_decay=settings["weight_decay"],
            eps_inside_sqrt=settings["eps_inside_sqrt"])
    elif name == "rmsprop":
        o.kind = FASTRNN_RMSPROP
        o.settings.rmsprop = fastrnn_rmsprop(
            learning_rate=0, alpha=settings["alpha"], eps=settings["eps"], momentum=settings["momentum"],
            weight_decay=settings["weight_decay"], centered=settings["centered"])
    elif name in ("adam", "adamw"):
        o.kind = FASTRNN_ADAM
        beta1, beta2 = settings["betas"]
        o.settings.adam = fastrnn_adam(
            learning_rate=0, beta1=beta1, beta2=beta2, eps=settings["eps"], weight_decay=settings["weight_decay"],
            decoupled=name == "adamw", iteration=1)
    else:
        raise ValueError(f"there is no optimizer {name!r}")
    return o


COURSE = frozenset((
    "dropout", "seed", "learning_rate", "schedule", "warmup", "schedule_iterations", "schedule_factor", "clip_value",
    "clip_norm", "position", "iterations_done", "smooth_loss"))


cdef fastrnn_training training_of(dict course) except *:
    """The course of a training run by the names in COURSE: a model's settings, and where it stands."""
    if course.keys() != COURSE:
        raise TypeError(f"training takes {', '.join(sorted(COURSE))}, not {', '.join(sorted(course))}")
    cdef fastrnn_training training
    memset(&training, 0, sizeof(training))
    training.schedule = fastrnn_schedule(
        learning_rate=course["learning_rate"], decay=named(DECAYS, course["schedule"], "schedule"),
        warmup=course["warmup"], n=course["schedule_iterations"], factor=course["schedule_factor"])
    training.clip_value, training.clip_norm = course["clip_value"], course["clip_norm"]
    training.dropout, training.seed = course["dropout"], course["seed"]
    training.position, training.iterations = course["position"], course["iterations_done"]
    training.loss, training.smooth_loss = NAN, course["smooth_loss"]
    return training


cdef fastrnn_network network_of(str cell, size_t vocabulary, size_t embedding_size, size_t hidden_size,
                                size_t layers) except *:
    cdef fastrnn_network network
    memset(&network, 0, sizeof(network))
    network.stack = fastrnn_stack(
        cell=named(CELLS, cell, "cell"), input_size=embedding_size if embedding_size else vocabulary,
        hidden_size=hidden_size, layers=layers, directions=1, bias=1)
    network.embeddings, network.outputs = vocabulary if embedding_size else 0, vocabulary
    return network


cdef learner learner_of(cnp.ndarray parameters, tuple states, dict slots) except *:
    """What training changes: the parameters (N,), the states, or none where they are not carried, the optimizer's slots."""
    cdef learner l
    memset(&l, 0, sizeof(l))
    for name, slot in slots.items():
        check_array(slot, f"slots['{name}']", (parameters.size,), "(N,)", parameters.dtype)
        check_writeable(slot, f"slots['{name}']")
    l.f64.parameters = data_of(parameters)
    l.f64.momentum = data_of(slots.get("momentum_buffer"))
    l.f64.mean = data_of(slots.get("exp_avg", slots.get("grad_avg")))
    l.f64.squares = data_of(slots.get("sum", slots.get("square_avg", slots.get("exp_avg_sq"))))
    l.f64.h = data_of(states[0]) if states else NULL
    l.f64.c = data_of(states[1]) if len(states) == 2 else NULL
    return l


cdef object not_finite(str what, cnp.ndarray parameters, tuple states):
    """The error for what is NaN or infinite, with its cause."""
    holders = {"the parameters": (parameters,), "the states": states}
    culprits = [name for name, arrays in holders.items() if not all(np.isfinite(array).all() for array in arrays)]
    return NumericalError(f"{what} because {' and '.join(culprits)} hold NaN or infinity" if culprits else what)


cdef object not_finite_in_training(const fastrnn_training *training, cnp.ndarray parameters, tuple states):
    return not_finite(
        "a gradient is NaN or infinite" if isfinite(training.loss) else f"the loss is {training.loss}", parameters, states)


cdef fastrnn_network_offsets offsets_of(const fastrnn_network *network) except *:
    cdef fastrnn_network_offsets at
    if fastrnn_network_parameters(network, &at) != FASTRNN_OK:
        raise ValueError(
            f"{network.stack.layers} layers of {network.stack.hidden_size} units over {network.outputs} tokens are too "
            "large: below 2**24 units, tokens and embedding_size, 255 layers at most")
    return at


def network_offsets(str cell, size_t vocabulary, size_t embedding_size, size_t hidden_size, size_t layers):
    """Where embedding.weight (V, E), the recurrent layers' parameters, linear.weight (V, H), linear.bias (V,) begin in the
    one buffer, and its length. embedding_size 0: none."""
    cdef fastrnn_network network = network_of(cell, vocabulary, embedding_size, hidden_size, layers)
    cdef fastrnn_network_offsets at = offsets_of(&network)
    return at.embedding, at.stack, at.W, at.b, at.end


cdef class Network:
    """A stack of one direction between an embedding, or 1-of-V codes, and a linear layer that says the next token. It
    holds the flat parameters (N,) of all three."""
    cdef fastrnn_network network
    cdef readonly cnp.ndarray parameters
    cdef readonly object dtype
    cdef bint double_precision
    cdef Py_ssize_t V, H, L, N
    cdef int n_states
    cdef _WorkspacePool workspaces

    def __cinit__(self, str cell, size_t vocabulary, size_t embedding_size, size_t hidden_size, size_t layers,
                  parameters):
        self.network = network_of(cell, vocabulary, embedding_size, hidden_size, layers)
        self.N = offsets_of(&self.network).end
        self.dtype = real_dtype(parameters, "parameters")
        check_array(parameters, "parameters", (self.N,), "(N,)", self.dtype)
        check_writeable(parameters, "parameters")
        self.parameters = parameters
        self.double_precision = is_float64(parameters)
        self.V, self.H, self.L = vocabulary, hidden_size, layers
        self.n_states = 2 if self.network.stack.cell == FASTRNN_LSTM else 1
        self.workspaces = _WorkspacePool()

    cdef fastrnn_network_bytes memory_for(self, size_t T, size_t B, bint dropout) except *:
        cdef fastrnn_network_bytes bytes
        cdef fastrnn_status status
        if self.double_precision:
            status = fastrnn_network_memory_f64(&self.network, T, B, dropout, &bytes)
        else:
            status = fastrnn_network_memory_f32(&self.network, T, B, dropout, &bytes)
        if status == FASTRNN_ERROR_SHAPE:
            raise ValueError(f"sequences of {T} steps, {B} side by side, are too large: use fewer or shorter ones")
        check(status)
        return bytes

    cdef int check_states(self, tuple states, Py_ssize_t B) except -1:
        if len(states) != self.n_states:
            raise ValueError(f"states must be {self.n_states} arrays, not {len(states)}")
        for array in states:
            check_array(array, "states", (self.L, B, self.H), "(L, B, H)", self.dtype)
            check_writeable(array, "states")
        return 0

    cdef list pinned(self, tuple arrays):
        return pinned((self.parameters, *arrays))

    def train(self, cnp.ndarray text, tuple states, dict slots, *, Py_ssize_t iterations, size_t seq_length,
              size_t batch_size, bint random_chunks, str optimizer, dict settings, **course):
        """Up to `iterations` iterations; parameters, states and slots are updated in place.

        course: what COURSE names. text (n,), of uint8, uint16, uint32 or int64, holds tokens in [0, V); states are arrays
        (L, B, H); slots those of the optimizer, (N,) each. Limits of infinity clip nothing.

        Returns how many were done, the position, the last loss, the smooth loss, and the error that ended it early, or
        None: NumericalError, IndexError for a token, or what a signal's handler raised. What is returned and the arrays
        are whole either way.
        """
        if text.dtype not in (np.uint8, np.uint16, np.uint32, np.int64):
            raise TypeError(f"text must be uint8, uint16, uint32 or int64, not {text.dtype}")
        check_array(text, "text", (text.size,), "(n,)", text.dtype)
        if iterations < 0:
            raise ValueError(f"iterations must not be negative, and is {iterations}")
        self.check_states(states, batch_size)
        cdef learner l = learner_of(self.parameters, states, slots)
        pins = self.pinned((text, *states, *slots.values()))
        cdef fastrnn_optimizer o = optimizer_of(optimizer, settings)
        cdef fastrnn_training training = training_of(course)
        training.text = fastrnn_text(tokens=cnp.PyArray_DATA(text), length=text.size, width=text.itemsize)
        training.random_chunks = random_chunks
        cdef uint64_t iterations_done = training.iterations
        cdef _Signals signals = _Signals()
        cdef fastrnn_interruption interruption = signals.interruption()
        cdef fastrnn_network_bytes bytes = self.memory_for(seq_length, batch_size, training.dropout > 0)
        cdef _Workspace workspace = self.workspaces.take(bytes.train)
        cdef fastrnn_status status
        with nogil:
            if self.double_precision:
                status = fastrnn_network_train_f64(&self.network, seq_length, batch_size, &o, &l.f64, &training,
                                                   iterations, &interruption, workspace.memory)
            else:
                status = fastrnn_network_train_f32(&self.network, seq_length, batch_size, &o, &l.f32, &training,
                                                   iterations, &interruption, workspace.memory)
        self.workspaces.bring_back(workspace)
        error = signals.error
        if status == FASTRNN_ERROR_NOT_FINITE:
            error = not_finite_in_training(&training, self.parameters, states)
        elif status == FASTRNN_ERROR_INDEX:
            error = IndexError(f"text holds a token outside [0, {self.V})")
        else:
            check(status)
        return training.iterations - iterations_done, training.position, training.loss, training.smooth_loss, error

    def predict(self, cnp.ndarray tokens, tuple states, cnp.ndarray targets=None):
        """nats, p: nats (T, B) float64 is -ln p of each target, None without targets; p (B, V) is that of every token after
        the last step.

        tokens, targets (T, B) int64 in [0, V); states are arrays (L, B, H), updated in place. Memory is in proportion to
        T B.
        """
        if tokens.ndim != 2 or tokens.size == 0:
            raise ValueError(f"tokens must have shape (T, B), neither of them 0, not {(<object>tokens).shape}")
        cdef Py_ssize_t T = tokens.shape[0], B = tokens.shape[1]
        check_array(tokens, "tokens", (T, B), "(T, B)", INT64)
        if targets is not None:
            check_array(targets, "targets", (T, B), "(T, B)", INT64)
        self.check_states(states, B)
        pins = self.pinned((tokens, targets, *states) if targets is not None else (tokens, *states))
        cdef cnp.ndarray nats = None if targets is None else np.empty((T, B))
        cdef cnp.ndarray p = np.empty((B, self.V), self.dtype)
        cdef fastrnn_network_bytes bytes = self.memory_for(T, B, False)
        cdef _Workspace workspace = self.workspaces.take(bytes.predict)
        cdef const int64_t *x = <const int64_t *>cnp.PyArray_DATA(tokens)
        cdef const int64_t *y = <const int64_t *>data_of(targets)
        cdef double *out = data_of(nats)
        cdef double *h = data_of(states[0])
        cdef double *c = data_of(states[1]) if self.n_states == 2 else NULL
        cdef fastrnn_status status
        with nogil:
            if self.double_precision:
                status = fastrnn_network_predict_f64(
                    &self.network, T, B, <double *>cnp.PyArray_DATA(self.parameters), x, y, h, c, out,
                    <double *>cnp.PyArray_DATA(p), workspace.memory)
            else:
                status = fastrnn_network_predict_f32(
                    &self.network, T, B, <float *>cnp.PyArray_DATA(self.parameters), x, y, <float *>h, <float *>c, out,
                    <float *>cnp.PyArray_DATA(p), workspace.memory)
        self.workspaces.bring_back(workspace)
        check(status)
        return nats, p

    cdef fastrnn_choice choice_of(self, object temperature, Py_ssize_t top_k, double top_p) except *:
        cdef double heat = real_number(temperature, "temperature")
        if not (heat >= 0 and isfinite(heat if self.double_precision else <float>heat)):
            raise ValueError(f"temperature must be finite and not negative, not {temperature}")
        if top_k < 0:
            raise ValueError(f"top_k must not be negative, and is {top_k}")
        if not 0 < top_p <= 1:
            raise ValueError(f"top_p must be in (0, 1], not {top_p}")
        return fastrnn_choice(temperature=heat, top_k=top_k, top_p=top_p)

    def sample(self, cnp.ndarray first, tuple states, Py_ssize_t n, *, temperature, Py_ssize_t top_k, double top_p,
               bit_generator):
        """n tokens of each of B texts, (n, B) int64, drawn one after the other.

        first (B,) of int64 in [0, V): the tokens that are fed first. states, arrays (L, B, H), are those before these, and
        then, updated in place unless an error is raised, those before the last tokens drawn. temperature 0: the likeliest
        token. top_k 0, top_p 1: any. Takes one double of bit_generator for each token, step after step, in a step for
        b = 0 ... B - 1; none with temperature 0.
        """
        cdef Py_ssize_t B = first.shape[0] if cnp.PyArray_NDIM(first) == 1 else 0
        if B == 0:
            raise ValueError(f"first must have shape (B,), a token for each text, not {(<object>first).shape}")
        check_array(first, "first", (B,), "(B,)", INT64)
        cdef cnp.ndarray before = indices(first, self.V, "first")
        self.check_states(states, B)
        if n < 0:
            raise ValueError(f"n must not be negative, and is {n}")
        cdef fastrnn_choice choice = self.choice_of(temperature, top_k, top_p)
        cdef cnp.ndarray tokens = new_tokens((n, B), n, "tokens")
        cdef tuple now = tuple([array.copy() for array in states])
        pins = self.pinned(())
        cdef bitgen_t *source = <bitgen_t *>PyCapsule_GetPointer(bit_generator.capsule, "BitGenerator")
        cdef fastrnn_uniform_source uniform = fastrnn_uniform_source(next=source.next_double, state=source.state)
        cdef _Signals signals = _Signals()
        signals.lock = bit_generator.lock
        cdef fastrnn_interruption interruption = signals.interruption()
        cdef fastrnn_network_bytes bytes = self.memory_for(1, B, False)
        cdef _Workspace workspace = self.workspaces.take(bytes.sample)
        cdef const int64_t *x = <const int64_t *>cnp.PyArray_DATA(before)
        cdef int64_t *out = <int64_t *>cnp.PyArray_DATA(tokens)
        cdef double *h = data_of(now[0])
        cdef double *c = data_of(now[1]) if self.n_states == 2 else NULL
        cdef fastrnn_status status
        with signals.lock, nogil:
            if self.double_precision:
                status = fastrnn_network_sample_f64(
                    &self.network, B, <double *>cnp.PyArray_DATA(self.parameters), &choice, x, h, c, n, &uniform,
                    &interruption, out, workspace.memory)
            else:
                status = fastrnn_network_sample_f32(
                    &self.network, B, <float *>cnp.PyArray_DATA(self.parameters), &choice, x, <float *>h, <float *>c, n,
                    &uniform, &interruption, out, workspace.memory)
        self.workspaces.bring_back(workspace)
        if signals.error is not None:
            raise signals.error
        if status == FASTRNN_ERROR_NOT_FINITE:
            raise not_finite("the probabilities are NaN", self.parameters, states)
        check(status)
        for array, state in zip(states, now):
            array[...] = state
        return tokens

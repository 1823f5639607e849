/* What any network puts out: against the naive implementation, wherever memory lies, and what is refused. */

typedef struct {
    fastrnn_network *network;
    size_t T, B;
    int64_t *lengths;
    REAL *parameters;
    TYPED(fastrnn_network_input) *input;
    REAL *hn, *cn, *y;
    size_t *bytes;
    void *workspace;
    size_t only_read; /* so many buffers hold what the door may not write to, and are remembered */
} TYPED(outputs_call);

static fastrnn_status TYPED(outputs_memory_door)(const void *call)
{
    const TYPED(outputs_call) *c = call;
    return TYPED(fastrnn_network_outputs_memory)(c->network, c->T, c->B, c->bytes);
}

static fastrnn_status TYPED(outputs_door)(const void *call)
{
    const TYPED(outputs_call) *c = call;
    return TYPED(fastrnn_network_outputs)(c->network, c->T, c->B, c->lengths, c->parameters, c->input, c->hn, c->cn,
                                          c->y, c->workspace);
}

/* Of y, as many as there are rows and outputs. */
static size_t TYPED(outputs_size)(const TYPED(outputs_call) *c)
{
    return (c->network->last ? 1 : c->T) * c->B * c->network->outputs;
}

static size_t TYPED(outputs_states)(const TYPED(outputs_call) *c)
{
    const fastrnn_stack *s = &c->network->stack;
    return s->layers * s->directions * c->B * s->hidden_size;
}

/* With lengths, of which each is at least 1, what is past them is NaN or any token. */
static TYPED(outputs_call) TYPED(valid_outputs_call)(const fastrnn_network *network, size_t T, size_t B, bool ragged,
                                                     states_given states)
{
    const size_t N = T * B, C = network->context, E = network->stack.input_size - C;
    const bool lstm = network->stack.cell == FASTRNN_LSTM;
    fastrnn_batch batch = {.T = T, .B = B};
    TYPED(outputs_call) c = {.network = guarded_copy(network, sizeof *network), .T = T, .B = B};
    const size_t n = TYPED(outputs_states)(&c);
    c.lengths = ragged ? guarded(B * sizeof *c.lengths) : NULL;
    for (size_t b = 0; ragged && b < B; b++) {
        c.lengths[b] = (int64_t)(1 + random_below(T));
    }
    batch.lengths = c.lengths;
    c.parameters = TYPED(random_network)(network, T % 3);
    TYPED(fastrnn_network_input) input = {
        .tokens = network->vectors ? NULL : random_characters(N, TYPED(tokens_of)(network)),
        .vectors = network->vectors ? TYPED(randoms)(N * E, 1) : NULL,
        .context = C > 0 ? TYPED(randoms)(B * C, 1) : NULL};
    if (network->vectors) {
        TYPED(spoil_padding)(&batch, 1, E, (REAL *)input.vectors);
    }
    input.h = states == STATES_APART ? TYPED(randoms)(n, 1) : NULL;
    input.c = states == STATES_APART && lstm ? TYPED(randoms)(n, 1) : NULL;
    c.only_read = memory.in_use;
    c.hn = TYPED(randoms)(n, 1);
    c.cn = lstm ? TYPED(randoms)(n, 1) : NULL;
    if (states == STATES_IN_PLACE) {
        input.h = c.hn;
        input.c = c.cn;
    }
    c.input = guarded_copy(&input, sizeof input);
    c.y = network->outputs > 0 ? TYPED(blanks)(TYPED(outputs_size)(&c)) : NULL;
    c.bytes = guarded_copy(&(size_t){0}, sizeof *c.bytes);
    TYPED(fastrnn_network_outputs_memory)(network, T, B, c.bytes);
    c.workspace = guarded(*c.bytes);
    remember_memory();
    return c;
}

static naive_network TYPED(naive_network_of)(const TYPED(outputs_call) *c)
{
    const size_t N = c->T * c->B, C = c->network->context, E = c->network->stack.input_size - C;
    const size_t states = TYPED(outputs_states)(c);
    return (naive_network){.network = c->network,
                           .parameters = TYPED(widened)(offsets_of(c->network).end, c->parameters),
                           .batch = {.T = c->T, .B = c->B, .lengths = c->lengths},
                           .tokens = c->input->tokens,
                           .vectors = c->network->vectors ? TYPED(widened)(N * E, c->input->vectors) : NULL,
                           .context = C > 0 ? TYPED(widened)(c->B * C, c->input->context) : NULL,
                           .h0 = TYPED(widened_or_zeros)(states, c->input->h),
                           .c0 = TYPED(widened_or_zeros)(states, c->input->c)};
}

static void TYPED(check_put_out)(place at, const TYPED(outputs_call) *c)
{
    const size_t mark = memory.in_use, states = TYPED(outputs_states)(c), V = c->network->outputs;
    naive_network naive = TYPED(naive_network_of)(c);
    naive_forward(&naive);
    check_status(at, FASTRNN_OK, TYPED(outputs_door)(c));
    TYPED(check_if_wanted)(at, "y", TYPED(outputs_size)(c), c->y, naive.ys);
    TYPED(check_close)(at, "hn", states, c->hn, naive.stack.hn, INFINITY);
    TYPED(check_if_wanted)(at, "cn", states, c->cn, naive.stack.cn);
    if (c->y != NULL && !c->network->last) {
        TYPED(check_padding)(at, "y", &naive.batch, V, c->y);
    }
    TYPED(check_subnormals)(at);
    memory.in_use = c->only_read;
    check_at(at, memory_is_as_remembered(), "an input was written to");
    release_since(mark);
}

/* The network, and its encoder if there is one. */
static void TYPED(outputs_case)(const void *shape)
{
    const example_shape *s = shape;
    const fastrnn_network *networks[] = {&s->model.network, &s->model.encoder};
    for (size_t i = 0; i < (s->model.source == FASTRNN_ENCODER ? 2 : 1); i++) {
        for (states_given states = NO_STATES; states < STATES_GIVEN; states++) {
            const size_t mark = memory.in_use;
            random_state = 40 + 100 * networks[i]->stack.input_size + networks[i]->stack.hidden_size;
            describe_examples(HERE, i == 0 ? "outputs" : "states of the encoder", s);
            const TYPED(outputs_call) c = TYPED(valid_outputs_call)(networks[i], s->T, s->B, s->ragged, states);
            TYPED(check_put_out)(HERE, &c);
            release_since(mark);
        }
    }
}

/* Each of the outputs is looked at, and of those alone that there are: not of rows past a sequence's length. */
static void TYPED(outputs_not_finite_case)(const void *last)
{
    const fastrnn_network network = {
        .stack = {FASTRNN_GRU, 3, 5, 1, 2, 1}, .vectors = 1, .outputs = 17, .last = *(const int *)last};
    const REAL bad[] = {(REAL)NAN, (REAL)INFINITY, (REAL)-INFINITY};
    for (size_t i = 0; i < COUNT(bad) * network.outputs; i++) {
        const size_t mark = memory.in_use;
        const TYPED(outputs_call) c = TYPED(valid_outputs_call)(&network, 3, 2, true, NO_STATES);
        SITUATION("b[%zu] = %g, last %d", i / COUNT(bad), (double)bad[i % COUNT(bad)], network.last);
        c.parameters[offsets_of(&network).b + i / COUNT(bad)] = bad[i % COUNT(bad)];
        check_status(HERE, FASTRNN_ERROR_NOT_FINITE, TYPED(outputs_door)(&c));
        TYPED(check_subnormals)(HERE);
        release_since(mark);
    }
}

/* The workspace may begin anywhere and hold anything: the results are the same, and nothing around it is written. */
static void TYPED(outputs_offsets_case)(const void *shape)
{
    const example_shape *s = shape;
    random_state = 41;
    const TYPED(outputs_call) first = TYPED(valid_outputs_call)(&s->model.network, s->T, s->B, s->ragged, NO_STATES);
    const size_t mark = memory.in_use, states = TYPED(outputs_states)(&first), bytes = *first.bytes;
    describe_examples(HERE, "memory of outputs", s);
    CHECK_OK(TYPED(outputs_door)(&first));
    for (size_t offset = 1; offset <= 64; offset++) {
        TYPED(outputs_call) now = first;
        const unsigned char filler = offset % 2 ? 0xff : 0x3f; /* NaN and ordinary numbers */
        unsigned char *around = memset(guarded(bytes + 64), filler, bytes + 64);
        now.workspace = around + offset;
        now.hn = TYPED(blanks)(states);
        now.cn = first.cn != NULL ? TYPED(blanks)(states) : NULL;
        now.y = TYPED(blanks)(TYPED(outputs_size)(&now));
        CHECK_OK(TYPED(outputs_door)(&now));
        TYPED(check_same_array)(HERE, "y", TYPED(outputs_size)(&now), now.y, first.y);
        TYPED(check_same_array)(HERE, "hn", states, now.hn, first.hn);
        TYPED(check_same_array)(HERE, "cn", states, now.cn, first.cn);
        CHECK(filled_with(filler, around, around + offset), "written before the workspace");
        CHECK(filled_with(filler, around + offset + bytes, around + bytes + 64), "written past the workspace");
        release_since(mark);
    }
}

/* The caller may choose another instruction set after it has allocated the memory. Leaves the last one chosen. */
static void TYPED(outputs_bytes_case)(const void *shape)
{
    const example_shape *s = shape;
    size_t first = 0, bytes = 0;
    describe_examples(HERE, "bytes of outputs", s);
    for (size_t i = 0; fastrnn_available_isa(i) != NULL; i++) {
        CHECK_OK(fastrnn_select_isa(fastrnn_available_isa(i)));
        CHECK_OK(TYPED(fastrnn_network_outputs_memory)(&s->model.network, s->T, s->B, &bytes));
        first = i == 0 ? bytes : first;
        CHECK(bytes == first, "%s takes another amount of memory than %s", fastrnn_available_isa(i),
              fastrnn_available_isa(0));
    }
}

static void TYPED(test_outputs)(void)
{
    run_over_examples(EXAMPLE_OPTIONS, example_option_shape, TYPED(outputs_case));
    run_over_examples(SPECIAL_EXAMPLES, example_special_shape, TYPED(outputs_case));
    run_over_examples(PLAIN_EXAMPLES, example_plain_shape, TYPED(outputs_offsets_case));
    run_case_guarded(TYPED(outputs_not_finite_case), &(int){0});
    run_case_guarded(TYPED(outputs_not_finite_case), &(int){1});
}

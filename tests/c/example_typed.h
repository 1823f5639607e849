/* Training from examples against the naive implementation. */

static fastrnn_sequences_f64 TYPED(widened_sequences)(const fastrnn_network *network, size_t count,
                                                      const TYPED(fastrnn_sequences) *s)
{
    const size_t E = network->stack.input_size - network->context;
    return (fastrnn_sequences_f64){
        .begin = s->begin,
        .tokens = s->tokens,
        .vectors = s->vectors != NULL ? TYPED(widened)((size_t)s->begin[count] * E, s->vectors) : NULL};
}

static fastrnn_examples_f64 TYPED(widened_examples)(const TYPED(example_call) *c)
{
    const fastrnn_network *network = &c->model->network;
    const TYPED(fastrnn_examples) *e = c->examples;
    const size_t targets = network->last ? e->count : (size_t)e->inputs.begin[e->count];
    fastrnn_examples_f64 wide = {.count = e->count,
                                 .inputs = TYPED(widened_sequences)(network, e->count, &e->inputs),
                                 .classes = e->classes,
                                 .shuffle = e->shuffle,
                                 .carried = e->carried};
    wide.numbers = e->numbers != NULL ? TYPED(widened)(targets * network->outputs, e->numbers) : NULL;
    wide.features = e->features != NULL ? TYPED(widened)(e->count * c->model->features, e->features) : NULL;
    if (e->sources.begin != NULL) {
        wide.sources = TYPED(widened_sequences)(&c->model->encoder, e->count, &e->sources);
    }
    return wide;
}

/* One iteration by the library and one by the naive implementation, from the same point. */
static void TYPED(check_example_iteration)(place at, const TYPED(example_call) *c)
{
    const size_t mark = memory.in_use;
    const parameter_parts parts = parts_of_conditioned(c->model);
    const naive_learner naive = TYPED(widened_learner)(c->learner, parts.end, TYPED(carried_states)(c));
    const fastrnn_examples_f64 examples = TYPED(widened_examples)(c);
    fastrnn_training training = *c->training;

    check_status(at, FASTRNN_OK, TYPED(example_train_door)(c));
    naive_conditioned_train(c->model, &examples, c->B, &naive, c->optimizer, &training);

    TYPED(check_progress)(at, c->training, &training);
    TYPED(check_learner)(at, &parts, c->learner, &naive);
    TYPED(check_subnormals)(at);
    release_since(mark);
}

/* Two iterations, of which the second is the next in the pass, its last one, or the first of the next. */
static void TYPED(example_train_case)(const void *shape)
{
    const example_shape *s = shape;
    random_state = 30 + 100 * s->model.network.stack.input_size + s->model.network.stack.hidden_size;
    const TYPED(example_call) c = TYPED(valid_example_call)(s);
    for (size_t i = 0; i < 2; i++) {
        describe_examples(HERE, i == 0 ? "train" : "train on", s);
        TYPED(check_example_iteration)(HERE, &c);
    }
}

/* ---- the same iterations, differently ended -------------------------------------------------------------------- */

static void TYPED(check_same_examples)(place at, const TYPED(example_call) *x, const TYPED(example_call) *y,
                                       bool failed)
{
    TYPED(check_same_progress)(at, conditioned_offsets_of(x->model).end, TYPED(carried_states)(x), x->learner,
                               x->training, y->learner, y->training, failed);
}

static TYPED(example_call) TYPED(same_example_call)(const example_shape *s, size_t iterations)
{
    random_state = 32;
    TYPED(example_call) c = TYPED(valid_example_call)(s);
    c.iterations = iterations;
    return c;
}

/* Four iterations and three more, through the ends of two passes, are seven, and so are a hundred of which the seventh
 * is interrupted. */
static void TYPED(example_interrupted_case)(const void *shape)
{
    const example_shape *s = shape;
    TYPED(example_call) whole = TYPED(same_example_call)(s, 7), parts = TYPED(same_example_call)(s, 4),
                        interrupted = TYPED(same_example_call)(s, 100);
    size_t left = 7;
    *interrupted.interruption = (fastrnn_interruption){after_so_many, &left};
    whole.interruption = NULL;
    describe_examples(HERE, "train in parts", s);
    CHECK_OK(TYPED(example_train_door)(&whole));
    CHECK(whole.training->position == s->B, "position is %zu after seven batches", whole.training->position);
    CHECK_OK(TYPED(example_train_door)(&parts));
    parts.iterations = 3;
    memset(parts.workspace, 0x3f, *parts.bytes);
    CHECK_OK(TYPED(example_train_door)(&parts));
    CHECK_OK(TYPED(example_train_door)(&interrupted));
    TYPED(check_same_examples)(HERE, &parts, &whole, false);
    TYPED(check_same_examples)(HERE, &interrupted, &whole, false);

    whole.iterations = 0;
    CHECK_OK(TYPED(example_train_door)(&whole));
    TYPED(check_same_examples)(HERE, &whole, &parts, false);
}

/* At the end of a pass the states become zeros, and nowhere else. */
static void TYPED(example_states_case)(const void *shape)
{
    const example_shape *s = shape;
    const TYPED(example_call) c = TYPED(same_example_call)(s, 1);
    const size_t batches = s->count / s->B, bytes = TYPED(carried_states)(&c) * sizeof(REAL);
    describe_examples(HERE, "states", s);
    for (size_t i = 1; i <= 2 * batches; i++) {
        CHECK_OK(TYPED(example_train_door)(&c));
        const unsigned char *h = (unsigned char *)c.learner->h, *cells = (unsigned char *)c.learner->c;
        CHECK(filled_with(0, h, h + bytes) == (i % batches == 0), "h after batch %zu of %zu", i, batches);
        CHECK(filled_with(0, cells, cells + bytes) == (i % batches == 0), "c after batch %zu of %zu", i, batches);
    }
}

/* ---- the order of a pass --------------------------------------------------------------------------------------- */

/* Notes the loss of each iteration. */
typedef struct {
    const fastrnn_training *training;
    double losses[64];
    size_t taken;
} TYPED(losses);

static int TYPED(note_loss)(void *state)
{
    TYPED(losses) *noted = state;
    noted->losses[noted->taken++] = noted->training->loss;
    return 0;
}

/* Which examples (3 x 11) three passes read, one by one: a network that puts out 0 and learns nothing, with the target
 * n + 1 in example n, whose loss is then (n + 1)^2. */
static void TYPED(read_passes)(place at, uint64_t seed, bool shuffle, size_t *read)
{
    const size_t mark = memory.in_use, count = 11;
    const example_shape s = {
        .model = {.network = {.stack = {FASTRNN_RNN_TANH, 1, 1, 1, 1, 0},
                              .vectors = 1,
                              .outputs = 1,
                              .last = 1,
                              .without_bias = 1,
                              .loss = FASTRNN_SQUARED_ERROR}},
        .T = 1, .B = 1, .count = count, .shuffle = shuffle};
    TYPED(example_call) c = TYPED(valid_example_call)(&s);
    TYPED(losses) noted = {.training = c.training};
    REAL *targets = (REAL *)c.examples->numbers;
    for (size_t n = 0; n < count; n++) {
        targets[n] = (REAL)(n + 1);
    }
    memset(c.learner->parameters, 0, conditioned_offsets_of(c.model).end * sizeof(REAL));
    c.training->schedule = (fastrnn_schedule){.decay = FASTRNN_CONSTANT};
    c.training->seed = seed;
    c.training->iterations = 0;
    c.iterations = 3 * count;
    *c.interruption = (fastrnn_interruption){TYPED(note_loss), &noted};
    check_status(at, FASTRNN_OK, TYPED(example_train_door)(&c));
    check_at(at, noted.taken == 3 * count, "asked %zu times", noted.taken);
    for (size_t i = 0; i < 3 * count; i++) {
        read[i] = (size_t)lround(sqrt(noted.losses[i])) - 1;
    }
    release_since(mark);
}

/* In each pass every example once; shuffled, in an order that follows from the seed and is another in each pass. */
static void TYPED(example_order_case)(const void *nothing)
{
    (void)nothing;
    enum { LENGTH = 11 };
    size_t plain[3 * LENGTH], first[3 * LENGTH], again[3 * LENGTH], other[3 * LENGTH];
    SITUATION("the order of examples");
    TYPED(read_passes)(HERE, 1, false, plain);
    TYPED(read_passes)(HERE, 1, true, first);
    TYPED(read_passes)(HERE, 1, true, again);
    TYPED(read_passes)(HERE, 2, true, other);
    for (size_t pass = 0; pass < 3; pass++) {
        const size_t *read = first + pass * LENGTH, bytes = LENGTH * sizeof *read;
        unsigned seen = 0;
        for (size_t i = 0; i < LENGTH; i++) {
            seen |= read[i] < LENGTH ? 1u << read[i] : 0;
            CHECK(plain[pass * LENGTH + i] == i, "example %zu was read as number %zu", plain[pass * LENGTH + i], i);
        }
        CHECK(seen == (1u << LENGTH) - 1, "not every example was read in pass %zu", pass);
        CHECK(memcmp(read, plain, bytes) != 0, "pass %zu was not shuffled", pass);
        CHECK(memcmp(read, again + pass * LENGTH, bytes) == 0, "the same seed gave another pass %zu", pass);
        CHECK(memcmp(read, other + pass * LENGTH, bytes) != 0, "another seed gave the same pass %zu", pass);
        CHECK(pass == 0 || memcmp(read, first, bytes) != 0, "passes 0 and %zu are the same", pass);
    }
}

/* ---- iterations that fail -------------------------------------------------------------------------------------- */

/* Some number that only example n is about. */
static REAL *TYPED(number_of_example)(const TYPED(example_call) *c, size_t n)
{
    const fastrnn_network *network = &c->model->network;
    const TYPED(fastrnn_examples) *e = c->examples;
    const size_t target = network->last ? n : (size_t)e->inputs.begin[n];
    const REAL *number = e->numbers != NULL          ? e->numbers + target * network->outputs
                         : e->inputs.vectors != NULL ? e->inputs.vectors + (size_t)e->inputs.begin[n] * 5
                                                     : e->sources.vectors + (size_t)e->sources.begin[n] * 3;
    return (REAL *)number;
}

/* An integer that only example n is about, and what it must be below. */
typedef struct {
    int64_t *index;
    size_t limit;
} TYPED(example_index);

#define EXAMPLE_INDICES 3

/* The last token, class or token of the source; NULL if there is none. */
static TYPED(example_index) TYPED(index_of_example)(const TYPED(example_call) *c, size_t n, size_t which)
{
    const fastrnn_network *network = &c->model->network;
    const TYPED(fastrnn_examples) *e = c->examples;
    const size_t last = (size_t)e->inputs.begin[n + 1] - 1;
    if (which == 0 && e->inputs.tokens != NULL) {
        return (TYPED(example_index)){(int64_t *)e->inputs.tokens + last, TYPED(tokens_of)(network)};
    }
    if (which == 1 && e->classes != NULL) {
        return (TYPED(example_index)){(int64_t *)e->classes + (network->last ? n : last), network->outputs};
    }
    if (which == 2 && e->sources.tokens != NULL) {
        return (TYPED(example_index)){(int64_t *)e->sources.tokens + e->sources.begin[n + 1] - 1,
                                      TYPED(tokens_of)(&c->model->encoder)};
    }
    return (TYPED(example_index)){NULL, 0};
}

/* Where the fourth iteration fails, at the last example of its batch, all is as the third left it; failing is otherwise
 * the call that same_example_call makes. */
static void TYPED(check_fourth_example_fails)(place at, const example_shape *s, fastrnn_status expected,
                                              const TYPED(example_call) *failing)
{
    const TYPED(example_call) three = TYPED(same_example_call)(s, 3);
    size_t left = 100;
    *failing->interruption = (fastrnn_interruption){after_so_many, &left};
    check_status(at, FASTRNN_OK, TYPED(example_train_door)(&three));
    check_status(at, expected, TYPED(example_train_door)(failing));
    check_at(at, left >= 96, "it went on after it had failed");
    check_at(at, expected == FASTRNN_ERROR_INDEX || !isfinite(failing->training->loss), "loss is %g",
             failing->training->loss);
    TYPED(check_same_examples)(at, failing, &three, expected == FASTRNN_ERROR_NOT_FINITE);
    TYPED(check_subnormals)(at);
}

static void TYPED(example_failing_case)(const void *shape)
{
    example_shape s = *(const example_shape *)shape;
    const size_t n = 4 * s.B - 1;
    s.shuffle = false;
    s.count = 6 * s.B;
    for (size_t i = 0; i < 4 * EXAMPLE_INDICES; i++) {
        const size_t mark = memory.in_use;
        const TYPED(example_call) failing = TYPED(same_example_call)(&s, 7);
        const TYPED(example_index) found = TYPED(index_of_example)(&failing, n, i / 4);
        const int64_t bad[] = {(int64_t)found.limit, -1, INT64_MIN, INT64_MAX};
        describe_examples(HERE, i / 4 == 1 ? "train, a bad class" : "train, a bad token", &s);
        if (found.index != NULL) {
            *found.index = bad[i % 4];
            TYPED(check_fourth_example_fails)(HERE, &s, FASTRNN_ERROR_INDEX, &failing);
        }
        release_since(mark);
    }
    const REAL not_finite[] = {(REAL)NAN, (REAL)INFINITY};
    for (size_t i = 0; i < COUNT(not_finite); i++) {
        const size_t mark = memory.in_use;
        const TYPED(example_call) failing = TYPED(same_example_call)(&s, 7);
        const bool softmax = s.model.network.loss == FASTRNN_SOFTMAX_CROSS_ENTROPY; /* gates close on infinity */
        describe_examples(HERE, "train, a number is not finite", &s);
        *TYPED(number_of_example)(&failing, n) = not_finite[softmax ? 0 : i];
        TYPED(check_fourth_example_fails)(HERE, &s, FASTRNN_ERROR_NOT_FINITE, &failing);
        release_since(mark);
    }
}

static void TYPED(example_gradient_case)(const void *last)
{
    const size_t H = 6, V = 7;
    for (size_t i = 0; i < 4; i++) {
        const size_t mark = memory.in_use;
        const example_shape s = {.model = {.network = {.stack = {FASTRNN_LSTM, 3, H, 1, 1, 1},
                                                       .outputs = V,
                                                       .last = *(const int *)last}},
                                 .T = 1, .B = 1, .count = 2, .carried = true, .optimizer = 9, .by_value = i % 2,
                                 .by_norm = i / 2};
        describe_examples(HERE, "train, a gradient that is not finite", &s);
        const TYPED(example_call) c = TYPED(same_example_call)(&s, 1);
        const fastrnn_conditioned_offsets at = conditioned_offsets_of(c.model);
        TYPED(let_gradient_overflow)(c.learner, at.end, at.network + offsets_of(&c.model->network).W, V, H, H);
        *(int64_t *)c.examples->classes = 0;
        memory.in_use--; /* the workspace, which was taken last, may change */
        remember_memory();
        check_status(HERE, FASTRNN_ERROR_NOT_FINITE, TYPED(example_train_door)(&c));
        TYPED(check_loss)(HERE, c.training->loss, log((double)V));
        c.training->loss = 0; /* as it was */
        CHECK(memory_is_as_remembered(), "something but the loss has changed");
        TYPED(check_subnormals)(HERE);
        release_since(mark);
    }
}

/* ---- memory ---------------------------------------------------------------------------------------------------- */

/* The workspace may begin anywhere and hold anything: the results are the same, and nothing around it is written. */
static void TYPED(example_memory_case)(const void *shape)
{
    const example_shape *s = shape;
    const TYPED(example_call) first = TYPED(same_example_call)(s, 4);
    const size_t mark = memory.in_use;
    CHECK_OK(TYPED(example_train_door)(&first));
    for (size_t offset = 1; offset <= 64; offset++) {
        TYPED(example_call) now = TYPED(same_example_call)(s, 4);
        const unsigned char filler = offset % 2 ? 0xff : 0x3f; /* NaN and ordinary numbers */
        const size_t bytes = *now.bytes;
        unsigned char *around = memset(guarded(bytes + 64), filler, bytes + 64);
        now.workspace = around + offset;
        describe_examples(HERE, "memory", s);
        CHECK_OK(TYPED(example_train_door)(&now));
        TYPED(check_same_examples)(HERE, &now, &first, false);
        CHECK(filled_with(filler, around, around + offset), "written before the workspace");
        CHECK(filled_with(filler, around + offset + bytes, around + bytes + 64), "written past the workspace");
        release_since(mark);
    }
}

/* The caller may choose another instruction set after it has allocated the memory. Leaves the last one chosen. */
static void TYPED(example_bytes_case)(const void *shape)
{
    const example_shape *s = shape;
    random_state = 33;
    const TYPED(example_call) c = TYPED(valid_example_call)(s);
    size_t first = 0;
    describe_examples(HERE, "bytes", s);
    for (size_t i = 0; fastrnn_available_isa(i) != NULL; i++) {
        CHECK_OK(fastrnn_select_isa(fastrnn_available_isa(i)));
        CHECK_OK(TYPED(example_memory_door)(&c));
        first = i == 0 ? *c.bytes : first;
        CHECK(*c.bytes == first, "%s takes another amount of memory than %s", fastrnn_available_isa(i),
              fastrnn_available_isa(0));
    }
}

static void TYPED(test_examples)(void)
{
    run_over_examples(EXAMPLE_OPTIONS, example_option_shape, TYPED(example_train_case));
    run_over_examples(SPECIAL_EXAMPLES, example_special_shape, TYPED(example_train_case));
    run_over_examples(PLAIN_EXAMPLES, example_plain_shape, TYPED(example_interrupted_case));
    run_over_examples(PLAIN_EXAMPLES, example_plain_shape, TYPED(example_memory_case));
    run_over_examples(WITH_NUMBERS, example_plain_shape, TYPED(example_failing_case));
    const example_shape carried = example_plain_shape(0);
    run_case_guarded(TYPED(example_states_case), &carried);
    run_case_guarded(TYPED(example_order_case), NULL);
    run_case_guarded(TYPED(example_gradient_case), &(int){0});
    run_case_guarded(TYPED(example_gradient_case), &(int){1});
}

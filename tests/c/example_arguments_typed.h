/* What the doors of networks that learn from examples refuse, and those of any network's outputs, as arguments_typed.h
 * has it for the others. */

/* Whatever a model can have: vectors, a context, an LSTM, and an optimizer with every slot. */
static const example_shape TYPED(plain_encoder) = {
    .model = {.network = {.stack = {FASTRNN_LSTM, 9, 6, 2, 1, 1}, .vectors = 1, .outputs = 3, .context = 6},
              .source = FASTRNN_ENCODER,
              .encoder = {.stack = {FASTRNN_LSTM, 4, 6, 2, 1, 1}}},
    .T = 3, .steps = 2, .B = 2, .count = 5, .optimizer = 8};
static const example_shape TYPED(plain_features) = {
    .model = {.network = {.stack = {FASTRNN_GRU, 9, 6, 2, 1, 1},
                          .embeddings = 8,
                          .outputs = 3,
                          .loss = FASTRNN_SQUARED_ERROR},
              .source = FASTRNN_FEATURES,
              .features = 4},
    .T = 3, .B = 2, .count = 6, .optimizer = 0};
static const example_shape TYPED(plain_carried) = {
    .model = {.network = {.stack = {FASTRNN_LSTM, 4, 6, 2, 1, 1}, .outputs = 3}},
    .T = 3, .B = 2, .count = 6, .optimizer = 0, .carried = true};

/* ---- examples -------------------------------------------------------------------------------------------------- */

static void TYPED(check_example_pointers)(place at, door *open, const TYPED(example_call) *c)
{
    const size_t both[] = {OFFSET(example_call, model), OFFSET(example_call, examples)};
    const size_t begin[] = {OFFSET(fastrnn_sequences, begin)};
    const size_t steps[] = {c->model->network.vectors ? OFFSET(fastrnn_sequences, vectors)
                                                      : OFFSET(fastrnn_sequences, tokens)};
    const size_t targets[] = {c->model->network.loss == FASTRNN_SOFTMAX_CROSS_ENTROPY
                                  ? OFFSET(fastrnn_examples, classes)
                                  : OFFSET(fastrnn_examples, numbers)};
    const size_t features[] = {OFFSET(fastrnn_examples, features)}, tokens[] = {OFFSET(fastrnn_sequences, tokens)};
    check_nulls(at, open, c, (void *)c, COUNT(both), both);
    check_nulls(at, open, c, &c->examples->inputs, 1, begin);
    check_nulls(at, open, c, &c->examples->inputs, 1, steps);
    check_nulls(at, open, c, c->examples, 1, targets);
    if (c->model->source == FASTRNN_FEATURES) {
        check_nulls(at, open, c, c->examples, 1, features);
    } else if (c->model->source == FASTRNN_ENCODER) {
        check_nulls(at, open, c, &c->examples->sources, 1, begin);
        check_nulls(at, open, c, &c->examples->sources, 1, tokens);
    }
}

/* Sequences that do not begin at 0, or do not go up, or are too long. Of those that are refused nothing is read but
 * where they begin. */
static void TYPED(check_begin_refused)(place at, door *open, const TYPED(example_call) *c, const int64_t **begin)
{
    const int64_t *good = *begin;
    const size_t count = c->examples->count;
    int64_t *bad = guarded_copy(good, (count + 1) * sizeof *bad);
    const int64_t rows = (int64_t)1 << 32;
    const struct {
        size_t from, to; /* of these, */
        int64_t value;   /* this; from there on up by one each */
    } cases[] = {{0, 0, 1},        {0, 0, -1},           {0, count, 5},         {0, count, INT64_MIN},
                 {1, 1, 0},        {1, 1, -1},           {2, 2, good[1]},       {2, 2, good[1] - 1},
                 {2, 2, good[3]},  {2, 2, good[3] + 1},  {count, count, 0},     {count, count, good[count - 1]},
                 {1, 1, INT64_MIN}, {count, count, 2 * rows}, {count, count, INT64_MAX},
                 {count, count, good[count - 1] + rows / (int64_t)c->B}};
    *begin = bad;
    for (size_t i = 0; i < COUNT(cases); i++) {
        memcpy(bad, good, (count + 1) * sizeof *bad);
        for (size_t n = cases[i].from; n <= cases[i].to; n++) {
            bad[n] = cases[i].value + (int64_t)(n - cases[i].from);
        }
        situation_at(at, "begin[%zu] = %lld", cases[i].from, (long long)cases[i].value);
        check_refusal(at, FASTRNN_ERROR_SHAPE, open, c);
    }
    *begin = good;
}

static void TYPED(check_examples_refused)(place at, door *open, TYPED(example_call) *c)
{
    TYPED(fastrnn_examples) *e = c->examples;
    const fastrnn_conditioned model = *c->model;
    const size_t B = c->B, count = e->count, rows = (size_t)1 << 32;
    TYPED(check_example_pointers)(at, open, c);
    TYPED(check_begin_refused)(at, open, c, &e->inputs.begin);
    if (model.source == FASTRNN_ENCODER) {
        TYPED(check_begin_refused)(at, open, c, &e->sources.begin);
    }
    for (size_t i = 0; i < BAD_MODELS; i++) {
        *c->model = bad_model(i);
        situation_at(at, "bad model %zu", i);
        check_refusal(at, FASTRNN_ERROR_SHAPE, open, c);
    }
    *c->model = model;
    const size_t counts[] = {0, (size_t)1 << 53, SIZE_MAX}, batches[] = {0, rows, SIZE_MAX};
    for (size_t i = 0; i < COUNT(counts); i++) {
        e->count = counts[i];
        situation_at(at, "%zu examples", counts[i]);
        check_refusal(at, FASTRNN_ERROR_SHAPE, open, c);
    }
    e->count = count;
    for (size_t i = 0; i < COUNT(batches); i++) {
        c->B = batches[i];
        situation_at(at, "B=%zu", c->B);
        check_refusal(at, FASTRNN_ERROR_SHAPE, open, c);
    }
    c->B = B;
}

/* States that cannot be carried. */
static void TYPED(check_carried_refused)(place at, door *open)
{
    const size_t mark = memory.in_use;
    TYPED(example_call) c = TYPED(valid_example_call)(&TYPED(plain_carried));
    c.B = 4;
    situation_at(at, "carried over six examples by four");
    check_refusal(at, FASTRNN_ERROR_SHAPE, open, &c);
    c.B = 2;
    c.model->network.stack.directions = 2;
    situation_at(at, "carried in two directions");
    check_refusal(at, FASTRNN_ERROR_SHAPE, open, &c);
    c.model->network.stack.directions = 1;
    c.model->source = FASTRNN_FEATURES;
    c.model->features = 1;
    c.examples->features = TYPED(randoms)(6, 1);
    situation_at(at, "carried, and from features");
    check_refusal(at, FASTRNN_ERROR_SHAPE, open, &c);
    release_since(mark);
}

static const example_shape *const TYPED(plain_examples)[] = {
    &TYPED(plain_encoder), &TYPED(plain_features), &TYPED(plain_carried)};

static void TYPED(example_memory_arguments_case)(const void *nothing)
{
    (void)nothing;
    door *open = TYPED(example_memory_door);
    for (size_t i = 0; i < COUNT(TYPED(plain_examples)); i++) {
        const size_t mark = memory.in_use;
        TYPED(example_call) c = TYPED(valid_example_call)(TYPED(plain_examples)[i]);
        TYPED(check_examples_refused)(HERE, open, &c);
        check_nulls(HERE, open, &c, &c, 1, &(size_t){OFFSET(example_call, bytes)});
        if (!c.examples->carried) {
            c.B = c.examples->count;
            CHECK_OK(open(&c));
            const size_t all = *c.bytes;
            c.B = ((size_t)1 << 32) - 1;
            CHECK_OK(open(&c));
            CHECK(*c.bytes == all, "a batch larger than the data takes %zu bytes, one of all of them %zu", *c.bytes, all);
            c.B = 2;
        }
        CHECK_OK(open(&c));
        const size_t without = *c.bytes;
        c.dropout = 1;
        CHECK_OK(open(&c));
        CHECK(*c.bytes > without, "dropout takes no memory");
        release_since(mark);
    }
    TYPED(check_carried_refused)(HERE, open);
}

/* At the limits the sizes are still sums without overflow. */
static void TYPED(example_limits_case)(const void *nothing)
{
    (void)nothing;
    const size_t units = UNITS - 1, rows = ((size_t)1 << 32) - 1;
    const fastrnn_stack widest = {FASTRNN_LSTM, units, units, 255, 1, 1};
    const fastrnn_network wide = {.stack = widest, .embeddings = units, .outputs = units};
    const fastrnn_network vectors = {.stack = {FASTRNN_LSTM, units, units, 255, 2, 1}, .vectors = 1, .outputs = units};
    const fastrnn_network narrow = {.stack = {FASTRNN_RNN_TANH, 1, 1, 1, 1, 1}, .outputs = 1};
    const struct {
        fastrnn_conditioned model;
        int64_t T;
        size_t B;
    } cases[] = {{{.network = wide, .source = FASTRNN_FEATURES, .features = units}, 1 << 8, 1 << 7},
                 {{.network = wide, .source = FASTRNN_ENCODER, .encoder = {.stack = widest}}, 1 << 8, 1 << 7},
                 {{.network = vectors}, 1 << 7, 1 << 7},
                 {{.network = narrow}, (int64_t)rows, 1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const size_t mark = memory.in_use, step = sizeof(REAL), cells = (size_t)cases[i].T;
        TYPED(example_call) c = TYPED(valid_example_call)(&TYPED(plain_features));
        *c.model = cases[i].model;
        c.examples->count = 1; /* of which a batch cannot have more */
        c.examples->classes = c.examples->inputs.tokens;
        c.examples->inputs.vectors = c.examples->numbers;
        c.examples->inputs.begin = guarded_copy((int64_t[]){0, cases[i].T}, 2 * sizeof(int64_t));
        c.examples->sources = c.examples->inputs;
        c.examples->features = c.examples->numbers;
        c.B = cases[i].B;
        c.dropout = 1;
        SITUATION("limits %zu", i);
        CHECK_OK(TYPED(example_memory_door)(&c));
        const fastrnn_network *n = &c.model->network;
        const double states = (double)cells * (double)(n->stack.layers * n->stack.directions * n->stack.hidden_size);
        const double least = (double)conditioned_offsets_of(c.model).end * (double)step +
                             (double)cells * (double)n->outputs * (double)step + states * (double)step;
        CHECK((double)*c.bytes > least, "%zu bytes, which ought to be more than %g", *c.bytes, least);
        release_since(mark);
    }
}

static void TYPED(example_train_arguments_case)(const void *nothing)
{
    (void)nothing;
    door *open = TYPED(example_train_door);
    const size_t pointers[] = {OFFSET(example_call, optimizer), OFFSET(example_call, learner),
                               OFFSET(example_call, training), OFFSET(example_call, workspace)};
    const size_t slots[] = {OFFSET(fastrnn_learner, momentum), OFFSET(fastrnn_learner, mean),
                            OFFSET(fastrnn_learner, squares)};
    const size_t states[] = {OFFSET(fastrnn_learner, h), OFFSET(fastrnn_learner, c)};
    for (size_t i = 0; i < COUNT(TYPED(plain_examples)); i++) {
        const size_t mark = memory.in_use;
        TYPED(example_call) c = TYPED(valid_example_call)(TYPED(plain_examples)[i]);
        TYPED(check_examples_refused)(HERE, open, &c);
        check_nulls(HERE, open, &c, &c, COUNT(pointers), pointers);
        check_nulls(HERE, open, &c, c.learner, 1, &(size_t){OFFSET(fastrnn_learner, parameters)});
        check_nulls(HERE, open, &c, c.learner, c.learner->squares != NULL ? COUNT(slots) : 0, slots);
        check_nulls(HERE, open, &c, c.learner, c.examples->carried ? COUNT(states) : 0, states);
        check_nulls(HERE, open, &c, c.interruption, 1, &(size_t){offsetof(fastrnn_interruption, poll)});
        TYPED(check_run_refused)(HERE, open, &c, c.training);
        c.interruption = NULL;
        CHECK_OK(open(&c));
        release_since(mark);
    }
    TYPED(check_carried_refused)(HERE, open);

    const example_shape *s = &TYPED(plain_encoder);
    TYPED(example_call) c = TYPED(valid_example_call)(s);
    const struct {
        size_t position;
        uint64_t iterations;
    } bad[] = {{1, 9}, {3, 9}, {6, 9}, {5, 9}, {SIZE_MAX, 9}, {SIZE_MAX - 1, UINT64_MAX}, {4, 1}, {2, 0}};
    for (size_t i = 0; i < COUNT(bad); i++) { /* of five examples by two */
        c.training->position = bad[i].position;
        c.training->iterations = bad[i].iterations;
        SITUATION("position %zu at iteration %zu", bad[i].position, (size_t)bad[i].iterations);
        check_refusal(HERE, FASTRNN_ERROR_VALUE, open, &c);
    }
    c.training->position = 4;
    c.training->iterations = 2;
    c.optimizer->kind = (fastrnn_optimizer_kind)(FASTRNN_ADAM + 1);
    SITUATION("an unknown optimizer");
    check_refusal(HERE, FASTRNN_ERROR_VALUE, open, &c);
    *c.optimizer = TYPED(optimizer_numbered)(s->optimizer);
    CHECK_OK(open(&c));
}

/* ---- outputs --------------------------------------------------------------------------------------------------- */

static void TYPED(check_outputs_refused)(place at, door *open, TYPED(outputs_call) *c)
{
    const fastrnn_network good = *c->network;
    const size_t T = c->T, B = c->B, rows = (size_t)1 << 32;
    check_nulls(at, open, c, c, 1, &(size_t){OFFSET(outputs_call, network)});
    for (size_t i = 0; i < BAD_NETWORKS; i++) {
        *c->network = bad_network(i);
        situation_at(at, "bad network %zu", i);
        check_refusal(at, FASTRNN_ERROR_SHAPE, open, c);
    }
    *c->network = good;
    const size_t sizes[][2] = {{0, B},        {T, 0},        {rows, 1},            {1, rows},
                               {rows / 2, 2}, {SIZE_MAX, 1}, {SIZE_MAX, SIZE_MAX}, {rows << 16, rows >> 16}};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        c->T = sizes[i][0];
        c->B = sizes[i][1];
        situation_at(at, "T=%zu B=%zu", c->T, c->B);
        check_refusal(at, FASTRNN_ERROR_SHAPE, open, c);
    }
    c->T = rows / 2;
    c->B = 1;
    c->network->outputs = (size_t)1 << 17;
    situation_at(at, "too many outputs in all");
    check_refusal(at, FASTRNN_ERROR_SHAPE, open, c);
    c->T = T;
    c->B = B;
    *c->network = good;
}

static void TYPED(outputs_memory_arguments_case)(const void *nothing)
{
    (void)nothing;
    door *open = TYPED(outputs_memory_door);
    TYPED(outputs_call) c = TYPED(valid_outputs_call)(&TYPED(plain_encoder).model.network, 3, 2, true, NO_STATES);
    TYPED(check_outputs_refused)(HERE, open, &c);
    check_nulls(HERE, open, &c, &c, 1, &(size_t){OFFSET(outputs_call, bytes)});
    CHECK_OK(open(&c));
    const size_t units = UNITS - 1, cells = (size_t)1 << 15;
    *c.network = (fastrnn_network){
        .stack = {FASTRNN_LSTM, units, units, 255, 1, 1}, .embeddings = units, .outputs = units, .context = units - 1};
    c.T = cells;
    c.B = 1;
    SITUATION("limits");
    CHECK_OK(open(&c));
    const double least = (double)cells * (double)units * 257 * sizeof(REAL); /* inputs, states, outputs */
    CHECK((double)*c.bytes > least && *c.bytes < (size_t)1 << 63, "%zu bytes", *c.bytes);
}

static void TYPED(outputs_arguments_case)(const void *nothing)
{
    (void)nothing;
    door *open = TYPED(outputs_door);
    const fastrnn_network *network = &TYPED(plain_encoder).model.network;
    const size_t pointers[] = {OFFSET(outputs_call, parameters), OFFSET(outputs_call, input), OFFSET(outputs_call, hn),
                               OFFSET(outputs_call, cn),         OFFSET(outputs_call, y),
                               OFFSET(outputs_call, workspace)};
    const size_t input[] = {OFFSET(fastrnn_network_input, vectors), OFFSET(fastrnn_network_input, context)};
    TYPED(outputs_call) c = TYPED(valid_outputs_call)(network, 3, 2, true, STATES_APART);
    check_nulls(HERE, open, &c, &c, COUNT(pointers), pointers);
    check_nulls(HERE, open, &c, c.input, COUNT(input), input);
    TYPED(check_outputs_refused)(HERE, open, &c);
    const int64_t bad[] = {0, -1, 4, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < 2 * COUNT(bad); i++) {
        const int64_t kept = c.lengths[i % 2];
        c.lengths[i % 2] = bad[i / 2];
        SITUATION("length %lld of sequence %zu", (long long)bad[i / 2], i % 2);
        check_refusal(HERE, FASTRNN_ERROR_SHAPE, open, &c);
        c.lengths[i % 2] = kept;
    }
    CHECK_OK(open(&c));

    /* Tokens that stand past a sequence's length, too. */
    const fastrnn_network *const tokens[] = {&TYPED(plain_features).model.network, &TYPED(plain_encoder).model.encoder};
    for (size_t i = 0; i < COUNT(tokens); i++) {
        c = TYPED(valid_outputs_call)(tokens[i], 3, 2, true, NO_STATES);
        c.lengths[1] = 1;
        check_nulls(HERE, open, &c, c.input, 1, &(size_t){OFFSET(fastrnn_network_input, tokens)});
        check_indices_refused(HERE, open, &c, 6, (int64_t *)c.input->tokens, TYPED(tokens_of)(tokens[i]));
        CHECK_OK(open(&c));
    }
}

static void TYPED(test_example_arguments)(void)
{
    test_case *cases[] = {TYPED(example_memory_arguments_case), TYPED(example_limits_case),
                          TYPED(example_train_arguments_case), TYPED(outputs_memory_arguments_case),
                          TYPED(outputs_arguments_case)};
    for (size_t i = 0; i < COUNT(cases); i++) {
        random_state = 34;
        run_case_guarded(cases[i], NULL);
    }
}

static void TYPED(no_isa_example_case)(const void *nothing)
{
    (void)nothing;
    TYPED(example_call) c = TYPED(valid_example_call)(&TYPED(plain_encoder));
    TYPED(outputs_call) o = TYPED(valid_outputs_call)(&TYPED(plain_encoder).model.network, 3, 2, true, NO_STATES);
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(example_memory_door), &c);
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(example_train_door), &c);
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(outputs_memory_door), &o);
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(outputs_door), &o);
}

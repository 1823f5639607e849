/* Networks over tokens against the naive implementation: their training, and what they predict. */

/* A learner in float64; states: numbers in h and c, zeros where they are NULL. */
static naive_learner TYPED(widened_learner)(const TYPED(fastrnn_learner) *l, size_t end, size_t states)
{
    return (naive_learner){.end = end,
                           .states = states,
                           .parameters = TYPED(widened)(end, l->parameters),
                           .momentum = TYPED(widened_or_zeros)(end, l->momentum),
                           .mean = TYPED(widened_or_zeros)(end, l->mean),
                           .squares = TYPED(widened_or_zeros)(end, l->squares),
                           .h = TYPED(widened_or_zeros)(states, l->h),
                           .c = TYPED(widened_or_zeros)(states, l->c),
                           .largest = (double)LIMIT(MAX)};
}

static naive_learner TYPED(naive_learner_of)(const TYPED(token_call) *c)
{
    return TYPED(widened_learner)(c->learner, offsets_of(c->network).end, TYPED(token_states)(c));
}

/* A buffer like the parameters, or NULL, part by part. */
static void TYPED(check_parts)(place at, const char *what, const parameter_parts *parts, const REAL *actual,
                               const double *expected)
{
    for (size_t i = 0; actual != NULL && i < parts->count; i++) {
        const parameter_part *part = &parts->part[i];
        char name[40];
        snprintf(name, sizeof name, "%s of %s", what, part->name);
        TYPED(check_close)(at, name, part->size, actual + part->begin, expected + part->begin, INFINITY);
    }
}

static void TYPED(check_learner)(place at, const parameter_parts *parts, const TYPED(fastrnn_learner) *actual,
                                 const naive_learner *expected)
{
    TYPED(check_parts)(at, "parameters", parts, actual->parameters, expected->parameters);
    TYPED(check_parts)(at, "momentum", parts, actual->momentum, expected->momentum);
    TYPED(check_parts)(at, "mean", parts, actual->mean, expected->mean);
    TYPED(check_parts)(at, "squares", parts, actual->squares, expected->squares);
    TYPED(check_if_wanted)(at, "h", expected->states, actual->h, expected->h);
    TYPED(check_if_wanted)(at, "c", expected->states, actual->c, expected->c);
}

/* One iteration by the library and one by the naive implementation, from the same point. */
static void TYPED(check_token_iteration)(place at, const TYPED(token_call) *c)
{
    const size_t mark = memory.in_use;
    const parameter_parts parts = parts_of_network(c->network);
    const naive_learner naive = TYPED(naive_learner_of)(c);
    fastrnn_training training = *c->training;

    check_status(at, FASTRNN_OK, TYPED(token_train_door)(c));
    naive_network_train(c->network, c->T, c->B, &naive, c->optimizer, &training);

    TYPED(check_progress)(at, c->training, &training);
    TYPED(check_learner)(at, &parts, c->learner, &naive);
    TYPED(check_subnormals)(at);
    release_since(mark);
}

static void TYPED(token_train_case)(const void *shape)
{
    const network_shape *s = shape;
    random_state = 20 + 100 * s->network.stack.input_size + s->network.stack.hidden_size;
    describe_network(HERE, "train", s);
    const TYPED(token_call) c = TYPED(valid_token_call)(s);
    TYPED(check_token_iteration)(HERE, &c);
}

/* ---- the same iterations, differently ended -------------------------------------------------------------------- */

static void TYPED(check_same_array)(place at, const char *name, size_t n, const REAL *x, const REAL *y)
{
    check_at(at, x == NULL || TYPED(same_bits)(n, x, y), "%s differs", name);
}

/* Both must have got to the same point, to the bit; the loss of an iteration that failed is left out. end and states
 * are as in naive_learner. */
static void TYPED(check_same_progress)(place at, size_t end, size_t states, const TYPED(fastrnn_learner) *a,
                                       const fastrnn_training *x, const TYPED(fastrnn_learner) *b,
                                       const fastrnn_training *y, bool failed)
{
    TYPED(check_same_array)(at, "parameters", end, a->parameters, b->parameters);
    TYPED(check_same_array)(at, "momentum", end, a->momentum, b->momentum);
    TYPED(check_same_array)(at, "mean", end, a->mean, b->mean);
    TYPED(check_same_array)(at, "squares", end, a->squares, b->squares);
    TYPED(check_same_array)(at, "h", states, a->h, b->h);
    TYPED(check_same_array)(at, "c", states, a->c, b->c);
    check_at(at, x->position == y->position, "position is %zu, not %zu", x->position, y->position);
    check_at(at, x->iterations == y->iterations, "%zu iterations, not %zu", (size_t)x->iterations,
             (size_t)y->iterations);
    check_at(at, x->smooth_loss == y->smooth_loss || (isnan(x->smooth_loss) && isnan(y->smooth_loss)),
             "the smooth loss differs");
    check_at(at, failed || x->loss == y->loss, "the loss differs");
}

static void TYPED(check_same_learners)(place at, const TYPED(token_call) *x, const TYPED(token_call) *y, bool failed)
{
    TYPED(check_same_progress)(at, offsets_of(x->network).end, TYPED(token_states)(x), x->learner, x->training,
                               y->learner, y->training, failed);
}

static TYPED(token_call) TYPED(same_token_call)(const network_shape *s, size_t iterations)
{
    random_state = 22;
    TYPED(token_call) c = TYPED(valid_token_call)(s);
    c.iterations = iterations;
    return c;
}

/* Four iterations and three more are seven, and so are a hundred of which the seventh is interrupted. */
static void TYPED(token_interrupted_case)(const void *shape)
{
    const network_shape *s = shape;
    TYPED(token_call) whole = TYPED(same_token_call)(s, 7), parts = TYPED(same_token_call)(s, 4),
                      interrupted = TYPED(same_token_call)(s, 100);
    size_t left = 7;
    *interrupted.interruption = (fastrnn_interruption){after_so_many, &left};
    whole.interruption = NULL;
    describe_network(HERE, "train in parts", s);
    CHECK_OK(TYPED(token_train_door)(&whole));
    CHECK_OK(TYPED(token_train_door)(&parts));
    parts.iterations = 3;
    memset(parts.train_workspace, 0x3f, parts.bytes->train);
    CHECK_OK(TYPED(token_train_door)(&parts));
    CHECK_OK(TYPED(token_train_door)(&interrupted));
    TYPED(check_same_learners)(HERE, &parts, &whole, false);
    TYPED(check_same_learners)(HERE, &interrupted, &whole, false);

    whole.iterations = 0;
    CHECK_OK(TYPED(token_train_door)(&whole));
    TYPED(check_same_learners)(HERE, &whole, &parts, false);
}

/* ---- the path of min-char-rnn's network ------------------------------------------------------------------------ */

static REAL *TYPED(second_bias)(const TYPED(token_call) *c)
{
    const fastrnn_network_offsets at = offsets_of(c->network);
    const fastrnn_stack *stack = &c->network->stack;
    return c->learner->parameters + at.stack + fastrnn_stack_parameters(stack) - stack->hidden_size;
}

static TYPED(token_call) TYPED(char_rnn_call)(const network_shape *s, REAL second_bias)
{
    random_state = 21;
    TYPED(token_call) c = TYPED(valid_token_call)(s);
    const size_t H = s->network.stack.hidden_size;
    for (size_t j = 0; j < H; j++) {
        TYPED(second_bias)(&c)[j] = j + 1 == H ? second_bias : 0;
    }
    c.iterations = 5;
    return c;
}

/* fastrnn_char_rnn_train on the numbers of a call. */
static fastrnn_status TYPED(train_as_char_rnn)(const TYPED(token_call) *c)
{
    const size_t H = c->network->stack.hidden_size, V = c->network->outputs;
    const fastrnn_network_offsets at = offsets_of(c->network);
    const fastrnn_shape shape = {.T = c->T, .B = c->B, .H = H, .V = V};
    REAL *const buffers[] = {c->learner->parameters, c->learner->squares};
    TYPED(fastrnn_char_rnn) models[COUNT(buffers)];
    for (size_t i = 0; i < COUNT(buffers); i++) {
        REAL *stack = buffers[i] + at.stack;
        models[i] = (TYPED(fastrnn_char_rnn)){.rnn = {stack, stack + H * V, stack + H * V + H * H},
                                              .output = {buffers[i] + at.W, buffers[i] + at.b}};
    }
    return TYPED(fastrnn_char_rnn_train)(&shape, &models[0], &models[1], c->learner->h, c->training, c->iterations,
                                         c->interruption, TYPED(workspace)(&shape));
}

/* Where b_hh is 0 the network is trained to the bit as fastrnn_char_rnn_train does, and to rounding as where it is next
 * to nothing; and both as the naive implementation does. */
static void TYPED(char_rnn_path_case)(const void *shape)
{
    const network_shape *s = shape;
    describe_network(HERE, "min-char-rnn's path", s);
    TYPED(token_call) own = TYPED(char_rnn_call)(s, 0);
    own.iterations = 1;
    TYPED(check_token_iteration)(HERE, &own);

    own = TYPED(char_rnn_call)(s, 0);
    const TYPED(token_call) same = TYPED(char_rnn_call)(s, 0), any = TYPED(char_rnn_call)(s, 16 * LIMIT(MIN));
    CHECK_OK(TYPED(token_train_door)(&own));
    CHECK_OK(TYPED(train_as_char_rnn)(&same));
    TYPED(check_same_learners)(HERE, &own, &same, false);

    CHECK_OK(TYPED(token_train_door)(&any));
    const parameter_parts parts = parts_of_network(&s->network);
    const naive_learner expected = TYPED(naive_learner_of)(&any);
    TYPED(check_progress)(HERE, own.training, any.training);
    TYPED(check_learner)(HERE, &parts, own.learner, &expected);
}

/* ---- iterations that fail -------------------------------------------------------------------------------------- */

/* The weights that the first layer has for a token: in the table, or in a column of W_ih. */
static REAL *TYPED(weight_of_token)(const TYPED(token_call) *c, size_t token)
{
    const fastrnn_network_offsets at = offsets_of(c->network);
    const size_t row = c->network->embeddings > 0 ? c->network->stack.input_size : 1;
    return c->learner->parameters + (c->network->embeddings > 0 ? at.embedding : at.stack) + token * row;
}

/* A text of which token V - 1 is in the fourth sequence of the last stream alone, as its last target but one. */
static void TYPED(put_rare_token)(const TYPED(token_call) *c)
{
    const fastrnn_text *text = &c->training->text;
    const int64_t V = (int64_t)c->network->outputs;
    for (size_t i = 0; i < text->length; i++) {
        TYPED(put_token)(text, i, (int64_t)random_below((size_t)V - 1));
    }
    TYPED(put_token)(text, (c->B - 1) * (text->length / c->B) + 4 * c->T - 1, V - 1);
}

/* A call at the beginning of streams of six sequences each. */
static TYPED(token_call) TYPED(long_token_call)(const network_shape *s, size_t iterations)
{
    const TYPED(token_call) c = TYPED(same_token_call)(s, iterations);
    c.training->position = 0;
    c.training->text = TYPED(random_text)(s->B * (6 * s->T + 3), s->width, s->network.outputs);
    TYPED(put_rare_token)(&c);
    return c;
}

/* Where the fourth iteration meets a token that the network cannot stand, all is as the third left it. */
static void TYPED(check_fourth_fails)(place at, const network_shape *s, fastrnn_status expected, int64_t token)
{
    const size_t mark = memory.in_use, V = s->network.outputs;
    const TYPED(token_call) three = TYPED(long_token_call)(s, 3), failing = TYPED(long_token_call)(s, 7);
    const fastrnn_text *text = &failing.training->text;
    if (expected == FASTRNN_ERROR_INDEX) {
        TYPED(put_token)(text, (s->B - 1) * (text->length / s->B) + 4 * s->T, token);
    } else {
        *TYPED(weight_of_token)(&three, V - 1) = *TYPED(weight_of_token)(&failing, V - 1) = (REAL)NAN;
    }
    size_t left = 100;
    *failing.interruption = (fastrnn_interruption){after_so_many, &left};
    check_status(at, FASTRNN_OK, TYPED(token_train_door)(&three));
    check_status(at, expected, TYPED(token_train_door)(&failing));
    check_at(at, left >= 96, "it went on after it had failed");
    check_at(at, expected == FASTRNN_ERROR_INDEX || isnan(failing.training->loss), "loss is %g",
             failing.training->loss);
    TYPED(check_same_learners)(at, &failing, &three, true);
    TYPED(check_subnormals)(at);
    release_since(mark);
}

static void TYPED(token_failing_case)(const void *shape)
{
    const network_shape *s = shape;
    const int64_t V = (int64_t)s->network.outputs, bad[] = {V, 255, -1, INT64_MIN};
    for (size_t i = 0; i < (s->width == 8 ? COUNT(bad) : 2); i++) {
        describe_network(HERE, "train, a token outside the vocabulary", s);
        TYPED(check_fourth_fails)(HERE, s, FASTRNN_ERROR_INDEX, bad[i]);
    }
    describe_network(HERE, "train, a weight is NaN", s);
    TYPED(check_fourth_fails)(HERE, s, FASTRNN_ERROR_NOT_FINITE, 0);
}

/* Weights of 0 but for those that the linear layer, from W on in the parameters (end), has for the first unit, whose
 * state is 0: they are so large that what goes back through them overflows. The loss is ln V at each step, for class 0;
 * the gradient is not finite, however it is clipped; the other units' states (n in all) move. */
static void TYPED(let_gradient_overflow)(const TYPED(fastrnn_learner) *l, size_t end, size_t W, size_t V, size_t H,
                                         size_t n)
{
    memset(l->parameters, 0, end * sizeof(REAL));
    for (size_t i = 0; i < V; i++) {
        l->parameters[W + i * H] = i == 0 ? -LIMIT(MAX) : LIMIT(MAX);
    }
    for (size_t i = 0; i < n; i += H) {
        l->h[i] = 0;
        TYPED(put)(l->c, i, 0);
    }
}

static void TYPED(not_finite_gradient_case)(const void *shape)
{
    network_shape s = *(const network_shape *)shape;
    s.B = 1;
    for (size_t i = 0; i < 4; i++) {
        const size_t mark = memory.in_use, H = s.network.stack.hidden_size, V = s.network.outputs;
        s.by_value = i % 2;
        s.by_norm = i / 2;
        describe_network(HERE, "train, a gradient that is not finite", &s);
        random_state = 23;
        const TYPED(token_call) c = TYPED(valid_token_call)(&s);
        const fastrnn_network_offsets at = offsets_of(c.network);
        TYPED(let_gradient_overflow)(c.learner, at.end, at.W, V, H, TYPED(token_states)(&c));
        for (size_t j = 0; j < c.training->text.length; j++) {
            TYPED(put_token)(&c.training->text, j, 0);
        }
        memory.in_use -= 2; /* the workspaces, which were taken last, may change */
        remember_memory();
        check_status(HERE, FASTRNN_ERROR_NOT_FINITE, TYPED(token_train_door)(&c));
        TYPED(check_loss)(HERE, c.training->loss, (double)s.T * log((double)V));
        c.training->loss = 0; /* as it was */
        CHECK(memory_is_as_remembered(), "something but the loss has changed");
        TYPED(check_subnormals)(HERE);
        release_since(mark);
    }
}

/* A network like min-char-rnn's whose b_hh is NaN: the path that has no need of b_hh may not be taken. */
static void TYPED(second_bias_case)(const void *shape)
{
    const network_shape *s = shape;
    describe_network(HERE, "train, b_hh is NaN", s);
    const TYPED(token_call) c = TYPED(char_rnn_call)(s, (REAL)NAN);
    check_status(HERE, FASTRNN_ERROR_NOT_FINITE, TYPED(token_train_door)(&c));
}

/* ---- the learning rate, and where a text begins anew ----------------------------------------------------------- */

/* Each kind of schedule around the ends of its steps and of its warm-up. */
static void TYPED(schedule_case)(const void *nothing)
{
    (void)nothing;
    const network_shape s = {{.stack = {FASTRNN_GRU, 3, 2, 1, 1, 1}, .outputs = 3}, .T = 2, .B = 1, .width = 1};
    const fastrnn_schedule schedules[] = {
        {0.1, FASTRNN_CONSTANT, 0, 0, 0},    {0.1, FASTRNN_CONSTANT, 5, 0, NAN}, {-0.1, FASTRNN_CONSTANT, 1, 0, 0},
        {0.1, FASTRNN_STEPS, 0, 3, 0.5},     {0.1, FASTRNN_STEPS, 4, 1, 0},      {0.1, FASTRNN_STEPS, 0, 4, 1},
        {0.1, FASTRNN_COSINE, 0, 5, 0},      {0.1, FASTRNN_COSINE, 7, 3, 0.25},  {0.1, FASTRNN_COSINE, 0, 1, 0.5},
        {0.1, FASTRNN_COSINE, UINT64_MAX, UINT64_MAX, 0.5}};
    const uint64_t iterations[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 100, (uint64_t)1 << 40, UINT64_MAX / 2};
    random_state = 24;
    const TYPED(token_call) c = TYPED(valid_token_call)(&s);
    for (size_t i = 0; i < COUNT(schedules) * COUNT(iterations); i++) {
        c.training->schedule = schedules[i / COUNT(iterations)];
        c.training->iterations = iterations[i % COUNT(iterations)];
        SITUATION("schedule %zu at iteration %llu", i / COUNT(iterations),
                  (unsigned long long)c.training->iterations);
        TYPED(check_token_iteration)(HERE, &c);
    }
}

/* A sequence that ends with the text, and one that leaves T + 2 tokens or one fewer: only the latter begins anew, and
 * sequences from anywhere never do; nor do those touch the states. */
static void TYPED(token_wrap_case)(const void *shape)
{
    network_shape s = *(const network_shape *)shape;
    const size_t stream = 3 * s.T + 4, positions[] = {stream - (s.T + 1), stream - (2 * s.T + 2),
                                                      stream - (2 * s.T + 1)};
    for (size_t i = 0; i < 2 * COUNT(positions); i++) {
        const size_t mark = memory.in_use, position = positions[i / 2];
        s.random_chunks = i % 2;
        TYPED(token_call) c = TYPED(same_token_call)(&s, 1);
        c.training->text = TYPED(random_text)(s.B * stream, s.width, s.network.outputs);
        c.training->position = position;
        const bool anew = !s.random_chunks && position != positions[1];
        REAL *states[] = {c.learner->h, c.learner->c};
        describe_network(HERE, "where a text begins anew", &s);
        const REAL *before = guarded_copy(states[0], TYPED(token_states)(&c) * sizeof(REAL));
        CHECK_OK(TYPED(token_train_door)(&c));
        CHECK(c.training->position == (anew ? 0 : position + (s.random_chunks ? 0 : s.T)), "position is %zu",
              c.training->position);
        for (size_t k = 0; k < 2 && states[k] != NULL; k++) {
            const unsigned char *begin = (unsigned char *)states[k];
            CHECK(filled_with(0, begin, begin + TYPED(token_states)(&c) * sizeof(REAL)) == anew,
                  anew ? "state %zu is not zero" : "state %zu is zero", k);
        }
        CHECK(TYPED(same_bits)(TYPED(token_states)(&c), before, states[0]) == s.random_chunks,
              "states are carried between sequences, and only there");
        release_since(mark);
    }
}

/* ---- what is predicted ----------------------------------------------------------------------------------------- */

static void TYPED(check_predicted)(place at, const TYPED(token_call) *c, const naive_network *naive, const double *nats)
{
    const size_t N = c->T * c->B, V = c->network->outputs, states = TYPED(token_states)(c);
    REAL *narrowed = TYPED(blanks)(N);
    for (size_t n = 0; c->nats != NULL && n < N; n++) {
        narrowed[n] = (REAL)c->nats[n];
    }
    TYPED(check_if_wanted)(at, "nats", N, c->nats != NULL ? narrowed : NULL, nats);
    TYPED(check_if_wanted)(at, "probabilities", c->B * V, c->probabilities, naive->ys + (N - c->B) * V);
    TYPED(check_close)(at, "h", states, c->learner->h, naive->stack.hn, INFINITY);
    TYPED(check_if_wanted)(at, "c", states, c->learner->c, naive->stack.cn);
    TYPED(check_subnormals)(at);
}

/* Outputs that are not as many as inputs, and everything asked for or not. */
static void TYPED(token_predict_case)(const void *shape)
{
    network_shape s = *(const network_shape *)shape;
    s.network.outputs += s.T % 4;
    random_state = 25;
    describe_network(HERE, "predict", &s);
    const TYPED(token_call) c = TYPED(valid_token_call)(&s);
    const naive_learner naive = TYPED(naive_learner_of)(&c);
    const size_t N = c.T * c.B, V = s.network.outputs, states = TYPED(token_states)(&c) * sizeof(REAL);
    double *nats = zeros(N);
    naive_network p = {.network = c.network,
                       .parameters = naive.parameters,
                       .batch = {.T = c.T, .B = c.B},
                       .tokens = c.tokens,
                       .h0 = naive.h,
                       .c0 = naive.c};
    naive_forward(&p);
    for (size_t n = 0; n < N; n++) {
        nats[n] = naive_softmax(V, 1, p.ys + n * V, (size_t)c.targets[n]);
    }
    for (size_t wanted = 0; wanted < 4; wanted++) {
        const size_t mark = memory.in_use;
        TYPED(token_call) now = c;
        TYPED(fastrnn_learner) learner = *c.learner;
        learner.h = guarded_copy(c.learner->h, states);
        learner.c = learner.c != NULL ? guarded_copy(learner.c, states) : NULL;
        now.learner = &learner;
        if (wanted % 2 == 0) {
            now.targets = NULL;
            now.nats = NULL;
        }
        now.probabilities = wanted / 2 ? TYPED(blanks)(c.B * V) : NULL;
        describe_network(HERE, wanted % 2 ? "predict targets" : "predict", &s);
        CHECK_OK(TYPED(token_predict_door)(&now));
        TYPED(check_predicted)(HERE, &now, &p, nats);
        release_since(mark);
    }
}

/* A probability that is 0 is a finite number of nats as long as the outputs are; what is not is refused. */
static void TYPED(not_finite_prediction_case)(const void *shape)
{
    const network_shape *s = shape;
    random_state = 26;
    TYPED(token_call) c = TYPED(valid_token_call)(s);
    const fastrnn_network_offsets at = offsets_of(c.network);
    const size_t N = c.T * c.B;
    describe_network(HERE, "predict what cannot be", s);
    c.targets[0] = c.targets[N - 1] = (int64_t)s->network.outputs - 1;
    c.learner->parameters[at.b + s->network.outputs - 1] = -100000;
    CHECK_OK(TYPED(token_predict_door)(&c));
    CHECK(fabs(c.nats[0] - 100000) < 1000 && fabs(c.nats[N - 1] - 100000) < 1000, "%g nats", c.nats[0]);

    const REAL bad[] = {(REAL)NAN, (REAL)INFINITY};
    for (size_t i = 0; i < 2 * COUNT(bad); i++) {
        TYPED(token_call) now = c;
        if (i % 2) {
            now.targets = NULL;
            now.nats = NULL;
        }
        c.learner->parameters[at.b] = bad[i / 2];
        check_status(HERE, FASTRNN_ERROR_NOT_FINITE, TYPED(token_predict_door)(&now));
        TYPED(check_subnormals)(HERE);
    }
}

/* ---- memory ---------------------------------------------------------------------------------------------------- */

/* The workspace may begin anywhere and hold anything: the results are the same, and nothing around it is written. */
static void TYPED(token_memory_case)(const void *shape)
{
    const network_shape *s = shape;
    const TYPED(token_call) first = TYPED(same_token_call)(s, 2);
    const size_t mark = memory.in_use;
    CHECK_OK(TYPED(token_train_door)(&first));
    CHECK_OK(TYPED(token_predict_door)(&first));
    for (size_t offset = 1; offset <= 64; offset++) {
        TYPED(token_call) now = TYPED(same_token_call)(s, 2);
        const unsigned char filler = offset % 2 ? 0xff : 0x3f; /* NaN and ordinary numbers */
        const size_t sizes[] = {now.bytes->train, now.bytes->predict};
        unsigned char *around[COUNT(sizes)];
        for (size_t i = 0; i < COUNT(sizes); i++) {
            around[i] = memset(guarded(sizes[i] + 64), filler, sizes[i] + 64);
        }
        now.train_workspace = around[0] + offset;
        now.predict_workspace = around[1] + offset;
        describe_network(HERE, "memory", s);
        CHECK_OK(TYPED(token_train_door)(&now));
        CHECK_OK(TYPED(token_predict_door)(&now));
        TYPED(check_same_learners)(HERE, &now, &first, false);
        CHECK(memcmp(now.nats, first.nats, s->T * s->B * sizeof(double)) == 0, "nats differ %zu bytes on", offset);
        TYPED(check_same_array)(HERE, "probabilities", s->B * s->network.outputs, now.probabilities,
                                first.probabilities);
        for (size_t i = 0; i < COUNT(sizes); i++) {
            CHECK(filled_with(filler, around[i], around[i] + offset), "written before workspace %zu", i);
            CHECK(filled_with(filler, around[i] + offset + sizes[i], around[i] + sizes[i] + 64),
                  "written past workspace %zu", i);
        }
        release_since(mark);
    }
}

/* The caller may choose another instruction set after it has allocated the memory. Leaves the last one chosen. */
static void TYPED(token_bytes_case)(const void *shape)
{
    const network_shape *s = shape;
    fastrnn_network_bytes first = {0}, bytes = {0};
    describe_network(HERE, "bytes", s);
    for (size_t i = 0; fastrnn_available_isa(i) != NULL; i++) {
        CHECK_OK(fastrnn_select_isa(fastrnn_available_isa(i)));
        CHECK_OK(TYPED(fastrnn_network_memory)(&s->network, s->T, s->B, s->dropout, &bytes));
        first = i == 0 ? bytes : first;
        CHECK(bytes.train == first.train && bytes.predict == first.predict && bytes.sample == first.sample,
              "%s takes another amount of memory than %s", fastrnn_available_isa(i), fastrnn_available_isa(0));
    }
}

static void TYPED(test_tokens)(void)
{
    run_over_networks(NETWORK_OPTIONS, network_option_shape, TYPED(token_train_case));
    run_over_networks(NETWORK_OPTIONS, network_option_shape, TYPED(token_predict_case));
    run_over_networks(SPECIAL_NETWORKS, network_special_shape, TYPED(token_train_case));
    run_over_networks(SPECIAL_NETWORKS, network_special_shape, TYPED(token_predict_case));
    run_over_networks(CHAR_RNNS, char_rnn_shape, TYPED(char_rnn_path_case));
    run_case_guarded(TYPED(schedule_case), NULL);
    const network_shape shapes[] = {
        {{.stack = {FASTRNN_RNN_TANH, 5, 7, 1, 1, 1}, .outputs = 5},
         .T = 2, .B = 3, .optimizer = 5, .width = 1, .by_value = true},
        {{.stack = {FASTRNN_RNN_TANH, 4, 9, 2, 1, 1}, .embeddings = 11, .outputs = 11},
         .T = 3, .B = 2, .optimizer = 8, .width = 2, .decay = FASTRNN_STEPS},
        {{.stack = {FASTRNN_GRU, 17, 6, 2, 1, 1}, .outputs = 17},
         .T = 4, .B = 2, .optimizer = 2, .width = 4, .dropout = true, .by_norm = true},
        {{.stack = {FASTRNN_LSTM, 6, 18, 1, 1, 1}, .embeddings = 9, .outputs = 9},
         .T = 2, .B = 2, .optimizer = 11, .width = 8, .decay = FASTRNN_COSINE}};
    for (size_t i = 0; i < COUNT(shapes); i++) {
        network_shape random = shapes[i];
        random.random_chunks = true;
        run_case_guarded(TYPED(token_interrupted_case), &shapes[i]);
        run_case_guarded(TYPED(token_interrupted_case), &random);
        run_case_guarded(TYPED(token_failing_case), &shapes[i]);
        run_case_guarded(TYPED(not_finite_gradient_case), &shapes[i]);
        run_case_guarded(TYPED(not_finite_gradient_case), &random);
        run_case_guarded(TYPED(not_finite_prediction_case), &shapes[i]);
        run_case_guarded(TYPED(token_wrap_case), &shapes[i]);
        run_case_guarded(TYPED(token_memory_case), &shapes[i]);
    }
    run_case_guarded(TYPED(second_bias_case), &shapes[0]);
}

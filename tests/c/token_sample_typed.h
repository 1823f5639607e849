/* Sampling from any network, as sample_typed.h has it for the character model: the naive one reads the tokens that the
 * library drew. */

typedef struct {
    fastrnn_network *network;
    size_t B;
    REAL *parameters;
    fastrnn_choice *choice;
    int64_t *first;
    REAL *h, *c;
    size_t n;
    fastrnn_uniform_source *uniform;
    fastrnn_interruption *interruption;
    int64_t *tokens;
    void *workspace;
} TYPED(draw_call);

static fastrnn_status TYPED(draw_door)(const void *call)
{
    const TYPED(draw_call) *c = call;
    return TYPED(fastrnn_network_sample)(c->network, c->B, c->parameters, c->choice, c->first, c->h, c->c, c->n,
                                         c->uniform, c->interruption, c->tokens, c->workspace);
}

static size_t TYPED(sample_bytes)(const fastrnn_network *network, size_t T, size_t B)
{
    fastrnn_network_bytes bytes = {0};
    TYPED(fastrnn_network_memory)(network, T, B, 0, &bytes);
    return bytes.sample;
}

static TYPED(draw_call) TYPED(valid_draw_call)(const fastrnn_network *network, size_t B, size_t n,
                                               const fastrnn_choice *choice, uniform_numbers *numbers)
{
    const size_t states = network->stack.layers * B * network->stack.hidden_size;
    const fastrnn_uniform_source source = {next_uniform_number, numbers};
    const fastrnn_interruption interruption = {never, NULL};
    return (TYPED(draw_call)){.network = guarded_copy(network, sizeof *network),
                              .B = B,
                              .parameters = TYPED(random_network)(network, n % 2),
                              .choice = guarded_copy(choice, sizeof *choice),
                              .first = random_characters(B, network->outputs),
                              .h = TYPED(randoms)(states, 1),
                              .c = network->stack.cell == FASTRNN_LSTM ? TYPED(randoms)(states, 1) : NULL,
                              .n = n,
                              .uniform = guarded_copy(&source, sizeof source),
                              .interruption = guarded_copy(&interruption, sizeof interruption),
                              .tokens = guarded(n * B * sizeof(int64_t)),
                              .workspace = guarded(TYPED(sample_bytes)(network, 1, B))};
}

/* ---- against the naive network --------------------------------------------------------------------------------- */

static void TYPED(check_draws)(place at, const TYPED(draw_call) *c, uniform_numbers *numbers)
{
    const fastrnn_stack *stack = &c->network->stack;
    const size_t B = c->B, N = c->n * B, V = c->network->outputs, states = stack->layers * B * stack->hidden_size;
    naive_network naive = {.network = c->network,
                           .parameters = TYPED(widened)(offsets_of(c->network).end, c->parameters),
                           .batch = {.T = c->n, .B = B},
                           .h0 = TYPED(widened)(states, c->h),
                           .c0 = TYPED(widened_or_zeros)(states, c->c)};
    const uniform_numbers begin = *numbers;

    check_status(at, FASTRNN_OK, TYPED(draw_door)(c));
    const size_t taken = c->choice->temperature == 0 ? 0 : N;
    check_at(at, numbers->taken - begin.taken == taken, "%zu numbers taken from the source, not %zu",
             numbers->taken - begin.taken, taken);
    *numbers = begin;
    int64_t *fed = guarded(N * sizeof *fed);
    memcpy(fed, c->first, B * sizeof *fed);
    memcpy(fed + B, c->tokens, (N - B) * sizeof *fed);
    naive.tokens = fed;
    naive_forward(&naive);
    for (size_t row = 0; row < N; row++) {
        naive_choice_cdf(V, c->choice, naive.ys + row * V);
        TYPED(check_drawn)(at, V, naive.ys + row * V, taken ? next_uniform_number(numbers) : 0.5, c->tokens[row]);
    }
    TYPED(check_close)(at, "h", states, c->h, naive.stack.hn, INFINITY);
    TYPED(check_if_wanted)(at, "c", states, c->c, naive.stack.cn);
}

/* Every kind of network with every kind of choice. */
static void TYPED(draw_case)(const void *index)
{
    const size_t i = *(const size_t *)index;
    const double temperatures[] = {1, 0.5, 0, 2}, parts[] = {1, 0.7, 0.05};
    const size_t most[] = {0, 1, 3, 12, 100};
    const fastrnn_choice choice = {temperatures[i % 4], most[i % 5], parts[i % 3]};
    const network_shape s = network_option_shape(i);
    random_state = i;
    uniform_numbers numbers = {.taken = 0};
    const TYPED(draw_call) c = TYPED(valid_draw_call)(&s.network, s.B, 1 + i % 9, &choice, &numbers);
    describe_network(HERE, "draw", &s);
    TYPED(check_draws)(HERE, &c, &numbers);
    TYPED(check_subnormals)(HERE);
}

/* Of a large vocabulary few are looked at. */
static void TYPED(large_vocabulary_case)(const void *nothing)
{
    (void)nothing;
    const fastrnn_network network = {.stack = {FASTRNN_GRU, 1500, 9, 1, 1, 1}, .outputs = 1500};
    const fastrnn_choice choices[] = {{1, 40, 1}, {1, 0, 0.9}, {1.5, 700, 0.5}};
    for (size_t i = 0; i < COUNT(choices); i++) {
        const size_t mark = memory.in_use;
        random_state = i;
        uniform_numbers numbers = {.taken = 0};
        const TYPED(draw_call) c = TYPED(valid_draw_call)(&network, 2, 3, &choices[i], &numbers);
        SITUATION("V=%zu, top_k %zu top_p %g", network.outputs, choices[i].top_k, choices[i].top_p);
        TYPED(check_draws)(HERE, &c, &numbers);
        release_since(mark);
    }
}

/* However a text is cut into calls, and wherever the workspace lies and whatever it holds, the tokens are the same. */
static void TYPED(cut_case)(const void *index)
{
    const fastrnn_network network = network_option_shape(*(const size_t *)index).network;
    const size_t n = 23, B = 2, states = network.stack.layers * B * network.stack.hidden_size;
    const size_t bytes = TYPED(sample_bytes)(&network, 1, B);
    uniform_numbers numbers = {.taken = 0};
    random_state = 7;
    TYPED(draw_call) c = TYPED(valid_draw_call)(&network, B, n, &(fastrnn_choice){1, 0, 1}, &numbers);
    TYPED(draw_call) part = c;
    unsigned char *around = guarded(bytes + 1);
    part.h = guarded_copy(c.h, states * sizeof(REAL));
    part.c = c.c != NULL ? guarded_copy(c.c, states * sizeof(REAL)) : NULL;
    part.tokens = guarded(n * B * sizeof(int64_t));
    part.workspace = around + 1;
    SITUATION("network %zu, cut", *(const size_t *)index);
    CHECK(TYPED(sample_bytes)(&network, 1000, B) == bytes, "the memory depends on T");
    CHECK_OK(TYPED(draw_door)(&c));
    numbers.taken = 0;
    for (size_t i = 0; i < n; i += part.n, part.tokens += part.n * B) {
        part.n = i == 0 ? 1 : i == 1 ? 5 : n - i;
        memset(around, i == 1 ? 0xff : 0x3f, bytes + 1);
        CHECK_OK(TYPED(draw_door)(&part));
        CHECK(around[0] == (i == 1 ? 0xff : 0x3f), "written before the workspace");
        part.first = part.tokens + (part.n - 1) * B;
    }
    CHECK(memcmp(part.tokens - n * B, c.tokens, n * B * sizeof(int64_t)) == 0, "other tokens than in one call");
    CHECK(TYPED(same_bits)(states, part.h, c.h), "another h than in one call");
    CHECK(c.c == NULL || TYPED(same_bits)(states, part.c, c.c), "another c than in one call");
}

/* The character model's door draws the same from the same numbers. */
static void TYPED(same_as_characters_case)(const void *shape)
{
    const fastrnn_shape *s = shape;
    const size_t n = 200, H = s->H, V = s->V;
    random_state = 8;
    uniform_numbers numbers = {.taken = 0};
    TYPED(sample_call) characters = TYPED(valid_sample_call)(s, n, &numbers);
    const fastrnn_network network = {.stack = {FASTRNN_RNN_TANH, V, H, 1, 1, 1}, .outputs = V};
    TYPED(draw_call) c =
        TYPED(valid_draw_call)(&network, 1, n, &(fastrnn_choice){characters.temperature, 0, 1}, &numbers);
    const fastrnn_network_offsets at = offsets_of(&network);
    REAL *W_ih = c.parameters + at.stack, *W_hh = W_ih + H * V, *b_ih = W_hh + H * H;
    memcpy(W_ih, characters.model->rnn.Wxh, H * V * sizeof(REAL));
    memcpy(W_hh, characters.model->rnn.Whh, H * H * sizeof(REAL));
    memcpy(b_ih, characters.model->rnn.bh, H * sizeof(REAL));
    memset(b_ih + H, 0, H * sizeof(REAL));
    memcpy(c.parameters + at.W, characters.model->output.Why, V * H * sizeof(REAL));
    memcpy(c.parameters + at.b, characters.model->output.by, V * sizeof(REAL));
    memcpy(c.h, characters.h, H * sizeof(REAL));
    c.first[0] = characters.first;
    SITUATION("as characters, H=%zu V=%zu", H, V);
    CHECK_OK(TYPED(sample_door)(&characters));
    numbers.taken = 0;
    CHECK_OK(TYPED(draw_door)(&c));
    CHECK(memcmp(c.tokens, characters.characters, n * sizeof(int64_t)) == 0, "other tokens");
    CHECK(TYPED(same_bits)(H, c.h, characters.h), "another state");
}

/* ---- choices by hand ------------------------------------------------------------------------------------------- */

/* A network that gives each token the outputs y, whatever came before. */
static TYPED(draw_call) TYPED(constant_draw_call)(size_t V, const double *y, const fastrnn_choice *choice, size_t n,
                                                  uniform_numbers *numbers)
{
    const fastrnn_network network = {.stack = {FASTRNN_RNN_TANH, V, 3, 1, 1, 1}, .outputs = V};
    TYPED(draw_call) c = TYPED(valid_draw_call)(&network, 1, n, choice, numbers);
    const fastrnn_network_offsets at = offsets_of(&network);
    for (size_t i = 0; i < V * 3; i++) {
        c.parameters[at.W + i] = 0;
    }
    for (size_t i = 0; i < V; i++) {
        c.parameters[at.b + i] = (REAL)y[i];
    }
    return c;
}

/* Tokens 1, 3 and 4 are equals, and token 2 is a little below them: with the temperature so high that all p are equal
 * the largest are still known. */
static void TYPED(choice_by_hand_case)(const void *nothing)
{
    (void)nothing;
    const double y[] = {0, 1, 1 - 0x1p-20, 1, 1, -1000};
    const double u[] = {0, 0.49, 0.51, 1 - 0x1p-53};
    const struct {
        fastrnn_choice choice;
        int64_t expected[COUNT(u)];
    } cases[] = {{{0, 3, 0.5}, {1, 1, 1, 1}},      {{1e30, 1, 1}, {1, 1, 1, 1}},   {{1e30, 2, 1}, {1, 1, 3, 3}},
                 {{1, 2, 1}, {1, 1, 3, 3}},        {{1e-30, 0, 1}, {1, 3, 3, 4}},  {{1, 0, 0.01}, {1, 1, 1, 1}},
                 {{1, 3, 0.6}, {1, 1, 3, 3}},      {{1, 3, 1}, {1, 3, 3, 4}},      {{1e-30, 6, 0.5}, {1, 1, 3, 3}},
                 {{(double)LIMIT(TRUE_MIN) / 4, 0, 1}, {1, 3, 3, 4}}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const size_t mark = memory.in_use;
        const fastrnn_choice *choice = &cases[i].choice;
        uniform_numbers numbers = {.given = u};
        const TYPED(draw_call) c = TYPED(constant_draw_call)(COUNT(y), y, choice, COUNT(u), &numbers);
        SITUATION("by hand, temperature %g top_k %zu top_p %g", choice->temperature, choice->top_k, choice->top_p);
        const bool greedy = choice->temperature == 0; /* so is, as a double, the last one */
        CHECK_OK(TYPED(draw_door)(&c));
        CHECK(memcmp(c.tokens, greedy ? cases[0].expected : cases[i].expected, sizeof cases[i].expected) == 0,
              "%lld %lld %lld %lld drawn", (long long)c.tokens[0], (long long)c.tokens[1], (long long)c.tokens[2],
              (long long)c.tokens[3]);
        release_since(mark);
    }
}

/* ---- what is not finite, what ends early, what is refused ------------------------------------------------------- */

static void TYPED(draw_not_finite_case)(const void *nothing)
{
    (void)nothing;
    const double y[19] = {0};
    const fastrnn_choice choices[] = {{1, 0, 1}, {1, 1, 1}, {1, 5, 0.5}, {1, 0, 0.5}, {0, 0, 1}};
    for (size_t i = 0; i < COUNT(choices) * COUNT(y); i++) {
        const size_t mark = memory.in_use, token = i % COUNT(y);
        uniform_numbers numbers = {.taken = 0};
        const TYPED(draw_call) c = TYPED(constant_draw_call)(COUNT(y), y, &choices[i / COUNT(y)], 3, &numbers);
        const fastrnn_network_offsets at = offsets_of(c.network);
        c.parameters[at.b + token] = (REAL)(i % 2 ? NAN : INFINITY);
        REAL *h = guarded_copy(c.h, 3 * sizeof(REAL));
        SITUATION("b[%zu] = %g, choice %zu", token, (double)c.parameters[at.b + token], i / COUNT(y));
        check_status(HERE, FASTRNN_ERROR_NOT_FINITE, TYPED(draw_door)(&c));
        CHECK(numbers.taken == 0, "a number was taken from the source");
        CHECK(TYPED(same_bits)(3, h, c.h), "the state moved");
        CHECK(c.tokens[0] == -1, "a token was written");
        release_since(mark);
    }
}

static void TYPED(draw_interrupted_case)(const void *nothing)
{
    (void)nothing;
    const fastrnn_network network = {.stack = {FASTRNN_GRU, 9, 30, 1, 1, 1}, .outputs = 9};
    const size_t n = 6000;
    size_t asked = 2, drawn = 0;
    uniform_numbers numbers = {.taken = 0};
    TYPED(draw_call) c = TYPED(valid_draw_call)(&network, 1, n, &(fastrnn_choice){1, 0, 1}, &numbers);
    SITUATION("interrupted");
    *c.interruption = (fastrnn_interruption){after_so_many, &asked};
    REAL *h = guarded_copy(c.h, 30 * sizeof(REAL));
    CHECK_OK(TYPED(draw_door)(&c));
    while (drawn < n && c.tokens[drawn] >= 0) {
        drawn++;
    }
    CHECK(asked == 0 && drawn > 0 && drawn < n, "%zu tokens drawn", drawn);
    CHECK(numbers.taken == drawn, "%zu numbers taken from the source", numbers.taken);
    CHECK(filled_with(0xff, (unsigned char *)(c.tokens + drawn), (unsigned char *)(c.tokens + n)), "not all are -1");

    numbers.taken = 0;
    TYPED(draw_call) whole = c;
    whole.n = drawn;
    whole.h = h;
    whole.interruption = NULL;
    whole.tokens = guarded(drawn * sizeof(int64_t));
    CHECK_OK(TYPED(draw_door)(&whole));
    CHECK(memcmp(whole.tokens, c.tokens, drawn * sizeof(int64_t)) == 0, "other tokens than without an interruption");
    CHECK(TYPED(same_bits)(30, whole.h, c.h), "another state than without an interruption");
}

static void TYPED(draw_arguments_case)(const void *nothing)
{
    (void)nothing;
    const fastrnn_network network = {.stack = {FASTRNN_LSTM, 3, 5, 2, 1, 1}, .embeddings = 7, .outputs = 7};
    const fastrnn_choice choice = {1, 3, 0.5};
    uniform_numbers numbers = {.taken = 0};
    TYPED(draw_call) c = TYPED(valid_draw_call)(&network, 2, 4, &choice, &numbers);
    const size_t pointers[] = {OFFSET(draw_call, network), OFFSET(draw_call, parameters), OFFSET(draw_call, choice),
                               OFFSET(draw_call, first),   OFFSET(draw_call, h),          OFFSET(draw_call, c),
                               OFFSET(draw_call, uniform), OFFSET(draw_call, tokens),     OFFSET(draw_call, workspace)};
    const size_t next[] = {offsetof(fastrnn_uniform_source, next)}, poll[] = {offsetof(fastrnn_interruption, poll)};
    check_nulls(HERE, TYPED(draw_door), &c, &c, COUNT(pointers), pointers);
    check_nulls(HERE, TYPED(draw_door), &c, c.uniform, 1, next);
    check_nulls(HERE, TYPED(draw_door), &c, c.interruption, 1, poll);
    check_indices_refused(HERE, TYPED(draw_door), &c, c.B, c.first, 7);
    const double temperatures[] = {-1, NAN, INFINITY, (double)LIMIT(MAX) * 2, -(double)LIMIT(TRUE_MIN) / 4};
    const double parts[] = {0, -0.5, 1.1, NAN, INFINITY};
    /* the last one is 0 as a double */
    check_values_refused(HERE, TYPED(draw_door), &c, &c.choice->temperature,
                         COUNT(temperatures) - (temperatures[4] == 0), temperatures);
    check_values_refused(HERE, TYPED(draw_door), &c, &c.choice->top_p, COUNT(parts), parts);

    const size_t units = (size_t)1 << 24;
    const fastrnn_stack stack = network.stack;
    const fastrnn_network bad[] = {
        {.stack = {FASTRNN_LSTM, 3, 5, 2, 2, 1}, .embeddings = 7, .outputs = 7},
        {.stack = {FASTRNN_LSTM + 1, 3, 5, 2, 1, 1}, .embeddings = 7, .outputs = 7},
        {.stack = {FASTRNN_LSTM, 0, 5, 2, 1, 1}, .embeddings = 7, .outputs = 7},
        {.stack = {FASTRNN_LSTM, 3, units, 2, 1, 1}, .embeddings = 7, .outputs = 7},
        {.stack = stack, .embeddings = units, .outputs = 7},
        {.stack = stack, .embeddings = 7, .outputs = 0},
        {.stack = stack, .embeddings = 7, .outputs = 8}, /* more than it reads */
        {.stack = stack, .embeddings = 0, .outputs = 7}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        *c.network = bad[i];
        SITUATION("bad network %zu", i);
        check_refusal(HERE, FASTRNN_ERROR_SHAPE, TYPED(draw_door), &c);
    }
    *c.network = network;
    const size_t batches[] = {0, (size_t)1 << 32, SIZE_MAX};
    for (size_t i = 0; i < COUNT(batches); i++) {
        TYPED(draw_call) wide = c;
        wide.B = batches[i];
        SITUATION("B=%zu", wide.B);
        check_refusal(HERE, FASTRNN_ERROR_SHAPE, TYPED(draw_door), &wide);
    }
    CHECK(numbers.taken == 0, "a number was taken from the source although the call was refused");
    TYPED(draw_call) none = c;
    none.n = 0;
    none.tokens = NULL;
    remember_memory();
    SITUATION("n = 0");
    CHECK_OK(TYPED(draw_door)(&none));
    CHECK(memory_is_as_remembered(), "n = 0 wrote something");
    c.interruption = NULL;
    CHECK_OK(TYPED(draw_door)(&c));
    c.choice->temperature = 0;
    c.uniform = NULL;
    CHECK_OK(TYPED(draw_door)(&c));
}

static void TYPED(test_token_sample)(void)
{
    for (size_t i = 0; i < NETWORK_OPTIONS; i += run.quick ? QUICK_STEP : 1) {
        run_case_guarded(TYPED(draw_case), &i);
    }
    for (size_t i = 0; i < NETWORK_OPTIONS; i += run.quick ? 7 * QUICK_STEP : 7) {
        run_case_guarded(TYPED(cut_case), &i);
    }
    run_case_guarded(TYPED(large_vocabulary_case), NULL);
    run_case_guarded(TYPED(same_as_characters_case), &(fastrnn_shape){1, 1, 100, 65});
    run_case_guarded(TYPED(same_as_characters_case), &(fastrnn_shape){1, 1, 17, 3});
    run_case_guarded(TYPED(choice_by_hand_case), NULL);
    run_case_guarded(TYPED(draw_not_finite_case), NULL);
    run_case_guarded(TYPED(draw_interrupted_case), NULL);
    run_case_guarded(TYPED(draw_arguments_case), NULL);
}

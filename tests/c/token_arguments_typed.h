/* What the doors of networks over tokens refuse, as arguments_typed.h has it for the others. */

static const network_shape TYPED(plain_network) = {
    {.stack = {FASTRNN_LSTM, 5, 6, 2, 1, 1}, .embeddings = 7, .outputs = 7},
    .T = 3, .B = 2, .optimizer = 8, .width = 2, .dropout = true};
static const network_shape TYPED(plain_tokens) = {
    {.stack = {FASTRNN_GRU, 7, 6, 1, 1, 1}, .outputs = 7}, .T = 3, .B = 2, .optimizer = 1, .width = 8};

/* One wrong network or number of sequences after the other. */
static void TYPED(check_networks_refused)(place at, door *open, TYPED(token_call) *c)
{
    const fastrnn_network good = *c->network;
    const fastrnn_stack *s = &good.stack;
    const size_t units = (size_t)1 << 24, I = s->input_size, H = s->hidden_size, L = s->layers, V = good.outputs;
    const fastrnn_stack bad_stacks[] = {{s->cell, 0, H, L, 1, 1},     {s->cell, units, H, L, 1, 1},
                                        {s->cell, I, 0, L, 1, 1},     {s->cell, I, units, L, 1, 1},
                                        {s->cell, I, H, 0, 1, 1},     {s->cell, I, H, 256, 1, 1},
                                        {s->cell, I, H, L, 0, 1},     {s->cell, I, H, L, 2, 1},
                                        {(fastrnn_cell)-1, I, H, L, 1, 1}};
    for (size_t i = 0; i < COUNT(bad_stacks); i++) {
        c->network->stack = bad_stacks[i];
        situation_at(at, "stack %zu", i);
        check_refusal(at, FASTRNN_ERROR_SHAPE, open, c);
    }
    const fastrnn_network bad[] = {
        {.stack = *s, .embeddings = V},
        {.stack = *s, .embeddings = V, .outputs = units},
        {.stack = *s, .embeddings = V, .outputs = SIZE_MAX},
        {.stack = *s, .embeddings = units, .outputs = V},
        {.stack = *s, .embeddings = SIZE_MAX, .outputs = V},
        {.stack = *s, .embeddings = V, .outputs = V, .context = 1},
        {.stack = *s, .embeddings = V, .outputs = V, .last = 1},
        {.stack = *s, .embeddings = V, .outputs = V, .without_bias = 1},
        {.stack = *s, .embeddings = V, .outputs = V, .loss = FASTRNN_SQUARED_ERROR},
        {.stack = *s, .outputs = V, .vectors = 1}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        *c->network = bad[i];
        situation_at(at, "network %zu", i);
        check_refusal(at, FASTRNN_ERROR_SHAPE, open, c);
    }
    *c->network = good;

    const size_t rows = (size_t)1 << 32, T = c->T, B = c->B;
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

static void TYPED(token_memory_arguments_case)(const void *nothing)
{
    (void)nothing;
    door *open = TYPED(token_memory_door);
    TYPED(token_call) c = TYPED(valid_token_call)(&TYPED(plain_network));
    const size_t pointers[] = {OFFSET(token_call, network), OFFSET(token_call, bytes)};
    check_nulls(HERE, open, &c, &c, COUNT(pointers), pointers);
    TYPED(check_networks_refused)(HERE, open, &c);
    CHECK_OK(open(&c));
    const size_t without = c.bytes->train;
    c.dropout = 0;
    CHECK_OK(open(&c));
    CHECK(c.bytes->train < without, "dropout takes no memory");

    /* At the limits the sizes are still sums without overflow. */
    const size_t units = ((size_t)1 << 24) - 1;
    *c.network = (fastrnn_network){
        .stack = {FASTRNN_LSTM, units, units, 255, 1, 1}, .embeddings = units, .outputs = units};
    c.T = 1 << 8;
    c.B = 1 << 8;
    c.dropout = 1;
    SITUATION("limits");
    CHECK_OK(open(&c));
    const double outputs = (double)c.T * (double)c.B * (double)units * sizeof(REAL);
    CHECK((double)c.bytes->predict > outputs && c.bytes->train > c.bytes->predict && (double)c.bytes->train < 0x1.8p63,
          "%zu bytes to train, %zu to predict", c.bytes->train, c.bytes->predict);
}

static void TYPED(token_train_arguments_case)(const void *nothing)
{
    (void)nothing;
    door *open = TYPED(token_train_door);
    const size_t pointers[] = {OFFSET(token_call, network), OFFSET(token_call, optimizer),
                               OFFSET(token_call, learner), OFFSET(token_call, training),
                               OFFSET(token_call, train_workspace)};
    const size_t learner[] = {OFFSET(fastrnn_learner, parameters), OFFSET(fastrnn_learner, h),
                              OFFSET(fastrnn_learner, c),          OFFSET(fastrnn_learner, momentum),
                              OFFSET(fastrnn_learner, mean),       OFFSET(fastrnn_learner, squares)};
    TYPED(token_call) c = TYPED(valid_token_call)(&TYPED(plain_network));
    check_nulls(HERE, open, &c, &c, COUNT(pointers), pointers);
    check_nulls(HERE, open, &c, c.learner, COUNT(learner), learner);
    check_nulls(HERE, open, &c, c.interruption, 1, &(size_t){offsetof(fastrnn_interruption, poll)});
    TYPED(check_networks_refused)(HERE, open, &c);
    TYPED(check_training_refused)(HERE, open, &c, c.training, c.T, c.B);
    c.network->outputs++;
    SITUATION("outputs that are not the tokens it reads");
    check_refusal(HERE, FASTRNN_ERROR_SHAPE, open, &c);
    c.network->outputs--;
    CHECK_OK(open(&c));
}

/* Whatever an optimizer's own door refuses, but for the learning rate and the iteration, which are not looked at. */
static void TYPED(token_optimizer_arguments_case)(const void *nothing)
{
    (void)nothing;
    door *open = TYPED(token_train_door);
    TYPED(token_call) c = TYPED(valid_token_call)(&TYPED(plain_network));
    fastrnn_optimizer *o = c.optimizer;
    check_values_refused(HERE, open, &c, &o->settings.rmsprop.alpha, COUNT(TYPED(no_fraction)), TYPED(no_fraction));
    o->kind = (fastrnn_optimizer_kind)(FASTRNN_ADAM + 1);
    SITUATION("an unknown optimizer");
    check_refusal(HERE, FASTRNN_ERROR_VALUE, open, &c);
    *o = TYPED(optimizer_numbered)(2);
    check_values_refused(HERE, open, &c, &o->settings.sgd.momentum, COUNT(TYPED(negative)), TYPED(negative));
    *o = TYPED(optimizer_numbered)(5);
    check_values_refused(HERE, open, &c, &o->settings.adagrad.eps, COUNT(TYPED(negative)), TYPED(negative));
    *o = TYPED(optimizer_numbered)(9);
    check_values_refused(HERE, open, &c, &o->settings.adam.beta2, COUNT(TYPED(no_fraction)), TYPED(no_fraction));
    o->settings.adam.learning_rate = NAN;
    o->settings.adam.iteration = 0;
    CHECK_OK(open(&c));
}

static void TYPED(token_predict_arguments_case)(const void *nothing)
{
    (void)nothing;
    door *open = TYPED(token_predict_door);
    const size_t pointers[] = {OFFSET(token_call, network), OFFSET(token_call, tokens), OFFSET(token_call, targets),
                               OFFSET(token_call, nats), OFFSET(token_call, predict_workspace)};
    const size_t learner[] = {OFFSET(fastrnn_learner, parameters), OFFSET(fastrnn_learner, h),
                              OFFSET(fastrnn_learner, c)};
    TYPED(token_call) c = TYPED(valid_token_call)(&TYPED(plain_network));
    check_nulls(HERE, open, &c, &c, COUNT(pointers), pointers);
    check_nulls(HERE, open, &c, c.learner, COUNT(learner), learner);
    TYPED(check_networks_refused)(HERE, open, &c);
    check_indices_refused(HERE, open, &c, c.T * c.B, c.tokens, c.network->embeddings);
    check_indices_refused(HERE, open, &c, c.T * c.B, c.targets, c.network->outputs);
    CHECK_OK(open(&c));

    c = TYPED(valid_token_call)(&TYPED(plain_tokens));
    check_indices_refused(HERE, open, &c, c.T * c.B, c.tokens, c.network->stack.input_size);
    CHECK_OK(open(&c));
}

static void TYPED(test_token_arguments)(void)
{
    test_case *cases[] = {TYPED(token_memory_arguments_case), TYPED(token_train_arguments_case),
                          TYPED(token_optimizer_arguments_case), TYPED(token_predict_arguments_case)};
    for (size_t i = 0; i < COUNT(cases); i++) {
        random_state = 27;
        run_case_guarded(cases[i], NULL);
    }
}

static void TYPED(no_isa_token_case)(const void *nothing)
{
    (void)nothing;
    TYPED(token_call) c = TYPED(valid_token_call)(&TYPED(plain_network));
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(token_memory_door), &c);
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(token_train_door), &c);
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(token_predict_door), &c);
}

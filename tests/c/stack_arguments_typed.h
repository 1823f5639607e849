/* What the doors of stacks refuse, as arguments_typed.h has it for the others. */

static const stack_shape TYPED(plain_stack) = {
    {FASTRNN_LSTM, 7, 5, 2, 2, 1}, .T = 3, .B = 2, .ragged = true, .one_hot = false, .dropout = true, .states = true};
static const stack_shape TYPED(plain_characters) = {
    {FASTRNN_GRU, 7, 5, 2, 1, 1}, .T = 3, .B = 2, .ragged = false, .one_hot = true, .dropout = false, .states = false};
static const stack_shape TYPED(plain_step) = {
    {FASTRNN_LSTM, 7, 5, 2, 1, 1}, .T = 1, .B = 2, .ragged = false, .one_hot = false, .dropout = false, .states = true};

static const size_t TYPED(stack_and_batch)[] = {OFFSET(stack_call, stack), OFFSET(stack_call, batch)};
static const size_t TYPED(forward_pointers)[] = {OFFSET(stack_call, input), OFFSET(stack_call, output)};
static const size_t TYPED(input_pointers)[] = {OFFSET(fastrnn_stack_input, parameters), OFFSET(fastrnn_stack_input, x)};

/* One wrong stack or batch after the other. */
static void TYPED(check_stacks_refused)(place at, door *open, const TYPED(stack_call) *c)
{
    const fastrnn_stack good = *c->stack;
    const fastrnn_batch good_batch = *c->batch;
    const size_t units = (size_t)1 << 24, I = good.input_size, H = good.hidden_size, L = good.layers,
                 D = good.directions;
    const fastrnn_stack bad[] = {
        {good.cell, 0, H, L, D, 1},        {good.cell, units, H, L, D, 1}, {good.cell, SIZE_MAX, H, L, D, 1},
        {good.cell, I, 0, L, D, 1},        {good.cell, I, units, L, D, 1}, {good.cell, I, SIZE_MAX, L, D, 1},
        {good.cell, I, H, 0, D, 1},        {good.cell, I, H, 256, D, 1},   {good.cell, I, H, SIZE_MAX, D, 1},
        {good.cell, I, H, L, 0, 1},        {good.cell, I, H, L, 3, 1},     {good.cell, I, H, L, SIZE_MAX, 1},
        {FASTRNN_LSTM + 1, I, H, L, D, 1}, {(fastrnn_cell)-1, I, H, L, D, 1}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        *c->stack = bad[i];
        situation_at(at, "stack of cell %d, I=%zu H=%zu layers=%zu directions=%zu", (int)bad[i].cell,
                     bad[i].input_size, bad[i].hidden_size, bad[i].layers, bad[i].directions);
        check_refusal(at, FASTRNN_ERROR_SHAPE, open, c);
    }
    *c->stack = good;

    const size_t rows = (size_t)1 << 32;
    const size_t bad_sizes[][2] = {{0, good_batch.B}, {good_batch.T, 0}, {rows, 1},
                                   {1, rows},         {rows / 2, 2},     {2, rows / 2},
                                   {SIZE_MAX, 1},     {1, SIZE_MAX},     {SIZE_MAX, SIZE_MAX},
                                   {rows << 16, rows >> 16}};
    for (size_t i = 0; i < COUNT(bad_sizes); i++) {
        c->batch->T = bad_sizes[i][0];
        c->batch->B = bad_sizes[i][1];
        situation_at(at, "batch of T=%zu B=%zu", c->batch->T, c->batch->B);
        check_refusal(at, FASTRNN_ERROR_SHAPE, open, c);
    }

    /* T B layers max(I, D H) reaches 2^48. */
    c->batch->T = rows / 2;
    c->batch->B = 1;
    c->batch->lengths = NULL;
    *c->stack = (fastrnn_stack){good.cell, (size_t)1 << 15, H, 4, 1, 1};
    situation_at(at, "too many inputs in all");
    check_refusal(at, FASTRNN_ERROR_SHAPE, open, c);
    *c->stack = (fastrnn_stack){good.cell, I, (size_t)1 << 15, 2, 2, 1};
    situation_at(at, "too many outputs in all");
    check_refusal(at, FASTRNN_ERROR_SHAPE, open, c);
    *c->stack = good;
    *c->batch = good_batch;
}

static void TYPED(check_lengths_refused)(place at, door *open, const TYPED(stack_call) *c)
{
    const fastrnn_batch good = *c->batch;
    const int64_t bad[] = {-1, (int64_t)good.T + 1, INT64_MIN, INT64_MAX};
    int64_t *lengths = guarded(good.B * sizeof *lengths);
    c->batch->lengths = lengths;
    for (size_t i = 0; i < COUNT(bad) * good.B; i++) {
        for (size_t b = 0; b < good.B; b++) {
            lengths[b] = b == i % good.B ? bad[i / good.B] : (int64_t)good.T;
        }
        situation_at(at, "length %lld of sequence %zu", (long long)bad[i / good.B], i % good.B);
        check_refusal(at, FASTRNN_ERROR_SHAPE, open, c);
    }
    *c->batch = good;
}

static void TYPED(stack_memory_arguments_case)(const void *nothing)
{
    (void)nothing;
    TYPED(stack_call) c = TYPED(valid_stack_call)(&TYPED(plain_stack));
    check_nulls(HERE, TYPED(stack_memory_door), &c, &c, COUNT(TYPED(stack_and_batch)), TYPED(stack_and_batch));
    check_nulls(HERE, TYPED(stack_memory_door), &c, &c, 1, &(size_t){OFFSET(stack_call, bytes)});
    TYPED(check_stacks_refused)(HERE, TYPED(stack_memory_door), &c);
    TYPED(check_lengths_refused)(HERE, TYPED(stack_memory_door), &c);
    CHECK_OK(TYPED(stack_memory_door)(&c));

    /* At the limits the sizes are still sums without overflow. */
    const size_t rows = ((size_t)1 << 32) - 1, units = ((size_t)1 << 24) - 1;
    const struct {
        fastrnn_stack stack;
        size_t T, B;
    } largest[] = {{{FASTRNN_LSTM, 1, 1, 255, 2, 1}, rows, 1},
                   {{FASTRNN_LSTM, 1, 1, 255, 2, 1}, 1, rows},
                   {{FASTRNN_LSTM, units, 100, 1, 1, 1}, ((size_t)1 << 24), 1},
                   {{FASTRNN_GRU, 1, units / 2, 1, 2, 1}, 1, (size_t)1 << 23}};
    for (size_t i = 0; i < COUNT(largest); i++) {
        *c.stack = largest[i].stack;
        *c.batch = (fastrnn_batch){.T = largest[i].T, .B = largest[i].B};
        SITUATION("limits %zu", i);
        CHECK_OK(TYPED(stack_memory_door)(&c));
        const double strands = (double)(c.stack->layers * c.stack->directions);
        const double states = strands * (double)c.batch->T * (double)c.batch->B * (double)c.stack->hidden_size *
                              sizeof(REAL);
        CHECK((double)c.bytes->tape > states && (double)c.bytes->tape < 0x1p63, "the tape has %zu bytes",
              c.bytes->tape);
    }
}

static void TYPED(stack_forward_arguments_case)(const void *nothing)
{
    (void)nothing;
    door *open = TYPED(stack_forward_door);
    TYPED(stack_call) c = TYPED(valid_stack_call)(&TYPED(plain_stack));
    const size_t memories[] = {OFFSET(stack_call, tape), OFFSET(stack_call, forward_workspace)};
    check_nulls(HERE, open, &c, &c, COUNT(TYPED(stack_and_batch)), TYPED(stack_and_batch));
    check_nulls(HERE, open, &c, &c, COUNT(TYPED(forward_pointers)), TYPED(forward_pointers));
    check_nulls(HERE, open, &c, &c, COUNT(memories), memories);
    check_nulls(HERE, open, &c, c.input, COUNT(TYPED(input_pointers)), TYPED(input_pointers));
    check_nulls(HERE, open, &c, c.input, 1, &(size_t){OFFSET(fastrnn_stack_input, dropout)});
    check_nulls(HERE, open, &c, c.output, 1, &(size_t){OFFSET(fastrnn_stack_output, y)});
    TYPED(check_stacks_refused)(HERE, open, &c);
    TYPED(check_lengths_refused)(HERE, open, &c);
    CHECK_OK(open(&c));

    c = TYPED(valid_stack_call)(&TYPED(plain_characters));
    check_nulls(HERE, open, &c, c.input, 1, &(size_t){OFFSET(fastrnn_stack_input, indices)});
    check_indices_refused(HERE, open, &c, c.batch->T * c.batch->B, (int64_t *)c.input->indices, c.stack->input_size);
    CHECK_OK(open(&c));
}

static void TYPED(stack_backward_arguments_case)(const void *nothing)
{
    (void)nothing;
    door *open = TYPED(stack_backward_door);
    TYPED(stack_call) c = TYPED(valid_stack_call)(&TYPED(plain_stack));
    CHECK_OK(TYPED(stack_forward_door)(&c));
    const size_t pointers[] = {OFFSET(stack_call, input), OFFSET(stack_call, tape),
                               OFFSET(stack_call, output_gradient), OFFSET(stack_call, input_gradient),
                               OFFSET(stack_call, backward_workspace)};
    check_nulls(HERE, open, &c, &c, COUNT(TYPED(stack_and_batch)), TYPED(stack_and_batch));
    check_nulls(HERE, open, &c, &c, COUNT(pointers), pointers);
    check_nulls(HERE, open, &c, c.input, 1, &(size_t){OFFSET(fastrnn_stack_input, parameters)});
    check_nulls(HERE, open, &c, c.input, 1, &(size_t){OFFSET(fastrnn_stack_input, dropout)});
    check_nulls(HERE, open, &c, c.output_gradient, 1, &(size_t){OFFSET(fastrnn_stack_output_gradient, y)});
    check_nulls(HERE, open, &c, c.input_gradient, 1, &(size_t){OFFSET(fastrnn_stack_input_gradient, parameters)});
    TYPED(check_stacks_refused)(HERE, open, &c);
    TYPED(check_lengths_refused)(HERE, open, &c);

    /* Of the forward call's input only parameters and dropout are read again. */
    c.input->x = c.input->h0 = c.input->c0 = NULL;
    c.input->indices = NULL;
    SITUATION("no x, h0, c0");
    CHECK_OK(open(&c));
}

static void TYPED(stack_step_arguments_case)(const void *nothing)
{
    (void)nothing;
    door *open = TYPED(stack_step_door);
    TYPED(stack_call) c = TYPED(valid_stack_call)(&TYPED(plain_step));
    check_nulls(HERE, open, &c, &c, COUNT(TYPED(stack_and_batch)), TYPED(stack_and_batch));
    check_nulls(HERE, open, &c, &c, COUNT(TYPED(forward_pointers)), TYPED(forward_pointers));
    check_nulls(HERE, open, &c, &c, 1, &(size_t){OFFSET(stack_call, step_workspace)});
    check_nulls(HERE, open, &c, c.input, COUNT(TYPED(input_pointers)), TYPED(input_pointers));
    check_nulls(HERE, open, &c, c.output, 1, &(size_t){OFFSET(fastrnn_stack_output, y)});
    TYPED(check_stacks_refused)(HERE, open, &c);
    CHECK_OK(open(&c));

    int64_t *lengths = guarded(c.batch->B * sizeof *lengths);
    for (size_t b = 0; b < c.batch->B; b++) {
        lengths[b] = 1;
    }
    c.batch->lengths = lengths;
    SITUATION("a step with lengths");
    check_refusal(HERE, FASTRNN_ERROR_SHAPE, open, &c);
    c.batch->lengths = NULL;
    c.batch->dropout = 1;
    c.input->dropout = TYPED(random_dropout)(c.batch->B * c.stack->hidden_size);
    SITUATION("a step with dropout");
    check_refusal(HERE, FASTRNN_ERROR_SHAPE, open, &c);
    c.batch->dropout = 0;

    const stack_shape two_steps = {{FASTRNN_RNN_TANH, 7, 5, 1, 1, 1}, .T = 2, .B = 2};
    const stack_shape two_way = {{FASTRNN_RNN_TANH, 7, 5, 1, 2, 1}, .T = 1, .B = 2};
    const stack_shape characters = {{FASTRNN_RNN_TANH, 7, 5, 1, 1, 1}, .T = 1, .B = 2, .one_hot = true};
    c = TYPED(valid_stack_call)(&two_steps);
    SITUATION("a step with T=2");
    check_refusal(HERE, FASTRNN_ERROR_SHAPE, open, &c);
    c = TYPED(valid_stack_call)(&two_way);
    SITUATION("a step with two directions");
    check_refusal(HERE, FASTRNN_ERROR_SHAPE, open, &c);
    c = TYPED(valid_stack_call)(&characters);
    check_indices_refused(HERE, open, &c, c.batch->B, (int64_t *)c.input->indices, c.stack->input_size);
    CHECK_OK(open(&c));
}

/* What every door refuses of a table of rows for which integers stand. */
static void TYPED(embedded_arguments_case)(const void *nothing)
{
    (void)nothing;
    const stack_shape shape = {
        {FASTRNN_GRU, 7, 5, 1, 1, 1}, .T = 1, .B = 2, .one_hot = true, .states = true, .embeddings = 4};
    TYPED(stack_call) c = TYPED(valid_stack_call)(&shape);
    door *doors[] = {TYPED(stack_memory_door), TYPED(stack_forward_door), TYPED(stack_backward_door)};
    CHECK_OK(TYPED(stack_forward_door)(&c));
    check_nulls(HERE, doors[2], &c, c.input_gradient, 1, &(size_t){OFFSET(fastrnn_stack_input_gradient, embedding)});
    for (size_t i = 0; i < COUNT(doors); i++) {
        const fastrnn_batch good = *c.batch;
        SITUATION("too many rows, door %zu", i);
        c.batch->embeddings = (size_t)1 << 24;
        check_refusal(HERE, FASTRNN_ERROR_SHAPE, doors[i], &c);
        SITUATION("rows without integers, door %zu", i);
        *c.batch = good;
        c.batch->one_hot = 0;
        c.input->x = TYPED(randoms)(c.batch->T * c.batch->B * c.stack->input_size, 1);
        check_refusal(HERE, FASTRNN_ERROR_SHAPE, doors[i], &c);
        *c.batch = good;
        if (i > 0) {
            check_nulls(HERE, doors[i], &c, c.input, 1, &(size_t){OFFSET(fastrnn_stack_input, embedding)});
        }
    }
    check_indices_refused(HERE, doors[1], &c, c.batch->T * c.batch->B, (int64_t *)c.input->indices,
                          c.batch->embeddings);
    SITUATION("a step with a table");
    check_refusal(HERE, FASTRNN_ERROR_SHAPE, TYPED(stack_step_door), &c);
}

static void TYPED(test_stack_arguments)(void)
{
    test_case *cases[] = {TYPED(stack_memory_arguments_case), TYPED(stack_forward_arguments_case),
                          TYPED(stack_backward_arguments_case), TYPED(stack_step_arguments_case),
                          TYPED(embedded_arguments_case)};
    for (size_t i = 0; i < COUNT(cases); i++) {
        random_state = 13;
        run_case_guarded(cases[i], NULL);
    }
}

static void TYPED(no_isa_stack_case)(const void *nothing)
{
    (void)nothing;
    TYPED(stack_call) c = TYPED(valid_stack_call)(&TYPED(plain_step));
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(stack_memory_door), &c);
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(stack_forward_door), &c);
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(stack_backward_door), &c);
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(stack_step_door), &c);
}

/* Stacks of recurrent layers against the naive implementation. */

/* (n) in float64, zeros for NULL. */
static double *TYPED(widened_or_zeros)(size_t n, const REAL *x)
{
    return x != NULL ? TYPED(widened)(n, x) : zeros(n);
}

/* x (T, B, I) in float64; characters as 1-of-I, or as rows of the table. */
static double *TYPED(widened_inputs)(const stack_shape *s, const TYPED(fastrnn_stack_input) *input)
{
    const size_t rows = s->T * s->B, I = s->stack.input_size;
    if (!s->one_hot) {
        return TYPED(widened)(rows * I, input->x);
    }
    double *x = zeros(rows * I);
    for (size_t n = 0; n < rows && s->embeddings == 0; n++) {
        x[n * I + (size_t)input->indices[n]] = 1;
    }
    for (size_t i = 0; i < rows * I && s->embeddings > 0; i++) {
        x[i] = (double)input->embedding[(size_t)input->indices[i / I] * I + i % I];
    }
    return x;
}

static naive_stack TYPED(naive_stack_of)(const stack_shape *s, const TYPED(stack_call) *c)
{
    const TYPED(fastrnn_stack_input) *input = c->input;
    return (naive_stack){
        .stack = c->stack,
        .batch = c->batch,
        .parameters = TYPED(widened)(fastrnn_stack_parameters(c->stack), input->parameters),
        .x = TYPED(widened_inputs)(s, input),
        .h0 = TYPED(widened_or_zeros)(TYPED(states)(s), input->h0),
        .c0 = TYPED(widened_or_zeros)(TYPED(states)(s), input->c0),
        .dropout = s->dropout ? TYPED(widened)((s->stack.layers - 1) * TYPED(outputs)(s), input->dropout) : NULL};
}

/* As check_close, of an array that may be NULL, not wanted. */
static void TYPED(check_if_wanted)(place at, const char *name, size_t n, const REAL *actual, const double *expected)
{
    if (actual != NULL) {
        TYPED(check_close)(at, name, n, actual, expected, INFINITY);
    }
}

static void TYPED(check_outputs)(place at, const stack_shape *s, const TYPED(fastrnn_stack_output) *output,
                                 const naive_stack *naive, const double *y)
{
    const size_t states = TYPED(states)(s);
    TYPED(check_close)(at, "y", TYPED(outputs)(s), output->y, y, INFINITY);
    TYPED(check_if_wanted)(at, "hn", states, output->hn, naive->hn);
    TYPED(check_if_wanted)(at, "cn", states, output->cn, naive->cn);
}

/* The table's gradient: what was there, and of each row that was read its dx. */
static double *TYPED(expected_embedding)(const stack_shape *s, const TYPED(stack_call) *c, const REAL *before,
                                         const double *dx)
{
    const size_t I = s->stack.input_size;
    double *sums = TYPED(widened)(s->embeddings * I, before);
    for (size_t i = 0; i < s->T * s->B * I; i++) {
        sums[(size_t)c->input->indices[i / I] * I + i % I] += dx[i];
    }
    return sums;
}

static void TYPED(check_input_gradients)(place at, const stack_shape *s,
                                         const TYPED(fastrnn_stack_input_gradient) *actual,
                                         const naive_gradients *expected)
{
    const size_t states = TYPED(states)(s), inputs = s->T * s->B * s->stack.input_size;
    TYPED(check_close)(at, "dparameters", fastrnn_stack_parameters(&s->stack), actual->parameters,
                       expected->parameters, INFINITY);
    TYPED(check_if_wanted)(at, "dx", inputs, actual->x, expected->x);
    TYPED(check_if_wanted)(at, "dh0", states, actual->h0, expected->h0);
    TYPED(check_if_wanted)(at, "dc0", states, actual->c0, expected->c0);
}

/* Past a sequence's length the numbers of x (T, B, width) are exactly zero. */
static void TYPED(check_padding)(place at, const char *name, const fastrnn_batch *batch, size_t width, const REAL *x)
{
    for (size_t i = 0; i < batch->T * batch->B * width; i++) {
        const size_t row = i / width;
        if (row / batch->B >= length_of(batch, row % batch->B) && x[i] != 0) {
            check_at(at, false, "%s[%zu] is %g past its sequence's length", name, i, (double)x[i]);
            return;
        }
    }
}

static void TYPED(check_inputs_unchanged)(place at, const TYPED(stack_call) *c)
{
    const size_t mark = memory.in_use;
    memory.in_use = c->only_read;
    check_at(at, memory_is_as_remembered(), "an input was written to");
    memory.in_use = mark;
}

/* The last states in place of those before the first step, if there are such. */
static void TYPED(check_in_place)(place at, const stack_shape *s, const TYPED(stack_call) *c, door *open,
                                  const naive_stack *naive, const double *y)
{
    if (s->states) {
        c->input->h0 = memcpy(c->output->hn, c->input->h0, TYPED(states)(s) * sizeof(REAL));
        if (TYPED(has_c)(s)) {
            c->input->c0 = memcpy(c->output->cn, c->input->c0, TYPED(states)(s) * sizeof(REAL));
        }
        check_status(at, FASTRNN_OK, open(c));
        TYPED(check_outputs)(at, s, c->output, naive, y);
    }
}

static void TYPED(stack_case)(const void *shape)
{
    const stack_shape *s = shape;
    random_state = 5 + 100 * s->stack.input_size + s->stack.hidden_size;
    describe_stack(HERE, "forward", s);
    TYPED(stack_call) c = TYPED(valid_stack_call)(s);
    const size_t outputs = TYPED(outputs)(s), states = TYPED(states)(s), parameters = fastrnn_stack_parameters(c.stack);
    naive_stack naive = TYPED(naive_stack_of)(s, &c);
    double *y = zeros(outputs);
    naive_stack_forward(&naive, y);
    CHECK_OK(TYPED(stack_forward_door)(&c));
    TYPED(check_outputs)(HERE, s, c.output, &naive, y);
    TYPED(check_padding)(HERE, "y", c.batch, s->stack.directions * s->stack.hidden_size, c.output->y);
    TYPED(check_subnormals)(HERE);

    const naive_gradients expected = {.parameters = TYPED(widened)(parameters, c.input_gradient->parameters),
                                      .x = zeros(s->T * s->B * s->stack.input_size),
                                      .h0 = TYPED(widened_or_zeros)(states, c.output_gradient->hn),
                                      .c0 = TYPED(widened_or_zeros)(states, c.output_gradient->cn)};
    naive_stack_backward(&naive, TYPED(widened)(outputs, c.output_gradient->y), &expected);
    describe_stack(HERE, "backward", s);
    const double *dembedding =
        s->embeddings > 0 ? TYPED(expected_embedding)(s, &c, c.input_gradient->embedding, expected.x) : NULL;
    CHECK_OK(TYPED(stack_backward_door)(&c));
    TYPED(check_input_gradients)(HERE, s, c.input_gradient, &expected);
    TYPED(check_if_wanted)(HERE, "dembedding", s->embeddings * s->stack.input_size, c.input_gradient->embedding,
                           dembedding);
    if (c.input_gradient->x != NULL) {
        TYPED(check_padding)(HERE, "dx", c.batch, s->stack.input_size, c.input_gradient->x);
    }
    TYPED(check_subnormals)(HERE);
    TYPED(check_inputs_unchanged)(HERE, &c);

    describe_stack(HERE, "forward in place", s);
    TYPED(check_in_place)(HERE, s, &c, TYPED(stack_forward_door), &naive, y);
}

static void TYPED(step_case)(const void *shape)
{
    const stack_shape *s = shape;
    random_state = 6 + 100 * s->stack.input_size + s->stack.hidden_size;
    describe_stack(HERE, "step", s);
    TYPED(stack_call) c = TYPED(valid_stack_call)(s);
    naive_stack naive = TYPED(naive_stack_of)(s, &c);
    double *y = zeros(TYPED(outputs)(s));
    naive_stack_forward(&naive, y);
    CHECK_OK(TYPED(stack_step_door)(&c));
    TYPED(check_outputs)(HERE, s, c.output, &naive, y);
    TYPED(check_inputs_unchanged)(HERE, &c);

    describe_stack(HERE, "step without last states", s);
    REAL *hn = c.output->hn, *cn = c.output->cn;
    c.output->y = TYPED(blanks)(TYPED(outputs)(s));
    c.output->hn = c.output->cn = NULL;
    CHECK_OK(TYPED(stack_step_door)(&c));
    TYPED(check_outputs)(HERE, s, c.output, &naive, y);

    describe_stack(HERE, "step in place", s);
    c.output->hn = hn;
    c.output->cn = cn;
    TYPED(check_in_place)(HERE, s, &c, TYPED(stack_step_door), &naive, y);
    TYPED(check_subnormals)(HERE);
}

/* ---- the same input gives the same bits ------------------------------------------------------------------------ */

/* A forward and a backward pass over the arguments of c into new outputs, with memory that begins `offset` bytes into
 * buffers that hold anything; around it nothing is written. */
static TYPED(stack_call) TYPED(pass)(place at, const stack_shape *s, TYPED(stack_call) c, size_t offset, bool all)
{
    const unsigned char filler = offset % 2 ? 0xff : 0x3f; /* NaN and ordinary numbers */
    fastrnn_stack_bytes bytes = {0};
    check_status(at, FASTRNN_OK, TYPED(fastrnn_stack_memory)(c.stack, c.batch, &bytes));
    const size_t sizes[] = {bytes.tape, bytes.forward, bytes.backward};
    unsigned char *around[COUNT(sizes)];
    for (size_t i = 0; i < COUNT(sizes); i++) {
        around[i] = memset(guarded(sizes[i] + 64), filler, sizes[i] + 64);
    }
    c.tape = around[0] + offset;
    c.forward_workspace = around[1] + offset;
    c.backward_workspace = around[2] + offset;
    const size_t states = TYPED(states)(s), parameters = fastrnn_stack_parameters(c.stack);
    TYPED(fastrnn_stack_output) output = {.y = TYPED(blanks)(TYPED(outputs)(s))};
    TYPED(fastrnn_stack_input_gradient) gradient = {
        .parameters = guarded_copy(c.input_gradient->parameters, parameters * sizeof(REAL)),
        .embedding = s->embeddings > 0 ? TYPED(blanks)(s->embeddings * s->stack.input_size) : NULL};
    if (all) {
        output.hn = TYPED(blanks)(states);
        output.cn = TYPED(has_c)(s) ? TYPED(blanks)(states) : NULL;
        gradient.x = TYPED(blanks)(s->T * s->B * s->stack.input_size);
        gradient.h0 = TYPED(blanks)(states);
        gradient.c0 = TYPED(has_c)(s) ? TYPED(blanks)(states) : NULL;
    }
    c.output = guarded_copy(&output, sizeof output);
    c.input_gradient = guarded_copy(&gradient, sizeof gradient);
    check_status(at, FASTRNN_OK, TYPED(stack_forward_door)(&c));
    check_status(at, FASTRNN_OK, TYPED(stack_backward_door)(&c));
    for (size_t i = 0; i < COUNT(sizes); i++) {
        check_at(at, filled_with(filler, around[i], around[i] + offset), "written before the memory");
        check_at(at, filled_with(filler, around[i] + offset + sizes[i], around[i] + sizes[i] + 64),
                 "written past the memory");
    }
    return c;
}

/* Memory may begin anywhere and hold anything, and what is not wanted need not be asked for: the rest is the same. */
static void TYPED(stack_memory_case)(const void *shape)
{
    const stack_shape *s = shape;
    random_state = 7;
    const TYPED(stack_call) c = TYPED(valid_stack_call)(s);
    const size_t outputs = TYPED(outputs)(s), states = TYPED(states)(s), parameters = fastrnn_stack_parameters(c.stack);
    describe_stack(HERE, "memory", s);
    const TYPED(stack_call) first = TYPED(pass)(HERE, s, c, 0, true);
    const size_t mark = memory.in_use;
    for (size_t offset = 1; offset <= 64; offset++) {
        const bool all = offset % 3 > 0;
        const TYPED(stack_call) now = TYPED(pass)(HERE, s, c, offset, all);
        CHECK(TYPED(same_bits)(outputs, first.output->y, now.output->y), "y differs %zu bytes on", offset);
        CHECK(TYPED(same_bits)(parameters, first.input_gradient->parameters, now.input_gradient->parameters),
              "the gradients differ %zu bytes on", offset);
        if (all) {
            CHECK(TYPED(same_bits)(states, first.output->hn, now.output->hn), "hn differs %zu bytes on", offset);
            CHECK(TYPED(same_bits)(states, first.input_gradient->h0, now.input_gradient->h0),
                  "dh0 differs %zu bytes on", offset);
        }
        release_since(mark);
    }
}

/* The caller may choose another instruction set after it has allocated the memory. Leaves the last one chosen. */
static void TYPED(stack_bytes_case)(const void *shape)
{
    const stack_shape *s = shape;
    random_state = 8;
    const TYPED(stack_call) c = TYPED(valid_stack_call)(s);
    fastrnn_stack_bytes first = {0};
    describe_stack(HERE, "bytes", s);
    for (size_t i = 0; fastrnn_available_isa(i) != NULL; i++) {
        CHECK_OK(fastrnn_select_isa(fastrnn_available_isa(i)));
        CHECK_OK(TYPED(stack_memory_door)(&c));
        first = i == 0 ? *c.bytes : first;
        CHECK(memcmp(&first, c.bytes, sizeof first) == 0, "%s takes another amount of memory than %s",
              fastrnn_available_isa(i), fastrnn_available_isa(0));
    }
}

static void TYPED(test_stack)(void)
{
    run_over_stacks(STACK_OPTIONS, option_shape, TYPED(stack_case));
    run_over_stacks(SPECIAL_STACKS, special_shape, TYPED(stack_case));
    run_over_stacks(STEPS, step_shape, TYPED(step_case));
    for (fastrnn_cell cell = FASTRNN_RNN_TANH; cell <= FASTRNN_LSTM; cell++) {
        const stack_shape dense = {{cell, 5, 7, 2, 2, 1}, 3, 2, true, false, true, true, 0};
        const stack_shape one_hot = {{cell, 30, 9, 2, 1, 1}, 3, 2, false, true, false, true, 0};
        const stack_shape embedded = {{cell, 6, 9, 2, 2, 1}, 3, 2, true, true, false, true, 4};
        run_case_guarded(TYPED(stack_memory_case), &dense);
        run_case_guarded(TYPED(stack_memory_case), &one_hot);
        run_case_guarded(TYPED(stack_memory_case), &embedded);
    }
}

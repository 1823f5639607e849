/* Linear and Embedding: the doors, against sums written out, and what they refuse. */

/* ---- calls ----------------------------------------------------------------------------------------------------- */

typedef struct {
    size_t N, inputs, outputs;
    fastrnn_linear_bytes *bytes;
    TYPED(fastrnn_linear) *layer, *gradients;
    REAL *x, *y, *dy, *dx;
    void *tape, *workspace;
} TYPED(linear_call);

static fastrnn_status TYPED(linear_memory_door)(const void *call)
{
    const TYPED(linear_call) *c = call;
    return TYPED(fastrnn_linear_memory)(c->N, c->inputs, c->outputs, c->bytes);
}

static fastrnn_status TYPED(linear_forward_door)(const void *call)
{
    const TYPED(linear_call) *c = call;
    return TYPED(fastrnn_linear_forward)(c->N, c->inputs, c->outputs, c->layer, c->x, c->y, c->tape,
                                         c->workspace);
}

static fastrnn_status TYPED(linear_backward_door)(const void *call)
{
    const TYPED(linear_call) *c = call;
    return TYPED(fastrnn_linear_backward)(c->N, c->inputs, c->outputs, c->layer, c->tape, c->dy, c->gradients, c->dx,
                                          c->workspace);
}

static TYPED(linear_call) TYPED(valid_linear_call)(size_t N, size_t inputs, size_t outputs, bool bias)
{
    const TYPED(fastrnn_linear) layer = {TYPED(randoms)(outputs * inputs, 1),
                                         bias ? TYPED(randoms)(outputs, 1) : NULL};
    const TYPED(fastrnn_linear) gradients = {TYPED(randoms)(outputs * inputs, 1),
                                             bias ? TYPED(randoms)(outputs, 1) : NULL};
    fastrnn_linear_bytes bytes = {0};
    TYPED(fastrnn_linear_memory)(N, inputs, outputs, &bytes);
    return (TYPED(linear_call)){.N = N,
                                .inputs = inputs,
                                .outputs = outputs,
                                .bytes = guarded(sizeof bytes),
                                .layer = guarded_copy(&layer, sizeof layer),
                                .gradients = guarded_copy(&gradients, sizeof gradients),
                                .x = TYPED(randoms)(N * inputs, 1),
                                .y = TYPED(blanks)(N * outputs),
                                .dy = TYPED(randoms)(N * outputs, 1),
                                .dx = TYPED(blanks)(N * inputs),
                                .tape = guarded(bytes.tape),
                                .workspace = guarded(bytes.workspace)};
}

typedef struct {
    size_t N, V, E;
    REAL *W, *y, *dy, *dW;
    int64_t *indices;
} TYPED(embedding_call);

static fastrnn_status TYPED(embedding_forward_door)(const void *call)
{
    const TYPED(embedding_call) *c = call;
    return TYPED(fastrnn_embedding_forward)(c->N, c->V, c->E, c->W, c->indices, c->y);
}

static fastrnn_status TYPED(embedding_backward_door)(const void *call)
{
    const TYPED(embedding_call) *c = call;
    return TYPED(fastrnn_embedding_backward)(c->N, c->V, c->E, c->indices, c->dy, c->dW);
}

static TYPED(embedding_call) TYPED(valid_embedding_call)(size_t N, size_t V, size_t E)
{
    return (TYPED(embedding_call)){.N = N,
                                   .V = V,
                                   .E = E,
                                   .W = TYPED(randoms)(V * E, 1),
                                   .y = TYPED(blanks)(N * E),
                                   .dy = TYPED(randoms)(N * E, 1),
                                   .dW = TYPED(randoms)(V * E, 1),
                                   .indices = random_characters(N, V)};
}

/* ---- results --------------------------------------------------------------------------------------------------- */


static void TYPED(check_linear)(const feedforward_sizes *s, bool bias)
{
    const size_t N = s->N, I = s->inputs, O = s->outputs;
    TYPED(linear_call) c = TYPED(valid_linear_call)(N, I, O, bias);
    const double *W = TYPED(widened)(O * I, c.layer->Why), *x = TYPED(widened)(N * I, c.x);
    const double *dy = TYPED(widened)(N * O, c.dy);
    double *y = zeros(N * O), *dx = zeros(N * I), *dW = TYPED(widened)(O * I, c.gradients->Why);
    double *db = bias ? TYPED(widened)(O, c.gradients->by) : NULL;
    for (size_t n = 0; n < N; n++) {
        for (size_t i = 0; bias && i < O; i++) {
            y[n * O + i] = (double)c.layer->by[i];
        }
        add_product(O, I, W, x + n * I, y + n * O);
        add_transposed_product(O, I, W, dy + n * O, dx + n * I);
        add_outer(O, I, dy + n * O, x + n * I, dW);
        if (bias) {
            add(O, dy + n * O, db);
        }
    }
    SITUATION("Linear, N=%zu I=%zu O=%zu bias=%d", N, I, O, bias);
    REAL *dW_before = guarded_copy(c.gradients->Why, O * I * sizeof(REAL));
    void *tape = c.tape;
    c.tape = NULL;
    CHECK_OK(TYPED(linear_forward_door)(&c));
    const REAL *y_without = guarded_copy(c.y, N * O * sizeof(REAL));
    c.tape = tape;
    CHECK_OK(TYPED(linear_forward_door)(&c));
    TYPED(check_close)(HERE, "y", N * O, c.y, y, INFINITY);
    CHECK(TYPED(same_bits)(N * O, c.y, y_without), "y is another without a tape");
    memset(c.x, 0xff, N * I * sizeof(REAL)); /* NaN: backward has the tape */
    CHECK_OK(TYPED(linear_backward_door)(&c));
    TYPED(check_close)(HERE, "dx", N * I, c.dx, dx, INFINITY);
    TYPED(check_close)(HERE, "dW", O * I, c.gradients->Why, dW, INFINITY);
    if (bias) {
        TYPED(check_close)(HERE, "db", O, c.gradients->by, db, INFINITY);
    }
    TYPED(check_subnormals)(HERE);

    REAL *dW_first = c.gradients->Why;
    c.gradients->Why = dW_before;
    c.gradients->by = NULL;
    c.dx = NULL;
    CHECK_OK(TYPED(linear_backward_door)(&c));
    CHECK(TYPED(same_bits)(O * I, dW_before, dW_first), "dW is another where db and dx are not wanted");
}

static void TYPED(check_embedding)(const feedforward_sizes *s)
{
    const size_t N = s->N, V = s->inputs, E = s->outputs;
    TYPED(embedding_call) c = TYPED(valid_embedding_call)(N, V, E);
    double *y = zeros(N * E), *dW = TYPED(widened)(V * E, c.dW);
    for (size_t i = 0; i < N * E; i++) {
        const size_t at = (size_t)c.indices[i / E] * E + i % E;
        y[i] = (double)c.W[at];
        dW[at] += (double)c.dy[i];
    }
    SITUATION("Embedding, N=%zu V=%zu E=%zu", N, V, E);
    CHECK_OK(TYPED(embedding_forward_door)(&c));
    CHECK_OK(TYPED(embedding_backward_door)(&c));
    for (size_t i = 0; i < N * E; i++) {
        y[i] -= (double)c.y[i];
    }
    CHECK(smaller_largest(INFINITY, N * E, y) == INFINITY, "y is not what W has there");
    TYPED(check_close)(HERE, "dW", V * E, c.dW, dW, INFINITY);
}

static void TYPED(feedforward_case)(const void *sizes)
{
    random_state = 9;
    TYPED(check_linear)(sizes, true);
    release_since(0);
    TYPED(check_linear)(sizes, false);
    release_since(0);
    TYPED(check_embedding)(sizes);
}

/* ---- refusals -------------------------------------------------------------------------------------------------- */

static void TYPED(check_rows_refused)(place at, door *open, const void *call, size_t *N, size_t *columns)
{
    const size_t rows = *N, width = *columns, units = (size_t)1 << 24, limit = (size_t)1 << 32;
    const size_t bad[][2] = {{0, width},     {limit, width},  {SIZE_MAX, width}, {rows, 0},
                             {rows, units},  {rows, SIZE_MAX}, {limit / 2, (size_t)1 << 17}, {SIZE_MAX, SIZE_MAX}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        *N = bad[i][0];
        *columns = bad[i][1];
        situation_at(at, "%zu rows of %zu", *N, *columns);
        check_refusal(at, FASTRNN_ERROR_SHAPE, open, call);
    }
    *N = rows;
    *columns = width;
}

static void TYPED(linear_arguments_case)(const void *nothing)
{
    (void)nothing;
    TYPED(linear_call) c = TYPED(valid_linear_call)(3, 5, 4, true);
    door *doors[] = {TYPED(linear_memory_door), TYPED(linear_forward_door), TYPED(linear_backward_door)};
    for (size_t i = 0; i < COUNT(doors); i++) {
        TYPED(check_rows_refused)(HERE, doors[i], &c, &c.N, &c.inputs);
        TYPED(check_rows_refused)(HERE, doors[i], &c, &c.N, &c.outputs);
    }
    const size_t forward[] = {OFFSET(linear_call, layer), OFFSET(linear_call, x), OFFSET(linear_call, y),
                              OFFSET(linear_call, workspace)};
    const size_t backward[] = {OFFSET(linear_call, layer), OFFSET(linear_call, tape), OFFSET(linear_call, dy),
                               OFFSET(linear_call, gradients), OFFSET(linear_call, workspace)};
    const size_t weight = OFFSET(fastrnn_linear, Why);
    check_nulls(HERE, doors[0], &c, &c, 1, &(size_t){OFFSET(linear_call, bytes)});
    check_nulls(HERE, doors[1], &c, &c, COUNT(forward), forward);
    check_nulls(HERE, doors[2], &c, &c, COUNT(backward), backward);
    check_nulls(HERE, doors[1], &c, c.layer, 1, &weight);
    check_nulls(HERE, doors[2], &c, c.layer, 1, &weight);
    check_nulls(HERE, doors[2], &c, c.gradients, 1, &weight);
    for (size_t i = 0; i < COUNT(doors); i++) {
        CHECK_OK(doors[i](&c));
    }
}

static void TYPED(embedding_arguments_case)(const void *nothing)
{
    (void)nothing;
    TYPED(embedding_call) c = TYPED(valid_embedding_call)(3, 5, 4);
    door *doors[] = {TYPED(embedding_forward_door), TYPED(embedding_backward_door)};
    for (size_t i = 0; i < COUNT(doors); i++) {
        TYPED(check_rows_refused)(HERE, doors[i], &c, &c.N, &c.E);
        check_indices_refused(HERE, doors[i], &c, c.N, c.indices, c.V);
        c.V = 0;
        SITUATION("V=0");
        check_refusal(HERE, FASTRNN_ERROR_SHAPE, doors[i], &c);
        c.V = 5;
    }
    const size_t forward[] = {OFFSET(embedding_call, W), OFFSET(embedding_call, indices), OFFSET(embedding_call, y)};
    const size_t backward[] = {OFFSET(embedding_call, indices), OFFSET(embedding_call, dy),
                               OFFSET(embedding_call, dW)};
    check_nulls(HERE, doors[0], &c, &c, COUNT(forward), forward);
    check_nulls(HERE, doors[1], &c, &c, COUNT(backward), backward);
    CHECK_OK(doors[0](&c));
    CHECK_OK(doors[1](&c));
}

static void TYPED(no_isa_feedforward_case)(const void *nothing)
{
    (void)nothing;
    TYPED(linear_call) linear = TYPED(valid_linear_call)(3, 5, 4, true);
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(linear_memory_door), &linear);
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(linear_forward_door), &linear);
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(linear_backward_door), &linear);
    TYPED(embedding_call) embedding = TYPED(valid_embedding_call)(3, 5, 4);
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(embedding_forward_door), &embedding);
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(embedding_backward_door), &embedding);
}

/* Leaves the last instruction set chosen. */
static void TYPED(linear_bytes_case)(const void *sizes)
{
    const feedforward_sizes *s = sizes;
    fastrnn_linear_bytes first = {0};
    SITUATION("bytes of N=%zu I=%zu O=%zu", s->N, s->inputs, s->outputs);
    for (size_t i = 0; fastrnn_available_isa(i) != NULL; i++) {
        fastrnn_linear_bytes bytes = {0};
        CHECK_OK(fastrnn_select_isa(fastrnn_available_isa(i)));
        CHECK_OK(TYPED(fastrnn_linear_memory)(s->N, s->inputs, s->outputs, &bytes));
        first = i == 0 ? bytes : first;
        CHECK(bytes.tape == first.tape && bytes.workspace == first.workspace,
              "%zu and %zu bytes for %s, %zu and %zu for %s", bytes.tape, bytes.workspace,
              fastrnn_available_isa(i), first.tape, first.workspace, fastrnn_available_isa(0));
    }
}

static void TYPED(test_feedforward)(void)
{
    random_state = 14;
    run_case_guarded(TYPED(linear_arguments_case), NULL);
    run_case_guarded(TYPED(embedding_arguments_case), NULL);
    for (size_t i = 0; i < 256; i += run.quick ? QUICK_STEP : 1) {
        const fastrnn_shape shape = remainder_shape(i);
        const feedforward_sizes sizes = {1 + i * 5 % 13, shape.H, shape.V};
        run_case_guarded(TYPED(feedforward_case), &sizes);
    }
    const feedforward_sizes large[] = {{300, 7, 5}, {2, 300, 200},  {9, 193, 160},
                                       {1, 1, 1},   {260, 2, 320}, {150, 130, 97}};
    for (size_t i = 0; i < COUNT(large); i++) {
        run_case_guarded(TYPED(feedforward_case), &large[i]);
    }
}

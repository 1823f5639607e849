/* The doors of stacks, as calls_typed.h has the others. One struct serves them all: what forward fills in, backward
 * reads. */

typedef struct {
    fastrnn_stack *stack;
    fastrnn_batch *batch;
    fastrnn_stack_bytes *bytes;
    TYPED(fastrnn_stack_input) *input;
    TYPED(fastrnn_stack_output) *output;
    TYPED(fastrnn_stack_output_gradient) *output_gradient;
    TYPED(fastrnn_stack_input_gradient) *input_gradient;
    void *tape, *forward_workspace, *backward_workspace, *step_workspace;
    size_t only_read; /* so many buffers hold what no door may write to, and are remembered */
} TYPED(stack_call);

static fastrnn_status TYPED(stack_memory_door)(const void *call)
{
    const TYPED(stack_call) *c = call;
    return TYPED(fastrnn_stack_memory)(c->stack, c->batch, c->bytes);
}

static fastrnn_status TYPED(stack_forward_door)(const void *call)
{
    const TYPED(stack_call) *c = call;
    return TYPED(fastrnn_stack_forward)(c->stack, c->batch, c->input, c->output, c->tape, c->forward_workspace);
}

static fastrnn_status TYPED(stack_backward_door)(const void *call)
{
    const TYPED(stack_call) *c = call;
    return TYPED(fastrnn_stack_backward)(c->stack, c->batch, c->input, c->tape, c->output_gradient, c->input_gradient,
                                         c->backward_workspace);
}

static fastrnn_status TYPED(stack_step_door)(const void *call)
{
    const TYPED(stack_call) *c = call;
    return TYPED(fastrnn_stack_step)(c->stack, c->batch, c->input, c->output, c->step_workspace);
}

/* ---- sizes ----------------------------------------------------------------------------------------------------- */

static size_t TYPED(outputs)(const stack_shape *s)
{
    return s->T * s->B * s->stack.directions * s->stack.hidden_size;
}

static size_t TYPED(states)(const stack_shape *s)
{
    return s->stack.layers * s->stack.directions * s->B * s->stack.hidden_size;
}

static bool TYPED(has_c)(const stack_shape *s)
{
    return s->stack.cell == FASTRNN_LSTM;
}

/* ---- what a call reads ----------------------------------------------------------------------------------------- */

/* Some sequences as long as the batch, some without a step, in any order; now and then all of them empty. */
static int64_t *TYPED(random_lengths)(size_t T, size_t B)
{
    int64_t *lengths = guarded(B * sizeof *lengths);
    const bool none = random_below(16) == 0;
    for (size_t b = 0; b < B; b++) {
        lengths[b] = (int64_t)(none ? 0 : random_below(4) == 0 ? T : random_below(T + 1));
    }
    return lengths;
}

/* What stands past a sequence's length becomes NaN, in x (planes, T, B, width): nobody may look at it. */
static void TYPED(spoil_padding)(const fastrnn_batch *batch, size_t planes, size_t width, REAL *x)
{
    for (size_t row = 0; row < planes * batch->T * batch->B; row++) {
        if (row / batch->B % batch->T >= length_of(batch, row % batch->B)) {
            for (size_t j = 0; j < width; j++) {
                x[row * width + j] = (REAL)NAN;
            }
        }
    }
}

static REAL *TYPED(random_dropout)(size_t n)
{
    REAL *factors = TYPED(blanks)(n);
    for (size_t i = 0; i < n; i++) {
        factors[i] = (REAL)(random_below(3) == 0 ? 0 : 1.5);
    }
    return factors;
}

/* As PyTorch's initial values, half as large again, so that gates open and close. */
static REAL *TYPED(random_parameters)(const fastrnn_stack *stack)
{
    return TYPED(randoms)(fastrnn_stack_parameters(stack), 1.5 / sqrt((double)stack->hidden_size));
}

/* The input gradients begin as what is to be added to. */
static TYPED(stack_call) TYPED(valid_stack_call)(const stack_shape *s)
{
    const fastrnn_stack *stack = &s->stack;
    const size_t D = stack->directions, H = stack->hidden_size, I = stack->input_size, rows = s->T * s->B;
    const size_t outputs = TYPED(outputs)(s), states = TYPED(states)(s), given = s->states ? states : 0;
    const size_t cells = TYPED(has_c)(s) ? states : 0;
    const fastrnn_batch batch = {.T = s->T,
                                 .B = s->B,
                                 .lengths = s->ragged ? TYPED(random_lengths)(s->T, s->B) : NULL,
                                 .one_hot = s->one_hot,
                                 .embeddings = s->embeddings,
                                 .dropout = s->dropout};
    const TYPED(fastrnn_stack_input) input = {
        .parameters = TYPED(random_parameters)(stack),
        .x = s->one_hot ? NULL : TYPED(randoms)(rows * I, 2),
        .indices = s->one_hot ? random_characters(rows, s->embeddings > 0 ? s->embeddings : I) : NULL,
        .embedding = s->embeddings > 0 ? TYPED(randoms)(s->embeddings * I, 2) : NULL,
        .h0 = given ? TYPED(randoms)(given, 1) : NULL,
        .c0 = given && cells ? TYPED(randoms)(given, 1) : NULL,
        .dropout = s->dropout ? TYPED(random_dropout)((stack->layers - 1) * outputs) : NULL};
    const TYPED(fastrnn_stack_output_gradient) output_gradient = {
        .y = TYPED(randoms)(outputs, 1),
        .hn = given ? TYPED(randoms)(given, 1) : NULL,
        .cn = given && cells ? TYPED(randoms)(given, 1) : NULL};
    if (!s->one_hot) {
        TYPED(spoil_padding)(&batch, 1, I, (REAL *)input.x);
    }
    if (s->dropout) {
        TYPED(spoil_padding)(&batch, stack->layers - 1, D * H, (REAL *)input.dropout);
    }
    TYPED(spoil_padding)(&batch, 1, D * H, (REAL *)output_gradient.y);
    const size_t only_read = memory.in_use;
    remember_memory();

    const TYPED(fastrnn_stack_output) output = {TYPED(blanks)(outputs), TYPED(blanks)(states),
                                                cells ? TYPED(blanks)(cells) : NULL};
    const TYPED(fastrnn_stack_input_gradient) input_gradient = {
        .parameters = TYPED(random_parameters)(stack),
        .x = s->one_hot ? NULL : TYPED(blanks)(rows * I),
        .embedding = s->embeddings > 0 ? TYPED(randoms)(s->embeddings * I, 2) : NULL,
        .h0 = TYPED(blanks)(states),
        .c0 = cells ? TYPED(blanks)(cells) : NULL};
    fastrnn_stack_bytes bytes = {0};
    TYPED(fastrnn_stack_memory)(stack, &batch, &bytes);
    return (TYPED(stack_call)){.stack = guarded_copy(stack, sizeof *stack),
                               .batch = guarded_copy(&batch, sizeof batch),
                               .bytes = guarded(sizeof bytes),
                               .input = guarded_copy(&input, sizeof input),
                               .output = guarded_copy(&output, sizeof output),
                               .output_gradient = guarded_copy(&output_gradient, sizeof output_gradient),
                               .input_gradient = guarded_copy(&input_gradient, sizeof input_gradient),
                               .tape = guarded(bytes.tape),
                               .forward_workspace = guarded(bytes.forward),
                               .backward_workspace = guarded(bytes.backward),
                               .step_workspace = guarded(bytes.step),
                               .only_read = only_read};
}

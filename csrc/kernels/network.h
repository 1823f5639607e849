/* A network over sequences: 1-of-I codes, rows of an embedding, or vectors, and beside the latter two a context that is the
 * same at all steps of a sequence; a stack (stack.h); a linear layer over the states of its last layer, at each step or
 * after the last step of each sequence; a loss.
 *
 * The memory of a call over B sequences of T steps, N of which there are (all T B of them where all are as long), and R
 * rows of outputs (N, or B), laid out once for the largest batch and used for smaller ones as well:
 *
 *     tape     of the stack, see tape.h               tops       (R, w) what the linear layer reads, where that does
 *     scratch  of the stack, forward or backward                 not lie on the tape
 *     x        (T B, I) what the stack reads          ys         (R, v) y, then the gradient of y
 *                                                     W          packed (outputs, D H) or its transpose
 *
 *     to train: dx (T B, I), dtops (R, w); hn, cn (layers D, B, H), the states after the last step, and dhn, a gradient of
 *     them; some rows of a gradient, sums of one; classes (R), numbers (R, outputs), targets in the order of the rows;
 *     dense (R, outputs), ys without padding; with dropout factors (layers, T B, D H)
 *
 * Every piece begins on a cache line, and none is larger for a batch with fewer steps or sequences: so what is laid out
 * for the largest is enough for all. */

/* What is to be computed, and the sizes that follow from it. The batch is pointed to: a call stays where it is. */
typedef struct {
    const fastrnn_network *network;
    const fastrnn_stack *stack;
    fastrnn_network_offsets at;
    fastrnn_batch batch;
    size_t cells, N, R;       /* T B; steps that there are; rows of outputs */
    size_t E, C;              /* numbers of a row of the table, or of a vector; of the context behind it */
    size_t H, D, h, width, w; /* width = D H numbers of a state of all directions; h, w: from row to row */
    size_t V, v;              /* outputs; numbers from row to row of ys */
} network_call;

/* Where tokens are more than the rows of the table that they stand for, W_ih is applied to these, not to each token. */
static bool reads_table(const fastrnn_network *network, size_t N)
{
    return network->embeddings > 0 && network->embeddings < N && network->context == 0;
}

/* lengths: NULL, or those of N steps in all. */
static network_call network_call_over(const fastrnn_network *network, size_t T, size_t B, const int64_t *lengths, size_t N,
                                      bool dropout)
{
    const fastrnn_stack *stack = &network->stack;
    const size_t width = stack->directions * stack->hidden_size;
    const bool table = reads_table(network, N);
    return (network_call){.network = network,
                          .stack = stack,
                          .at = network_offsets(network),
                          .batch = {.T = T,
                                    .B = B,
                                    .lengths = lengths,
                                    .one_hot = table || (network->embeddings == 0 && !network->vectors),
                                    .embeddings = table ? network->embeddings : 0,
                                    .dropout = dropout},
                          .cells = T * B,
                          .N = N,
                          .R = network->last ? B : N,
                          .E = stack->input_size - network->context,
                          .C = network->context,
                          .H = stack->hidden_size,
                          .D = stack->directions,
                          .h = padded_row(stack->hidden_size),
                          .width = width,
                          .w = padded_row(width),
                          .V = network->outputs,
                          .v = padded_row(network->outputs)};
}

static network_call network_call_of(const fastrnn_network *network, size_t T, size_t B, bool dropout)
{
    return network_call_over(network, T, B, NULL, T * B, dropout);
}

/* The largest of all calls over at most T steps and B sequences, of whatever lengths: to lay out memory by. */
static network_call largest_network_call(const fastrnn_network *network, size_t T, size_t B, bool dropout)
{
    static const int64_t any = 0;
    return network_call_over(network, T, B, &any, T * B, dropout);
}

typedef struct {
    void *tape, *scratch;
    real *x, *tops, *ys, *W;
    stack_weights kept; /* where all calls have the same sizes: the stack's weights ... */
    real *W_kept;       /* ... and W^T packed; NULL: they are prepared for each */
    real *dx, *dtops, *hn, *cn, *dhn, *some_rows, *sums, *numbers, *dense, *factors;
    int64_t *classes;
} network_memory;

/* The stack is to read rows of the embedding, not the table. */
static void read_rows(network_call *call)
{
    call->batch.embeddings = 0;
    call->batch.one_hot = call->network->embeddings == 0 && !call->network->vectors;
}

/* The stack reads the caller's vectors as they are. */
static bool reads_vectors(const network_call *call)
{
    return call->network->vectors && call->C == 0;
}

/* The linear layer reads the states as they lie on the tape. */
static bool reads_tape(const network_call *call)
{
    return !call->network->last && call->D == 1 && !call->batch.dropout;
}

static size_t states_size(const network_call *call)
{
    return call->stack->layers * call->D * call->batch.B * call->H;
}

/* Numbers of x, and of its gradient: of an embedding also where this batch reads the table, a smaller one may not. */
static size_t x_size(const network_call *call)
{
    const bool rows = call->network->embeddings > 0 || call->C > 0;
    return rows ? call->cells * call->stack->input_size : 0;
}

/* The stack's memory, for this batch or a smaller one. */
static fastrnn_stack_bytes stack_memory_of(const network_call *call)
{
    network_call by_rows = *call;
    read_rows(&by_rows);
    const fastrnn_stack_bytes a = memory_of_stack_call(call->stack, &call->batch, call->N),
                              b = memory_of_stack_call(call->stack, &by_rows.batch, call->N);
    return (fastrnn_stack_bytes){.tape = larger(a.tape, b.tape),
                                 .forward = larger(a.forward, b.forward),
                                 .backward = larger(a.backward, b.backward)};
}

/* The pieces that every pass needs; scratch is for the stack's forward pass, or for either. */
static uintptr_t lay_out_pass(const network_call *call, uintptr_t begin, bool backward, network_memory *m)
{
    const size_t size = sizeof(real);
    const fastrnn_stack_bytes stack = stack_memory_of(call);
    const size_t W = call->V > 0 ? larger(packed_size(call->width, call->V), packed_size(call->V, call->width)) : 0;
    uintptr_t next = begin;
    m->tape = take(&next, stack.tape);
    m->scratch = take(&next, backward ? larger(stack.forward, stack.backward) : stack.forward);
    m->x = take(&next, x_size(call) * size);
    m->tops = take(&next, reads_tape(call) || call->V == 0 ? 0 : call->R * call->w * size);
    m->ys = take(&next, call->R * call->v * size);
    m->W = take(&next, W * size);
    return next;
}

static uintptr_t lay_out_training(const network_call *call, uintptr_t begin, network_memory *m)
{
    const size_t size = sizeof(real), states = states_size(call) * size;
    const bool classes = call->network->loss == FASTRNN_SOFTMAX_CROSS_ENTROPY;
    uintptr_t next = lay_out_pass(call, begin, true, m);
    m->dx = take(&next, x_size(call) * size);
    m->dtops = take(&next, reads_tape(call) || call->V == 0 ? 0 : call->R * call->w * size);
    m->hn = take(&next, states);
    m->cn = take(&next, states);
    m->dhn = take(&next, states);
    m->some_rows = take(&next, call->V > 0 ? some_rows_size(call->V, call->width, call->R) * size : 0);
    m->sums = take(&next, call->v * size);
    m->numbers = take(&next, classes ? 0 : call->R * call->V * size);
    m->dense = take(&next, classes ? 0 : call->R * call->V * size);
    m->factors = take(&next, call->batch.dropout ? call->stack->layers * call->cells * call->width * size : 0);
    m->classes = take(&next, classes ? call->R * sizeof(int64_t) : 0);
    return next;
}

/* The linear layer in a buffer like the parameters. */
static TYPED(fastrnn_linear) output_layer(const network_call *call, const real *parameters)
{
    real *layers = (real *)parameters;
    return (TYPED(fastrnn_linear)){layers + call->at.W, call->network->without_bias ? NULL : layers + call->at.b};
}

/* ---- forward --------------------------------------------------------------------------------------------------- */

/* The rows (T B, I) that the stack reads: of the embedding, or the caller's vectors, and the context. */
static const real *rows_read(const network_call *call, const network_memory *m, const real *parameters,
                             const TYPED(fastrnn_network_input) *input)
{
    const size_t I = call->stack->input_size, E = call->E, C = call->C;
    if (call->batch.one_hot || reads_vectors(call)) {
        return input->vectors;
    }
    if (call->network->vectors) {
        for (size_t n = 0; n < call->cells; n++) {
            memcpy(m->x + n * I, input->vectors + n * E, E * sizeof(real));
        }
    } else {
        embedding_forward(call->cells, E, parameters + call->at.embedding, input->tokens, m->x, I);
    }
    for (size_t n = 0; C > 0 && n < call->cells; n++) {
        memcpy(m->x + n * I + E, input->context + n % call->batch.B * C, C * sizeof(real));
    }
    return m->x;
}

static TYPED(fastrnn_stack_input) stack_input_of(const network_call *call, const network_memory *m, const real *parameters,
                                                 const TYPED(fastrnn_network_input) *input, const real *x)
{
    return (TYPED(fastrnn_stack_input)){.parameters = parameters + call->at.stack,
                                        .x = x,
                                        .indices = input->tokens,
                                        .embedding = parameters + call->at.embedding,
                                        .h0 = input->h,
                                        .c0 = input->c,
                                        .dropout = m->factors};
}

/* The factors of the last layer's dropout, for (T B, D H) or, of a network that puts out one row for each sequence, (B,
 * D H); NULL: none. */
static const real *top_dropout(const network_call *call, const network_memory *m)
{
    return call->batch.dropout ? m->factors + (call->stack->layers - 1) * call->cells * call->width : NULL;
}

/* Where in an array of states (layers D, B, H) the last layer's are, of a direction and a sequence. */
static size_t top_state(const network_call *call, size_t direction, size_t b)
{
    return (((call->stack->layers - 1) * call->D + direction) * call->batch.B + b) * call->H;
}

/* rows (B, w) = the last layer's states hn, of all directions side by side, times dropout. */
static void last_states_read(const network_call *call, const real *hn, const real *dropout, real *rows)
{
    const size_t H = call->H, width = call->width;
    for (size_t b = 0; b < call->batch.B; b++) {
        real *row = rows + b * call->w;
        for (size_t direction = 0; direction < call->D; direction++) {
            memcpy(row + direction * H, hn + top_state(call, direction, b), H * sizeof(real));
        }
        for (size_t k = 0; dropout != NULL && k < width; k++) {
            row[k] *= dropout[b * width + k];
        }
        memset(row + width, 0, (call->w - width) * sizeof(real));
    }
}

/* Through the stack: what the linear layer reads, (R, w). The states after the last step go to hn, cn, which may be those
 * before the first. */
static const real *states_forward(const network_call *call, const network_memory *m, const real *parameters,
                                  const TYPED(fastrnn_network_input) *input, real *hn, real *cn)
{
    const stack_call stack = stack_call_on(call->stack, &call->batch, m->tape);
    const real *x = rows_read(call, m, parameters, input);
    const TYPED(fastrnn_stack_input) read = stack_input_of(call, m, parameters, input, x);
    const TYPED(fastrnn_stack_output) output = {.hn = hn, .cn = cn};
    strand_weights scratch;
    lay_out_forward(&stack, (uintptr_t)m->scratch, &scratch);
    layers_forward(&stack, &read, &output, m->kept.kept ? &m->kept : &(stack_weights){&scratch, false});
    if (reads_tape(call)) {
        return top_states(&stack, 0);
    }
    if (call->V > 0 && call->network->last) {
        last_states_read(call, hn, top_dropout(call, m), m->tops);
    } else if (call->V > 0) {
        rows_from_below(&stack, call->stack->layers, false, top_dropout(call, m), m->tops, call->w);
    }
    return m->tops;
}

/* ys (R, v) = W tops + b. */
static void outputs_forward(const network_call *call, const network_memory *m, const real *parameters, const real *tops)
{
    const TYPED(fastrnn_linear) layer = output_layer(call, parameters);
    if (m->kept.kept) {
        linear_product(call->R, call->width, call->V, &layer, tops, call->w, m->W_kept, m->ys, call->v);
    } else {
        linear_rows(call->R, call->width, call->V, &layer, tops, call->w, m->W, m->ys, call->v);
    }
}

/* ---- loss ------------------------------------------------------------------------------------------------------ */

/* What the outputs ought to be, in the caller's order: classes (T, B) or numbers (T, B, outputs), or of a network with one
 * row of outputs for each sequence (B) or (B, outputs). */
typedef struct {
    const int64_t *classes;
    const real *numbers;
} network_targets;

/* The targets in the order of the rows of ys. */
static network_targets targets_of_rows(const network_call *call, const network_memory *m, const network_targets *caller)
{
    if (call->batch.lengths == NULL || call->network->last) {
        return *caller;
    }
    const stack_call stack = stack_call_on(call->stack, &call->batch, m->tape);
    if (call->network->loss == FASTRNN_SOFTMAX_CROSS_ENTROPY) {
        indices_from_caller(&stack.plan, false, caller->classes, m->classes);
    } else {
        FOR_STRAND_ROWS(&stack.plan, t, b, n) {
            const real *from = caller->numbers + caller_row(&stack.plan, false, t, b) * call->V;
            memcpy(m->numbers + n * call->V, from, call->V * sizeof(real));
        }
    }
    return (network_targets){m->classes, m->numbers};
}

/* The loss of ys, summed and divided by `terms`; ys becomes its gradient. */
static double outputs_loss(const network_call *call, const network_memory *m, const network_targets *caller, double terms)
{
    const network_targets targets = targets_of_rows(call, m, caller);
    const size_t R = call->R, V = call->V, v = call->v;
    const real factor = (real)(1 / terms);
    if (call->network->loss == FASTRNN_SOFTMAX_CROSS_ENTROPY) {
        const double loss = softmax_cross_entropy(R, V, v, targets.classes, m->ys);
        if (terms != 1) {
            scale_rows(R, V, factor, m->ys, v);
        }
        return loss / terms;
    }
    double (*const losses[])(size_t, real, const real *, real *) = {
        [FASTRNN_SIGMOID_CROSS_ENTROPY] = sigmoid_binary_cross_entropy,
        [FASTRNN_SQUARED_ERROR] = squared_error,
        [FASTRNN_SIGMOID_SQUARED_ERROR] = sigmoid_squared_error};
    copy_from_padded(R, V, m->ys, v, m->dense); /* rows may be as short as one number */
    const double loss = losses[call->network->loss](R * V, factor, targets.numbers, m->dense);
    copy_to_padded(R, V, m->dense, m->ys, v);
    return loss / terms;
}

/* ---- backward -------------------------------------------------------------------------------------------------- */

/* In the forward pass rows (B, w) were the last layer's states times dropout; so now dhn (layers D, B, H), of all layers,
 * gets what the rows got. */
static void last_states_back(const network_call *call, const real *dropout, real *rows, real *dhn)
{
    const size_t H = call->H, width = call->width;
    memset(dhn, 0, states_size(call) * sizeof(real));
    for (size_t b = 0; b < call->batch.B; b++) {
        real *row = rows + b * call->w;
        for (size_t k = 0; dropout != NULL && k < width; k++) {
            row[k] *= dropout[b * width + k];
        }
        for (size_t direction = 0; direction < call->D; direction++) {
            memcpy(dhn + top_state(call, direction, b), row + direction * H, H * sizeof(real));
        }
    }
}

/* Back from ys, which hold the gradient of the outputs, through the linear layer, to what comes from above to the stack or, of
 * a network with one row of outputs for each sequence, to dhn. */
static void outputs_back(const network_call *call, const network_memory *m, const stack_call *stack, const real *parameters,
                         const backward_scratch *w)
{
    const TYPED(fastrnn_linear) layer = output_layer(call, parameters);
    const size_t top = call->stack->layers - 1;
    real *const above[2] = {from_above(stack, w, top, 0), from_above(stack, w, top, call->D - 1)};
    if (reads_tape(call)) {
        linear_inputs_back(call->R, call->width, call->V, &layer, m->ys, call->v, m->W, above[0], call->h);
        return;
    }
    linear_inputs_back(call->R, call->width, call->V, &layer, m->ys, call->v, m->W, m->dtops, call->w);
    if (call->network->last) {
        last_states_back(call, top_dropout(call, m), m->dtops, m->dhn);
    } else {
        rows_to_below(stack, false, top_dropout(call, m), m->dtops, call->w, above);
    }
}

/* In the forward pass x was rows of the embedding or vectors, and the context of their sequence behind them; so now from dx
 * the context's gradient. */
static void context_back(const network_call *call, const network_memory *m, real *dcontext)
{
    const size_t I = call->stack->input_size, E = call->E, C = call->C, B = call->batch.B;
    memset(dcontext, 0, B * C * sizeof(real));
    for (size_t n = 0; n < call->cells; n++) {
        add(C, m->dx + n * I + E, dcontext + n % B * C);
    }
}

/* Where the gradients of a network's input go; NULL: nowhere. */
typedef struct {
    real *h, *c;   /* (layers D, B, H) */
    real *context; /* (B, C) */
} network_input_gradient;

static backward_scratch backward_scratch_of(const network_call *call, const network_memory *m, const stack_call *stack)
{
    const bool gru = call->stack->cell == FASTRNN_GRU || call->stack->cell == FASTRNN_GRU_RESET_BEFORE;
    backward_scratch w = {.kept = m->kept.kept ? &m->kept : NULL, .one_bias = !gru};
    lay_out_backward(stack, (uintptr_t)m->scratch, &w);
    return w;
}

static bool wants_dx(const network_call *call)
{
    return !call->batch.one_hot && !reads_vectors(call);
}

/* Back to the gradients of all slots, and of the inputs: of a network with outputs from theirs, in m->ys; of one without
 * from dhn, dcn, those of the states after the last step. */
static void network_back(const network_call *call, const network_memory *m, const real *parameters,
                         const TYPED(fastrnn_network_input) *input, const real *dhn, const real *dcn,
                         const network_input_gradient *to)
{
    const stack_call stack = stack_call_on(call->stack, &call->batch, m->tape);
    const TYPED(fastrnn_stack_input) read = stack_input_of(call, m, parameters, input, NULL);
    const TYPED(fastrnn_stack_input_gradient) out = {.x = wants_dx(call) ? m->dx : NULL, .h0 = to->h, .c0 = to->c};
    const backward_scratch w = backward_scratch_of(call, m, &stack);
    const bool last = call->network->last && call->V > 0;
    for (size_t direction = 0; !(call->V > 0 && reads_tape(call)) && direction < call->D; direction++) {
        memset(from_above(&stack, &w, call->stack->layers - 1, direction), 0, call->N * call->h * sizeof(real));
    }
    if (call->V > 0) {
        outputs_back(call, m, &stack, parameters, &w);
    }
    if (wants_dx(call)) {
        memset(m->dx, 0, call->cells * call->stack->input_size * sizeof(real));
    }
    layers_back(&stack, &read, &(TYPED(fastrnn_stack_output_gradient)){.hn = last ? m->dhn : dhn, .cn = dcn}, &out, &w);
    if (to->context != NULL) {
        context_back(call, m, to->context);
    }
}

/* The factors of the parameters' gradients, which network_back leaves, are such that no product or sum of them overflows. */
static bool factors_are_moderate(const network_call *call, const network_memory *m, const real *parameters,
                                 const real *tops)
{
    const stack_call stack = stack_call_on(call->stack, &call->batch, m->tape);
    const backward_scratch w = backward_scratch_of(call, m, &stack);
    const size_t I = call->stack->input_size, N = call->N, dense = stack.cell->slots * stack.u;
    bool moderate = call->V == 0 || (are_moderate(call->R, call->V, m->ys, call->v) &&
                                     are_moderate(call->R, call->width, tops, call->w));
    for (size_t i = 0; i < call->stack->layers * call->D; i++) {
        const strand_tape tape = strand_at(&stack, i / call->D, i % call->D);
        const slot_gradients d = gradients_of_slots(&stack, &w, i / call->D, i % call->D);
        moderate &= are_moderate(call->batch.B + N, call->H, tape.hs, call->h);
        moderate &= tape.x == NULL || are_moderate(N, stack_inputs(call->stack, i / call->D), tape.x, tape.x_row);
        for (size_t slot = 0; slot * stack.u < dense; slot++) {
            moderate &= are_moderate(N, call->H, d.data + slot * stack.u, d.row);
        }
    }
    if (call->network->embeddings > 0) {
        moderate &= are_moderate(1, call->network->embeddings * call->E, parameters + call->at.embedding, 0);
    }
    if (call->network->embeddings > 0 && wants_dx(call)) {
        moderate &= are_moderate(1, call->cells * I, m->dx, 0);
    }
    return moderate;
}

/* Once network_back is through: the gradients of all parameters go to `to`, a buffer like theirs, or the parameters
 * themselves; tops is what the linear layer read. */
static void network_parameters_back(const network_call *call, const network_memory *m, const gradient_use *use,
                                    const real *parameters, const TYPED(fastrnn_network_input) *input, const real *tops,
                                    real *to)
{
    const stack_call stack = stack_call_on(call->stack, &call->batch, m->tape);
    const TYPED(fastrnn_stack_input) read = stack_input_of(call, m, parameters, input, NULL);
    const backward_scratch w = backward_scratch_of(call, m, &stack);
    const size_t embedding = call->network->embeddings * call->E;
    if (call->V > 0) {
        const TYPED(fastrnn_linear) layer = output_layer(call, to);
        linear_weights_back(use, call->R, call->width, call->V, tops, call->w, m->ys, call->v, &layer,
                            m->kept.kept ? m->W_kept : NULL, m->some_rows, m->sums);
    }
    real *dembedding = embedding > 0 ? made_piecewise(use, to + call->at.embedding) : NULL;
    if (embedding > 0) {
        memset(dembedding, 0, embedding * sizeof(real));
    }
    layers_parameters_back(&stack, use, &read, to + call->at.stack, dembedding, &w);
    if (embedding > 0 && wants_dx(call)) {
        embedding_backward(call->cells, call->E, input->tokens, m->dx, call->stack->input_size, dembedding);
    }
    if (embedding > 0) {
        hand_over_made(use, embedding, to + call->at.embedding);
    }
}

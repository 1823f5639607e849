/* A network over sequences of tokens: rows of an embedding, or 1-of-I codes; a stack of one direction (stack.h); a linear
 * layer over the states of its last layer; softmax cross-entropy of the tokens that follow.
 *
 * The memory of a call over N = T B tokens, laid out once:
 *
 *     tape     of the stack, see tape.h               ys         (N, v)     y_t, then p_t, then dy_t
 *     scratch  of the stack, forward or backward      W          packed (outputs, H) or its transpose
 *     x        (N, I) rows of the embedding
 *
 *     to train: dx (N, I); tokens, targets (T, B); hn, cn (layers, B, H), the states after the last step; some rows of a
 *     gradient, sums of one; gradient, like the parameters; with dropout factors (layers, N, H) and tops (N, h), the last
 *     layer's states times theirs
 *
 * Every piece begins on a cache line. */

/* What is to be computed, and the sizes that follow from it. The batch is pointed to: a call stays where it is. */
typedef struct {
    const fastrnn_network *network;
    const fastrnn_stack *stack;
    fastrnn_network_offsets at;
    fastrnn_batch batch;
    size_t N, H, h, V, v; /* v: numbers from row to row of ys */
} network_call;

static network_call network_call_of(const fastrnn_network *network, size_t T, size_t B, bool dropout)
{
    return (network_call){.network = network,
                          .stack = &network->stack,
                          .at = network_offsets(network),
                          .batch = {.T = T, .B = B, .one_hot = network->embeddings == 0, .dropout = dropout},
                          .N = T * B,
                          .H = network->stack.hidden_size,
                          .h = padded_row(network->stack.hidden_size),
                          .V = network->outputs,
                          .v = padded_row(network->outputs)};
}

typedef struct {
    void *tape, *scratch;
    real *x, *ys, *W;
    real *dx, *hn, *cn, *some_rows, *sums, *gradient, *factors, *tops;
    int64_t *tokens, *targets;
} network_memory;

/* The pieces that every pass needs; scratch is for the stack's forward pass, or for either. */
static uintptr_t lay_out_pass(const network_call *call, uintptr_t begin, bool backward, network_memory *m)
{
    const size_t I = call->stack->input_size, H = call->H, V = call->V, size = sizeof(real);
    const fastrnn_stack_bytes stack = stack_memory(call->stack, &call->batch);
    uintptr_t next = begin;
    m->tape = take(&next, stack.tape);
    m->scratch = take(&next, backward ? larger(stack.forward, stack.backward) : stack.forward);
    m->x = take(&next, call->batch.one_hot ? 0 : call->N * I * size);
    m->ys = take(&next, call->N * call->v * size);
    m->W = take(&next, larger(packed_size(H, V), packed_size(V, H)) * size);
    return next;
}

static uintptr_t lay_out_training(const network_call *call, uintptr_t begin, network_memory *m)
{
    const size_t N = call->N, H = call->H, size = sizeof(real), states = call->stack->layers * call->batch.B * H;
    const bool dropout = call->batch.dropout;
    uintptr_t next = lay_out_pass(call, begin, true, m);
    m->dx = take(&next, call->batch.one_hot ? 0 : N * call->stack->input_size * size);
    m->hn = take(&next, states * size);
    m->cn = take(&next, states * size);
    m->some_rows = take(&next, some_rows_size(call->V, H, N) * size);
    m->sums = take(&next, call->v * size);
    m->gradient = take(&next, call->at.end * size);
    m->factors = take(&next, dropout ? call->stack->layers * N * H * size : 0);
    m->tops = take(&next, dropout ? N * call->h * size : 0);
    m->tokens = take(&next, N * sizeof(int64_t));
    m->targets = take(&next, N * sizeof(int64_t));
    return next;
}

/* The linear layer in a buffer like the parameters. */
static TYPED(fastrnn_linear) output_layer(const network_call *call, real *parameters)
{
    return (TYPED(fastrnn_linear)){parameters + call->at.W, parameters + call->at.b};
}

static TYPED(fastrnn_stack_input) stack_inputs_of(const network_call *call, const network_memory *m,
                                                  const real *parameters, const int64_t *tokens, const real *h,
                                                  const real *c)
{
    return (TYPED(fastrnn_stack_input)){.parameters = parameters + call->at.stack,
                                        .x = m->x,
                                        .indices = tokens,
                                        .h0 = h,
                                        .c0 = c,
                                        .dropout = m->factors};
}

/* The states of the last layer, (N, h), from tokens (N) and the states h, c before them; those after them go to hn, cn,
 * which may be h, c. */
static const real *states_forward(const network_call *call, const network_memory *m, const real *parameters,
                                  const int64_t *tokens, const real *h, const real *c, real *hn, real *cn)
{
    const stack_call stack = stack_call_on(call->stack, &call->batch, m->tape);
    const TYPED(fastrnn_stack_input) input = stack_inputs_of(call, m, parameters, tokens, h, c);
    const TYPED(fastrnn_stack_output) output = {.hn = hn, .cn = cn};
    forward_scratch w;
    lay_out_forward(&stack, (uintptr_t)m->scratch, &w);
    if (!call->batch.one_hot) {
        embedding_forward(call->N, call->stack->input_size, parameters + call->at.embedding, tokens, m->x);
    }
    layers_forward(&stack, &input, &output, &w);
    return top_states(&stack, 0);
}

/* The factors of the last layer's dropout. */
static const real *top_factors(const network_call *call, const network_memory *m)
{
    return m->factors + (call->stack->layers - 1) * call->N * call->H;
}

/* What the linear layer reads. */
static const real *output_inputs(const network_call *call, const network_memory *m, const real *tops)
{
    if (!call->batch.dropout) {
        return tops;
    }
    drop_out(call->N, call->H, top_factors(call, m), tops, call->h, m->tops);
    return m->tops;
}

/* Back from dy, in m->ys, to the gradient of all parameters, which replaces what is in m->gradient; tops is what the linear
 * layer read. */
static void network_backward(const network_call *call, const network_memory *m, real *parameters, const int64_t *tokens,
                             const real *tops)
{
    const stack_call stack = stack_call_on(call->stack, &call->batch, m->tape);
    const TYPED(fastrnn_stack_input) input = stack_inputs_of(call, m, parameters, tokens, NULL, NULL);
    const TYPED(fastrnn_stack_output_gradient) from_above = {0};
    const TYPED(fastrnn_stack_input_gradient) gradient = {.parameters = m->gradient + call->at.stack,
                                                          .x = call->batch.one_hot ? NULL : m->dx};
    const TYPED(fastrnn_linear) layer = output_layer(call, parameters), dlayer = output_layer(call, m->gradient);
    const size_t N = call->N, H = call->H, I = call->stack->input_size;
    backward_scratch w = {.use = {.way = GRADIENT_CLIPPED, .limit = INFINITY}};
    lay_out_backward(&stack, (uintptr_t)m->scratch, &w);

    linear_weights_back(&w.use, N, H, call->V, tops, call->h, m->ys, call->v, &dlayer, m->some_rows, m->sums);
    linear_inputs_back(N, H, call->V, &layer, m->ys, call->v, m->W, w.dhs[0][0], call->h);
    if (call->batch.dropout) {
        drop_out(N, H, top_factors(call, m), w.dhs[0][0], call->h, w.dhs[0][0]);
    }
    if (!call->batch.one_hot) {
        memset(m->dx, 0, N * I * sizeof(real));
    }
    layers_backward(&stack, &input, &from_above, &gradient, &w);
    if (!call->batch.one_hot) {
        memset(m->gradient + call->at.embedding, 0, call->network->embeddings * I * sizeof(real));
        embedding_backward(N, I, tokens, m->dx, m->gradient + call->at.embedding);
    }
}

/* b_hh of a cell without a reset gate only adds to b_ih, and with both trained the bias would learn twice as fast as the
 * weights: it has no gradient. */
static void leave_out_second_bias(const network_call *call, real *gradient)
{
    const bool gru = call->stack->cell == FASTRNN_GRU || call->stack->cell == FASTRNN_GRU_RESET_BEFORE;
    for (size_t layer = 0; call->stack->bias && !gru && layer < call->stack->layers; layer++) {
        const strand_parameters p = parameters_of(call->stack, layer, 0);
        memset(gradient + call->at.stack + p.b_hh, 0, (p.end - p.b_hh) * sizeof(real));
    }
}

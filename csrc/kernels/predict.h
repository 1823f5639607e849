/* What a network says: of texts how likely their tokens are, and which come next; of other sequences its outputs. */

static uintptr_t lay_out_prediction(const network_call *call, uintptr_t begin, network_memory *m)
{
    *m = (network_memory){0};
    return lay_out_pass(call, begin, false, m);
}

/* -ln softmax(y)[target] = ln(sum of e^(y_i - m)) + m - y[target] for N rows of ys, which become softmax(y). */
static bool rows_in_nats(size_t N, size_t V, size_t row, const int64_t *targets, real *ys, double *nats)
{
    bool finite = true;
    for (size_t n = 0; n < N; n++) {
        real *y = ys + n * row;
        const double y_target = (double)y[targets[n]];
        const softmax_sums sums = softmax(V, 1, y);
        nats[n] = log((double)sums.sum) + ((double)sums.largest - y_target);
        finite &= isfinite(nats[n]) != 0;
    }
    return finite;
}

/* softmax(y) of N rows. */
static bool rows_as_probabilities(size_t N, size_t V, size_t row, real *ys)
{
    bool finite = true;
    for (size_t n = 0; n < N; n++) {
        finite &= isfinite(softmax(V, 1, ys + n * row).sum) != 0;
    }
    return finite;
}

static fastrnn_status network_predict(const fastrnn_network *network, size_t T, size_t B, const real *parameters,
                                      const int64_t *tokens, const int64_t *targets, real *h, real *c, double *nats,
                                      real *probabilities, void *workspace)
{
    const network_call call = network_call_of(network, T, B, false);
    const TYPED(fastrnn_network_input) input = {.tokens = tokens, .h = h, .c = c};
    network_memory m;
    lay_out_prediction(&call, (uintptr_t)workspace, &m);
    const uint64_t subnormals = subnormals_as_zero();
    const real *tops = states_forward(&call, &m, parameters, &input, h, c);
    const size_t skipped = targets ? 0 : call.N - B; /* rows of which nothing is asked */
    const TYPED(fastrnn_linear) layer = output_layer(&call, parameters);
    linear_rows(call.N - skipped, call.H, call.V, &layer, tops + skipped * call.h, call.h, m.W, m.ys, call.v);
    const bool finite = targets ? rows_in_nats(call.N, call.V, call.v, targets, m.ys, nats)
                                : rows_as_probabilities(B, call.V, call.v, m.ys);
    if (probabilities != NULL) {
        copy_from_padded(B, call.V, m.ys + (call.N - skipped - B) * call.v, call.v, probabilities);
    }
    subnormals_restore(subnormals);
    return finite ? FASTRNN_OK : FASTRNN_ERROR_NOT_FINITE;
}

static size_t network_outputs_memory(const fastrnn_network *network, size_t T, size_t B)
{
    const network_call call = largest_network_call(network, T, B, false);
    network_memory m;
    return (size_t)lay_out_prediction(&call, 0, &m) + 63; /* as in workspace_size */
}

/* y, in the caller's order, from ys. */
static void outputs_to_caller(const network_call *call, const network_memory *m, real *y)
{
    if (call->network->last || call->batch.lengths == NULL) {
        copy_from_padded(call->R, call->V, m->ys, call->v, y);
        return;
    }
    const stack_call stack = stack_call_on(call->stack, &call->batch, m->tape);
    memset(y, 0, call->cells * call->V * sizeof(real));
    rows_to_caller(&stack.plan, false, call->V, m->ys, call->v, y, call->V);
}

static fastrnn_status network_outputs(const fastrnn_network *network, size_t T, size_t B, const int64_t *lengths,
                                      const real *parameters, const TYPED(fastrnn_network_input) *input, real *hn,
                                      real *cn, real *y, void *workspace)
{
    const fastrnn_batch batch = {.T = T, .B = B, .lengths = lengths};
    const network_call call = network_call_over(network, T, B, lengths, count_rows(&batch), false);
    network_memory m;
    lay_out_prediction(&call, (uintptr_t)workspace, &m);
    const uint64_t subnormals = subnormals_as_zero();
    const real *tops = states_forward(&call, &m, parameters, input, hn, cn);
    bool finite = true;
    if (call.V > 0) {
        outputs_forward(&call, &m, parameters, tops);
        finite = rows_finite(call.R, call.V, m.ys, call.v);
        outputs_to_caller(&call, &m, y);
    }
    subnormals_restore(subnormals);
    return finite ? FASTRNN_OK : FASTRNN_ERROR_NOT_FINITE;
}

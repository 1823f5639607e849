/* What a network says about texts: how likely their tokens are, and which come next. */

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
    network_memory m;
    lay_out_prediction(&call, (uintptr_t)workspace, &m);
    const uint64_t subnormals = subnormals_as_zero();
    const real *tops = states_forward(&call, &m, parameters, tokens, h, c, h, c);
    const size_t skipped = targets ? 0 : call.N - B; /* rows of which nothing is asked */
    const TYPED(fastrnn_linear) layer = {(real *)parameters + call.at.W, (real *)parameters + call.at.b};
    linear_rows(call.N - skipped, call.H, call.V, &layer, tops + skipped * call.h, call.h, m.W, m.ys, call.v);
    const bool finite = targets ? rows_in_nats(call.N, call.V, call.v, targets, m.ys, nats)
                                : rows_as_probabilities(B, call.V, call.v, m.ys);
    if (probabilities != NULL) {
        copy_from_padded(B, call.V, m.ys + (call.N - skipped - B) * call.v, call.v, probabilities);
    }
    subnormals_restore(subnormals);
    return finite ? FASTRNN_OK : FASTRNN_ERROR_NOT_FINITE;
}

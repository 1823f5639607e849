/* What iterations of every network have in common: what dropout leaves out, the update of all parameters from their gradient,
 * the states that are kept. */

/* How the gradient is to be cut down on its way to the optimizer. False if it holds NaN or infinity, which a limit would
 * hide. */
static bool find_limits(size_t n, const fastrnn_training *training, real *gradient, gradient_limits *limits)
{
    *limits = (gradient_limits){(real)training->clip_value, 1};
    if (!all_finite(n, gradient)) {
        return false;
    }
    if (training->clip_norm == INFINITY) {
        return true;
    }
    if (limits->most < INFINITY) {
        clip(n, limits->most, gradient); /* the norm is that of the clipped gradient */
    }
    const double all = norm(n, gradient), factor = training->clip_norm / (all + 1e-6);
    limits->factor = factor < 1 ? (real)factor : 1;
    return isfinite(all);
}

/* One update of n parameters. FASTRNN_ERROR_NOT_FINITE, and nothing changed, if the gradient is not finite. */
static fastrnn_status learn(const fastrnn_optimizer *optimizer, const TYPED(fastrnn_learner) *l,
                            const fastrnn_training *training, double learning_rate, size_t n, real *gradient)
{
    gradient_limits limits;
    if (!find_limits(n, training, gradient, &limits)) {
        return FASTRNN_ERROR_NOT_FINITE;
    }
    const TYPED(fastrnn_update) update = {l->parameters, gradient, l->momentum, l->mean, l->squares};
    optimizer_step(optimizer, learning_rate, training->iterations + 1, limits, n, &update);
    return FASTRNN_OK;
}

/* What this iteration leaves out of a network's states. */
static void draw_dropout(const network_call *call, const network_memory *m, const fastrnn_training *training,
                         random_purpose purpose)
{
    if (call->batch.dropout) {
        dropout_factors(call->stack->layers * call->cells * call->width, training->dropout,
                        random_stream(training->seed, training->iterations, purpose), m->factors);
    }
}

/* The states (n numbers each) before the next step. */
static void keep_states(const TYPED(fastrnn_learner) *l, size_t n, const real *h, const real *c)
{
    memcpy(l->h, h, n * sizeof(real));
    if (l->c != NULL) {
        memcpy(l->c, c, n * sizeof(real));
    }
}

static void forget_states(const TYPED(fastrnn_learner) *l, size_t n)
{
    memset(l->h, 0, n * sizeof(real));
    if (l->c != NULL) {
        memset(l->c, 0, n * sizeof(real));
    }
}

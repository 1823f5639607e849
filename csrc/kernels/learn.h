/* What iterations of every network have in common: what dropout leaves out, the update of all parameters from their gradient,
 * the states that are kept. */

/* The gradient is clipped and scaled as the limits of its norm want it. False if it holds NaN or infinity, which a limit
 * would hide. */
static bool limit_norm(size_t n, const fastrnn_training *training, real *gradient)
{
    if (!all_finite(n, gradient)) {
        return false;
    }
    if (training->clip_norm == INFINITY) {
        return true;
    }
    if (training->clip_value < INFINITY) {
        clip(n, (real)training->clip_value, gradient); /* the norm is that of the clipped gradient */
    }
    const double all = norm(n, gradient), factor = training->clip_norm / (all + 1e-6);
    if (factor < 1) {
        scale(n, (real)factor, gradient);
    }
    return isfinite(all);
}

static update_rule rule_now(const fastrnn_optimizer *optimizer, const fastrnn_training *training, double learning_rate)
{
    return rule_of(optimizer, learning_rate, training->iterations + 1, (real)training->clip_value);
}

/* One update of n parameters. FASTRNN_ERROR_NOT_FINITE, and nothing changed, if the gradient is not finite. */
static fastrnn_status learn(const fastrnn_optimizer *optimizer, const TYPED(fastrnn_learner) *l,
                            const fastrnn_training *training, double learning_rate, size_t n, real *gradient)
{
    if (!limit_norm(n, training, gradient)) {
        return FASTRNN_ERROR_NOT_FINITE;
    }
    const update_rule rule = rule_now(optimizer, training, learning_rate);
    const TYPED(fastrnn_update) arrays = {l->parameters, gradient, l->momentum, l->mean, l->squares};
    const update_span all = flat_span(n);
    apply_rule(&rule, &all, &arrays);
    return FASTRNN_OK;
}

/* Without a limit of its norm no gradient has to be whole before it is applied: it may go through the optimizer as soon as a
 * part of it is there. That pays where the N rows that it is summed over are few, for all of them have to be looked at, and
 * where the parameters, n in all, are so many that they and their gradient don't stay in L1. */
static bool may_be_applied_at_once(const fastrnn_training *training, size_t N, size_t n)
{
    return training->clip_norm == INFINITY && N < LONG_SUM && n * sizeof(real) >= 8192;
}

/* A gradient that is made piece by piece is made in `gradient`. */
static gradient_use applied_at_once(const update_rule *rule, const TYPED(fastrnn_learner) *l, const real *gradient)
{
    return (gradient_use){.way = GRADIENT_APPLIED,
                          .rule = rule,
                          .buffers = {l->parameters, gradient, l->momentum, l->mean, l->squares}};
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

/* Training any network: the parameters stay in the caller's buffer, the gradient of all of them is made in the
 * workspace, cut down, and given to the optimizer in one pass. */

typedef struct {
    network_call call;
    network_memory m;
    const fastrnn_optimizer *optimizer;
    const TYPED(fastrnn_learner) *learner;
} network_training;

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

static fastrnn_status network_iterate(const training_engine *e, const fastrnn_training *training, double learning_rate,
                                      double *loss)
{
    const network_training *t = e->network;
    const network_call *call = &t->call;
    const network_memory *m = &t->m;
    const TYPED(fastrnn_learner) *l = t->learner;
    const size_t n = call->at.end, states = call->stack->layers * e->B * call->H;
    const TYPED(fastrnn_linear) layer = output_layer(call, l->parameters);
    if (call->batch.dropout) {
        dropout_factors(call->stack->layers * call->N * call->H, training->dropout,
                        random_stream(training->seed, training->iterations, RANDOM_DROPOUT), m->factors);
    }
    const bool carried = !training->random_chunks;
    const real *h = carried ? l->h : NULL, *c = carried ? l->c : NULL;
    const real *states_above = states_forward(call, m, l->parameters, e->tokens, h, c, m->hn, m->cn);
    const real *tops = output_inputs(call, m, states_above);
    linear_rows(call->N, call->H, call->V, &layer, tops, call->h, m->W, m->ys, call->v);
    *loss = softmax_cross_entropy(call->N, call->V, call->v, e->targets, m->ys) / (double)e->B;
    if (!isfinite(*loss)) {
        return FASTRNN_ERROR_NOT_FINITE;
    }
    if (e->B > 1) {
        scale_rows(call->N, call->V, 1 / (real)e->B, m->ys, call->v);
    }
    network_backward(call, m, l->parameters, e->tokens, tops);
    leave_out_second_bias(call, m->gradient);
    gradient_limits limits;
    if (!find_limits(n, training, m->gradient, &limits)) {
        return FASTRNN_ERROR_NOT_FINITE;
    }
    const TYPED(fastrnn_update) update = {l->parameters, m->gradient, l->momentum, l->mean, l->squares};
    optimizer_step(t->optimizer, learning_rate, training->iterations + 1, limits, n, &update);
    if (h != NULL) {
        memcpy(l->h, m->hn, states * sizeof(real));
    }
    if (c != NULL) {
        memcpy(l->c, m->cn, states * sizeof(real));
    }
    return FASTRNN_OK;
}

static void network_forget(const training_engine *e)
{
    const network_training *t = e->network;
    const size_t states = t->call.stack->layers * e->B * t->call.H;
    memset(t->learner->h, 0, states * sizeof(real));
    if (t->learner->c != NULL) {
        memset(t->learner->c, 0, states * sizeof(real));
    }
}

/* ---- the network of min-char-rnn ------------------------------------------------------------------------------- */

/* This network is the one that train_char_rnn.h trains, but for what its second bias holds. */
static bool has_form_of_char_rnn(const fastrnn_network *network)
{
    const fastrnn_stack *stack = &network->stack;
    return stack->cell == FASTRNN_RNN_TANH && stack->layers == 1 && stack->bias && network->embeddings == 0 &&
           network->outputs == stack->input_size;
}

/* ... and it is trained as that is, which is faster. */
static bool is_char_rnn(const network_call *call, const fastrnn_optimizer *optimizer, const fastrnn_training *training,
                        const real *parameters)
{
    const fastrnn_adagrad *adagrad = &optimizer->settings.adagrad;
    if (!has_form_of_char_rnn(call->network) || optimizer->kind != FASTRNN_ADAGRAD || !adagrad->eps_inside_sqrt ||
        adagrad->eps != 1e-8 || adagrad->weight_decay != 0 || training->dropout > 0 ||
        training->clip_norm < INFINITY) {
        return false;
    }
    const real *b_hh = parameters + call->at.stack + parameters_of(call->stack, 0, 0).b_hh;
    return largest_magnitude(call->H, b_hh) == 0 && all_finite(call->H, b_hh); /* a NaN has no magnitude */
}

static fastrnn_shape char_rnn_shape(const network_call *call)
{
    return (fastrnn_shape){call->batch.T, call->batch.B, call->H, call->V};
}

static TYPED(fastrnn_char_rnn) char_rnn_in(const network_call *call, real *parameters)
{
    const strand_parameters p = parameters_of(call->stack, 0, 0);
    real *stack = parameters + call->at.stack;
    return (TYPED(fastrnn_char_rnn)){{stack + p.W_ih, stack + p.W_hh, stack + p.b_ih}, output_layer(call, parameters)};
}

/* ---- either ---------------------------------------------------------------------------------------------------- */

static size_t network_training_memory(const network_call *call)
{
    network_memory m;
    const fastrnn_shape shape = char_rnn_shape(call);
    const size_t any = (size_t)lay_out_training(call, 0, &m) + 63;
    return has_form_of_char_rnn(call->network) ? larger(any, workspace_size(&shape)) : any;
}

static fastrnn_status network_train(const fastrnn_network *network, size_t T, size_t B,
                                    const fastrnn_optimizer *optimizer, const TYPED(fastrnn_learner) *learner,
                                    fastrnn_training *training, size_t iterations,
                                    const fastrnn_interruption *interruption, void *workspace)
{
    network_training t = {.call = network_call_of(network, T, B, training->dropout > 0),
                          .optimizer = optimizer,
                          .learner = learner};
    if (is_char_rnn(&t.call, optimizer, training, learner->parameters)) {
        const fastrnn_shape shape = char_rnn_shape(&t.call);
        const TYPED(fastrnn_char_rnn) model = char_rnn_in(&t.call, learner->parameters),
                                      memory = char_rnn_in(&t.call, learner->squares);
        return char_rnn_train(&shape, &model, &memory, learner->h, training, iterations, interruption, workspace);
    }
    lay_out_training(&t.call, (uintptr_t)workspace, &t.m);
    memset(t.m.gradient, 0, t.call.at.end * sizeof(real)); /* for good, what belongs to no parameter */
    const training_engine engine = {T, B, network_inputs(network), t.m.tokens, t.m.targets, network_iterate,
                                    network_forget, &t};
    return run_training(&engine, training, iterations, interruption);
}

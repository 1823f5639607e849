/* Training any network to say the next token of a text: the parameters stay in the caller's buffer, the gradient of all of
 * them is made in the workspace. */

typedef struct {
    network_call call;
    network_memory m;
    text_batch batch;
    real *gradient;
    const fastrnn_optimizer *optimizer;
    const TYPED(fastrnn_learner) *learner;
} network_training;

static bool network_read(const training_engine *e, const fastrnn_training *training)
{
    const network_training *t = e->run;
    return read_sequences(&t->batch, training);
}

static fastrnn_status network_iterate(const training_engine *e, const fastrnn_training *training, double learning_rate,
                                      double *loss)
{
    const network_training *t = e->run;
    const network_call *call = &t->call;
    const network_memory *m = &t->m;
    const TYPED(fastrnn_learner) *l = t->learner;
    const bool carried = !training->random_chunks;
    const TYPED(fastrnn_network_input) input = {
        .tokens = t->batch.tokens, .h = carried ? l->h : NULL, .c = carried ? l->c : NULL};
    const network_targets targets = {.classes = t->batch.targets};
    const network_input_gradient nowhere = {0};
    draw_dropout(call, m, training, RANDOM_DROPOUT);
    const real *tops = states_forward(call, m, l->parameters, &input, m->hn, m->cn);
    outputs_forward(call, m, l->parameters, tops);
    *loss = outputs_loss(call, m, &targets, (double)t->batch.B);
    if (!isfinite(*loss)) {
        return FASTRNN_ERROR_NOT_FINITE;
    }
    network_backward(call, m, l->parameters, &input, tops, NULL, NULL, t->gradient, &nowhere);
    leave_out_second_bias(call, t->gradient);
    const fastrnn_status status = learn(t->optimizer, l, training, learning_rate, call->at.end, t->gradient);
    if (status == FASTRNN_OK && carried) {
        keep_states(l, states_size(call), m->hn, m->cn);
    }
    return status;
}

static void network_move_on(const training_engine *e, fastrnn_training *training)
{
    const network_training *t = e->run;
    if (next_sequences(&t->batch, training)) {
        forget_states(t->learner, states_size(&t->call));
    }
}

static uintptr_t lay_out_text_training(const network_call *call, uintptr_t begin, network_training *t)
{
    uintptr_t next = lay_out_training(call, begin, &t->m);
    t->gradient = take(&next, call->at.end * sizeof(real));
    t->batch = (text_batch){.T = call->batch.T, .B = call->batch.B, .V = network_inputs(call->network)};
    t->batch.tokens = take(&next, call->cells * sizeof(int64_t));
    t->batch.targets = take(&next, call->cells * sizeof(int64_t));
    return next;
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
    network_training t;
    const fastrnn_shape shape = char_rnn_shape(call);
    const size_t any = (size_t)lay_out_text_training(call, 0, &t) + 63; /* as in workspace_size */
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
    lay_out_text_training(&t.call, (uintptr_t)workspace, &t);
    memset(t.gradient, 0, t.call.at.end * sizeof(real)); /* for good, what belongs to no parameter */
    const training_engine engine = {network_read, network_iterate, network_move_on, &t};
    return run_training(&engine, training, iterations, interruption);
}

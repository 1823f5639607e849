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

/* A matrix that is kept, and those of the optimizer's arrays, from or to the learner's, by `move`; at: where it begins
 * there. */
static void move_kept(const network_training *t, const kept_matrix *kept, size_t at,
                      void (*move)(const stack_call *call, real *learners, real *kept))
{
    const stack_call stack = stack_call_on(t->call.stack, &t->call.batch, t->m.tape);
    const TYPED(fastrnn_learner) *l = t->learner;
    real *const of_learner[] = {l->parameters, l->momentum, l->mean, l->squares};
    real *const of_kept[] = {kept->weights, kept->momentum, kept->mean, kept->squares};
    for (size_t i = 0; i < 4; i++) {
        if (of_learner[i] != NULL) {
            move(&stack, of_learner[i] + t->call.at.stack + at, of_kept[i]);
        }
    }
}

static void fill_table(const stack_call *call, real *W_ih, real *table)
{
    one_hot_table(call, W_ih, table);
}

static void empty_table(const stack_call *call, real *W_ih, real *table)
{
    one_hot_table_back(call, table, W_ih);
}

static void fill_wide(const stack_call *call, real *W_hh, real *W)
{
    const slot_range range = call->cell->products[0];
    const size_t H = call->H, columns = wide_columns(call), row = padded_row(columns);
    for (size_t i = 0; i < range.count; i++) {
        transpose(H, H, W_hh + call->cell->gate[range.first + i] * H * H, H, W + i * H, row, TRANSPOSE_DENSE);
    }
    for (size_t k = 0; k < H; k++) {
        memset(W + k * row + columns, 0, (whole_lines(columns) - columns) * sizeof(real));
    }
}

static void empty_wide(const stack_call *call, real *W_hh, real *W)
{
    const slot_range range = call->cell->products[0];
    const size_t H = call->H;
    for (size_t i = 0; i < range.count; i++) {
        transpose(H, H, W + i * H, padded_row(wide_columns(call)), W_hh + call->cell->gate[range.first + i] * H * H, H,
                  TRANSPOSE_DENSE);
    }
}

static void keep_weights(network_training *t)
{
    const network_call *call = &t->call;
    const real *parameters = t->learner->parameters;
    const stack_call stack = stack_call_on(call->stack, &call->batch, t->m.tape);
    for (size_t i = 0; i < call->stack->layers * call->D; i++) {
        const size_t layer = i / call->D, direction = i % call->D;
        const strand_parameters p = parameters_of(call->stack, layer, direction);
        const strand_weights *w = &t->m.kept.of[i];
        prepare_weights(&stack, layer, direction, parameters + call->at.stack, w);
        if (keeps_table(&stack, layer)) {
            move_kept(t, &w->kept_inputs, p.W_ih, fill_table);
        }
        if (keeps_wide(&stack)) {
            move_kept(t, &w->kept_recurrent, p.W_hh, fill_wide);
        }
    }
    pack_transposed(usual_packing, call->width, call->V, output_layer(call, parameters).Why, t->m.W_kept);
    t->m.kept.kept = true;
}

/* All parameters are the learner's again. */
static void give_weights_back(network_training *t)
{
    const network_call *call = &t->call;
    const stack_call stack = stack_call_on(call->stack, &call->batch, t->m.tape);
    for (size_t i = 0; t->m.kept.kept && i < call->stack->layers * call->D; i++) {
        const strand_parameters p = parameters_of(call->stack, i / call->D, i % call->D);
        const strand_weights *w = &t->m.kept.of[i];
        if (keeps_table(&stack, i / call->D)) {
            move_kept(t, &w->kept_inputs, p.W_ih, empty_table);
        }
        if (keeps_wide(&stack)) {
            move_kept(t, &w->kept_recurrent, p.W_hh, empty_wide);
        }
    }
    t->m.kept.kept = false;
}

static fastrnn_status network_iterate(const training_engine *e, const fastrnn_training *training, double learning_rate,
                                      double *loss)
{
    network_training *t = (network_training *)e->run; /* the weights that are kept are in its memory */
    const network_call *call = &t->call;
    const network_memory *m = &t->m;
    const TYPED(fastrnn_learner) *l = t->learner;
    const bool carried = !training->random_chunks;
    const TYPED(fastrnn_network_input) input = {
        .tokens = t->batch.tokens, .h = carried ? l->h : NULL, .c = carried ? l->c : NULL};
    const network_targets targets = {.classes = t->batch.targets};
    const network_input_gradient nowhere = {0};
    draw_dropout(call, m, training, RANDOM_DROPOUT);
    const bool at_once = may_be_applied_at_once(training, call->N, call->at.end);
    if (at_once && !t->m.kept.kept) {
        keep_weights(t);
    }
    const real *tops = states_forward(call, m, l->parameters, &input, m->hn, m->cn);
    outputs_forward(call, m, l->parameters, tops);
    *loss = outputs_loss(call, m, &targets, (double)t->batch.B);
    if (!isfinite(*loss)) {
        return FASTRNN_ERROR_NOT_FINITE;
    }
    network_back(call, m, l->parameters, &input, NULL, NULL, &nowhere);
    fastrnn_status status = FASTRNN_OK;
    if (at_once && factors_are_moderate(call, m, l->parameters, tops)) {
        const update_rule rule = rule_now(t->optimizer, training, learning_rate);
        const gradient_use applied = applied_at_once(&rule, l, t->gradient);
        network_parameters_back(call, m, &applied, l->parameters, &input, tops, l->parameters);
    } else {
        const gradient_use whole = {.way = GRADIENT_CLIPPED, .limit = INFINITY};
        network_parameters_back(call, m, &whole, l->parameters, &input, tops, t->gradient);
        give_weights_back(t);
        status = learn(t->optimizer, l, training, learning_rate, call->at.end, t->gradient);
    }
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
    const size_t strands = call->stack->layers * call->D;
    uintptr_t next = lay_out_training(call, begin, &t->m), end;
    const stack_call stack = stack_call_at(call->stack, &call->batch, 0, &end, NULL);
    t->m.kept = (stack_weights){take(&next, strands * sizeof(strand_weights)), false};
    next = lay_out_kept_weights(&stack, next, begin == 0 ? NULL : t->m.kept.of);
    t->m.W_kept = take(&next, packed_size(call->width, call->V) * sizeof(real));
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
    const fastrnn_status status = run_training(&engine, training, iterations, interruption);
    give_weights_back(&t);
    return status;
}

/* Training a network from examples: its first states are zeros, those after the sequences before, made of features, or an
 * encoder's last.
 *
 *     features   (h_0, c_0) = W f + b                encoder    (h_0, c_0) = states after the source's last step
 *
 * where every step is to read it besides, the context is f, or the encoder's h_0 of the last layer. */

/* Memory, laid out once: the encoder's and the network's own (network.h), the batch (example_batch.h), and
 *
 *     classes, numbers   targets, in the caller's order     context   (B, C), and dcontext
 *     features           (B, F), padded rows                W         packed (states, F), some rows of its gradient
 *     states             (B, states), padded rows           h, c      (layers, B, H), and dh, dc
 *     gradient           like the parameters */
typedef struct {
    network_memory encoder, network;
    sequence_batch sources, inputs;
    int64_t *classes;
    real *numbers, *features, *context, *dcontext, *states, *W, *some_rows, *sums, *h, *c, *dh, *dc, *gradient;
} example_memory;

typedef struct {
    const fastrnn_conditioned *model;
    fastrnn_conditioned_offsets at;
    size_t F, C, S; /* features; context; states of a sequence, of all layers, h and c */
    bool dropout;
    example_order order;
    example_memory m;
    const fastrnn_optimizer *optimizer;
    const TYPED(fastrnn_learner) *learner;
} example_training;

static example_training example_training_of(const fastrnn_conditioned *model, const TYPED(fastrnn_examples) *examples,
                                            size_t B, bool dropout)
{
    return (example_training){.model = model,
                              .at = conditioned_offsets(model),
                              .F = model->source == FASTRNN_FEATURES ? model->features : 0,
                              .C = model->network.context,
                              .S = conditioned_states(model),
                              .dropout = dropout,
                              .order = {.examples = examples, .B = B < examples->count ? B : examples->count}};
}

/* For the largest batch that the examples can make. */
static uintptr_t lay_out_examples(example_training *t, uintptr_t begin)
{
    const fastrnn_network *network = &t->model->network, *encoder = &t->model->encoder;
    const TYPED(fastrnn_examples) *examples = t->order.examples;
    const size_t B = t->order.B, size = sizeof(real), T = longest_sequence(&examples->inputs, examples->count);
    const network_call call = largest_network_call(network, T, B, t->dropout);
    const size_t states = states_size(&call) * size, rows = network->last ? B : T * B;
    const bool softmax = network->loss == FASTRNN_SOFTMAX_CROSS_ENTROPY;
    example_memory *m = &t->m;
    uintptr_t next = lay_out_training(&call, begin, &m->network);
    next = lay_out_sequences(network, T, B, next, &m->inputs);
    if (t->model->source == FASTRNN_ENCODER) {
        const size_t steps = longest_sequence(&examples->sources, examples->count);
        const network_call encoding = largest_network_call(encoder, steps, B, t->dropout);
        next = lay_out_training(&encoding, next, &m->encoder);
        next = lay_out_sequences(encoder, steps, B, next, &m->sources);
    }
    t->order.order = take(&next, examples->count * sizeof(size_t));
    m->classes = take(&next, softmax ? rows * sizeof(int64_t) : 0);
    m->numbers = take(&next, softmax ? 0 : rows * network->outputs * size);
    m->features = take(&next, B * padded_row(t->F) * size);
    m->context = take(&next, B * t->C * size);
    m->dcontext = take(&next, B * t->C * size);
    m->states = take(&next, B * padded_row(t->S) * size);
    m->W = take(&next, packed_size(t->F, t->S) * size);
    m->some_rows = take(&next, t->F > 0 ? some_rows_size(t->S, t->F, B) * size : 0);
    m->sums = take(&next, padded_row(t->S) * size);
    m->h = take(&next, states);
    m->c = take(&next, states);
    m->dh = take(&next, states);
    m->dc = take(&next, states);
    m->gradient = take(&next, t->at.end * size);
    return next;
}

/* ---- the batch ------------------------------------------------------------------------------------------------- */

/* A batch in memory, and the two calls over it. */
typedef struct {
    size_t B;
    network_call network, encoder;
    TYPED(fastrnn_network_input) input, source;
} example_pass;

static const size_t *examples_of_batch(const example_training *t, const fastrnn_training *training)
{
    return t->order.order + training->position;
}

static bool examples_read(const training_engine *e, const fastrnn_training *training)
{
    example_training *t = (example_training *)e->run; /* the batch's lengths are in its memory */
    const TYPED(fastrnn_examples) *examples = t->order.examples;
    if (training->position == 0) {
        order_pass(&t->order, training);
    }
    const size_t B = batch_count(&t->order, training), f = padded_row(t->F);
    const size_t *which = examples_of_batch(t, training);
    bool inside = gather_sequences(&examples->inputs, &t->model->network, which, B, &t->m.inputs);
    inside &= gather_targets(examples, &t->model->network, which, &t->m.inputs, B, t->m.classes, t->m.numbers);
    if (t->model->source == FASTRNN_ENCODER) {
        inside &= gather_sequences(&examples->sources, &t->model->encoder, which, B, &t->m.sources);
    }
    for (size_t b = 0; t->F > 0 && b < B; b++) {
        copy_to_padded(1, t->F, examples->features + which[b] * t->F, t->m.features + b * f, f);
    }
    return inside;
}

static TYPED(fastrnn_network_input) input_of(const sequence_batch *batch)
{
    return (TYPED(fastrnn_network_input)){.tokens = batch->tokens, .vectors = batch->vectors};
}

/* ---- the source ------------------------------------------------------------------------------------------------ */

static TYPED(fastrnn_linear) source_layer(const example_training *t, const real *parameters)
{
    real *layers = (real *)parameters;
    return (TYPED(fastrnn_linear)){layers + t->at.W, t->model->network.without_bias ? NULL : layers + t->at.b};
}

/* Between rows (B, S), a sequence's states of all layers, h and then c, and states (layers, B, H). */
static void exchange_states(const example_training *t, size_t B, real *h, real *c, bool to_rows)
{
    const size_t H = t->model->network.stack.hidden_size, L = t->model->network.stack.layers, row = padded_row(t->S);
    for (size_t part = 0; part < t->S / H; part++) {
        real *states = (part < L ? h : c) + part % L * B * H;
        for (size_t b = 0; b < B; b++) {
            real *in_row = t->m.states + b * row + part * H;
            memcpy(to_rows ? in_row : states + b * H, to_rows ? states + b * H : in_row, H * sizeof(real));
        }
    }
}

static void features_forward(const example_training *t, size_t B, const real *parameters)
{
    const TYPED(fastrnn_linear) layer = source_layer(t, parameters);
    const size_t f = padded_row(t->F);
    linear_rows(B, t->F, t->S, &layer, t->m.features, f, t->m.W, t->m.states, padded_row(t->S));
    exchange_states(t, B, t->m.h, t->m.c, false);
    if (t->C > 0) {
        copy_from_padded(B, t->F, t->m.features, f, t->m.context);
    }
}

/* The gradient of the states, in their rows. */
static void features_back(const example_training *t, size_t B)
{
    memset(t->m.states, 0, B * padded_row(t->S) * sizeof(real));
    exchange_states(t, B, t->m.dh, t->m.dc, true);
}

static void features_parameters_back(const example_training *t, size_t B, const gradient_use *use, real *to)
{
    const TYPED(fastrnn_linear) layer = source_layer(t, to);
    linear_weights_back(use, B, t->F, t->S, t->m.features, padded_row(t->F), t->m.states, padded_row(t->S), &layer, NULL,
                        t->m.some_rows, t->m.sums);
}

static void encoder_forward(const example_training *t, const example_pass *p, const real *parameters)
{
    states_forward(&p->encoder, &t->m.encoder, parameters + t->at.encoder, &p->source, t->m.h, t->m.c);
    if (t->C > 0) {
        memcpy(t->m.context, t->m.h + top_state(&p->encoder, 0, 0), p->B * t->C * sizeof(real));
    }
}

static void encoder_back(const example_training *t, const example_pass *p, const real *parameters)
{
    const network_input_gradient nowhere = {0};
    if (t->C > 0) {
        add(p->B * t->C, t->m.dcontext, t->m.dh + top_state(&p->encoder, 0, 0));
    }
    network_back(&p->encoder, &t->m.encoder, parameters + t->at.encoder, &p->source, t->m.dh, t->m.dc, &nowhere);
}

/* ---- an iteration ---------------------------------------------------------------------------------------------- */

/* The calls over the batch that was read. Their batches are pointed to: *p stays where it is. */
static void prepare_pass(const example_training *t, const fastrnn_training *training, example_pass *p)
{
    const fastrnn_source source = t->model->source;
    const sequence_batch *inputs = &t->m.inputs, *sources = &t->m.sources;
    p->B = batch_count(&t->order, training);
    p->network = network_call_over(&t->model->network, inputs->T, p->B, inputs->ends, inputs->N, t->dropout);
    p->input = input_of(inputs);
    draw_dropout(&p->network, &t->m.network, training, RANDOM_DROPOUT);
    if (source == FASTRNN_ENCODER) {
        p->encoder = network_call_over(&t->model->encoder, sources->T, p->B, sources->ends, sources->N, t->dropout);
        p->source = input_of(sources);
        draw_dropout(&p->encoder, &t->m.encoder, training, RANDOM_ENCODER_DROPOUT);
    }
    if (source != FASTRNN_NO_SOURCE) {
        p->input.h = t->m.h;
        p->input.c = t->m.c;
        p->input.context = t->m.context;
    } else if (t->order.examples->carried) {
        p->input.h = t->learner->h;
        p->input.c = t->learner->c;
    }
}

/* Forward, and the loss of the batch; *tops is what the linear layer read. */
static double examples_loss(const example_training *t, const example_pass *p, const real **tops)
{
    const example_memory *m = &t->m;
    const real *parameters = t->learner->parameters, *own = parameters + t->at.network;
    const network_call *call = &p->network;
    const network_targets targets = {m->classes, m->numbers};
    const bool softmax = call->network->loss == FASTRNN_SOFTMAX_CROSS_ENTROPY;
    if (t->model->source == FASTRNN_FEATURES) {
        features_forward(t, p->B, parameters);
    } else if (t->model->source == FASTRNN_ENCODER) {
        encoder_forward(t, p, parameters);
    }
    *tops = states_forward(call, &m->network, own, &p->input, m->network.hn, m->network.cn);
    outputs_forward(call, &m->network, own, *tops);
    return outputs_loss(call, &m->network, &targets, (double)(softmax ? call->R : call->R * call->V));
}

static void examples_back(const example_training *t, const example_pass *p)
{
    const example_memory *m = &t->m;
    const real *parameters = t->learner->parameters;
    const fastrnn_source source = t->model->source;
    const network_input_gradient to_source = {m->dh, m->dc, source == FASTRNN_ENCODER && t->C > 0 ? m->dcontext : NULL};
    const network_input_gradient nowhere = {0};
    network_back(&p->network, &m->network, parameters + t->at.network, &p->input, NULL, NULL,
                 source == FASTRNN_NO_SOURCE ? &nowhere : &to_source);
    if (source == FASTRNN_FEATURES) {
        features_back(t, p->B);
    } else if (source == FASTRNN_ENCODER) {
        encoder_back(t, p, parameters);
    }
}

/* As in network.h, of all parts. */
static bool examples_are_moderate(const example_training *t, const example_pass *p, const real *tops)
{
    const real *parameters = t->learner->parameters;
    bool moderate = factors_are_moderate(&p->network, &t->m.network, parameters + t->at.network, tops);
    if (t->model->source == FASTRNN_FEATURES) {
        moderate &= are_moderate(p->B, t->F, t->m.features, padded_row(t->F)) &&
                    are_moderate(p->B, t->S, t->m.states, padded_row(t->S));
    } else if (t->model->source == FASTRNN_ENCODER) {
        moderate &= factors_are_moderate(&p->encoder, &t->m.encoder, parameters + t->at.encoder, NULL);
    }
    return moderate;
}

static void examples_parameters_back(const example_training *t, const example_pass *p, const gradient_use *use,
                                     const real *tops, real *to)
{
    const real *parameters = t->learner->parameters;
    network_parameters_back(&p->network, &t->m.network, use, parameters + t->at.network, &p->input, tops,
                            to + t->at.network);
    if (t->model->source == FASTRNN_FEATURES) {
        features_parameters_back(t, p->B, use, to);
    } else if (t->model->source == FASTRNN_ENCODER) {
        network_parameters_back(&p->encoder, &t->m.encoder, use, parameters + t->at.encoder, &p->source, NULL,
                                to + t->at.encoder);
    }
}

static fastrnn_status examples_iterate(const training_engine *e, const fastrnn_training *training, double learning_rate,
                                       double *loss)
{
    const example_training *t = e->run;
    const TYPED(fastrnn_learner) *l = t->learner;
    example_pass p;
    const real *tops;
    prepare_pass(t, training, &p);
    *loss = examples_loss(t, &p, &tops);
    if (!isfinite(*loss)) {
        return FASTRNN_ERROR_NOT_FINITE;
    }
    examples_back(t, &p);
    fastrnn_status status = FASTRNN_OK;
    if (may_be_applied_at_once(training, p.network.N, t->at.end) && examples_are_moderate(t, &p, tops)) {
        const update_rule rule = rule_now(t->optimizer, training, learning_rate);
        const gradient_use applied = applied_at_once(&rule, l, t->m.gradient);
        examples_parameters_back(t, &p, &applied, tops, l->parameters);
    } else {
        const gradient_use whole = {.way = GRADIENT_CLIPPED, .limit = INFINITY};
        examples_parameters_back(t, &p, &whole, tops, t->m.gradient);
        status = learn(t->optimizer, l, training, learning_rate, t->at.end, t->m.gradient);
    }
    if (status == FASTRNN_OK && t->order.examples->carried) {
        keep_states(l, states_size(&p.network), t->m.network.hn, t->m.network.cn);
    }
    return status;
}

static void examples_move_on(const training_engine *e, fastrnn_training *training)
{
    const example_training *t = e->run;
    training->position += batch_count(&t->order, training);
    if (training->position < t->order.examples->count) {
        return;
    }
    training->position = 0;
    if (t->order.examples->carried) {
        const fastrnn_stack *stack = &t->model->network.stack;
        forget_states(t->learner, stack->layers * t->order.B * stack->hidden_size);
    }
}

/* ---- the doors ------------------------------------------------------------------------------------------------- */

static size_t conditioned_memory(const fastrnn_conditioned *model, const TYPED(fastrnn_examples) *examples, size_t B,
                                 bool dropout)
{
    example_training t = example_training_of(model, examples, B, dropout);
    return (size_t)lay_out_examples(&t, 0) + 63; /* as in workspace_size */
}

static fastrnn_status conditioned_train(const fastrnn_conditioned *model, const TYPED(fastrnn_examples) *examples, size_t B,
                                        const fastrnn_optimizer *optimizer, const TYPED(fastrnn_learner) *learner,
                                        fastrnn_training *training, size_t iterations,
                                        const fastrnn_interruption *interruption, void *workspace)
{
    example_training t = example_training_of(model, examples, B, training->dropout > 0);
    t.optimizer = optimizer;
    t.learner = learner;
    lay_out_examples(&t, (uintptr_t)workspace);
    memset(t.m.gradient, 0, t.at.end * sizeof(real)); /* for good, what belongs to no parameter */
    order_pass(&t.order, training);
    const training_engine engine = {examples_read, examples_iterate, examples_move_on, &t};
    return run_training(&engine, training, iterations, interruption);
}

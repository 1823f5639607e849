/* Training from examples, written the slow way. */
#ifndef NAIVE_EXAMPLES_H
#define NAIVE_EXAMPLES_H

#include "naive_train.h"

static fastrnn_conditioned_offsets conditioned_offsets_of(const fastrnn_conditioned *model)
{
    fastrnn_conditioned_offsets at;
    need(fastrnn_conditioned_parameters(model, &at) == FASTRNN_OK, "a test case has a model beyond the limits");
    return at;
}

/* States of an example, of all layers h and then an LSTM's c. */
static size_t naive_source_states(const fastrnn_stack *s)
{
    return (s->cell == FASTRNN_LSTM ? 2 : 1) * s->layers * s->hidden_size;
}

/* ---- the batch ------------------------------------------------------------------------------------------------- */

/* Which example comes when: Fisher and Yates's shuffle, from the iteration in which the pass began. */
static size_t *naive_order(const fastrnn_examples_f64 *e, size_t B, const fastrnn_training *training)
{
    const uint64_t begun = training->iterations - training->position / B;
    size_t *order = guarded(e->count * sizeof *order);
    for (size_t n = 0; n < e->count; n++) {
        order[n] = n;
    }
    for (size_t n = e->count - 1; e->shuffle && n > 0; n--) {
        const size_t other = naive_random_below(training, begun, FOR_ORDER, n, n + 1), kept = order[n];
        order[n] = order[other];
        order[other] = kept;
    }
    return order;
}

/* The sequences `which` (B) of those there are, as what p reads. */
static void naive_read_sequences(naive_network *p, const fastrnn_sequences_f64 *from, const size_t *which)
{
    const size_t B = p->batch.B, E = p->network->stack.input_size - p->network->context;
    int64_t *lengths = guarded(B * sizeof *lengths);
    p->batch.T = 0;
    for (size_t b = 0; b < B; b++) {
        lengths[b] = from->begin[which[b] + 1] - from->begin[which[b]];
        p->batch.T = (size_t)lengths[b] > p->batch.T ? (size_t)lengths[b] : p->batch.T;
    }
    const size_t N = p->batch.T * B;
    int64_t *tokens = guarded(p->network->vectors ? 0 : N * sizeof *tokens);
    double *vectors = zeros(p->network->vectors ? N * E : 0);
    for (size_t n = 0; n < N; n++) {
        const bool there = n / B < (size_t)lengths[n % B];
        const size_t step = (size_t)from->begin[which[n % B]] + n / B;
        if (p->network->vectors && there) {
            memcpy(vectors + n * E, from->vectors + step * E, E * sizeof(double));
        } else if (!p->network->vectors) {
            tokens[n] = there ? from->tokens[step] : 0;
        }
    }
    p->batch.lengths = lengths;
    p->tokens = tokens;
    p->vectors = vectors;
}

/* The targets of p's rows, and how many there are. */
static naive_targets naive_read_targets(const naive_network *p, const fastrnn_examples_f64 *e, const size_t *which,
                                        size_t *count)
{
    const size_t B = p->batch.B, rows = naive_rows(p), V = p->network->outputs;
    const bool softmax = p->network->loss == FASTRNN_SOFTMAX_CROSS_ENTROPY;
    int64_t *classes = guarded(rows * sizeof *classes);
    double *numbers = zeros(rows * V);
    *count = 0;
    for (size_t n = 0; n < rows; n++) {
        const size_t example = which[n % B];
        const size_t target = p->network->last ? example : (size_t)e->inputs.begin[example] + n / B;
        if (naive_row_counts(p, n) && softmax) {
            classes[n] = e->classes[target];
        } else if (naive_row_counts(p, n)) {
            memcpy(numbers + n * V, e->numbers + target * V, V * sizeof(double));
        }
        *count += naive_row_counts(p, n);
    }
    return (naive_targets){classes, numbers};
}

/* ---- an iteration ---------------------------------------------------------------------------------------------- */

/* A model over a batch. */
typedef struct {
    const fastrnn_conditioned *model;
    fastrnn_conditioned_offsets at;
    const fastrnn_examples_f64 *examples;
    double *features; /* (B, F) */
    naive_network network, encoder;
} naive_conditioned;

/* Where number k of example b's states is: *part is h or c (layers, B, H), and the place in it is returned. */
static size_t naive_source_state(const naive_conditioned *m, size_t b, size_t k, double *h, double *c, double **part)
{
    const size_t H = m->model->network.stack.hidden_size, L = m->model->network.stack.layers;
    *part = k / H < L ? h : c;
    return (k / H % L * m->network.batch.B + b) * H + k % H;
}

/* What the network begins with. */
static void naive_source_forward(naive_conditioned *m, const naive_learner *l)
{
    const fastrnn_conditioned *model = m->model;
    const fastrnn_stack *s = &model->network.stack;
    const size_t B = m->network.batch.B, S = naive_source_states(s), F = model->features;
    const double *b = model->network.without_bias ? NULL : l->parameters + m->at.b;
    m->network.h0 = m->examples->carried ? l->h : zeros(naive_states(&m->network));
    m->network.c0 = m->examples->carried ? l->c : zeros(naive_states(&m->network));
    if (model->source == FASTRNN_ENCODER) {
        naive_forward(&m->encoder);
        m->network.h0 = m->encoder.stack.hn;
        m->network.c0 = m->encoder.stack.cn;
        m->network.context = m->network.h0 + (s->layers - 1) * B * s->hidden_size;
    }
    for (size_t e = 0; model->source == FASTRNN_FEATURES && e < B; e++) {
        const size_t mark = memory.in_use;
        double *states = zeros(S), *part;
        naive_affine(S, F, l->parameters + m->at.W, b, m->features + e * F, states);
        for (size_t k = 0; k < S; k++) {
            const size_t place = naive_source_state(m, e, k, m->network.h0, m->network.c0, &part);
            part[place] = states[k];
        }
        m->network.context = m->features;
        release_since(mark);
    }
}

/* From the gradients of what the network began with. */
static void naive_source_backward(const naive_conditioned *m, const naive_gradients *of_network, double *gradient)
{
    const fastrnn_conditioned *model = m->model;
    const fastrnn_stack *s = &model->network.stack;
    const size_t B = m->network.batch.B, S = naive_source_states(s), F = model->features, I = s->input_size;
    const size_t C = model->network.context;
    for (size_t e = 0; model->source == FASTRNN_FEATURES && e < B; e++) {
        const size_t mark = memory.in_use;
        double *states = zeros(S), *part;
        for (size_t k = 0; k < S; k++) {
            const size_t place = naive_source_state(m, e, k, of_network->h0, of_network->c0, &part);
            states[k] = part[place];
        }
        add_outer(S, F, states, m->features + e * F, gradient + m->at.W);
        if (!model->network.without_bias) {
            add(S, states, gradient + m->at.b);
        }
        release_since(mark);
    }
    if (model->source == FASTRNN_ENCODER) {
        for (size_t n = 0; n < m->network.batch.T * B; n++) {
            add(C, of_network->x + n * I + I - C, of_network->h0 + ((s->layers - 1) * B + n % B) * s->hidden_size);
        }
        const fastrnn_batch *batch = &m->encoder.batch;
        const naive_gradients of_encoder = {gradient + m->at.encoder,
                                            zeros(batch->T * B * model->encoder.stack.input_size), of_network->h0,
                                            of_network->c0};
        naive_backward(&m->encoder, &of_encoder);
    }
}

/* The model over the examples `which` (B). */
static naive_conditioned naive_read_examples(const fastrnn_conditioned *model, const fastrnn_examples_f64 *examples,
                                             const naive_learner *l, const fastrnn_training *training,
                                             const size_t *which, size_t B)
{
    const size_t F = model->features;
    naive_conditioned m = {.model = model, .at = conditioned_offsets_of(model), .examples = examples};
    m.network = (naive_network){
        .network = &model->network, .parameters = l->parameters + m.at.network, .batch = {.B = B}};
    naive_read_sequences(&m.network, &examples->inputs, which);
    m.network.dropout = naive_dropout(&m.network, training, FOR_DROPOUT);
    if (model->source == FASTRNN_ENCODER) {
        const size_t states = B * model->encoder.stack.layers * model->encoder.stack.hidden_size;
        m.encoder = (naive_network){.network = &model->encoder,
                                    .parameters = l->parameters + m.at.encoder,
                                    .batch = {.B = B},
                                    .h0 = zeros(states),
                                    .c0 = zeros(states)};
        naive_read_sequences(&m.encoder, &examples->sources, which);
        m.encoder.dropout = naive_dropout(&m.encoder, training, FOR_ENCODER_DROPOUT);
    }
    m.features = zeros(B * F);
    for (size_t b = 0; model->source == FASTRNN_FEATURES && b < B; b++) {
        memcpy(m.features + b * F, examples->features + which[b] * F, F * sizeof(double));
    }
    return m;
}

static void naive_conditioned_train(const fastrnn_conditioned *model, const fastrnn_examples_f64 *examples, size_t most,
                                    const naive_learner *l, const fastrnn_optimizer *optimizer,
                                    fastrnn_training *training)
{
    const size_t mark = memory.in_use, left = examples->count - training->position, B = left < most ? left : most;
    const size_t *which = naive_order(examples, most, training) + training->position;
    const bool softmax = model->network.loss == FASTRNN_SOFTMAX_CROSS_ENTROPY;
    naive_conditioned m = naive_read_examples(model, examples, l, training, which, B);
    size_t rows;
    naive_source_forward(&m, l);
    naive_forward(&m.network);
    const naive_targets targets = naive_read_targets(&m.network, examples, which, &rows);
    training->loss = naive_loss(&m.network, &targets, (double)(softmax ? rows : rows * model->network.outputs));
    double *gradient = zeros(l->end);
    const naive_gradients of_network = {
        gradient + m.at.network, zeros(m.network.batch.T * B * model->network.stack.input_size),
        zeros(naive_states(&m.network)), zeros(naive_states(&m.network))};
    naive_backward(&m.network, &of_network);
    naive_source_backward(&m, &of_network, gradient);
    naive_learn(l, optimizer, training, gradient);
    training->position = left > most ? training->position + most : 0;
    if (examples->carried) {
        naive_keep_states(l, &m.network.stack, training->position == 0);
    }
    release_since(mark);
}

#endif

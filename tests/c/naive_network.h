/* Networks, written the slow way: naive_stack.h between what they read and a linear layer, with a loss. */
#ifndef NAIVE_NETWORK_H
#define NAIVE_NETWORK_H

#include "naive_stack.h"

static fastrnn_network_offsets offsets_of(const fastrnn_network *network)
{
    fastrnn_network_offsets at;
    need(fastrnn_network_parameters(network, &at) == FASTRNN_OK, "a test case has a network beyond the limits");
    return at;
}

/* A network over a batch, all in float64: what it reads, and what the forward pass leaves to the backward pass. */
typedef struct {
    const fastrnn_network *network;
    double *parameters;
    fastrnn_batch batch;
    const int64_t *tokens;          /* (T, B), or */
    const double *vectors;          /* (T, B, I - context) */
    const double *context;          /* (B, context) */
    double *h0, *c0;                /* (layers D, B, H), an LSTM's or not */
    double *dropout;                /* (layers, T, B, D H) or NULL */
    naive_stack stack;
    double *tops, *ys; /* (rows, D H) what the linear layer reads; (rows, outputs), zero past a sequence's length */
} naive_network;

/* Numbers of a state of all directions. */
static size_t naive_width(const fastrnn_stack *s)
{
    return s->directions * s->hidden_size;
}

static size_t naive_states(const naive_network *p)
{
    return p->network->stack.layers * p->batch.B * naive_width(&p->network->stack);
}

/* Rows of outputs, those past a sequence's length too. */
static size_t naive_rows(const naive_network *p)
{
    return p->network->last ? p->batch.B : p->batch.T * p->batch.B;
}

static bool naive_row_counts(const naive_network *p, size_t n)
{
    return p->network->last || n / p->batch.B < length_of(&p->batch, n % p->batch.B);
}

/* ---- forward --------------------------------------------------------------------------------------------------- */

static double *naive_inputs(const naive_network *p)
{
    const fastrnn_network *net = p->network;
    const size_t B = p->batch.B, N = p->batch.T * B, I = net->stack.input_size, C = net->context, E = I - C;
    double *x = zeros(N * I);
    for (size_t n = 0; n < N; n++) {
        if (net->vectors) {
            memcpy(x + n * I, p->vectors + n * E, E * sizeof(double));
        } else if (net->embeddings > 0) {
            memcpy(x + n * I, p->parameters + offsets_of(net).embedding + (size_t)p->tokens[n] * E, E * sizeof(double));
        } else {
            x[n * I + (size_t)p->tokens[n]] = 1;
        }
        if (C > 0) {
            memcpy(x + n * I + E, p->context + n % B * C, C * sizeof(double));
        }
    }
    return x;
}

/* Multiplies x, the rows (rows, D H) that the linear layer reads, by the factors of the last layer. */
static void naive_drop_out_tops(const naive_network *p, double *x)
{
    const fastrnn_stack *s = &p->network->stack;
    const size_t below = (s->layers - 1) * p->batch.T * p->batch.B * naive_width(s);
    for (size_t i = 0; p->dropout != NULL && i < naive_rows(p) * naive_width(s); i++) {
        x[i] *= p->dropout[below + i];
    }
}

/* Where in the states (layers D, B, H) number i of the last layer's, (B, D H), is. */
static size_t naive_top_state(const naive_network *p, size_t i)
{
    const fastrnn_stack *s = &p->network->stack;
    const size_t H = s->hidden_size, D = s->directions;
    return (((s->layers - 1) * D + i / H % D) * p->batch.B + i / (D * H)) * H + i % H;
}

/* From what it reads all the rest of p, which is not to move afterwards. */
static void naive_forward(naive_network *p)
{
    const fastrnn_network *net = p->network;
    const fastrnn_network_offsets at = offsets_of(net);
    const size_t B = p->batch.B, width = naive_width(&net->stack), V = net->outputs, rows = naive_rows(p);
    const double *W = p->parameters + at.W, *b = net->without_bias ? NULL : p->parameters + at.b;
    p->batch.dropout = p->dropout != NULL;
    p->stack = (naive_stack){.stack = &net->stack,
                             .batch = &p->batch,
                             .parameters = p->parameters + at.stack,
                             .x = naive_inputs(p),
                             .h0 = p->h0,
                             .c0 = p->c0,
                             .dropout = p->dropout};
    p->tops = zeros(p->batch.T * B * width);
    p->ys = zeros(rows * V);
    naive_stack_forward(&p->stack, p->tops);
    for (size_t i = 0; net->last && i < B * width; i++) {
        p->tops[i] = p->stack.hn[naive_top_state(p, i)];
    }
    naive_drop_out_tops(p, p->tops);
    for (size_t n = 0; n < rows; n++) {
        if (naive_row_counts(p, n)) {
            naive_affine(V, width, W, b, p->tops + n * width, p->ys + n * V);
        }
    }
}

/* ---- loss ------------------------------------------------------------------------------------------------------ */

/* What it ought to put out: classes (rows), or numbers (rows, outputs). */
typedef struct {
    const int64_t *classes;
    const double *numbers;
} naive_targets;

/* The loss of an output, which becomes its gradient. */
static double naive_number_loss(fastrnn_loss loss, double t, double *y)
{
    const double p = naive_sigmoid(*y), x = *y;
    switch (loss) {
    case FASTRNN_SIGMOID_CROSS_ENTROPY:
        *y = p - t;
        return t * log1p(exp(-x)) + (1 - t) * log1p(exp(x));
    case FASTRNN_SQUARED_ERROR:
        *y = 2 * (x - t);
        return (x - t) * (x - t);
    default:
        *y = 2 * (p - t) * p * (1 - p);
        return (p - t) * (p - t);
    }
}

/* The loss of all outputs that there are, divided by `terms`; the outputs become its gradient. */
static double naive_loss(const naive_network *p, const naive_targets *targets, double terms)
{
    const size_t V = p->network->outputs;
    const bool softmax = p->network->loss == FASTRNN_SOFTMAX_CROSS_ENTROPY;
    double loss = 0;
    for (size_t n = 0; n < naive_rows(p); n++) {
        double *y = p->ys + n * V;
        if (naive_row_counts(p, n) && softmax) {
            loss += naive_softmax_cross_entropy(1, V, targets->classes + n, y);
        }
        for (size_t i = 0; naive_row_counts(p, n) && !softmax && i < V; i++) {
            loss += naive_number_loss(p->network->loss, targets->numbers[n * V + i], y + i);
        }
    }
    for (size_t i = 0; i < naive_rows(p) * V; i++) {
        p->ys[i] /= terms;
    }
    return loss / terms;
}

/* ---- backward -------------------------------------------------------------------------------------------------- */

/* b_hh of a cell without a reset gate is not trained. */
static void naive_leave_out_second_bias(const fastrnn_network *network, double *gradient)
{
    const fastrnn_stack *s = &network->stack;
    const size_t GH = naive_gates(s->cell) * s->hidden_size;
    for (size_t k = 0; s->bias && naive_gates(s->cell) != 3 && k < s->layers * s->directions; k++) {
        memset(naive_weights_of(s, gradient + offsets_of(network).stack, k).b_hh, 0, GH * sizeof(double));
    }
}

/* From dy in p->ys, and from the last states' gradients, to all others: `to` is as in naive_stack_backward, but that
 * its parameters are the network's. */
static void naive_backward(const naive_network *p, const naive_gradients *to)
{
    const fastrnn_network *net = p->network;
    const fastrnn_network_offsets at = offsets_of(net);
    const size_t N = p->batch.T * p->batch.B, width = naive_width(&net->stack), V = net->outputs;
    const size_t I = net->stack.input_size, E = I - net->context;
    const naive_gradients stack = {to->parameters + at.stack, to->x, to->h0, to->c0};
    double *dtops = zeros(N * width);
    for (size_t n = 0; n < naive_rows(p); n++) {
        const double *dy = p->ys + n * V;
        add_outer(V, width, dy, p->tops + n * width, to->parameters + at.W);
        add_transposed_product(V, width, p->parameters + at.W, dy, dtops + n * width);
        if (!net->without_bias) {
            add(V, dy, to->parameters + at.b);
        }
    }
    naive_drop_out_tops(p, dtops);
    for (size_t i = 0; net->last && i < p->batch.B * width; i++) {
        to->h0[naive_top_state(p, i)] += dtops[i];
    }
    naive_stack_backward(&p->stack, net->last ? zeros(N * width) : dtops, &stack);
    for (size_t n = 0; net->embeddings > 0 && n < N; n++) {
        add(E, to->x + n * I, to->parameters + at.embedding + (size_t)p->tokens[n] * E);
    }
    naive_leave_out_second_bias(net, to->parameters);
}

#endif

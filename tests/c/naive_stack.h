/* Stacks of recurrent layers, written the slow way: as naive.h, each sequence and direction for itself, in the caller's
 * order. */
#ifndef NAIVE_STACK_H
#define NAIVE_STACK_H

#include "naive.h"

/* The blocks of rows in the weights of a cell. */
static size_t naive_gates(fastrnn_cell cell)
{
    return cell == FASTRNN_LSTM ? 4 : cell == FASTRNN_GRU || cell == FASTRNN_GRU_RESET_BEFORE ? 3 : 1;
}

/* Of one layer in one direction: weights, or the gradients with respect to them. Without biases both are NULL. */
typedef struct {
    double *W_ih, *W_hh, *b_ih, *b_hh;
    size_t inputs;
} naive_weights;

/* Those of strand k, layer k / directions in direction k % directions, in the one buffer of all; the end for the last
 * strand and one. */
static naive_weights naive_weights_of(const fastrnn_stack *s, double *parameters, size_t k)
{
    const size_t H = s->hidden_size, GH = naive_gates(s->cell) * H;
    naive_weights w = {.W_ih = parameters};
    for (size_t before = 0;; before++) {
        w.inputs = before < s->directions ? s->input_size : s->directions * H;
        w.W_hh = w.W_ih + GH * w.inputs;
        w.b_ih = s->bias ? w.W_hh + GH * H : NULL;
        w.b_hh = s->bias ? w.b_ih + GH : NULL;
        if (before == k) {
            return w;
        }
        w.W_ih = w.W_hh + GH * H + (s->bias ? 2 * GH : 0);
    }
}

/* ---- a cell ---------------------------------------------------------------------------------------------------- */

#define NAIVE_ACTIVATIONS 5

/* A step: x, and the state before it; then the state after it, and the activations, H of each gate in the order of the
 * weights, then m of a GRU or tanh(c) of an LSTM. */
typedef struct {
    const double *x, *h_before, *c_before;
    double *h, *c, *activations;
} naive_step_memory;

static double naive_sigmoid(double a)
{
    return 1 / (1 + exp(-a));
}

static double naive_nonlinearity(fastrnn_cell cell, double a)
{
    return cell == FASTRNN_RNN_TANH ? tanh(a) : cell == FASTRNN_RNN_RELU ? fmax(a, 0) : naive_sigmoid(a);
}

static double naive_derivative(fastrnn_cell cell, double h)
{
    return cell == FASTRNN_RNN_TANH ? 1 - h * h : cell == FASTRNN_RNN_RELU ? h > 0 : h * (1 - h);
}

/* y = W x + b, b may be NULL */
static void naive_affine(size_t rows, size_t columns, const double *W, const double *b, const double *x, double *y)
{
    for (size_t i = 0; i < rows; i++) {
        y[i] = b != NULL ? b[i] : 0;
    }
    add_product(rows, columns, W, x, y);
}

static void naive_gru_forward(fastrnn_cell cell, size_t H, const naive_weights *w, const naive_step_memory *s,
                              const double *from_x, double *from_h)
{
    double *r = s->activations, *z = r + H, *n = z + H, *m = n + H;
    for (size_t j = 0; j < H; j++) {
        r[j] = naive_sigmoid(from_x[j] + from_h[j]);
        z[j] = naive_sigmoid(from_x[H + j] + from_h[H + j]);
        m[j] = cell == FASTRNN_GRU ? from_h[2 * H + j] : r[j] * s->h_before[j];
    }
    if (cell == FASTRNN_GRU_RESET_BEFORE) {
        naive_affine(H, H, w->W_hh + 2 * H * H, w->b_hh != NULL ? w->b_hh + 2 * H : NULL, m, from_h + 2 * H);
    }
    for (size_t j = 0; j < H; j++) {
        n[j] = tanh(from_x[2 * H + j] + (cell == FASTRNN_GRU ? r[j] * m[j] : from_h[2 * H + j]));
        s->h[j] = (1 - z[j]) * n[j] + z[j] * s->h_before[j];
    }
}

static void naive_lstm_forward(size_t H, const naive_step_memory *s, const double *from_x, const double *from_h)
{
    double *i = s->activations, *f = i + H, *g = f + H, *o = g + H, *tanh_c = o + H;
    for (size_t j = 0; j < H; j++) {
        i[j] = naive_sigmoid(from_x[j] + from_h[j]);
        f[j] = naive_sigmoid(from_x[H + j] + from_h[H + j]);
        g[j] = tanh(from_x[2 * H + j] + from_h[2 * H + j]);
        o[j] = naive_sigmoid(from_x[3 * H + j] + from_h[3 * H + j]);
        s->c[j] = f[j] * s->c_before[j] + i[j] * g[j];
        tanh_c[j] = tanh(s->c[j]);
        s->h[j] = o[j] * tanh_c[j];
    }
}

static void naive_cell_forward(fastrnn_cell cell, size_t H, const naive_weights *w, const naive_step_memory *s)
{
    const size_t mark = memory.in_use, GH = naive_gates(cell) * H;
    double *from_x = zeros(GH), *from_h = zeros(GH);
    naive_affine(GH, w->inputs, w->W_ih, w->b_ih, s->x, from_x);
    naive_affine(GH, H, w->W_hh, w->b_hh, s->h_before, from_h);
    if (cell == FASTRNN_LSTM) {
        naive_lstm_forward(H, s, from_x, from_h);
    } else if (GH > H) {
        naive_gru_forward(cell, H, w, s, from_x, from_h);
    } else {
        for (size_t j = 0; j < H; j++) {
            s->h[j] = naive_nonlinearity(cell, from_x[j] + from_h[j]);
        }
    }
    release_since(mark);
}

/* The gradients with respect to from_x and from_h, from dh and dc, those with respect to the state after the step; what
 * does not reach the state before it by way of from_h is added to dh_before and dc_before. */
static void naive_gru_backward(fastrnn_cell cell, size_t H, const naive_weights *w, const naive_weights *dw,
                               const naive_step_memory *s, const double *dh, double *dx, double *dfrom_h,
                               double *dh_before)
{
    const double *r = s->activations, *z = r + H, *n = z + H, *m = n + H;
    const size_t mark = memory.in_use;
    double *dm = zeros(H);
    for (size_t j = 0; j < H; j++) {
        dx[2 * H + j] = dh[j] * (1 - z[j]) * (1 - n[j] * n[j]);
        dx[H + j] = dh[j] * (s->h_before[j] - n[j]) * z[j] * (1 - z[j]);
        dh_before[j] += dh[j] * z[j];
    }
    if (cell == FASTRNN_GRU_RESET_BEFORE) {
        add_outer(H, H, dx + 2 * H, m, dw->W_hh + 2 * H * H);
        add_transposed_product(H, H, w->W_hh + 2 * H * H, dx + 2 * H, dm);
    }
    for (size_t j = 0; j < H; j++) {
        const bool after = cell == FASTRNN_GRU;
        dx[j] = (after ? dx[2 * H + j] * m[j] : dm[j] * s->h_before[j]) * r[j] * (1 - r[j]);
        dfrom_h[2 * H + j] = dx[2 * H + j] * (after ? r[j] : 1);
        dh_before[j] += after ? 0 : dm[j] * r[j];
    }
    memcpy(dfrom_h, dx, 2 * H * sizeof(double));
    release_since(mark);
}

static void naive_lstm_backward(size_t H, const naive_step_memory *s, const double *dh, const double *dc, double *dx,
                                double *dfrom_h, double *dc_before)
{
    const double *i = s->activations, *f = i + H, *g = f + H, *o = g + H, *tanh_c = o + H;
    for (size_t j = 0; j < H; j++) {
        const double dc_now = dc[j] + dh[j] * o[j] * (1 - tanh_c[j] * tanh_c[j]);
        dx[j] = dc_now * g[j] * i[j] * (1 - i[j]);
        dx[H + j] = dc_now * s->c_before[j] * f[j] * (1 - f[j]);
        dx[2 * H + j] = dc_now * i[j] * (1 - g[j] * g[j]);
        dx[3 * H + j] = dh[j] * tanh_c[j] * o[j] * (1 - o[j]);
        dc_before[j] += dc_now * f[j];
    }
    memcpy(dfrom_h, dx, 4 * H * sizeof(double));
}

/* Adds to all gradients; dh and dc (H) become those with respect to the state before the step. */
static void naive_cell_backward(fastrnn_cell cell, size_t H, const naive_weights *w, const naive_weights *dw,
                                const naive_step_memory *s, double *dh, double *dc, double *dx)
{
    const size_t mark = memory.in_use, GH = naive_gates(cell) * H;
    double *dfrom_x = zeros(GH), *dfrom_h = zeros(GH), *dh_before = zeros(H), *dc_before = zeros(H);
    if (cell == FASTRNN_LSTM) {
        naive_lstm_backward(H, s, dh, dc, dfrom_x, dfrom_h, dc_before);
    } else if (GH > H) {
        naive_gru_backward(cell, H, w, dw, s, dh, dfrom_x, dfrom_h, dh_before);
    } else {
        for (size_t j = 0; j < H; j++) {
            dfrom_x[j] = dfrom_h[j] = dh[j] * naive_derivative(cell, s->h[j]);
        }
    }
    const size_t of_h = cell == FASTRNN_GRU_RESET_BEFORE ? 2 * H : GH; /* rows of W_hh that h_before goes through */
    add_outer(GH, w->inputs, dfrom_x, s->x, dw->W_ih);
    add_outer(of_h, H, dfrom_h, s->h_before, dw->W_hh);
    add_transposed_product(GH, w->inputs, w->W_ih, dfrom_x, dx);
    add_transposed_product(of_h, H, w->W_hh, dfrom_h, dh_before);
    if (dw->b_ih != NULL) {
        add(GH, dfrom_x, dw->b_ih);
        add(GH, dfrom_h, dw->b_hh);
    }
    memcpy(dh, dh_before, H * sizeof(double));
    memcpy(dc, dc_before, H * sizeof(double));
    release_since(mark);
}

/* ---- sequences, directions, layers ----------------------------------------------------------------------------- */

/* A stack over a batch, all in float64: x is dense, states are (layers directions, B, H) and an LSTM's or not. */
typedef struct {
    const fastrnn_stack *stack;
    const fastrnn_batch *batch;
    double *parameters, *x, *h0, *c0, *dropout;
    double *read[3]; /* (T, B, inputs) what each layer reads */
    double *hs, *cs; /* (layers directions, T, B, H) states after each step; 0 past a sequence's length */
    double *activations;
    double *hn, *cn; /* (layers directions, B, H) */
} naive_stack;

static size_t length_of(const fastrnn_batch *batch, size_t b)
{
    return batch->lengths != NULL ? (size_t)batch->lengths[b] : batch->T;
}

/* Where the i-th step of strand k is in time, as the strand goes. */
static size_t naive_time(const naive_stack *n, size_t k, size_t b, size_t i)
{
    return k % n->stack->directions == 0 ? i : length_of(n->batch, b) - 1 - i;
}

static naive_step_memory naive_step_at(const naive_stack *n, size_t k, size_t b, size_t i)
{
    const size_t T = n->batch->T, B = n->batch->B, H = n->stack->hidden_size, D = n->stack->directions;
    const size_t inputs = k < D ? n->stack->input_size : D * H, state = (k * B + b) * H;
    const size_t row = (k * T + naive_time(n, k, b, i)) * B + b;
    const size_t before = i == 0 ? 0 : (k * T + naive_time(n, k, b, i - 1)) * B + b;
    return (naive_step_memory){.x = n->read[k / D] + (naive_time(n, k, b, i) * B + b) * inputs,
                               .h_before = i == 0 ? n->h0 + state : n->hs + before * H,
                               .c_before = i == 0 ? n->c0 + state : n->cs + before * H,
                               .h = n->hs + row * H,
                               .c = n->cs + row * H,
                               .activations = n->activations + row * NAIVE_ACTIVATIONS * H};
}

/* Strand k: its states at all steps, and the last ones. */
static void naive_strand_forward(const naive_stack *n, size_t k)
{
    const size_t B = n->batch->B, H = n->stack->hidden_size;
    const naive_weights w = naive_weights_of(n->stack, n->parameters, k);
    for (size_t b = 0; b < B; b++) {
        const size_t length = length_of(n->batch, b), state = (k * B + b) * H;
        const double *h = n->h0 + state, *c = n->c0 + state;
        for (size_t i = 0; i < length; i++) {
            const naive_step_memory step = naive_step_at(n, k, b, i);
            naive_cell_forward(n->stack->cell, H, &w, &step);
            h = step.h;
            c = step.c;
        }
        memcpy(n->hn + state, h, H * sizeof(double));
        memcpy(n->cn + state, c, H * sizeof(double));
    }
}

/* The number in direction d's states that belongs to number i of (T, B, D H). */
static size_t naive_state_index(const naive_stack *n, size_t layer, size_t i)
{
    const size_t H = n->stack->hidden_size, D = n->stack->directions, row = i / (D * H), d = i / H % D;
    return ((layer * D + d) * n->batch->T * n->batch->B + row) * H + i % H;
}

/* y (T, B, D H) = the states of all directions of a layer side by side. */
static void naive_join(const naive_stack *n, size_t layer, double *y)
{
    const size_t width = n->stack->directions * n->stack->hidden_size;
    for (size_t i = 0; i < n->batch->T * n->batch->B * width; i++) {
        y[i] = n->hs[naive_state_index(n, layer, i)];
    }
}

/* Fills in what the layers read, and all states; y (T, B, D H). */
static void naive_stack_forward(naive_stack *n, double *y)
{
    const fastrnn_stack *s = n->stack;
    const size_t rows = n->batch->T * n->batch->B, width = s->directions * s->hidden_size;
    n->hs = zeros(s->layers * rows * width);
    n->cs = zeros(s->layers * rows * width);
    n->activations = zeros(s->layers * rows * width * NAIVE_ACTIVATIONS);
    n->hn = zeros(s->layers * n->batch->B * width);
    n->cn = zeros(s->layers * n->batch->B * width);
    n->read[0] = n->x;
    for (size_t layer = 0; layer < s->layers; layer++) {
        for (size_t d = 0; d < s->directions; d++) {
            naive_strand_forward(n, layer * s->directions + d);
        }
        double *out = layer + 1 < s->layers ? n->read[layer + 1] = zeros(rows * width) : y;
        naive_join(n, layer, out);
        for (size_t i = 0; n->batch->dropout && layer + 1 < s->layers && i < rows * width; i++) {
            out[i] = out[i] == 0 ? 0 : out[i] * n->dropout[layer * rows * width + i]; /* 0: past a sequence's length */
        }
    }
}

/* Gradients, all of which are added to; of y (T, B, D H) it reads no more than there are steps. */
typedef struct {
    double *parameters, *x, *h0, *c0; /* h0, c0: first those with respect to hn, cn */
} naive_gradients;

static void naive_strand_backward(const naive_stack *n, size_t k, const double *dy, const naive_gradients *g,
                                  double *dx)
{
    const size_t B = n->batch->B, H = n->stack->hidden_size, D = n->stack->directions;
    const naive_weights w = naive_weights_of(n->stack, n->parameters, k);
    const naive_weights dw = naive_weights_of(n->stack, g->parameters, k);
    for (size_t b = 0; b < B; b++) {
        double *dh = g->h0 + (k * B + b) * H, *dc = g->c0 + (k * B + b) * H;
        for (size_t i = length_of(n->batch, b); i-- > 0;) {
            const naive_step_memory step = naive_step_at(n, k, b, i);
            const size_t row = naive_time(n, k, b, i) * B + b;
            add(H, dy + row * D * H + k % D * H, dh);
            naive_cell_backward(n->stack->cell, H, &w, &dw, &step, dh, dc, dx + row * w.inputs);
        }
    }
}

/* After naive_stack_forward, from dy (T, B, D H). */
static void naive_stack_backward(const naive_stack *n, const double *dy, const naive_gradients *g)
{
    const fastrnn_stack *s = n->stack;
    const size_t numbers = n->batch->T * n->batch->B * s->directions * s->hidden_size;
    for (size_t layer = s->layers; layer-- > 0;) {
        double *dx = layer == 0 ? g->x : zeros(numbers);
        for (size_t d = 0; d < s->directions; d++) {
            naive_strand_backward(n, layer * s->directions + d, dy, g, dx);
        }
        for (size_t i = 0; n->batch->dropout && layer > 0 && i < numbers; i++) {
            dx[i] = dx[i] == 0 ? 0 : dx[i] * n->dropout[(layer - 1) * numbers + i];
        }
        dy = dx;
    }
}

#endif

/* Networks over tokens and their training, written the slow way: naive_stack.h between a table and a linear layer. */
#ifndef NAIVE_NETWORK_H
#define NAIVE_NETWORK_H

#include "naive_stack.h"
#include "random.h"

/* What fastrnn_learner points to, all in float64; what an optimizer has no need of is there too, and so is c. */
typedef struct {
    const fastrnn_network *network;
    size_t T, B;
    double *parameters, *momentum, *mean, *squares;
    double *h, *c;
    double largest; /* of the dtype that it stands for */
} naive_learner;

static fastrnn_network_offsets offsets_of(const fastrnn_network *network)
{
    fastrnn_network_offsets at;
    need(fastrnn_network_parameters(network, &at) == FASTRNN_OK, "a test case has a network beyond the limits");
    return at;
}

/* ---- the network ----------------------------------------------------------------------------------------------- */

/* What the forward pass leaves to the backward pass. */
typedef struct {
    fastrnn_batch batch;
    naive_stack stack;
    const double *dropout; /* (layers, N, H) or NULL */
    double *tops, *ys;     /* (N, H) what the linear layer reads; (N, outputs) */
} naive_pass;

/* Multiplies x (N, H) by the factors of the last layer. */
static void naive_drop_out_tops(const naive_pass *p, double *x)
{
    const fastrnn_stack *s = p->stack.stack;
    const size_t numbers = p->batch.T * p->batch.B * s->hidden_size;
    for (size_t i = 0; p->dropout != NULL && i < numbers; i++) {
        x[i] *= p->dropout[(s->layers - 1) * numbers + i];
    }
}

static double *naive_inputs(const naive_learner *l, const int64_t *tokens)
{
    const size_t N = l->T * l->B, I = l->network->stack.input_size;
    const double *table = l->parameters + offsets_of(l->network).embedding;
    double *x = zeros(N * I);
    for (size_t n = 0; n < N; n++) {
        const size_t token = (size_t)tokens[n];
        if (l->network->embeddings > 0) {
            memcpy(x + n * I, table + token * I, I * sizeof(double));
        } else {
            x[n * I + token] = 1;
        }
    }
    return x;
}

/* p is not to move afterwards. */
static void naive_network_forward(const naive_learner *l, const int64_t *tokens, double *dropout, naive_pass *p)
{
    const size_t N = l->T * l->B, H = l->network->stack.hidden_size, V = l->network->outputs;
    const fastrnn_network_offsets at = offsets_of(l->network);
    p->batch = (fastrnn_batch){.T = l->T, .B = l->B, .dropout = dropout != NULL};
    p->stack = (naive_stack){.stack = &l->network->stack,
                             .batch = &p->batch,
                             .parameters = l->parameters + at.stack,
                             .x = naive_inputs(l, tokens),
                             .h0 = l->h,
                             .c0 = l->c,
                             .dropout = dropout};
    p->dropout = dropout;
    p->tops = zeros(N * H);
    p->ys = zeros(N * V);
    naive_stack_forward(&p->stack, p->tops);
    naive_drop_out_tops(p, p->tops);
    for (size_t n = 0; n < N; n++) {
        naive_affine(V, H, l->parameters + at.W, l->parameters + at.b, p->tops + n * H, p->ys + n * V);
    }
}

/* The gradient of all parameters, from dy in p->ys. */
static double *naive_network_backward(const naive_learner *l, const int64_t *tokens, const naive_pass *p)
{
    const fastrnn_stack *s = &l->network->stack;
    const size_t N = l->T * l->B, H = s->hidden_size, V = l->network->outputs, I = s->input_size;
    const size_t states = s->layers * l->B * H;
    const fastrnn_network_offsets at = offsets_of(l->network);
    double *gradient = zeros(at.end), *dtops = zeros(N * H);
    for (size_t n = 0; n < N; n++) {
        add_outer(V, H, p->ys + n * V, p->tops + n * H, gradient + at.W);
        add(V, p->ys + n * V, gradient + at.b);
        add_transposed_product(V, H, l->parameters + at.W, p->ys + n * V, dtops + n * H);
    }
    naive_drop_out_tops(p, dtops);
    const naive_gradients stack = {gradient + at.stack, zeros(N * I), zeros(states), zeros(states)};
    naive_stack_backward(&p->stack, dtops, &stack);
    for (size_t n = 0; l->network->embeddings > 0 && n < N; n++) {
        add(I, stack.x + n * I, gradient + at.embedding + (size_t)tokens[n] * I);
    }
    return gradient;
}

/* ---- an iteration ---------------------------------------------------------------------------------------------- */

/* Number i of those that an iteration draws for a purpose, 1 for dropout and 2 for places in the text. Runs that are
 * taken up again rely on them: they are the same for ever. */
static uint64_t naive_random(const fastrnn_training *training, uint64_t purpose, size_t i)
{
    const uint64_t stream = mixed(mixed(training->seed + purpose) ^ training->iterations);
    return mixed(stream + (i + 1) * GOLDEN_GAMMA);
}

static double *naive_dropout(const naive_learner *l, const fastrnn_training *training)
{
    const size_t n = l->network->stack.layers * l->T * l->B * l->network->stack.hidden_size;
    double *factors = training->dropout > 0 ? zeros(n) : NULL;
    for (size_t i = 0; factors != NULL && i < n; i++) {
        const uint64_t half = naive_random(training, 1, i / 2) >> (i % 2 * 32) & 0xffffffff;
        factors[i] = half < floor(training->dropout * 0x1p32) ? 0 : 1 / (1 - training->dropout);
    }
    return factors;
}

/* Least significant byte first, as on every machine that the library is built for. */
static int64_t naive_token(const fastrnn_text *text, size_t i)
{
    int64_t token = 0;
    memcpy(&token, (const unsigned char *)text->tokens + i * text->width, text->width);
    return token;
}

static size_t naive_beginning(const naive_learner *l, const fastrnn_training *training, size_t b)
{
    const size_t length = training->text.length;
    if (training->random_chunks) {
        return (size_t)((double)(naive_random(training, 2, b) >> 11) * 0x1p-53 * (double)(length - l->T));
    }
    return b * (length / l->B) + training->position;
}

/* (T, B), of each sequence the tokens from `offset` after its beginning on. */
static int64_t *naive_sequences(const naive_learner *l, const fastrnn_training *training, size_t offset)
{
    int64_t *tokens = guarded(l->T * l->B * sizeof *tokens);
    for (size_t n = 0; n < l->T * l->B; n++) {
        const size_t begin = naive_beginning(l, training, n % l->B);
        tokens[n] = naive_token(&training->text, begin + offset + n / l->B);
    }
    return tokens;
}

static double naive_learning_rate(const fastrnn_schedule *s, uint64_t iteration)
{
    const double i = (double)iteration, n = (double)s->n, pi = acos(-1);
    const double warm = s->warmup == 0 ? 1 : fmin(1, (i + 1) / (double)s->warmup);
    const double down = s->decay == FASTRNN_STEPS    ? pow(s->factor, floor(i / n))
                        : s->decay == FASTRNN_COSINE ? s->factor + (1 - s->factor) * (1 + cos(pi * fmin(1, i / n))) / 2
                                                     : 1;
    return s->learning_rate * warm * down;
}

static void naive_limit(size_t n, const fastrnn_training *training, double *gradient)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        gradient[i] = fmin(fmax(gradient[i], -training->clip_value), training->clip_value);
        squares += gradient[i] * gradient[i];
    }
    const double factor = training->clip_norm / (sqrt(squares) + 1e-6);
    for (size_t i = 0; factor < 1 && i < n; i++) {
        gradient[i] *= factor;
    }
}

static void naive_optimizer_step(const naive_learner *l, fastrnn_optimizer optimizer, double learning_rate,
                                 uint64_t iteration, const double *gradient)
{
    void (*const steps[])(const fastrnn_optimizer_settings *, naive_numbers *) = {naive_sgd, naive_adagrad,
                                                                                  naive_rmsprop, naive_adam};
    fastrnn_optimizer_settings *settings = &optimizer.settings;
    settings->sgd.learning_rate = learning_rate; /* the first in each of the union's members */
    if (optimizer.kind == FASTRNN_SGD) {
        settings->sgd.iteration = iteration;
    } else if (optimizer.kind == FASTRNN_ADAM) {
        settings->adam.iteration = iteration;
    }
    for (size_t i = 0; i < offsets_of(l->network).end; i++) {
        naive_numbers x = {l->parameters[i], gradient[i], l->momentum[i], l->mean[i], l->squares[i], l->largest};
        steps[optimizer.kind](settings, &x);
        l->parameters[i] = x.parameter;
        l->momentum[i] = x.momentum;
        l->mean[i] = x.mean;
        l->squares[i] = x.squares;
    }
}

/* Where the next sequences begin, and the states before them. */
static void naive_move_on(const naive_learner *l, fastrnn_training *training, const naive_stack *stack)
{
    const size_t states = l->network->stack.layers * l->B * l->network->stack.hidden_size;
    if (training->random_chunks) {
        return;
    }
    training->position += l->T;
    const bool anew = training->text.length / l->B - training->position < l->T + 2;
    training->position = anew ? 0 : training->position;
    for (size_t i = 0; i < states; i++) {
        l->h[i] = anew ? 0 : stack->hn[i];
        l->c[i] = anew ? 0 : stack->cn[i];
    }
}

static void naive_network_train(const naive_learner *l, const fastrnn_optimizer *optimizer, fastrnn_training *training)
{
    const fastrnn_stack *s = &l->network->stack;
    const size_t mark = memory.in_use, N = l->T * l->B, V = l->network->outputs, end = offsets_of(l->network).end;
    const int64_t *tokens = naive_sequences(l, training, 0), *targets = naive_sequences(l, training, 1);
    naive_learner here = *l;
    if (training->random_chunks) {
        here.h = here.c = zeros(s->layers * l->B * s->hidden_size);
    }
    naive_pass p;
    naive_network_forward(&here, tokens, naive_dropout(l, training), &p);
    training->loss = naive_softmax_cross_entropy(N, V, targets, p.ys) / (double)l->B;
    for (size_t i = 0; i < N * V; i++) {
        p.ys[i] /= (double)l->B;
    }
    double *gradient = naive_network_backward(&here, tokens, &p);
    for (size_t layer = 0; s->bias && naive_gates(s->cell) != 3 && layer < s->layers; layer++) {
        const size_t GH = naive_gates(s->cell) * s->hidden_size;
        memset(naive_weights_of(s, gradient + offsets_of(l->network).stack, layer).b_hh, 0, GH * sizeof(double));
    }
    naive_limit(end, training, gradient);
    naive_optimizer_step(l, *optimizer, naive_learning_rate(&training->schedule, training->iterations),
                         training->iterations + 1, gradient);
    naive_move_on(l, training, &p.stack);
    training->smooth_loss = 0.999 * training->smooth_loss + 0.001 * training->loss;
    training->iterations++;
    release_since(mark);
}

#endif

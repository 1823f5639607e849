/* Training, written the slow way: an iteration over a text, and what iterations over examples (naive_examples.h) have
 * in common with it. */
#ifndef NAIVE_TRAIN_H
#define NAIVE_TRAIN_H

#include "naive_network.h"
#include "random.h"

/* What fastrnn_learner points to, all in float64; what an optimizer has no need of is there too, and so is c. */
typedef struct {
    size_t end, states; /* numbers in each of the first four, and in each of the other two */
    double *parameters, *momentum, *mean, *squares;
    double *h, *c;
    double largest; /* of the dtype that it stands for */
} naive_learner;

/* ---- what every iteration does --------------------------------------------------------------------------------- */

/* What random numbers of an iteration are for. */
typedef enum { FOR_DROPOUT = 1, FOR_PLACES, FOR_ORDER, FOR_ENCODER_DROPOUT } naive_purpose;

/* Number i of those that an iteration draws for a purpose. Runs that are taken up again rely on them: they are the same
 * for ever. */
static uint64_t naive_random(const fastrnn_training *training, uint64_t iteration, naive_purpose purpose, size_t i)
{
    const uint64_t stream = mixed(mixed(training->seed + (uint64_t)purpose) ^ iteration);
    return mixed(stream + (i + 1) * GOLDEN_GAMMA);
}

/* In [0, n). */
static size_t naive_random_below(const fastrnn_training *training, uint64_t iteration, naive_purpose purpose, size_t i,
                                 size_t n)
{
    return (size_t)((double)(naive_random(training, iteration, purpose, i) >> 11) * 0x1p-53 * (double)n);
}

static double *naive_dropout(const naive_network *p, const fastrnn_training *training, naive_purpose purpose)
{
    const size_t n = p->batch.T * naive_states(p);
    double *factors = training->dropout > 0 ? zeros(n) : NULL;
    for (size_t i = 0; factors != NULL && i < n; i++) {
        const uint64_t bits = naive_random(training, training->iterations, purpose, i / 2);
        const uint64_t half = bits >> (i % 2 * 32) & 0xffffffff;
        factors[i] = half < floor(training->dropout * 0x1p32) ? 0 : 1 / (1 - training->dropout);
    }
    return factors;
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
    for (size_t i = 0; i < l->end; i++) {
        naive_numbers x = {l->parameters[i], gradient[i], l->momentum[i], l->mean[i], l->squares[i], l->largest};
        steps[optimizer.kind](settings, &x);
        l->parameters[i] = x.parameter;
        l->momentum[i] = x.momentum;
        l->mean[i] = x.mean;
        l->squares[i] = x.squares;
    }
}

/* The update by a gradient, which is cut down, and what training counts. */
static void naive_learn(const naive_learner *l, const fastrnn_optimizer *optimizer, fastrnn_training *training,
                        double *gradient)
{
    naive_limit(l->end, training, gradient);
    naive_optimizer_step(l, *optimizer, naive_learning_rate(&training->schedule, training->iterations),
                         training->iterations + 1, gradient);
    training->smooth_loss = isnan(training->smooth_loss) ? training->loss
                                                         : 0.999 * training->smooth_loss + 0.001 * training->loss;
    training->iterations++;
}

/* The learner's states become those after the last step, or zeros. */
static void naive_keep_states(const naive_learner *l, const naive_stack *stack, bool anew)
{
    for (size_t i = 0; i < l->states; i++) {
        l->h[i] = anew ? 0 : stack->hn[i];
        l->c[i] = anew ? 0 : stack->cn[i];
    }
}

/* ---- over a text ----------------------------------------------------------------------------------------------- */

/* Least significant byte first, as on every machine that the library is built for. */
static int64_t naive_token(const fastrnn_text *text, size_t i)
{
    int64_t token = 0;
    memcpy(&token, (const unsigned char *)text->tokens + i * text->width, text->width);
    return token;
}

static size_t naive_beginning(const fastrnn_batch *batch, const fastrnn_training *training, size_t b)
{
    const size_t length = training->text.length;
    return training->random_chunks
               ? naive_random_below(training, training->iterations, FOR_PLACES, b, length - batch->T)
               : b * (length / batch->B) + training->position;
}

/* (T, B), of each sequence the tokens from `offset` after its beginning on. */
static int64_t *naive_sequences(const fastrnn_batch *batch, const fastrnn_training *training, size_t offset)
{
    const size_t B = batch->B, N = batch->T * B;
    int64_t *tokens = guarded(N * sizeof *tokens);
    for (size_t n = 0; n < N; n++) {
        const size_t begin = naive_beginning(batch, training, n % B);
        tokens[n] = naive_token(&training->text, begin + offset + n / B);
    }
    return tokens;
}

/* Where the next sequences begin, and the states before them. */
static void naive_move_on(const naive_learner *l, fastrnn_training *training, const naive_stack *stack)
{
    const size_t T = stack->batch->T, B = stack->batch->B;
    if (training->random_chunks) {
        return;
    }
    training->position += T;
    const bool anew = training->text.length / B - training->position < T + 2;
    training->position = anew ? 0 : training->position;
    naive_keep_states(l, stack, anew);
}

static void naive_network_train(const fastrnn_network *network, size_t T, size_t B, const naive_learner *l,
                                const fastrnn_optimizer *optimizer, fastrnn_training *training)
{
    const size_t mark = memory.in_use;
    const bool carried = !training->random_chunks;
    naive_network p = {.network = network,
                       .parameters = l->parameters,
                       .batch = {.T = T, .B = B},
                       .h0 = carried ? l->h : zeros(l->states),
                       .c0 = carried ? l->c : zeros(l->states)};
    p.tokens = naive_sequences(&p.batch, training, 0);
    p.dropout = naive_dropout(&p, training, FOR_DROPOUT);
    naive_forward(&p);
    const naive_targets targets = {.classes = naive_sequences(&p.batch, training, 1)};
    training->loss = naive_loss(&p, &targets, (double)B);
    const naive_gradients gradient = {zeros(l->end), zeros(T * B * network->stack.input_size), zeros(l->states),
                                      zeros(l->states)};
    naive_backward(&p, &gradient);
    naive_learn(l, optimizer, training, gradient.parameters);
    naive_move_on(l, training, &p.stack);
    release_since(mark);
}

#endif

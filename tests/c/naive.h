/* What the library computes, written the slow way: in float64, one loop per sum, one sequence after the other. */
#ifndef NAIVE_H
#define NAIVE_H

#include <math.h>

#include "fastrnn.h"
#include "guarded.h"

/* y += W x, W (rows, columns) */
static void add_product(size_t rows, size_t columns, const double *W, const double *x, double *y)
{
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < columns; j++) {
            y[i] += W[i * columns + j] * x[j];
        }
    }
}

/* x += W^T y */
static void add_transposed_product(size_t rows, size_t columns, const double *W, const double *y, double *x)
{
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < columns; j++) {
            x[j] += W[i * columns + j] * y[i];
        }
    }
}

/* W += y x^T */
static void add_outer(size_t rows, size_t columns, const double *y, const double *x, double *W)
{
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < columns; j++) {
            W[i * columns + j] += y[i] * x[j];
        }
    }
}

static void add(size_t n, const double *x, double *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += x[i];
    }
}

static fastrnn_char_rnn_f64 zero_model(const fastrnn_shape *s)
{
    return (fastrnn_char_rnn_f64){.rnn = {zeros(s->H * s->V), zeros(s->H * s->H), zeros(s->H)},
                                  .output = {zeros(s->V * s->H), zeros(s->V)}};
}

/* The smaller of `bound` and the largest magnitude in x, unless that is 0. */
static double smaller_largest(double bound, size_t n, const double *x)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs(x[i]));
    }
    return largest > 0 ? fmin(bound, largest) : bound;
}

/* ---- the recurrent layer --------------------------------------------------------------------------------------- */

static void naive_step(const fastrnn_shape *s, const fastrnn_rnn_f64 *layer, int64_t character, const double *before,
                       double *now)
{
    for (size_t i = 0; i < s->H; i++) {
        now[i] = layer->Wxh[i * s->V + (size_t)character] + layer->bh[i];
    }
    add_product(s->H, s->H, layer->Whh, before, now);
    for (size_t i = 0; i < s->H; i++) {
        now[i] = tanh(now[i]);
    }
}

/* The state of sequence b before step t. */
static const double *state_before(const fastrnn_shape *s, size_t t, size_t b, const double *h0, const double *hs)
{
    return t == 0 ? h0 + b * s->H : hs + ((t - 1) * s->B + b) * s->H;
}

static void naive_rnn_forward(const fastrnn_shape *s, const fastrnn_rnn_f64 *layer, const int64_t *inputs,
                              const double *h0, double *hs)
{
    for (size_t t = 0; t < s->T; t++) {
        for (size_t b = 0; b < s->B; b++) {
            size_t n = t * s->B + b;
            naive_step(s, layer, inputs[n], state_before(s, t, b, h0, hs), hs + n * s->H);
        }
    }
}

/* Adds to the gradients; dh0 begins as zeros. */
static void naive_rnn_backward(const fastrnn_shape *s, const fastrnn_rnn_f64 *layer, const int64_t *inputs,
                               const double *h0, const double *hs, const double *dhs,
                               const fastrnn_rnn_f64 *gradients, double *dh0)
{
    const size_t H = s->H;
    double *da = zeros(H);
    for (size_t b = 0; b < s->B; b++) {
        double *dh = dh0 + b * H; /* what reaches h_t from h_{t+1}; in the end, what reaches h_{-1} from h_0 */
        for (size_t t = s->T; t-- > 0;) {
            size_t n = t * s->B + b;
            add(H, dhs + n * H, dh);
            for (size_t i = 0; i < H; i++) {
                da[i] = (1 - hs[n * H + i] * hs[n * H + i]) * dh[i];
                gradients->Wxh[i * s->V + (size_t)inputs[n]] += da[i];
                dh[i] = 0;
            }
            add_outer(H, H, da, state_before(s, t, b, h0, hs), gradients->Whh);
            add(H, da, gradients->bh);
            add_transposed_product(H, H, layer->Whh, da, dh);
        }
    }
}

/* ---- the output ------------------------------------------------------------------------------------------------ */

/* y becomes softmax(y / temperature). Returns -ln p[target]. */
static double naive_softmax(size_t V, double temperature, double *y, size_t target)
{
    double largest = -INFINITY, sum = 0;
    for (size_t i = 0; i < V; i++) {
        largest = fmax(largest, y[i]);
    }
    for (size_t i = 0; i < V; i++) {
        sum += exp((y[i] - largest) / temperature);
    }
    double loss = log(sum) - (y[target] - largest) / temperature;
    for (size_t i = 0; i < V; i++) {
        y[i] = exp((y[i] - largest) / temperature) / sum;
    }
    return loss;
}

/* logits (N, V) become d loss / d logits. */
static double naive_softmax_cross_entropy(size_t N, size_t V, const int64_t *targets, double *logits)
{
    double loss = 0;
    for (size_t n = 0; n < N; n++) {
        loss += naive_softmax(V, 1, logits + n * V, (size_t)targets[n]);
        logits[n * V + (size_t)targets[n]] -= 1;
    }
    return loss;
}

/* ---- the character model --------------------------------------------------------------------------------------- */

static void naive_output(const fastrnn_shape *s, const fastrnn_linear_f64 *output, const double *h, double *y)
{
    memcpy(y, output->by, s->V * sizeof(double));
    add_product(s->V, s->H, output->Why, h, y);
}

/* Adds to the gradients and does not clip them; hs (T, B, H) gets all states. */
static double naive_char_rnn_loss(const fastrnn_shape *s, const fastrnn_char_rnn_f64 *model, const int64_t *inputs,
                                  const int64_t *targets, const double *hprev, const fastrnn_char_rnn_f64 *gradients,
                                  double *hs)
{
    const size_t H = s->H, V = s->V, TB = s->T * s->B;
    double *ys = zeros(TB * V), *dhs = zeros(TB * H), *dh0 = zeros(s->B * H);
    naive_rnn_forward(s, &model->rnn, inputs, hprev, hs);
    for (size_t n = 0; n < TB; n++) {
        naive_output(s, &model->output, hs + n * H, ys + n * V);
    }
    double loss = naive_softmax_cross_entropy(TB, V, targets, ys);
    for (size_t n = 0; n < TB; n++) {
        add_outer(V, H, ys + n * V, hs + n * H, gradients->output.Why);
        add(V, ys + n * V, gradients->output.by);
        add_transposed_product(V, H, model->output.Why, ys + n * V, dhs + n * H);
    }
    naive_rnn_backward(s, &model->rnn, inputs, hprev, hs, dhs, &gradients->rnn, dh0);
    return loss;
}

/* ---- training -------------------------------------------------------------------------------------------------- */

static void naive_update(size_t n, const fastrnn_shape *s, const fastrnn_training *training, const double *gradient,
                         double *sums, double *parameter)
{
    for (size_t i = 0; i < n; i++) {
        const double g = fmin(fmax(gradient[i] / (double)s->B, -training->clip_value), training->clip_value);
        sums[i] += g * g;
        parameter[i] -= training->schedule.learning_rate * g / sqrt(sums[i] + 1e-8);
    }
}

static void naive_update_model(const fastrnn_shape *s, const fastrnn_training *training,
                               const fastrnn_char_rnn_f64 *gradients, const fastrnn_char_rnn_f64 *sums,
                               const fastrnn_char_rnn_f64 *model)
{
    naive_update(s->H * s->V, s, training, gradients->rnn.Wxh, sums->rnn.Wxh, model->rnn.Wxh);
    naive_update(s->H * s->H, s, training, gradients->rnn.Whh, sums->rnn.Whh, model->rnn.Whh);
    naive_update(s->H, s, training, gradients->rnn.bh, sums->rnn.bh, model->rnn.bh);
    naive_update(s->V * s->H, s, training, gradients->output.Why, sums->output.Why, model->output.Why);
    naive_update(s->V, s, training, gradients->output.by, sums->output.by, model->output.by);
}

/* The T characters of each of the B streams that begin `offset` after the position, as (T, B). */
static int64_t *sequences(const fastrnn_shape *s, const fastrnn_training *training, size_t offset)
{
    int64_t *characters = guarded(s->T * s->B * sizeof *characters);
    for (size_t n = 0; n < s->T * s->B; n++) {
        const size_t stream = n % s->B * (training->text.length / s->B);
        characters[n] = ((const int64_t *)training->text.tokens)[stream + training->position + offset + n / s->B];
    }
    return characters;
}

/* One iteration: model, sums (Adagrad's memory), hprev (B, H) and training move on. */
static void naive_train(const fastrnn_shape *s, const fastrnn_char_rnn_f64 *model, const fastrnn_char_rnn_f64 *sums,
                        double *hprev, fastrnn_training *training)
{
    const size_t BH = s->B * s->H, mark = memory.in_use;
    const fastrnn_char_rnn_f64 gradients = zero_model(s);
    double *hs = zeros(s->T * BH);
    training->loss = naive_char_rnn_loss(s, model, sequences(s, training, 0), sequences(s, training, 1), hprev,
                                         &gradients, hs);
    naive_update_model(s, training, &gradients, sums, model);
    memcpy(hprev, hs + (s->T - 1) * BH, BH * sizeof(double));
    training->loss /= (double)s->B;
    training->smooth_loss = 0.999 * training->smooth_loss + 0.001 * training->loss;
    training->iterations++;
    training->position += s->T;
    if (training->text.length / s->B - training->position < s->T + 2) {
        training->position = 0;
        memset(hprev, 0, BH * sizeof(double));
    }
    release_since(mark);
}

/* ---- sampling -------------------------------------------------------------------------------------------------- */

/* One step of sampling: h moves on past `character`, cdf (V) gets cumsum(p) / sum(p) for the next one. */
static void naive_next_cdf(const fastrnn_shape *s, const fastrnn_char_rnn_f64 *model, int64_t character,
                           double temperature, double *h, double *cdf)
{
    const size_t mark = memory.in_use;
    double *before = guarded_copy(h, s->H * sizeof(double));
    naive_step(s, &model->rnn, character, before, h);
    release_since(mark);
    naive_output(s, &model->output, h, cdf);
    naive_softmax(s->V, temperature, cdf, 0);
    for (size_t i = 1; i < s->V; i++) {
        cdf[i] += cdf[i - 1];
    }
    for (size_t i = 0; i < s->V; i++) {
        cdf[i] /= cdf[s->V - 1]; /* the last one last: it is still the sum until then */
    }
}

static int64_t naive_draw(size_t V, const double *cdf, double u)
{
    int64_t character = 0;
    for (size_t i = 0; i < V; i++) {
        character += cdf[i] <= u;
    }
    return character;
}

/* How many entries of x count as larger than x[i]: of equal ones those that stand before it do. */
static size_t naive_rank(size_t V, const double *x, size_t i)
{
    size_t rank = 0;
    for (size_t j = 0; j < V; j++) {
        rank += x[j] > x[i] || (x[j] == x[i] && j < i);
    }
    return rank;
}

/* y (V) becomes the cdf that a token is drawn by; with temperature 0 all of it belongs to the likeliest. */
static void naive_choice_cdf(size_t V, const fastrnn_choice *choice, double *y)
{
    const size_t mark = memory.in_use, k = choice->top_k == 0 || choice->temperature == 0 ? V : choice->top_k;
    double *sorted = zeros(V), total = 0, sum = 0;
    size_t *ranks = guarded(V * sizeof *ranks), kept = choice->temperature == 0 ? 1 : 0;
    for (size_t i = 0; i < V; i++) {
        ranks[i] = naive_rank(V, y, i);
    }
    naive_softmax(V, choice->temperature == 0 ? 1 : choice->temperature, y, 0);
    for (size_t i = 0; i < V; i++) {
        sorted[ranks[i]] = ranks[i] < k ? y[i] : 0;
    }
    for (size_t r = 0; r < V; r++) {
        total += sorted[r];
    }
    while (choice->temperature != 0 && kept < V && (choice->top_p == 1 || sum < choice->top_p * total)) {
        sum += sorted[kept++];
    }
    sum = 0;
    for (size_t i = 0; i < V; i++) {
        sum += ranks[i] < k && ranks[i] < kept ? y[i] : 0;
        y[i] = sum;
    }
    for (size_t i = 0; i < V; i++) {
        y[i] /= sum;
    }
    release_since(mark);
}

/* ---- optimizers ------------------------------------------------------------------------------------------------ */

/* One number of each array of an update. Squares beyond `largest` are infinite, as in an array of a narrower dtype. */
typedef struct {
    double parameter, gradient, momentum, mean, squares, largest;
} naive_numbers;

static double infinite_beyond(double largest, double x)
{
    return x > largest ? INFINITY : x;
}

static double naive_decayed(const naive_numbers *x, double weight_decay)
{
    return weight_decay == 0 ? x->gradient : x->gradient + weight_decay * x->parameter;
}

/* (1 - weight) mean + weight x, to which infinite numbers happen as they do in PyTorch. */
static double naive_lerp(double mean, double x, double weight)
{
    return weight < 0.5 ? mean + weight * (x - mean) : x - (x - mean) * (1 - weight);
}

static void naive_sgd(const fastrnn_optimizer_settings *settings, naive_numbers *x)
{
    const fastrnn_sgd *s = &settings->sgd;
    const double g = naive_decayed(x, s->weight_decay);
    double change = g;
    if (s->momentum != 0) {
        x->momentum = s->momentum * x->momentum + (s->iteration == 1 ? 1 : 1 - s->dampening) * g;
        change = s->nesterov ? g + s->momentum * x->momentum : x->momentum;
    }
    x->parameter -= s->learning_rate * change;
}

static void naive_adagrad(const fastrnn_optimizer_settings *settings, naive_numbers *x)
{
    const fastrnn_adagrad *s = &settings->adagrad;
    const double g = naive_decayed(x, s->weight_decay);
    x->squares = infinite_beyond(x->largest, x->squares + g * g);
    const double divisor = s->eps_inside_sqrt ? sqrt(x->squares + s->eps) : sqrt(x->squares) + s->eps;
    x->parameter -= s->learning_rate * g / divisor;
}

static void naive_rmsprop(const fastrnn_optimizer_settings *settings, naive_numbers *x)
{
    const fastrnn_rmsprop *s = &settings->rmsprop;
    const double g = naive_decayed(x, s->weight_decay);
    x->squares = infinite_beyond(x->largest, s->alpha * x->squares + (1 - s->alpha) * g * g);
    double variance = x->squares;
    if (s->centered) {
        x->mean = naive_lerp(x->mean, g, 1 - s->alpha);
        variance -= x->mean * x->mean;
    }
    double change = g / (sqrt(variance) + s->eps);
    if (s->momentum != 0) {
        change = x->momentum = s->momentum * x->momentum + change;
    }
    x->parameter -= s->learning_rate * change;
}

static void naive_adam(const fastrnn_optimizer_settings *settings, naive_numbers *x)
{
    const fastrnn_adam *s = &settings->adam;
    const double g = s->decoupled ? x->gradient : naive_decayed(x, s->weight_decay), t = (double)s->iteration;
    x->mean = naive_lerp(x->mean, g, 1 - s->beta1);
    x->squares = infinite_beyond(x->largest, s->beta2 * x->squares + (1 - s->beta2) * g * g);
    const double mean = x->mean / (1 - pow(s->beta1, t)), squares = x->squares / (1 - pow(s->beta2, t));
    if (s->decoupled) {
        x->parameter *= 1 - s->learning_rate * s->weight_decay;
    }
    x->parameter -= s->learning_rate * mean / (sqrt(squares) + s->eps);
}

#endif

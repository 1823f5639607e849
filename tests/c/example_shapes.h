/* The networks that learn from examples, and the ways to train them, that are tested. */
#ifndef EXAMPLE_SHAPES_H
#define EXAMPLE_SHAPES_H

#include "random.h"
#include "stack_shapes.h"

typedef struct {
    fastrnn_conditioned model;
    size_t T, steps, B, count; /* of the longest sequence and source; examples in a batch, and in all */
    size_t position;           /* where in a pass a run begins */
    size_t optimizer;          /* which of TYPED(optimizers) */
    fastrnn_decay decay;
    bool ragged, shuffle, carried, dropout, by_value, by_norm; /* the latter two: clipped so */
    size_t shift;              /* by so many numbers the parameters miss a cache line */
} example_shape;

static void describe_examples(place at, const char *what, const example_shape *s)
{
    const fastrnn_network *n = &s->model.network;
    const fastrnn_stack *stack = &n->stack;
    static const char *const losses[] = {"softmax", "sigmoid", "squares", "sigmoid squares"};
    static const char *const sources[] = {"", " features", " encoder"};
    situation_at(at, "%s, %zu%s %s%s%s%s%s I=%zu H=%zu V=%zu%s C=%zu %s T=%zu B=%zu of %zu%s%s%s%s%s%s", what,
                 stack->layers, stack->directions == 2 ? " two-way" : "", cell_names[stack->cell],
                 stack->bias ? "" : " unbiased", n->without_bias ? " b-less" : "",
                 n->vectors ? " vectors" : n->embeddings > 0 ? " embedding" : "", sources[s->model.source],
                 stack->input_size, stack->hidden_size, n->outputs, n->last ? " last" : "", n->context,
                 losses[n->loss], s->T, s->B, s->count, s->ragged ? " ragged" : "", s->shuffle ? " shuffle" : "",
                 s->carried ? " carried" : "", s->dropout ? " dropout" : "", s->by_value ? " by value" : "",
                 s->by_norm ? " by norm" : "");
}

/* What a network reads: 1-of-I codes, an embedding, vectors. */
typedef enum { CODES, EMBEDDING, VECTORS } reading;

static void let_read(fastrnn_network *network, reading what, size_t E)
{
    network->stack.input_size = what == CODES ? E : E + network->context;
    network->embeddings = what == EMBEDDING ? 5 + E % 9 : 0;
    network->vectors = what == VECTORS;
}

/* Every combination of cell, what is read, where the first states come from, outputs at each step or after the last
 * one, and loss; sizes go their own ways, as in option_shape of stack_shapes.h, and all else follows from the bits of a
 * number of its own. */
typedef enum { ONE_WAY, TWO_WAY, CARRIED, FROM_FEATURES, AND_CONTEXT, FROM_ENCODER, AND_STATE, BEGINNINGS } beginning;

#define EXAMPLE_OPTIONS (6 * 3 * BEGINNINGS * 2 * 4)

static example_shape example_option_shape(size_t i)
{
    const beginning begin = (beginning)(i / 18 % BEGINNINGS);
    const reading read = (reading)(i / 6 % 3);
    const uint64_t bits = mixed(i + 1);
    const size_t H = 1 + i * 7 % 37, E = 1 + i * 3 % 23, F = 1 + i * 11 % 17;
    const size_t B = 1 + i * 2 % 31 % 5;
    const bool context = read != CODES && (begin == AND_CONTEXT || begin == AND_STATE);
    const size_t more = 1 + (bits >> 20) % (2 * B); /* examples than a batch has */
    example_shape s = {
        .model = {.network = {.stack = {.cell = (fastrnn_cell)(i % 6),
                                        .hidden_size = H,
                                        .layers = 1 + bits % 3,
                                        .directions = begin == TWO_WAY ? 2 : 1,
                                        .bias = bits >> 2 & 1},
                              .outputs = 1 + i * 5 % 19,
                              .loss = (fastrnn_loss)(i / (36 * BEGINNINGS) % 4),
                              .without_bias = bits >> 3 & 1,
                              .last = i / (18 * BEGINNINGS) % 2}},
        .T = 1 + i % 11 / 2,
        .steps = 1 + i % 29 % 5,
        .B = B,
        .count = begin == CARRIED ? B * (2 + (bits >> 4 & 1)) : B + more,
        .position = bits >> 5 & 1 ? B : 0,
        .optimizer = i * 5 % 13 % 12,
        .decay = (fastrnn_decay)(i % 19 % 3),
        .ragged = bits >> 6 & 1,
        .shuffle = bits >> 7 & 1,
        .carried = begin == CARRIED,
        .dropout = bits >> 8 & 1,
        .by_value = bits >> 9 & 1,
        .by_norm = bits >> 10 & 1,
        .shift = bits >> 11 & 3};
    fastrnn_conditioned *model = &s.model;
    if (begin == FROM_FEATURES || begin == AND_CONTEXT) {
        model->source = FASTRNN_FEATURES;
        model->features = F;
        model->network.context = context ? F : 0;
    } else if (begin == FROM_ENCODER || begin == AND_STATE) {
        model->source = FASTRNN_ENCODER;
        model->encoder.stack = model->network.stack;
        model->encoder.stack.bias = bits >> 13 & 1;
        let_read(&model->encoder, (reading)(bits % 97 % 3), F);
        model->network.context = context ? H : 0;
    }
    let_read(&model->network, read, E);
    return s;
}

/* Each source and reading; passes of three batches. All but the last read or put out numbers. */
static example_shape example_plain_shape(size_t i)
{
    static const example_shape shapes[] = {
        {.model = {.network = {.stack = {FASTRNN_LSTM, 5, 6, 2, 1, 1}, .vectors = 1, .outputs = 7}},
         .T = 4, .B = 2, .count = 6, .optimizer = 8, .ragged = true, .shuffle = true, .carried = true},
        {.model = {.network = {.stack = {FASTRNN_GRU, 7, 9, 1, 1, 1},
                               .vectors = 1,
                               .outputs = 2,
                               .context = 3,
                               .last = 1,
                               .loss = FASTRNN_SQUARED_ERROR},
                   .source = FASTRNN_FEATURES,
                   .features = 3},
         .T = 3, .B = 3, .count = 7, .optimizer = 9, .ragged = true, .shuffle = true, .dropout = true,
         .by_value = true},
        {.model = {.network = {.stack = {FASTRNN_LSTM, 10, 6, 2, 1, 1}, .embeddings = 9, .outputs = 9, .context = 6},
                   .source = FASTRNN_ENCODER,
                   .encoder = {.stack = {FASTRNN_LSTM, 3, 6, 2, 1, 1}, .vectors = 1}},
         .T = 4, .steps = 3, .B = 2, .count = 5, .optimizer = 5, .ragged = true, .shuffle = true, .by_norm = true},
        {.model = {.network = {.stack = {FASTRNN_RNN_RELU, 4, 8, 2, 2, 1},
                               .embeddings = 6,
                               .outputs = 3,
                               .loss = FASTRNN_SIGMOID_CROSS_ENTROPY}},
         .T = 4, .B = 3, .count = 8, .optimizer = 2, .ragged = true, .decay = FASTRNN_STEPS},
        {.model = {.network = {.stack = {FASTRNN_GRU_RESET_BEFORE, 11, 5, 1, 1, 0},
                               .outputs = 4,
                               .last = 1,
                               .without_bias = 1},
                   .source = FASTRNN_ENCODER,
                   .encoder = {.stack = {FASTRNN_GRU_RESET_BEFORE, 17, 5, 1, 1, 1}}},
         .T = 2, .steps = 3, .B = 4, .count = 9, .optimizer = 11, .shuffle = true, .dropout = true}};
    return shapes[i];
}
#define PLAIN_EXAMPLES 5
#define WITH_NUMBERS 4

/* Many rows, of which sums are taken in blocks, and then a batch of few; a wide layer; the least there is. */
static example_shape example_special_shape(size_t i)
{
    static const example_shape shapes[] = {
        {.model = {.network = {.stack = {FASTRNN_RNN_TANH, 5, 6, 1, 2, 1},
                               .vectors = 1,
                               .outputs = 3,
                               .loss = FASTRNN_SQUARED_ERROR}},
         .T = 40, .B = 25, .count = 27, .position = 0, .optimizer = 2, .ragged = true, .dropout = true},
        {.model = {.network = {.stack = {FASTRNN_GRU, 3, 9, 1, 1, 1}, .vectors = 1, .outputs = 2, .last = 1},
                   .source = FASTRNN_FEATURES,
                   .features = 300},
         .T = 2, .B = 270, .count = 280, .position = 270, .optimizer = 5, .by_norm = true},
        {.model = {.network = {.stack = {FASTRNN_LSTM, 20, 100, 1, 1, 1}, .embeddings = 300, .outputs = 300},
                   .source = FASTRNN_ENCODER,
                   .encoder = {.stack = {FASTRNN_LSTM, 500, 100, 1, 1, 1}}},
         .T = 2, .steps = 2, .B = 9, .count = 11, .optimizer = 9, .shuffle = true},
        {.model = {.network = {.stack = {FASTRNN_RNN_SIGMOID, 1, 1, 1, 1, 0}, .outputs = 1, .without_bias = 1}},
         .T = 1, .B = 1, .count = 1, .optimizer = 4, .shuffle = true, .carried = true},
    };
    return shapes[i];
}
#define SPECIAL_EXAMPLES 4

/* Where the states before the first step come from: nowhere, so that they are zeros; from buffers of their own; from
 * those that the last ones go to. */
typedef enum { NO_STATES, STATES_APART, STATES_IN_PLACE, STATES_GIVEN } states_given;

/* Few shapes are not too many for the quick run either. */
static void run_over_examples(size_t n, example_shape (*make)(size_t), test_case *test)
{
    for (size_t i = 0; i < n; i += run.quick && n > QUICK_STEP ? QUICK_STEP : 1) {
        example_shape shape = make(i);
        run_case_guarded(test, &shape);
    }
}

#endif

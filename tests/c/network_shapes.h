/* The networks over tokens, and the ways to train them, that are tested. */
#ifndef NETWORK_SHAPES_H
#define NETWORK_SHAPES_H

#include "stack_shapes.h"

typedef struct {
    fastrnn_network network;
    size_t T, B;
    size_t optimizer; /* which of TYPED(optimizers) */
    size_t width;     /* bytes of a token */
    fastrnn_decay decay;
    bool random_chunks, dropout, by_value, by_norm; /* the latter two: clipped so */
    size_t shift;     /* by so many numbers the parameters miss a cache line */
} network_shape;

static void describe_network(place at, const char *what, const network_shape *s)
{
    const fastrnn_stack *stack = &s->network.stack;
    situation_at(at, "%s, %zu %s%s I=%zu H=%zu V=%zu T=%zu B=%zu%s%s%s%s%s optimizer %zu, width %zu, decay %d", what,
                 stack->layers, cell_names[stack->cell], stack->bias ? "" : " unbiased", stack->input_size,
                 stack->hidden_size, s->network.outputs, s->T, s->B, s->network.embeddings > 0 ? " embedding" : "",
                 s->random_chunks ? " random" : "", s->dropout ? " dropout" : "", s->by_value ? " by value" : "",
                 s->by_norm ? " by norm" : "", s->optimizer, s->width, (int)s->decay);
}

/* Every combination of cell, number of layers, embedding or not, dropout or not and streams or not, twice; all else
 * goes its own way, with periods as in option_shape of stack_shapes.h. */
#define NETWORK_OPTIONS (6 * 3 * 2 * 2 * 2 * 2)

static network_shape network_option_shape(size_t i)
{
    const bool embedding = i / 18 % 2;
    const size_t V = 1 + i * 5 % 43;
    return (network_shape){.network = {.stack = {.cell = (fastrnn_cell)(i % 6),
                                                 .input_size = embedding ? 1 + i * 3 % 31 : V,
                                                 .hidden_size = 1 + i * 7 % 37,
                                                 .layers = 1 + i / 6 % 3,
                                                 .directions = 1,
                                                 .bias = i % 41 % 4 > 0},
                                       .embeddings = embedding ? V : 0,
                                       .outputs = V},
                           .T = 1 + i % 11 / 2,
                           .B = 1 + i * 3 % 7,
                           .dropout = i / 36 % 2,
                           .random_chunks = i / 72 % 2,
                           .optimizer = i * 5 % 13 % 12,
                           .width = (size_t)1 << i % 17 % 4,
                           .decay = (fastrnn_decay)(i % 19 % 3),
                           .by_value = i % 23 % 4 % 2,
                           .by_norm = i % 23 % 4 / 2,
                           .shift = i % 29 % 4};
}

/* A large vocabulary and a wide layer; many rows, of which sums are taken in blocks; the least there is; recurrent weights
 * in one copy whose rows are several parts. */
static network_shape network_special_shape(size_t i)
{
    static const network_shape shapes[] = {
        {{.stack = {FASTRNN_LSTM, 20, 100, 1, 1, 1}, .embeddings = 300, .outputs = 300},
         .T = 2, .B = 9, .optimizer = 9, .width = 2, .by_norm = true},
        {{.stack = {FASTRNN_GRU, 500, 17, 1, 1, 1}, .outputs = 500},
         .T = 3, .B = 4, .optimizer = 5, .width = 4, .dropout = true},
        {{.stack = {FASTRNN_RNN_TANH, 5, 6, 2, 1, 1}, .embeddings = 4, .outputs = 4},
         .T = 40, .B = 25, .optimizer = 2, .width = 1, .dropout = true},
        {{.stack = {FASTRNN_RNN_TANH, 1, 1, 1, 1, 1}, .outputs = 1}, .T = 1, .B = 1, .optimizer = 4, .width = 8},
        {{.stack = {FASTRNN_LSTM, 1, 1, 1, 1, 0}, .embeddings = 1, .outputs = 1},
         .T = 1, .B = 1, .optimizer = 11, .width = 1, .random_chunks = true},
        {{.stack = {FASTRNN_LSTM, 9, 135, 1, 1, 1}, .outputs = 9}, .T = 6, .B = 1, .optimizer = 5, .width = 1},
        {{.stack = {FASTRNN_GRU, 7, 89, 2, 1, 1}, .embeddings = 11, .outputs = 11},
         .T = 5, .B = 1, .optimizer = 9, .width = 1, .by_value = true},
    };
    return shapes[i];
}
#define SPECIAL_NETWORKS 7

/* That of min-char-rnn, trained as min-char-rnn does: on a path of its own as long as b_hh is 0. */
static network_shape char_rnn_shape(size_t i)
{
    const size_t V = 1 + i * 11 % 53;
    return (network_shape){.network = {.stack = {FASTRNN_RNN_TANH, V, 1 + i * 7 % 61, 1, 1, 1}, .outputs = V},
                           .T = 1 + i % 11,
                           .B = 1 + i * 3 % 7,
                           .optimizer = 5,
                           .width = (size_t)1 << i % 4,
                           .decay = (fastrnn_decay)(i % 3),
                           .random_chunks = i % 2,
                           .by_value = i % 13 % 2};
}
#define CHAR_RNNS 12

static void run_over_networks(size_t n, network_shape (*make)(size_t), test_case *test)
{
    for (size_t i = 0; i < n; i += run.quick ? QUICK_STEP : 1) {
        network_shape shape = make(i);
        run_case_guarded(test, &shape);
    }
}

#endif

/* The stacks and batches that the recurrent layers are tested on, and the sizes of the other layers. */
#ifndef STACK_SHAPES_H
#define STACK_SHAPES_H

#include "shapes.h"

typedef struct {
    fastrnn_stack stack;
    size_t T, B;
    bool ragged, one_hot, dropout;
    bool states; /* those before the first step, and gradients of those after the last one, are given */
    size_t embeddings; /* of one_hot: rows of a table, for which the integers stand */
} stack_shape;

static const char *const cell_names[] = {"tanh", "relu", "sigmoid", "gru", "gru reset before", "lstm"};

static void describe_stack(place at, const char *what, const stack_shape *s)
{
    situation_at(at, "%s, %zu%s %s%s I=%zu H=%zu T=%zu B=%zu%s%s%s%s%s", what, s->stack.layers,
                 s->stack.directions == 2 ? " two-way" : "", cell_names[s->stack.cell],
                 s->stack.bias ? "" : " unbiased", s->stack.input_size, s->stack.hidden_size, s->T, s->B,
                 s->ragged ? " ragged" : "", s->one_hot ? " one-hot" : "", s->embeddings > 0 ? " embedded" : "", s->dropout ? " dropout" : "",
                 s->states ? " states" : "");
}

/* Every combination of options, with sizes that go their own ways: the periods of the sizes have no factor in common
 * with each other, with the number of combinations, or with QUICK_STEP. */
#define STACK_OPTIONS (6 * 3 * 2 * 2 * 2 * 2 * 2 * 2)

static stack_shape option_shape(size_t i)
{
    const size_t options[] = {6, 3, 2, 2, 2, 2, 2, 2};
    size_t chosen[COUNT(options)], rest = i;
    for (size_t k = 0; k < COUNT(options); k++) {
        chosen[k] = rest % options[k];
        rest /= options[k];
    }
    return (stack_shape){.stack = {.cell = (fastrnn_cell)chosen[0],
                                   .input_size = 1 + i * 11 % 41,
                                   .hidden_size = 1 + i * 7 % 37,
                                   .layers = 1 + chosen[1],
                                   .directions = 1 + chosen[2],
                                   .bias = (int)chosen[3]},
                         .T = 1 + i % 11 / 2,
                         .B = 1 + i * 3 % 7,
                         .one_hot = chosen[4],
                         .ragged = chosen[5],
                         .dropout = chosen[6],
                         .states = chosen[7],
                         .embeddings = chosen[4] && i % 13 % 2 ? 1 + i * 5 % 31 : 0};
}

/* Products of several panels, and gradients of which a narrow one takes more rows at once than a wide one; many rows,
 * which the sums over them take in blocks; large vocabularies, of which a few columns are read, or which are just small
 * enough for a table; the least there is; batches whose recurrent weights are cut into slices; one sequence, whose
 * recurrent weights are multiplied as they lie. */
static stack_shape special_shape(size_t i)
{
    static const stack_shape shapes[] = {
        {{FASTRNN_RNN_TANH, 100, 193, 2, 1, 1}, 2, 7, false, false, false, true, 0},
        {{FASTRNN_RNN_RELU, 3, 160, 1, 2, 0}, 3, 9, true, false, false, true, 0},
        {{FASTRNN_GRU, 20, 100, 2, 2, 1}, 2, 13, true, false, true, true, 0},
        {{FASTRNN_GRU, 65, 128, 1, 1, 1}, 3, 8, false, true, false, false, 0},
        {{FASTRNN_GRU_RESET_BEFORE, 33, 97, 2, 1, 1}, 3, 6, true, false, false, true, 0},
        {{FASTRNN_GRU_RESET_BEFORE, 9, 144, 1, 2, 0}, 2, 5, false, true, false, true, 0},
        {{FASTRNN_LSTM, 50, 112, 2, 2, 1}, 2, 10, true, false, false, true, 0},
        {{FASTRNN_LSTM, 65, 96, 1, 1, 1}, 3, 17, false, true, false, true, 0},
        {{FASTRNN_RNN_SIGMOID, 5, 6, 2, 2, 1}, 40, 25, true, false, false, true, 0},
        {{FASTRNN_GRU, 2, 4, 1, 1, 1}, 1, 300, false, false, false, true, 0},
        {{FASTRNN_LSTM, 3, 5, 2, 1, 1}, 70, 7, true, true, true, true, 0},
        {{FASTRNN_GRU, 600, 9, 2, 2, 1}, 3, 4, true, true, false, true, 0},
        {{FASTRNN_LSTM, 500, 17, 1, 1, 0}, 2, 3, false, true, false, false, 0},
        {{FASTRNN_RNN_TANH, 95, 11, 1, 1, 1}, 1, 5, false, true, false, true, 0},
        {{FASTRNN_RNN_TANH, 96, 11, 1, 1, 1}, 1, 5, false, true, false, true, 0},
        {{FASTRNN_GRU_RESET_BEFORE, 80, 11, 1, 1, 1}, 1, 5, false, true, false, true, 0},
        {{FASTRNN_LSTM, 1, 1, 3, 2, 1}, 1, 1, true, false, false, true, 0},
        {{FASTRNN_GRU, 1, 1, 1, 1, 0}, 1, 1, false, true, false, false, 0},
        {{FASTRNN_GRU, 30, 100, 1, 1, 1}, 20, 9, false, true, false, true, 31},
        {{FASTRNN_LSTM, 7, 20, 2, 2, 1}, 5, 4, true, true, true, true, 300},
        {{FASTRNN_LSTM, 40, 70, 2, 1, 1}, 5, 33, false, true, false, true, 0},
        {{FASTRNN_GRU_RESET_BEFORE, 9, 200, 1, 1, 1}, 4, 17, true, false, false, true, 0},
        {{FASTRNN_RNN_TANH, 3, 384, 1, 2, 1}, 3, 1, false, false, false, true, 0},
        {{FASTRNN_GRU, 3, 224, 2, 1, 1}, 4, 1, false, true, false, true, 0},
        {{FASTRNN_GRU_RESET_BEFORE, 5, 224, 1, 1, 0}, 3, 1, false, false, false, true, 0},
        {{FASTRNN_LSTM, 3, 208, 1, 1, 1}, 4, 1, false, false, false, true, 0},
    };
    return shapes[i];
}
#define SPECIAL_STACKS 26

/* Streams of every number of sequences that a step takes unpacked, and some more, at every remainder of a register. */
static stack_shape step_shape(size_t i)
{
    stack_shape s = option_shape(i);
    s.stack.directions = s.T = 1;
    s.stack.hidden_size = 1 + i * 7 % 67;
    s.ragged = s.dropout = false;
    s.embeddings = 0;
    return s;
}
#define STEPS 432

/* Of a Linear N rows, inputs and outputs; of an Embedding N, V, E. */
typedef struct {
    size_t N, inputs, outputs;
} feedforward_sizes;

static void run_over_stacks(size_t n, stack_shape (*make)(size_t), test_case *test)
{
    for (size_t i = 0; i < n; i += run.quick ? QUICK_STEP : 1) {
        stack_shape shape = make(i);
        run_case_guarded(test, &shape);
    }
}

#endif

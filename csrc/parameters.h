/* Where the parameters of each layer and direction stand in the one buffer of a stack, and those of each part in that of
 * a network. */
#ifndef FASTRNN_PARAMETERS_H
#define FASTRNN_PARAMETERS_H

#include "fastrnn.h"

static inline size_t stack_gates(const fastrnn_stack *stack)
{
    switch (stack->cell) {
    case FASTRNN_LSTM:
        return 4;
    case FASTRNN_GRU:
    case FASTRNN_GRU_RESET_BEFORE:
        return 3;
    default:
        return 1;
    }
}

/* Numbers that the layer reads at a step. */
static inline size_t stack_inputs(const fastrnn_stack *stack, size_t layer)
{
    return layer == 0 ? stack->input_size : stack->directions * stack->hidden_size;
}

/* The integers of a one-hot batch are below this. */
static inline size_t batch_inputs(const fastrnn_stack *stack, const fastrnn_batch *batch)
{
    return batch->embeddings > 0 ? batch->embeddings : stack->input_size;
}

/* Offsets of (G H, inputs), (G H, H), (G H), (G H), and of what follows them. */
typedef struct {
    size_t W_ih, W_hh, b_ih, b_hh, end;
} strand_parameters;

static inline strand_parameters parameters_of(const fastrnn_stack *stack, size_t layer, size_t direction)
{
    const size_t H = stack->hidden_size, D = stack->directions;
    const size_t GH = stack_gates(stack) * H, bias = stack->bias ? GH : 0;
    const size_t first_layer = GH * (stack->input_size + H) + 2 * bias, other_layers = GH * (D * H + H) + 2 * bias;
    const size_t inputs = stack_inputs(stack, layer);
    strand_parameters p = {0};
    p.W_ih = layer == 0 ? direction * first_layer : D * first_layer + ((layer - 1) * D + direction) * other_layers;
    p.W_hh = p.W_ih + GH * inputs;
    p.b_ih = p.W_hh + GH * H;
    p.b_hh = p.b_ih + bias;
    p.end = p.b_hh + bias;
    return p;
}

/* Each part of a network begins on a cache line if the buffer does, in either dtype. */
static inline size_t next_part(size_t offset)
{
    return (offset + 15) / 16 * 16;
}

static inline fastrnn_network_offsets network_offsets(const fastrnn_network *network)
{
    const fastrnn_stack *stack = &network->stack;
    fastrnn_network_offsets at = {0};
    at.stack = next_part(network->embeddings * (stack->input_size - network->context));
    at.W = next_part(at.stack + parameters_of(stack, stack->layers - 1, stack->directions - 1).end);
    at.b = next_part(at.W + network->outputs * stack->directions * stack->hidden_size);
    at.end = next_part(at.b + (network->without_bias ? 0 : network->outputs));
    return at;
}

/* States of a sequence: of all layers h and, of an LSTM, c. */
static inline size_t conditioned_states(const fastrnn_conditioned *model)
{
    const fastrnn_stack *stack = &model->network.stack;
    return (stack->cell == FASTRNN_LSTM ? 2 : 1) * stack->layers * stack->hidden_size;
}

static inline fastrnn_conditioned_offsets conditioned_offsets(const fastrnn_conditioned *model)
{
    const size_t states = conditioned_states(model);
    fastrnn_conditioned_offsets at = {0};
    if (model->source == FASTRNN_ENCODER) {
        at.W = at.b = at.network = network_offsets(&model->encoder).end;
    } else if (model->source == FASTRNN_FEATURES) {
        at.b = next_part(states * model->features);
        at.network = next_part(at.b + (model->network.without_bias ? 0 : states));
    }
    at.end = at.network + network_offsets(&model->network).end;
    return at;
}

/* The tokens that a network reads are below this. */
static inline size_t network_inputs(const fastrnn_network *network)
{
    return network->embeddings > 0 ? network->embeddings : network->stack.input_size;
}

#endif

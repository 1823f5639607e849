/* The parts of a buffer like the parameters of a network; what lies between them belongs to none. */
#ifndef PARAMETER_PARTS_H
#define PARAMETER_PARTS_H

#include "naive_examples.h"

#define MOST_PARTS 8

typedef struct {
    const char *name;
    size_t begin, size;
    double limit; /* random parameters are within +-limit */
} parameter_part;

typedef struct {
    size_t count, end; /* end: of the buffer */
    parameter_part part[MOST_PARTS];
} parameter_parts;

static void add_part(parameter_parts *parts, const char *name, size_t begin, size_t size, double limit)
{
    if (size > 0) {
        parts->part[parts->count++] = (parameter_part){name, begin, size, limit};
    }
}

static void add_network_parts(parameter_parts *parts, const fastrnn_network *n, size_t begin)
{
    const fastrnn_network_offsets at = offsets_of(n);
    const fastrnn_stack *s = &n->stack;
    const double limit = 1.5 / sqrt((double)s->hidden_size);
    add_part(parts, "embedding", begin + at.embedding, n->embeddings * (s->input_size - n->context), 1);
    add_part(parts, "stack", begin + at.stack, fastrnn_stack_parameters(s), limit);
    add_part(parts, "W", begin + at.W, n->outputs * naive_width(s), 1);
    add_part(parts, "b", begin + at.b, n->without_bias ? 0 : n->outputs, 1);
}

static parameter_parts parts_of_network(const fastrnn_network *network)
{
    parameter_parts parts = {.end = offsets_of(network).end};
    add_network_parts(&parts, network, 0);
    return parts;
}

static parameter_parts parts_of_conditioned(const fastrnn_conditioned *model)
{
    const fastrnn_conditioned_offsets at = conditioned_offsets_of(model);
    const size_t states = naive_source_states(&model->network.stack);
    parameter_parts parts = {.end = at.end};
    if (model->source == FASTRNN_ENCODER) {
        add_network_parts(&parts, &model->encoder, at.encoder);
    } else if (model->source == FASTRNN_FEATURES) {
        add_part(&parts, "W of the source", at.W, states * model->features, 1);
        add_part(&parts, "b of the source", at.b, model->network.without_bias ? 0 : states, 1);
    }
    add_network_parts(&parts, &model->network, at.network);
    return parts;
}

#endif

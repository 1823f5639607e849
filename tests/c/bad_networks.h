/* Networks that no door takes. */
#ifndef BAD_NETWORKS_H
#define BAD_NETWORKS_H

#include "fastrnn.h"
#include "harness.h"

#define UNITS ((size_t)1 << 24) /* are too many */

static const fastrnn_network bad_networks[] = {
    {.stack = {FASTRNN_GRU, 2, 2, 1, 1, 1}, .outputs = UNITS},
    {.stack = {FASTRNN_GRU, 2, 2, 1, 1, 1}, .outputs = SIZE_MAX},
    {.stack = {FASTRNN_GRU, 2, 2, 1, 1, 1}, .embeddings = UNITS, .outputs = 2},
    {.stack = {FASTRNN_GRU, 2, 2, 1, 1, 1}, .embeddings = SIZE_MAX, .outputs = 2},
    {.stack = {FASTRNN_GRU, 0, 2, 1, 1, 1}, .embeddings = 2, .outputs = 2},
    {.stack = {FASTRNN_GRU, UNITS, 2, 1, 1, 1}, .outputs = 2},
    {.stack = {FASTRNN_GRU, 2, 0, 1, 1, 1}, .outputs = 2},
    {.stack = {FASTRNN_GRU, 2, UNITS, 1, 1, 1}, .outputs = 2},
    {.stack = {FASTRNN_GRU, 2, 2, 0, 1, 1}, .outputs = 2},
    {.stack = {FASTRNN_GRU, 2, 2, 256, 1, 1}, .outputs = 2},
    {.stack = {FASTRNN_GRU, 2, 2, 1, 0, 1}, .outputs = 2},
    {.stack = {FASTRNN_GRU, 2, 2, 1, 3, 1}, .outputs = 2},
    {.stack = {(fastrnn_cell)-1, 2, 2, 1, 1, 1}, .outputs = 2},
    {.stack = {(fastrnn_cell)(FASTRNN_LSTM + 1), 2, 2, 1, 1, 1}, .outputs = 2},
    {.stack = {FASTRNN_GRU, 2, 2, 1, 1, 1}, .outputs = 2, .loss = (fastrnn_loss)-1},
    {.stack = {FASTRNN_GRU, 2, 2, 1, 1, 1}, .outputs = 2, .loss = (fastrnn_loss)(FASTRNN_SIGMOID_SQUARED_ERROR + 1)},
    {.stack = {FASTRNN_GRU, 2, 2, 1, 1, 1}, .embeddings = 2, .outputs = 2, .vectors = 1},
    {.stack = {FASTRNN_GRU, 2, 2, 1, 1, 1}, .embeddings = 2, .outputs = 2, .context = 2},
    {.stack = {FASTRNN_GRU, 2, 2, 1, 1, 1}, .outputs = 2, .vectors = 1, .context = SIZE_MAX},
    {.stack = {FASTRNN_GRU, 2, 2, 1, 1, 1}, .outputs = 2, .context = 1}};
#define BAD_NETWORKS COUNT(bad_networks)

static fastrnn_network bad_network(size_t i)
{
    return bad_networks[i];
}

/* Whose network is bad, or has no outputs, or whose source does not suit it. */
#define PLAIN {.stack = {FASTRNN_GRU, 7, 4, 2, 1, 1}, .vectors = 1, .outputs = 2}
#define WITH_CONTEXT(C) {.stack = {FASTRNN_GRU, 7, 4, 2, 1, 1}, .vectors = 1, .outputs = 2, .context = C}
#define WITH_ENCODER(...) \
    {.network = PLAIN, .source = FASTRNN_ENCODER, .encoder = {.stack = {__VA_ARGS__}, .vectors = 1}}

static const fastrnn_conditioned unsuited_models[] = {
    {.network = {.stack = {FASTRNN_GRU, 7, 4, 2, 1, 1}, .vectors = 1}},
    {.network = PLAIN, .source = (fastrnn_source)-1},
    {.network = PLAIN, .source = (fastrnn_source)(FASTRNN_ENCODER + 1)},
    {.network = WITH_CONTEXT(1)},
    {.network = PLAIN, .source = FASTRNN_FEATURES},
    {.network = PLAIN, .source = FASTRNN_FEATURES, .features = UNITS},
    {.network = PLAIN, .source = FASTRNN_FEATURES, .features = SIZE_MAX},
    {.network = WITH_CONTEXT(2), .source = FASTRNN_FEATURES, .features = 3},
    {.network = {.stack = {FASTRNN_GRU, 7, 4, 2, 2, 1}, .vectors = 1, .outputs = 2},
     .source = FASTRNN_FEATURES,
     .features = 3},
    {.network = {.stack = {FASTRNN_GRU, 7, 4, 2, 2, 1}, .vectors = 1, .outputs = 2},
     .source = FASTRNN_ENCODER,
     .encoder = {.stack = {FASTRNN_GRU, 5, 4, 2, 1, 1}, .vectors = 1}},
    WITH_ENCODER(FASTRNN_LSTM, 5, 4, 2, 1, 1),
    WITH_ENCODER(FASTRNN_GRU, 5, 3, 2, 1, 1),
    WITH_ENCODER(FASTRNN_GRU, 5, 4, 1, 1, 1),
    WITH_ENCODER(FASTRNN_GRU, 5, 4, 2, 2, 1),
    WITH_ENCODER(FASTRNN_GRU, 0, 4, 2, 1, 1),
    {.network = PLAIN,
     .source = FASTRNN_ENCODER,
     .encoder = {.stack = {FASTRNN_GRU, 5, 4, 2, 1, 1}, .vectors = 1, .outputs = 1}},
    {.network = PLAIN,
     .source = FASTRNN_ENCODER,
     .encoder = {.stack = {FASTRNN_GRU, 5, 4, 2, 1, 1}, .vectors = 1, .context = 1}},
    {.network = PLAIN,
     .source = FASTRNN_ENCODER,
     .encoder = {.stack = {FASTRNN_GRU, 5, 4, 2, 1, 1}, .vectors = 1, .embeddings = 3}},
    {.network = WITH_CONTEXT(3),
     .source = FASTRNN_ENCODER,
     .encoder = {.stack = {FASTRNN_GRU, 5, 4, 2, 1, 1}, .vectors = 1}}};

#undef PLAIN
#undef WITH_CONTEXT
#undef WITH_ENCODER
#define BAD_MODELS (BAD_NETWORKS + COUNT(unsuited_models))

static fastrnn_conditioned bad_model(size_t i)
{
    return i < BAD_NETWORKS ? (fastrnn_conditioned){.network = bad_network(i)} : unsuited_models[i - BAD_NETWORKS];
}

#endif

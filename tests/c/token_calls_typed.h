/* The doors of networks over tokens, as calls_typed.h has the others. One struct serves them all. */

typedef struct {
    fastrnn_network *network;
    size_t T, B;
    int dropout;
    fastrnn_network_bytes *bytes;
    fastrnn_optimizer *optimizer;
    TYPED(fastrnn_learner) *learner;
    fastrnn_training *training;
    size_t iterations;
    fastrnn_interruption *interruption;
    int64_t *tokens, *targets;
    double *nats;
    REAL *probabilities;
    void *train_workspace, *predict_workspace;
} TYPED(token_call);

static fastrnn_status TYPED(token_memory_door)(const void *call)
{
    const TYPED(token_call) *c = call;
    return TYPED(fastrnn_network_memory)(c->network, c->T, c->B, c->dropout, c->bytes);
}

static fastrnn_status TYPED(token_train_door)(const void *call)
{
    const TYPED(token_call) *c = call;
    return TYPED(fastrnn_network_train)(c->network, c->T, c->B, c->optimizer, c->learner, c->training, c->iterations,
                                        c->interruption, c->train_workspace);
}

static fastrnn_status TYPED(token_predict_door)(const void *call)
{
    const TYPED(token_call) *c = call;
    const TYPED(fastrnn_learner) *l = c->learner;
    return TYPED(fastrnn_network_predict)(c->network, c->T, c->B, l->parameters, c->tokens, c->targets, l->h, l->c,
                                          c->nats, c->probabilities, c->predict_workspace);
}

/* ---- what a call reads ----------------------------------------------------------------------------------------- */

static size_t TYPED(token_states)(const TYPED(token_call) *c)
{
    return c->network->stack.layers * c->B * c->network->stack.hidden_size;
}

/* n numbers that miss a cache line by `shift` numbers or, where they are flush at their end, so many to it. */
static REAL *TYPED(blanks_apart)(size_t n, size_t shift)
{
    return TYPED(blanks)(n + shift) + (memory.flush == FLUSH_START ? shift : 0);
}

/* NaN where there is no part: what belongs to none may be anything. */
static REAL *TYPED(random_parts)(const parameter_parts *parts, size_t shift)
{
    REAL *parameters = TYPED(blanks_apart)(parts->end, shift);
    for (size_t i = 0; i < parts->count; i++) {
        const parameter_part *part = &parts->part[i];
        for (size_t j = 0; j < part->size; j++) {
            parameters[part->begin + j] = (REAL)random_within(part->limit);
        }
    }
    return parameters;
}

static REAL *TYPED(random_network)(const fastrnn_network *network, size_t shift)
{
    const parameter_parts parts = parts_of_network(network);
    return TYPED(random_parts)(&parts, shift);
}

/* What an optimizer remembers, in [least, least + 1) or, if that is negative, in +-least; NULL where it has no need of
 * it. Squares are not small, so that a rounding error of a gradient is not divided by one of its own size. */
static REAL *TYPED(random_slot)(bool needed, size_t n, double least)
{
    REAL *slot = needed ? TYPED(blanks)(n) : NULL;
    for (size_t i = 0; needed && i < n; i++) {
        slot[i] = (REAL)(least < 0 ? random_within(least) : least + random_unit());
    }
    return slot;
}

/* A learner without states. */
static TYPED(fastrnn_learner) TYPED(random_learner)(const parameter_parts *parts, const TYPED(optimizer) *o,
                                                    size_t shift)
{
    return (TYPED(fastrnn_learner)){.parameters = TYPED(random_parts)(parts, shift),
                                    .momentum = TYPED(random_slot)(o->momentum, parts->end, -1),
                                    .mean = TYPED(random_slot)(o->mean, parts->end, -0.2),
                                    .squares = TYPED(random_slot)(o->squares, parts->end, 0.1)};
}

static fastrnn_optimizer TYPED(optimizer_numbered)(size_t i)
{
    const TYPED(optimizer) *o = &TYPED(optimizers)[i];
    return (fastrnn_optimizer){.kind = o->naive == naive_sgd       ? FASTRNN_SGD
                                       : o->naive == naive_adagrad ? FASTRNN_ADAGRAD
                                       : o->naive == naive_rmsprop ? FASTRNN_RMSPROP
                                                                   : FASTRNN_ADAM,
                               .settings = o->settings};
}

static void TYPED(put_token)(const fastrnn_text *text, size_t i, int64_t token)
{
    memcpy((unsigned char *)text->tokens + i * text->width, &token, text->width);
}

static fastrnn_text TYPED(random_text)(size_t length, size_t width, size_t V)
{
    const fastrnn_text text = {guarded(length * width), length, width};
    for (size_t i = 0; i < length; i++) {
        TYPED(put_token)(&text, i, (int64_t)(i == 0 ? V - 1 : random_below(V)));
    }
    return text;
}

/* Tokens enough for several iterations, some of which begin anew; somewhere in the text, and in the run. */
static fastrnn_training TYPED(random_training)(const network_shape *s)
{
    const size_t stream = 3 * s->T + 1 + random_below(s->T + 1);
    return (fastrnn_training){
        .text = TYPED(random_text)(s->B * stream + random_below(s->B), s->width, s->network.outputs),
        .schedule = {0.02, s->decay, .warmup = random_below(9), .n = 1 + random_below(9), .factor = random_unit()},
        .clip_value = s->by_value ? 0.05 : INFINITY,
        .clip_norm = s->by_norm ? 0.5 : INFINITY,
        .dropout = s->dropout ? 0.3 : 0,
        .random_chunks = s->random_chunks,
        .seed = random_bits(),
        .position = random_below(stream - s->T),
        .iterations = random_below(12),
        .smooth_loss = 5};
}

static TYPED(token_call) TYPED(valid_token_call)(const network_shape *s)
{
    const fastrnn_network *network = &s->network;
    const TYPED(optimizer) *o = &TYPED(optimizers)[s->optimizer];
    const parameter_parts parts = parts_of_network(network);
    const size_t N = s->T * s->B, states = network->stack.layers * s->B * network->stack.hidden_size;
    TYPED(fastrnn_learner) learner = TYPED(random_learner)(&parts, o, s->shift);
    learner.h = TYPED(randoms)(states, 1);
    learner.c = network->stack.cell == FASTRNN_LSTM ? TYPED(randoms)(states, 1) : NULL;
    const fastrnn_training training = TYPED(random_training)(s);
    const fastrnn_optimizer optimizer = TYPED(optimizer_numbered)(s->optimizer);
    const fastrnn_interruption interruption = {never, NULL};
    const size_t inputs = network->embeddings > 0 ? network->embeddings : network->stack.input_size;
    fastrnn_network_bytes bytes = {0};
    TYPED(fastrnn_network_memory)(network, s->T, s->B, s->dropout, &bytes);
    return (TYPED(token_call)){.network = guarded_copy(network, sizeof *network),
                               .T = s->T,
                               .B = s->B,
                               .dropout = s->dropout,
                               .bytes = guarded_copy(&bytes, sizeof bytes),
                               .optimizer = guarded_copy(&optimizer, sizeof optimizer),
                               .learner = guarded_copy(&learner, sizeof learner),
                               .training = guarded_copy(&training, sizeof training),
                               .iterations = 1,
                               .interruption = guarded_copy(&interruption, sizeof interruption),
                               .tokens = random_characters(N, inputs),
                               .targets = random_characters(N, network->outputs),
                               .nats = guarded(N * sizeof(double)),
                               .probabilities = TYPED(blanks)(s->B * network->outputs),
                               .train_workspace = guarded(bytes.train),
                               .predict_workspace = guarded(bytes.predict)};
}

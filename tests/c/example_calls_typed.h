/* The doors of networks that learn from examples, as calls_typed.h has the others. */

typedef struct {
    fastrnn_conditioned *model;
    TYPED(fastrnn_examples) *examples;
    size_t B;
    int dropout;
    size_t *bytes;
    fastrnn_optimizer *optimizer;
    TYPED(fastrnn_learner) *learner;
    fastrnn_training *training;
    size_t iterations;
    fastrnn_interruption *interruption;
    void *workspace;
} TYPED(example_call);

static fastrnn_status TYPED(example_memory_door)(const void *call)
{
    const TYPED(example_call) *c = call;
    return TYPED(fastrnn_conditioned_memory)(c->model, c->examples, c->B, c->dropout, c->bytes);
}

static fastrnn_status TYPED(example_train_door)(const void *call)
{
    const TYPED(example_call) *c = call;
    return TYPED(fastrnn_conditioned_train)(c->model, c->examples, c->B, c->optimizer, c->learner, c->training,
                                            c->iterations, c->interruption, c->workspace);
}

/* ---- what a call reads ----------------------------------------------------------------------------------------- */

/* Numbers in h, and in c; 0 where the learner has none. */
static size_t TYPED(carried_states)(const TYPED(example_call) *c)
{
    const fastrnn_stack *s = &c->model->network.stack;
    return c->examples->carried ? s->layers * c->B * s->hidden_size : 0;
}

/* Tokens below this are read. */
static size_t TYPED(tokens_of)(const fastrnn_network *network)
{
    return network->embeddings > 0 ? network->embeddings : network->stack.input_size;
}

static TYPED(fastrnn_sequences) TYPED(random_sequences)(const fastrnn_network *network, size_t count, size_t longest,
                                                        bool ragged)
{
    const size_t E = network->stack.input_size - network->context;
    int64_t *begin = guarded((count + 1) * sizeof *begin);
    begin[0] = 0;
    for (size_t n = 0; n < count; n++) {
        begin[n + 1] = begin[n] + (int64_t)(ragged ? 1 + random_below(longest) : longest);
    }
    const size_t steps = (size_t)begin[count];
    return (TYPED(fastrnn_sequences)){
        .begin = begin,
        .tokens = network->vectors ? NULL : random_characters(steps, TYPED(tokens_of)(network)),
        .vectors = network->vectors ? TYPED(randoms)(steps * E, 1) : NULL};
}

static TYPED(fastrnn_examples) TYPED(random_examples)(const example_shape *s)
{
    const fastrnn_network *network = &s->model.network;
    const bool softmax = network->loss == FASTRNN_SOFTMAX_CROSS_ENTROPY;
    TYPED(fastrnn_examples) e = {.count = s->count,
                                 .inputs = TYPED(random_sequences)(network, s->count, s->T, s->ragged),
                                 .shuffle = s->shuffle,
                                 .carried = s->carried};
    const size_t targets = network->last ? s->count : (size_t)e.inputs.begin[s->count];
    e.classes = softmax ? random_characters(targets, network->outputs) : NULL;
    e.numbers = softmax ? NULL : TYPED(squares)(targets * network->outputs);
    if (s->model.source == FASTRNN_FEATURES) {
        e.features = TYPED(randoms)(s->count * s->model.features, 1);
    } else if (s->model.source == FASTRNN_ENCODER) {
        e.sources = TYPED(random_sequences)(&s->model.encoder, s->count, s->steps, s->ragged);
    }
    return e;
}

static TYPED(example_call) TYPED(valid_example_call)(const example_shape *s)
{
    const parameter_parts parts = parts_of_conditioned(&s->model);
    const fastrnn_stack *stack = &s->model.network.stack;
    const size_t states = s->B * stack->layers * stack->hidden_size;
    const TYPED(fastrnn_examples) examples = TYPED(random_examples)(s);
    TYPED(fastrnn_learner) learner = TYPED(random_learner)(&parts, &TYPED(optimizers)[s->optimizer], s->shift);
    learner.h = s->carried ? TYPED(randoms)(states, 1) : NULL;
    learner.c = s->carried && stack->cell == FASTRNN_LSTM ? TYPED(randoms)(states, 1) : NULL;
    const fastrnn_training training = {
        .schedule = {0.02, s->decay, .warmup = random_below(9), .n = 1 + random_below(9), .factor = random_unit()},
        .clip_value = s->by_value ? 0.01 : INFINITY,
        .clip_norm = s->by_norm ? 0.05 : INFINITY,
        .dropout = s->dropout ? 0.3 : 0,
        .seed = random_bits(),
        .position = s->position,
        .iterations = s->position / s->B + random_below(12),
        .smooth_loss = random_below(2) ? NAN : 5};
    const fastrnn_optimizer optimizer = TYPED(optimizer_numbered)(s->optimizer);
    const fastrnn_interruption interruption = {never, NULL};
    size_t bytes = 0;
    TYPED(fastrnn_conditioned_memory)(&s->model, &examples, s->B, s->dropout, &bytes);
    return (TYPED(example_call)){.model = guarded_copy(&s->model, sizeof s->model),
                                 .examples = guarded_copy(&examples, sizeof examples),
                                 .B = s->B,
                                 .dropout = s->dropout,
                                 .bytes = guarded_copy(&bytes, sizeof bytes),
                                 .optimizer = guarded_copy(&optimizer, sizeof optimizer),
                                 .learner = guarded_copy(&learner, sizeof learner),
                                 .training = guarded_copy(&training, sizeof training),
                                 .iterations = 1,
                                 .interruption = guarded_copy(&interruption, sizeof interruption),
                                 .workspace = guarded(bytes)};
}

/* Many iterations of training in one call. What is the same for every network is here: reading the text, the learning
 * rate, the smooth loss, where the text begins anew, looking whether somebody wants it to end. */

/* A network in training: what computes an iteration over tokens and targets (T, B), and where it does so. */
typedef struct training_engine training_engine;
struct training_engine {
    size_t T, B, V;
    int64_t *tokens, *targets;
    /* One iteration from the states that the one before left, or of random chunks from zeros, at this learning rate; *loss
     * is its loss. Where it returns an error it has changed nothing. */
    fastrnn_status (*iterate)(const training_engine *engine, const fastrnn_training *training, double learning_rate,
                              double *loss);
    /* The states become zero. */
    void (*forget)(const training_engine *engine);
    const void *network;
};

/* Token i of a text; one that was negative comes out very large. */
static uint64_t token_at(const fastrnn_text *text, size_t i)
{
    switch (text->width) {
    case 1:
        return ((const uint8_t *)text->tokens)[i];
    case 2:
        return ((const uint16_t *)text->tokens)[i];
    case 4:
        return ((const uint32_t *)text->tokens)[i];
    default:
        return ((const uint64_t *)text->tokens)[i];
    }
}

/* Where in the text sequence b begins; its T + 1 tokens are within. */
static size_t beginning_of(const training_engine *e, const fastrnn_training *training, size_t b)
{
    const size_t length = training->text.length;
    if (training->random_chunks) {
        const uint64_t stream = random_stream(training->seed, training->iterations, RANDOM_CHUNKS);
        return random_below(stream, b, length - e->T);
    }
    return b * (length / e->B) + training->position;
}

/* tokens and targets from the text. False if one lies outside [0, V): the text is only looked at here, as it is read. */
static bool read_sequences(const training_engine *e, const fastrnn_training *training)
{
    bool inside = true;
    for (size_t b = 0; b < e->B; b++) {
        const size_t begin = beginning_of(e, training, b);
        uint64_t token = token_at(&training->text, begin);
        inside &= token < e->V;
        for (size_t t = 0; t < e->T; t++) {
            e->tokens[t * e->B + b] = (int64_t)token;
            token = token_at(&training->text, begin + t + 1);
            inside &= token < e->V;
            e->targets[t * e->B + b] = (int64_t)token;
        }
    }
    return inside;
}

static double scheduled_rate(const fastrnn_schedule *s, uint64_t iteration)
{
    const double warm = s->warmup > iteration ? (double)(iteration + 1) / (double)s->warmup : 1;
    const double rate = s->learning_rate * (warm < 1 ? warm : 1);
    switch (s->decay) {
    case FASTRNN_STEPS:
        return rate * pow(s->factor, (double)(iteration / s->n));
    case FASTRNN_COSINE:
        return rate * (s->factor + (1 - s->factor) * 0.5 *
                                       (1 + cos(3.14159265358979323846 *
                                                (iteration < s->n ? (double)iteration / (double)s->n : 1))));
    default:
        return rate;
    }
}

static fastrnn_status train_iteration(const training_engine *e, fastrnn_training *training)
{
    if (!read_sequences(e, training)) {
        return FASTRNN_ERROR_INDEX;
    }
    const double rate = scheduled_rate(&training->schedule, training->iterations);
    const fastrnn_status status = e->iterate(e, training, rate, &training->loss);
    if (status != FASTRNN_OK) {
        return status;
    }
    training->smooth_loss = training->smooth_loss * 0.999 + training->loss * 0.001;
    training->iterations++;
    if (!training->random_chunks) {
        training->position += e->T;
        if (training->position + e->T + 1 >= training->text.length / e->B) {
            training->position = 0;
            e->forget(e);
        }
    }
    return FASTRNN_OK;
}

static fastrnn_status run_training(const training_engine *e, fastrnn_training *training, size_t iterations,
                                   const fastrnn_interruption *interruption)
{
    fastrnn_status status = FASTRNN_OK;
    bool interrupted = false;
    for (size_t i = 0; i < iterations && status == FASTRNN_OK && !interrupted; i++) {
        const uint64_t subnormals = subnormals_as_zero();
        status = train_iteration(e, training);
        subnormals_restore(subnormals);
        interrupted = interruption != NULL && interruption->poll(interruption->state);
    }
    return status;
}

/* Texts as training reads them: B sequences of T tokens side by side, and of each token the one that follows as its target,
 * from streams that are read from end to end, or from anywhere. */

typedef struct {
    size_t T, B, V;
    int64_t *tokens, *targets; /* (T, B) */
} text_batch;

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
static size_t beginning_of(const text_batch *batch, const fastrnn_training *training, size_t b)
{
    const size_t length = training->text.length;
    if (training->random_chunks) {
        const uint64_t stream = random_stream(training->seed, training->iterations, RANDOM_CHUNKS);
        return random_below(stream, b, length - batch->T);
    }
    return b * (length / batch->B) + training->position;
}

/* tokens and targets from the text. False if one lies outside [0, V). */
static bool read_sequences(const text_batch *batch, const fastrnn_training *training)
{
    const size_t T = batch->T, B = batch->B, V = batch->V;
    bool inside = true;
    for (size_t b = 0; b < B; b++) {
        const size_t begin = beginning_of(batch, training, b);
        uint64_t token = token_at(&training->text, begin);
        inside &= token < V;
        for (size_t t = 0; t < T; t++) {
            batch->tokens[t * B + b] = (int64_t)token;
            token = token_at(&training->text, begin + t + 1);
            inside &= token < V;
            batch->targets[t * B + b] = (int64_t)token;
        }
    }
    return inside;
}

/* Goes on by T tokens in each stream. True if that is all of them, and the streams begin anew. */
static bool next_sequences(const text_batch *batch, fastrnn_training *training)
{
    if (training->random_chunks) {
        return false;
    }
    training->position += batch->T;
    const bool over = training->position + batch->T + 1 >= training->text.length / batch->B;
    training->position = over ? 0 : training->position;
    return over;
}

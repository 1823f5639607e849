/* Examples as training reads them: pass after pass, in each all of them once, B side by side; the last batch of a pass may be
 * smaller.
 *
 * The memory, laid out once for B sequences of the longest's length, those of the source too: order (count); lengths (B);
 * tokens (T, B) or vectors (T, B, E), classes and numbers as network_targets has them, features or contexts (B, F). */

/* Sequences side by side. */
typedef struct {
    size_t T, N;                    /* steps of the longest, and of all */
    const int64_t *ends;            /* lengths, or NULL where all are as long */
    int64_t *lengths, *tokens;      /* (B), (T, B); 0 past a length */
    real *vectors;                  /* (T, B, E) */
} sequence_batch;

typedef struct {
    const TYPED(fastrnn_examples) *examples;
    size_t B;      /* at most side by side */
    size_t *order; /* (count) */
} example_order;

/* Fisher and Yates's shuffle, by numbers that follow from the iteration in which the pass began. */
static void order_pass(const example_order *o, const fastrnn_training *training)
{
    const size_t count = o->examples->count;
    const uint64_t begun = training->iterations - training->position / o->B;
    const uint64_t stream = random_stream(training->seed, begun, RANDOM_ORDER);
    for (size_t n = 0; n < count; n++) {
        o->order[n] = n;
    }
    for (size_t n = count; o->examples->shuffle && n-- > 1;) {
        const size_t other = random_below(stream, n, n + 1), kept = o->order[n];
        o->order[n] = o->order[other];
        o->order[other] = kept;
    }
}

/* How many examples the next batch has. */
static size_t batch_count(const example_order *o, const fastrnn_training *training)
{
    const size_t left = o->examples->count - training->position;
    return left < o->B ? left : o->B;
}

static size_t length_of_sequence(const TYPED(fastrnn_sequences) *from, size_t n)
{
    return (size_t)(from->begin[n + 1] - from->begin[n]);
}

/* T, N and the lengths of the sequences `which` (B). */
static void measure_sequences(const TYPED(fastrnn_sequences) *from, const size_t *which, size_t B, sequence_batch *to)
{
    to->T = to->N = 0;
    for (size_t b = 0; b < B; b++) {
        const size_t length = length_of_sequence(from, which[b]);
        to->T = larger(to->T, length);
        to->N += length;
        to->lengths[b] = (int64_t)length;
    }
    to->ends = to->N == to->T * B ? NULL : to->lengths;
}

/* Integers of the steps of sequences, in the order (T, B), 0 past a length. False if one is outside [0, limit). */
static bool gather_integers(const int64_t *begin, const size_t *which, const sequence_batch *batch, size_t B,
                            const int64_t *from, size_t limit, int64_t *to)
{
    bool inside = true;
    for (size_t b = 0; b < B; b++) {
        const int64_t *steps = from + begin[which[b]];
        const size_t length = (size_t)batch->lengths[b];
        for (size_t t = 0; t < batch->T; t++) {
            const int64_t value = t < length ? steps[t] : 0;
            inside &= (uint64_t)value < limit;
            to[t * B + b] = value;
        }
    }
    return inside;
}

/* Rows of E numbers of the steps of sequences, in the order (T, B, E); past a length they are left as they are. */
static void gather_rows(const int64_t *begin, const size_t *which, const sequence_batch *batch, size_t B, const real *from,
                        size_t E, real *to)
{
    for (size_t b = 0; b < B; b++) {
        const real *steps = from + (size_t)begin[which[b]] * E;
        for (size_t t = 0; t < (size_t)batch->lengths[b]; t++) {
            memcpy(to + (t * B + b) * E, steps + t * E, E * sizeof(real));
        }
    }
}

/* What a network reads of the sequences `which` (B). False if a token is outside its vocabulary. */
static bool gather_sequences(const TYPED(fastrnn_sequences) *from, const fastrnn_network *network, const size_t *which,
                             size_t B, sequence_batch *to)
{
    measure_sequences(from, which, B, to);
    if (network->vectors) {
        gather_rows(from->begin, which, to, B, from->vectors, network->stack.input_size - network->context, to->vectors);
        return true;
    }
    return gather_integers(from->begin, which, to, B, from->tokens, network_inputs(network), to->tokens);
}

/* The targets of the sequences `which` (B), of which `batch` has the lengths. False if a class is not below outputs. */
static bool gather_targets(const TYPED(fastrnn_examples) *from, const fastrnn_network *network, const size_t *which,
                           const sequence_batch *batch, size_t B, int64_t *classes, real *numbers)
{
    const size_t V = network->outputs;
    const bool softmax = network->loss == FASTRNN_SOFTMAX_CROSS_ENTROPY;
    bool inside = true;
    if (!network->last && softmax) {
        return gather_integers(from->inputs.begin, which, batch, B, from->classes, V, classes);
    }
    if (!network->last) {
        gather_rows(from->inputs.begin, which, batch, B, from->numbers, V, numbers);
        return true;
    }
    for (size_t b = 0; b < B; b++) {
        if (softmax) {
            classes[b] = from->classes[which[b]];
            inside &= (uint64_t)classes[b] < V;
        } else {
            memcpy(numbers + b * V, from->numbers + which[b] * V, V * sizeof(real));
        }
    }
    return inside;
}

static size_t longest_sequence(const TYPED(fastrnn_sequences) *sequences, size_t count)
{
    size_t longest = 0;
    for (size_t n = 0; n < count; n++) {
        longest = larger(longest, length_of_sequence(sequences, n));
    }
    return longest;
}

static uintptr_t lay_out_sequences(const fastrnn_network *network, size_t T, size_t B, uintptr_t begin,
                                   sequence_batch *batch)
{
    const size_t E = network->stack.input_size - network->context;
    uintptr_t next = begin;
    batch->lengths = take(&next, B * sizeof(int64_t));
    batch->tokens = take(&next, network->vectors ? 0 : T * B * sizeof(int64_t));
    batch->vectors = take(&next, network->vectors ? T * B * E * sizeof(real) : 0);
    return next;
}

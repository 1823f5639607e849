/* Every public door: check the arguments, then call the chosen kernel. The doors themselves are in api_typed.h, once
 * per dtype. */
#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "dispatch.h"
#include "parameters.h"

_Static_assert(sizeof(size_t) == 8, "the limits on shapes keep sizes from overflowing 64 bits");

const char *fastrnn_status_message(fastrnn_status status)
{
    switch (status) {
    case FASTRNN_OK:
        return "no error";
    case FASTRNN_ERROR_NULL:
        return "a pointer that must not be NULL is";
    case FASTRNN_ERROR_SHAPE:
        return "a size is zero, or beyond the limits that fastrnn.h states with each";
    case FASTRNN_ERROR_INDEX:
        return "an index is outside its vocabulary";
    case FASTRNN_ERROR_VALUE:
        return "a number among the arguments is out of the range that fastrnn.h gives for it";
    case FASTRNN_ERROR_NOT_FINITE:
        return "the loss or a probability is NaN or infinite";
    case FASTRNN_ERROR_ISA:
        return "the instruction set is unknown, or this machine does not have it";
    }
    return "unknown status";
}

static bool shape_is_valid(const fastrnn_shape *shape)
{
    const size_t units = (size_t)1 << 24, cells = (size_t)1 << 32;
    return shape->T > 0 && shape->B > 0 && shape->H > 0 && shape->V > 0 && shape->H < units && shape->V < units &&
           shape->T < cells && shape->B < cells && shape->T * shape->B < cells;
}

/* Lengths are looked at here too: what memory a batch takes depends on them. */
static bool stack_is_valid(const fastrnn_stack *stack, const fastrnn_batch *batch)
{
    const size_t rows = (size_t)1 << 32, numbers = (size_t)1 << 48;
    if (fastrnn_stack_parameters(stack) == 0 || batch->T == 0 || batch->T >= rows || batch->B == 0 ||
        batch->B >= rows || batch->T * batch->B >= rows) {
        return false;
    }
    const size_t above = stack->directions * stack->hidden_size;
    const size_t widest = stack->input_size > above ? stack->input_size : above;
    if (batch->embeddings >= (size_t)1 << 24 || (batch->embeddings > 0 && !batch->one_hot)) {
        return false;
    }
    if (batch->T * batch->B * stack->layers >= numbers / widest) {
        return false;
    }
    for (size_t b = 0; batch->lengths && b < batch->B; b++) {
        if (batch->lengths[b] < 0 || (uint64_t)batch->lengths[b] > batch->T) {
            return false;
        }
    }
    return true;
}

static bool rows_are_valid(size_t rows, size_t columns)
{
    return rows > 0 && rows < (size_t)1 << 32 && columns > 0 && columns < (size_t)1 << 24 &&
           rows < ((size_t)1 << 48) / columns;
}

static bool all_below(size_t n, const int64_t *indices, size_t limit)
{
    for (size_t i = 0; i < n; i++) {
        if (indices[i] < 0 || (uint64_t)indices[i] >= limit) {
            return false;
        }
    }
    return true;
}

size_t fastrnn_stack_parameters(const fastrnn_stack *stack)
{
    const size_t units = (size_t)1 << 24;
    const bool valid = stack != NULL && (unsigned)stack->cell <= FASTRNN_LSTM && stack->input_size > 0 &&
                       stack->input_size < units && stack->hidden_size > 0 && stack->hidden_size < units &&
                       stack->layers > 0 && stack->layers < 256 &&
                       (stack->directions == 1 || stack->directions == 2);
    return valid ? parameters_of(stack, stack->layers - 1, stack->directions - 1).end : 0;
}

/* What holds for every network, whether it has outputs or not. */
static bool network_parts_are_valid(const fastrnn_network *network)
{
    const size_t units = (size_t)1 << 24, context = network->context;
    const bool tokens_as_codes = network->embeddings == 0 && !network->vectors;
    return fastrnn_stack_parameters(&network->stack) > 0 && network->embeddings < units && network->outputs < units &&
           (unsigned)network->loss <= FASTRNN_SIGMOID_SQUARED_ERROR && !(network->vectors && network->embeddings > 0) &&
           context < network->stack.input_size && !(context > 0 && tokens_as_codes);
}

/* T steps of B sequences are within the limits; a network without outputs counts as one with 1. */
static bool network_fits(const fastrnn_network *network, size_t T, size_t B)
{
    const fastrnn_batch batch = {.T = T, .B = B};
    return stack_is_valid(&network->stack, &batch) &&
           rows_are_valid(T * B, network->outputs > 0 ? network->outputs : 1);
}

/* What the doors over tokens and texts take. */
static bool token_network_is_valid(const fastrnn_network *network, size_t T, size_t B)
{
    return network_parts_are_valid(network) && network->outputs > 0 && network->stack.directions == 1 &&
           !network->vectors && !network->last && !network->without_bias && network->context == 0 &&
           network->loss == FASTRNN_SOFTMAX_CROSS_ENTROPY && network_fits(network, T, B);
}

fastrnn_status fastrnn_network_parameters(const fastrnn_network *network, fastrnn_network_offsets *offsets)
{
    if (network == NULL || offsets == NULL) {
        return FASTRNN_ERROR_NULL;
    }
    if (!network_parts_are_valid(network)) {
        return FASTRNN_ERROR_SHAPE;
    }
    *offsets = network_offsets(network);
    return FASTRNN_OK;
}

/* The encoder's states are of the same kind as the network's. */
static bool encoder_suits(const fastrnn_network *encoder, const fastrnn_network *network)
{
    const fastrnn_stack *a = &encoder->stack, *b = &network->stack;
    return network_parts_are_valid(encoder) && encoder->outputs == 0 && encoder->context == 0 && a->directions == 1 &&
           a->cell == b->cell && a->layers == b->layers && a->hidden_size == b->hidden_size;
}

static bool conditioned_is_valid(const fastrnn_conditioned *model)
{
    const fastrnn_network *network = &model->network;
    const size_t units = (size_t)1 << 24, C = network->context;
    if (!network_parts_are_valid(network) || network->outputs == 0) {
        return false;
    }
    switch (model->source) {
    case FASTRNN_NO_SOURCE:
        return C == 0;
    case FASTRNN_FEATURES:
        return network->stack.directions == 1 && model->features > 0 && model->features < units &&
               (C == 0 || C == model->features);
    case FASTRNN_ENCODER:
        return network->stack.directions == 1 && encoder_suits(&model->encoder, network) &&
               (C == 0 || C == network->stack.hidden_size);
    }
    return false;
}

fastrnn_status fastrnn_conditioned_parameters(const fastrnn_conditioned *model, fastrnn_conditioned_offsets *offsets)
{
    if (model == NULL || offsets == NULL) {
        return FASTRNN_ERROR_NULL;
    }
    if (!conditioned_is_valid(model)) {
        return FASTRNN_ERROR_SHAPE;
    }
    *offsets = conditioned_offsets(model);
    return FASTRNN_OK;
}

static bool finite_and_not_negative(double x)
{
    return isfinite(x) && x >= 0;
}

/* Of something that is kept, when the rest of 1 comes from elsewhere. */
static bool is_fraction(double x)
{
    return x >= 0 && x < 1;
}

#define REQUIRE(condition, error) \
    do {                          \
        if (!(condition)) {       \
            return error;         \
        }                         \
    } while (0)

static bool schedule_is_valid(const fastrnn_schedule *s)
{
    return isfinite(s->learning_rate) && (unsigned)s->decay <= FASTRNN_COSINE &&
           (s->decay == FASTRNN_CONSTANT || (s->n > 0 && s->factor >= 0 && s->factor <= 1));
}

static bool text_is_valid(const fastrnn_text *text)
{
    return (text->width == 1 || text->width == 2 || text->width == 4 || text->width == 8) &&
           text->length < (size_t)1 << 53;
}

/* Of any training run: whatever has no dtype. */
static fastrnn_status run_check(const fastrnn_training *training)
{
    REQUIRE(schedule_is_valid(&training->schedule), FASTRNN_ERROR_VALUE);
    REQUIRE(training->dropout >= 0 && training->dropout < 1 && training->clip_norm > 0, FASTRNN_ERROR_VALUE);
    return FASTRNN_OK;
}

/* Of one over B sequences of T tokens at a time. */
static fastrnn_status text_check(const fastrnn_training *training, size_t T, size_t B)
{
    const size_t stream = training->random_chunks ? training->text.length : training->text.length / B;
    REQUIRE(text_is_valid(&training->text), FASTRNN_ERROR_VALUE);
    REQUIRE(stream >= T + 1, FASTRNN_ERROR_SHAPE);
    REQUIRE(training->random_chunks || training->position <= stream - (T + 1), FASTRNN_ERROR_VALUE);
    return FASTRNN_OK;
}

/* The longest of `count` sequences; 0 unless they follow each other without gaps, each of at least one step. */
static size_t longest_of(const int64_t *begin, size_t count)
{
    int64_t longest = 0;
    for (size_t n = 0; n < count; n++) {
        if (begin[0] != 0 || begin[n] < 0 || begin[n + 1] <= begin[n]) {
            return 0;
        }
        const int64_t length = begin[n + 1] - begin[n];
        longest = length > longest ? length : longest;
    }
    return (size_t)longest;
}

#define FASTRNN_REAL float
#define FASTRNN_TYPED(name) name##_f32
#define TABLE f32
#define SMALLEST_NORMAL FLT_MIN
#include "api_typed.h"
#undef FASTRNN_REAL
#undef FASTRNN_TYPED
#undef TABLE
#undef SMALLEST_NORMAL

#define FASTRNN_REAL double
#define FASTRNN_TYPED(name) name##_f64
#define TABLE f64
#define SMALLEST_NORMAL DBL_MIN
#include "api_typed.h"

/* fastrnn: small recurrent networks on an ordinary CPU, in plain C11.
 *
 * This header is the whole public face of the library; csrc/ builds and works without Python (see csrc/Makefile).
 *
 * How to use it
 * -------------
 * 1. Fill a fastrnn_shape with the sizes of the network and of one sequence.
 * 2. Ask fastrnn_workspace_size_f64 (or _f32) how much scratch memory that shape needs, and allocate it. The caller
 *    owns every buffer; the library allocates nothing and keeps no pointer after a call returns.
 * 3. Call the doors. Each one checks its arguments before it writes anything and returns a fastrnn_status; none ever
 *    exits, aborts or prints. Outputs must not overlap inputs unless the door says so.
 *
 * A first program:
 *
 *     fastrnn_shape shape = {.T = 25, .B = 1, .H = 100, .V = 65};
 *     size_t bytes;
 *     if (fastrnn_workspace_size_f64(&shape, &bytes) != FASTRNN_OK) ...
 *     void *workspace = malloc(bytes);
 *     fastrnn_status status = fastrnn_char_rnn_loss_f64(&shape, &model, inputs, targets, hprev, 5.0,
 *                                                       &gradients, hlast, &loss, workspace);
 *     if (status != FASTRNN_OK) fprintf(stderr, "%s\n", fastrnn_status_message(status));
 *
 * Stacks of recurrent layers (RNN, GRU, LSTM) are described by a fastrnn_stack, their sequences by a fastrnn_batch, and
 * fastrnn_stack_memory_* says how much memory a call needs:
 *
 *     fastrnn_stack stack = {.cell = FASTRNN_GRU, .input_size = 65, .hidden_size = 100, .layers = 1, .directions = 1,
 *                            .bias = 1};
 *     fastrnn_batch batch = {.T = 25, .B = 1, .one_hot = 1};
 *     fastrnn_stack_bytes bytes;
 *     fastrnn_stack_memory_f32(&stack, &batch, &bytes);
 *     fastrnn_stack_input_f32 input = {.parameters = parameters, .indices = characters};
 *     fastrnn_stack_output_f32 output = {.y = y};
 *     fastrnn_stack_forward_f32(&stack, &batch, &input, &output, tape, workspace);
 *
 * A network over tokens, an embedding or 1-of-V codes, a stack, a linear layer, learns a text in one call, many iterations
 * of any optimizer, and writes (fastrnn_network_sample_*):
 *
 *     fastrnn_network network = {.stack = stack, .outputs = 65};
 *     fastrnn_network_offsets at;
 *     fastrnn_network_parameters(&network, &at);             parameters, mean, squares: at.end numbers each
 *     fastrnn_network_bytes memory;
 *     fastrnn_network_memory_f32(&network, T, B, 0, &memory);
 *     fastrnn_learner_f32 learner = {.parameters = parameters, .mean = mean, .squares = squares, .h = h};
 *     fastrnn_optimizer adam = {FASTRNN_ADAM, {.adam = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8}}};
 *     fastrnn_training training = {.text = {characters, length, 1}, .schedule = {.learning_rate = 0.002},
 *                                  .clip_value = 5, .clip_norm = INFINITY, .smooth_loss = T * log(65)};
 *     fastrnn_network_train_f32(&network, T, B, &adam, &learner, &training, 1000, NULL, workspace);
 *
 * A network that learns from examples, sequences of vectors or tokens of any lengths with what is right for each or for each
 * step, is a fastrnn_conditioned: its network, and what the states before its first step come from. It learns in one call
 * too, pass after pass over all examples:
 *
 *     fastrnn_conditioned model = {.network = {.stack = stack, .vectors = 1, .outputs = 10, .last = 1}};
 *     fastrnn_conditioned_offsets at;
 *     fastrnn_conditioned_parameters(&model, &at);
 *     fastrnn_examples_f32 examples = {.count = N, .inputs = {.begin = begin, .vectors = x}, .classes = y, .shuffle = 1};
 *     fastrnn_conditioned_memory_f32(&model, &examples, 32, 0, &bytes);
 *     fastrnn_training training = {.schedule = {.learning_rate = 0.001}, .clip_value = INFINITY, .clip_norm = 1,
 *                                  .smooth_loss = NAN};
 *     fastrnn_conditioned_train_f32(&model, &examples, 32, &adam, &learner, &training, 1000, NULL, workspace);
 *
 * and fastrnn_network_outputs_* says what it has learnt.
 *
 * Threads: the doors may be called from any number of threads at once, each with its own workspace and outputs. The
 * only global state is the chosen instruction set, one atomic pointer.
 *
 * Numbers: float32 (_f32) and float64 (_f64) share one source. NaN and infinity propagate as in NumPy. On one machine
 * with one instruction set the same input gives the same bits.
 *
 * Names: the character model's (Wxh, Whh, Why, bh, by, hprev) are those of Karpathy's min-char-rnn, the stacks' (W_ih,
 * W_hh, b_ih, b_hh, gates and their order) those of PyTorch's modules.
 */
#ifndef FASTRNN_H
#define FASTRNN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    FASTRNN_OK = 0,
    FASTRNN_ERROR_NULL,       /* a pointer that must not be NULL is */
    FASTRNN_ERROR_SHAPE,      /* a size is zero or beyond the limits of fastrnn_shape */
    FASTRNN_ERROR_INDEX,      /* a character lies outside [0, V) */
    FASTRNN_ERROR_VALUE,      /* a scalar argument (clip, learning rate, a target ...) is out of its range */
    FASTRNN_ERROR_NOT_FINITE, /* the loss or a probability came out as NaN or infinity */
    FASTRNN_ERROR_ISA         /* the instruction set is unknown, or this machine does not have it */
} fastrnn_status;

/* One sentence for a status; a static string, never NULL. */
const char *fastrnn_status_message(fastrnn_status status);

/* ---- instruction sets ------------------------------------------------------------------------------------------ */

/* The kernels are compiled once per instruction set: "baseline" (always there), "avx2" (with FMA) and "avx512" on
 * x86-64, "neon" on 64-bit Arm. "amx" is "avx512" with a matrix unit for float32 products of many rows, whose factors are
 * cut into three bfloat16 numbers each, so that nothing is lost; it needs the permission of Linux, which is asked for in
 * the name of the whole process. The first call of any door chooses: the one that the environment variable FASTRNN_ISA
 * names, else the best of this machine. fastrnn_select_isa chooses explicitly and may be called again at any time;
 * calls that are under way finish on the kernels they began with, but may take up the matrix unit or put it down. */

/* name: one of the names above, or NULL for the choice described above. FASTRNN_ERROR_ISA changes nothing. */
fastrnn_status fastrnn_select_isa(const char *name);

/* The instruction set in use; chooses one first if need be. NULL if FASTRNN_ISA names one that is not available. */
const char *fastrnn_isa(void);

/* The i-th instruction set that this machine can run, best first; NULL past the last. */
const char *fastrnn_available_isa(size_t i);

/* ---- shapes ---------------------------------------------------------------------------------------------------- */

/* Each at least 1; H and V below 2^24, T times B below 2^32. */
typedef struct {
    size_t T; /* time steps in the sequence */
    size_t B; /* sequences side by side in the batch */
    size_t H; /* hidden units */
    size_t V; /* vocabulary: distinct input characters, and outputs */
} fastrnn_shape;

/* Where sampling gets its randomness: next(state) must return a double in [0, 1). NumPy's bitgen_t fits as it is
 * (next = next_double, state = state). */
typedef struct {
    double (*next)(void *state);
    void *state;
} fastrnn_uniform_source;

/* How the next token is chosen: fastrnn_network_sample_* says what the numbers do. */
typedef struct {
    double temperature; /* >= 0, and finite in the dtype of the network */
    size_t top_k;
    double top_p;       /* in (0, 1] */
} fastrnn_choice;

/* A text: tokens, in the order in which they are read, as unsigned integers of `width` bytes, 1, 2, 4 or 8. */
typedef struct {
    const void *tokens; /* (length) in [0, V) */
    size_t length, width;
} fastrnn_text;

/* The learning rate of iteration i = 0, 1, ...:
 *
 *     learning_rate min(1, (i + 1) / warmup) s,   s = 1                                   constant
 *                                                 s = factor^floor(i / n)                 in steps
 *                                                 s = factor + (1 - factor) (1 + cos(pi min(1, i / n))) / 2 */
typedef enum { FASTRNN_CONSTANT, FASTRNN_STEPS, FASTRNN_COSINE } fastrnn_decay;

typedef struct {
    double learning_rate; /* finite */
    fastrnn_decay decay;
    uint64_t warmup; /* iterations; 0: the rate is there at once */
    uint64_t n;      /* iterations from step to step, or until the cosine is down; at least 1 unless constant */
    double factor;   /* in [0, 1] */
} fastrnn_schedule;

/* A training run, which the doors *_train_* take up and leave where it stopped.
 *
 * Over a text, B sequences of T tokens at a time are read side by side: each from a stream of its own, B of them with
 * length / B tokens each, whose states are carried on from one to the next; or from anywhere in the text, with states that
 * begin as zeros, the caller's being neither read nor written. A stream of which fewer than T + 2 tokens are left begins
 * anew, with its state zero.
 *
 * Over examples, B of them at a time, the last of a pass perhaps fewer; text and random_chunks are not looked at. */
typedef struct {
    fastrnn_text text; /* of at least B (T + 1) tokens */
    fastrnn_schedule schedule;
    double clip_value;   /* > 0: each element of a gradient is clipped to [-clip_value, clip_value]; INFINITY: as it is */
    double clip_norm;    /* > 0: and then all together, so that the root of the sum of squares is no larger */
    double dropout;      /* in [0, 1): each output of each layer, the last one's too, is left out with this probability,
                          * and divided by 1 - dropout otherwise */
    int random_chunks;   /* other than 0: sequences from anywhere */
    uint64_t seed;       /* of what dropout leaves out, where such sequences begin, in which order examples come; the
                          * iteration's number is added */
    size_t position;     /* in each stream, where the next sequence begins, or how many examples the pass has read; 0 at
                          * first */
    uint64_t iterations; /* done so far; 0 at first */
    double loss;         /* of the last iteration; over a text in nats, the sum over T steps, the mean over B sequences */
    double smooth_loss;  /* 0.999 smooth_loss + 0.001 loss after each; at first T ln V, the loss of guessing, or NaN, in
                          * whose place comes the first loss */
} fastrnn_training;

/* Kinds of recurrent cells. Weights are those of PyTorch's modules: gates one above the other in W_ih and W_hh, for a GRU
 * r z n, for an LSTM i f g o. */
typedef enum {
    FASTRNN_RNN_TANH,        /* h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh) */
    FASTRNN_RNN_RELU,        /* h_t = max(..., 0) */
    FASTRNN_RNN_SIGMOID,     /* h_t = 1 / (1 + e^-(...)) */
    FASTRNN_GRU,             /* the reset gate applied to W_hn h_{t-1} + b_hn, as PyTorch has it */
    FASTRNN_GRU_RESET_BEFORE, /* the reset gate applied to h_{t-1} */
    FASTRNN_LSTM
} fastrnn_cell;

/* Recurrent layers one above the other: each reads what the one below it gives out, a bidirectional one what both of its
 * directions do, the forward one first. Sizes are below 2^24, layers below 2^8, directions 1 or 2. */
typedef struct {
    fastrnn_cell cell;
    size_t input_size;  /* I */
    size_t hidden_size; /* H: hidden units of each layer and direction */
    size_t layers, directions;
    int bias; /* 0: there are no b_ih and b_hh */
} fastrnn_stack;

/* The parameters of a stack, in all. They stand in one buffer, for each layer from the bottom, and in it for each
 * direction: W_ih (G H, I or, above the first layer, directions H), W_hh (G H, H), b_ih (G H), b_hh (G H), with G = 1, 3
 * or 4 gates. 0 for a stack beyond the limits. */
size_t fastrnn_stack_parameters(const fastrnn_stack *stack);

/* Sequences side by side. T times B is below 2^32, and T B layers max(I, directions H) below 2^48. */
typedef struct {
    size_t T, B;
    const int64_t *lengths; /* (B) in [0, T], in any order, or NULL: all are T long */
    int one_hot;            /* the inputs are integers in [0, I), or, with embeddings, in [0, embeddings) */
    size_t embeddings;      /* other than 0, with one_hot: the integers stand for rows of fastrnn_stack_input's table; below
                             * 2^24. What W_ih makes of a row is computed once for all steps that read it. */
    int dropout;            /* what goes from layer to layer is multiplied by fastrnn_stack_input's dropout */
} fastrnn_batch;

/* Bytes of memory, with no alignment asked of it, for a stack over a batch: the tape, which carries what the forward pass
 * found out to the backward pass, and the scratch memory of either, and of a single step. */
typedef struct {
    size_t tape, forward, backward, step;
} fastrnn_stack_bytes;

/* The same for a linear layer over N rows. */
typedef struct {
    size_t tape, workspace;
} fastrnn_linear_bytes;

/* What a network's outputs y are to be, and the loss that says how far they are from it. */
typedef enum {
    FASTRNN_SOFTMAX_CROSS_ENTROPY, /* -ln softmax(y)[class], for each row of outputs, of which each is a class */
    FASTRNN_SIGMOID_CROSS_ENTROPY, /* -t ln sigmoid(y) - (1 - t) ln(1 - sigmoid(y)), for each number, t in [0, 1] its target */
    FASTRNN_SQUARED_ERROR,         /* (y - t)^2, for each number */
    FASTRNN_SIGMOID_SQUARED_ERROR  /* (sigmoid(y) - t)^2, for each number */
} fastrnn_loss;

/* A network over sequences: a stack, which reads tokens in [0, I) as 1-of-I codes, or, with embeddings, tokens in [0,
 * embeddings) as rows of a table, or vectors; and a linear layer over the states of the last layer. outputs and embeddings
 * are below 2^24. The doors over tokens and texts take networks of one direction, without vectors and context, with outputs
 * at each step, b, and a softmax. */
typedef struct {
    fastrnn_stack stack;
    size_t embeddings;   /* 0: none */
    size_t outputs;
    fastrnn_loss loss;
    int vectors;         /* other than 0: it reads vectors, and has no embeddings */
    int without_bias;    /* other than 0: the linear layer has no b, nor has that over features (fastrnn_conditioned) */
    int last;            /* other than 0: outputs after each sequence's last step alone, else after each step */
    size_t context;      /* below I: of the I numbers that the stack reads so many, the last ones, are the same at all steps
                          * of a sequence; with embeddings or vectors alone, which are the I - context others */
} fastrnn_network;

/* Where its parameters begin in the one buffer of `end` numbers: the table (embeddings, I - context), those of the stack,
 * then of the linear layer W (outputs, directions H) and b (outputs). Between them are up to 15 numbers that belong to
 * none. */
typedef struct {
    size_t embedding, stack, W, b, end;
} fastrnn_network_offsets;

/* FASTRNN_ERROR_SHAPE for a network beyond the limits. */
fastrnn_status fastrnn_network_parameters(const fastrnn_network *network, fastrnn_network_offsets *offsets);

/* Bytes of scratch memory that each door over B sequences of T tokens needs. */
typedef struct {
    size_t train, predict, sample;
} fastrnn_network_bytes;

/* Where the states of a network before its first step come from. */
typedef enum {
    FASTRNN_NO_SOURCE, /* they are zeros, or those after the sequences before */
    FASTRNN_FEATURES,  /* a linear layer over the features of each example: (h, c) = W f + b */
    FASTRNN_ENCODER    /* they are the states of another stack after the last step of another sequence */
} fastrnn_source;

/* A network that learns from examples, with its source. Where there is one, the network and the encoder have one direction,
 * and the encoder as many layers and units as the network, the same cell, and no outputs. The network's context is 0,
 * or the length of what every step is to read besides: the features, or the encoder's last state of its last layer. */
typedef struct {
    fastrnn_network network;
    fastrnn_source source;
    size_t features;         /* F, below 2^24 */
    fastrnn_network encoder;
} fastrnn_conditioned;

/* Where its parameters begin in the one buffer of `end` numbers: the encoder, or the linear layer's W (states, F) and b
 * (states), the states being those of all layers, h and then an LSTM's c; then the network. */
typedef struct {
    size_t encoder, W, b, network, end;
} fastrnn_conditioned_offsets;

/* FASTRNN_ERROR_SHAPE for a network beyond the limits, or a source that does not suit it. */
fastrnn_status fastrnn_conditioned_parameters(const fastrnn_conditioned *model, fastrnn_conditioned_offsets *offsets);

/* Asked after each iteration: poll(state) other than 0 ends the call there, with everything whole. */
typedef struct {
    int (*poll)(void *state);
    void *state;
} fastrnn_interruption;

/* ---- optimizers ------------------------------------------------------------------------------------------------ */

/* What each optimizer is told; the doors of fastrnn_typed.h give the equations. All numbers are finite, and still so in
 * the dtype of the arrays. */

typedef struct {
    double learning_rate;
    double momentum;     /* >= 0; 0 for none, and then there is no array for it */
    double dampening;    /* of the gradient on its way into the momentum, from the second iteration on */
    double weight_decay; /* >= 0 */
    int nesterov;        /* other than 0: looks one step ahead; with momentum > 0 and dampening 0 only */
    uint64_t iteration;  /* 1 for the first */
} fastrnn_sgd;

typedef struct {
    double learning_rate;
    double eps;          /* >= 0, and at least the smallest normal number of the dtype inside the root */
    double weight_decay; /* >= 0 */
    int eps_inside_sqrt; /* other than 0: sqrt(squares + eps) as in min-char-rnn, else sqrt(squares) + eps */
} fastrnn_adagrad;

typedef struct {
    double learning_rate;
    double alpha;        /* in [0, 1): what is kept of the mean squares */
    double eps;          /* >= 0 */
    double momentum;     /* >= 0; 0 for none, and then there is no array for it */
    double weight_decay; /* >= 0 */
    int centered;        /* other than 0: divides by the variance's root; without it there is no array of means */
} fastrnn_rmsprop;

typedef struct {
    double learning_rate;
    double beta1, beta2; /* in [0, 1): what is kept of the mean, and of the mean squares */
    double eps;          /* >= 0 */
    double weight_decay; /* >= 0 */
    int decoupled;       /* other than 0: AdamW, the decay goes straight to the parameter */
    uint64_t iteration;  /* 1 for the first */
} fastrnn_adam;

/* What fastrnn_ceiling_memory does to memory: it is loaded; multiplied and added besides; or changed in its place. */
typedef enum { FASTRNN_CEILING_LOAD, FASTRNN_CEILING_LOAD_FMA, FASTRNN_CEILING_UPDATE } fastrnn_ceiling;

/* An optimizer with its settings. */
typedef enum { FASTRNN_SGD, FASTRNN_ADAGRAD, FASTRNN_RMSPROP, FASTRNN_ADAM } fastrnn_optimizer_kind;

typedef union {
    fastrnn_sgd sgd;
    fastrnn_adagrad adagrad;
    fastrnn_rmsprop rmsprop;
    fastrnn_adam adam;
} fastrnn_optimizer_settings;

typedef struct {
    fastrnn_optimizer_kind kind;
    fastrnn_optimizer_settings settings;
} fastrnn_optimizer;

/* ---- the doors, once per dtype --------------------------------------------------------------------------------- */

#define FASTRNN_REAL float
#define FASTRNN_TYPED(name) name##_f32
#include "fastrnn_typed.h"
#undef FASTRNN_REAL
#undef FASTRNN_TYPED

#define FASTRNN_REAL double
#define FASTRNN_TYPED(name) name##_f64
#include "fastrnn_typed.h"
#undef FASTRNN_REAL
#undef FASTRNN_TYPED

#ifdef __cplusplus
}
#endif

#endif

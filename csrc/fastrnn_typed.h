/* The half of fastrnn.h that exists once per dtype. fastrnn.h includes it twice, with FASTRNN_REAL as float and as
 * double and with FASTRNN_TYPED(name) as name_f32 and name_f64; do not include it yourself.
 *
 * All matrices are dense and row-major; a shape such as (H, V) means H rows of V contiguous numbers. */

/* ---- the network ----------------------------------------------------------------------------------------------- */

/* A vanilla recurrent layer over integer inputs, h_t = tanh(Wxh x_t + Whh h_{t-1} + bh), where x_t is 1-of-V. */
typedef struct {
    FASTRNN_REAL *Wxh; /* (H, V) input to hidden */
    FASTRNN_REAL *Whh; /* (H, H) hidden to hidden */
    FASTRNN_REAL *bh;  /* (H)    hidden bias */
} FASTRNN_TYPED(fastrnn_rnn);

/* The output layer, y_t = Why h_t + by; where it stands for any y = W x + b, Why is W (O, I) and by is b (O). */
typedef struct {
    FASTRNN_REAL *Why; /* (V, H) hidden to output */
    FASTRNN_REAL *by;  /* (V)    output bias */
} FASTRNN_TYPED(fastrnn_linear);

/* A character model: its parameters when it is an input, their gradients when it is an output. */
typedef struct {
    FASTRNN_TYPED(fastrnn_rnn) rnn;
    FASTRNN_TYPED(fastrnn_linear) output;
} FASTRNN_TYPED(fastrnn_char_rnn);

/* Bytes of scratch memory that any door taking this shape needs; no alignment is asked of it. */
fastrnn_status FASTRNN_TYPED(fastrnn_workspace_size)(const fastrnn_shape *shape, size_t *bytes);

/* Loss, gradients and last state of a character model over one batch of sequences: min-char-rnn's lossFun.
 *
 *     h_t = tanh(Wxh x_t + Whh h_{t-1} + bh),  y_t = Why h_t + by,  p_t = softmax(y_t)
 *     loss = sum over t and b of -ln p_t[target]        (taken as logsumexp(y_t) - y_t[target], in nats)
 *
 * inputs, targets (T, B) in [0, V); hprev (B, H) is h_{-1}; hlast (B, H) gets h_{T-1} and may be hprev itself.
 * gradients: the five matrices are overwritten with d loss / d parameter, each element clipped to [-clip, clip]
 * (clip > 0; INFINITY leaves them as they are); NULL for the loss and the last state alone.
 * FASTRNN_ERROR_NOT_FINITE: the loss is NaN or infinite; *loss holds it, and the other outputs are not to be used. */
fastrnn_status FASTRNN_TYPED(fastrnn_char_rnn_loss)(
    const fastrnn_shape *shape, const FASTRNN_TYPED(fastrnn_char_rnn) *model, const int64_t *inputs,
    const int64_t *targets, const FASTRNN_REAL *hprev, double clip, const FASTRNN_TYPED(fastrnn_char_rnn) *gradients,
    FASTRNN_REAL *hlast, double *loss, void *workspace);

/* Iterations of min-char-rnn's training loop: for each the next T characters of the text (and of each of B streams), the
 * loss, its clipped gradients, one Adagrad update of all parameters (the epsilon 1e-8 inside the root), the smooth loss.
 *
 * model, memory (Adagrad's, zero at first) and hprev (B, H) are read, and left as they are after the last iteration;
 * training tells what to train on, and how far it has come: without dropout, and clipped by value alone (clip_norm =
 * INFINITY). interruption may be NULL.
 * FASTRNN_ERROR_NOT_FINITE: the loss, left in training->loss, was NaN or infinite. FASTRNN_ERROR_INDEX: a character is
 * outside [0, V). After either model, memory, hprev and the rest of training are as before that iteration. */
fastrnn_status FASTRNN_TYPED(fastrnn_char_rnn_train)(
    const fastrnn_shape *shape, const FASTRNN_TYPED(fastrnn_char_rnn) *model,
    const FASTRNN_TYPED(fastrnn_char_rnn) *memory, FASTRNN_REAL *hprev, fastrnn_training *training, size_t iterations,
    const fastrnn_interruption *interruption, void *workspace);

/* n characters drawn from a character model: min-char-rnn's sample, with a temperature.
 *
 *     p = softmax(y_t / temperature),  character = number of entries of cumsum(p) / sum(p) that are <= u
 *
 * one u from `uniform` for each, in order, exactly as numpy.random.choice(range(V), p=p) consumes them.
 * shape: T may be anything valid and B must be 1; h (H): the state, read, then left at the last character's step; first in
 * [0, V) is the character before the sampled ones; temperature is finite and > 0; characters (n) is the output. */
fastrnn_status FASTRNN_TYPED(fastrnn_char_rnn_sample)(
    const fastrnn_shape *shape, const FASTRNN_TYPED(fastrnn_char_rnn) *model, FASTRNN_REAL *h, int64_t first,
    size_t n, double temperature, const fastrnn_uniform_source *uniform, int64_t *characters, void *workspace);

/* ---- stacks of recurrent layers ------------------------------------------------------------------------------- */

/* What a stack reads. */
typedef struct {
    const FASTRNN_REAL *parameters;
    const FASTRNN_REAL *x;       /* (T, B, I), unless the batch is one_hot */
    const int64_t *indices;      /* (T, B), if it is */
    const FASTRNN_REAL *embedding; /* (embeddings, I), if the batch has embeddings */
    const FASTRNN_REAL *h0, *c0; /* (layers directions, B, H) the first states; NULL: zeros; c0: an LSTM's */
    const FASTRNN_REAL *dropout; /* (layers - 1, T, B, directions H) each layer's output, but the last one's, is multiplied
                                  * by this on its way up, if the batch says so */
} FASTRNN_TYPED(fastrnn_stack_input);

/* What it gives out. Past a sequence's length y is zero; h_n and c_n are the states at its last step (of the reverse
 * direction: at its first), or those before the first step if it has none. */
typedef struct {
    FASTRNN_REAL *y;        /* (T, B, directions H) the states of the last layer */
    FASTRNN_REAL *hn, *cn;  /* (layers directions, B, H); NULL: not wanted; cn: an LSTM's */
} FASTRNN_TYPED(fastrnn_stack_output);

/* d loss / d output. */
typedef struct {
    const FASTRNN_REAL *y;        /* (T, B, directions H); what stands past a sequence's length is not read */
    const FASTRNN_REAL *hn, *cn;  /* (layers directions, B, H); NULL: zeros */
} FASTRNN_TYPED(fastrnn_stack_output_gradient);

/* d loss / d input. */
typedef struct {
    FASTRNN_REAL *parameters; /* added to */
    FASTRNN_REAL *x;          /* (T, B, I), zero past a length; NULL: not wanted; not looked at if the batch is one_hot */
    FASTRNN_REAL *embedding;  /* (embeddings, I), added to, if the batch has embeddings */
    FASTRNN_REAL *h0, *c0;    /* (layers directions, B, H); NULL: not wanted */
} FASTRNN_TYPED(fastrnn_stack_input_gradient);

/* Bytes of memory that the doors below need for this batch. */
fastrnn_status FASTRNN_TYPED(fastrnn_stack_memory)(const fastrnn_stack *stack, const fastrnn_batch *batch,
                                                   fastrnn_stack_bytes *bytes);

/* The layers over a batch of sequences; fastrnn_cell has the equations. For a direction's reverse each sequence is read
 * from its own end. Work and memory are in proportion to the sum of the lengths. hn and cn may be h0 and c0
 * themselves. */
fastrnn_status FASTRNN_TYPED(fastrnn_stack_forward)(
    const fastrnn_stack *stack, const fastrnn_batch *batch, const FASTRNN_TYPED(fastrnn_stack_input) *input,
    const FASTRNN_TYPED(fastrnn_stack_output) *output, void *tape, void *workspace);

/* Back through time and layers. stack, batch and input are those of the forward call that filled the tape, except that x,
 * indices, h0 and c0 are not read again. The tape is used up: a second call with it would give wrong results. */
fastrnn_status FASTRNN_TYPED(fastrnn_stack_backward)(
    const fastrnn_stack *stack, const fastrnn_batch *batch, const FASTRNN_TYPED(fastrnn_stack_input) *input,
    void *tape, const FASTRNN_TYPED(fastrnn_stack_output_gradient) *output_gradient,
    const FASTRNN_TYPED(fastrnn_stack_input_gradient) *input_gradient, void *workspace);

/* One step of a stack with one direction, for streaming: fastrnn_stack_forward with T = 1 and no lengths, but made for
 * small B, where packing the weights would take longer than using them. hn and cn may be h0 and c0 themselves. */
fastrnn_status FASTRNN_TYPED(fastrnn_stack_step)(
    const fastrnn_stack *stack, const fastrnn_batch *batch, const FASTRNN_TYPED(fastrnn_stack_input) *input,
    const FASTRNN_TYPED(fastrnn_stack_output) *output, void *workspace);

/* ---- other layers ---------------------------------------------------------------------------------------------- */

/* Bytes of memory that the two doors below need. I inputs and O outputs are below 2^24, N is below 2^32, N I and N O are
 * below 2^48. */
fastrnn_status FASTRNN_TYPED(fastrnn_linear_memory)(size_t N, size_t inputs, size_t outputs,
                                                    fastrnn_linear_bytes *bytes);

/* y = W x + b for N rows: x (N, I), y (N, O), layer->by may be NULL. The tape takes up what backward needs; NULL: nothing
 * is to follow. */
fastrnn_status FASTRNN_TYPED(fastrnn_linear_forward)(size_t N, size_t inputs, size_t outputs,
                                                     const FASTRNN_TYPED(fastrnn_linear) *layer, const FASTRNN_REAL *x,
                                                     FASTRNN_REAL *y, void *tape, void *workspace);

/* From dy = d loss / d y (N, O) and the tape of the forward call, which is only read: the gradients, of b unless by is NULL,
 * are added to, and dx (N, I), unless it is NULL, gets W^T dy. */
fastrnn_status FASTRNN_TYPED(fastrnn_linear_backward)(size_t N, size_t inputs, size_t outputs,
                                                      const FASTRNN_TYPED(fastrnn_linear) *layer, const void *tape,
                                                      const FASTRNN_REAL *dy,
                                                      const FASTRNN_TYPED(fastrnn_linear) *gradients, FASTRNN_REAL *dx,
                                                      void *workspace);

/* y (N, E) = rows of W (V, E), indices (N) in [0, V). */
fastrnn_status FASTRNN_TYPED(fastrnn_embedding_forward)(size_t N, size_t V, size_t E, const FASTRNN_REAL *W,
                                                        const int64_t *indices, FASTRNN_REAL *y);

/* The rows of dW (V, E) get those of dy (N, E) added. */
fastrnn_status FASTRNN_TYPED(fastrnn_embedding_backward)(size_t N, size_t V, size_t E, const int64_t *indices,
                                                         const FASTRNN_REAL *dy, FASTRNN_REAL *dW);

/* ---- networks -------------------------------------------------------------------------------------------------- */

/* What a network reads: B sequences side by side, of at most T steps. What is past a sequence's length is not used, but
 * tokens there are below the limit too. */
typedef struct {
    const int64_t *tokens;       /* (T, B), or */
    const FASTRNN_REAL *vectors; /* (T, B, I - context) */
    const FASTRNN_REAL *context; /* (B, context) */
    const FASTRNN_REAL *h, *c;   /* (layers directions, B, H) states before the first step, c: an LSTM's; NULL: zeros */
} FASTRNN_TYPED(fastrnn_network_input);

/* What training changes, N = the `end` of the parameters' offsets numbers in each of the first four. */
typedef struct {
    FASTRNN_REAL *parameters;
    FASTRNN_REAL *momentum, *mean, *squares; /* what the optimizer remembers, as in fastrnn_update */
    FASTRNN_REAL *h, *c;                     /* (layers, B, H) the states before the next step; c: an LSTM's */
} FASTRNN_TYPED(fastrnn_learner);

/* Bytes of scratch memory for fastrnn_network_outputs; largest: for T steps and B sequences of any lengths. */
fastrnn_status FASTRNN_TYPED(fastrnn_network_outputs_memory)(const fastrnn_network *network, size_t T, size_t B,
                                                             size_t *bytes);

/* What any network puts out: y (T, B, outputs), zero past a sequence's length, or of one with `last` y (B, outputs); y is
 * NULL if there are no outputs. lengths: NULL, or (B) in [1, T]. hn, cn get the states after each sequence's last step; they are
 * (layers directions, B, H), and may be h and c of the input, but not NULL.
 * FASTRNN_ERROR_NOT_FINITE: an output is NaN or infinite. */
fastrnn_status FASTRNN_TYPED(fastrnn_network_outputs)(const fastrnn_network *network, size_t T, size_t B,
                                                      const int64_t *lengths, const FASTRNN_REAL *parameters,
                                                      const FASTRNN_TYPED(fastrnn_network_input) *input,
                                                      FASTRNN_REAL *hn, FASTRNN_REAL *cn, FASTRNN_REAL *y,
                                                      void *workspace);

/* ---- networks that learn from examples --------------------------------------------------------------------------- */

/* One sequence after the other, without gaps: steps begin[n] ... begin[n + 1] - 1 are those of sequence n, at least one. */
typedef struct {
    const int64_t *begin;        /* (count + 1), begin[0] = 0 */
    const int64_t *tokens;       /* of each step; or */
    const FASTRNN_REAL *vectors; /* rows of them */
} FASTRNN_TYPED(fastrnn_sequences);

/* What a network learns from. Targets, of each step or of a network with `last` of each example, are classes in [0,
 * outputs) for a softmax, and rows of `outputs` numbers otherwise, which for FASTRNN_SIGMOID_CROSS_ENTROPY are to be in
 * [0, 1]: these doors do not look. */
typedef struct {
    size_t count;
    FASTRNN_TYPED(fastrnn_sequences) inputs;
    const int64_t *classes;
    const FASTRNN_REAL *numbers;
    const FASTRNN_REAL *features;             /* (count, F), where these are the source */
    FASTRNN_TYPED(fastrnn_sequences) sources; /* where they are read by an encoder */
    int shuffle; /* other than 0: each pass in another order */
    int carried; /* other than 0: sequence b of a batch goes on from the state of sequence b of the batch before, in the
                  * learner's h, c, which are to be zero before the first pass, and become so after each; count is a
                  * multiple of B then, and the network has one direction and no source. Otherwise states begin as zeros,
                  * or come from the source, and the
                  * learner's are not looked at. */
} FASTRNN_TYPED(fastrnn_examples);

/* Bytes of scratch memory for training with batches of B examples. */
fastrnn_status FASTRNN_TYPED(fastrnn_conditioned_memory)(const fastrnn_conditioned *model,
                                                         const FASTRNN_TYPED(fastrnn_examples) *examples, size_t B,
                                                         int dropout, size_t *bytes);

/* Iterations of training over batches of B examples, pass after pass, and in a pass each example once: for each the loss
 *
 *     loss = mean of the loss of all its rows of outputs, with a softmax, or else of all their numbers
 *
 * its gradients, clipped by value and then by norm, one step of the optimizer, the smooth loss; fastrnn_network_train has
 * the rest, errors too: FASTRNN_ERROR_INDEX also for a class outside [0, outputs). */
fastrnn_status FASTRNN_TYPED(fastrnn_conditioned_train)(
    const fastrnn_conditioned *model, const FASTRNN_TYPED(fastrnn_examples) *examples, size_t B,
    const fastrnn_optimizer *optimizer, const FASTRNN_TYPED(fastrnn_learner) *learner, fastrnn_training *training,
    size_t iterations, const fastrnn_interruption *interruption, void *workspace);

/* ---- networks over tokens --------------------------------------------------------------------------------------- */

/* dropout: training->dropout is above 0. */
fastrnn_status FASTRNN_TYPED(fastrnn_network_memory)(const fastrnn_network *network, size_t T, size_t B, int dropout,
                                                     fastrnn_network_bytes *bytes);

/* Iterations of training a network to say each sequence's next token: for each B sequences of T tokens, the loss
 *
 *     loss = mean over b, sum over t of -ln softmax(y_t)[target]        in nats
 *
 * its gradients, clipped by value and then by norm, one step of the optimizer, the smooth loss. The optimizer's learning
 * rate is the schedule's, its iteration training->iterations + 1. b_hh of a tanh, relu or sigmoid cell and of an LSTM only
 * adds to b_ih: its gradient counts as 0.
 *
 * interruption may be NULL. FASTRNN_ERROR_NOT_FINITE: the loss, left in training->loss, or a gradient was NaN or
 * infinite. FASTRNN_ERROR_INDEX: a token is outside the vocabulary. After either the learner and the rest of training are
 * as before that iteration. */
fastrnn_status FASTRNN_TYPED(fastrnn_network_train)(
    const fastrnn_network *network, size_t T, size_t B, const fastrnn_optimizer *optimizer,
    const FASTRNN_TYPED(fastrnn_learner) *learner, fastrnn_training *training, size_t iterations,
    const fastrnn_interruption *interruption, void *workspace);

/* What a network says about texts, B of them side by side: tokens, targets (T, B). targets and nats (T, B) may both be
 * NULL; nats gets -ln softmax(y_t)[target]. probabilities (B, outputs), unless NULL, gets softmax(y) of the last step.
 * h, c (layers, B, H) are the states before the first step, and then after the last.
 * FASTRNN_ERROR_NOT_FINITE: a number of nats or of probabilities came out as NaN or infinite. */
fastrnn_status FASTRNN_TYPED(fastrnn_network_predict)(const fastrnn_network *network, size_t T, size_t B,
                                                      const FASTRNN_REAL *parameters, const int64_t *tokens,
                                                      const int64_t *targets, FASTRNN_REAL *h, FASTRNN_REAL *c,
                                                      double *nats, FASTRNN_REAL *probabilities, void *workspace);

/* n tokens for each of B texts, drawn one after the other, each by choice and one u from `uniform`:
 *
 *     p = softmax(y_t / temperature)      token = number of entries of cumsum(p) / sum(p) that are <= u
 *
 * with 0 in place of all p but the top_k largest (0, or more than there are: all), and of those left but the fewest largest
 * that add up to top_p times their sum or more (1: all). Of equal numbers the one that stands first counts as the larger.
 * temperature 0: the token of the largest y_t, without a u, and uniform may be NULL. The u's are taken step after step, in
 * a step for b = 0 ... B - 1.
 *
 * first (B) in [0, outputs): the tokens before those drawn; h, c (layers, B, H): the states before these, and then those
 * before the last tokens drawn, so that a call with those for `first` goes on with the same texts. tokens (n, B) is the
 * output. outputs must be the number of tokens that the network reads. Memory: fastrnn_network_bytes.sample, whatever T.
 *
 * interruption may be NULL; it is asked every millisecond or so, or after each step if that takes longer, and the tokens
 * that are then left over become -1. FASTRNN_ERROR_NOT_FINITE: an output is NaN or positive infinity, or all are negative
 * infinity. Nothing more was taken from the source then, the tokens before it are there, h and c are as they were. */
fastrnn_status FASTRNN_TYPED(fastrnn_network_sample)(
    const fastrnn_network *network, size_t B, const FASTRNN_REAL *parameters, const fastrnn_choice *choice,
    const int64_t *first, FASTRNN_REAL *h, FASTRNN_REAL *c, size_t n, const fastrnn_uniform_source *uniform,
    const fastrnn_interruption *interruption, int64_t *tokens, void *workspace);

/* ---- losses, optimizers, functions ----------------------------------------------------------------------------- */

/* logits (N, V) becomes d loss / d logits = softmax(logits) - onehot(target) in place, and
 * *loss = sum over the rows of logsumexp(row) - row[target], in nats. targets (N) in [0, V).
 * FASTRNN_ERROR_NOT_FINITE: the loss is NaN or infinite; *loss holds it. */
fastrnn_status FASTRNN_TYPED(fastrnn_softmax_cross_entropy)(size_t N, size_t V, const int64_t *targets,
                                                            FASTRNN_REAL *logits, double *loss);

/* Binary cross-entropy of probabilities sigmoid(x_i), against targets t_i in [0, 1]:
 *
 *     *loss = sum of -t_i ln sigmoid(x_i) - (1 - t_i) ln(1 - sigmoid(x_i))    (without overflow for any finite x, in nats)
 *
 * logits (n) becomes scale * d loss / d logits = scale (sigmoid(x_i) - t_i) in place; scale is finite, 1 for this loss
 * and 1 / n for its mean. FASTRNN_ERROR_VALUE: a target is outside [0, 1]. FASTRNN_ERROR_NOT_FINITE: the loss is NaN or
 * infinite; *loss holds it. */
fastrnn_status FASTRNN_TYPED(fastrnn_sigmoid_binary_cross_entropy)(size_t n, double scale, const FASTRNN_REAL *targets,
                                                                   FASTRNN_REAL *logits, double *loss);

/* *loss = sum of (y_i - t_i)^2; outputs (n) becomes scale * d loss / d outputs = 2 scale (y_i - t_i) in place; scale is
 * finite. FASTRNN_ERROR_NOT_FINITE: the loss is NaN or infinite; *loss holds it. */
fastrnn_status FASTRNN_TYPED(fastrnn_squared_error)(size_t n, double scale, const FASTRNN_REAL *targets,
                                                    FASTRNN_REAL *outputs, double *loss);

/* x_i = min(max(x_i, -limit), limit) in place, limit > 0; NaN stays NaN. */
fastrnn_status FASTRNN_TYPED(fastrnn_clip)(size_t n, double limit, FASTRNN_REAL *x);

/* x_i = factor x_i in place; factor is finite. */
fastrnn_status FASTRNN_TYPED(fastrnn_scale)(size_t n, double factor, FASTRNN_REAL *x);

/* *norm = sqrt(sum of x_i^2), summed in double; it overflows only where it is itself no double. NaN where an x is NaN,
 * infinity where one is infinite. */
fastrnn_status FASTRNN_TYPED(fastrnn_norm)(size_t n, const FASTRNN_REAL *x, double *norm);

/* Elementwise functions, within 4 ulp over the whole range, subnormal results included; y may be x. */
fastrnn_status FASTRNN_TYPED(fastrnn_exp)(size_t n, const FASTRNN_REAL *x, FASTRNN_REAL *y);
fastrnn_status FASTRNN_TYPED(fastrnn_tanh)(size_t n, const FASTRNN_REAL *x, FASTRNN_REAL *y);
fastrnn_status FASTRNN_TYPED(fastrnn_sigmoid)(size_t n, const FASTRNN_REAL *x, FASTRNN_REAL *y);

/* ---- optimizers ------------------------------------------------------------------------------------------------ */

/* The arrays of one update, n numbers each: the gradient g is read, the parameter p and what the optimizer remembers are
 * updated in place. What is remembered is 0 at first; an optimizer has no need of the arrays that its door doesn't name,
 * and they may be NULL. */
typedef struct {
    FASTRNN_REAL *parameter;
    const FASTRNN_REAL *gradient;
    FASTRNN_REAL *momentum; /* of SGD, RMSprop: the direction of the last step */
    FASTRNN_REAL *mean;     /* of Adam, centered RMSprop: the running mean of the gradient */
    FASTRNN_REAL *squares;  /* of Adagrad the sum, of RMSprop and Adam the running mean of the gradient's square */
} FASTRNN_TYPED(fastrnn_update);

/* Each door is one update, equal to that of the PyTorch optimizer of its name (2.13) but for rounding, and for subnormal
 * numbers: they count as zeros, because those that fading gradients leave in the running means would cost a hundred
 * times the others. eps ought to be far above 1e-19 in float32, the root of what is then the least square.
 *
 * SGD, momentum_0 being the setting:
 *
 *     g += weight_decay p
 *     p -= learning_rate g             without momentum, or else
 *     momentum = momentum_0 momentum + (1 - dampening) g         (at iteration 1 without dampening)
 *     p -= learning_rate momentum, or with Nesterov's p -= learning_rate (g + momentum_0 momentum)
 *
 * Source: Sutskever, Martens, Dahl and Hinton 2013; torch.optim.SGD. */
fastrnn_status FASTRNN_TYPED(fastrnn_sgd)(const fastrnn_sgd *settings, size_t n,
                                          const FASTRNN_TYPED(fastrnn_update) *arrays);

/* Adagrad, with the epsilon outside the root or inside it:
 *
 *     g += weight_decay p;  squares += g^2;  p -= learning_rate g / (sqrt(squares) + eps), or / sqrt(squares + eps)
 *
 * Source: Duchi, Hazan and Singer 2011; torch.optim.Adagrad; min-char-rnn (inside, 1e-8). */
fastrnn_status FASTRNN_TYPED(fastrnn_adagrad)(const fastrnn_adagrad *settings, size_t n,
                                              const FASTRNN_TYPED(fastrnn_update) *arrays);

/* RMSprop:
 *
 *     g += weight_decay p;  squares = alpha squares + (1 - alpha) g^2;  mean = alpha mean + (1 - alpha) g
 *     variance = squares, or where it is centered max(0, squares - mean^2);  d = g / (sqrt(variance) + eps)
 *     p -= learning_rate d, or with momentum_0 > 0: momentum = momentum_0 momentum + d;  p -= learning_rate momentum
 *
 * (PyTorch has no max, and turns to NaN where a rounding error makes the difference negative.)
 * Source: Tieleman and Hinton 2012, centered: Graves 2013; torch.optim.RMSprop. */
fastrnn_status FASTRNN_TYPED(fastrnn_rmsprop)(const fastrnn_rmsprop *settings, size_t n,
                                              const FASTRNN_TYPED(fastrnn_update) *arrays);

/* Adam and AdamW, t being the iteration:
 *
 *     g += weight_decay p, or decoupled p -= learning_rate weight_decay p
 *     mean = beta1 mean + (1 - beta1) g;  squares = beta2 squares + (1 - beta2) g^2
 *     p -= learning_rate (mean / (1 - beta1^t)) / (sqrt(squares / (1 - beta2^t)) + eps)
 *
 * Source: Kingma and Ba 2015; decoupled: Loshchilov and Hutter 2019; torch.optim.Adam, AdamW. */
fastrnn_status FASTRNN_TYPED(fastrnn_adam)(const fastrnn_adam *settings, size_t n,
                                           const FASTRNN_TYPED(fastrnn_update) *arrays);

/* ---- the machine's ceilings, for benchmarks -------------------------------------------------------------------- */

/* Multiplies and adds as fast as this instruction set can, and *done says how many times: time it. *result is of no
 * meaning. */
fastrnn_status FASTRNN_TYPED(fastrnn_ceiling_fma)(size_t rounds, size_t *done, FASTRNN_REAL *result);

/* Goes through the numbers of x (n) `rounds` times as fast as this instruction set can, to and fro, and *done says how
 * many that makes; FASTRNN_CEILING_UPDATE changes them. FASTRNN_ERROR_VALUE: there is no such ceiling. */
fastrnn_status FASTRNN_TYPED(fastrnn_ceiling_memory)(fastrnn_ceiling ceiling, size_t rounds, size_t n, FASTRNN_REAL *x,
                                                     size_t *done, FASTRNN_REAL *result);

/* `rounds` steps, forward or backward, of the smallest network, each waiting for the one before: time them. */
fastrnn_status FASTRNN_TYPED(fastrnn_ceiling_wait)(int backward, size_t rounds, FASTRNN_REAL *result);

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

/* The output layer, y_t = Why h_t + by. */
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
 * loss, its clipped gradients, one Adagrad update of all parameters, the smooth loss. The state is carried from sequence
 * to sequence, and zeroed where the text begins anew, which is when fewer than T + 2 characters are left.
 *
 * model, memory (Adagrad's, zero at first) and hprev (B, H) are read, and left as they are after the last iteration;
 * training tells what to train on, and how far it has come. interruption may be NULL.
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

/* ---- its parts ------------------------------------------------------------------------------------------------- */

/* The recurrent layer alone: inputs (T, B) in [0, V), h0 (B, H); hs (T, B, H) gets h_0 ... h_{T-1}. */
fastrnn_status FASTRNN_TYPED(fastrnn_rnn_forward)(
    const fastrnn_shape *shape, const FASTRNN_TYPED(fastrnn_rnn) *layer, const int64_t *inputs,
    const FASTRNN_REAL *h0, FASTRNN_REAL *hs, void *workspace);

/* Back through time: hs from fastrnn_rnn_forward, dhs (T, B, H) = d loss / d h_t as it arrives from above.
 * gradients is overwritten with d loss / d parameter; dh0 (B, H) with d loss / d h0, unless it is NULL. */
fastrnn_status FASTRNN_TYPED(fastrnn_rnn_backward)(
    const fastrnn_shape *shape, const FASTRNN_TYPED(fastrnn_rnn) *layer, const int64_t *inputs,
    const FASTRNN_REAL *h0, const FASTRNN_REAL *hs, const FASTRNN_REAL *dhs,
    const FASTRNN_TYPED(fastrnn_rnn) *gradients, FASTRNN_REAL *dh0, void *workspace);

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

/* Reads the numbers of x (n) `rounds` times as fast as this instruction set can, and *done says how many it read. */
fastrnn_status FASTRNN_TYPED(fastrnn_ceiling_load)(size_t rounds, size_t n, const FASTRNN_REAL *x, size_t *done,
                                                   FASTRNN_REAL *result);

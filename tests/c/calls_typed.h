/* Arguments for every door: buffers of REAL in guarded memory, and per door a struct of all its arguments, a function
 * that fills it with valid ones, and a function that makes the call. */

static REAL *TYPED(blanks)(size_t n)
{
    return guarded(n * sizeof(REAL));
}

static REAL *TYPED(randoms)(size_t n, double limit)
{
    REAL *x = TYPED(blanks)(n);
    for (size_t i = 0; i < n; i++) {
        x[i] = (REAL)random_within(limit);
    }
    return x;
}

static REAL *TYPED(squares)(size_t n)
{
    REAL *x = TYPED(randoms)(n, 1);
    for (size_t i = 0; i < n; i++) {
        x[i] *= x[i];
    }
    return x;
}

/* The same numbers for the naive implementation. */
static double *TYPED(widened)(size_t n, const REAL *x)
{
    double *y = zeros(n);
    for (size_t i = 0; i < n; i++) {
        y[i] = (double)x[i];
    }
    return y;
}

static bool TYPED(same_bits)(size_t n, const REAL *x, const REAL *y)
{
    return memcmp(x, y, n * sizeof(REAL)) == 0;
}

/* ---- models ---------------------------------------------------------------------------------------------------- */

static TYPED(fastrnn_rnn) TYPED(blank_rnn)(const fastrnn_shape *s)
{
    return (TYPED(fastrnn_rnn)){TYPED(blanks)(s->H * s->V), TYPED(blanks)(s->H * s->H), TYPED(blanks)(s->H)};
}

static TYPED(fastrnn_char_rnn) TYPED(blank_model)(const fastrnn_shape *s)
{
    return (TYPED(fastrnn_char_rnn)){.rnn = TYPED(blank_rnn)(s),
                                     .output = {TYPED(blanks)(s->V * s->H), TYPED(blanks)(s->V)}};
}

/* Whh shrinks what it multiplies, as in a trained network: otherwise rounding errors would grow with every step. */
static TYPED(fastrnn_rnn) TYPED(random_rnn)(const fastrnn_shape *s)
{
    return (TYPED(fastrnn_rnn)){TYPED(randoms)(s->H * s->V, 1),
                                TYPED(randoms)(s->H * s->H, 1.5 / sqrt((double)s->H)), TYPED(randoms)(s->H, 0.5)};
}

static TYPED(fastrnn_char_rnn) TYPED(random_model)(const fastrnn_shape *s)
{
    return (TYPED(fastrnn_char_rnn)){.rnn = TYPED(random_rnn)(s),
                                     .output = {TYPED(randoms)(s->V * s->H, 1), TYPED(randoms)(s->V, 1)}};
}

static fastrnn_rnn_f64 TYPED(widened_rnn)(const fastrnn_shape *s, const TYPED(fastrnn_rnn) *layer)
{
    return (fastrnn_rnn_f64){TYPED(widened)(s->H * s->V, layer->Wxh), TYPED(widened)(s->H * s->H, layer->Whh),
                             TYPED(widened)(s->H, layer->bh)};
}

static fastrnn_char_rnn_f64 TYPED(widened_model)(const fastrnn_shape *s, const TYPED(fastrnn_char_rnn) *model)
{
    return (fastrnn_char_rnn_f64){
        .rnn = TYPED(widened_rnn)(s, &model->rnn),
        .output = {TYPED(widened)(s->V * s->H, model->output.Why), TYPED(widened)(s->V, model->output.by)}};
}

/* Exactly as many bytes as the library asks for; none if it refuses to say. */
static void *TYPED(workspace)(const fastrnn_shape *s)
{
    size_t bytes = 0;
    TYPED(fastrnn_workspace_size)(s, &bytes);
    return guarded(bytes);
}

/* ---- workspace_size -------------------------------------------------------------------------------------------- */

typedef struct {
    fastrnn_shape *shape;
    size_t *bytes;
} TYPED(size_call);

static TYPED(size_call) TYPED(valid_size_call)(const fastrnn_shape *s)
{
    return (TYPED(size_call)){guarded_copy(s, sizeof *s), guarded(sizeof(size_t))};
}

static fastrnn_status TYPED(size_door)(const void *call)
{
    const TYPED(size_call) *c = call;
    return TYPED(fastrnn_workspace_size)(c->shape, c->bytes);
}

/* ---- char_rnn_loss --------------------------------------------------------------------------------------------- */

typedef struct {
    fastrnn_shape *shape;
    TYPED(fastrnn_char_rnn) *model;
    int64_t *inputs, *targets;
    REAL *hprev;
    double clip;
    TYPED(fastrnn_char_rnn) *gradients;
    REAL *hlast;
    double *loss;
    void *workspace;
} TYPED(loss_call);

static TYPED(loss_call) TYPED(valid_loss_call)(const fastrnn_shape *s)
{
    TYPED(fastrnn_char_rnn) model = TYPED(random_model)(s), gradients = TYPED(blank_model)(s);
    return (TYPED(loss_call)){.shape = guarded_copy(s, sizeof *s),
                              .model = guarded_copy(&model, sizeof model),
                              .inputs = random_characters(s->T * s->B, s->V),
                              .targets = random_characters(s->T * s->B, s->V),
                              .hprev = TYPED(randoms)(s->B * s->H, 1),
                              .clip = INFINITY,
                              .gradients = guarded_copy(&gradients, sizeof gradients),
                              .hlast = TYPED(blanks)(s->B * s->H),
                              .loss = guarded(sizeof(double)),
                              .workspace = TYPED(workspace)(s)};
}

static fastrnn_status TYPED(loss_door)(const void *call)
{
    const TYPED(loss_call) *c = call;
    return TYPED(fastrnn_char_rnn_loss)(c->shape, c->model, c->inputs, c->targets, c->hprev, c->clip, c->gradients,
                                        c->hlast, c->loss, c->workspace);
}

/* ---- char_rnn_train -------------------------------------------------------------------------------------------- */

typedef struct {
    fastrnn_shape *shape;
    TYPED(fastrnn_char_rnn) *model, *memory;
    REAL *hprev;
    fastrnn_training *training;
    size_t iterations;
    fastrnn_interruption *interruption;
    void *workspace;
} TYPED(train_call);

/* An optimizer's memory as it is after some iterations: sums of squares. */
static TYPED(fastrnn_char_rnn) TYPED(random_memory)(const fastrnn_shape *s)
{
    return (TYPED(fastrnn_char_rnn)){
        .rnn = {TYPED(squares)(s->H * s->V), TYPED(squares)(s->H * s->H), TYPED(squares)(s->H)},
        .output = {TYPED(squares)(s->V * s->H), TYPED(squares)(s->V)}};
}

/* A text of `length` characters, from the start of it. */
static TYPED(train_call) TYPED(valid_train_call)(const fastrnn_shape *s, size_t length, size_t iterations)
{
    TYPED(fastrnn_char_rnn) model = TYPED(random_model)(s), squares = TYPED(random_memory)(s);
    fastrnn_training training = {.text = {random_characters(length, s->V), length, sizeof(int64_t)},
                                 .schedule.learning_rate = 0.02,
                                 .clip_value = 1,
                                 .clip_norm = INFINITY,
                                 .smooth_loss = (double)s->T * log((double)s->V)};
    fastrnn_interruption interruption = {never, NULL};
    return (TYPED(train_call)){.shape = guarded_copy(s, sizeof *s),
                               .model = guarded_copy(&model, sizeof model),
                               .memory = guarded_copy(&squares, sizeof squares),
                               .hprev = TYPED(randoms)(s->B * s->H, 1),
                               .training = guarded_copy(&training, sizeof training),
                               .iterations = iterations,
                               .interruption = guarded_copy(&interruption, sizeof interruption),
                               .workspace = TYPED(workspace)(s)};
}

static fastrnn_status TYPED(train_door)(const void *call)
{
    const TYPED(train_call) *c = call;
    return TYPED(fastrnn_char_rnn_train)(c->shape, c->model, c->memory, c->hprev, c->training, c->iterations,
                                         c->interruption, c->workspace);
}

/* ---- char_rnn_sample ------------------------------------------------------------------------------------------- */

typedef struct {
    fastrnn_shape *shape;
    TYPED(fastrnn_char_rnn) *model;
    REAL *h;
    int64_t first;
    size_t n;
    double temperature;
    fastrnn_uniform_source *uniform;
    int64_t *characters;
    void *workspace;
} TYPED(sample_call);

static TYPED(sample_call) TYPED(valid_sample_call)(const fastrnn_shape *s, size_t n, uniform_numbers *numbers)
{
    TYPED(fastrnn_char_rnn) model = TYPED(random_model)(s);
    fastrnn_uniform_source source = {next_uniform_number, numbers};
    return (TYPED(sample_call)){.shape = guarded_copy(s, sizeof *s),
                                .model = guarded_copy(&model, sizeof model),
                                .h = TYPED(randoms)(s->H, 1),
                                .first = (int64_t)random_below(s->V),
                                .n = n,
                                .temperature = 1,
                                .uniform = guarded_copy(&source, sizeof source),
                                .characters = guarded(n * sizeof(int64_t)),
                                .workspace = TYPED(workspace)(s)};
}

static fastrnn_status TYPED(sample_door)(const void *call)
{
    const TYPED(sample_call) *c = call;
    return TYPED(fastrnn_char_rnn_sample)(c->shape, c->model, c->h, c->first, c->n, c->temperature, c->uniform,
                                          c->characters, c->workspace);
}

/* ---- softmax_cross_entropy ------------------------------------------------------------------------------------- */

typedef struct {
    size_t N, V;
    int64_t *targets;
    REAL *logits;
    double *loss;
} TYPED(softmax_call);

static TYPED(softmax_call) TYPED(valid_softmax_call)(size_t N, size_t V)
{
    return (TYPED(softmax_call)){.N = N,
                                 .V = V,
                                 .targets = random_characters(N, V),
                                 .logits = TYPED(randoms)(N * V, 10),
                                 .loss = guarded(sizeof(double))};
}

static fastrnn_status TYPED(softmax_door)(const void *call)
{
    const TYPED(softmax_call) *c = call;
    return TYPED(fastrnn_softmax_cross_entropy)(c->N, c->V, c->targets, c->logits, c->loss);
}

/* ---- clip, scale, norm, exp, tanh, sigmoid ----------------------------------------------------------------------- */

typedef struct {
    size_t n;
    double limit;
    REAL *x;
} TYPED(clip_call);

static fastrnn_status TYPED(clip_door)(const void *call)
{
    const TYPED(clip_call) *c = call;
    return TYPED(fastrnn_clip)(c->n, c->limit, c->x);
}

typedef struct {
    size_t n;
    double factor;
    REAL *x;
} TYPED(scale_call);

static fastrnn_status TYPED(scale_door)(const void *call)
{
    const TYPED(scale_call) *c = call;
    return TYPED(fastrnn_scale)(c->n, c->factor, c->x);
}

typedef struct {
    size_t n;
    REAL *x;
    double *norm;
} TYPED(norm_call);

static fastrnn_status TYPED(norm_door)(const void *call)
{
    const TYPED(norm_call) *c = call;
    return TYPED(fastrnn_norm)(c->n, c->x, c->norm);
}

typedef struct {
    const char *name;
    fastrnn_status (*apply)(size_t n, const REAL *x, REAL *y);
    WIDE (*exact)(WIDE x);
} TYPED(function);

static WIDE TYPED(exact_sigmoid)(WIDE x)
{
    WIDE e = WIDE_MATH(exp)(-WIDE_MATH(fabs)(x));
    return (x < 0 ? e : 1) / (1 + e);
}

static const TYPED(function) TYPED(functions)[] = {
    {"exp", TYPED(fastrnn_exp), WIDE_MATH(exp)},
    {"tanh", TYPED(fastrnn_tanh), WIDE_MATH(tanh)},
    {"sigmoid", TYPED(fastrnn_sigmoid), TYPED(exact_sigmoid)},
};

typedef struct {
    const TYPED(function) *function;
    size_t n;
    REAL *x, *y;
} TYPED(function_call);

static fastrnn_status TYPED(function_door)(const void *call)
{
    const TYPED(function_call) *c = call;
    return c->function->apply(c->n, c->x, c->y);
}

/* ---- losses over numbers and their targets --------------------------------------------------------------------- */

typedef struct {
    const char *name;
    fastrnn_status (*apply)(size_t n, double scale, const REAL *targets, REAL *x, double *loss);
    WIDE (*loss)(WIDE x, WIDE target);
    WIDE (*gradient)(WIDE x, WIDE target);
} TYPED(loss_function);

/* ln(1 + e^x) - t x */
static WIDE TYPED(exact_cross_entropy)(WIDE x, WIDE t)
{
    return (x > 0 ? x : 0) - t * x + WIDE_MATH(log1p)(WIDE_MATH(exp)(-WIDE_MATH(fabs)(x)));
}

static WIDE TYPED(exact_cross_entropy_gradient)(WIDE x, WIDE t)
{
    return TYPED(exact_sigmoid)(x) - t;
}

static WIDE TYPED(exact_squared_error)(WIDE x, WIDE t)
{
    return (x - t) * (x - t);
}

static WIDE TYPED(exact_squared_error_gradient)(WIDE x, WIDE t)
{
    return 2 * (x - t);
}

static const TYPED(loss_function) TYPED(loss_functions)[] = {
    {"sigmoid_binary_cross_entropy", TYPED(fastrnn_sigmoid_binary_cross_entropy), TYPED(exact_cross_entropy),
     TYPED(exact_cross_entropy_gradient)},
    {"squared_error", TYPED(fastrnn_squared_error), TYPED(exact_squared_error), TYPED(exact_squared_error_gradient)},
};

typedef struct {
    const TYPED(loss_function) *function;
    size_t n;
    double scale;
    REAL *targets, *x;
    double *loss;
} TYPED(targets_call);

static TYPED(targets_call) TYPED(valid_targets_call)(const TYPED(loss_function) *function, size_t n)
{
    return (TYPED(targets_call)){
        function, n, 1, TYPED(squares)(n), TYPED(randoms)(n, 5), guarded(sizeof(double)),
    };
}

static fastrnn_status TYPED(targets_door)(const void *call)
{
    const TYPED(targets_call) *c = call;
    return c->function->apply(c->n, c->scale, c->targets, c->x, c->loss);
}

/* ---- optimizers ------------------------------------------------------------------------------------------------ */

/* A union is where each of its members is; s->sgd would not do where s is NULL on purpose. */
static fastrnn_status TYPED(apply_sgd)(const fastrnn_optimizer_settings *s, size_t n,
                                       const TYPED(fastrnn_update) *arrays)
{
    return TYPED(fastrnn_sgd)((const fastrnn_sgd *)s, n, arrays);
}

static fastrnn_status TYPED(apply_adagrad)(const fastrnn_optimizer_settings *s, size_t n,
                                           const TYPED(fastrnn_update) *arrays)
{
    return TYPED(fastrnn_adagrad)((const fastrnn_adagrad *)s, n, arrays);
}

static fastrnn_status TYPED(apply_rmsprop)(const fastrnn_optimizer_settings *s, size_t n,
                                           const TYPED(fastrnn_update) *arrays)
{
    return TYPED(fastrnn_rmsprop)((const fastrnn_rmsprop *)s, n, arrays);
}

static fastrnn_status TYPED(apply_adam)(const fastrnn_optimizer_settings *s, size_t n,
                                        const TYPED(fastrnn_update) *arrays)
{
    return TYPED(fastrnn_adam)((const fastrnn_adam *)s, n, arrays);
}

typedef struct {
    const char *name;
    fastrnn_status (*apply)(const fastrnn_optimizer_settings *settings, size_t n, const TYPED(fastrnn_update) *arrays);
    void (*naive)(const fastrnn_optimizer_settings *settings, naive_numbers *x);
    bool momentum, mean, squares; /* which arrays it needs */
    fastrnn_optimizer_settings settings;
} TYPED(optimizer);

#define SGD(...) "sgd", TYPED(apply_sgd), naive_sgd, __VA_ARGS__
#define ADAGRAD "adagrad", TYPED(apply_adagrad), naive_adagrad, false, false, true
#define RMSPROP(...) "rmsprop", TYPED(apply_rmsprop), naive_rmsprop, __VA_ARGS__
#define ADAM "adam", TYPED(apply_adam), naive_adam, false, true, true

static const TYPED(optimizer) TYPED(optimizers)[] = {
    {SGD(false, false, false), {.sgd = {.learning_rate = 0.1, .iteration = 1}}},
    {SGD(false, false, false), {.sgd = {.learning_rate = 0.1, .weight_decay = 0.3, .iteration = 1}}},
    {SGD(true, false, false), {.sgd = {.learning_rate = 0.1, .momentum = 0.9, .dampening = 0.5, .iteration = 2}}},
    {SGD(true, false, false),
     {.sgd = {.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.3, .nesterov = 1, .iteration = 5}}},
    {ADAGRAD, {.adagrad = {.learning_rate = 0.1, .eps = 1e-10}}},
    {ADAGRAD, {.adagrad = {.learning_rate = -0.1, .eps = 1e-8, .eps_inside_sqrt = 1}}},
    {ADAGRAD, {.adagrad = {.learning_rate = 0.1, .eps = 1e-3, .eps_inside_sqrt = 1, .weight_decay = 0.3}}},
    {RMSPROP(false, false, true), {.rmsprop = {.learning_rate = 0.1, .alpha = 0.99, .eps = 1e-8}}},
    {RMSPROP(true, true, true),
     {.rmsprop = {0.1, .alpha = 0.9, .eps = 1e-3, .momentum = 0.9, .weight_decay = 0.3, .centered = 1}}},
    {ADAM, {.adam = {.learning_rate = 0.1, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .iteration = 3}}},
    {ADAM, {.adam = {0.1, .beta1 = 0.3, .beta2 = 0.99, .eps = 1e-3, .weight_decay = 0.3, .iteration = 1000}}},
    {ADAM, {.adam = {0.1, 0.9, 0.999, .eps = 1e-8, .weight_decay = 0.3, .decoupled = 1, .iteration = 3}}},
};

#undef SGD
#undef ADAGRAD
#undef RMSPROP
#undef ADAM

typedef struct {
    const TYPED(optimizer) *optimizer;
    fastrnn_optimizer_settings *settings;
    size_t n;
    TYPED(fastrnn_update) *arrays;
} TYPED(optimizer_call);

/* The arrays that this optimizer does not need are NULL. */
static TYPED(optimizer_call) TYPED(blank_optimizer_call)(const TYPED(optimizer) *optimizer, size_t n)
{
    const TYPED(fastrnn_update) arrays = {
        .parameter = TYPED(blanks)(n),
        .gradient = TYPED(blanks)(n),
        .momentum = optimizer->momentum ? TYPED(blanks)(n) : NULL,
        .mean = optimizer->mean ? TYPED(blanks)(n) : NULL,
        .squares = optimizer->squares ? TYPED(blanks)(n) : NULL,
    };
    return (TYPED(optimizer_call)){optimizer, guarded_copy(&optimizer->settings, sizeof(fastrnn_optimizer_settings)), n,
                                   guarded_copy(&arrays, sizeof arrays)};
}

static void TYPED(put)(REAL *array, size_t i, double x)
{
    if (array != NULL) {
        array[i] = (REAL)x;
    }
}

/* A mean is at most the root of the mean square; here it is so much smaller that their difference keeps its digits. */
static TYPED(optimizer_call) TYPED(valid_optimizer_call)(const TYPED(optimizer) *optimizer, size_t n)
{
    const TYPED(optimizer_call) c = TYPED(blank_optimizer_call)(optimizer, n);
    for (size_t i = 0; i < n; i++) {
        const double root = i % 3 == 0 ? 0 : ldexp(random_unit(), -(int)random_below(15));
        c.arrays->parameter[i] = (REAL)random_within(1);
        TYPED(put)((REAL *)c.arrays->gradient, i, ldexp(random_within(1), -(int)random_below(25)));
        TYPED(put)(c.arrays->momentum, i, random_within(1));
        TYPED(put)(c.arrays->mean, i, root * random_within(0.7));
        TYPED(put)(c.arrays->squares, i, root * root);
    }
    return c;
}

static fastrnn_status TYPED(optimizer_door)(const void *call)
{
    const TYPED(optimizer_call) *c = call;
    return c->optimizer->apply(c->settings, c->n, c->arrays);
}

/* The optimizers: each one pass over n contiguous numbers, equal step for step to PyTorch's update of one tensor.
 *
 * A step takes a register of each array and gives them back updated; update() carries it over all of them. What a step
 * needs besides is worked out once, in double as PyTorch does, and rounded to this dtype. Settings that leave a part
 * of a step out are branches that go the same way for all registers of a call. */

/* A register of each array of fastrnn_update; those that an optimizer has no use for are 0. */
typedef struct {
    vec parameter, gradient, momentum, mean, squares;
} update_registers;

typedef update_registers update_step(update_registers x, const void *constants);

/* Numbers i ... i + n - 1 of an array, 1 <= n <= VEC_LANES, unless there is none. */
INLINE vec load_slot(const real *slot, size_t i, size_t n)
{
    return slot == NULL ? vec_set1(0) : load_up_to(slot + i, n);
}

INLINE void store_slot(real *slot, size_t i, size_t n, vec x)
{
    if (slot != NULL) {
        store_up_to(slot + i, n, x);
    }
}

/* What is done to the gradient on its way: each element clipped to [-most, most], then all multiplied by factor. */
typedef struct {
    real most, factor;
} gradient_limits;

static const gradient_limits no_limits = {INFINITY, 1};

INLINE void update_register(const TYPED(fastrnn_update) *a, size_t i, size_t n, gradient_limits limits,
                            update_step *step, const void *constants)
{
    const vec gradient = vec_clamp(load_up_to(a->gradient + i, n), -limits.most, limits.most);
    const update_registers x = step(
        (update_registers){
            .parameter = load_up_to(a->parameter + i, n),
            .gradient = vec_mul(vec_set1(limits.factor), gradient),
            .momentum = load_slot(a->momentum, i, n),
            .mean = load_slot(a->mean, i, n),
            .squares = load_slot(a->squares, i, n),
        },
        constants);
    store_up_to(a->parameter + i, n, x.parameter);
    store_slot(a->momentum, i, n, x.momentum);
    store_slot(a->mean, i, n, x.mean);
    store_slot(a->squares, i, n, x.squares);
}

INLINE void update(size_t n, const TYPED(fastrnn_update) *arrays, gradient_limits limits, update_step *step,
                   const void *constants)
{
    size_t i = 0;
    for (; i + VEC_LANES <= n; i += VEC_LANES) {
        update_register(arrays, i, VEC_LANES, limits, step, constants);
    }
    if (i < n) {
        update_register(arrays, i, n - i, limits, step, constants);
    }
}

/* g + decay p, the gradient of the loss plus decay / 2 times the sum of p^2; a decay of 0 leaves g alone, also where p
 * is infinite. */
INLINE vec decayed(vec g, real decay, vec p)
{
    return decay == 0 ? g : vec_fma(vec_set1(decay), p, g);
}

/* (1 - weight) mean + weight x. The difference that is scaled is added to the one of the two that counts for more, so
 * that a mean that has reached x stays there. */
INLINE vec moved_towards(vec mean, vec x, real weight)
{
    const vec difference = vec_sub(x, mean);
    return weight < (real)0.5 ? vec_fma(vec_set1(weight), difference, mean)
                              : vec_fma(vec_set1(weight - 1), difference, x);
}

/* kept squares + added g^2 */
INLINE vec moved_squares(vec squares, vec g, real kept, real added)
{
    return vec_fma(vec_mul(vec_set1(added), g), g, vec_mul(vec_set1(kept), squares));
}

/* ---- SGD ------------------------------------------------------------------------------------------------------- */

typedef struct {
    real learning_rate, weight_decay;
    real momentum, added; /* buffer = momentum buffer + added g */
    bool has_momentum, nesterov;
} sgd_constants;

/* g += weight_decay p;  buffer = momentum buffer + added g;  p -= learning_rate (buffer, or g + momentum buffer) */
INLINE update_registers sgd_step(update_registers x, const void *constants)
{
    const sgd_constants *c = constants;
    vec change = decayed(x.gradient, c->weight_decay, x.parameter);
    if (c->has_momentum) {
        const vec g = change, momentum = vec_set1(c->momentum);
        x.momentum = vec_fma(momentum, x.momentum, vec_mul(vec_set1(c->added), g));
        change = c->nesterov ? vec_fma(momentum, x.momentum, g) : x.momentum;
    }
    x.parameter = vec_fma(vec_set1(-c->learning_rate), change, x.parameter);
    return x;
}

static void sgd_limited(const fastrnn_sgd *settings, gradient_limits limits, size_t n,
                        const TYPED(fastrnn_update) *arrays)
{
    const bool has_momentum = settings->momentum != 0, first = settings->iteration == 1;
    const sgd_constants c = {
        .learning_rate = (real)settings->learning_rate,
        .weight_decay = (real)settings->weight_decay,
        .momentum = (real)settings->momentum,
        .added = first ? 1 : (real)(1 - settings->dampening), /* the buffer is 0 then, and becomes the gradient */
        .has_momentum = has_momentum,
        .nesterov = settings->nesterov != 0,
    };
    const TYPED(fastrnn_update) a = {arrays->parameter, arrays->gradient,
                                     .momentum = has_momentum ? arrays->momentum : NULL};
    const uint64_t subnormals = subnormals_as_zero();
    update(n, &a, limits, sgd_step, &c);
    subnormals_restore(subnormals);
}

static void sgd(const fastrnn_sgd *settings, size_t n, const TYPED(fastrnn_update) *arrays)
{
    sgd_limited(settings, no_limits, n, arrays);
}

/* ---- Adagrad --------------------------------------------------------------------------------------------------- */

typedef struct {
    real learning_rate, weight_decay, eps;
    bool eps_inside_sqrt;
} adagrad_constants;

/* g += weight_decay p;  squares += g^2;  p -= learning_rate g / (sqrt(squares) + eps), or / sqrt(squares + eps) */
INLINE update_registers adagrad_step(update_registers x, const void *constants)
{
    const adagrad_constants *c = constants;
    const vec g = decayed(x.gradient, c->weight_decay, x.parameter);
    const vec eps = vec_set1(c->eps), rate = vec_set1(-c->learning_rate), half_rate = vec_set1(-c->learning_rate / 2);
    x.squares = vec_fma(g, g, x.squares);
    if (c->eps_inside_sqrt) {
        const inverse_root r = vec_rsqrt(vec_add(x.squares, eps));
        x.parameter = vec_fma(vec_mul(g, r.estimate), vec_fma(half_rate, r.error, rate), x.parameter);
    } else {
        x.parameter = vec_add(x.parameter, vec_div(vec_mul(rate, g), vec_add(vec_sqrt(x.squares), eps)));
    }
    return x;
}

static void adagrad_limited(const fastrnn_adagrad *settings, gradient_limits limits, size_t n,
                            const TYPED(fastrnn_update) *arrays)
{
    const adagrad_constants c = {
        .learning_rate = (real)settings->learning_rate,
        .weight_decay = (real)settings->weight_decay,
        .eps = (real)settings->eps,
        .eps_inside_sqrt = settings->eps_inside_sqrt != 0,
    };
    const TYPED(fastrnn_update) a = {arrays->parameter, arrays->gradient, .squares = arrays->squares};
    const uint64_t subnormals = subnormals_as_zero();
    update(n, &a, limits, adagrad_step, &c);
    subnormals_restore(subnormals);
}

static void adagrad(const fastrnn_adagrad *settings, size_t n, const TYPED(fastrnn_update) *arrays)
{
    adagrad_limited(settings, no_limits, n, arrays);
}

/* min-char-rnn's update, the gradient clipped to [-limit, limit] on its way. */
static void clipped_adagrad(size_t n, real learning_rate, real limit, const real *gradient, real *squares,
                            real *parameter)
{
    const adagrad_constants c = {
        .learning_rate = learning_rate, .eps = (real)1e-8, .eps_inside_sqrt = true};
    const TYPED(fastrnn_update) a = {parameter, gradient, .squares = squares};
    update(n, &a, (gradient_limits){limit, 1}, adagrad_step, &c);
}

/* ---- RMSprop --------------------------------------------------------------------------------------------------- */

typedef struct {
    real learning_rate, weight_decay, eps, momentum;
    real kept, added; /* squares = kept squares + added g^2 */
    bool centered, has_momentum;
} rmsprop_constants;

/* g += weight_decay p;  squares = alpha squares + (1 - alpha) g^2;  mean = alpha mean + (1 - alpha) g
 * change = g / (sqrt(squares) + eps), or g / (sqrt(squares - mean^2) + eps)
 * p -= learning_rate change, or buffer = momentum buffer + change;  p -= learning_rate buffer */
INLINE update_registers rmsprop_step(update_registers x, const void *constants)
{
    const rmsprop_constants *c = constants;
    const vec g = decayed(x.gradient, c->weight_decay, x.parameter);
    x.squares = moved_squares(x.squares, g, c->kept, c->added);
    vec variance = x.squares;
    if (c->centered) {
        x.mean = moved_towards(x.mean, g, c->added);
        /* Of a gradient that stays the same it may come out below 0 by a rounding error. */
        variance = vec_max(vec_set1(0), vec_sub(x.squares, vec_mul(x.mean, x.mean)));
    }
    vec change = vec_div(g, vec_add(vec_sqrt(variance), vec_set1(c->eps)));
    if (c->has_momentum) {
        change = x.momentum = vec_fma(vec_set1(c->momentum), x.momentum, change);
    }
    x.parameter = vec_fma(vec_set1(-c->learning_rate), change, x.parameter);
    return x;
}

static void rmsprop_limited(const fastrnn_rmsprop *settings, gradient_limits limits, size_t n,
                            const TYPED(fastrnn_update) *arrays)
{
    const bool has_momentum = settings->momentum != 0, centered = settings->centered != 0;
    const rmsprop_constants c = {
        .learning_rate = (real)settings->learning_rate,
        .weight_decay = (real)settings->weight_decay,
        .eps = (real)settings->eps,
        .momentum = (real)settings->momentum,
        .kept = (real)settings->alpha,
        .added = (real)(1 - settings->alpha),
        .centered = centered,
        .has_momentum = has_momentum,
    };
    const TYPED(fastrnn_update) a = {arrays->parameter, arrays->gradient,
                                     .momentum = has_momentum ? arrays->momentum : NULL,
                                     .mean = centered ? arrays->mean : NULL,
                                     .squares = arrays->squares};
    const uint64_t subnormals = subnormals_as_zero();
    update(n, &a, limits, rmsprop_step, &c);
    subnormals_restore(subnormals);
}

static void rmsprop(const fastrnn_rmsprop *settings, size_t n, const TYPED(fastrnn_update) *arrays)
{
    rmsprop_limited(settings, no_limits, n, arrays);
}

/* ---- Adam, AdamW ----------------------------------------------------------------------------------------------- */

typedef struct {
    real weight_decay;  /* added to the gradient */
    real kept;          /* of the parameter, where the decay is decoupled */
    real mean_added;    /* mean += mean_added (g - mean) */
    real squares_kept, squares_added;
    real step;          /* -learning_rate / (1 - beta1^t) */
    real root_scale;    /* 1 / sqrt(1 - beta2^t) */
    real eps;
} adam_constants;

/* g += weight_decay p, or p -= learning_rate weight_decay p
 * mean = beta1 mean + (1 - beta1) g;  squares = beta2 squares + (1 - beta2) g^2
 * p -= learning_rate / (1 - beta1^t) mean / (sqrt(squares) / sqrt(1 - beta2^t) + eps) */
INLINE update_registers adam_step(update_registers x, const void *constants)
{
    const adam_constants *c = constants;
    const vec g = decayed(x.gradient, c->weight_decay, x.parameter);
    x.mean = moved_towards(x.mean, g, c->mean_added);
    x.squares = moved_squares(x.squares, g, c->squares_kept, c->squares_added);
    const vec root = vec_fma(vec_sqrt(x.squares), vec_set1(c->root_scale), vec_set1(c->eps));
    const vec change = vec_div(vec_mul(vec_set1(c->step), x.mean), root);
    x.parameter = vec_fma(vec_set1(c->kept), x.parameter, change);
    return x;
}

static void adam_limited(const fastrnn_adam *settings, gradient_limits limits, size_t n,
                         const TYPED(fastrnn_update) *arrays)
{
    const double t = (double)settings->iteration;
    const bool decoupled = settings->decoupled != 0;
    const adam_constants c = {
        .weight_decay = decoupled ? 0 : (real)settings->weight_decay,
        .kept = decoupled ? (real)(1 - settings->learning_rate * settings->weight_decay) : 1,
        .mean_added = (real)(1 - settings->beta1),
        .squares_kept = (real)settings->beta2,
        .squares_added = (real)(1 - settings->beta2),
        .step = (real)(-settings->learning_rate / (1 - pow(settings->beta1, t))),
        .root_scale = (real)(1 / sqrt(1 - pow(settings->beta2, t))),
        .eps = (real)settings->eps,
    };
    const TYPED(fastrnn_update) a = {arrays->parameter, arrays->gradient, .mean = arrays->mean,
                                     .squares = arrays->squares};
    const uint64_t subnormals = subnormals_as_zero();
    update(n, &a, limits, adam_step, &c);
    subnormals_restore(subnormals);
}

static void adam(const fastrnn_adam *settings, size_t n, const TYPED(fastrnn_update) *arrays)
{
    adam_limited(settings, no_limits, n, arrays);
}

/* ---- any of them ----------------------------------------------------------------------------------------------- */

/* A step of this optimizer, at this learning rate, the iteration being 1 for the first. */
static void optimizer_step(const fastrnn_optimizer *optimizer, double learning_rate, uint64_t iteration,
                           gradient_limits limits, size_t n, const TYPED(fastrnn_update) *arrays)
{
    fastrnn_optimizer now = *optimizer;
    switch (now.kind) {
    case FASTRNN_SGD:
        now.settings.sgd.learning_rate = learning_rate;
        now.settings.sgd.iteration = iteration;
        sgd_limited(&now.settings.sgd, limits, n, arrays);
        break;
    case FASTRNN_ADAGRAD:
        now.settings.adagrad.learning_rate = learning_rate;
        adagrad_limited(&now.settings.adagrad, limits, n, arrays);
        break;
    case FASTRNN_RMSPROP:
        now.settings.rmsprop.learning_rate = learning_rate;
        rmsprop_limited(&now.settings.rmsprop, limits, n, arrays);
        break;
    case FASTRNN_ADAM:
        now.settings.adam.learning_rate = learning_rate;
        now.settings.adam.iteration = iteration;
        adam_limited(&now.settings.adam, limits, n, arrays);
        break;
    }
}

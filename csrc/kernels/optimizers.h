/* The optimizers: each one pass over contiguous numbers or rows of them, equal step for step to PyTorch's update of one
 * tensor.
 *
 * A step takes a register of each array and gives them back updated; update() carries it over all of them. What a step
 * needs besides is worked out once, in double as PyTorch does, and rounded to this dtype. Settings that leave a part
 * of a step out are branches that go the same way for all registers of a call. */

/* A register of each array of fastrnn_update; those that an optimizer has no use for are 0. */
typedef struct {
    vec parameter, gradient, momentum, mean, squares;
} update_registers;

typedef update_registers update_step(update_registers x, const void *constants);

/* Numbers i ... i + n - 1 of an array, 1 <= n <= VEC_LANES, if it is used. */
INLINE vec load_slot(const bool used, const real *slot, size_t i, size_t n)
{
    return used ? load_up_to(slot + i, n) : vec_set1(0);
}

INLINE void store_slot(const bool used, real *slot, size_t i, size_t n, vec x)
{
    if (used) {
        store_up_to(slot + i, n, x);
    }
}

/* What of the arrays besides parameter and gradient an optimizer uses. */
typedef enum { USES_MOMENTUM = 1, USES_MEAN = 2, USES_SQUARES = 4 } slot_set;

/* Which numbers are updated: `rows` rows of n, `row` apart in all arrays but the gradient. */
typedef struct {
    size_t rows, n, row, gradient_row;
} update_span;

static update_span flat_span(size_t n)
{
    return (update_span){1, n, n, n};
}

/* Numbers `at` ... at + n - 1 of the arrays, and those of the gradient from `from` on, each clipped to [-most, most]. */
INLINE void update_register(const TYPED(fastrnn_update) *a, size_t at, size_t from, size_t n, real most, const int slots,
                            update_step *step, const void *constants)
{
    const update_registers x = step(
        (update_registers){
            .parameter = load_up_to(a->parameter + at, n),
            .gradient = vec_clamp(load_up_to(a->gradient + from, n), -most, most),
            .momentum = load_slot(slots & USES_MOMENTUM, a->momentum, at, n),
            .mean = load_slot(slots & USES_MEAN, a->mean, at, n),
            .squares = load_slot(slots & USES_SQUARES, a->squares, at, n),
        },
        constants);
    store_up_to(a->parameter + at, n, x.parameter);
    store_slot(slots & USES_MOMENTUM, a->momentum, at, n, x.momentum);
    store_slot(slots & USES_MEAN, a->mean, at, n, x.mean);
    store_slot(slots & USES_SQUARES, a->squares, at, n, x.squares);
}

/* With constant slots nothing is left of the choice among them. What is written might be any of what is pointed to, so
 * the caller's constants must be its own copy, which nothing else points to. */
INLINE void update(const update_span *span, const TYPED(fastrnn_update) *arrays, real most, const int slots,
                   update_step *step, const void *constants)
{
    const TYPED(fastrnn_update) a = *arrays;
    const update_span s = *span;
    const size_t n = s.n, whole = n / VEC_LANES * VEC_LANES;
    for (size_t i = 0; i < s.rows; i++) {
        const size_t at = i * s.row, from = i * s.gradient_row;
        for (size_t j = 0; j < whole; j += VEC_LANES) {
            update_register(&a, at + j, from + j, VEC_LANES, most, slots, step, constants);
        }
        if (whole < n) {
            update_register(&a, at + whole, from + whole, n - whole, most, slots, step, constants);
        }
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

static sgd_constants constants_of_sgd(const fastrnn_sgd *settings)
{
    const bool first = settings->iteration == 1;
    return (sgd_constants){
        .learning_rate = (real)settings->learning_rate,
        .weight_decay = (real)settings->weight_decay,
        .momentum = (real)settings->momentum,
        .added = first ? 1 : (real)(1 - settings->dampening), /* the buffer is 0 then, and becomes the gradient */
        .has_momentum = settings->momentum != 0,
        .nesterov = settings->nesterov != 0,
    };
}

static void sgd_update(const update_span *span, const TYPED(fastrnn_update) *arrays, real most, sgd_constants c)
{
    if (c.has_momentum) {
        update(span, arrays, most, USES_MOMENTUM, sgd_step, &c);
    } else {
        update(span, arrays, most, 0, sgd_step, &c);
    }
}

/* ---- Adagrad --------------------------------------------------------------------------------------------------- */

typedef struct {
    real learning_rate, weight_decay, eps;
    bool eps_inside_sqrt;
} adagrad_constants;

/* g += weight_decay p;  squares += g^2;  p -= learning_rate g / sqrt(squares + eps) ... */
INLINE update_registers adagrad_inside_step(update_registers x, const void *constants)
{
    const adagrad_constants *c = constants;
    const vec g = decayed(x.gradient, c->weight_decay, x.parameter);
    const vec rate = vec_set1(-c->learning_rate), half_rate = vec_set1(-c->learning_rate / 2);
    x.squares = vec_fma(g, g, x.squares);
    const inverse_root r = vec_rsqrt(vec_add(x.squares, vec_set1(c->eps)));
    x.parameter = vec_fma(vec_mul(g, r.estimate), vec_fma(half_rate, r.error, rate), x.parameter);
    return x;
}

/* ... or / (sqrt(squares) + eps) */
INLINE update_registers adagrad_outside_step(update_registers x, const void *constants)
{
    const adagrad_constants *c = constants;
    const vec g = decayed(x.gradient, c->weight_decay, x.parameter);
    x.squares = vec_fma(g, g, x.squares);
    const vec root = vec_add(vec_sqrt(x.squares), vec_set1(c->eps));
    x.parameter = vec_add(x.parameter, vec_div(vec_mul(vec_set1(-c->learning_rate), g), root));
    return x;
}

static adagrad_constants constants_of_adagrad(const fastrnn_adagrad *settings)
{
    return (adagrad_constants){
        .learning_rate = (real)settings->learning_rate,
        .weight_decay = (real)settings->weight_decay,
        .eps = (real)settings->eps,
        .eps_inside_sqrt = settings->eps_inside_sqrt != 0,
    };
}

static void adagrad_update(const update_span *span, const TYPED(fastrnn_update) *arrays, real most,
                           adagrad_constants c)
{
    if (c.eps_inside_sqrt) {
        update(span, arrays, most, USES_SQUARES, adagrad_inside_step, &c);
    } else {
        update(span, arrays, most, USES_SQUARES, adagrad_outside_step, &c);
    }
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

static rmsprop_constants constants_of_rmsprop(const fastrnn_rmsprop *settings)
{
    return (rmsprop_constants){
        .learning_rate = (real)settings->learning_rate,
        .weight_decay = (real)settings->weight_decay,
        .eps = (real)settings->eps,
        .momentum = (real)settings->momentum,
        .kept = (real)settings->alpha,
        .added = (real)(1 - settings->alpha),
        .centered = settings->centered != 0,
        .has_momentum = settings->momentum != 0,
    };
}

static void rmsprop_update(const update_span *span, const TYPED(fastrnn_update) *arrays, real most,
                           rmsprop_constants c)
{
    const int slots = USES_SQUARES | (c.has_momentum ? USES_MOMENTUM : 0) | (c.centered ? USES_MEAN : 0);
    update(span, arrays, most, slots, rmsprop_step, &c);
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

static adam_constants constants_of_adam(const fastrnn_adam *settings)
{
    const double t = (double)settings->iteration;
    const bool decoupled = settings->decoupled != 0;
    return (adam_constants){
        .weight_decay = decoupled ? 0 : (real)settings->weight_decay,
        .kept = decoupled ? (real)(1 - settings->learning_rate * settings->weight_decay) : 1,
        .mean_added = (real)(1 - settings->beta1),
        .squares_kept = (real)settings->beta2,
        .squares_added = (real)(1 - settings->beta2),
        .step = (real)(-settings->learning_rate / (1 - pow(settings->beta1, t))),
        .root_scale = (real)(1 / sqrt(1 - pow(settings->beta2, t))),
        .eps = (real)settings->eps,
    };
}

static void adam_update(const update_span *span, const TYPED(fastrnn_update) *arrays, real most, adam_constants c)
{
    update(span, arrays, most, USES_MEAN | USES_SQUARES, adam_step, &c);
}

/* ---- any of them ----------------------------------------------------------------------------------------------- */

/* An optimizer's step, worked out but for the numbers that it changes. */
typedef struct {
    fastrnn_optimizer_kind kind;
    real most; /* each element of the gradient is clipped to [-most, most] on its way; INFINITY: it isn't */
    union {
        sgd_constants sgd;
        adagrad_constants adagrad;
        rmsprop_constants rmsprop;
        adam_constants adam;
    } constants;
} update_rule;

/* At this learning rate, the iteration being 1 for the first. */
static update_rule rule_of(const fastrnn_optimizer *optimizer, double learning_rate, uint64_t iteration, real most)
{
    fastrnn_optimizer now = *optimizer;
    update_rule rule = {.kind = now.kind, .most = most};
    switch (now.kind) {
    case FASTRNN_SGD:
        now.settings.sgd.learning_rate = learning_rate;
        now.settings.sgd.iteration = iteration;
        rule.constants.sgd = constants_of_sgd(&now.settings.sgd);
        break;
    case FASTRNN_ADAGRAD:
        now.settings.adagrad.learning_rate = learning_rate;
        rule.constants.adagrad = constants_of_adagrad(&now.settings.adagrad);
        break;
    case FASTRNN_RMSPROP:
        now.settings.rmsprop.learning_rate = learning_rate;
        rule.constants.rmsprop = constants_of_rmsprop(&now.settings.rmsprop);
        break;
    case FASTRNN_ADAM:
        now.settings.adam.learning_rate = learning_rate;
        now.settings.adam.iteration = iteration;
        rule.constants.adam = constants_of_adam(&now.settings.adam);
        break;
    }
    return rule;
}

/* Numbers whose gradient is 0 stay as they are, and so does what is remembered of theirs. */
static bool rests_without_gradient(const update_rule *rule)
{
    return (rule->kind == FASTRNN_ADAGRAD && rule->constants.adagrad.weight_decay == 0) ||
           (rule->kind == FASTRNN_SGD && !rule->constants.sgd.has_momentum && rule->constants.sgd.weight_decay == 0);
}

static void apply_rule(const update_rule *rule, const update_span *span, const TYPED(fastrnn_update) *arrays)
{
    switch (rule->kind) {
    case FASTRNN_SGD:
        sgd_update(span, arrays, rule->most, rule->constants.sgd);
        break;
    case FASTRNN_ADAGRAD:
        adagrad_update(span, arrays, rule->most, rule->constants.adagrad);
        break;
    case FASTRNN_RMSPROP:
        rmsprop_update(span, arrays, rule->most, rule->constants.rmsprop);
        break;
    case FASTRNN_ADAM:
        adam_update(span, arrays, rule->most, rule->constants.adam);
        break;
    }
}

/* ---- the doors ------------------------------------------------------------------------------------------------- */

/* A step over n numbers of each array. */
static void apply_to_all(const update_rule *rule, size_t n, const TYPED(fastrnn_update) *arrays)
{
    const update_span all = flat_span(n);
    const uint64_t subnormals = subnormals_as_zero();
    apply_rule(rule, &all, arrays);
    subnormals_restore(subnormals);
}

static void sgd(const fastrnn_sgd *settings, size_t n, const TYPED(fastrnn_update) *arrays)
{
    const update_rule rule = {
        .kind = FASTRNN_SGD, .most = INFINITY, .constants.sgd = constants_of_sgd(settings)};
    apply_to_all(&rule, n, arrays);
}

static void adagrad(const fastrnn_adagrad *settings, size_t n, const TYPED(fastrnn_update) *arrays)
{
    const update_rule rule = {
        .kind = FASTRNN_ADAGRAD, .most = INFINITY, .constants.adagrad = constants_of_adagrad(settings)};
    apply_to_all(&rule, n, arrays);
}

static void rmsprop(const fastrnn_rmsprop *settings, size_t n, const TYPED(fastrnn_update) *arrays)
{
    const update_rule rule = {
        .kind = FASTRNN_RMSPROP, .most = INFINITY, .constants.rmsprop = constants_of_rmsprop(settings)};
    apply_to_all(&rule, n, arrays);
}

static void adam(const fastrnn_adam *settings, size_t n, const TYPED(fastrnn_update) *arrays)
{
    const update_rule rule = {
        .kind = FASTRNN_ADAM, .most = INFINITY, .constants.adam = constants_of_adam(settings)};
    apply_to_all(&rule, n, arrays);
}

/* Choosing the next token from the outputs y (V) of a network:
 *
 *     p = softmax(y / temperature), all but the largest of it 0, and one number u in [0, 1) to draw by
 *
 * Of equal numbers the one that stands first counts as the larger. */

typedef struct {
    size_t V;
    real scale;   /* 1 / temperature; 0: the likeliest, without a u */
    size_t top_k; /* in [1, V] */
    double top_p;
    const fastrnn_uniform_source *uniform;
    double *cdf; /* (V) */
} chooser;

/* ---- drawing --------------------------------------------------------------------------------------------------- */

/* The token for one uniform number u, as numpy.random.choice draws it: the number of entries of
 * cumsum(p) / sum(p) that are <= u, in float64 whatever the model's dtype. p is finite. The entries rise, and so do their
 * quotients: those that are nowhere near u need no division. */
static size_t draw(size_t V, const real *p, double u, double *cdf)
{
    double total = 0;
    for (size_t i = 0; i < V; i++) {
        total += (double)p[i];
        cdf[i] = total;
    }
    const double near = u * total;
    size_t token = 0;
    for (size_t left = V - 1, half; left > 0; left -= half) { /* the last entry is 1, above every u */
        half = (left + 1) / 2;
        token += cdf[token + half - 1] <= near ? half : 0;
    }
    while (token > 0 && cdf[token - 1] / total > u) {
        token--;
    }
    while (token + 1 < V && cdf[token] / total <= u) {
        token++;
    }
    return token;
}

/* The index of the largest y. False if one is NaN or positive infinity, or all are negative infinity. */
static bool likeliest(size_t V, const real *y, int64_t *token)
{
    const real limit = (real)INFINITY;
    size_t best = 0;
    bool finite = true;
    for (size_t i = 0; i < V; i++) {
        finite &= y[i] < limit;
        best = y[i] > y[best] ? i : best;
    }
    if (!finite || y[best] == -limit) {
        return false;
    }
    *token = (int64_t)best;
    return true;
}

/* ---- the largest ----------------------------------------------------------------------------------------------- */

/* What a number counts for: 1, or itself. */
typedef enum { WEIGH_ONE, WEIGH_VALUE } weighing;

/* x (V) as it falls apart at a number. */
typedef struct {
    double weight; /* of all that are no less */
    real least;    /* of them; infinity: there are none */
    real largest;  /* of those that are less; negative infinity: there are none */
} halves;

static halves halves_at(size_t V, const real *x, weighing way, real at)
{
    const size_t whole = V / VEC_LANES * VEC_LANES;
    const vec border = vec_set1(at), none = vec_set1((real)-INFINITY), zero = vec_set1(0), one = vec_set1(1);
    vec weight = zero, negative_least = none, largest = none;
    for (size_t i = 0; i < V; i += VEC_LANES) {
        const vec v = i < whole ? vec_load(x + i) : vec_load_tail(x + i, V - i, (real)-INFINITY);
        weight = vec_add(weight, vec_select_less(v, border, zero, way == WEIGH_ONE ? one : v));
        negative_least = vec_max(negative_least, vec_select_less(v, border, none, vec_sub(zero, v)));
        largest = vec_max(largest, vec_select_less(v, border, v, none));
    }
    return (halves){(double)vec_reduce_add(weight), -vec_reduce_max(negative_least), vec_reduce_max(largest)};
}

/* Leaves in x (V) only the fewest largest whose weights add up to `target` or more, `nothing` in place of the others. The
 * least that stays lies in [low, high], and is found by halving this, without putting anything in order: both ends move on
 * to numbers of x. NaN stays. */
static void leave_largest(size_t V, weighing way, double target, real low, real high, real nothing, real *x)
{
    double above = 0; /* the weight of all that are larger than `high` */
    while (low < high) {
        const real middle = low / 2 + high / 2, at = middle > low ? middle : high;
        const halves h = halves_at(V, x, way, at);
        if (h.weight >= target) {
            low = h.least;
        } else {
            high = h.largest;
            above = h.weight;
        }
    }
    for (size_t i = 0; i < V; i++) {
        const bool stays = x[i] == high && above < target; /* of equal ones the first */
        above += !stays ? 0 : way == WEIGH_ONE ? 1 : (double)high;
        x[i] = x[i] < high || (x[i] == high && !stays) ? nothing : x[i];
    }
}

/* Of y (V) the k largest stay, negative infinity in place of the others. */
static void leave_top_k(size_t V, size_t k, real *y)
{
    const real infinity = (real)INFINITY, least = halves_at(V, y, WEIGH_ONE, -REAL_LARGEST).least;
    const real largest = halves_at(V, y, WEIGH_ONE, infinity).largest;
    leave_largest(V, WEIGH_ONE, (double)k, least, largest, -infinity, y);
}

/* Of the probabilities p (V) the fewest largest that add up to `part` < 1 of them all stay, 0 in place of the others. All
 * together the p below (1 - part) / V are less than what may be left out: the least that stays is above half of that. */
static void leave_top_p(size_t V, double part, real *p)
{
    const double all = halves_at(V, p, WEIGH_VALUE, 0).weight;
    leave_largest(V, WEIGH_VALUE, part * all, (real)((1 - part) / 2 / (double)V), 1, 0, p);
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

/* The least temperatures have no finite inverse, and infinity times 0 would be NaN. */
static real inverse_temperature(real temperature)
{
    return 1 / temperature < REAL_LARGEST ? 1 / temperature : REAL_LARGEST;
}

/* y is overwritten. False, before a number is taken from the source, if an output is NaN or positive infinity, or all are
 * negative infinity. */
static bool choose(const chooser *c, real *y, int64_t *token)
{
    if (c->scale == 0) {
        return likeliest(c->V, y, token);
    }
    if (c->top_k < c->V) { /* of y: among the p there are more equals */
        leave_top_k(c->V, c->top_k, y);
    }
    if (!isfinite(softmax(c->V, c->scale, y).sum)) {
        return false;
    }
    if (c->top_p < 1) {
        leave_top_p(c->V, c->top_p, y);
    }
    *token = (int64_t)draw(c->V, y, c->uniform->next(c->uniform->state), c->cdf);
    return true;
}

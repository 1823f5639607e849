/* Choosing the next token from the outputs y (V) of a network:
 *
 *     p = softmax(y / temperature), all but the largest of it 0, and one number u in [0, 1) to draw by
 *
 * Which are the largest is found with a heap of their indices, so that of a large vocabulary no more is put in order than
 * is looked at. Of equal numbers the one that stands first counts as the larger. */

typedef struct {
    size_t V;
    real scale;    /* 1 / temperature; 0: the likeliest, without a u */
    size_t top_k;  /* in [1, V] */
    double top_p;
    const fastrnn_uniform_source *uniform;
    double *cdf;   /* (V) */
    uint32_t *heap; /* (V) */
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
    for (size_t i = 0; i + 1 < V; i++) { /* the last entry is 1, above every u */
        token += cdf[i] <= near;
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

INLINE bool counts_less(const real *x, uint32_t i, uint32_t j)
{
    return x[i] < x[j] || (x[i] == x[j] && i > j);
}

INLINE bool counts_more(const real *x, uint32_t i, uint32_t j)
{
    return counts_less(x, j, i);
}

/* Index i of a heap of n sinks to where none below it is above it. */
INLINE void sink(size_t n, uint32_t *heap, size_t i, const real *x, bool (*above)(const real *x, uint32_t i, uint32_t j))
{
    const uint32_t sinking = heap[i];
    for (size_t below; (below = 2 * i + 1) < n; i = below) {
        below += below + 1 < n && above(x, heap[below + 1], heap[below]);
        if (!above(x, heap[below], sinking)) {
            break;
        }
        heap[i] = heap[below];
    }
    heap[i] = sinking;
}

INLINE void make_heap(size_t n, uint32_t *heap, const real *x, bool (*above)(const real *x, uint32_t i, uint32_t j))
{
    for (size_t i = n / 2; i-- > 0;) {
        sink(n, heap, i, x, above);
    }
}

/* The index of the k-th largest of x (V): the first of k kept, the least of which is on top. Where there are NaN it is any
 * index. */
static uint32_t kth_largest(size_t V, size_t k, const real *x, uint32_t *heap)
{
    for (size_t i = 0; i < k; i++) {
        heap[i] = (uint32_t)i;
    }
    make_heap(k, heap, x, counts_less);
    for (size_t i = k; i < V; i++) {
        if (x[i] > x[heap[0]]) {
            heap[0] = (uint32_t)i;
            sink(k, heap, 0, x, counts_less);
        }
    }
    return heap[0];
}

/* The index of the last of the fewest largest of p (V) that add up to `part` < 1 of them all. All together the numbers
 * below (1 - part) / V of the sum are less than what may be left out, so that none of them is among these. */
static uint32_t last_of_part(size_t V, double part, const real *p, uint32_t *heap)
{
    double total = 0, sum = 0;
    for (size_t i = 0; i < V; i++) {
        total += (double)p[i];
    }
    const double least = total * (1 - part) / (double)V;
    size_t n = 0;
    for (size_t i = 0; i < V; i++) {
        heap[n] = (uint32_t)i;
        n += (double)p[i] >= least;
    }
    make_heap(n, heap, p, counts_more);
    uint32_t last = heap[0];
    while (n > 0) { /* by rounding the sum may stay below the part, and then all of them belong to it */
        last = heap[0];
        sum += (double)p[last];
        if (sum >= total * part) {
            break;
        }
        heap[0] = heap[--n];
        sink(n, heap, 0, p, counts_more);
    }
    return last;
}

/* What counts less than x[least] becomes `nothing`; NaN stays. */
static void leave_out_less(size_t V, uint32_t least, real nothing, real *x)
{
    const real limit = x[least];
    for (size_t i = 0; i < V; i++) {
        x[i] = x[i] < limit || (x[i] == limit && i > least) ? nothing : x[i];
    }
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
        leave_out_less(c->V, kth_largest(c->V, c->top_k, y, c->heap), (real)-INFINITY, y);
    }
    if (!isfinite(softmax(c->V, c->scale, y).sum)) {
        return false;
    }
    if (c->top_p < 1) {
        leave_out_less(c->V, last_of_part(c->V, c->top_p, y, c->heap), 0, y);
    }
    *token = (int64_t)draw(c->V, y, c->uniform->next(c->uniform->state), c->cdf);
    return true;
}

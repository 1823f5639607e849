/* Softmax, and its cross-entropy loss. */

typedef struct {
    real largest; /* of the row as it came */
    real sum;     /* of e^(s (y_i - largest)) */
} softmax_sums;

/* e^x for x <= 0, and 0 where that would be subnormal: subnormal numbers cost a hundred times the others, and next to
 * the 1 that a softmax has among its terms they count for nothing. */
INLINE vec softmax_term(vec x)
{
    const vec smallest = vec_set1(EXP_SMALLEST_NORMAL);
    return vec_select_less(x, smallest, vec_set1(0), vec_exp_within(vec_max(smallest, x)));
}

INLINE vec softmax_load(size_t V, size_t i, const real *y, real fill)
{
    return V - i < VEC_LANES ? vec_load_tail(y + i, V - i, fill) : vec_load(y + i);
}

INLINE real row_largest(size_t V, const real *y)
{
    vec largest = vec_set1((real)-INFINITY);
    for (size_t i = 0; i < V; i += VEC_LANES) {
        largest = vec_max(softmax_load(V, i, y, (real)-INFINITY), largest);
    }
    return vec_reduce_max(largest);
}

/* y_i becomes e^(s (y_i - m)); returns the sum. */
INLINE real row_terms(size_t V, real s, real m, real *y)
{
    const vec largest = vec_set1(m), scale = vec_set1(s);
    vec sum = vec_set1(0);
    for (size_t i = 0; i < V; i += VEC_LANES) {
        const vec e = softmax_term(vec_mul(vec_sub(softmax_load(V, i, y, (real)-INFINITY), largest), scale));
        sum = vec_add(sum, e);
        store_up_to(y + i, V - i < VEC_LANES ? V - i : VEC_LANES, e);
    }
    return vec_reduce_add(sum);
}

/* Rows at once: each waits for its own largest, its sum and its inverse, and the next ones go on meanwhile. */
#define SOFTMAX_ROWS 16

/* p = softmax(s y) in place over N <= SOFTMAX_ROWS rows of V numbers, `row` apart, s > 0: p_i = e^(s (y_i - m)) / sum, m the
 * largest y of the row, so that no exponential overflows and the sum is at least 1. */
static void softmax_rows(size_t N, size_t V, size_t row, real s, real *y, softmax_sums sums[SOFTMAX_ROWS])
{
    for (size_t n = 0; n < N; n++) {
        sums[n].largest = row_largest(V, y + n * row);
    }
    for (size_t n = 0; n < N; n++) {
        sums[n].sum = row_terms(V, s, sums[n].largest, y + n * row);
    }
    for (size_t n = 0; n < N; n++) {
        scale(V, 1 / sums[n].sum, y + n * row);
    }
}

static softmax_sums softmax(size_t V, real s, real *y)
{
    softmax_sums sums[SOFTMAX_ROWS];
    softmax_rows(1, V, V, s, y, sums);
    return sums[0];
}

/* Forward:  loss = sum over rows of -ln p[target], p = softmax(y)
 *                = sum over rows of ln(s) + m - y[target],  s = sum_j e^(y_j - m)
 * Backward: d loss / d y = p - onehot(target), left in place of y. Rows of V numbers, `row` apart.
 *
 * One logarithm serves many rows: ln s_1 + ln s_2 = ln(s_1 s_2). Each s is at most V < 2^64, so the product stays below
 * 2^1024 when it is taken in once it has passed 2^960. */
static double softmax_cross_entropy(size_t N, size_t V, size_t row, const int64_t *targets, real *logits)
{
    double loss = 0, product_of_sums = 1;
    for (size_t first = 0; first < N; first += SOFTMAX_ROWS) {
        const size_t rows = N - first < SOFTMAX_ROWS ? N - first : SOFTMAX_ROWS;
        real *ys = logits + first * row;
        softmax_sums sums[SOFTMAX_ROWS];
        real y_targets[SOFTMAX_ROWS];
        for (size_t n = 0; n < rows; n++) {
            y_targets[n] = ys[n * row + (size_t)targets[first + n]];
        }
        softmax_rows(rows, V, row, 1, ys, sums);
        for (size_t n = 0; n < rows; n++) {
            loss += (double)sums[n].largest - (double)y_targets[n];
            product_of_sums *= (double)sums[n].sum;
            if (product_of_sums > 0x1p960) {
                loss += log(product_of_sums);
                product_of_sums = 1;
            }
            ys[n * row + (size_t)targets[first + n]] -= 1;
        }
    }
    return loss + log(product_of_sums);
}

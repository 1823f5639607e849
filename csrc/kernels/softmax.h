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
    return vec_select_less(x, smallest, vec_set1(0), vec_exp(vec_max(smallest, x)));
}

/* p = softmax(s y) in place over V numbers, s > 0: p_i = e^(s (y_i - m)) / sum, m the largest y, so that no exponential
 * overflows and the sum is at least 1. The tail stays in a register from first to last: a masked load would wait long
 * for the masked store before it. */
static softmax_sums softmax(size_t V, real s, real *y)
{
    const size_t whole = V / VEC_LANES * VEC_LANES, tail = V - whole;
    const vec none = vec_set1((real)-INFINITY);
    vec y_tail = tail ? vec_load_tail(y + whole, tail, (real)-INFINITY) : none;

    vec largest = y_tail;
    for (size_t i = 0; i < whole; i += VEC_LANES) {
        largest = vec_max(vec_load(y + i), largest);
    }
    softmax_sums sums = {.largest = vec_reduce_max(largest)};

    const vec m = vec_set1(sums.largest), scale = vec_set1(s);
    vec sum = vec_set1(0);
    for (size_t i = 0; i < whole; i += VEC_LANES) {
        vec e = softmax_term(vec_mul(vec_sub(vec_load(y + i), m), scale));
        sum = vec_add(sum, e);
        vec_store(y + i, e);
    }
    if (tail) {
        y_tail = softmax_term(vec_mul(vec_sub(y_tail, m), scale));
        sum = vec_add(sum, y_tail);
    }
    sums.sum = vec_reduce_add(sum);

    const vec inverse = vec_set1(1 / sums.sum);
    for (size_t i = 0; i < whole; i += VEC_LANES) {
        vec_store(y + i, vec_mul(vec_load(y + i), inverse));
    }
    if (tail) {
        vec_store_tail(y + whole, tail, vec_mul(y_tail, inverse));
    }
    return sums;
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
    for (size_t n = 0; n < N; n++) {
        real *y = logits + n * row;
        double y_target = y[targets[n]];
        softmax_sums sums = softmax(V, 1, y);
        loss += (double)sums.largest - y_target;
        product_of_sums *= (double)sums.sum;
        if (product_of_sums > 0x1p960) {
            loss += log(product_of_sums);
            product_of_sums = 1;
        }
        y[targets[n]] -= 1;
    }
    return loss + log(product_of_sums);
}

/* Softmax, and its cross-entropy loss. */

typedef struct {
    real largest; /* of the row as it came */
    real sum;     /* of e^(y_i - largest) */
} softmax_sums;

/* p = softmax(y / temperature) in place over V numbers: p_i = e^((y_i - m) / temperature) / sum, m the largest y, so
 * that no exponential overflows and the sum is at least 1. */
static softmax_sums softmax(size_t V, real temperature, real *y)
{
    const size_t whole = V / VEC_LANES * VEC_LANES, tail = V - whole;

    vec largest = vec_set1((real)-INFINITY);
    for (size_t i = 0; i < whole; i += VEC_LANES) {
        largest = vec_max(vec_load(y + i), largest);
    }
    if (tail) {
        largest = vec_max(vec_load_tail(y + whole, tail, (real)-INFINITY), largest);
    }
    softmax_sums sums = {.largest = vec_reduce_max(largest)};

    const vec m = vec_set1(sums.largest), t = vec_set1(temperature);
    vec sum = vec_set1(0);
    for (size_t i = 0; i < whole; i += VEC_LANES) {
        vec e = vec_exp(vec_div(vec_sub(vec_load(y + i), m), t));
        sum = vec_add(sum, e);
        vec_store(y + i, e);
    }
    if (tail) {
        vec e = vec_exp(vec_div(vec_sub(vec_load_tail(y + whole, tail, (real)-INFINITY), m), t));
        sum = vec_add(sum, e);
        vec_store_tail(y + whole, tail, e);
    }
    sums.sum = vec_reduce_add(sum);

    const vec inverse = vec_set1(1 / sums.sum);
    for (size_t i = 0; i < whole; i += VEC_LANES) {
        vec_store(y + i, vec_mul(vec_load(y + i), inverse));
    }
    if (tail) {
        vec_store_tail(y + whole, tail, vec_mul(vec_load_tail(y + whole, tail, 0), inverse));
    }
    return sums;
}

/* Forward:  loss = sum over rows of -ln p[target], p = softmax(y)
 *                = sum over rows of ln(sum_j e^(y_j - m)) + m - y[target]
 * Backward: d loss / d y = p - onehot(target), left in place of y. Rows of V numbers, `row` apart. */
static double softmax_cross_entropy(size_t N, size_t V, size_t row, const int64_t *targets, real *logits)
{
    double loss = 0;
    for (size_t n = 0; n < N; n++) {
        real *y = logits + n * row;
        double y_target = y[targets[n]];
        softmax_sums sums = softmax(V, 1, y);
        loss += log((double)sums.sum) + ((double)sums.largest - y_target);
        y[targets[n]] -= 1;
    }
    return loss;
}

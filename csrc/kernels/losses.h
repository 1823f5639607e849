/* Losses over n numbers and their targets. Each returns the loss, summed, and leaves `scale` times its gradient in place
 * of the numbers. Softmax cross-entropy is in softmax.h. */

/* Forward:  loss_i = ln(1 + e^x) - t x = max(x, 0) - t x + ln(1 + e^-|x|), of which no term overflows
 * Backward: d loss_i / d x = sigmoid(x) - t */
static double sigmoid_binary_cross_entropy(size_t n, real scale, const real *targets, real *logits)
{
    const vec zero = vec_set1(0);
    wide_sum loss = {{0}};
    for (size_t i = 0; i < n; i += VEC_LANES) {
        const size_t some = n - i < VEC_LANES ? n - i : VEC_LANES;
        const vec x = load_up_to(logits + i, some), t = load_up_to(targets + i, some);
        const vec e = vec_exp(vec_sub(zero, vec_abs(x)));
        const vec loss_i = vec_add(vec_sub(vec_max(zero, x), vec_mul(t, x)), vec_log1p(e));
        wide_add(&loss, some == VEC_LANES ? loss_i : only_first(some, loss_i));
        store_up_to(logits + i, some, vec_mul(vec_set1(scale), vec_sub(vec_sigmoid(x), t)));
    }
    return wide_total(&loss);
}

/* Forward:  loss_i = (y - t)^2
 * Backward: d loss_i / d y = 2 (y - t) */
static double squared_error(size_t n, real scale, const real *targets, real *outputs)
{
    wide_sum loss = {{0}};
    for (size_t i = 0; i < n; i += VEC_LANES) {
        const size_t some = n - i < VEC_LANES ? n - i : VEC_LANES;
        const vec difference = vec_sub(load_up_to(outputs + i, some), load_up_to(targets + i, some));
        wide_add_squares(&loss, difference);
        store_up_to(outputs + i, some, vec_mul(vec_set1(2 * scale), difference));
    }
    return wide_total(&loss);
}

/* Forward:  loss_i = (p - t)^2, p = sigmoid(x)
 * Backward: d loss_i / d x = 2 (p - t) p (1 - p) */
static double sigmoid_squared_error(size_t n, real scale, const real *targets, real *logits)
{
    const vec one = vec_set1(1);
    wide_sum loss = {{0}};
    for (size_t i = 0; i < n; i += VEC_LANES) {
        const size_t some = n - i < VEC_LANES ? n - i : VEC_LANES;
        const vec p = vec_sigmoid(load_up_to(logits + i, some)), t = load_up_to(targets + i, some);
        const vec difference = vec_sub(p, t), slope = vec_mul(p, vec_sub(one, p));
        wide_add_squares(&loss, some == VEC_LANES ? difference : only_first(some, difference));
        store_up_to(logits + i, some, vec_mul(vec_set1(2 * scale), vec_mul(difference, slope)));
    }
    return wide_total(&loss);
}

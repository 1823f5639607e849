/* Sums of many numbers, in double whatever the dtype. */

/* A partial sum for each lane of a register. */
typedef struct {
    double lanes[VEC_LANES];
} wide_sum;

INLINE void wide_add(wide_sum *sum, vec x)
{
    real lanes[VEC_LANES];
    vec_store(lanes, x);
    UNROLL for (size_t i = 0; i < VEC_LANES; i++) {
        sum->lanes[i] += (double)lanes[i];
    }
}

/* The first n lanes of x, and 0 in the others. */
INLINE vec only_first(size_t n, vec x)
{
    real lanes[VEC_LANES] = {0};
    vec_store_tail(lanes, n, x);
    return vec_load(lanes);
}

/* The squares are taken in double too, where those of float32 neither overflow nor vanish. */
INLINE void wide_add_squares(wide_sum *sum, vec x)
{
    real lanes[VEC_LANES];
    vec_store(lanes, x);
    UNROLL for (size_t i = 0; i < VEC_LANES; i++) {
        sum->lanes[i] += (double)lanes[i] * (double)lanes[i];
    }
}

INLINE double wide_total(const wide_sum *sum)
{
    double total = 0;
    for (size_t i = 0; i < VEC_LANES; i++) {
        total += sum->lanes[i];
    }
    return total;
}

/* Of factor x_i, for a factor that is a power of 2. */
static double sum_of_squares(size_t n, real factor, const real *x)
{
    const vec f = vec_set1(factor);
    wide_sum sum = {{0}};
    for (size_t i = 0; i < n; i += VEC_LANES) {
        wide_add_squares(&sum, vec_mul(f, load_up_to(x + i, n - i < VEC_LANES ? n - i : VEC_LANES)));
    }
    return wide_total(&sum);
}

static real largest_magnitude(size_t n, const real *x)
{
    vec largest = vec_set1(0);
    for (size_t i = 0; i < n; i += VEC_LANES) {
        largest = vec_max(vec_abs(load_up_to(x + i, n - i < VEC_LANES ? n - i : VEC_LANES)), largest);
    }
    return vec_reduce_max(largest);
}

/* No x_i is NaN or infinite. */
static bool all_finite(size_t n, const real *x)
{
    const vec zero = vec_set1(0);
    vec sums[4] = {zero, zero, zero, zero}; /* 0 times what is not finite is NaN, and stays so */
    size_t i = 0;
    for (; i + 4 * VEC_LANES <= n; i += 4 * VEC_LANES) {
        UNROLL for (size_t k = 0; k < 4; k++) {
            sums[k] = vec_fma(zero, vec_load(x + i + k * VEC_LANES), sums[k]);
        }
    }
    for (; i < n; i += VEC_LANES) {
        sums[0] = vec_fma(zero, load_up_to(x + i, n - i < VEC_LANES ? n - i : VEC_LANES), sums[0]);
    }
    return vec_reduce_add(vec_add(vec_add(sums[0], sums[1]), vec_add(sums[2], sums[3]))) == 0;
}

/* The same of rows of n numbers, `row` apart. */
static bool rows_finite(size_t rows, size_t n, const real *x, size_t row)
{
    bool finite = true;
    for (size_t i = 0; i < rows; i++) {
        finite &= all_finite(n, x + i * row);
    }
    return finite;
}

/* All are finite, and such that no product of two, and no sum of those, overflows. */
static bool are_moderate(size_t rows, size_t n, const real *x, size_t row)
{
    const vec zero = vec_set1(0);
    vec largest = zero, sum = zero; /* 0 times NaN stays NaN, and NaN has no magnitude */
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < n; j += VEC_LANES) {
            const vec v = load_up_to(x + i * row + j, n - j < VEC_LANES ? n - j : VEC_LANES);
            largest = vec_max(vec_abs(v), largest);
            sum = vec_fma(zero, v, sum);
        }
    }
    return vec_reduce_add(sum) == 0 && vec_reduce_max(largest) <= (REAL_BITS == 64 ? (real)1e100 : (real)1e10);
}

/* sqrt(sum of x_i^2). Where squares of float64 overflow, or are so small that they lose digits, x is brought near 1
 * first, by a power of 2, which rounds nothing that counts. */
static double norm(size_t n, const real *x)
{
    const double sum = sum_of_squares(n, 1, x);
    if ((sum > 0x1p-900 && sum < INFINITY) || isnan(sum)) {
        return sqrt(sum);
    }
    const real largest = largest_magnitude(n, x);
    if (largest == 0 || !(largest <= REAL_LARGEST)) {
        return (double)largest;
    }
    int exponent;
    frexp((double)largest, &exponent);
    exponent = exponent < -REAL_EXPONENT_BIAS ? -REAL_EXPONENT_BIAS : exponent; /* 2^-exponent must be finite */
    return ldexp(sqrt(sum_of_squares(n, (real)ldexp(1, -exponent), x)), exponent);
}

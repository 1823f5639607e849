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

/* What tells of numbers whether they are finite, and how large: 0 times what is not finite is NaN, and stays so in a
 * sum; a maximum loses it. */
typedef struct {
    vec zeros, largest;
} extent;

INLINE void extend(extent *e, vec x)
{
    e->zeros = vec_fma(vec_set1(0), x, e->zeros);
    e->largest = vec_max(vec_abs(x), e->largest);
}

/* Of rows of n numbers, `row` apart. Four registers at once wait for none of each other. */
INLINE extent extent_of(size_t rows, size_t n, const real *x, size_t row)
{
    const extent none = {vec_set1(0), vec_set1(0)};
    extent e[4] = {none, none, none, none};
    for (size_t i = 0; i < rows; i++, x += row) {
        size_t j = 0;
        for (; j + 4 * VEC_LANES <= n; j += 4 * VEC_LANES) {
            UNROLL for (size_t k = 0; k < 4; k++) {
                extend(&e[k], vec_load(x + j + k * VEC_LANES));
            }
        }
        for (; j < n; j += VEC_LANES) {
            extend(&e[0], load_up_to(x + j, n - j < VEC_LANES ? n - j : VEC_LANES));
        }
    }
    return (extent){vec_add(vec_add(e[0].zeros, e[1].zeros), vec_add(e[2].zeros, e[3].zeros)),
                    vec_max(vec_max(e[0].largest, e[1].largest), vec_max(e[2].largest, e[3].largest))};
}

/* No number of these rows is NaN or infinite. */
static bool rows_finite(size_t rows, size_t n, const real *x, size_t row)
{
    return vec_reduce_add(extent_of(rows, n, x, row).zeros) == 0;
}

static bool all_finite(size_t n, const real *x)
{
    return rows_finite(1, n, x, n);
}

/* All are finite, and such that no product of two, and no sum of those, overflows. */
static bool are_moderate(size_t rows, size_t n, const real *x, size_t row)
{
    const extent e = extent_of(rows, n, x, row);
    return vec_reduce_add(e.zeros) == 0 && vec_reduce_max(e.largest) <= (REAL_BITS == 64 ? (real)1e100 : (real)1e10);
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

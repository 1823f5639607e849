/* Loops over n contiguous numbers: whole registers, then the tail through the same code, so that a value never
 * depends on its position. */

/* The first n numbers of x, 1 <= n <= VEC_LANES; a constant n leaves nothing of the choice. */
INLINE vec load_up_to(const real *x, size_t n)
{
    return n == VEC_LANES ? vec_load(x) : vec_load_tail(x, n, 0);
}

INLINE void store_up_to(real *x, size_t n, vec v)
{
    if (n == VEC_LANES) {
        vec_store(x, v);
    } else {
        vec_store_tail(x, n, v);
    }
}

INLINE void map(size_t n, const real *x, real *y, vec (*f)(vec))
{
    size_t i = 0;
    for (; i + VEC_LANES <= n; i += VEC_LANES) {
        vec_store(y + i, f(vec_load(x + i)));
    }
    if (i < n) {
        vec_store_tail(y + i, n - i, f(vec_load_tail(x + i, n - i, 0)));
    }
}

static void exp_all(size_t n, const real *x, real *y)
{
    map(n, x, y, vec_exp);
}

static void tanh_all(size_t n, const real *x, real *y)
{
    map(n, x, y, vec_tanh);
}

static void sigmoid_all(size_t n, const real *x, real *y)
{
    map(n, x, y, vec_sigmoid);
}

/* y += x */
static void add(size_t n, const real *x, real *y)
{
    size_t i = 0;
    for (; i + VEC_LANES <= n; i += VEC_LANES) {
        vec_store(y + i, vec_add(vec_load(y + i), vec_load(x + i)));
    }
    if (i < n) {
        vec_store_tail(y + i, n - i, vec_add(vec_load_tail(y + i, n - i, 0), vec_load_tail(x + i, n - i, 0)));
    }
}

static void clip(size_t n, real limit, real *x)
{
    size_t i = 0;
    for (; i + VEC_LANES <= n; i += VEC_LANES) {
        vec_store(x + i, vec_clamp(vec_load(x + i), -limit, limit));
    }
    if (i < n) {
        vec_store_tail(x + i, n - i, vec_clamp(vec_load_tail(x + i, n - i, 0), -limit, limit));
    }
}

static void scale(size_t n, real factor, real *x)
{
    const vec f = vec_set1(factor);
    for (size_t i = 0; i < n; i += VEC_LANES) {
        const size_t some = n - i < VEC_LANES ? n - i : VEC_LANES;
        store_up_to(x + i, some, vec_mul(f, load_up_to(x + i, some)));
    }
}

/* The same of rows of n numbers, `row` apart. */
static void scale_rows(size_t rows, size_t n, real factor, real *x, size_t row)
{
    for (size_t i = 0; i < rows; i++) {
        scale(n, factor, x + i * row);
    }
}

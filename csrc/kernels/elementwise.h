/* Loops over n contiguous numbers: whole registers, then the tail through the same code, so that a value never
 * depends on its position. */

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

typedef struct {
    vec memory, parameter;
} adagrad_state;

/* memory += g g;  parameter -= learning_rate g / sqrt(memory + epsilon), the epsilon inside the root */
INLINE adagrad_state adagrad_step(adagrad_state s, vec g, vec learning_rate)
{
    const real epsilon = (real)1e-8;
    vec memory = vec_fma(g, g, s.memory);
    vec step = vec_div(vec_mul(learning_rate, g), vec_sqrt(vec_add(memory, vec_set1(epsilon))));
    return (adagrad_state){memory, vec_sub(s.parameter, step)};
}

static void adagrad(size_t n, real learning_rate, const real *gradient, real *memory, real *parameter)
{
    const vec rate = vec_set1(learning_rate);
    size_t i = 0;
    for (; i + VEC_LANES <= n; i += VEC_LANES) {
        adagrad_state s = {vec_load(memory + i), vec_load(parameter + i)};
        s = adagrad_step(s, vec_load(gradient + i), rate);
        vec_store(memory + i, s.memory);
        vec_store(parameter + i, s.parameter);
    }
    if (i < n) {
        size_t tail = n - i;
        adagrad_state s = {vec_load_tail(memory + i, tail, 0), vec_load_tail(parameter + i, tail, 0)};
        s = adagrad_step(s, vec_load_tail(gradient + i, tail, 0), rate);
        vec_store_tail(memory + i, tail, s.memory);
        vec_store_tail(parameter + i, tail, s.parameter);
    }
}

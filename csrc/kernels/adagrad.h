/* The optimizer, over n contiguous numbers. */

typedef struct {
    vec memory, parameter;
} adagrad_state;

/* memory += g g;  parameter -= learning_rate g / sqrt(memory + epsilon), the epsilon inside the root */
INLINE adagrad_state adagrad_step(adagrad_state s, vec g, vec learning_rate)
{
    const real epsilon = (real)1e-8;
    vec memory = vec_fma(g, g, s.memory);
    vec step = vec_mul(vec_mul(learning_rate, g), vec_rsqrt(vec_add(memory, vec_set1(epsilon))));
    return (adagrad_state){memory, vec_sub(s.parameter, step)};
}

/* Clips the gradient to [-limit, limit] and updates in one pass over the three. */
static void adagrad(size_t n, real learning_rate, real limit, const real *gradient, real *memory, real *parameter)
{
    const vec rate = vec_set1(learning_rate);
    size_t i = 0;
    for (; i + VEC_LANES <= n; i += VEC_LANES) {
        adagrad_state s = {vec_load(memory + i), vec_load(parameter + i)};
        s = adagrad_step(s, vec_clamp(vec_load(gradient + i), -limit, limit), rate);
        vec_store(memory + i, s.memory);
        vec_store(parameter + i, s.parameter);
    }
    if (i < n) {
        const size_t tail = n - i;
        adagrad_state s = {vec_load_tail(memory + i, tail, 0), vec_load_tail(parameter + i, tail, 0)};
        s = adagrad_step(s, vec_clamp(vec_load_tail(gradient + i, tail, 0), -limit, limit), rate);
        vec_store_tail(memory + i, tail, s.memory);
        vec_store_tail(parameter + i, tail, s.parameter);
    }
}

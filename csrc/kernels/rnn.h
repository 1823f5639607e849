/* The vanilla recurrent cell:  h_t = f(a_t),  a_t = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh,  f = tanh, relu or sigmoid.
 *
 * What the input adds is there before the step; the state replaces it. */

INLINE void rnn_step(const strand *s, const cell_kind *cell, size_t t, vec (*f)(vec a))
{
    const size_t n = rows_at(&s->rows, t);
    real *h_t = states_at(s, s->hs, t);
    recurrent_product(s, cell, 0, n, states_before(s, s->hs, t), s->h, h_t, t);
    FOR_ROWS(n, b) {
        real *h = h_t + b * s->h;
        FOR_REGISTERS(s->H, j) {
            vec_store(h + j, f(vec_load(h + j)));
        }
    }
}

/* In the forward pass this was h_t = f(a_t). Now, with d_t = d loss / d a_t,
 *
 *     dh_t = (what comes from above) + W_hh^T d_{t+1}        d_t = f'(a_t) dh_t
 *
 * f' is taken from h_t. d_t replaces what came from above. */
INLINE void rnn_step_back(const strand *s, const cell_kind *cell, size_t t, vec (*derivative)(vec h))
{
    const size_t n = rows_at(&s->rows, t);
    const real *h_t = states_at(s, s->hs, t);
    real *d_t = s->dhs + rows_before(&s->rows, t) * s->h;
    FOR_ROWS(n, b) {
        const size_t row = b * s->h;
        FOR_REGISTERS(s->H, j) {
            const vec dh = vec_add(vec_load(d_t + row + j), vec_load(s->dh + row + j));
            vec_store(d_t + row + j, vec_mul(derivative(vec_load(h_t + row + j)), dh));
        }
    }
    back_products(s, cell, n, d_t, s->h, s->dh, false, t);
}

/* tanh'(a) = 1 - h^2 */
INLINE vec tanh_derivative(vec h)
{
    return vec_sub(vec_set1(1), vec_mul(h, h));
}

/* sigmoid'(a) = h (1 - h) */
INLINE vec sigmoid_derivative(vec h)
{
    return vec_mul(h, vec_sub(vec_set1(1), h));
}

/* relu(a) = max(a, 0), NaN stays NaN */
INLINE vec vec_relu(vec a)
{
    return vec_max(vec_set1(0), a);
}

/* relu'(a) = 1 where h > 0, else 0 */
INLINE vec relu_derivative(vec h)
{
    return vec_select_less(vec_set1(0), h, vec_set1(1), vec_set1(0));
}

static const cell_kind rnn_tanh_cell, rnn_relu_cell, rnn_sigmoid_cell;

static void rnn_tanh_step(const strand *s, size_t t)
{
    rnn_step(s, &rnn_tanh_cell, t, vec_tanh);
}

static void rnn_tanh_step_back(const strand *s, size_t t)
{
    rnn_step_back(s, &rnn_tanh_cell, t, tanh_derivative);
}

static void rnn_relu_step(const strand *s, size_t t)
{
    rnn_step(s, &rnn_relu_cell, t, vec_relu);
}

static void rnn_relu_step_back(const strand *s, size_t t)
{
    rnn_step_back(s, &rnn_relu_cell, t, relu_derivative);
}

static void rnn_sigmoid_step(const strand *s, size_t t)
{
    rnn_step(s, &rnn_sigmoid_cell, t, vec_sigmoid);
}

static void rnn_sigmoid_step_back(const strand *s, size_t t)
{
    rnn_step_back(s, &rnn_sigmoid_cell, t, sigmoid_derivative);
}

#define RNN_SLOTS .slots = 1, .input_slots = 1, .products = {{0, 1}}, .in_place = true
static const cell_kind rnn_tanh_cell = {RNN_SLOTS, .step = rnn_tanh_step, .step_back = rnn_tanh_step_back};
static const cell_kind rnn_relu_cell = {RNN_SLOTS, .step = rnn_relu_step, .step_back = rnn_relu_step_back};
static const cell_kind rnn_sigmoid_cell = {RNN_SLOTS, .step = rnn_sigmoid_step, .step_back = rnn_sigmoid_step_back};
#undef RNN_SLOTS

/* The long short-term memory cell (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000):
 *
 *     i_t = sigmoid(a_i)    f_t = sigmoid(a_f)    g_t = tanh(a_g)    o_t = sigmoid(a_o)
 *     c_t = f_t c_{t-1} + i_t g_t                 h_t = o_t tanh(c_t)
 *
 * with a = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh, each gate its own rows of it. */

enum { LSTM_I, LSTM_F, LSTM_G, LSTM_O, LSTM_TANH_C, LSTM_SLOTS };

static const cell_kind lstm_cell;

static void lstm_step(const strand *s, size_t t)
{
    const size_t n = rows_at(&s->rows, t), u = s->u;
    const real *h_before = states_before(s, s->hs, t), *c_before = states_before(s, s->cs, t);
    real *h_t = states_at(s, s->hs, t), *c_t = states_at(s, s->cs, t), *slots = slots_at(s, t);
    recurrent_product(s, &lstm_cell, 0, n, h_before, s->h, slots, t);
    FOR_ROWS(n, b) {
        real *a = slots + b * s->slot_row;
        const size_t row = b * s->h;
        FOR_REGISTERS(s->H, j) {
            const vec i = vec_sigmoid(vec_load(a + LSTM_I * u + j)), f = vec_sigmoid(vec_load(a + LSTM_F * u + j));
            const vec g = vec_tanh(vec_load(a + LSTM_G * u + j)), o = vec_sigmoid(vec_load(a + LSTM_O * u + j));
            vec_store(a + LSTM_I * u + j, i);
            vec_store(a + LSTM_F * u + j, f);
            vec_store(a + LSTM_G * u + j, g);
            vec_store(a + LSTM_O * u + j, o);
            vec_store(c_t + row + j, vec_fma(f, vec_load(c_before + row + j), vec_mul(i, g)));
        }
        FOR_REGISTERS(s->H, j) { /* a loop of its own, where no tanh waits for the sum before it */
            const vec tanh_c = vec_tanh(vec_load(c_t + row + j));
            vec_store(a + LSTM_TANH_C * u + j, tanh_c);
            vec_store(h_t + row + j, vec_mul(vec_load(a + LSTM_O * u + j), tanh_c));
        }
    }
}

/* In the forward pass this was h_t = o tanh(c_t), c_t = f c_{t-1} + i g. So now
 *
 *     dh_t = (what comes from above) + W_hh^T d_{t+1}      dc_t = f_{t+1} dc_{t+1} + dh_t o (1 - tanh(c_t)^2)
 *     d_i = dc_t g i (1 - i)       d_f = dc_t c_{t-1} f (1 - f)
 *     d_g = dc_t i (1 - g^2)       d_o = dh_t tanh(c_t) o (1 - o)
 *
 * The d's replace the gates. */
static void lstm_step_back(const strand *s, size_t t)
{
    const size_t n = rows_at(&s->rows, t), u = s->u;
    const real *c_before = states_before(s, s->cs, t), *from_above = s->dhs + rows_before(&s->rows, t) * s->h;
    real *slots = slots_at(s, t);
    FOR_ROWS(n, b) {
        real *a = slots + b * s->slot_row;
        const size_t row = b * s->h;
        FOR_REGISTERS(s->H, j) {
            const vec i = vec_load(a + LSTM_I * u + j), f = vec_load(a + LSTM_F * u + j);
            const vec g = vec_load(a + LSTM_G * u + j), o = vec_load(a + LSTM_O * u + j);
            const vec tanh_c = vec_load(a + LSTM_TANH_C * u + j);
            const vec dh = vec_add(vec_load(from_above + row + j), vec_load(s->dh + row + j));
            const vec dc = vec_fma(vec_mul(dh, o), tanh_derivative(tanh_c), vec_load(s->dc + row + j));
            vec_store(a + LSTM_I * u + j, vec_mul(vec_mul(dc, g), sigmoid_derivative(i)));
            vec_store(a + LSTM_F * u + j, vec_mul(vec_mul(dc, vec_load(c_before + row + j)), sigmoid_derivative(f)));
            vec_store(a + LSTM_G * u + j, vec_mul(vec_mul(dc, i), tanh_derivative(g)));
            vec_store(a + LSTM_O * u + j, vec_mul(vec_mul(dh, tanh_c), sigmoid_derivative(o)));
            vec_store(s->dc + row + j, vec_mul(dc, f));
        }
    }
    back_products(s, &lstm_cell, n, slots, s->slot_row, s->dh, false, t);
}

static const cell_kind lstm_cell = {.slots = LSTM_SLOTS,
                                    .input_slots = 4,
                                    .products = {{LSTM_I, 4}},
                                    .gate = {0, 1, 2, 3},
                                    .has_c = true,
                                    .step = lstm_step,
                                    .step_back = lstm_step_back};

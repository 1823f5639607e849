/* The gated recurrent unit (Cho et al. 2014), in its two forms:
 *
 *     r_t = sigmoid(a_r)    z_t = sigmoid(a_z)    n_t = tanh(a_n)
 *     h_t = (1 - z_t) n_t + z_t h_{t-1}
 *
 * with a_r and a_z = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh, each its own rows of it, and the candidate's
 *
 *     reset after:   a_n = W_in x_t + b_in + r_t m_t,   m_t = W_hn h_{t-1} + b_hn      one product for all three
 *     reset before:  a_n = W_in x_t + b_in + W_hn (r_t h_{t-1}) + b_hn                 as it was published */

enum { GRU_N, GRU_R, GRU_Z, GRU_M, GRU_SLOTS };
enum { GRU_RESET_STATE = GRU_M }; /* reset before: r_t h_{t-1} has the slot of m */

static const cell_kind gru_cell, gru_reset_before_cell;

/* h_t from n, z and the state before. */
INLINE vec gru_state(vec n, vec z, vec before)
{
    return vec_fma(z, vec_sub(before, n), n);
}

static void gru_step(const strand *s, size_t t)
{
    const size_t rows = rows_at(&s->rows, t), u = s->u;
    const real *before = states_before(s, s->hs, t);
    real *h_t = states_at(s, s->hs, t), *slots = slots_at(s, t);
    recurrent_product(s, &gru_cell, 0, rows, before, s->h, slots, t);
    FOR_ROWS(rows, b) {
        real *a = slots + b * s->slot_row;
        const size_t row = b * s->h;
        FOR_REGISTERS(s->H, j) {
            vec_store(a + GRU_R * u + j, vec_sigmoid(vec_load(a + GRU_R * u + j)));
            vec_store(a + GRU_Z * u + j, vec_sigmoid(vec_load(a + GRU_Z * u + j)));
        }
        FOR_REGISTERS(s->H, j) { /* a loop of its own, where no tanh waits for the sigmoid before it */
            const vec r = vec_load(a + GRU_R * u + j), z = vec_load(a + GRU_Z * u + j);
            const vec n = vec_tanh(vec_fma(r, vec_load(a + GRU_M * u + j), vec_load(a + GRU_N * u + j)));
            vec_store(a + GRU_N * u + j, n);
            vec_store(h_t + row + j, gru_state(n, z, vec_load(before + row + j)));
        }
    }
}

static void gru_reset_before_step(const strand *s, size_t t)
{
    const size_t rows = rows_at(&s->rows, t), u = s->u;
    const real *before = states_before(s, s->hs, t);
    real *h_t = states_at(s, s->hs, t), *slots = slots_at(s, t);
    recurrent_product(s, &gru_reset_before_cell, 0, rows, before, s->h, slots, t);
    FOR_ROWS(rows, b) {
        real *a = slots + b * s->slot_row;
        FOR_REGISTERS(s->H, j) {
            const vec r = vec_sigmoid(vec_load(a + GRU_R * u + j));
            vec_store(a + GRU_R * u + j, r);
            vec_store(a + GRU_RESET_STATE * u + j, vec_mul(r, vec_load(before + b * s->h + j)));
        }
    }
    recurrent_product(s, &gru_reset_before_cell, 1, rows, slots + GRU_RESET_STATE * u, s->slot_row, slots, t);
    FOR_ROWS(rows, b) {
        real *a = slots + b * s->slot_row;
        const size_t row = b * s->h;
        FOR_REGISTERS(s->H, j) {
            const vec z = vec_sigmoid(vec_load(a + GRU_Z * u + j)), n = vec_tanh(vec_load(a + GRU_N * u + j));
            vec_store(a + GRU_Z * u + j, z);
            vec_store(a + GRU_N * u + j, n);
            vec_store(h_t + row + j, gru_state(n, z, vec_load(before + row + j)));
        }
    }
}

/* In the forward pass this was h_t = (1 - z) n + z h_{t-1}. So now, with dh_t = (what comes from above) + (what step
 * t + 1 left in s->dh),
 *
 *     dn = dh_t (1 - z)    d_n = dn (1 - n^2)    d_z = dh_t (h_{t-1} - n) z (1 - z)    dh_{t-1} = dh_t z + ...
 *
 * d_n and d_z replace n and z. Returns d_n. */
INLINE vec gru_state_back(const strand *s, const real *from_above, real *a, const real *before, size_t at, size_t j)
{
    const vec n = vec_load(a + GRU_N * s->u + j), z = vec_load(a + GRU_Z * s->u + j);
    const vec dh = vec_add(vec_load(from_above + at), vec_load(s->dh + at));
    const vec kept = vec_mul(dh, z), d_n = vec_mul(vec_sub(dh, kept), tanh_derivative(n));
    vec_store(a + GRU_N * s->u + j, d_n);
    vec_store(a + GRU_Z * s->u + j, vec_mul(vec_mul(dh, vec_sub(vec_load(before + at), n)), sigmoid_derivative(z)));
    vec_store(s->dh + at, kept);
    return d_n;
}

/* In the forward pass this was a_n = ... + r m, m = W_hn h_{t-1} + b_hn. So now d_m = d_n r and d_r = d_n m r (1 - r),
 * and dh_{t-1} gets W_hh^T (d_r, d_z, d_m). */
static void gru_step_back(const strand *s, size_t t)
{
    const size_t rows = rows_at(&s->rows, t), u = s->u;
    const real *before = states_before(s, s->hs, t), *from_above = s->dhs + rows_before(&s->rows, t) * s->h;
    real *slots = slots_at(s, t);
    FOR_ROWS(rows, b) {
        real *a = slots + b * s->slot_row;
        FOR_REGISTERS(s->H, j) {
            const vec d_n = gru_state_back(s, from_above, a, before, b * s->h + j, j);
            const vec r = vec_load(a + GRU_R * u + j), m = vec_load(a + GRU_M * u + j);
            vec_store(a + GRU_R * u + j, vec_mul(vec_mul(d_n, m), sigmoid_derivative(r)));
            vec_store(a + GRU_M * u + j, vec_mul(d_n, r));
        }
    }
    back_products(s, &gru_cell, rows, slots, s->slot_row, s->dh, true, t);
}

/* In the forward pass this was a_n = ... + W_hn (r h_{t-1}). So now, with d(r h) = W_hn^T d_n,
 *
 *     d_r = d(r h) h_{t-1} r (1 - r)        dh_{t-1} = ... + d(r h) r + W_hh^T (d_r, d_z)
 *
 * s->dc, which only an LSTM has a use for, holds d(r h). */
static void gru_reset_before_step_back(const strand *s, size_t t)
{
    const size_t rows = rows_at(&s->rows, t), u = s->u;
    const real *before = states_before(s, s->hs, t), *from_above = s->dhs + rows_before(&s->rows, t) * s->h;
    real *slots = slots_at(s, t);
    FOR_ROWS(rows, b) {
        FOR_REGISTERS(s->H, j) {
            gru_state_back(s, from_above, slots + b * s->slot_row, before, b * s->h + j, j);
        }
    }
    back_product(s, &gru_reset_before_cell, GRU_N, rows, slots, s->slot_row, s->dc, false, t);
    FOR_ROWS(rows, b) {
        real *a = slots + b * s->slot_row;
        FOR_REGISTERS(s->H, j) {
            const size_t at = b * s->h + j;
            const vec r = vec_load(a + GRU_R * u + j), d_rh = vec_load(s->dc + at);
            vec_store(a + GRU_R * u + j, vec_mul(vec_mul(d_rh, vec_load(before + at)), sigmoid_derivative(r)));
            vec_store(s->dh + at, vec_fma(d_rh, r, vec_load(s->dh + at)));
        }
    }
    back_products(s, &gru_reset_before_cell, rows, slots, s->slot_row, s->dh, true, t);
}

/* Gates in the order of the weights are r, z, n. */
static const cell_kind gru_cell = {.slots = GRU_SLOTS,
                                   .input_slots = 3,
                                   .products = {{GRU_R, 3}},
                                   .gate = {2, 0, 1, 2},
                                   .step = gru_step,
                                   .step_back = gru_step_back};

static const cell_kind gru_reset_before_cell = {.slots = GRU_SLOTS,
                                                .input_slots = 3,
                                                .products = {{GRU_R, 2}, {GRU_N, 1}},
                                                .gate = {2, 0, 1},
                                                .step = gru_reset_before_step,
                                                .step_back = gru_reset_before_step_back};

/* The vanilla recurrent layer, h_t = tanh(Wxh x_t + Whh h_{t-1} + bh), over 1-of-V inputs: Wxh x_t is a column of
 * Wxh, here a row of Wxh_rows to add, and never a product. */

static void rnn_pack(const fastrnn_shape *shape, const TYPED(fastrnn_rnn) *layer, const workspace_layout *w,
                     bool backward)
{
    const size_t H = shape->H, V = shape->V;
    transpose_to_padded(H, V, layer->Wxh, w->Wxh_rows, w->h);
    pack(H, H, layer->Whh, true, w->Whh_forward);
    if (backward) {
        pack(H, H, layer->Whh, false, w->Whh_backward);
    }
    copy_to_padded(1, H, layer->bh, w->bh, w->h);
}

/* h_t, from the row of states before it: B sequences, inputs (B). */
static void rnn_step(const fastrnn_shape *shape, const workspace_layout *w, const int64_t *inputs, const real *before,
                     real *h_t)
{
    const size_t B = shape->B, H = shape->H, h = w->h;
    for (size_t b = 0; b < B; b++) {
        const real *column = w->Wxh_rows + (size_t)inputs[b] * h;
        for (size_t j = 0; j < H; j += VEC_LANES) {
            vec_store(h_t + b * h + j, vec_add(vec_load(column + j), vec_load(w->bh + j)));
        }
    }
    product(B, (left_factor){before, h, 1}, packed(w->Whh_forward, H, H), h_t, h, true);
    for (size_t b = 0; b < B; b++) {
        for (size_t j = 0; j < H; j += VEC_LANES) {
            vec_store(h_t + b * h + j, vec_tanh(vec_load(h_t + b * h + j)));
        }
    }
}

/* hs[0] holds h_{-1}; the rest of hs is written. */
static void rnn_through_time(const fastrnn_shape *shape, const workspace_layout *w, const int64_t *inputs)
{
    const size_t step = shape->B * w->h;
    for (size_t t = 0; t < shape->T; t++) {
        rnn_step(shape, w, inputs + t * shape->B, w->hs + t * step, w->hs + (t + 1) * step);
    }
}

/* In the forward pass this was h_t = tanh(a_t), a_t = Wxh x_t + Whh h_{t-1} + bh. Now, with d_t = d loss / d a_t,
 *
 *     dh_t = (what comes from above) + Whh^T d_{t+1}        d_t = (1 - h_t^2) dh_t
 *
 * dhs holds what comes from above, and then d_t. */
static void rnn_back_through_time(const fastrnn_shape *shape, const workspace_layout *w)
{
    const size_t B = shape->B, H = shape->H, h = w->h, step = B * h;
    for (size_t t = shape->T; t-- > 0;) {
        real *d = w->dhs + t * step;
        const real *h_t = w->hs + (t + 1) * step;
        if (t + 1 < shape->T) {
            product(B, (left_factor){d + step, h, 1}, packed(w->Whh_backward, H, H), d, h, true);
        }
        for (size_t b = 0; b < B; b++) {
            for (size_t j = b * h; j < b * h + H; j += VEC_LANES) {
                vec y = vec_load(h_t + j), dh = vec_load(d + j);
                vec_store(d + j, vec_mul(vec_sub(vec_set1(1), vec_mul(y, y)), dh));
            }
        }
    }
}

/* dWhh = sum over t of d_t h_{t-1}^T,  dWxh = sum of d_t x_t^T (rows of dWxh^T to add to),  dbh = sum of d_t. */
static void rnn_gradients(const fastrnn_shape *shape, const workspace_layout *w, const int64_t *inputs, real limit,
                          const TYPED(fastrnn_rnn) *gradients)
{
    const size_t H = shape->H, V = shape->V, h = w->h, TB = shape->T * shape->B;
    product(H, (left_factor){w->dhs, 1, h}, (right_factor){w->hs, TB, H, h}, w->dWhh, h, false);
    copy_clipped(H, H, w->dWhh, h, limit, gradients->Whh);

    memset(w->dWxh_rows, 0, V * h * sizeof(real));
    for (size_t n = 0; n < TB; n++) {
        real *column = w->dWxh_rows + (size_t)inputs[n] * h;
        for (size_t j = 0; j < H; j += VEC_LANES) {
            vec_store(column + j, vec_add(vec_load(column + j), vec_load(w->dhs + n * h + j)));
        }
    }
    transpose(V, H, w->dWxh_rows, h, gradients->Wxh, V);
    clip(H * V, limit, gradients->Wxh);

    sum_rows(TB, H, w->dhs, h, gradients->bh);
    clip(H, limit, gradients->bh);
}

static void rnn_forward(const fastrnn_shape *shape, const TYPED(fastrnn_rnn) *layer, const int64_t *inputs,
                        const real *h0, real *hs, void *workspace)
{
    const workspace_layout w = workspace_at(shape, workspace);
    const size_t B = shape->B, H = shape->H;
    rnn_pack(shape, layer, &w, false);
    copy_to_padded(B, H, h0, w.hs, w.h);
    rnn_through_time(shape, &w, inputs);
    copy_from_padded(shape->T * B, H, w.hs + B * w.h, w.h, hs);
}

static void rnn_backward(const fastrnn_shape *shape, const TYPED(fastrnn_rnn) *layer, const int64_t *inputs,
                         const real *h0, const real *hs, const real *dhs, const TYPED(fastrnn_rnn) *gradients,
                         real *dh0, void *workspace)
{
    const workspace_layout w = workspace_at(shape, workspace);
    const size_t B = shape->B, H = shape->H, TB = shape->T * B;
    rnn_pack(shape, layer, &w, true);
    copy_to_padded(B, H, h0, w.hs, w.h);
    copy_to_padded(TB, H, hs, w.hs + B * w.h, w.h);
    copy_to_padded(TB, H, dhs, w.dhs, w.h);
    rnn_back_through_time(shape, &w);
    rnn_gradients(shape, &w, inputs, (real)INFINITY, gradients);
    if (dh0 != NULL) { /* dh_{-1} = Whh^T d_0; hs[0] has served and takes it */
        product(B, (left_factor){w.dhs, w.h, 1}, packed(w.Whh_backward, H, H), w.hs, w.h, false);
        copy_from_padded(B, H, w.hs, w.h, dh0);
    }
}

/* The vanilla recurrent layer, h_t = tanh(Wxh x_t + Whh h_{t-1} + bh), over 1-of-V inputs: Wxh x_t is a column of
 * Wxh, here a row of Wxh_rows to add, and never a product. */

/* Packs the layer's matrices, be they parameters or the optimizer's memory of them. */
static void rnn_pack(const fastrnn_shape *shape, const TYPED(fastrnn_rnn) *from, const workspace_layout *w,
                     const packed_model *to)
{
    const size_t H = shape->H, V = shape->V;
    transpose(H, V, from->Wxh, V, to->Wxh_rows, w->h, true);
    pack(H, H, from->Whh, to->Whh);
    copy_to_padded(1, H, from->bh, to->bh, w->h);
}

static void rnn_pack_parameters(const fastrnn_shape *shape, const TYPED(fastrnn_rnn) *layer, const workspace_layout *w)
{
    rnn_pack(shape, layer, w, &w->parameters);
    transpose_packed(shape->H, shape->H, w->parameters.Whh, 0, shape->H, w->Whh_transposed);
}

/* The states h_t of B sequences from those before, `before` (B, h). inputs (B). */
static void rnn_step(const fastrnn_shape *shape, const workspace_layout *w, const int64_t *inputs, const real *before,
                     real *h_t, bool backward_sweep)
{
    const size_t B = shape->B, H = shape->H, h = w->h;
    for (size_t b = 0; b < B; b++) {
        const real *column = w->parameters.Wxh_rows + (size_t)inputs[b] * h;
        for (size_t j = 0; j < H; j += VEC_LANES) {
            vec_store(h_t + b * h + j, vec_add(vec_load(column + j), vec_load(w->parameters.bh + j)));
        }
    }
    right_factor Whh_transposed = packed(w->Whh_transposed, H, H);
    Whh_transposed.backward = backward_sweep;
    product(B, (left_factor){before, h, 1}, Whh_transposed, h_t, h, true);
    for (size_t b = 0; b < B; b++) {
        for (size_t j = b * h; j < b * h + H; j += VEC_LANES) {
            vec_store(h_t + j, vec_tanh(vec_load(h_t + j)));
        }
    }
}

/* hs[0] holds h_{-1}; the rest of hs is written. Every other step sweeps through Whh backward: where the matrix is
 * larger than a cache level, the part that was used last is still there. */
static void rnn_through_time(const fastrnn_shape *shape, const workspace_layout *w, const int64_t *inputs)
{
    const size_t step = shape->B * w->h;
    for (size_t t = 0; t < shape->T; t++) {
        rnn_step(shape, w, inputs + t * shape->B, w->hs + t * step, w->hs + (t + 1) * step, t % 2);
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
            right_factor Whh = packed(w->parameters.Whh, H, H);
            Whh.backward = t % 2; /* sweeps as rnn_through_time does */
            product(B, (left_factor){d + step, h, 1}, Whh, d, h, true);
        }
        for (size_t b = 0; b < B; b++) {
            for (size_t j = b * h; j < b * h + H; j += VEC_LANES) {
                vec y = vec_load(h_t + j), dh = vec_load(d + j);
                vec_store(d + j, vec_mul(vec_sub(vec_set1(1), vec_mul(y, y)), dh));
            }
        }
    }
}

/* dWxh = sum over t of d_t x_t^T, so that d_t is added to the row of dWxh^T that belongs to the character x_t. The rows
 * of characters that do not occur are zero, and Adagrad leaves such a row as it is: they are not touched at all. */
static void input_gradient(const fastrnn_shape *shape, const workspace_layout *w, const int64_t *inputs,
                           const gradient_use *use, const TYPED(fastrnn_rnn) *gradients)
{
    const size_t H = shape->H, V = shape->V, h = w->h, TB = shape->T * shape->B;
    memset(w->occurs, 0, V * sizeof(bool));
    for (size_t n = 0; n < TB; n++) {
        const real *d = w->dhs + n * h;
        real *row = w->dWxh_rows + (size_t)inputs[n] * h;
        for (size_t j = 0; j < H; j += VEC_LANES) {
            vec before = w->occurs[inputs[n]] ? vec_load(row + j) : vec_set1(0);
            vec_store(row + j, vec_add(before, vec_load(d + j)));
        }
        w->occurs[inputs[n]] = true;
    }
    for (size_t x = 0; x < V; x++) {
        if (use->update && w->occurs[x]) {
            clipped_adagrad(H, use->learning_rate, use->limit, w->dWxh_rows + x * h, w->memory.Wxh_rows + x * h,
                            w->parameters.Wxh_rows + x * h);
        } else if (!use->update && !w->occurs[x]) {
            memset(w->dWxh_rows + x * h, 0, h * sizeof(real));
        }
    }
    if (!use->update) {
        transpose(V, H, w->dWxh_rows, h, gradients->Wxh, V, false);
        clip(H * V, use->limit, gradients->Wxh);
    }
}

/* dWhh = sum over t of d_t h_{t-1}^T,  dWxh likewise with x_t,  dbh = sum of d_t. */
static void rnn_gradients(const fastrnn_shape *shape, const workspace_layout *w, const int64_t *inputs,
                          const gradient_use *use, const TYPED(fastrnn_rnn) *gradients)
{
    const size_t H = shape->H, h = w->h, TB = shape->T * shape->B;
    const weight_target Whh = {.M = H,
                               .N = H,
                               .gradient = gradients->Whh,
                               .parameter = w->parameters.Whh,
                               .memory = w->memory.Whh,
                               .transposed = w->Whh_transposed};
    const right_factor hs_before = {.data = w->hs, .K = TB, .N = H, .row = h};
    weight_gradient(w, use, (left_factor){w->dhs, 1, h}, hs_before, &Whh);
    bias_gradient(w, use, TB, H, w->dhs, h, gradients->bh, w->parameters.bh, w->memory.bh);
    input_gradient(shape, w, inputs, use, gradients);
}

static void rnn_forward(const fastrnn_shape *shape, const TYPED(fastrnn_rnn) *layer, const int64_t *inputs,
                        const real *h0, real *hs, void *workspace)
{
    const workspace_layout w = workspace_at(shape, workspace);
    const size_t B = shape->B, H = shape->H;
    rnn_pack_parameters(shape, layer, &w);
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
    const uint64_t subnormals = subnormals_as_zero();
    rnn_pack_parameters(shape, layer, &w);
    copy_to_padded(B, H, h0, w.hs, w.h);
    copy_to_padded(TB, H, hs, w.hs + B * w.h, w.h);
    copy_to_padded(TB, H, dhs, w.dhs, w.h);
    rnn_back_through_time(shape, &w);
    const gradient_use unclipped = {.limit = INFINITY};
    rnn_gradients(shape, &w, inputs, &unclipped, gradients);
    if (dh0 != NULL) { /* dh_{-1} = Whh^T d_0; hs[0] has served and takes it */
        product(B, (left_factor){w.dhs, w.h, 1}, packed(w.parameters.Whh, H, H), w.hs, w.h, false);
        copy_from_padded(B, H, w.hs, w.h, dh0);
    }
    subnormals_restore(subnormals);
}

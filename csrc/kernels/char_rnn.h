/* The character model of min-char-rnn: a vanilla recurrent layer over 1-of-V inputs, an output layer, and softmax
 * cross-entropy over all steps,
 *
 *     h_t = tanh(Wxh x_t + Whh h_{t-1} + bh)      y_t = Why h_t + by      p_t = softmax(y_t) */

/* Packs the matrices but Wxh, be they parameters or the optimizer's memory of them. */
static void char_rnn_pack_but_inputs(const fastrnn_shape *shape, const TYPED(fastrnn_char_rnn) *from,
                                     const workspace_layout *w, const packed_model *to)
{
    const size_t H = shape->H, V = shape->V;
    pack(w->packing, H, H, from->rnn.Whh, to->Whh);
    copy_to_padded(1, H, from->rnn.bh, to->bh, w->h);
    pack(usual_packing, V, H, from->output.Why, to->Why);
    copy_to_padded(1, V, from->output.by, to->by, w->v);
}

/* Packs all five. */
static void char_rnn_pack(const fastrnn_shape *shape, const TYPED(fastrnn_char_rnn) *from, const workspace_layout *w,
                          const packed_model *to)
{
    transpose(shape->H, shape->V, from->rnn.Wxh, shape->V, to->Wxh_rows, w->h, TRANSPOSE_PADDED);
    char_rnn_pack_but_inputs(shape, from, w, to);
}

static void char_rnn_unpack(const fastrnn_shape *shape, const packed_model *from, const workspace_layout *w,
                            const TYPED(fastrnn_char_rnn) *to)
{
    const size_t H = shape->H, V = shape->V;
    transpose(V, H, from->Wxh_rows, w->h, to->rnn.Wxh, V, TRANSPOSE_DENSE);
    unpack(w->packing, H, H, from->Whh, to->rnn.Whh);
    unpack(usual_packing, V, H, from->Why, to->output.Why);
    copy_from_padded(1, H, from->bh, w->h, to->rnn.bh);
    copy_from_padded(1, V, from->by, w->v, to->output.by);
}

/* Makes the transposes of the packed parameters. */
static void char_rnn_transpose(const fastrnn_shape *shape, const workspace_layout *w)
{
    const size_t H = shape->H, V = shape->V;
    if (!w->one_copy) {
        transpose_packed(w->packing, H, H, w->parameters.Whh, 0, H, w->Whh_transposed);
    }
    transpose_packed(usual_packing, V, H, w->parameters.Why, 0, V, w->Why_transposed);
}

/* Packs the parameters for these inputs alone: of Wxh the columns of the characters that occur. */
static void char_rnn_pack_for(const fastrnn_shape *shape, const TYPED(fastrnn_char_rnn) *model, const int64_t *inputs,
                              const workspace_layout *w)
{
    const size_t H = shape->H, V = shape->V;
    char_rnn_pack_but_inputs(shape, model, w, &w->parameters);
    char_rnn_transpose(shape, w);
    find_occurring(shape->T * shape->B, V, inputs, w->occurs);
    for (size_t x = 0; x < V; x++) {
        if (w->occurs[x]) {
            take_column(H, model->rnn.Wxh + x, V, w->parameters.Wxh_rows + x * w->h);
        }
    }
}

/* The recurrent layer as a strand: hs[0] is the state before the first step. */
static strand char_rnn_strand(const fastrnn_shape *shape, const workspace_layout *w)
{
    return (strand){.B = shape->B,
                    .H = shape->H,
                    .h = w->h,
                    .u = w->h,
                    .slot_row = w->h,
                    .rows = {shape->T, shape->B, NULL},
                    .packing = w->packing,
                    .W_dense = w->one_copy ? w->parameters.Whh : NULL,
                    .hs = w->hs,
                    .slots = w->hs + shape->B * w->h,
                    .Whh_transposed = w->Whh_transposed,
                    .Whh = w->parameters.Whh,
                    .dhs = w->dhs,
                    .dh = w->dh};
}

/* Step t of the recurrent layer and the ones after it, N rows in all, get what their inputs add. */
static void input_forward(const fastrnn_shape *shape, const workspace_layout *w, size_t t, size_t N,
                          const int64_t *inputs)
{
    const size_t H = shape->H, h = w->h;
    one_hot_forward(N, inputs, w->parameters.Wxh_rows, h, H, w->parameters.bh, H, w->hs + (t + 1) * shape->B * h, h);
}

/* In the forward pass this was Wxh x_t, so now dWxh = sum over t of d_t x_t^T. The columns of characters that do not
 * occur are zero, and Adagrad leaves such a column of Wxh as it is: it is not touched at all. */
static void input_backward(const fastrnn_shape *shape, const workspace_layout *w, const int64_t *inputs,
                           const gradient_use *use, real *dWxh)
{
    const size_t H = shape->H, V = shape->V, h = w->h;
    one_hot_backward(shape->T * shape->B, V, inputs, w->dhs, h, H, w->dWxh_rows, h, w->occurs);
    if (use->way == GRADIENT_CLIPPED) {
        memset(dWxh, 0, H * V * sizeof(real));
    }
    for (size_t x = 0; x < V; x++) {
        real *row = w->dWxh_rows + x * h;
        if (!w->occurs[x]) {
            continue;
        }
        if (use->way == GRADIENT_APPLIED) {
            hand_over(use, 1, H, row, h, w->parameters.Wxh_rows + x * h, h);
        } else {
            clip(H, use->limit, row);
            put_column(H, row, dWxh + x, V);
        }
    }
}

static void transpose_updated(const weight_target *weight, size_t first, size_t n)
{
    transpose_packed(weight->packing, weight->M, weight->N, weight->to, first, first + n, weight->copies);
}

/* Where the gradient of a weight goes: to the caller's, or through the optimizer to the packed one and its transpose,
 * if it has one. */
static weight_target char_rnn_target(const gradient_use *use, size_t M, size_t N, real *gradient, packing way,
                                     real *weight, real *transposed)
{
    if (use->way != GRADIENT_APPLIED) {
        return dense_target(M, N, gradient);
    }
    return (weight_target){.M = M,
                           .N = N,
                           .to = weight,
                           .packed = true,
                           .packing = way,
                           .follow = transposed != NULL ? transpose_updated : NULL,
                           .copies = transposed};
}

/* dWhh = sum over t of d_t h_{t-1}^T,  dWxh likewise with x_t,  dbh = sum of d_t. */
static void rnn_gradients(const fastrnn_shape *shape, const workspace_layout *w, const int64_t *inputs,
                          const gradient_use *use, const TYPED(fastrnn_rnn) *gradients)
{
    const size_t H = shape->H, h = w->h, TB = shape->T * shape->B;
    const bool applied = use->way == GRADIENT_APPLIED;
    real *transposed = w->one_copy ? NULL : w->Whh_transposed;
    const weight_target Whh =
        char_rnn_target(use, H, H, gradients->Whh, w->packing, w->parameters.Whh, transposed);
    const right_factor hs_before = unpacked(w->hs, TB, H, h);
    weight_gradient(use, (left_factor){w->dhs, 1, h}, hs_before, &Whh, w->some_rows);
    bias_gradient(use, H, TB, w->dhs, h, applied ? w->parameters.bh : gradients->bh, w->dbias);
    input_backward(shape, w, inputs, use, gradients->Wxh);
}

/* ys = Why h + by for N states, rows h and v apart. */
static void output_forward(const fastrnn_shape *shape, const workspace_layout *w, size_t N, const real *hs, real *ys)
{
    for (size_t n = 0; n < N; n++) {
        memcpy(ys + n * w->v, w->parameters.by, whole_lines(shape->V) * sizeof(real));
    }
    product(N, (left_factor){hs, w->h, 1}, packed(w->Why_transposed, shape->H, shape->V), ys, w->v, true);
}

/* In the forward pass this was y_t = Why h_t + by, so now dWhy = sum of dy_t h_t^T and dby = sum of dy_t. */
static void output_gradients(const fastrnn_shape *shape, const workspace_layout *w, const gradient_use *use,
                             const TYPED(fastrnn_linear) *gradients)
{
    const size_t H = shape->H, V = shape->V, TB = shape->T * shape->B;
    const bool applied = use->way == GRADIENT_APPLIED;
    const weight_target Why =
        char_rnn_target(use, V, H, gradients->Why, usual_packing, w->parameters.Why, w->Why_transposed);
    const right_factor hs = unpacked(w->hs + shape->B * w->h, TB, H, w->h); /* from h_0 on */
    weight_gradient(use, (left_factor){w->ys, 1, w->v}, hs, &Why, w->some_rows);
    bias_gradient(use, V, TB, w->ys, w->v, applied ? w->parameters.by : gradients->by, w->dbias);
}

/* The loss over one sequence: the model is packed, hs[0] is h_{-1}; hs is written, and ys becomes dy. */
static double char_rnn_forward(const fastrnn_shape *shape, const workspace_layout *w, const int64_t *inputs,
                               const int64_t *targets)
{
    const size_t TB = shape->T * shape->B;
    strand layer = char_rnn_strand(shape, w);
    slice_forward_weights(&rnn_tanh_cell, shape->T, w->Whh_slices, &layer);
    input_forward(shape, w, 0, TB, inputs);
    through_time(&rnn_tanh_cell, &layer);
    output_forward(shape, w, TB, w->hs + shape->B * w->h, w->ys);
    return softmax_cross_entropy(TB, shape->V, w->v, targets, w->ys);
}

/* In the forward pass this was y_t = Why h_t + by, so now dh_t = Why^T dy_t, and from there back through time to every
 * d_t. */
static void states_backward(const fastrnn_shape *shape, const workspace_layout *w)
{
    strand layer = char_rnn_strand(shape, w);
    product(shape->T * shape->B, (left_factor){w->ys, w->v, 1}, packed(w->parameters.Why, shape->V, shape->H), w->dhs,
            w->h, false);
    memset(layer.dh, 0, shape->B * w->h * sizeof(real)); /* nothing comes from after the last step */
    slice_backward_weights(&rnn_tanh_cell, shape->T, w->Whh_slices, &layer);
    back_through_time(&rnn_tanh_cell, &layer);
}

/* All gradients, or updates, once every d_t is there. */
static void parameters_backward(const fastrnn_shape *shape, const workspace_layout *w, const int64_t *inputs,
                                const gradient_use *use, const TYPED(fastrnn_char_rnn) *gradients)
{
    output_gradients(shape, w, use, &gradients->output);
    rnn_gradients(shape, w, inputs, use, &gradients->rnn);
}

static double char_rnn_loss(const fastrnn_shape *shape, const TYPED(fastrnn_char_rnn) *model, const int64_t *inputs,
                            const int64_t *targets, const real *hprev, real limit,
                            const TYPED(fastrnn_char_rnn) *gradients, real *hlast, void *workspace)
{
    const workspace_layout w = workspace_at(shape, workspace);
    const size_t B = shape->B, H = shape->H;
    const uint64_t subnormals = subnormals_as_zero();
    char_rnn_pack_for(shape, model, inputs, &w);
    copy_to_padded(B, H, hprev, w.hs, w.h);
    double loss = char_rnn_forward(shape, &w, inputs, targets);
    if (isfinite(loss)) {
        copy_from_padded(B, H, w.hs + shape->T * B * w.h, w.h, hlast);
        if (gradients != NULL) {
            const gradient_use clipped = {.way = GRADIENT_CLIPPED, .limit = limit};
            states_backward(shape, &w);
            parameters_backward(shape, &w, inputs, &clipped, gradients);
        }
    }
    subnormals_restore(subnormals);
    return loss;
}

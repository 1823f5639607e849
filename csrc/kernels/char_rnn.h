/* The character model: the recurrent layer, y_t = Why h_t + by, and softmax cross-entropy over all steps. */

/* Packs all five matrices, be they parameters or the optimizer's memory of them. */
static void char_rnn_pack(const fastrnn_shape *shape, const TYPED(fastrnn_char_rnn) *from, const workspace_layout *w,
                          const packed_model *to)
{
    rnn_pack(shape, &from->rnn, w, to);
    pack(shape->V, shape->H, from->output.Why, to->Why);
    copy_to_padded(1, shape->V, from->output.by, to->by, w->v);
}

static void char_rnn_unpack(const fastrnn_shape *shape, const packed_model *from, const workspace_layout *w,
                            const TYPED(fastrnn_char_rnn) *to)
{
    const size_t H = shape->H, V = shape->V;
    transpose(V, H, from->Wxh_rows, w->h, to->rnn.Wxh, V, false);
    unpack(H, H, from->Whh, to->rnn.Whh);
    unpack(V, H, from->Why, to->output.Why);
    copy_from_padded(1, H, from->bh, w->h, to->rnn.bh);
    copy_from_padded(1, V, from->by, w->v, to->output.by);
}

static void char_rnn_pack_parameters(const fastrnn_shape *shape, const TYPED(fastrnn_char_rnn) *model,
                                     const workspace_layout *w)
{
    const size_t H = shape->H, V = shape->V;
    char_rnn_pack(shape, model, w, &w->parameters);
    transpose_packed(H, H, w->parameters.Whh, 0, H, w->Whh_transposed);
    transpose_packed(V, H, w->parameters.Why, 0, V, w->Why_transposed);
}

/* ys = Why h + by for N states, rows h and v apart. */
static void output_forward(const fastrnn_shape *shape, const workspace_layout *w, size_t N, const real *hs, real *ys)
{
    for (size_t n = 0; n < N; n++) {
        memcpy(ys + n * w->v, w->parameters.by, whole_lines(shape->V) * sizeof(real));
    }
    product(N, (left_factor){hs, w->h, 1}, packed(w->Why_transposed, shape->H, shape->V), ys, w->v, true);
}

/* In the forward pass this was y_t = Why h_t + by, so now dh_t = Why^T dy_t, dWhy = sum of dy_t h_t^T and
 * dby = sum of dy_t. */
static void output_backward(const fastrnn_shape *shape, const workspace_layout *w, const gradient_use *use,
                            const TYPED(fastrnn_linear) *gradients)
{
    const size_t H = shape->H, V = shape->V, TB = shape->T * shape->B;
    product(TB, (left_factor){w->ys, w->v, 1}, packed(w->parameters.Why, V, H), w->dhs, w->h, false);
    const weight_target Why = {.M = V,
                               .N = H,
                               .gradient = gradients->Why,
                               .parameter = w->parameters.Why,
                               .memory = w->memory.Why,
                               .transposed = w->Why_transposed};
    const right_factor hs = {.data = w->hs + shape->B * w->h, .K = TB, .N = H, .row = w->h}; /* from h_0 on */
    weight_gradient(w, use, (left_factor){w->ys, 1, w->v}, hs, &Why);
    bias_gradient(w, use, TB, V, w->ys, w->v, gradients->by, w->parameters.by, w->memory.by);
}

/* The loss over one sequence: the model is packed, hs[0] is h_{-1}; hs is written, and ys becomes dy. */
static double char_rnn_forward(const fastrnn_shape *shape, const workspace_layout *w, const int64_t *inputs,
                               const int64_t *targets)
{
    const size_t TB = shape->T * shape->B;
    rnn_through_time(shape, w, inputs);
    output_forward(shape, w, TB, w->hs + shape->B * w->h, w->ys);
    return softmax_cross_entropy(TB, shape->V, w->v, targets, w->ys);
}

/* Back from dy to all gradients. The output layer's parameters are updated, if they are, once dhs is there; the
 * recurrent layer's once every d_t is. */
static void char_rnn_backward(const fastrnn_shape *shape, const workspace_layout *w, const int64_t *inputs,
                              const gradient_use *use, const TYPED(fastrnn_char_rnn) *gradients)
{
    output_backward(shape, w, use, &gradients->output);
    rnn_back_through_time(shape, w);
    rnn_gradients(shape, w, inputs, use, &gradients->rnn);
}

static double char_rnn_loss(const fastrnn_shape *shape, const TYPED(fastrnn_char_rnn) *model, const int64_t *inputs,
                            const int64_t *targets, const real *hprev, real limit,
                            const TYPED(fastrnn_char_rnn) *gradients, real *hlast, void *workspace)
{
    const workspace_layout w = workspace_at(shape, workspace);
    const size_t B = shape->B, H = shape->H;
    const uint64_t subnormals = subnormals_as_zero();
    char_rnn_pack_parameters(shape, model, &w);
    copy_to_padded(B, H, hprev, w.hs, w.h);
    double loss = char_rnn_forward(shape, &w, inputs, targets);
    if (isfinite(loss)) {
        copy_from_padded(B, H, w.hs + shape->T * B * w.h, w.h, hlast);
        if (gradients != NULL) {
            const gradient_use clipped = {.limit = limit};
            char_rnn_backward(shape, &w, inputs, &clipped, gradients);
        }
    }
    subnormals_restore(subnormals);
    return loss;
}

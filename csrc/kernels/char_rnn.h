/* The character model: the recurrent layer, y_t = Why h_t + by, and softmax cross-entropy over all steps. */

static void output_pack(const fastrnn_shape *shape, const TYPED(fastrnn_linear) *output, const workspace_layout *w,
                        bool backward)
{
    const size_t H = shape->H, V = shape->V;
    pack(H, V, output->Why, true, w->Why_forward);
    if (backward) {
        pack(V, H, output->Why, false, w->Why_backward);
    }
    copy_to_padded(1, V, output->by, w->by, w->v);
}

/* ys = Why h + by for N states, rows h and v apart. */
static void output_forward(const fastrnn_shape *shape, const workspace_layout *w, size_t N, const real *hs, real *ys)
{
    for (size_t n = 0; n < N; n++) {
        memcpy(ys + n * w->v, w->by, w->v * sizeof(real));
    }
    product(N, (left_factor){hs, w->h, 1}, packed(w->Why_forward, shape->H, shape->V), ys, w->v, true);
}

/* In the forward pass this was y_t = Why h_t + by, so now dWhy = sum of dy_t h_t^T, dby = sum of dy_t, and
 * dh_t = Why^T dy_t. */
static void output_backward(const fastrnn_shape *shape, const workspace_layout *w, real limit,
                            const TYPED(fastrnn_linear) *gradients)
{
    const size_t H = shape->H, V = shape->V, TB = shape->T * shape->B;
    const real *hs = w->hs + shape->B * w->h; /* from h_0 on */
    product(V, (left_factor){w->ys, 1, w->v}, (right_factor){hs, TB, H, w->h}, w->dWhy, w->h, false);
    copy_clipped(V, H, w->dWhy, w->h, limit, gradients->Why);
    sum_rows(TB, V, w->ys, w->v, gradients->by);
    clip(V, limit, gradients->by);
    product(TB, (left_factor){w->ys, w->v, 1}, packed(w->Why_backward, V, H), w->dhs, w->h, false);
}

static double char_rnn_loss(const fastrnn_shape *shape, const TYPED(fastrnn_char_rnn) *model, const int64_t *inputs,
                            const int64_t *targets, const real *hprev, real limit,
                            const TYPED(fastrnn_char_rnn) *gradients, real *hlast, void *workspace)
{
    const workspace_layout w = workspace_at(shape, workspace);
    const size_t B = shape->B, H = shape->H, TB = shape->T * B;
    const bool backward = gradients != NULL;

    rnn_pack(shape, &model->rnn, &w, backward);
    output_pack(shape, &model->output, &w, backward);
    copy_to_padded(B, H, hprev, w.hs, w.h);
    rnn_through_time(shape, &w, inputs);
    output_forward(shape, &w, TB, w.hs + B * w.h, w.ys);
    double loss = softmax_cross_entropy(TB, shape->V, w.v, targets, w.ys);
    if (!isfinite(loss)) {
        return loss;
    }
    copy_from_padded(B, H, w.hs + TB * w.h, w.h, hlast);
    if (backward) {
        output_backward(shape, &w, limit, &gradients->output);
        rnn_back_through_time(shape, &w);
        rnn_gradients(shape, &w, inputs, limit, &gradients->rnn);
    }
    return loss;
}

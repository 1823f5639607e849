/* Drawing characters from a model, one after the other. */

/* The character for one uniform number u, as numpy.random.choice draws it: the number of entries of
 * cumsum(p) / sum(p) that are <= u, in float64 whatever the model's dtype. p is finite. */
static size_t draw(size_t V, const real *p, double u, double *cdf)
{
    double total = 0;
    for (size_t i = 0; i < V; i++) {
        total += (double)p[i];
        cdf[i] = total;
    }
    size_t character = 0;
    for (size_t i = 0; i + 1 < V; i++) { /* the last entry is 1, above every u */
        character += cdf[i] / total <= u;
    }
    return character;
}

static fastrnn_status char_rnn_sample(const fastrnn_shape *shape, const TYPED(fastrnn_char_rnn) *model, real *h,
                                      int64_t first, size_t n, real temperature,
                                      const fastrnn_uniform_source *uniform, int64_t *characters, void *workspace)
{
    const workspace_layout w = workspace_at(shape, workspace);
    const size_t H = shape->H, V = shape->V;
    char_rnn_pack_parameters(shape, model, &w);
    const real s = 1 / temperature < REAL_LARGEST ? 1 / temperature : REAL_LARGEST; /* infinity times 0 would be NaN */
    const strand layer = char_rnn_strand(shape, &w);
    const real *now = w.hs;
    copy_to_padded(1, H, h, w.hs, w.h);
    for (size_t i = 0; i < n; i++) {
        const size_t t = i % shape->T;
        if (t == 0 && i > 0) {
            memcpy(w.hs, now, w.h * sizeof(real)); /* T steps are over: on from the first */
        }
        input_forward(shape, &w, t, 1, i == 0 ? &first : &characters[i - 1]);
        rnn_tanh_step(&layer, t);
        now = states_at(&layer, layer.hs, t);
        output_forward(shape, &w, 1, now, w.ys);
        if (!isfinite(softmax(V, s, w.ys).sum)) {
            return FASTRNN_ERROR_NOT_FINITE; /* before a number is taken from the source */
        }
        characters[i] = (int64_t)draw(V, w.ys, uniform->next(uniform->state), w.cdf);
    }
    copy_from_padded(1, H, now, w.h, h);
    return FASTRNN_OK;
}

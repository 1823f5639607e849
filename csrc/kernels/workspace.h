/* The scratch memory of one network and one sequence, laid out once. For a shape (T, B, H, V), with h = padded_row(H)
 * and v = padded_row(V):
 *
 *     parameters, as the products want them        states, and the gradients with respect to them
 *     Wxh_rows      (V, h)  Wxh^T                  hs         (T + 1, B, h)  h_{-1}, h_0 ... h_{T-1}
 *     Whh_forward   packed (H, H)  Whh^T           dhs        (T, B, h)      dh_t, then d_t = (1 - h_t^2) dh_t
 *     Whh_backward  packed (H, H)  Whh             ys         (T, B, v)      y_t, then p_t, then dy_t
 *     Why_forward   packed (H, V)  Why^T
 *     Why_backward  packed (V, H)  Why             gradients with respect to parameters, padded
 *     bh (h), by (v)                               dWxh_rows  (V, h)  dWxh^T
 *                                                  dWhh       (H, h)
 *     cdf (V) float64, for sampling                dWhy       (V, h)
 *
 * Every piece begins on a cache line. */

typedef struct {
    size_t h, v; /* numbers from row to row */
    real *Wxh_rows, *Whh_forward, *Whh_backward, *Why_forward, *Why_backward, *bh, *by;
    real *hs, *dhs, *ys;
    real *dWxh_rows, *dWhh, *dWhy;
    double *cdf;
} workspace_layout;

/* The next `bytes` bytes from *next on, from a cache line on. */
static void *take(uintptr_t *next, size_t bytes)
{
    uintptr_t begin = (*next + 63) & ~(uintptr_t)63;
    *next = begin + bytes;
    return (void *)begin;
}

/* Lays the pieces out from `begin` on and returns the end. The limits that api.c sets on a shape (H, V < 2^24,
 * T B < 2^32) keep every size below 2^60 bytes, so that nothing here overflows. */
static uintptr_t lay_out(const fastrnn_shape *shape, uintptr_t begin, workspace_layout *w)
{
    const size_t T = shape->T, B = shape->B, H = shape->H, V = shape->V;
    const size_t h = padded_row(H), v = padded_row(V), size = sizeof(real);
    uintptr_t next = begin;
    w->h = h;
    w->v = v;
    w->Wxh_rows = take(&next, V * h * size);
    w->Whh_forward = take(&next, packed_size(H, H) * size);
    w->Whh_backward = take(&next, packed_size(H, H) * size);
    w->Why_forward = take(&next, packed_size(H, V) * size);
    w->Why_backward = take(&next, packed_size(V, H) * size);
    w->bh = take(&next, h * size);
    w->by = take(&next, v * size);
    w->hs = take(&next, (T + 1) * B * h * size);
    w->dhs = take(&next, T * B * h * size);
    w->ys = take(&next, T * B * v * size);
    w->dWxh_rows = take(&next, V * h * size);
    w->dWhh = take(&next, H * h * size);
    w->dWhy = take(&next, V * h * size);
    w->cdf = take(&next, V * sizeof(double));
    return next;
}

static workspace_layout workspace_at(const fastrnn_shape *shape, void *memory)
{
    workspace_layout w;
    lay_out(shape, (uintptr_t)memory, &w);
    return w;
}

static size_t workspace_size(const fastrnn_shape *shape)
{
    workspace_layout w;
    return (size_t)lay_out(shape, 0, &w) + 63; /* wherever the caller's memory begins, a cache line does within 63 */
}

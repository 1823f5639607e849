/* The scratch memory of one network and one sequence, laid out once. For a shape (T, B, H, V), with h = padded_row(H)
 * and v = padded_row(V):
 *
 *     the model, as the products want it           states, and the gradients with respect to them
 *     Wxh_rows      (V, h)  Wxh^T                  hs         (T + 1, B, h)  h_{-1}, h_0 ... h_{T-1}
 *     Whh           packed (H, H)                  dhs        (T, B, h)      Why^T dy_t, then d_t = (1 - h_t^2) dh_t
 *     Why           packed (V, H)                  dh         (B, h)         what step t + 1 adds to dh_t
 *     bh (h), by (v)                               ys         (T, B, v)      y_t, then p_t, then dy_t
 *     Whh_transposed  packed (H, H)  Whh^T         gradients with respect to parameters
 *     Why_transposed  packed (H, V)  Why^T         dWxh_rows  (V, h)  dWxh^T
 *     Whh_slices      for many rows (slices.h)     some_rows  some rows of dWhh or dWhy
 *     the optimizer's memory, for training         dbias      (max(h, v))
 *     the first five once more
 *
 *     Wxh_rows and dWxh_rows hold, for the loss of one call, only the rows of the characters that occur
 *     one_copy: Whh is dense, a single panel, and multiplied as it lies; there is no Whh_transposed
 *     for training: inputs, targets (T, B); occurs (V).  for sampling: cdf (V) float64
 *
 * Every piece begins on a cache line. */

typedef struct {
    real *Wxh_rows, *Whh, *Why, *bh, *by;
} packed_model;

typedef struct {
    size_t h, v;       /* numbers from row to row */
    packing packing;   /* of Whh and Whh_transposed */
    bool one_copy;
    packed_model parameters, memory;
    real *Whh_transposed, *Why_transposed;
    slice_tile *Whh_slices; /* of Whh_transposed, and on the way back of Whh */
    real *hs, *dhs, *dh, *ys;
    real *dWxh_rows, *some_rows, *dbias;
    int64_t *inputs, *targets;
    bool *occurs;
    double *cdf;
} workspace_layout;

/* The next `bytes` bytes from *next on, from a cache line on. */
static void *take(uintptr_t *next, size_t bytes)
{
    uintptr_t begin = (*next + 63) & ~(uintptr_t)63;
    *next = begin + bytes;
    return (void *)begin;
}

static packed_model take_model(uintptr_t *next, size_t H, size_t V)
{
    return (packed_model){
        .Wxh_rows = take(next, V * padded_row(H) * sizeof(real)),
        .Whh = take(next, packed_size(H, H) * sizeof(real)),
        .Why = take(next, packed_size(V, H) * sizeof(real)),
        .bh = take(next, padded_row(H) * sizeof(real)),
        .by = take(next, padded_row(V) * sizeof(real)),
    };
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
    w->one_copy = B == 1 && H % LINE_REALS == 0 && in_one_copy(H * H);
    w->packing = w->one_copy ? (packing){vecs_in(H), false} : swept_packing(B, H, H);
    w->parameters = take_model(&next, H, V);
    w->Whh_transposed = take(&next, w->one_copy ? 0 : packed_size(H, H) * size);
    w->Why_transposed = take(&next, packed_size(H, V) * size);
    w->Whh_slices = take(&next, recurrent_slices_bytes(&rnn_tanh_cell, T, B, H, h));
    w->hs = take(&next, (T + 1) * B * h * size);
    w->dhs = take(&next, T * B * h * size);
    w->dh = take(&next, B * h * size);
    w->ys = take(&next, T * B * v * size);
    w->dWxh_rows = take(&next, V * h * size);
    w->some_rows = take(&next, some_rows_size(H > V ? H : V, H, T * B) * size);
    w->dbias = take(&next, (h > v ? h : v) * size);
    w->memory = take_model(&next, H, V);
    w->inputs = take(&next, T * B * sizeof(int64_t));
    w->targets = take(&next, T * B * sizeof(int64_t));
    w->occurs = take(&next, V * sizeof(bool));
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

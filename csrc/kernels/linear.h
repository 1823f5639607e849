/* The layers before and after the recurrent ones: y = W x + b, and y = a row of W. N rows each, dense, as the caller has
 * them. */

/* Scratch memory, and the tape. */
typedef struct {
    real *W;    /* packed (O, I) or (I, O) */
    real *x;    /* (N, padded_row(I)), on the tape: the inputs, for backward */
    real *y;    /* (N, padded_row(O)) */
    real *rows; /* some rows of dW */
    real *sums; /* (padded_row(O)) */
} linear_scratch;

static uintptr_t lay_out_linear(size_t N, size_t I, size_t O, uintptr_t begin, linear_scratch *w)
{
    const size_t size = sizeof(real);
    uintptr_t next = begin;
    w->W = take(&next, larger(packed_size(I, O), packed_size(O, I)) * size);
    w->y = take(&next, N * padded_row(O) * size);
    w->rows = take(&next, larger(some_rows_size(O, I, N), N * padded_row(I)) * size); /* in turn, dW's and dx */
    w->sums = take(&next, padded_row(O) * size);
    return next;
}

static uintptr_t lay_out_linear_tape(size_t N, size_t I, uintptr_t begin, linear_scratch *w)
{
    uintptr_t next = begin;
    w->x = take(&next, N * padded_row(I) * sizeof(real));
    return next;
}

static fastrnn_linear_bytes linear_memory(size_t N, size_t I, size_t O)
{
    linear_scratch w;
    const size_t line = 63; /* as in workspace_size */
    return (fastrnn_linear_bytes){.tape = (size_t)lay_out_linear_tape(N, I, 0, &w) + line,
                                  .workspace = (size_t)lay_out_linear(N, I, O, 0, &w) + line};
}

/* y (N, y_row) = W x + b for the rows of x (N, x_row), from W^T packed. */
static void linear_product(size_t N, size_t I, size_t O, const TYPED(fastrnn_linear) *layer, const real *x, size_t x_row,
                           const real *packed_W, real *y, size_t y_row)
{
    for (size_t n = 0; layer->by != NULL && n < N; n++) {
        copy_to_padded(1, O, layer->by, y + n * y_row, y_row);
    }
    product(N, (left_factor){x, x_row, 1}, packed(packed_W, I, O), y, y_row, layer->by != NULL);
}

/* The same, with memory for W^T packed. */
static void linear_rows(size_t N, size_t I, size_t O, const TYPED(fastrnn_linear) *layer, const real *x, size_t x_row,
                        real *packed_W, real *y, size_t y_row)
{
    pack_transposed(usual_packing, I, O, layer->Why, packed_W);
    linear_product(N, I, O, layer, x, x_row, packed_W, y, y_row);
}

static void linear_weight_follows(const weight_target *W, size_t first, size_t n)
{
    pack_columns(usual_packing, W->N, W->M, W->to + first * W->N, first, first + n, W->copies);
}

/* In the forward pass this was y = W x + b, so now dW = sum over the rows of dy x^T, db = sum of dy ... kept is W^T packed,
 * which is to follow where they are applied, or NULL. */
static void linear_weights_back(const gradient_use *use, size_t N, size_t I, size_t O, const real *x, size_t x_row,
                                const real *dy, size_t y_row, const TYPED(fastrnn_linear) *gradients, real *kept,
                                real *some_rows, real *sums)
{
    weight_target W = dense_target(O, I, gradients->Why);
    W.follow = kept != NULL ? linear_weight_follows : NULL;
    W.copies = kept;
    const right_factor inputs = unpacked(x, N, I, x_row);
    weight_gradient(use, (left_factor){dy, 1, y_row}, inputs, &W, some_rows);
    if (gradients->by != NULL) {
        bias_gradient(use, O, N, dy, y_row, gradients->by, sums);
    }
}

/* ... and dx (N, x_row) = W^T dy. */
static void linear_inputs_back(size_t N, size_t I, size_t O, const TYPED(fastrnn_linear) *layer, const real *dy,
                               size_t y_row, real *packed_W, real *dx, size_t x_row)
{
    pack(usual_packing, O, I, layer->Why, packed_W);
    product(N, (left_factor){dy, y_row, 1}, packed(packed_W, O, I), dx, x_row, false);
}

static void linear_forward(size_t N, size_t I, size_t O, const TYPED(fastrnn_linear) *layer, const real *x, real *y,
                           void *tape, void *workspace)
{
    linear_scratch w;
    lay_out_linear(N, I, O, (uintptr_t)workspace, &w);
    const size_t row = padded_row(O);
    const uint64_t subnormals = subnormals_as_zero();
    if (tape != NULL) {
        lay_out_linear_tape(N, I, (uintptr_t)tape, &w);
        copy_to_padded(N, I, x, w.x, padded_row(I));
    }
    linear_rows(N, I, O, layer, x, I, w.W, w.y, row);
    copy_from_padded(N, O, w.y, row, y);
    subnormals_restore(subnormals);
}

static void linear_backward(size_t N, size_t I, size_t O, const TYPED(fastrnn_linear) *layer, const void *tape,
                            const real *dy, const TYPED(fastrnn_linear) *gradients, real *dx, void *workspace)
{
    linear_scratch w;
    lay_out_linear(N, I, O, (uintptr_t)workspace, &w);
    lay_out_linear_tape(N, I, (uintptr_t)tape, &w);
    const size_t x_row = padded_row(I), y_row = padded_row(O);
    const uint64_t subnormals = subnormals_as_zero();
    const gradient_use added = {.way = GRADIENT_ADDED};
    copy_to_padded(N, O, dy, w.y, y_row);
    linear_weights_back(&added, N, I, O, w.x, x_row, w.y, y_row, gradients, NULL, w.rows, w.sums);
    if (dx != NULL && lies_well(I, dx)) {
        linear_inputs_back(N, I, O, layer, w.y, y_row, w.W, dx, I);
    } else if (dx != NULL) {
        linear_inputs_back(N, I, O, layer, w.y, y_row, w.W, w.rows, x_row);
        copy_from_padded(N, I, w.rows, x_row, dx);
    }
    subnormals_restore(subnormals);
}

/* y (N, y_row) = rows (E) of W. */
static void embedding_forward(size_t N, size_t E, const real *W, const int64_t *indices, real *y, size_t y_row)
{
    for (size_t n = 0; n < N; n++) {
        memcpy(y + n * y_row, W + (size_t)indices[n] * E, E * sizeof(real));
    }
}

/* In the forward pass this was y = row x of W, so now that row of dW += dy. */
static void embedding_backward(size_t N, size_t E, const int64_t *indices, const real *dy, size_t dy_row, real *dW)
{
    for (size_t n = 0; n < N; n++) {
        add(E, dy + n * dy_row, dW + (size_t)indices[n] * E);
    }
}

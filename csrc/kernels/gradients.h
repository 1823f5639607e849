/* Where gradients with respect to parameters go as soon as they are there: clipped, into the caller's dense matrices;
 * added to what is in them; or clipped, through Adagrad, into the packed parameters. Either way a block of a gradient
 * lives for a few rows only, in L1. */

typedef enum { GRADIENT_CLIPPED, GRADIENT_ADDED, GRADIENT_APPLIED } gradient_way;

typedef struct {
    gradient_way way;
    real limit;         /* each element is clipped to [-limit, limit], unless it is added */
    real learning_rate; /* of Adagrad */
} gradient_use;

/* A long sum, over K steps and sequences, reads much for each block of rows, and a short one little. */
#define LONG_SUM 256

/* Terms of a long sum at once, three times what product takes at once: as many rows of A are copied side by side, because
 * where they lie each is on a page of its own. */
#define TERMS_AT_ONCE 240

/* How many of the M rows of a weight's gradient, `row` numbers each, are computed before they are used, whole LINE_REALS of them.
 * Those of a short sum take 16 KB at most and are still in L1, those of a long one 512 KB, so that few passes over B
 * make them all. */
static size_t rows_at_once(size_t M, size_t row, size_t K)
{
    const size_t bytes = K < LONG_SUM ? 16384 : 524288;
    if (whole_lines(M) * row * sizeof(real) <= bytes) {
        return whole_lines(M);
    }
    const size_t lines = bytes / (LINE_REALS * row * sizeof(real));
    return (lines > 1 ? lines : 1) * LINE_REALS;
}

/* Numbers of scratch memory that weight_gradient needs for a gradient of M rows and N columns, summed over K terms: the
 * rows, and the copy of A. */
static size_t some_rows_size(size_t M, size_t N, size_t K)
{
    const size_t row = padded_row(N), most = rows_at_once(M, row, K), all = whole_lines(M), rows = most < all ? most : all;
    return rows * row + (K < LONG_SUM ? 0 : TERMS_AT_ONCE * padded_row(rows));
}

/* A weight matrix (M, N) that its gradient reaches: the caller's dense gradient, or, to update, the packed parameter,
 * its optimizer's memory and the parameter's transpose, which is to follow. */
typedef struct {
    size_t M, N;
    real *gradient;
    real *parameter, *memory, *transposed;
    size_t panel_vecs; /* of these, and of the rows of the gradient while they are in some_rows */
} weight_target;

/* Rows of a gradient, padded to whole registers, go to the caller's matrix. */
static void hand_over(const gradient_use *use, size_t rows, size_t columns, const real *src, size_t src_row, real *dst,
                      size_t dst_row)
{
    if (use->way == GRADIENT_ADDED) {
        add_padded(rows, columns, src, src_row, dst, dst_row);
    } else {
        copy_clipped(rows, columns, src, src_row, use->limit, dst, dst_row);
    }
}

/* Rows i0 ... i0 + n - 1 of the gradient, packed, go through Adagrad into the parameter. Within a panel the rows follow
 * each other, in the gradient as in the parameter and the memory. */
static void update_rows(const gradient_use *use, const weight_target *weight, size_t i0, size_t n, const real *rows)
{
    const partition panels = panels_of(weight->panel_vecs, weight->N);
    for (size_t p = 0; p < panels.parts; p++) {
        const panel c = panel_at(&panels, weight->N, p);
        const size_t at = weight->M * c.first + i0 * c.width;
        clipped_adagrad(n * c.width, use->learning_rate, use->limit, rows + n * c.first, weight->memory + at,
                        weight->parameter + at);
    }
    transpose_packed(weight->panel_vecs, weight->M, weight->N, weight->parameter, i0, i0 + n, weight->transposed);
}

/* The same rows go to the caller. */
static void return_rows(const gradient_use *use, const weight_target *weight, size_t i0, size_t n, const real *rows)
{
    const partition panels = panels_of(weight->panel_vecs, weight->N);
    for (size_t p = 0; p < panels.parts; p++) {
        const panel c = panel_at(&panels, weight->N, p);
        hand_over(use, n, c.filled, rows + n * c.first, c.width, weight->gradient + i0 * weight->N + c.first,
                  weight->N);
    }
}

/* Packed C (M, N) = A B, a long sum. `copy` has room for TERMS_AT_ONCE rows of M numbers. */
static void long_product(size_t M, left_factor A, right_factor B, real *C, real *copy)
{
    const size_t row = padded_row(M);
    for (size_t k = 0; k < B.K; k += TERMS_AT_ONCE) {
        right_factor terms = B;
        terms.K = B.K - k < TERMS_AT_ONCE ? B.K - k : TERMS_AT_ONCE;
        terms.data += k * B.row;
        for (size_t j = 0; j < terms.K; j++) {
            memcpy(copy + j * row, A.data + (k + j) * A.k_step, M * sizeof(real));
        }
        product(M, (left_factor){copy, 1, row}, terms, C, 0, k > 0);
    }
}

/* The gradient A B of a weight matrix, some rows at a time, in some_rows. A is a transposed matrix, i_step 1. */
static void weight_gradient(const gradient_use *use, left_factor A, right_factor B, const weight_target *weight,
                            real *some_rows)
{
    B.panel_vecs = weight->panel_vecs;
    const size_t at_once = rows_at_once(weight->M, padded_row(weight->N), B.K);
    for (size_t i0 = 0; i0 < weight->M; i0 += at_once) {
        const size_t n = weight->M - i0 < at_once ? weight->M - i0 : at_once;
        const left_factor rows = {A.data + i0 * A.i_step, A.i_step, A.k_step};
        if (B.K < LONG_SUM) {
            product(n, rows, B, some_rows, 0, false);
        } else {
            long_product(n, rows, B, some_rows, some_rows + n * padded_row(weight->N));
        }
        if (use->way == GRADIENT_APPLIED) {
            update_rows(use, weight, i0, n, some_rows);
        } else {
            return_rows(use, weight, i0, n, some_rows);
        }
    }
}

/* The gradient of a bias: the sum of n rows, `row` apart, taken in `sums`, which is as long as a row. */
static void bias_gradient(const gradient_use *use, size_t n, const real *rows, size_t row, const weight_target *bias,
                          real *sums)
{
    sum_rows(n, bias->N, rows, row, sums);
    if (use->way == GRADIENT_APPLIED) {
        clipped_adagrad(bias->N, use->learning_rate, use->limit, sums, bias->memory, bias->parameter);
    } else {
        hand_over(use, 1, bias->N, sums, row, bias->gradient, bias->N);
    }
}

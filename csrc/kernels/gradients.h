/* Where gradients with respect to parameters go as soon as they are there: clipped, into the caller's dense matrices, or
 * clipped, through Adagrad, into the packed parameters. Either way a gradient lives for a few rows only, in L1. */

typedef struct {
    real limit;         /* each element is clipped to [-limit, limit] */
    bool update;        /* Adagrad at once, or else the gradient itself is wanted */
    real learning_rate; /* of Adagrad */
} gradient_use;

/* A weight matrix (M, N) that its gradient reaches: the caller's dense gradient, or, to update, the packed parameter,
 * its optimizer's memory and the parameter's transpose, which is to follow. */
typedef struct {
    size_t M, N;
    real *gradient;
    real *parameter, *memory, *transposed;
} weight_target;

/* Rows i0 ... i0 + n - 1 of the gradient, packed, go through Adagrad into the parameter. Within a panel the rows follow
 * each other, in the gradient as in the parameter and the memory. */
static void update_rows(const gradient_use *use, const weight_target *weight, size_t i0, size_t n, const real *rows)
{
    const partition panels = panels_of(weight->N);
    for (size_t p = 0; p < panels.parts; p++) {
        const panel c = panel_at(&panels, weight->N, p);
        const size_t at = weight->M * c.first + i0 * c.width;
        clipped_adagrad(n * c.width, use->learning_rate, use->limit, rows + n * c.first, weight->memory + at,
                        weight->parameter + at);
    }
    transpose_packed(weight->M, weight->N, weight->parameter, i0, i0 + n, weight->transposed);
}

/* The same rows, clipped, go to the caller. */
static void return_rows(const gradient_use *use, const weight_target *weight, size_t i0, size_t n, const real *rows)
{
    const partition panels = panels_of(weight->N);
    for (size_t p = 0; p < panels.parts; p++) {
        const panel c = panel_at(&panels, weight->N, p);
        copy_clipped(n, c.filled, rows + n * c.first, c.width, use->limit,
                     weight->gradient + i0 * weight->N + c.first, weight->N);
    }
}

/* The gradient A B of a weight matrix, some rows at a time. */
static void weight_gradient(const workspace_layout *w, const gradient_use *use, left_factor A, right_factor B,
                            const weight_target *weight)
{
    const size_t at_once = rows_at_once(w->h, B.K);
    for (size_t i0 = 0; i0 < weight->M; i0 += at_once) {
        const size_t n = weight->M - i0 < at_once ? weight->M - i0 : at_once;
        const left_factor rows = {A.data + i0 * A.i_step, A.i_step, A.k_step};
        product(n, rows, B, w->some_rows, 0, false);
        if (use->update) {
            update_rows(use, weight, i0, n, w->some_rows);
        } else {
            return_rows(use, weight, i0, n, w->some_rows);
        }
    }
}

/* The gradient of a bias: the sum of n rows, `row` apart. */
static void bias_gradient(const workspace_layout *w, const gradient_use *use, size_t n, size_t N, const real *rows,
                          size_t row, real *gradient, real *parameter, real *memory)
{
    sum_rows(n, N, rows, row, w->dbias);
    if (use->update) {
        clipped_adagrad(N, use->learning_rate, use->limit, w->dbias, memory, parameter);
    } else {
        copy_clipped(1, N, w->dbias, row, use->limit, gradient, N);
    }
}

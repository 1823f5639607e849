/* Where gradients with respect to parameters go as soon as they are there: clipped, into the caller's dense matrices;
 * added to what is in them; or through the optimizer into the parameters. Either way a block of a gradient lives for a
 * few rows only, in L1. */

typedef enum { GRADIENT_CLIPPED, GRADIENT_ADDED, GRADIENT_APPLIED } gradient_way;

typedef struct {
    gradient_way way;
    real limit;                    /* each element is clipped to [-limit, limit], if they are */
    const update_rule *rule;       /* what they are applied by ... */
    TYPED(fastrnn_update) buffers; /* ... in these: whatever goes to a parameter finds the rest in the same place */
} gradient_use;

/* A long sum, over K steps and sequences, reads much for each block of rows, and a short one little. */
#define LONG_SUM 256

/* Terms of a long sum at once, three times what product takes at once: as many rows of A are copied side by side,
 * because where they lie each is on a page of its own. Slices are copies anyway. */
#define TERMS_AT_ONCE 240

/* Sums of fewer terms are so short that what they are made of must still be in L1 when they are used. */
#define FEW_TERMS 48

/* How many of the M rows of a weight's gradient, `row` numbers each, may be computed before they are used, whole
 * LINE_REALS of them. Those of a few terms take 16 KB at most; those of more, whose products take longer, 128 KB; those
 * of a long sum 576 KB, so that few passes over B make them all. */
static size_t most_rows_at_once(size_t M, size_t row, size_t K)
{
    const size_t bytes = K < FEW_TERMS ? 16384 : K < LONG_SUM ? 131072 : 589824;
    const size_t fit = bytes / (LINE_REALS * row * sizeof(real));
    const size_t rows = (fit > 1 ? fit : 1) * LINE_REALS, all = whole_lines(M);
    return rows < all ? rows : all;
}

/* So many more may be taken by the last pass: another one would take longer than they do. */
static size_t rows_left_over(size_t K)
{
    return K < FEW_TERMS ? 8 : 0;
}

/* How many are, in as few passes: all about as many. */
static size_t rows_at_once(size_t M, size_t row, size_t K)
{
    const size_t most = most_rows_at_once(M, row, K), in_passes = M - (M < rows_left_over(K) ? M : rows_left_over(K));
    const size_t passes = larger((in_passes + most - 1) / most, 1), rows = whole_lines((M + passes - 1) / passes);
    return rows < most ? rows : most;
}

/* Numbers of scratch memory that weight_gradient needs for a gradient of M rows and N columns, or fewer rows, summed
 * over K terms: the rows, and the copy of A. */
static size_t some_rows_size(size_t M, size_t N, size_t K)
{
    const size_t row = padded_row(N), rows = most_rows_at_once(M, row, K) + rows_left_over(K);
    return larger(rows * row + (K < LONG_SUM ? 0 : TERMS_AT_ONCE * padded_row(rows)), MOST_TAIL * whole_lines(M));
}

/* A weight matrix (M, N), or for a gradient that isn't applied the matrix that it goes to. */
typedef struct weight_target weight_target;
struct weight_target {
    size_t M, N;
    real *to;          /* rows `row` apart, or packed */
    size_t row;
    bool packed;
    packing packing;   /* the panels are those of the gradient's rows too while they are in some_rows */
    /* Called when rows first ... first + n - 1 of a weight have been updated, for what is made of it; or NULL. */
    void (*follow)(const weight_target *weight, size_t first, size_t n);
    void *copies; /* follow's own */
};

static weight_target dense_target(size_t M, size_t N, real *to)
{
    return (weight_target){.M = M, .N = N, .to = to, .row = N, .packing = usual_packing};
}

/* An array of the optimizer's in the place that `to` has among the parameters. */
static real *beside(const gradient_use *use, real *buffer, const real *to)
{
    return buffer == NULL ? NULL : buffer + (to - use->buffers.parameter);
}

/* Rows of a gradient, padded to whole registers, go where they belong. */
static void hand_over(const gradient_use *use, size_t rows, size_t columns, const real *src, size_t src_row, real *to,
                      size_t to_row)
{
    switch (use->way) {
    case GRADIENT_ADDED:
        add_padded(rows, columns, src, src_row, to, to_row);
        break;
    case GRADIENT_CLIPPED:
        copy_clipped(rows, columns, src, src_row, use->limit, to, to_row);
        break;
    case GRADIENT_APPLIED: {
        const TYPED(fastrnn_update) arrays = {to, src, beside(use, use->buffers.momentum, to),
                                              beside(use, use->buffers.mean, to), beside(use, use->buffers.squares, to)};
        const update_span span = {rows, columns, to_row, src_row};
        apply_rule(use->rule, &span, &arrays);
        break;
    }
    }
}

/* Whether n rows of the gradient A B of a weight come without padding between them, as the weight's lie: one run of
 * numbers, whose registers begin where cache lines do. Of short sums, which product takes at once. */
static bool comes_closely(const weight_target *weight, size_t n, const right_factor *B)
{
    return !weight->packed && weight->row == weight->N && B->K <= K_AT_ONCE && B->K < LONG_SUM && !is_sliced(n, B);
}

/* Columns of a weight's gradient that are computed row by row: all but the tail of one that is packed. */
static size_t columns_at_once(const weight_target *weight)
{
    return weight->packed ? columns_in_panels(weight->packing, weight->M, weight->N) : weight->N;
}

/* The others, the gradient A B's last ones, come as the weight has them, each as a row: they are the first rows of its
 * transpose. */
static void tail_gradient(const gradient_use *use, left_factor A, right_factor B, const weight_target *weight,
                          real *some_rows)
{
    const size_t M = weight->M, columns = columns_at_once(weight), tail = weight->N - columns, row = whole_lines(M);
    const left_factor B_transposed = {B.data + columns, 1, B.row};
    product(tail, B_transposed, unpacked(A.data, B.K, M, A.k_step), some_rows, row, false);
    hand_over(use, tail, M, some_rows, row, weight->to + M * columns, row);
}

/* Rows i0 ... i0 + n - 1 of the gradient of a weight, packed. Within a panel the rows follow each other, in the
 * gradient as in a weight that is packed. */
static void hand_over_panels(const gradient_use *use, const weight_target *weight, size_t i0, size_t n, const real *rows)
{
    const size_t columns = columns_at_once(weight);
    const partition panels = panels_of(weight->packing.panel_vecs, columns);
    for (size_t p = 0; p < panels.parts; p++) {
        const panel c = panel_at(&panels, columns, p);
        const real *from = rows + n * c.first;
        if (weight->packed) {
            const size_t all = n * c.width;
            hand_over(use, 1, all, from, all, weight->to + weight->M * c.first + i0 * c.width, all);
        } else {
            hand_over(use, n, c.filled, from, c.width, weight->to + i0 * weight->row + c.first, weight->row);
        }
    }
}

/* The same rows, closely or packed, and what follows. */
static void hand_over_rows(const gradient_use *use, const weight_target *weight, size_t i0, size_t n, bool closely,
                           const real *rows)
{
    if (closely) {
        const size_t all = n * weight->N;
        hand_over(use, 1, all, rows, all, weight->to + i0 * weight->N, all);
    } else {
        hand_over_panels(use, weight, i0, n, rows);
    }
    if (use->way == GRADIENT_APPLIED && weight->follow != NULL) {
        weight->follow(weight, i0, n);
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

/* The gradient A B of a weight matrix, some rows at a time, in some_rows. A is a transposed matrix, i_step 1, and B as it
 * lies. */
static void weight_gradient(const gradient_use *use, left_factor A, right_factor B, const weight_target *weight,
                            real *some_rows)
{
    if (columns_at_once(weight) < weight->N) { /* first, because what follows the rows wants it too */
        tail_gradient(use, A, B, weight, some_rows);
    }
    B.N = columns_at_once(weight);
    B.panel_vecs = weight->packing.panel_vecs;
    const size_t at_once = rows_at_once(weight->M, padded_row(weight->N), B.K), more = rows_left_over(B.K);
    for (size_t i0 = 0, n; i0 < weight->M; i0 += n) {
        n = weight->M - i0 <= at_once + more ? weight->M - i0 : at_once;
        const left_factor rows = {A.data + i0 * A.i_step, A.i_step, A.k_step};
        const bool closely = comes_closely(weight, n, &B);
        B.backward = closely;
        if (B.K < LONG_SUM || is_sliced(n, &B)) {
            product(n, rows, B, some_rows, closely ? B.N : 0, false);
        } else {
            long_product(n, rows, B, some_rows, some_rows + n * padded_row(weight->N));
        }
        hand_over_rows(use, weight, i0, n, closely, some_rows);
    }
}

/* The gradient of a bias of n numbers: the sum of N rows, `row` apart, taken in `sums`, which is as long as a row. */
static void bias_gradient(const gradient_use *use, size_t n, size_t N, const real *rows, size_t row, real *to, real *sums)
{
    sum_rows(N, n, rows, row, sums);
    hand_over(use, 1, n, sums, row, to, n);
}

/* A gradient of n numbers that is made piece by piece, in no order, is made here, and then handed over. */
static real *made_piecewise(const gradient_use *use, real *to)
{
    return use->way == GRADIENT_APPLIED ? (real *)beside(use, (real *)use->buffers.gradient, to) : to;
}

static void hand_over_made(const gradient_use *use, size_t n, real *to)
{
    if (use->way == GRADIENT_APPLIED) {
        hand_over(use, 1, n, made_piecewise(use, to), n, to, n);
    }
}

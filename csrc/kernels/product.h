/* Matrix products, C = A B, C += A B or C = bias + A B, for the shapes that a recurrent network has.
 *
 * One register tile serves all of them: it holds a few rows of C and a few registers of columns, and for each k adds
 * A(i, k), spread over a register, times row k of B. B's columns are what the registers run along, so B must have
 * contiguous rows, and A may be anything addressed by two strides: A transposed costs nothing.
 *
 *     h_t += Whh h_{t-1}        A = h (B, H)           B = Whh^T packed      M = batch, often 1
 *     dh_t += Whh^T d_{t+1}     A = d (B, H)           B = Whh packed
 *     y = hs Why^T              A = hs (T B, H)        B = Why^T packed      M = all steps at once
 *     dhs = dy Why              A = dy (T B, V)        B = Why packed
 *     dWhh = d^T hs_before      A = d transposed       B = hs, as it lies in the workspace
 *     dWhy = dy^T hs            A = dy transposed      B = hs
 *
 * The order in which an element of C is summed follows from the sizes alone, so that the same input gives the same bits.
 *
 * Packing. With M = 1 the whole of B is read for each product and the speed is that of the caches. So B is packed in
 * panels of a few registers of columns, PANEL_VECS at most, each panel contiguous from k = 0 on: one stream, aligned, that
 * the prefetcher follows, with as many sums in flight as the latency of an addition asks for. With more rows, tiles of
 * TILE_ROWS take the columns of a panel in parts of at most TILE_VECS (simd/), where sums, B and A just fit the registers,
 * and blocks of k that keep the part in L1. Panels, parts and blocks are of even size: 13 registers are 7 + 6, never
 * 12 + 1. */

#define PANEL_VECS 12


/* The left factor: A(i, k) = data[i * i_step + k * k_step]. */
typedef struct {
    const real *data;
    size_t i_step, k_step;
} left_factor;

/* The right factor B (K, N), N padded with finite numbers to whole registers. */
typedef struct {
    const real *data;
    size_t K, N;
    size_t row;        /* numbers from row to row; 0 for a packed matrix */
    size_t panel_vecs; /* registers of a panel at most: of B, if that is packed, and of C, if that is */
    bool backward;     /* take the panels from last to first; changes no result */
} right_factor;

static size_t vecs_in(size_t n)
{
    return (n + VEC_LANES - 1) / VEC_LANES;
}

/* n registers cut into the fewest parts of at most `largest`, as evenly as may be: each has `width` of them, and the
 * first `wider` parts one more. */
typedef struct {
    size_t parts, width, wider;
} partition;

INLINE partition cut(size_t n, size_t largest)
{
    if (n <= largest) { /* most often, and then there is nothing to divide, which takes as long as a small tile */
        return (partition){1, n, 0};
    }
    const uint32_t parts = (uint32_t)((n + largest - 1) / largest); /* n < 2^24: the division may be the short one */
    return (partition){parts, (uint32_t)n / parts, (uint32_t)n % parts};
}

/* Where part p begins, and where part p - 1 ends. */
INLINE size_t part_start(const partition *c, size_t p)
{
    return c->width * p + (p < c->wider ? p : c->wider);
}

/* ---- the tile -------------------------------------------------------------------------------------------------- */

typedef struct {
    left_factor A; /* data at the tile's first row */
    const real *B; /* at the tile's first column */
    size_t B_row, K;
    real *C; /* at the tile's first element */
    size_t C_row;
    const real *from; /* what is added to A B, at the tile's first element: C itself, or, from_row being 0, a bias; or NULL */
    size_t from_row;
} tile_call;

/* sums += A(:, k) B(k, :) */
INLINE void tile_step(const size_t rows, const size_t vecs, const left_factor *A, const real *B, size_t B_row, size_t k,
                      vec sums[TILE_ROWS][PANEL_VECS])
{
    vec b[PANEL_VECS];
    UNROLL for (size_t v = 0; v < vecs; v++) {
        b[v] = vec_load(B + k * B_row + v * VEC_LANES);
    }
    UNROLL for (size_t i = 0; i < rows; i++) {
        vec a = vec_set1(A->data[i * A->i_step + k * A->k_step]);
        UNROLL for (size_t v = 0; v < vecs; v++) {
            sums[i][v] = vec_fma(a, b[v], sums[i][v]);
        }
    }
}

/* How many k to sum apart so that at least 8 sums are under way: an addition takes 4 cycles, and two begin in each. */
INLINE size_t chains_for(size_t sums)
{
    return sums >= 8 ? 1 : sums >= 4 ? 2 : 4;
}

/* The sums before the first k: of the first chain what is added to A B, of the others nothing. */
INLINE void tile_begin(const size_t rows, const size_t vecs, const size_t chains, const tile_call *call,
                       vec sums[4][TILE_ROWS][PANEL_VECS])
{
    UNROLL for (size_t i = 0; i < rows; i++) {
        UNROLL for (size_t v = 0; v < vecs; v++) {
            UNROLL for (size_t c = 1; c < chains; c++) {
                sums[c][i][v] = vec_set1(0);
            }
        }
    }
    if (call->from == NULL) {
        UNROLL for (size_t i = 0; i < rows; i++) {
            UNROLL for (size_t v = 0; v < vecs; v++) {
                sums[0][i][v] = vec_set1(0);
            }
        }
    } else {
        UNROLL for (size_t i = 0; i < rows; i++) {
            UNROLL for (size_t v = 0; v < vecs; v++) {
                sums[0][i][v] = vec_load(call->from + i * call->from_row + v * VEC_LANES);
            }
        }
    }
}

/* C = the sums of all chains. */
INLINE void tile_end(const size_t rows, const size_t vecs, const size_t chains, const tile_call *call,
                     vec sums[4][TILE_ROWS][PANEL_VECS])
{
    UNROLL for (size_t i = 0; i < rows; i++) {
        UNROLL for (size_t v = 0; v < vecs; v++) {
            vec sum = sums[0][i][v];
            UNROLL for (size_t c = 1; c < chains; c++) {
                sum = vec_add(sum, sums[c][i][v]);
            }
            vec_store(call->C + i * call->C_row + v * VEC_LANES, sum);
        }
    }
}

/* rows and vecs are constants wherever this is inlined, and the loops over them are unrolled, so that `sums` lives in
 * registers from beginning to end. */
INLINE void tile(const size_t rows, const size_t vecs, const tile_call *call)
{
    const left_factor A = call->A;
    const real *B = call->B;
    const size_t K = call->K, B_row = call->B_row, chains = chains_for(rows * vecs);
    vec sums[4][TILE_ROWS][PANEL_VECS]; /* chain, row, register */
    tile_begin(rows, vecs, chains, call, sums);
    size_t k = 0;
    for (; k + chains <= K; k += chains) {
        UNROLL for (size_t c = 0; c < chains; c++) {
            tile_step(rows, vecs, &A, B, B_row, k + c, sums[c]);
        }
    }
    for (; k < K; k++) {
        tile_step(rows, vecs, &A, B, B_row, k, sums[0]);
    }
    tile_end(rows, vecs, chains, call, sums);
}

#define TILE_CASE(rows, vecs)      \
    case vecs:                     \
        tile(rows, vecs, call);    \
        break

static void tile_1_row(size_t vecs, const tile_call *call)
{
    switch (vecs) {
        TILE_CASE(1, 1);
        TILE_CASE(1, 2);
        TILE_CASE(1, 3);
        TILE_CASE(1, 4);
        TILE_CASE(1, 5);
        TILE_CASE(1, 6);
        TILE_CASE(1, 7);
        TILE_CASE(1, 8);
        TILE_CASE(1, 9);
        TILE_CASE(1, 10);
        TILE_CASE(1, 11);
        TILE_CASE(1, 12);
    }
}

static void tile_2_rows(size_t vecs, const tile_call *call)
{
    switch (vecs) {
        TILE_CASE(2, 1);
        TILE_CASE(2, 2);
#if TILE_VECS >= 3
        TILE_CASE(2, 3);
#endif
    }
}

static void tile_4_rows(size_t vecs, const tile_call *call)
{
    switch (vecs) {
        TILE_CASE(4, 1);
        TILE_CASE(4, 2);
#if TILE_VECS >= 3
        TILE_CASE(4, 3);
#endif
    }
}

#if TILE_ROWS >= 8
static void tile_8_rows(size_t vecs, const tile_call *call)
{
    switch (vecs) {
        TILE_CASE(8, 1);
        TILE_CASE(8, 2);
#if TILE_VECS >= 3
        TILE_CASE(8, 3);
#endif
    }
}
#endif

/* As many rows as the tallest tile that M rows fill. */
INLINE size_t tile_height(size_t M)
{
    return TILE_ROWS >= 8 && M >= 8 ? 8 : M >= 4 ? 4 : M >= 2 ? 2 : 1;
}

static void tile_of(size_t rows, size_t vecs, const tile_call *call)
{
    switch (rows) {
    case 1:
        tile_1_row(vecs, call);
        break;
    case 2:
        tile_2_rows(vecs, call);
        break;
    case 4:
        tile_4_rows(vecs, call);
        break;
#if TILE_ROWS >= 8
    case 8:
        tile_8_rows(vecs, call);
        break;
#endif
    }
}

/* ---- the product ----------------------------------------------------------------------------------------------- */

/* Rows of B that one pass takes when several rows of C share it: TILE_VECS registers of them fill three quarters of a small
 * L1, so that they stay there from row to row of C, and what comes of A and C has the rest. */
#define K_AT_ONCE (24 * 1024 * 8 / (TILE_VECS * VEC_BITS))

/* Asks for n rows of `vecs` registers, B_row apart, before they are needed: where the next block begins the hardware does
 * not foresee, and a matrix that outgrows L2 would be waited for at each. */
INLINE void prefetch_rows(size_t n, size_t vecs, const real *B, size_t B_row)
{
    for (size_t k = 0; k < n; k++) {
        for (size_t v = 0; v < vecs * VEC_LANES; v += LINE_REALS) {
            __builtin_prefetch(B + k * B_row + v);
        }
    }
}

/* M > 1 rows of C over the columns from call->B and call->C on, `vecs` registers of them: first in parts of columns, then
 * in blocks of k, then row by row. */
static void product_of_rows(size_t M, size_t vecs, tile_call call)
{
    const partition columns = cut(vecs, TILE_VECS), blocks = cut(call.K, K_AT_ONCE);
    const tile_call all = call;
    const bool outgrows_L1 = call.K * vecs * VEC_LANES * sizeof(real) > 48 * 1024;
    for (size_t p = 0; p < columns.parts; p++) {
        const size_t column = part_start(&columns, p) * VEC_LANES;
        const size_t width = part_start(&columns, p + 1) - part_start(&columns, p);
        for (size_t block = 0; block < blocks.parts; block++) {
            const size_t k = part_start(&blocks, block);
            call.K = part_start(&blocks, block + 1) - k;
            call.B = all.B + k * all.B_row + column;
            const real *from = block > 0 ? all.C : all.from;
            call.from_row = block > 0 ? all.C_row : all.from_row;
            /* The next block: of this part, or the first of the next one. Each tile asks for its share of the rows. */
            const bool last = block + 1 == blocks.parts;
            const real *next = last ? all.B + column + width * VEC_LANES : call.B + call.K * all.B_row;
            size_t unasked = outgrows_L1 && !(last && p + 1 == columns.parts) ? call.K : 0;
            const size_t share = unasked > 0 ? (call.K * TILE_ROWS + M - 1) / M : 0;
            for (size_t i = 0, rows; i < M; i += rows) {
                rows = tile_height(M - i);
                if (unasked > 0) {
                    const size_t asked = share < unasked ? share : unasked;
                    prefetch_rows(asked, width, next, all.B_row);
                    next += asked * all.B_row;
                    unasked -= asked;
                }
                call.A.data = all.A.data + i * all.A.i_step + k * all.A.k_step;
                call.C = all.C + i * all.C_row + column;
                call.from = from ? from + i * call.from_row + column : NULL;
                tile_of(rows, width, &call);
            }
        }
    }
}

/* Of M rows of A, those that are taken through all of B before the next ones: as many as fill 256 KB, a quarter of a small
 * L2, but 64 at least, and whole tiles of them. */
INLINE size_t rows_of_A_at_once(size_t M, size_t K)
{
    if (M <= 64) {
        return M;
    }
    const size_t rows = 256 * 1024 / (K * sizeof(real)) / 8 * 8;
    return rows > 64 ? rows : 64;
}

/* product, below, with all that may be added to A B: C itself, or a bias (N), padded as C's rows are, or NULL. */
static void product_added(size_t M, left_factor A, right_factor B, const real *bias, bool accumulate, real *C, size_t C_row)
{
    const partition panels = cut(vecs_in(B.N), B.panel_vecs);
    const size_t at_once = rows_of_A_at_once(M, B.K);
    for (size_t i = 0; i < M; i += at_once) {
        const size_t rows = M - i < at_once ? M - i : at_once;
        for (size_t n = 0; n < panels.parts; n++) {
            const size_t p = B.backward ? panels.parts - 1 - n : n;
            const size_t first = part_start(&panels, p), width = part_start(&panels, p + 1) - first;
            const size_t column = first * VEC_LANES, C_step = C_row ? C_row : width * VEC_LANES;
            tile_call call = {.A = {A.data + i * A.i_step, A.i_step, A.k_step},
                              .B = B.row ? B.data + column : B.data + B.K * column,
                              .B_row = B.row ? B.row : width * VEC_LANES,
                              .K = B.K,
                              .C = (C_row ? C + column : C + M * column) + i * C_step,
                              .C_row = C_step};
            call.from = bias ? bias + column : accumulate ? call.C : NULL;
            call.from_row = bias ? 0 : C_step;
            if (rows == 1) {
                tile_1_row(width, &call);
            } else {
                product_of_rows(rows, width, call);
            }
        }
    }
}

/* C (M, N), rows C_row apart and padded to whole registers, or packed with C_row = 0, = or += A (M, K) B (K, N). */
static void product(size_t M, left_factor A, right_factor B, real *C, size_t C_row, bool accumulate)
{
    product_added(M, A, B, NULL, accumulate, C, C_row);
}

/* The same with one row, without anything between the caller and the tiles: a step of time of a small network is hardly
 * longer than a call. */
INLINE void product_of_row(left_factor A, right_factor B, real *C, bool accumulate)
{
    const partition panels = cut(vecs_in(B.N), B.panel_vecs);
    for (size_t n = 0; n < panels.parts; n++) {
        const size_t p = B.backward ? panels.parts - 1 - n : n;
        const size_t first = part_start(&panels, p), width = part_start(&panels, p + 1) - first;
        const size_t column = first * VEC_LANES;
        const tile_call call = {.A = A,
                                .B = B.row ? B.data + column : B.data + B.K * column,
                                .B_row = B.row ? B.row : width * VEC_LANES,
                                .K = B.K,
                                .C = C + column,
                                .from = accumulate ? C + column : NULL};
        tile_1_row(width, &call);
    }
}

INLINE void product_of_step(size_t M, left_factor A, right_factor B, real *C, size_t C_row, bool accumulate)
{
    if (M == 1) {
        product_of_row(A, B, C, accumulate);
    } else {
        product(M, A, B, C, C_row, accumulate);
    }
}

/* Matrix products, C = A B or C += A B, for the shapes that a recurrent network has.
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
 * Every element of C is one sum in the order of k, whatever the tile: a result does not depend on how rows are
 * grouped.
 *
 * Packing. With M = 1 the whole of B is read for each product and the speed is that of the caches. So B is packed in
 * panels of at most PANEL_VECS registers of columns, each panel contiguous from k = 0 on: one stream, aligned, that
 * the prefetcher follows, with as many sums in flight as the latency of an addition asks for. A tile of four rows
 * takes the columns of a panel in parts of at most TILE_VECS (simd/), where sums, B and A just fit the registers.
 * Panels and parts are of even width: 13 registers are 7 + 6, never 12 + 1. */

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
    size_t row; /* numbers from row to row; 0 for a packed matrix */
} right_factor;

static size_t vecs_in(size_t n)
{
    return (n + VEC_LANES - 1) / VEC_LANES;
}

/* The start of part p when n registers are cut into `parts` parts as evenly as may be. */
static size_t part_start(size_t n, size_t parts, size_t p)
{
    return n / parts * p + (p < n % parts ? p : n % parts);
}

static size_t parts_of(size_t n, size_t largest)
{
    return (n + largest - 1) / largest;
}

/* ---- the tile -------------------------------------------------------------------------------------------------- */

typedef struct {
    left_factor A; /* data at the tile's first row */
    const real *B; /* at the tile's first column */
    size_t B_row, K;
    real *C; /* at the tile's first element */
    size_t C_row;
    bool accumulate; /* C += A B rather than C = A B */
} tile_call;

/* rows and vecs are constants wherever this is inlined, so that `sums` lives in registers. */
INLINE void tile(const size_t rows, const size_t vecs, const tile_call *call)
{
    const left_factor A = call->A;
    const real *B = call->B;
    vec sums[4][PANEL_VECS];
    for (size_t i = 0; i < rows; i++) {
        for (size_t v = 0; v < vecs; v++) {
            sums[i][v] = call->accumulate ? vec_load(call->C + i * call->C_row + v * VEC_LANES) : vec_set1(0);
        }
    }
    const size_t K = call->K, B_row = call->B_row;
    for (size_t k = 0; k < K; k++) {
        vec b[PANEL_VECS];
        for (size_t v = 0; v < vecs; v++) {
            b[v] = vec_load(B + k * B_row + v * VEC_LANES);
        }
        for (size_t i = 0; i < rows; i++) {
            vec a = vec_set1(A.data[i * A.i_step + k * A.k_step]);
            for (size_t v = 0; v < vecs; v++) {
                sums[i][v] = vec_fma(a, b[v], sums[i][v]);
            }
        }
    }
    for (size_t i = 0; i < rows; i++) {
        for (size_t v = 0; v < vecs; v++) {
            vec_store(call->C + i * call->C_row + v * VEC_LANES, sums[i][v]);
        }
    }
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
#if TILE_VECS >= 6
        TILE_CASE(2, 4);
        TILE_CASE(2, 5);
        TILE_CASE(2, 6);
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
#if TILE_VECS >= 6
        TILE_CASE(4, 4);
        TILE_CASE(4, 5);
        TILE_CASE(4, 6);
#endif
    }
}

/* ---- the product ----------------------------------------------------------------------------------------------- */

/* Several rows of C over one panel, in parts of at most TILE_VECS registers. */
static void tile_parts(void (*tile_rows)(size_t, const tile_call *), size_t vecs, tile_call call)
{
    const size_t parts = parts_of(vecs, TILE_VECS);
    const tile_call panel = call;
    for (size_t p = 0; p < parts; p++) {
        size_t first = part_start(vecs, parts, p), end = part_start(vecs, parts, p + 1);
        call.B = panel.B + first * VEC_LANES;
        call.C = panel.C + first * VEC_LANES;
        tile_rows(end - first, &call);
    }
}

/* C (M, N), rows C_row apart and padded to whole registers, = or += A (M, K) B (K, N). */
static void product(size_t M, left_factor A, right_factor B, real *C, size_t C_row, bool accumulate)
{
    const size_t vecs = vecs_in(B.N), panels = parts_of(vecs, PANEL_VECS);
    for (size_t p = 0; p < panels; p++) {
        size_t first = part_start(vecs, panels, p), width = part_start(vecs, panels, p + 1) - first;
        size_t column = first * VEC_LANES;
        tile_call call = {.A = A,
                          .B = B.row ? B.data + column : B.data + B.K * column,
                          .B_row = B.row ? B.row : width * VEC_LANES,
                          .K = B.K,
                          .C_row = C_row,
                          .accumulate = accumulate};
        for (size_t i = 0, rows; i < M; i += rows) {
            rows = M - i >= 4 ? 4 : M - i >= 2 ? 2 : 1;
            call.A.data = A.data + i * A.i_step;
            call.C = C + i * C_row + column;
            if (rows == 1) {
                tile_1_row(width, &call);
            } else {
                tile_parts(rows == 4 ? tile_4_rows : tile_2_rows, width, call);
            }
        }
    }
}

/* ---- packing --------------------------------------------------------------------------------------------------- */

/* Numbers that a packed (K, N) matrix takes, at any register width. */
static size_t packed_size(size_t K, size_t N)
{
    return K * whole_lines(N);
}

static right_factor packed(const real *data, size_t K, size_t N)
{
    return (right_factor){data, K, N, 0};
}

/* Packs B = src, dense (K, N), or with `transposed` B = src^T, src dense (N, K). */
static void pack(size_t K, size_t N, const real *src, bool transposed, real *dst)
{
    const size_t vecs = vecs_in(N), panels = parts_of(vecs, PANEL_VECS);
    for (size_t p = 0; p < panels; p++) {
        size_t first = part_start(vecs, panels, p) * VEC_LANES, end = part_start(vecs, panels, p + 1) * VEC_LANES;
        size_t width = end - first, filled = (end < N ? end : N) - first;
        real *panel = dst + K * first;
        if (transposed) {
            transpose(filled, K, src + first * K, K, panel, width);
        } else {
            for (size_t k = 0; k < K; k++) {
                memcpy(panel + k * width, src + k * N + first, filled * sizeof(real));
            }
        }
        for (size_t k = 0; filled < width && k < K; k++) {
            memset(panel + k * width + filled, 0, (width - filled) * sizeof(real));
        }
    }
}

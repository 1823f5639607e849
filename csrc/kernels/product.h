/* Matrix products, C = A B, C += A B or C = bias + A B, for the shapes that a recurrent network has, from tiles
 * (tile.h), or slices (slices.h).
 *
 *     h_t += Whh h_{t-1}        A = h (B, H)           B = Whh^T packed      M = batch, often 1
 *     dh_t += Whh^T d_{t+1}     A = d (B, H)           B = Whh packed
 *     y = hs Why^T              A = hs (T B, H)        B = Why^T packed      M = all steps at once
 *     dhs = dy Why              A = dy (T B, V)        B = Why packed
 *     dWhh = d^T hs_before      A = d transposed       B = hs, as it lies in the workspace
 *     dWhy = dy^T hs            A = dy transposed      B = hs
 *
 * The order in which an element of C is summed follows from the sizes, and from whether its factors have slices, so
 * that the same input gives the same bits.
 *
 * Packing. With M = 1 the whole of B is read for each product and the speed is that of the caches. So B is packed in
 * panels of a few registers of columns, PANEL_VECS at most, each panel contiguous from k = 0 on: one stream,
 * aligned, that the prefetcher follows, with as many sums in flight as the latency of an addition asks for. */

/* C (M, N), rows C_row apart and padded to whole registers, or packed with C_row = 0, = A (M, K) B (K, N), and added
 * to that C as it was, or a bias (N), padded as C's rows are. Where B has a tail, A's rows are contiguous, and C is not
 * packed unless it is one row.
 *
 * Rows of C may also follow each other closely, C_row = N: what the last register of a row has too much falls on
 * the beginning of the next one, which is written after it, if the panels are taken from the last to the first, as
 * the parts of a panel are. For that each element must be written once: K <= K_AT_ONCE, by tiles, not accumulated. */
typedef struct {
    size_t M;
    left_factor A;
    right_factor B;
    const real *bias; /* or NULL */
    bool accumulate;
    real *C;
    size_t C_row;
} matrix_product;

/* Of B, and of a packed C. */
static partition panels_of_product(const matrix_product *m)
{
    return cut(vecs_in(m->B.N), m->B.panel_vecs);
}

/* The n-th panel to take. */
static size_t nth_panel(const matrix_product *m, const partition *panels, size_t n)
{
    return m->B.backward ? panels->parts - 1 - n : n;
}

/* Panel p of the product, from row i on. */
INLINE tile_call panel_of_product(const matrix_product *m, const partition *panels, size_t p, size_t i)
{
    const size_t first = part_start(panels, p), width = part_start(panels, p + 1) - first, column = first * VEC_LANES;
    const size_t C_row = m->C_row ? m->C_row : width * VEC_LANES;
    tile_call call = {.A = {m->A.data + i * m->A.i_step, m->A.i_step, m->A.k_step},
                      .B = m->B.row ? m->B.data + column : m->B.data + m->B.K * column,
                      .B_row = m->B.row ? m->B.row : width * VEC_LANES,
                      .K = m->B.K,
                      .C = (m->C_row ? m->C + column : m->C + m->M * column) + i * C_row,
                      .C_row = C_row};
    call.from = m->bias ? m->bias + column : m->accumulate ? call.C : NULL;
    call.from_row = m->bias ? 0 : C_row;
    return call;
}

/* The columns after the panels. */
static void product_of_tail(const matrix_product *m)
{
    const right_factor *B = &m->B;
    real *C = m->C + B->N;
    const real *from = m->bias ? m->bias + B->N : m->accumulate ? C : NULL;
    tail_product(m->M, m->A, B->K, B->tail, B->data + B->K * B->N, from, m->bias ? 0 : m->C_row, C, m->C_row);
}

/* Of M rows of A, those that are taken through all of B before the next ones: as many as fill 256 KB, a quarter of a
 * small L2, but 64 at least, and whole tiles of them. */
INLINE size_t rows_of_A_at_once(size_t M, size_t K)
{
    if (M <= 64) {
        return M;
    }
    const size_t rows = 256 * 1024 / (K * sizeof(real)) / 8 * 8;
    return rows > 64 ? rows : 64;
}

/* From row `first` on. */
static void product_by_tiles(const matrix_product *m, size_t first)
{
    const partition panels = panels_of_product(m);
    const size_t at_once = rows_of_A_at_once(m->M - first, m->B.K);
    for (size_t i = first; i < m->M; i += at_once) {
        const size_t rows = m->M - i < at_once ? m->M - i : at_once;
        for (size_t n = 0; n < panels.parts; n++) {
            const size_t p = nth_panel(m, &panels, n), width = part_start(&panels, p + 1) - part_start(&panels, p);
            const tile_call call = panel_of_product(m, &panels, p, i);
            if (rows == 1) {
                tile_1_row(width, &call);
            } else {
                product_of_rows(rows, width, &call);
            }
        }
    }
}

#if MATRIX_UNIT
/* Whether B's slices, if there are any, are to be used with M rows: those that fill no tile read B itself too, and
 * the two are to be in L2 together. */
static bool uses_slices(size_t M, const right_factor *B)
{
    return B->slices != NULL && (M % TILE_SIDE == 0 || B->K * B->N < (size_t)1 << 17);
}

/* Whether it pays to make B's slices for one product: there are more rows than they cost, little is multiplied that
 * only fills up the last tiles, and there is enough to do for a unit that must wake up and slows the processor's
 * clock. */
static bool pays_to_slice(size_t M, const right_factor *B)
{
    const size_t terms = tiles_in(B->K, TILE_TERMS) * TILE_TERMS;
    return M > 2 * TILE_SIDE && 3 * terms < 4 * B->K && (double)M * (double)B->K * (double)B->N > 1 << 20;
}
#endif

/* Whether M rows of A, as many as fill tiles, are multiplied with B in slices. */
static bool is_sliced(size_t M, const right_factor *B)
{
#if MATRIX_UNIT
    const bool fills_tiles = M >= TILE_SIDE && B->K >= TILE_TERMS && B->N > 2 * TILE_SIDE;
    return fills_tiles && (uses_slices(M, B) || pays_to_slice(M, B)) && fastrnn_matrix_unit_in_use();
#else
    (void)M;
    (void)B;
    return false;
#endif
}

#if MATRIX_UNIT
/* Tiles of slices of a pair of tiles of columns. */
static size_t tiles_of_pair(const right_factor *B)
{
    return tiles_in(B->K, TILE_TERMS) * 2 * SLICES;
}

/* Pairs of tiles of columns in the panels before panel p. */
static size_t pairs_before(const partition *panels, size_t p)
{
    const size_t wider = p < panels->wider ? p : panels->wider;
    return wider * tiles_in(panels->width + 1, 2) + (p - wider) * tiles_in(panels->width, 2);
}

/* Of the rows that fill tiles; returns how many these are. A block of A's slices after the other goes through all of
 * B. */
static size_t product_by_slices(const matrix_product *m)
{
    slice_memory memory;
    const partition panels = panels_of_product(m);
    const partition rows = cut(m->M / TILE_SIDE, BLOCK_ROWS / TILE_SIDE);
    const partition blocks = cut(tiles_in(m->B.K, TILE_TERMS), BLOCK_TERMS / TILE_TERMS);
    matrix_unit_begin();
    for (size_t r = 0; r < rows.parts; r++) {
        const size_t i = part_start(&rows, r) * TILE_SIDE, M = part_start(&rows, r + 1) * TILE_SIDE - i;
        for (size_t b = 0; b < blocks.parts; b++) {
            const size_t k = part_start(&blocks, b) * TILE_TERMS, k_end = part_start(&blocks, b + 1) * TILE_TERMS;
            const size_t K = (k_end < m->B.K ? k_end : m->B.K) - k;
            tile_call next = some_terms(panel_of_product(m, &panels, nth_panel(m, &panels, 0), i), k, K);
            const bool sliceable = slice_left(M, K, next.A, &memory);
            for (size_t n = 0; n < panels.parts; n++) {
                const size_t p = nth_panel(m, &panels, n), width = part_start(&panels, p + 1) - part_start(&panels, p);
                const tile_call call = next;
                panel_slices slices = {NULL, tiles_of_pair(&m->B)};
                if (uses_slices(m->M, &m->B)) {
                    slices.first = m->B.slices + pairs_before(&panels, p) * slices.step + k / TILE_TERMS * 2 * SLICES;
                }
                if (n + 1 < panels.parts) {
                    next = some_terms(panel_of_product(m, &panels, nth_panel(m, &panels, n + 1), i), k, K);
                }
                product_of_panel(M, width, &call, sliceable, next.B - call.B, slices, &memory);
            }
        }
    }
    matrix_unit_end();
    return m->M / TILE_SIDE * TILE_SIDE;
}
#endif

/* The slices of B, in `memory` of slices_bytes, for more than one product with it; or NULL: there is no matrix unit,
 * or they would not be exact. */
static const slice_tile *sliced(const right_factor *B, slice_tile *memory)
{
#if MATRIX_UNIT
    const matrix_product any = {.B = *B};
    const partition panels = panels_of_product(&any);
    slice_tile *to = memory;
    bool all = fastrnn_matrix_unit_in_use();
    for (size_t p = 0; all && p < panels.parts; p++) {
        const size_t width = part_start(&panels, p + 1) - part_start(&panels, p);
        const tile_call panel = panel_of_product(&any, &panels, p, 0);
        for (size_t c = 0; c < width; c += 2, to += tiles_of_pair(B)) {
            all &= slice_right(width - c < 2 ? 1 : 2, B->K, panel.B + c * TILE_SIDE, panel.B_row, 2 * TILE_SIDE, to);
        }
    }
    return all ? memory : NULL;
#else
    (void)B;
    (void)memory;
    return NULL;
#endif
}

static void any_product(const matrix_product *m)
{
#if MATRIX_UNIT
    product_by_tiles(m, is_sliced(m->M, &m->B) ? product_by_slices(m) : 0);
#else
    product_by_tiles(m, 0);
#endif
    if (MOST_TAIL > 0 && m->B.tail > 0) {
        product_of_tail(m);
    }
}

/* C (M, N), rows C_row apart and padded to whole registers, or packed with C_row = 0, = or += A (M, K) B (K, N). */
INLINE void product(size_t M, left_factor A, right_factor B, real *C, size_t C_row, bool accumulate)
{
    any_product(&(matrix_product){M, A, B, NULL, accumulate, C, C_row});
}

/* The same with a bias (N), padded as C's rows are. */
INLINE void product_and_bias(size_t M, left_factor A, right_factor B, const real *bias, real *C, size_t C_row)
{
    any_product(&(matrix_product){M, A, B, bias, false, C, C_row});
}

/* The same with one row, without anything between the caller and the tiles: a step of time of a small network is hardly
 * longer than a call. */
INLINE void product_of_row(left_factor A, right_factor B, real *C, bool accumulate)
{
    const matrix_product m = {1, A, B, NULL, accumulate, C, 0};
    const partition panels = panels_of_product(&m);
    if (MOST_TAIL > 0 && B.tail > 0) {
        product_of_tail(&m);
    }
    for (size_t n = 0; n < panels.parts; n++) {
        const size_t p = nth_panel(&m, &panels, n);
        const tile_call call = panel_of_product(&m, &panels, p, 0);
        tile_1_row(part_start(&panels, p + 1) - part_start(&panels, p), &call);
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

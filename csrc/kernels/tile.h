/* The register tiles that matrix products are made of (product.h).
 *
 * A tile holds a few rows of C and a few registers of columns, and for each k adds A(i, k), spread over a register,
 * times row k of B. B's columns are what the registers run along, so B must have contiguous rows, and A may be
 * anything addressed by two strides: A transposed costs nothing. With more than a row, tiles of TILE_ROWS take the
 * columns of a panel in parts of at most TILE_VECS (simd/), where sums, B and A just fit the registers, and blocks
 * of k that keep the part in L1. Parts and blocks are of even size: 13 registers are 7 + 6, never 12 + 1. */

#define PANEL_VECS 12

/* The left factor: A(i, k) = data[i * i_step + k * k_step]. */
typedef struct {
    const real *data;
    size_t i_step, k_step;
} left_factor;

typedef struct slice_tile slice_tile; /* slices.h */

/* The right factor B (K, N), N padded with finite numbers to whole registers, and, if it is packed, what of its columns
 * fills no register (tail.h). */
typedef struct {
    const real *data;
    size_t K, N;
    size_t tail;       /* columns after the N, which are whole registers then */
    size_t row;        /* numbers from row to row; 0 for a packed matrix */
    size_t panel_vecs; /* registers of a panel at most: of B, if that is packed, and of C, if that is */
    bool backward;     /* take the panels from last to first; changes no result */
    const slice_tile *slices; /* see slices.h; NULL: who wants any makes them */
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
        const real *from = call->from;
        UNROLL for (size_t i = 0; i < rows; i++, from += call->from_row) {
            UNROLL for (size_t v = 0; v < vecs; v++) {
                sums[0][i][v] = vec_load(from + v * VEC_LANES);
            }
        }
    }
}

/* C = the sums of all chains. From row to row by adding, as above: multiples of C_row would be computed one by one. */
INLINE void tile_end(const size_t rows, const size_t vecs, const size_t chains, const tile_call *call,
                     vec sums[4][TILE_ROWS][PANEL_VECS])
{
    real *C = call->C;
    UNROLL for (size_t i = 0; i < rows; i++, C += call->C_row) {
        UNROLL for (size_t v = 0; v < vecs; v++) {
            vec sum = sums[0][i][v];
            UNROLL for (size_t c = 1; c < chains; c++) {
                sum = vec_add(sum, sums[c][i][v]);
            }
            vec_store(C + v * VEC_LANES, sum);
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

#if TILE_ROWS >= 9
static void tile_9_rows(size_t vecs, const tile_call *call)
{
    switch (vecs) {
        TILE_CASE(9, 1);
        TILE_CASE(9, 2);
#if TILE_VECS >= 3
        TILE_CASE(9, 3);
#endif
    }
}
#endif

/* As many rows as the tallest tile that M rows fill, but of tiles of 8 some have one more if that takes in the rest. */
INLINE size_t tile_height(size_t M)
{
    const size_t rest = M % 8;
    if (TILE_ROWS >= 9 && rest > 0 && rest <= M / 8) {
        return 9;
    }
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
#if TILE_ROWS >= 9
    case 9:
        tile_9_rows(vecs, call);
        break;
#endif
    }
}

/* ---- tiles side by side ---------------------------------------------------------------------------------------- */

/* Rows of B that one pass takes when several rows of C share it: TILE_VECS registers of them fill three quarters of
 * a small L1, so that they stay there from row to row of C, and what comes of A and C has the rest. */
#define K_AT_ONCE (24 * 1024 * 8 / (TILE_VECS * VEC_BITS))

/* Asks for n rows of `vecs` registers, B_row apart, before they are needed: where the next block begins the hardware
 * does not foresee, and a matrix that outgrows L2 would be waited for at each. */
INLINE void prefetch_rows(size_t n, size_t vecs, const real *B, size_t B_row)
{
    for (size_t k = 0; k < n; k++) {
        for (size_t v = 0; v < vecs * VEC_LANES; v += LINE_REALS) {
            __builtin_prefetch(B + k * B_row + v);
        }
    }
}

/* M > 1 rows of C over the columns from panel->B and panel->C on, `vecs` registers of them: first in parts of columns,
 * from the last to the first, then in blocks of k, then row by row. */
static void product_of_rows(size_t M, size_t vecs, const tile_call *panel)
{
    const partition columns = cut(vecs, TILE_VECS), blocks = cut(panel->K, K_AT_ONCE);
    const bool outgrows_L1 = panel->K * vecs * VEC_LANES * sizeof(real) > 48 * 1024;
    tile_call call;
    call.A.i_step = panel->A.i_step;
    call.A.k_step = panel->A.k_step;
    call.B_row = panel->B_row;
    call.C_row = panel->C_row;
    for (size_t p = columns.parts; p-- > 0;) {
        const size_t column = part_start(&columns, p) * VEC_LANES;
        const size_t width = part_start(&columns, p + 1) - part_start(&columns, p);
        for (size_t block = 0; block < blocks.parts; block++) {
            const size_t k = part_start(&blocks, block);
            call.K = part_start(&blocks, block + 1) - k;
            call.B = panel->B + k * panel->B_row + column;
            const real *from = block > 0 ? panel->C : panel->from;
            call.from_row = block > 0 ? panel->C_row : panel->from_row;
            /* The next block: of this part, or the first of the next one. Each tile asks for its share of the rows. */
            const bool last = block + 1 == blocks.parts;
            const real *next = last ? panel->B + column - width * VEC_LANES : call.B + call.K * panel->B_row;
            size_t unasked = outgrows_L1 && !(last && p == 0) ? call.K : 0;
            const size_t share = unasked > 0 ? (call.K * TILE_ROWS + M - 1) / M : 0;
            for (size_t i = 0, rows; i < M; i += rows) {
                rows = tile_height(M - i);
                if (unasked > 0) {
                    const size_t asked = share < unasked ? share : unasked;
                    prefetch_rows(asked, width, next, panel->B_row);
                    next += asked * panel->B_row;
                    unasked -= asked;
                }
                call.A.data = panel->A.data + i * panel->A.i_step + k * panel->A.k_step;
                call.C = panel->C + i * panel->C_row + column;
                call.from = from ? from + i * call.from_row + column : NULL;
                tile_of(rows, width, &call);
            }
        }
    }
}

/* Matrix products of float32 numbers by way of slices, where there is a matrix unit (simd/amx.h). Such a unit takes its
 * factors in tiles of bfloat16 numbers:
 *
 *     of A   16 rows of 32 terms
 *     of B   16 pairs of terms, and in each 16 columns of the two side by side
 *
 * A block of A, BLOCK_ROWS by BLOCK_TERMS, is cut into slices once for all of B, whose columns come two tiles at a
 * time. */

#define SLICES 3
#define TILE_SIDE 16  /* rows of A, columns of B */
#define TILE_TERMS 32 /* in pairs */
#define BLOCK_ROWS 128
#define BLOCK_TERMS 64

struct slice_tile {
    _Alignas(64) uint16_t numbers[TILE_SIDE][TILE_TERMS];
};

static size_t tiles_in(size_t n, size_t side)
{
    return (n + side - 1) / side;
}

/* Bytes of the slices of a right factor (K, N), in order of panels, in these of pairs of tiles of columns, in these
 * of blocks of terms. A panel may end with half a pair; the panels are wide, as they are for more than one row. */
static size_t slices_bytes(size_t K, size_t N)
{
    const size_t columns = tiles_in(N, TILE_SIDE), panels = tiles_in(columns, PANEL_VECS), pairs = (columns + panels) / 2;
    return REAL_BITS == 32 ? pairs * tiles_in(K, TILE_TERMS) * 2 * SLICES * sizeof(slice_tile) : 0;
}

#if MATRIX_UNIT
#include "../simd/amx.h"

/* On the stack, 60 KB. */
typedef struct {
    slice_tile A[BLOCK_ROWS / TILE_SIDE][BLOCK_TERMS / TILE_TERMS][SLICES];
    slice_tile B[BLOCK_TERMS / TILE_TERMS][SLICES][2];
} slice_memory;

/* The first n numbers of a register, zeros after them, n of any size. */
INLINE vec load_first(const real *p, size_t n)
{
    return n >= VEC_LANES ? vec_load(p) : n > 0 ? vec_load_tail(p, n, 0) : vec_set1(0);
}

static size_t terms_after(size_t first, size_t all)
{
    return all > first ? all - first : 0;
}

/* Tiles of 16 rows and `terms` terms, at most 32, the rest zeros. A's terms lie side by side ... */
INLINE largest_bits slice_left_rows(size_t terms, const left_factor *A, slice_tile tiles[SLICES], largest_bits largest)
{
    for (size_t i = 0; i < TILE_SIDE; i++) {
        const real *row = A->data + i * A->i_step;
        const vec first = load_first(row, terms), second = load_first(row + VEC_LANES, terms_after(VEC_LANES, terms));
        largest = larger_bits(larger_bits(largest, first), second);
        slice_row(first, second, i, tiles);
    }
    return largest;
}

/* ... or its rows do: A is a transposed matrix. */
INLINE largest_bits slice_left_columns(size_t terms, const left_factor *A, slice_tile tiles[SLICES], largest_bits largest)
{
    vec squares[2][VEC_LANES];
    for (size_t k = 0; k < TILE_TERMS; k++) {
        const vec column = k < terms ? vec_load(A->data + k * A->k_step) : vec_set1(0);
        largest = larger_bits(largest, column);
        squares[k / VEC_LANES][k % VEC_LANES] = column;
    }
    transpose_square(squares[0]);
    transpose_square(squares[1]);
    for (size_t i = 0; i < TILE_SIDE; i++) {
        slice_row(squares[0][i], squares[1][i], i, tiles);
    }
    return largest;
}

/* The slices of A (M, K), at most a block, in whole tiles of rows; whether it has any. */
static bool slice_left(size_t M, size_t K, left_factor A, slice_memory *m)
{
    largest_bits largest = _mm512_setzero_si512();
    for (size_t i = 0; i < M; i += TILE_SIDE) {
        for (size_t k = 0; k < K; k += TILE_TERMS) {
            const size_t terms = K - k < TILE_TERMS ? K - k : TILE_TERMS;
            const left_factor part = {A.data + i * A.i_step + k * A.k_step, A.i_step, A.k_step};
            slice_tile *tiles = m->A[i / TILE_SIDE][k / TILE_TERMS];
            largest = A.k_step == 1 ? slice_left_rows(terms, &part, tiles, largest)
                                    : slice_left_columns(terms, &part, tiles, largest);
        }
    }
    return are_sliceable(largest);
}

/* The slices of K rows of one or two tiles of columns, rows B_row apart; whether there are any. What comes `ahead`
 * of them is asked for, for from panel to panel and from column to column the hardware doesn't foresee it; asking
 * past B's end does no harm. */
INLINE bool slice_right_columns(const size_t columns, size_t K, const real *B, size_t B_row, ptrdiff_t ahead, slice_tile *tiles)
{
    largest_bits largest = _mm512_setzero_si512();
    for (size_t k = 0; k < tiles_in(K, TILE_TERMS) * TILE_TERMS; k += 2) {
        slice_tile *block = tiles + k / TILE_TERMS * 2 * SLICES;
        const real *even = B + k * B_row, *odd = even + B_row;
        UNROLL for (size_t c = 0; c < columns; c++) {
            const size_t at = c * VEC_LANES;
            const vec first = k < K ? vec_load(even + at) : vec_set1(0), second = k + 1 < K ? vec_load(odd + at) : vec_set1(0);
            __builtin_prefetch(even + ahead + at, 0, 2);
            __builtin_prefetch(odd + ahead + at, 0, 2);
            largest = larger_bits(larger_bits(largest, first), second);
            slice_pair(first, second, k % TILE_TERMS / 2, block + c);
        }
    }
    return are_sliceable(largest);
}

static bool slice_right(size_t columns, size_t K, const real *B, size_t B_row, ptrdiff_t ahead, slice_tile *tiles)
{
    return columns == 2 ? slice_right_columns(2, K, B, B_row, ahead, tiles) : slice_right_columns(1, K, B, B_row, ahead, tiles);
}

static void multiply_tiles(size_t rows, size_t columns, size_t blocks, const slice_tile *A, const slice_tile *B,
                           const real *from, size_t from_row, real *C, size_t C_row)
{
    const size_t A_row = BLOCK_TERMS / TILE_TERMS * SLICES;
    if (rows == 2 && columns == 2) {
        multiply_slices(2, 2, blocks, A, A_row, B, from, from_row, C, C_row);
    } else if (rows == 2) {
        multiply_slices(2, 1, blocks, A, A_row, B, from, from_row, C, C_row);
    } else if (columns == 2) {
        multiply_slices(1, 2, blocks, A, A_row, B, from, from_row, C, C_row);
    } else {
        multiply_slices(1, 1, blocks, A, A_row, B, from, from_row, C, C_row);
    }
}

/* M rows of C, whole tiles of them, over one or two tiles of columns, from slices of A and B. */
static void product_of_slices(size_t M, size_t columns, const tile_call *call, const slice_tile *B, slice_memory *m)
{
    for (size_t i = 0; i < M; i += 2 * TILE_SIDE) {
        const real *from = call->from ? call->from + i * call->from_row : NULL;
        multiply_tiles(M - i < 2 * TILE_SIDE ? 1 : 2, columns, tiles_in(call->K, TILE_TERMS), m->A[i / TILE_SIDE][0], B, from,
                       call->from_row, call->C + i * call->C_row, call->C_row);
    }
}

/* Terms k ... of a product, with what the terms before them gave. */
static tile_call some_terms(tile_call all, size_t k, size_t terms)
{
    all.A.data += k * all.A.k_step;
    all.B += k * all.B_row;
    all.K = terms;
    if (k > 0) {
        all.from = all.C;
        all.from_row = all.C_row;
    }
    return all;
}

static tile_call some_columns(tile_call all, size_t column)
{
    all.B += column;
    all.C += column;
    all.from = all.from ? all.from + column : NULL;
    return all;
}

/* Slices of a panel that there are before a product begins: of its first pair of tiles of columns, and where the
 * next one's are. */
typedef struct {
    const slice_tile *first; /* or NULL */
    size_t step;
} panel_slices;

/* The same of a block of A and a panel of B, `width` tiles of columns; ahead: where the next panel is, from this
 * one. */
static void product_of_panel(size_t M, size_t width, const tile_call *panel, bool sliceable, ptrdiff_t ahead,
                             panel_slices slices, slice_memory *m)
{
    for (size_t c = 0; c < width; c += 2) {
        const size_t columns = width - c < 2 ? 1 : 2;
        const tile_call call = some_columns(*panel, c * TILE_SIDE);
        const ptrdiff_t next = c + columns < width ? 2 * TILE_SIDE : ahead - (ptrdiff_t)(c * TILE_SIDE);
        if (sliceable && slices.first != NULL) {
            product_of_slices(M, columns, &call, slices.first + c / 2 * slices.step, m);
        } else if (sliceable && slice_right(columns, call.K, call.B, call.B_row, next, m->B[0][0])) {
            product_of_slices(M, columns, &call, m->B[0][0], m);
        } else {
            product_of_rows(M, columns, &call);
        }
    }
}
#endif

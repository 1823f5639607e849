/* A dense matrix times a few vectors, either way, without packing: for a single step, which uses each weight once, and
 * for weights too large to be kept in two copies.
 *
 * The weights come from L2, and from there a load that spans two cache lines costs twice. So where rows are not whole
 * registers, the registers of a row begin where lines do, after a part of one, the row's head. That changes no bit of the
 * result: each lane has the terms that another one would have had, in their order, and sums_of_lanes adds up lanes by
 * their distance alone. */

/* The lanes of each sum add up to one row times x, of at most 8. */
typedef struct {
    vec of[8];
} row_sums;

/* Rows at once, which share the registers of x. They stand MATVEC_DISTANCE rows apart, because so far apart rows of
 * a multiple of 4 numbers have equal heads; and so they are what the first rounds of sums_of_lanes bring together. */
#define MATVEC_ROWS (VEC_LANES < 4 ? VEC_LANES : 4)
#define MATVEC_DISTANCE (VEC_LANES / MATVEC_ROWS)

/* Squares of VEC_LANES rows at once, at most: two share what there is to find out about heads and tails. */
#define MATVEC_SQUARES 2
#define MATVEC_BLOCK (MATVEC_SQUARES * VEC_LANES)

/* Of VEC_LANES rows, the register whose lane i is the sum over the lanes of rows[i]: each round adds halves, as
 * transpose_square zips. Of fewer, what the first rounds leave, to be brought together with its like. */
INLINE vec sums_of_lanes(vec *rows, size_t count)
{
    UNROLL for (size_t n = count / 2; n > 0; n /= 2) {
        UNROLL for (size_t i = 0; i < n; i++) {
            rows[i] = vec_add(vec_zip_low(rows[i], rows[i + n]), vec_zip_high(rows[i], rows[i + n]));
        }
    }
    return rows[0];
}

/* Numbers of a row (K) before the first register that is within a cache line; none where that is past its end. */
INLINE size_t row_head(const real *row, size_t K)
{
    const size_t head = -((uintptr_t)row / sizeof(real)) % VEC_LANES;
    return head < K ? head : 0;
}

/* The lanes of each sum add up to a row (K) times x (K). Nothing past K is read. */
INLINE row_sums rows_times(const size_t rows, size_t K, size_t head, const real *const *row, const real *x)
{
    const size_t tail = (K - head) % VEC_LANES, end = K - tail;
    row_sums sums;
    UNROLL for (size_t i = 0; i < rows; i++) {
        sums.of[i] = vec_set1(0);
    }
    if (head) {
        const vec x_k = vec_load_head(x, head);
        UNROLL for (size_t i = 0; i < rows; i++) {
            sums.of[i] = vec_fma(vec_load_head(row[i], head), x_k, sums.of[i]);
        }
    }
    for (size_t k = head; k < end; k += VEC_LANES) {
        const vec x_k = vec_load(x + k);
        UNROLL for (size_t i = 0; i < rows; i++) {
            sums.of[i] = vec_fma(vec_load(row[i] + k), x_k, sums.of[i]);
        }
    }
    if (tail) {
        const vec x_k = vec_load_tail(x + end, tail, 0);
        UNROLL for (size_t i = 0; i < rows; i++) {
            sums.of[i] = vec_fma(vec_load_tail(row[i] + end, tail, 0), x_k, sums.of[i]);
        }
    }
    return sums;
}

/* y (squares VEC_LANES) += W (squares VEC_LANES, K) x (K), the rows of W W_row apart. */
INLINE void squares_times(const size_t squares, size_t K, const real *W, size_t W_row, const real *x, real *y)
{
    const bool equal_heads = MATVEC_DISTANCE * W_row % VEC_LANES == 0;
    vec sums[MATVEC_SQUARES][MATVEC_DISTANCE];
    for (size_t n = 0; n < MATVEC_DISTANCE; n++) {
        const real *row[MATVEC_SQUARES * MATVEC_ROWS];
        UNROLL for (size_t i = 0; i < squares * MATVEC_ROWS; i++) {
            row[i] = W + (n + i * MATVEC_DISTANCE) * W_row;
        }
        row_sums some = rows_times(squares * MATVEC_ROWS, K, equal_heads ? row_head(row[0], K) : 0, row, x);
        UNROLL for (size_t q = 0; q < squares; q++) {
            sums[q][n] = sums_of_lanes(some.of + q * MATVEC_ROWS, MATVEC_ROWS);
        }
    }
    UNROLL for (size_t q = 0; q < squares; q++) {
        vec_store(y + q * VEC_LANES, vec_add(vec_load(y + q * VEC_LANES), sums_of_lanes(sums[q], MATVEC_DISTANCE)));
    }
}

/* y (rows) += W (rows, K) x (K): the same sums, of rows that are too few to fill a register, MATVEC_ROWS by
 * MATVEC_ROWS. */
static void few_rows_times(size_t rows, size_t K, const real *W, size_t W_row, const real *x, real *y)
{
    for (size_t j = 0; j < rows; j += MATVEC_ROWS) {
        const real *row[MATVEC_ROWS];
        UNROLL for (size_t i = 0; i < MATVEC_ROWS; i++) {
            row[i] = W + (j + i < rows ? j + i : j) * W_row;
        }
        row_sums some = rows_times(MATVEC_ROWS, K, 0, row, x);
        vec sums[MATVEC_DISTANCE];
        UNROLL for (size_t n = 0; n < MATVEC_DISTANCE; n++) {
            sums[n] = n == 0 ? sums_of_lanes(some.of, MATVEC_ROWS) : sums[0];
        }
        real lanes[VEC_LANES]; /* each sum MATVEC_DISTANCE times */
        vec_store(lanes, sums_of_lanes(sums, MATVEC_DISTANCE));
        for (size_t i = 0; i < MATVEC_ROWS && j + i < rows; i++) {
            y[j + i] += lanes[i * MATVEC_DISTANCE];
        }
    }
}

/* PIECE_VECS registers of x are held while one row after the other meets them, so that a row is read in pieces: from L2
 * these come faster than a line of each row in turn. Going the other way it is registers of y. */
#define PIECE (PIECE_VECS * VEC_LANES)

/* Rows at once of those that consist of whole registers. */
#define WHOLE_ROWS (VEC_LANES < 8 ? VEC_LANES : 8)

/* The lanes of each sum add up to a row (K) times x (K), of WHOLE_ROWS that are W_row apart. */
INLINE row_sums pieces_times(size_t K, const real *W, size_t W_row, const real *x)
{
    row_sums sums;
    UNROLL for (size_t i = 0; i < WHOLE_ROWS; i++) {
        sums.of[i] = vec_set1(0);
    }
    size_t k = 0;
    for (; k + PIECE <= K; k += PIECE) {
        vec piece[PIECE_VECS];
        UNROLL for (size_t j = 0; j < PIECE_VECS; j++) {
            piece[j] = vec_load(x + k + j * VEC_LANES);
        }
        UNROLL for (size_t i = 0; i < WHOLE_ROWS; i++) {
            UNROLL for (size_t j = 0; j < PIECE_VECS; j++) {
                sums.of[i] = vec_fma(vec_load(W + i * W_row + k + j * VEC_LANES), piece[j], sums.of[i]);
            }
        }
    }
    for (; k < K; k += VEC_LANES) {
        const vec x_k = vec_load(x + k);
        UNROLL for (size_t i = 0; i < WHOLE_ROWS; i++) {
            sums.of[i] = vec_fma(vec_load(W + i * W_row + k), x_k, sums.of[i]);
        }
    }
    return sums;
}

/* y (VEC_LANES) += W (VEC_LANES, K) x (K), for K a multiple of VEC_LANES, the rows of W W_row apart. */
INLINE void whole_rows_times(size_t K, const real *W, size_t W_row, const real *x, real *y)
{
    vec some[VEC_LANES / WHOLE_ROWS];
    UNROLL for (size_t n = 0; n < VEC_LANES / WHOLE_ROWS; n++) {
        const row_sums sums = pieces_times(K, W + n * WHOLE_ROWS * W_row, W_row, x);
        vec rows[WHOLE_ROWS];
        UNROLL for (size_t i = 0; i < WHOLE_ROWS; i++) {
            rows[i] = sums.of[i];
        }
        some[n] = sums_of_lanes(rows, WHOLE_ROWS);
    }
#if VEC_LANES > 8 /* half of each row's sum is in the lower lanes, half in the upper ones */
    some[0] = vec_add(vec_join_low(some[0], some[1]), vec_join_high(some[0], some[1]));
#endif
    vec_store(y, vec_add(vec_load(y), some[0]));
}

/* How many of M rows to take together, from the first on: as many squares as may be, one, or what is less. */
static size_t first_rows(size_t M)
{
    return M >= MATVEC_BLOCK ? MATVEC_BLOCK : M >= VEC_LANES ? VEC_LANES : M;
}

/* The same rows from the last on. */
static size_t last_rows(size_t M)
{
    return M % VEC_LANES ? M % VEC_LANES : M % MATVEC_BLOCK ? VEC_LANES : MATVEC_BLOCK;
}

/* The product below, with rows that begin and end anywhere. */
static void matvec_of_any_rows(size_t B, size_t M, size_t K, const real *W, size_t W_row, const real *x, size_t x_row,
                               bool backward, real *y, size_t y_row)
{
    for (size_t done = 0, rows; done < M; done += rows) {
        rows = backward ? last_rows(M - done) : first_rows(M - done);
        const size_t j = backward ? M - done - rows : done;
        for (size_t b = 0; b < B; b++) {
            const real *W_j = W + j * W_row, *x_b = x + b * x_row;
            real *to = y + b * y_row + j;
            if (rows == MATVEC_BLOCK) {
                squares_times(MATVEC_SQUARES, K, W_j, W_row, x_b, to);
            } else if (rows == VEC_LANES) {
                squares_times(1, K, W_j, W_row, x_b, to);
            } else {
                few_rows_times(rows, K, W_j, W_row, x_b, to);
            }
        }
    }
}

/* The product below, with rows that are whole registers. */
static void matvec_of_whole_rows(size_t B, size_t M, size_t K, const real *W, size_t W_row, const real *x, size_t x_row,
                                 bool backward, real *y, size_t y_row)
{
    const size_t blocks = (M + VEC_LANES - 1) / VEC_LANES;
    for (size_t n = 0; n < blocks; n++) {
        const size_t j = (backward ? blocks - 1 - n : n) * VEC_LANES;
        for (size_t b = 0; b < B; b++) {
            const real *W_j = W + j * W_row, *x_b = x + b * x_row;
            real *to = y + b * y_row + j;
            if (M - j >= VEC_LANES) {
                whole_rows_times(K, W_j, W_row, x_b, to);
            } else {
                few_rows_times(M - j, K, W_j, W_row, x_b, to);
            }
        }
    }
}

/* y (B, M) += x (B, K) W^T, W (M, K), the rows of W, x and y W_row, x_row and y_row apart. Backward takes the rows of W
 * from the last on, which changes no result. */
INLINE void matvec(size_t B, size_t M, size_t K, const real *W, size_t W_row, const real *x, size_t x_row, bool backward,
                   real *y, size_t y_row)
{
    const bool whole = K % VEC_LANES == 0 && W_row % VEC_LANES == 0 && (uintptr_t)W % (VEC_LANES * sizeof(real)) == 0;
    (whole ? matvec_of_whole_rows : matvec_of_any_rows)(B, M, K, W, W_row, x, x_row, backward, y, y_row);
}

/* ---- the other way --------------------------------------------------------------------------------------------- */

/* Rows of W that are added to y at once, at most, so that y is loaded and stored once for so many. */
#define VECMAT_ROWS 8

/* y (N) += x (rows) W (rows, N). */
INLINE void add_rows_times(const size_t rows, size_t N, const real *W, size_t W_row, const real *x, real *y)
{
    vec factor[VECMAT_ROWS];
    UNROLL for (size_t i = 0; i < rows; i++) {
        factor[i] = vec_set1(x[i]);
    }
    for (size_t j = 0; j < N; j += VEC_LANES) {
        vec even = vec_load(y + j), odd = vec_set1(0);
        UNROLL for (size_t i = 0; i + 1 < rows; i += 2) {
            even = vec_fma(factor[i], vec_load(W + i * W_row + j), even);
            odd = vec_fma(factor[i + 1], vec_load(W + (i + 1) * W_row + j), odd);
        }
        if (rows == 1) {
            even = vec_fma(factor[0], vec_load(W + j), even);
        }
        vec_store(y + j, vec_add(even, odd));
    }
}

/* y (PIECE) = or += x (rows) W (rows, PIECE), of any number of rows, in the registers of a piece. */
INLINE void add_rows_to_piece(size_t rows, const real *W, size_t W_row, const real *x, bool accumulate, real *y)
{
    vec sums[PIECE_VECS];
    UNROLL for (size_t j = 0; j < PIECE_VECS; j++) {
        sums[j] = accumulate ? vec_load(y + j * VEC_LANES) : vec_set1(0);
    }
    for (size_t k = 0; k < rows; k++, W += W_row) {
        const vec x_k = vec_set1(x[k]);
        UNROLL for (size_t j = 0; j < PIECE_VECS; j++) {
            sums[j] = vec_fma(x_k, vec_load(W + j * VEC_LANES), sums[j]);
        }
    }
    UNROLL for (size_t j = 0; j < PIECE_VECS; j++) {
        vec_store(y + j * VEC_LANES, sums[j]);
    }
}

/* y (N) += x (rows) W (rows, N), of fewer columns than those of a piece. */
static void add_rows_to_rest(size_t rows, size_t N, const real *W, size_t W_row, const real *x, real *y)
{
    size_t k = 0;
    for (; k + VECMAT_ROWS <= rows; k += VECMAT_ROWS) {
        add_rows_times(VECMAT_ROWS, N, W + k * W_row, W_row, x + k, y);
    }
    if (rows - k >= 4) {
        add_rows_times(4, N, W + k * W_row, W_row, x + k, y);
        k += 4;
    }
    if (rows - k >= 2) {
        add_rows_times(2, N, W + k * W_row, W_row, x + k, y);
        k += 2;
    }
    if (rows > k) {
        add_rows_times(1, N, W + k * W_row, W_row, x + k, y);
    }
}

/* Rows that a piece takes at once. If there are more pieces, these are few: W is read as it lies in memory, where a piece
 * after the other would take a part of each row, which from L3 takes up to twice as long. */
static size_t rows_of_block(size_t N)
{
    return N == PIECE ? 256 : 16;
}

/* y (N) = or += x (K) W, W (K, N), whose rows are W_row apart; y and W are padded to whole registers. Backward it is from
 * the last rows to the first ones, and so is the sum. */
static void vecmat(size_t K, size_t N, const real *W, size_t W_row, const real *x, bool backward, bool accumulate, real *y)
{
    const size_t block = rows_of_block(N), blocks = (K + block - 1) / block, in_pieces = PIECE_VECS > 1 ? N / PIECE * PIECE : 0;
    memset(y + in_pieces, 0, accumulate ? 0 : vecs_in(N - in_pieces) * VEC_LANES * sizeof(real));
    for (size_t n = 0; n < blocks; n++) {
        const size_t k = (backward ? blocks - 1 - n : n) * block, rows = K - k < block ? K - k : block;
        for (size_t j = 0; j < in_pieces; j += PIECE) {
            add_rows_to_piece(rows, W + k * W_row + j, W_row, x + k, accumulate || n > 0, y + j);
        }
        add_rows_to_rest(rows, N - in_pieces, W + k * W_row + in_pieces, W_row, x + k, y + in_pieces);
    }
}

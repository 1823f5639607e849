/* The last columns of a packed matrix B (K, N), where they fill a small part of a register only: N = 65 has one, and in
 * tiles it would take as long as another sixteen.
 *
 * They lie after the panels, each as a row of K numbers, and A B has in their place dot products of rows: K / VEC_LANES
 * multiply-adds a column, where the register that they are too few for would take K. */

/* So many columns are a tail at most. In narrower registers too little lies idle to gain anything. */
#define MOST_TAIL (VEC_LANES >= 16 ? VEC_LANES / 4 : 0)

/* How many of N columns are, if any: sums of few terms take as long as their lanes do to be added up. A packed matrix
 * never takes more than K rows of whole lines: rows of at most K + LINE_REALS - 1 numbers take no more than the padding
 * that is saved, 3 K a column. */
static size_t tail_columns(size_t K, size_t N)
{
    const size_t rest = N % VEC_LANES;
    return K >= 4 * VEC_LANES && N > VEC_LANES && rest <= MOST_TAIL ? rest : 0;
}

/* VEC_LANES dot products of K numbers: lane i * columns + j is that of a[i] and b[j]. Nothing past K is read. */
INLINE vec dot_products(const size_t columns, size_t K, const real *const *a, const real *const *b)
{
    const size_t rows = VEC_LANES / columns;
    vec sums[VEC_LANES];
    UNROLL for (size_t i = 0; i < VEC_LANES; i++) {
        sums[i] = vec_set1(0);
    }
    for (size_t k = 0; k < K; k += VEC_LANES) {
        const size_t n = K - k < VEC_LANES ? K - k : VEC_LANES;
        vec b_k[VEC_LANES];
        UNROLL for (size_t j = 0; j < columns; j++) {
            b_k[j] = load_up_to(b[j] + k, n);
        }
        UNROLL for (size_t i = 0; i < rows; i++) {
            const vec a_k = load_up_to(a[i] + k, n);
            UNROLL for (size_t j = 0; j < columns; j++) {
                sums[i * columns + j] = vec_fma(a_k, b_k[j], sums[i * columns + j]);
            }
        }
    }
    return sums_of_lanes(sums, VEC_LANES);
}

/* C (M, tail) += A B's tail. As many rows of C at once as, with `columns` >= tail dot products each, fill a register. */
INLINE void add_tail(const size_t columns, size_t M, left_factor A, size_t K, size_t tail, const real *B, real *C,
                     size_t C_row)
{
    const size_t rows = VEC_LANES / columns, B_row = whole_lines(K);
    const real *a[VEC_LANES], *b[VEC_LANES];
    for (size_t j = 0; j < columns; j++) {
        b[j] = B + (j < tail ? j : 0) * B_row;
    }
    for (size_t i = 0; i < M; i += rows) {
        real sums[VEC_LANES];
        const size_t n = M - i < rows ? M - i : rows;
        for (size_t r = 0; r < rows; r++) {
            a[r] = A.data + (i + (r < n ? r : 0)) * A.i_step;
        }
        vec_store(sums, dot_products(columns, K, a, b));
        for (size_t r = 0; r < n; r++) {
            for (size_t j = 0; j < tail; j++) {
                C[(i + r) * C_row + j] += sums[r * columns + j];
            }
        }
    }
}

/* C (M, tail) = from + A B's tail. A's rows are contiguous; of C's whole registers are written, and `from` is as in
 * tile_call. */
static void tail_product(size_t M, left_factor A, size_t K, size_t tail, const real *B, const real *from, size_t from_row,
                         real *C, size_t C_row)
{
    for (size_t i = 0; i < M && from != C; i++) {
        vec_store(C + i * C_row, from ? vec_load(from + i * from_row) : vec_set1(0));
    }
    if (M == 1) {
        few_rows_times(tail, K, B, whole_lines(K), A.data, C);
    } else if (tail == 1) {
        add_tail(1, M, A, K, tail, B, C, C_row);
    } else if (MOST_TAIL > 1) {
        add_tail(larger(MOST_TAIL, 1), M, A, K, tail, B, C, C_row);
    }
}

/* A dense matrix times a vector, without packing: for a single step, which uses each weight once. */

/* Rows at once: as many as make a register of results, and enough that 8 sums are under way. */
#define MATVEC_GROUPS (VEC_LANES < 8 ? 2 : 1)
#define MATVEC_ROWS (MATVEC_GROUPS * VEC_LANES)

/* A register whose lane i is the sum over the lanes of rows[i]: each round adds halves, as transpose_square zips. */
INLINE vec sums_of_lanes(vec rows[VEC_LANES])
{
    for (size_t n = VEC_LANES / 2; n > 0; n /= 2) {
        for (size_t i = 0; i < n; i++) {
            rows[i] = vec_add(vec_zip_low(rows[i], rows[i + n]), vec_zip_high(rows[i], rows[i + n]));
        }
    }
    return rows[0];
}

/* y (M) += W (M, K) x (K). y is written to the end of its last register; of x and W nothing past K is read. Backward takes
 * the rows from the last on, which changes no result. */
static void matvec(size_t M, size_t K, const real *W, const real *x, bool backward, real *y)
{
    const size_t whole = K / VEC_LANES * VEC_LANES, tail = K - whole, last = (M - 1) / MATVEC_ROWS * MATVEC_ROWS;
    for (size_t n = 0; n < M; n += MATVEC_ROWS) {
        const size_t j0 = backward ? last - n : n;
        const real *row[MATVEC_ROWS];
        vec sums[MATVEC_ROWS];
        UNROLL for (size_t i = 0; i < MATVEC_ROWS; i++) {
            row[i] = W + (j0 + i < M ? j0 + i : M - 1) * K;
            sums[i] = vec_set1(0);
        }
        for (size_t k = 0; k < whole; k += VEC_LANES) {
            const vec x_k = vec_load(x + k);
            UNROLL for (size_t i = 0; i < MATVEC_ROWS; i++) {
                sums[i] = vec_fma(vec_load(row[i] + k), x_k, sums[i]);
            }
        }
        if (tail) {
            const vec x_k = vec_load_tail(x + whole, tail, 0);
            UNROLL for (size_t i = 0; i < MATVEC_ROWS; i++) {
                sums[i] = vec_fma(vec_load_tail(row[i] + whole, tail, 0), x_k, sums[i]);
            }
        }
        UNROLL for (size_t group = 0; group < MATVEC_GROUPS; group++) {
            real *to = y + j0 + group * VEC_LANES;
            if (j0 + group * VEC_LANES < M) {
                vec_store(to, vec_add(vec_load(to), sums_of_lanes(sums + group * VEC_LANES)));
            }
        }
    }
}

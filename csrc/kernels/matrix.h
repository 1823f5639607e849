/* Matrices whose rows are `row` numbers apart: the caller's are dense (row = columns); those in the workspace have
 * rows padded to whole registers of any width, so that the loops over them need no tails. */

/* Numbers in one cache line: as wide as the widest register, so padding to lines serves every instruction set. */
#define LINE_REALS (64 / sizeof(real))

/* n rounded up to whole cache lines. */
static size_t whole_lines(size_t n)
{
    return (n + LINE_REALS - 1) / LINE_REALS * LINE_REALS;
}

/* The distance between rows of n numbers: whole lines, and an odd count of them, because rows a multiple of 4096
 * bytes apart would all fall into one set of the L1 cache. */
static size_t padded_row(size_t n)
{
    return (whole_lines(n) / LINE_REALS | 1) * LINE_REALS;
}

/* dst = src, dense (rows, columns) to padded rows; zeros fill each row's last line. */
static void copy_to_padded(size_t rows, size_t columns, const real *src, real *dst, size_t dst_row)
{
    for (size_t i = 0; i < rows; i++) {
        memcpy(dst + i * dst_row, src + i * columns, columns * sizeof(real));
        memset(dst + i * dst_row + columns, 0, (whole_lines(columns) - columns) * sizeof(real));
    }
}

/* dst = src, padded rows to dense (rows, columns). */
static void copy_from_padded(size_t rows, size_t columns, const real *src, size_t src_row, real *dst)
{
    for (size_t i = 0; i < rows; i++) {
        memcpy(dst + i * columns, src + i * src_row, columns * sizeof(real));
    }
}

/* dst = src with every element clipped to [-limit, limit], padded rows to dense (rows, columns). */
static void copy_clipped(size_t rows, size_t columns, const real *src, size_t src_row, real limit, real *dst)
{
    for (size_t i = 0; i < rows; i++) {
        const real *from = src + i * src_row;
        real *to = dst + i * columns;
        for (size_t j = 0; j < columns; j += VEC_LANES) {
            vec clipped = vec_clamp(vec_load(from + j), -limit, limit);
            if (j + VEC_LANES <= columns) {
                vec_store(to + j, clipped);
            } else {
                vec_store_tail(to + j, columns - j, clipped);
            }
        }
    }
}

/* dst (columns, rows) = src (rows, columns) transposed, a cache line of dst at a time: the LINE_REALS rows of src that
 * meet in it stay in L1 while j walks along them. */
static void transpose(size_t rows, size_t columns, const real *src, size_t src_row, real *dst, size_t dst_row)
{
    for (size_t i0 = 0; i0 < rows; i0 += LINE_REALS) {
        size_t i1 = i0 + LINE_REALS < rows ? i0 + LINE_REALS : rows;
        for (size_t j = 0; j < columns; j++) {
            for (size_t i = i0; i < i1; i++) {
                dst[j * dst_row + i] = src[i * src_row + j];
            }
        }
    }
}

/* dst (columns, whole_lines(rows)) = src (rows, columns) transposed; zeros fill each row's last line. */
static void transpose_to_padded(size_t rows, size_t columns, const real *src, real *dst, size_t dst_row)
{
    transpose(rows, columns, src, columns, dst, dst_row);
    for (size_t j = 0; j < columns; j++) {
        memset(dst + j * dst_row + rows, 0, (whole_lines(rows) - rows) * sizeof(real));
    }
}

/* sums (columns) = the sum of the rows, which are padded. */
static void sum_rows(size_t rows, size_t columns, const real *src, size_t src_row, real *sums)
{
    for (size_t j = 0; j < columns; j += VEC_LANES) {
        vec sum = vec_set1(0);
        for (size_t i = 0; i < rows; i++) {
            sum = vec_add(sum, vec_load(src + i * src_row + j));
        }
        if (j + VEC_LANES <= columns) {
            vec_store(sums + j, sum);
        } else {
            vec_store_tail(sums + j, columns - j, sum);
        }
    }
}

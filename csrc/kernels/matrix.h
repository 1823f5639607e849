/* Matrices whose rows are `row` numbers apart: the caller's are dense (row = columns); those in the workspace have
 * rows padded to whole registers of any width, so that the loops over them need no tails. */

/* Numbers in one cache line: as wide as the widest register, so padding to lines serves every instruction set. */
#define LINE_REALS (64 / sizeof(real))

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

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

/* dst (width, whole registers) = src (n), then zeros. A row is too short for memcpy to be worth its call. */
INLINE void copy_filled(size_t n, const real *src, size_t width, real *dst)
{
    size_t j = 0;
    for (; j + VEC_LANES <= n; j += VEC_LANES) {
        vec_store(dst + j, vec_load(src + j));
    }
    if (j < n) {
        vec_store(dst + j, vec_load_tail(src + j, n - j, 0));
        j += VEC_LANES;
    }
    for (; j < width; j += VEC_LANES) {
        vec_store(dst + j, vec_set1(0));
    }
}

/* dst = src, dense (rows, columns) to padded rows; zeros fill each row's last line. */
static void copy_to_padded(size_t rows, size_t columns, const real *src, real *dst, size_t dst_row)
{
    for (size_t i = 0; i < rows; i++) {
        copy_filled(columns, src + i * columns, whole_lines(columns), dst + i * dst_row);
    }
}

/* dst = src, padded rows to dense (rows, columns). */
static void copy_from_padded(size_t rows, size_t columns, const real *src, size_t src_row, real *dst)
{
    for (size_t i = 0; i < rows; i++) {
        memcpy(dst + i * columns, src + i * src_row, columns * sizeof(real));
    }
}

/* dst = src with every element clipped to [-limit, limit]; src is padded to whole registers, dst is not. */
static void copy_clipped(size_t rows, size_t columns, const real *src, size_t src_row, real limit, real *dst,
                         size_t dst_row)
{
    for (size_t i = 0; i < rows; i++) {
        const real *from = src + i * src_row;
        real *to = dst + i * dst_row;
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

/* dst += src; src is padded to whole registers, dst is not. */
static void add_padded(size_t rows, size_t columns, const real *src, size_t src_row, real *dst, size_t dst_row)
{
    for (size_t i = 0; i < rows; i++) {
        const real *from = src + i * src_row;
        real *to = dst + i * dst_row;
        size_t j = 0;
        for (; j + VEC_LANES <= columns; j += VEC_LANES) {
            vec_store(to + j, vec_add(vec_load(to + j), vec_load(from + j)));
        }
        if (j < columns) {
            const size_t tail = columns - j;
            vec_store_tail(to + j, tail, vec_add(vec_load_tail(to + j, tail, 0), vec_load(from + j)));
        }
    }
}

/* row (n), padded with zeros to its last line = a column of a matrix whose rows are `step` numbers apart. */
static void take_column(size_t n, const real *column, size_t step, real *row)
{
    for (size_t i = 0; i < n; i++) {
        row[i] = column[i * step];
    }
    memset(row + n, 0, (whole_lines(n) - n) * sizeof(real));
}

/* The other way round. */
static void put_column(size_t n, const real *row, real *column, size_t step)
{
    for (size_t i = 0; i < n; i++) {
        column[i * step] = row[i];
    }
}

/* Turns the VEC_LANES x VEC_LANES square whose rows are the registers into its transpose: each round zips row i with
 * row i + VEC_LANES / 2, which moves one bit of a number's row index into its column index. */
INLINE void transpose_square(vec square[VEC_LANES])
{
    for (size_t round = 1; round < VEC_LANES; round *= 2) {
        vec zipped[VEC_LANES];
        for (size_t i = 0; i < VEC_LANES / 2; i++) {
            zipped[2 * i] = vec_zip_low(square[i], square[i + VEC_LANES / 2]);
            zipped[2 * i + 1] = vec_zip_high(square[i], square[i + VEC_LANES / 2]);
        }
        for (size_t i = 0; i < VEC_LANES; i++) {
            square[i] = zipped[i];
        }
    }
}

/* What a transpose does with what it finds in dst. */
typedef enum {
    TRANSPOSE_PADDED, /* writes each row to the end of its last register, with zeros */
    TRANSPOSE_DENSE,  /* writes nothing past the row's end */
    TRANSPOSE_ADDED   /* adds, likewise */
} transpose_way;

/* dst (columns, rows) = or += src (rows, columns) transposed, square by square. Of src nothing past `columns` is read. */
static void transpose(size_t rows, size_t columns, const real *src, size_t src_row, real *dst, size_t dst_row,
                      transpose_way way)
{
    for (size_t i0 = 0; i0 < rows; i0 += VEC_LANES) {
        const size_t n_rows = rows - i0 < VEC_LANES ? rows - i0 : VEC_LANES;
        const bool whole = n_rows == VEC_LANES;
        for (size_t j0 = 0; j0 < columns; j0 += VEC_LANES) {
            const size_t n_columns = columns - j0 < VEC_LANES ? columns - j0 : VEC_LANES;
            const real *from = src + i0 * src_row + j0;
            real *to = dst + j0 * dst_row + i0;
            vec square[VEC_LANES];
            for (size_t i = 0; i < VEC_LANES; i++) {
                square[i] = i >= n_rows              ? vec_set1(0)
                            : n_columns == VEC_LANES ? vec_load(from + i * src_row)
                                                     : vec_load_tail(from + i * src_row, n_columns, 0);
            }
            transpose_square(square);
            for (size_t j = 0; j < n_columns; j++, to += dst_row) {
                if (way == TRANSPOSE_ADDED) {
                    square[j] = vec_add(square[j], whole ? vec_load(to) : vec_load_tail(to, n_rows, 0));
                }
                if (whole || way == TRANSPOSE_PADDED) {
                    vec_store(to, square[j]);
                } else {
                    vec_store_tail(to, n_rows, square[j]);
                }
            }
        }
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

/* Packed matrices: the panels that product.h wants, and after them the tail (tail.h), made from dense matrices and turned
 * back into them. */

/* Numbers that a packed (K, N) matrix takes, at any register width. */
static size_t packed_size(size_t K, size_t N)
{
    return K * whole_lines(N);
}

/* How a matrix is packed. */
typedef struct {
    size_t panel_vecs; /* registers of a panel at most */
    bool may_have_tail;
} packing;

/* A matrix that isn't multiplied with single rows alone. */
static const packing usual_packing = {PANEL_VECS, true};

/* Of the columns of a packed (K, N) matrix those that lie in panels. */
static size_t columns_in_panels(packing way, size_t K, size_t N)
{
    return way.may_have_tail ? N - tail_columns(K, N) : N;
}

/* Bytes of the L1 of processors that have a large one. */
#define LARGE_L1 ((size_t)48 * 1024)

/* Registers of a narrow panel: 256 bytes, if a panel may have so many. */
#define NARROW_PANEL_VECS (2048 / VEC_BITS < PANEL_VECS ? 2048 / VEC_BITS : PANEL_VECS)

/* The panels of a matrix (K, N) that single rows are multiplied with over and over, to and fro. If a panel is larger
 * than L1 and the matrix a few times that, narrow panels leave more of what was read last there, although A is read
 * once for each. */
static size_t swept_panel_vecs(size_t rows, size_t K, size_t N)
{
    const size_t L1 = LARGE_L1, row = VEC_LANES * sizeof(real), all = K * vecs_in(N) * row;
    const partition wide = cut(vecs_in(N), PANEL_VECS);
    const bool narrow = rows == 1 && K * wide.width * row > L1 && all <= 6 * L1;
    return narrow ? NARROW_PANEL_VECS : PANEL_VECS;
}

/* How such a matrix is packed. Of rows that fill tiles of the matrix unit all columns go there. */
static packing swept_packing(size_t rows, size_t K, size_t N)
{
    return (packing){swept_panel_vecs(rows, K, N), rows < TILE_SIDE};
}

static right_factor packed_in(packing way, const real *data, size_t K, size_t N)
{
    const size_t columns = columns_in_panels(way, K, N);
    return (right_factor){.data = data, .K = K, .N = columns, .tail = N - columns, .panel_vecs = way.panel_vecs};
}

static right_factor packed(const real *data, size_t K, size_t N)
{
    return packed_in(usual_packing, data, K, N);
}

/* Rows of N numbers as they lie, `row` apart. */
static right_factor unpacked(const real *data, size_t K, size_t N, size_t row)
{
    return (right_factor){.data = data, .K = K, .N = N, .row = row, .panel_vecs = PANEL_VECS};
}

/* A panel's columns: from `first` on, `width` with the padding, `filled` of them within the matrix. */
typedef struct {
    size_t first, width, filled;
} panel;

static partition panels_of(size_t panel_vecs, size_t N)
{
    return cut(vecs_in(N), panel_vecs);
}

static panel panel_at(const partition *panels, size_t N, size_t p)
{
    const size_t first = part_start(panels, p) * VEC_LANES, end = part_start(panels, p + 1) * VEC_LANES;
    return (panel){first, end - first, (end < N ? end : N) - first};
}

/* Rows first ... end - 1 of packed (K, N) = those of src, dense. `first` is a multiple of LINE_REALS, and so is `end`
 * unless it is K. */
static void pack_rows(packing way, size_t K, size_t N, const real *src, size_t first, size_t end, real *dst)
{
    const size_t columns = columns_in_panels(way, K, N);
    const partition panels = panels_of(way.panel_vecs, columns);
    for (size_t p = 0; p < panels.parts; p++) {
        const panel c = panel_at(&panels, columns, p);
        for (size_t k = first; k < end; k++) {
            copy_filled(c.filled, src + k * N + c.first, c.width, dst + K * c.first + k * c.width);
        }
    }
    for (size_t j = columns; j < N; j++) {
        take_column(end - first, src + first * N + j, N, dst + K * columns + (j - columns) * whole_lines(K) + first);
    }
}

static void pack(packing way, size_t K, size_t N, const real *src, real *dst)
{
    pack_rows(way, K, N, src, 0, K, dst);
}

/* Rows of N numbers need no padding and lie on cache lines, so that a product may as well write
 * them there, and, if it is of one row, read them. */
static bool lies_well(size_t N, const real *rows)
{
    return N % LINE_REALS == 0 && (uintptr_t)rows % 64 == 0;
}

/* Whether recurrent weights of so many numbers, of one sequence, are better multiplied as they lie, both ways: going
 * forward it takes products of rows with columns, which are slower in L1, but a second copy of more than that must be
 * made, and be kept in L2 as well. */
static bool in_one_copy(size_t weights)
{
    return weights * sizeof(real) > 2 * LARGE_L1;
}

/* Columns first ... end - 1 of packed (K, N) = src, dense (end - first, K), transposed. `first` is a multiple of VEC_LANES,
 * and the last register of columns is filled up with zeros. */
static void pack_columns(packing way, size_t K, size_t N, const real *src, size_t first, size_t end, real *dst)
{
    const size_t columns = columns_in_panels(way, K, N);
    const partition panels = panels_of(way.panel_vecs, columns);
    for (size_t p = 0; p < panels.parts; p++) {
        const panel c = panel_at(&panels, columns, p);
        const size_t from = first > c.first ? first : c.first, to = end < c.first + c.width ? end : c.first + c.width;
        if (from < to) {
            transpose(to - from, K, src + (from - first) * K, K, dst + K * c.first + (from - c.first), c.width,
                      TRANSPOSE_PADDED);
        }
    }
    for (size_t j = larger(first, columns); j < end && j < N; j++) {
        const size_t row = whole_lines(K);
        copy_filled(K, src + (j - first) * K, row, dst + K * columns + (j - columns) * row);
    }
}

static void pack_transposed(packing way, size_t K, size_t N, const real *src, real *dst)
{
    pack_columns(way, K, N, src, 0, N, dst);
}

/* dst, dense (K, N) = src, packed. */
static void unpack(packing way, size_t K, size_t N, const real *src, real *dst)
{
    const size_t columns = columns_in_panels(way, K, N);
    const partition panels = panels_of(way.panel_vecs, columns);
    for (size_t p = 0; p < panels.parts; p++) {
        const panel c = panel_at(&panels, columns, p);
        for (size_t k = 0; k < K; k++) {
            memcpy(dst + k * N + c.first, src + K * c.first + k * c.width, c.filled * sizeof(real));
        }
    }
    for (size_t j = columns; j < N; j++) {
        put_column(K, src + K * columns + (j - columns) * whole_lines(K), dst + j, N);
    }
}

/* Rows first ... end - 1 of a packed (M, N) matrix become columns of its packed transpose (N, M). `first` is a multiple
 * of VEC_LANES, and so is `end` unless it is M: whole registers of the transpose are written. What lies in panels is
 * transposed, and a row becomes a column of the tail, or the other way round, by being copied. */
static void transpose_packed(packing way, size_t M, size_t N, const real *src, size_t first, size_t end, real *dst)
{
    const size_t columns = columns_in_panels(way, M, N), rows = columns_in_panels(way, N, M), tail_row = whole_lines(M);
    const partition panels = panels_of(way.panel_vecs, columns), panels_to = panels_of(way.panel_vecs, rows);
    const real *tail = src + M * columns;
    for (size_t q = 0; q < panels_to.parts; q++) {
        const panel to = panel_at(&panels_to, rows, q);
        const size_t i0 = first > to.first ? first : to.first;
        const size_t i1 = end < to.first + to.filled ? end : to.first + to.filled;
        for (size_t p = 0; i0 < i1 && p < panels.parts; p++) {
            const panel from = panel_at(&panels, columns, p);
            transpose(i1 - i0, from.filled, src + M * from.first + i0 * from.width, from.width,
                      dst + N * to.first + from.first * to.width + (i0 - to.first), to.width,
                      TRANSPOSE_PADDED);
        }
        for (size_t j = 0; i0 < i1 && j < N - columns; j++) {
            copy_filled(i1 - i0, tail + j * tail_row + i0, vecs_in(i1 - i0) * VEC_LANES,
                        dst + N * to.first + (columns + j) * to.width + (i0 - to.first));
        }
    }
    for (size_t i = larger(first, rows); i < end; i++) {
        real *row = dst + N * rows + (i - rows) * whole_lines(N);
        for (size_t p = 0; p < panels.parts; p++) {
            const panel from = panel_at(&panels, columns, p);
            copy_filled(from.filled, src + M * from.first + i * from.width, from.width, row + from.first);
        }
        for (size_t j = columns; j < N; j++) {
            row[j] = tail[(j - columns) * tail_row + i];
        }
    }
}

/* The caller's weights and biases, in the order and padding of a cell's slots. */

/* Columns begin ... end - 1 of the gates of a range, side by side and transposed, each followed by zeros up to the next:
 * dst (K, end - begin), rows `row` apart. W is (G H, K). */
static void transpose_gates(const cell_kind *cell, slot_range range, size_t H, size_t u, size_t K, const real *W,
                            size_t begin, size_t end, real *dst, size_t row)
{
    for (size_t i = begin / u; i < range.count && i * u < end; i++) {
        const size_t from = i * u > begin ? i * u : begin, to = (i + 1) * u < end ? (i + 1) * u : end;
        const size_t j = from - i * u, left = j < H ? H - j : 0, columns = left < to - from ? left : to - from;
        const size_t written = vecs_in(columns) * VEC_LANES;
        real *at = dst + (from - begin);
        transpose(columns, K, W + (cell->gate[range.first + i] * H + j) * K, K, at, row, TRANSPOSE_PADDED);
        for (size_t k = 0; written < to - from && k < K; k++) {
            memset(at + k * row + written, 0, (to - from - written) * sizeof(real));
        }
    }
}

/* All of them, packed. */
static void pack_gates_transposed(packing way, const cell_kind *cell, slot_range range, size_t H, size_t u, size_t K,
                                  const real *W, real *dst)
{
    const size_t N = range_width(range, H, u);
    if (range.count == 1) { /* the one that need not be whole lines, and may have a tail */
        pack_transposed(way, K, N, W + cell->gate[range.first] * H * K, dst);
        return;
    }
    const partition panels = panels_of(way.panel_vecs, N);
    for (size_t p = 0; p < panels.parts; p++) {
        const panel c = panel_at(&panels, N, p);
        transpose_gates(cell, range, H, u, K, W, c.first, c.first + c.width, dst + K * c.first, c.width);
    }
}

/* W_hh as recurrent_product wants it: the slots of each product packed, one product after the other. */
static void pack_recurrent_transposed(packing way, const cell_kind *cell, size_t H, size_t u, const real *W_hh,
                                      real *dst)
{
    for (size_t p = 0; p < 2; p++) {
        const slot_range range = cell->products[p];
        if (range.count > 0) {
            pack_gates_transposed(way, cell, range, H, u, H, W_hh, dst);
            dst += range.count * H * u;
        }
    }
}

/* W_hh as back_product wants it. */
static void pack_recurrent(packing way, const cell_kind *cell, size_t H, const real *W_hh, real *dst)
{
    for (size_t p = 0; p < 2; p++) {
        for (size_t i = 0; i < cell->products[p].count; i++) {
            pack(way, H, H, W_hh + cell->gate[cell->products[p].first + i] * H * H, dst);
            dst += packed_size(H, H);
        }
    }
}

static bool in_range(slot_range range, size_t slot)
{
    return slot >= range.first && slot < range.first + range.count;
}

static bool is_recurrent(const cell_kind *cell, size_t slot)
{
    return in_range(cell->products[0], slot) || in_range(cell->products[1], slot);
}

/* a + b, each of which may be NULL: zeros. a and b hold n numbers, and the sums fill the last register with zeros. */
static void sum_of_biases(size_t n, const real *a, const real *b, real *sums)
{
    for (size_t j = 0; j < n; j += VEC_LANES) {
        const size_t some = n - j < VEC_LANES ? n - j : VEC_LANES;
        const vec a_j = a != NULL ? load_up_to(a + j, some) : vec_set1(0);
        vec_store(sums + j, b != NULL ? vec_add(a_j, load_up_to(b + j, some)) : a_j);
    }
}

/* The slots' biases: b_ih where the input adds to a slot, and b_hh where the state does. NULL: zeros. */
static void slot_biases(const cell_kind *cell, size_t H, size_t u, const real *b_ih, const real *b_hh, real *bias)
{
    memset(bias, 0, cell->slots * u * sizeof(real));
    for (size_t slot = 0; slot < cell->slots; slot++) {
        const size_t first = cell->gate[slot] * H;
        sum_of_biases(H, b_ih != NULL && slot < cell->input_slots ? b_ih + first : NULL,
                      b_hh != NULL && is_recurrent(cell, slot) ? b_hh + first : NULL, bias + slot * u);
    }
}

/* In the forward pass this was slot = b_ih + b_hh + ..., so now b_ih and b_hh get the sum of the slot's d over N rows; but
 * with one_bias b_hh gets nothing of a slot that has b_ih. sums has as many numbers as a row. */
static void slot_biases_back(const gradient_use *use, const cell_kind *cell, size_t H, size_t u, size_t N, const real *d,
                             size_t d_row, bool one_bias, real *db_ih, real *db_hh, real *sums)
{
    for (size_t slot = 0; slot < cell->slots; slot++) {
        const bool input = slot < cell->input_slots, recurrent = is_recurrent(cell, slot);
        if (input || recurrent) {
            sum_rows(N, H, d + slot * u, d_row, sums);
        }
        if (input) {
            hand_over(use, 1, H, sums, u, db_ih + cell->gate[slot] * H, H);
        }
        if (input && recurrent && one_bias) {
            memset(sums, 0, u * sizeof(real));
        }
        if (recurrent) {
            hand_over(use, 1, H, sums, u, db_hh + cell->gate[slot] * H, H);
        }
    }
}

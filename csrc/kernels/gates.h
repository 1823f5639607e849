/* The caller's weights and biases, in the order and padding of a cell's slots. */

static size_t range_width(slot_range range, size_t H, size_t u)
{
    return range.count == 1 ? H : range.count * u; /* one slot alone needs no room for the next */
}

/* Panels of dst (K, width of the range) = the transposed gates of W (G H, K) that belong to the slots of a range, side by
 * side, each followed by zeros up to the next. */
static void pack_gates_transposed(const cell_kind *cell, slot_range range, size_t H, size_t u, size_t K, const real *W,
                                  partition panels, real *dst)
{
    const size_t N = range_width(range, H, u);
    for (size_t p = 0; p < panels.parts; p++) {
        const panel c = panel_at(&panels, N, p);
        for (size_t i = c.first / u; i < range.count && i * u < c.first + c.width; i++) {
            const size_t begin = i * u > c.first ? i * u : c.first; /* of the slot's columns in this panel, and end */
            const size_t end = (i + 1) * u < c.first + c.width ? (i + 1) * u : c.first + c.width;
            const size_t row = begin - i * u, left = row < H ? H - row : 0, rows = left < end - begin ? left : end - begin;
            real *to = dst + K * c.first + (begin - c.first);
            const size_t gate = cell->gate[range.first + i];
            transpose(rows, K, W + (gate * H + row) * K, K, to, c.width, TRANSPOSE_PADDED);
            const size_t written = vecs_in(rows) * VEC_LANES;
            for (size_t k = 0; written < end - begin && k < K; k++) {
                memset(to + k * c.width + written, 0, (end - begin - written) * sizeof(real));
            }
        }
    }
}

/* All of them in one panel: row k is what input k adds. */
static partition one_panel(size_t N)
{
    return (partition){1, vecs_in(N), 0};
}

/* W_hh as recurrent_product wants it: the slots of each product packed, one product after the other. */
static void pack_recurrent_transposed(const cell_kind *cell, size_t H, size_t u, const real *W_hh, real *dst)
{
    for (size_t p = 0; p < 2; p++) {
        const slot_range range = cell->products[p];
        if (range.count > 0) {
            pack_gates_transposed(cell, range, H, u, H, W_hh, panels_of(range_width(range, H, u)), dst);
            dst += range.count * H * u;
        }
    }
}

/* W_hh as back_product wants it. */
static void pack_recurrent(const cell_kind *cell, size_t H, const real *W_hh, real *dst)
{
    for (size_t p = 0; p < 2; p++) {
        for (size_t i = 0; i < cell->products[p].count; i++) {
            pack(H, H, W_hh + cell->gate[cell->products[p].first + i] * H * H, dst);
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

/* The slots' biases: b_ih where the input adds to a slot, and b_hh where the state does. NULL: there are none. */
static void slot_biases(const cell_kind *cell, size_t H, size_t u, const real *b_ih, const real *b_hh, real *bias)
{
    memset(bias, 0, cell->slots * u * sizeof(real));
    for (size_t slot = 0; b_ih != NULL && slot < cell->slots; slot++) {
        for (size_t j = 0; slot < cell->input_slots && j < H; j++) {
            bias[slot * u + j] += b_ih[cell->gate[slot] * H + j];
        }
        for (size_t j = 0; is_recurrent(cell, slot) && j < H; j++) {
            bias[slot * u + j] += b_hh[cell->gate[slot] * H + j];
        }
    }
}

/* In the forward pass this was slot = b_ih + b_hh + ..., so now b_ih and b_hh get the sum of the slot's d over N rows.
 * sums has as many numbers as a row. */
static void slot_biases_back(const cell_kind *cell, size_t H, size_t u, size_t N, const real *d, size_t d_row,
                             real *db_ih, real *db_hh, real *sums)
{
    for (size_t slot = 0; slot < cell->slots; slot++) {
        const bool input = slot < cell->input_slots, recurrent = is_recurrent(cell, slot);
        if (input || recurrent) {
            sum_rows(N, H, d + slot * u, d_row, sums);
        }
        if (input) {
            add_padded(1, H, sums, u, db_ih + cell->gate[slot] * H, H);
        }
        if (recurrent) {
            add_padded(1, H, sums, u, db_hh + cell->gate[slot] * H, H);
        }
    }
}

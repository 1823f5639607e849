/* Rows on their way between the caller's order (T, B) and a strand's, and from layer to layer. */

/* The caller's row of row (t, b) of a strand. */
INLINE size_t caller_row(const row_plan *plan, bool reverse, size_t t, size_t b)
{
    return caller_time(plan, reverse, t, b) * plan->rows.B + caller_sequence(plan, b);
}

/* Row (t, b) of one direction, in the other: both are counted from the ends of their own sequence. */
INLINE size_t opposite_row(const row_plan *plan, bool opposite, size_t t, size_t b)
{
    return rows_before(&plan->rows, opposite ? length_of(plan, b) - 1 - t : t) + b;
}

/* Runs the statement for every row: step t, sequence b, row n of the strand. */
#define FOR_STRAND_ROWS(plan, t, b, n)                                                  \
    for (size_t t = 0, n = 0; t < (plan)->rows.steps; t++)                              \
        for (size_t b = 0; b < rows_at(&(plan)->rows, t); b++, n++)

static void indices_from_caller(const row_plan *plan, bool reverse, const int64_t *indices, int64_t *rows)
{
    FOR_STRAND_ROWS(plan, t, b, n) {
        rows[n] = indices[caller_row(plan, reverse, t, b)];
    }
}

/* rows (N, row) = `width` numbers of each of the caller's rows, which are caller_width apart; padding is zero. */
static void rows_from_caller(const row_plan *plan, bool reverse, size_t width, const real *caller, size_t caller_width,
                             real *rows, size_t row)
{
    FOR_STRAND_ROWS(plan, t, b, n) {
        copy_to_padded(1, width, caller + caller_row(plan, reverse, t, b) * caller_width, rows + n * row, row);
    }
}

/* The other way round. The caller's rows that a strand has none for are left as they are. */
static void rows_to_caller(const row_plan *plan, bool reverse, size_t width, const real *rows, size_t row, real *caller,
                           size_t caller_width)
{
    FOR_STRAND_ROWS(plan, t, b, n) {
        memcpy(caller + caller_row(plan, reverse, t, b) * caller_width, rows + n * row, width * sizeof(real));
    }
}

static void rows_added_to_caller(const row_plan *plan, bool reverse, size_t width, const real *rows, size_t row,
                                 real *caller)
{
    FOR_STRAND_ROWS(plan, t, b, n) {
        add_padded(1, width, rows + n * row, row, caller + caller_row(plan, reverse, t, b) * width, width);
    }
}

/* States (B, h) before the first step, from the caller's (B, H); NULL: zeros. */
static void states_from_caller(const row_plan *plan, size_t H, const real *caller, real *states, size_t h)
{
    for (size_t b = 0; b < plan->rows.B; b++) {
        if (caller != NULL) {
            copy_to_padded(1, H, caller + caller_sequence(plan, b) * H, states + b * h, h);
        } else {
            memset(states + b * h, 0, h * sizeof(real));
        }
    }
}

static void states_to_caller(const row_plan *plan, size_t H, const real *states, size_t h, real *caller)
{
    for (size_t b = 0; b < plan->rows.B; b++) {
        memcpy(caller + caller_sequence(plan, b) * H, states + b * h, H * sizeof(real));
    }
}

/* The caller's (B, H) = the states after each sequence's last step, of hs (B + N, h). */
static void last_states_to_caller(const row_plan *plan, size_t H, const real *hs, size_t h, real *caller)
{
    for (size_t b = 0; b < plan->rows.B; b++) {
        const size_t length = length_of(plan, b);
        const size_t row = b + (length == 0 ? 0 : plan->rows.B + rows_before(&plan->rows, length - 1));
        memcpy(caller + caller_sequence(plan, b) * H, hs + row * h, H * sizeof(real));
    }
}

/* What the rows of a strand read from the layer below: the states of all its directions side by side, times the dropout
 * that belongs to them, the caller's (T, B, D H), or NULL. */
static void rows_from_below(const stack_call *call, size_t layer, bool reverse, const real *dropout, real *rows,
                            size_t row)
{
    const row_plan *plan = &call->plan;
    const size_t H = call->H, D = call->D, h = call->h, width = D * H;
    for (size_t e = 0; e < D; e++) {
        const real *below = strand_at(call, layer - 1, e).hs + call->batch->B * h;
        FOR_STRAND_ROWS(plan, t, b, n) {
            const real *states = below + opposite_row(plan, reverse != (e == 1), t, b) * h;
            memcpy(rows + n * row + e * H, states, H * sizeof(real));
        }
    }
    FOR_STRAND_ROWS(plan, t, b, n) {
        const real *factors = dropout ? dropout + caller_row(plan, reverse, t, b) * width : NULL;
        for (size_t k = 0; dropout && k < width; k++) {
            rows[n * row + k] *= factors[k];
        }
        memset(rows + n * row + width, 0, (whole_lines(width) - width) * sizeof(real));
    }
}

/* In the forward pass the rows of a strand were the states below times dropout, so now those states' dhs get what the
 * rows got. */
static void rows_to_below(const stack_call *call, bool reverse, const real *dropout, real *rows, size_t row,
                          real *const dhs[2])
{
    const row_plan *plan = &call->plan;
    const size_t H = call->H, D = call->D, h = call->h, width = D * H;
    FOR_STRAND_ROWS(plan, t, b, n) {
        const real *factors = dropout ? dropout + caller_row(plan, reverse, t, b) * width : NULL;
        for (size_t k = 0; dropout && k < width; k++) {
            rows[n * row + k] *= factors[k];
        }
        for (size_t e = 0; e < D; e++) {
            real *to = dhs[e] + opposite_row(plan, reverse != (e == 1), t, b) * h;
            for (size_t j = 0; j < H; j++) {
                to[j] += rows[n * row + e * H + j];
            }
        }
    }
}

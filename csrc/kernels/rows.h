/* Which rows there are: the sequences of a batch side by side, each no longer than it is.
 *
 * The sequences stand longest first. So those that are still running at step t are the first ones, and a step's rows
 * follow each other:
 *
 *     step 0   a0 b0 c0        lengths 3, 2, 1: begin = {0, 3, 5, 6}, six rows in all, none of them padding
 *     step 1   a1 b1
 *     step 2   a2
 *
 * The reverse direction reads each sequence from its own end, so that its row (t, b) belongs to time length - 1 - t of
 * the caller's, and everything else is the same. */

typedef struct {
    size_t steps, B;     /* of the longest sequence; sequences */
    const size_t *begin; /* (steps + 1) the first row of each step, or NULL: all have B rows */
} step_rows;

/* How the caller's batch (T, B) became rows. */
typedef struct {
    step_rows rows;
    size_t N;              /* rows in all */
    const size_t *order;   /* (B) the caller's number of each sequence, or NULL: the same */
    const size_t *lengths; /* (B) of the sequences in this order, or NULL: all are as long */
} row_plan;

INLINE size_t rows_before(const step_rows *rows, size_t t)
{
    return rows->begin ? rows->begin[t] : t * rows->B;
}

INLINE size_t rows_at(const step_rows *rows, size_t t)
{
    return rows->begin ? rows->begin[t + 1] - rows->begin[t] : rows->B;
}

INLINE size_t caller_sequence(const row_plan *plan, size_t b)
{
    return plan->order ? plan->order[b] : b;
}

INLINE size_t length_of(const row_plan *plan, size_t b)
{
    return plan->lengths ? plan->lengths[b] : plan->rows.steps;
}

/* The caller's time of step t of sequence b, and the other way round. */
INLINE size_t caller_time(const row_plan *plan, bool reverse, size_t t, size_t b)
{
    return reverse ? length_of(plan, b) - 1 - t : t;
}

/* Fills order and lengths (B) and begin (T + 1) with a stable counting sort; all three are the plan's from then on. */
static row_plan plan_of_lengths(const fastrnn_batch *batch, size_t *order, size_t *lengths, size_t *begin)
{
    const size_t T = batch->T, B = batch->B;
    memset(begin, 0, (T + 1) * sizeof(size_t));
    for (size_t b = 0; b < B; b++) {
        begin[(size_t)batch->lengths[b]]++;
    }
    size_t longer = 0; /* begin[n]: where the sequences of length n begin in the order */
    for (size_t n = T + 1; n-- > 0;) {
        const size_t count = begin[n];
        begin[n] = longer;
        longer += count;
    }
    for (size_t b = 0; b < B; b++) {
        const size_t n = (size_t)batch->lengths[b], at = begin[n]++;
        order[at] = b;
        lengths[at] = n;
    }
    size_t steps = lengths[0], N = 0, running = B;
    for (size_t t = 0; t < steps; t++) {
        while (lengths[running - 1] <= t) { /* ends: lengths[0] = steps > t */
            running--;
        }
        begin[t] = N;
        N += running;
    }
    begin[steps] = N;
    return (row_plan){{steps, B, begin}, N, order, lengths};
}

static row_plan plan_of_equals(const fastrnn_batch *batch)
{
    return (row_plan){{batch->T, batch->B, NULL}, batch->T * batch->B, NULL, NULL};
}

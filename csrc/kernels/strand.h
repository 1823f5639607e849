/* One direction of one recurrent layer over one batch: what every cell has in common.
 *
 * A cell computes its next state from pre-activations, which are kept, one slot for each, in the rows of `slots`:
 *
 *     rnn.h   a                              in the place of the state itself
 *     lstm.h  i  f  g  o  tanh(c)
 *     gru.h   n  r  z  m                     m: what the candidate n gets from the state before
 *
 * The slots that W_ih x goes to stand first and are filled for all steps by one product; what W_hh h adds comes step by
 * step. A slot is `u` numbers wide, H and its padding; after a step it holds the activation, and, where the cell isn't
 * an rnn, on the way back the gradient with respect to the pre-activation. */

typedef struct {
    size_t first, count;
} slot_range;

#define MOST_SLOTS 5

/* The recurrent weights of one sequence in one copy for both ways: W_hh^T, the slots' gates side by side. Rows of all
 * gates have one padding, where the gates would have one each, and are long sums on the way back. */
typedef struct {
    const real *W; /* (H, slots H), rows `row` apart, padded to whole registers */
    size_t row;
    real *slots;   /* (N, row) the slots of each step side by side: what W adds to them, and on the way back their d */
} wide_weights;

/* A kind of cell. Gates are numbered as in the rows of the caller's weights, PyTorch's order. */
typedef struct cell_kind cell_kind;

typedef struct {
    size_t B, H;
    size_t h, u, slot_row; /* numbers from row to row of states, from slot to slot, from row to row of slots */
    step_rows rows;
    real *hs, *cs;        /* (B + N, h) the states before the first step, then after each; cs: an LSTM's */
    real *slots;          /* (N, slot_row) */
    packing packing;      /* of packed recurrent weights */
    const wide_weights *wide; /* W_hh in one copy, or NULL */
    const real *W_dense;  /* W_hh, dense, where it is multiplied as it lies, or NULL: packed, as follows */
    const real *Whh_transposed; /* the slots' gates of W_hh side by side, transposed, as recurrent_product wants them */
    const real *Whh;            /* the gates of W_hh, each packed (H, H), in the order of the slots */
    const slice_tile *slices[MOST_SLOTS]; /* of Whh_transposed by product, or, on the way back, of Whh by slot; or NULL */

    real *dhs;      /* (N, h) what comes from above, and in an rnn then d loss / d a */
    real *dh, *dc;  /* (B, h) d loss / d state, before the step that is looked at: on the way back carried along */
    bool want_dh0;  /* the product for the state before the first step is wanted */
} strand;

struct cell_kind {
    size_t slots;
    size_t input_slots;               /* these slots, from 0 on, get W_ih x */
    slot_range products[2];           /* the slots that get W_hh h, in the order of the products they come from */
    size_t gate[MOST_SLOTS];          /* of each slot with weights */
    bool in_place;                    /* the slot is the state itself */
    bool has_c;                       /* there is a second state */
    void (*step)(const strand *s, size_t t);
    void (*step_back)(const strand *s, size_t t);
};

/* The loops of a step: over n rows, and over the registers of H numbers. */
#define FOR_ROWS(n, b) for (size_t b = 0; b < (n); b++)
#define FOR_REGISTERS(H, j) for (size_t j = 0; j < (H); j += VEC_LANES)

INLINE real *states_at(const strand *s, real *states, size_t t)
{
    return states + (s->B + rows_before(&s->rows, t)) * s->h;
}

INLINE real *states_before(const strand *s, real *states, size_t t)
{
    return t == 0 ? states : states_at(s, states, t - 1);
}

INLINE real *slots_at(const strand *s, size_t t)
{
    return s->slots + rows_before(&s->rows, t) * s->slot_row;
}

static size_t recurrent_slots(const cell_kind *cell)
{
    return cell->products[0].count + cell->products[1].count;
}

/* Of W_hh, packed either way, for B sequences. */
static packing recurrent_packing(const cell_kind *cell, size_t B, size_t H)
{
    return swept_packing(B, H, recurrent_slots(cell) * H);
}

/* Numbers that the slots of a range take side by side: one alone needs no room for the next. */
static size_t range_width(slot_range range, size_t H, size_t u)
{
    return range.count == 1 ? H : range.count * u;
}

/* What the states are multiplied with in product p of the cell. */
INLINE right_factor forward_weights(const strand *s, const cell_kind *cell, size_t p)
{
    const size_t earlier = p == 0 ? 0 : cell->products[0].count;
    right_factor weights = packed_in(s->packing, s->Whh_transposed + earlier * s->H * s->u, s->H,
                                     range_width(cell->products[p], s->H, s->u));
    weights.slices = s->slices[p];
    return weights;
}

/* The slots of W_hh += what lies side by side in `sums`. */
INLINE void add_side_by_side(const strand *s, slot_range range, const real *sums, real *slots)
{
    for (size_t i = 0; i < range.count; i++) {
        real *slot = slots + (range.first + i) * s->u;
        FOR_REGISTERS(s->H, j) {
            const size_t n = s->H - j < VEC_LANES ? s->H - j : VEC_LANES;
            vec_store(slot + j, vec_add(vec_load(slot + j), load_up_to(sums + i * s->H + j, n)));
        }
    }
}

/* The other way round: the slots are copied side by side. */
INLINE void put_side_by_side(const strand *s, slot_range range, const real *slots, real *copies)
{
    for (size_t i = 0; i < range.count; i++) {
        const real *slot = slots + (range.first + i) * s->u;
        FOR_REGISTERS(s->H, j) {
            store_up_to(copies + i * s->H + j, s->H - j < VEC_LANES ? s->H - j : VEC_LANES, vec_load(slot + j));
        }
    }
}

/* slots += what W_hh adds, from one copy. */
static void wide_product(const strand *s, slot_range range, const real *state, real *slots, size_t t)
{
    real *sums = s->wide->slots + t * s->wide->row;
    vecmat(s->H, range.count * s->H, s->wide->W, s->wide->row, state, t % 2, false, sums);
    add_side_by_side(s, range, sums, slots);
}

/* In the forward pass this was slots = ... + W_hh h, so now to (H) = or += W_hh^T d, if it is wanted; that of all steps the
 * d's stand side by side the gradient of W_hh wants. */
static void wide_back_product(const strand *s, slot_range range, const real *d, real *to, bool accumulate, size_t t,
                              bool wanted)
{
    real *copies = s->wide->slots + t * s->wide->row;
    put_side_by_side(s, range, d, copies);
    if (wanted) {
        memset(to, 0, accumulate ? 0 : s->H * sizeof(real));
        matvec(1, s->H, range.count * s->H, s->wide->W, s->wide->row, copies, 0, t % 2, to, 0);
    }
}

/* slots += what W_hh adds: product p of the cell, of n rows of states. Every other step sweeps through the weights
 * backward: where they are larger than a cache level, the part that was used last is still there. */
INLINE void recurrent_product(const strand *s, const cell_kind *cell, size_t p, size_t n, const real *states,
                              size_t states_row, real *slots, size_t t)
{
    const slot_range range = cell->products[p];
    const size_t H = s->H;
    if (s->wide) {
        wide_product(s, range, states, slots, t);
        return;
    }
    if (s->W_dense) {
        const bool backward = t % 2;
        for (size_t i = 0; i < range.count; i++) {
            const size_t slot = range.first + (backward ? range.count - 1 - i : i);
            matvec(n, H, H, s->W_dense + cell->gate[slot] * H * H, H, states, states_row, backward, slots + slot * s->u,
                   s->slot_row);
        }
        return;
    }
    right_factor weights = forward_weights(s, cell, p);
    weights.backward = t % 2;
    product_of_step(n, (left_factor){states, states_row, 1}, weights, slots + range.first * s->u, s->slot_row, true);
}

/* The index of a slot among those with recurrent weights, in the order of the products. */
INLINE size_t recurrent_index(const cell_kind *cell, size_t slot)
{
    const slot_range first = cell->products[0];
    return slot >= first.first && slot < first.first + first.count
               ? slot - first.first
               : first.count + slot - cell->products[1].first;
}

/* What the gradients of the slot of that index are multiplied with. */
INLINE right_factor backward_weights(const strand *s, size_t i)
{
    right_factor weights = packed_in(s->packing, s->Whh + i * packed_size(s->H, s->H), s->H, s->H);
    weights.slices = s->slices[i];
    return weights;
}

/* In the forward pass W_hh's gate was multiplied with the states before: to (n, h) = or += W^T d. */
INLINE void back_product(const strand *s, const cell_kind *cell, size_t slot, size_t n, const real *d, size_t d_row,
                         real *to, bool accumulate, size_t t)
{
    const size_t H = s->H;
    const real *W_dense = s->W_dense ? s->W_dense + cell->gate[slot] * H * H : NULL;
    if (W_dense && H * H * sizeof(real) > LARGE_L1) { /* of one sequence, and in whole lines, as all that lies dense */
        vecmat(H, H, W_dense, H, d + slot * s->u, t % 2, accumulate, to);
        return;
    }
    right_factor weights = W_dense ? unpacked(W_dense, H, H, H) : backward_weights(s, recurrent_index(cell, slot));
    weights.backward = t % 2;
    product_of_step(n, (left_factor){d + slot * s->u, d_row, 1}, weights, to, s->h, accumulate);
}

/* The same for all slots of the cell's first product, if the gradient of the state before the step is wanted. */
INLINE void back_products(const strand *s, const cell_kind *cell, size_t n, const real *d, size_t d_row, real *to,
                          bool accumulate, size_t t)
{
    const slot_range range = cell->products[0];
    const bool wanted = t > 0 || s->want_dh0;
    if (s->wide) {
        wide_back_product(s, range, d, to, accumulate, t, wanted);
        return;
    }
    for (size_t i = 0; wanted && i < range.count; i++) {
        const size_t slot = range.first + (t % 2 ? range.count - 1 - i : i);
        back_product(s, cell, slot, n, d, d_row, to, accumulate || i > 0, t);
    }
}

/* Whether slices of W_hh are worth their memory: products of many rows, and many of them. */
static bool recurs_in_slices(size_t T, size_t B)
{
    return T >= 4 && B >= TILE_SIDE;
}

/* Memory for them, of either way. */
static size_t recurrent_slices_bytes(const cell_kind *cell, size_t T, size_t B, size_t H, size_t u)
{
    size_t forward = 0;
    for (size_t p = 0; p < 2; p++) {
        forward += slices_bytes(H, range_width(cell->products[p], H, u));
    }
    return recurs_in_slices(T, B) ? larger(forward, recurrent_slots(cell) * slices_bytes(H, H)) : 0;
}

static void slice_forward_weights(const cell_kind *cell, size_t T, slice_tile *memory, strand *s)
{
    for (size_t p = 0; recurs_in_slices(T, s->B) && p < 2 && cell->products[p].count > 0; p++) {
        const right_factor weights = forward_weights(s, cell, p);
        s->slices[p] = sliced(&weights, memory);
        memory += slices_bytes(weights.K, weights.N) / sizeof(slice_tile);
    }
}

static void slice_backward_weights(const cell_kind *cell, size_t T, slice_tile *memory, strand *s)
{
    for (size_t i = 0; recurs_in_slices(T, s->B) && i < recurrent_slots(cell); i++) {
        const right_factor weights = backward_weights(s, i);
        s->slices[i] = sliced(&weights, memory);
        memory += slices_bytes(weights.K, weights.N) / sizeof(slice_tile);
    }
}

static void through_time(const cell_kind *cell, const strand *s)
{
    for (size_t t = 0; t < s->rows.steps; t++) {
        cell->step(s, t);
    }
}

static void back_through_time(const cell_kind *cell, const strand *s)
{
    for (size_t t = s->rows.steps; t-- > 0;) {
        cell->step_back(s, t);
    }
}

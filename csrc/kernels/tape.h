/* The memory of a stack of recurrent layers over one batch, laid out once.
 *
 * The tape, what forward leaves for backward: of a batch with lengths the row_plan's order (B), lengths (B) and begin
 * (T + 1), then for each layer and direction a strand (strand.h), with N rows in all:
 *
 *     x        (N, x_row)       its inputs; none where the layer below has one direction and no dropout: its states serve
 *     indices  (N)              its inputs, for one-hot ones
 *     hs, cs   (B + N, h)       states; cs for an LSTM
 *     slots    (N, slot_row)    activations, and then gradients; for an rnn none: the states serve
 *
 * Scratch memory serves one strand after the other. Every piece begins on a cache line. */

/* A call: what is to be computed, and the sizes that follow from it. */
typedef struct {
    const fastrnn_stack *stack;
    const fastrnn_batch *batch;
    const cell_kind *cell;
    size_t H, D, u, h, slot_row;
    size_t N;
    row_plan plan;
    size_t first_strand, other_strands; /* bytes of a strand in the first layer, and above it */
    uintptr_t strands;                  /* where they begin */
} stack_call;

typedef struct {
    real *x;
    size_t x_row;
    int64_t *indices;
    real *hs, *cs, *slots;
} strand_tape;

static const cell_kind *kind_of(fastrnn_cell cell)
{
    static const cell_kind *const kinds[] = {
        [FASTRNN_RNN_TANH] = &rnn_tanh_cell, [FASTRNN_RNN_RELU] = &rnn_relu_cell,
        [FASTRNN_RNN_SIGMOID] = &rnn_sigmoid_cell, [FASTRNN_GRU] = &gru_cell,
        [FASTRNN_GRU_RESET_BEFORE] = &gru_reset_before_cell, [FASTRNN_LSTM] = &lstm_cell};
    return kinds[cell];
}

/* The states of the layer below are the inputs of this one as they lie. */
static bool reads_states_below(const stack_call *call, size_t layer)
{
    return layer > 0 && call->D == 1 && !call->batch->dropout;
}

static bool is_one_hot(const stack_call *call, size_t layer)
{
    return layer == 0 && call->batch->one_hot;
}

static uintptr_t lay_out_strand(const stack_call *call, size_t layer, uintptr_t begin, strand_tape *s)
{
    const cell_kind *cell = call->cell;
    const size_t states = (call->batch->B + call->N) * call->h * sizeof(real);
    uintptr_t next = begin;
    *s = (strand_tape){.x_row = padded_row(stack_inputs(call->stack, layer))};
    if (is_one_hot(call, layer)) {
        s->indices = take(&next, call->N * sizeof(int64_t));
    } else if (!reads_states_below(call, layer)) {
        s->x = take(&next, call->N * s->x_row * sizeof(real));
    }
    s->hs = take(&next, states);
    s->cs = cell->has_c ? take(&next, states) : NULL;
    s->slots = cell->in_place ? s->hs + call->batch->B * call->h
                              : take(&next, call->N * call->slot_row * sizeof(real));
    take(&next, 0);
    return next;
}

/* Numbers the rows: a sum of lengths needs a look at them. */
static size_t count_rows(const fastrnn_batch *batch)
{
    size_t N = batch->lengths ? 0 : batch->T * batch->B;
    for (size_t b = 0; batch->lengths && b < batch->B; b++) {
        N += (size_t)batch->lengths[b];
    }
    return N;
}

/* A call over N rows, without a tape. */
static stack_call stack_call_of_sizes(const fastrnn_stack *stack, const fastrnn_batch *batch, size_t N)
{
    const cell_kind *cell = kind_of(stack->cell);
    const size_t H = stack->hidden_size, u = whole_lines(H);
    return (stack_call){.stack = stack, .batch = batch, .cell = cell, .H = H, .D = stack->directions, .u = u,
                        .h = padded_row(H), .slot_row = padded_row(cell->in_place ? H : cell->slots * u), .N = N};
}

/* Lays the tape out for N rows from `begin` on; *end is where it ends. Of lengths it is only asked whether there are any. */
static stack_call stack_call_of_rows(const fastrnn_stack *stack, const fastrnn_batch *batch, size_t N, uintptr_t begin,
                                     uintptr_t *end, size_t **plan_arrays)
{
    stack_call call = stack_call_of_sizes(stack, batch, N);
    uintptr_t next = begin;
    if (batch->lengths) {
        plan_arrays[0] = take(&next, batch->B * sizeof(size_t));
        plan_arrays[1] = take(&next, batch->B * sizeof(size_t));
        plan_arrays[2] = take(&next, (batch->T + 1) * sizeof(size_t));
    }
    strand_tape unused;
    call.strands = (uintptr_t)take(&next, 0);
    call.first_strand = lay_out_strand(&call, 0, 0, &unused);
    call.other_strands = lay_out_strand(&call, 1, 0, &unused);
    *end = call.strands + call.D * (call.first_strand + (stack->layers - 1) * call.other_strands);
    return call;
}

static stack_call stack_call_at(const fastrnn_stack *stack, const fastrnn_batch *batch, uintptr_t begin, uintptr_t *end,
                                size_t **plan_arrays)
{
    return stack_call_of_rows(stack, batch, count_rows(batch), begin, end, plan_arrays);
}

/* The call over a tape that forward is to fill, or has filled. */
static stack_call stack_call_on(const fastrnn_stack *stack, const fastrnn_batch *batch, void *tape)
{
    uintptr_t end;
    size_t *arrays[3] = {NULL};
    stack_call call = stack_call_at(stack, batch, (uintptr_t)tape, &end, arrays);
    call.plan = batch->lengths ? plan_of_lengths(batch, arrays[0], arrays[1], arrays[2]) : plan_of_equals(batch);
    return call;
}

static strand_tape strand_memory(const stack_call *call, size_t layer, size_t direction)
{
    const size_t D = call->D, below = layer == 0 ? direction : (layer - 1) * D + direction;
    strand_tape s;
    lay_out_strand(call, layer,
                   call->strands + (layer == 0 ? below * call->first_strand
                                               : D * call->first_strand + below * call->other_strands),
                   &s);
    return s;
}

static strand_tape strand_at(const stack_call *call, size_t layer, size_t direction)
{
    strand_tape s = strand_memory(call, layer, direction);
    if (reads_states_below(call, layer)) {
        s.x = strand_memory(call, layer - 1, 0).hs + call->batch->B * call->h;
        s.x_row = call->h;
    }
    return s;
}

/* ---- scratch memory -------------------------------------------------------------------------------------------- */

/* The most numbers that a layer reads as inputs; 0: there are none. */
static size_t most_inputs(const stack_call *call)
{
    const size_t first = call->batch->one_hot && call->batch->embeddings == 0 ? 0 : call->stack->input_size;
    const size_t above = call->stack->layers > 1 ? call->D * call->H : 0;
    return first > above ? first : above;
}

/* The table of one-hot inputs: a row of W_ih^T for each of them, or, of an embedding, W_ih times its row. */
static size_t table_row(const stack_call *call)
{
    return padded_row(call->cell->input_slots * call->u);
}

static size_t table_size(const stack_call *call)
{
    const size_t V = batch_inputs(call->stack, call->batch);
    const bool needed = call->batch->embeddings > 0 || (call->batch->one_hot && !few_columns(call->N, V));
    return needed ? V * table_row(call) : 0;
}

/* A matrix that is trained in place of the caller's, transposed, with what the optimizer remembers of it; an array that it
 * has no use for is not touched. */
typedef struct {
    real *weights, *momentum, *mean, *squares;
} kept_matrix;

/* A strand's weights as its products want them. */
typedef struct {
    real *Wih_transposed; /* packed (inputs, input slots u) */
    real *table;
    real *Whh_transposed; /* see strand.h */
    real *bias;           /* (slots u) */
    real *Whh;            /* see strand.h; NULL: who goes back packs its own, or needs none */
    slice_tile *slices;   /* memory for those of Whh_transposed */
    wide_weights wide;    /* see strand.h; W NULL: there are none */
    kept_matrix kept_inputs, kept_recurrent; /* table, and wide.W */
} strand_weights;

static size_t slices_bytes_of_call(const stack_call *call)
{
    return recurrent_slices_bytes(call->cell, call->batch->T, call->batch->B, call->H, call->u);
}

/* Without Whh. */
static uintptr_t lay_out_forward(const stack_call *call, uintptr_t begin, strand_weights *w)
{
    const size_t input_width = call->cell->input_slots * call->u, dense = most_inputs(call) * input_width;
    uintptr_t next = begin;
    w->Wih_transposed = take(&next, dense * sizeof(real));
    w->table = take(&next, table_size(call) * sizeof(real));
    w->Whh_transposed = take(&next, recurrent_slots(call->cell) * call->H * call->u * sizeof(real));
    w->bias = take(&next, call->cell->slots * call->u * sizeof(real));
    w->slices = take(&next, slices_bytes_of_call(call));
    w->Whh = NULL;
    w->kept_inputs = w->kept_recurrent = (kept_matrix){0};
    w->wide = (wide_weights){0};
    return next;
}

/* Of a stack: one for each strand, which is kept and follows when the parameters change, or one that serves all in turn. */
typedef struct {
    strand_weights *of;
    bool kept;
} stack_weights;

static size_t strand_index(const stack_call *call, size_t layer, size_t direction)
{
    return layer * call->D + direction;
}

static const strand_weights *weights_of(const stack_call *call, const stack_weights *w, size_t layer, size_t direction)
{
    return w->kept ? w->of + strand_index(call, layer, direction) : w->of;
}

/* One-hot inputs of which single columns of W_ih are taken, and no table is made. */
static bool reads_columns(const stack_call *call, size_t layer)
{
    return is_one_hot(call, layer) && call->batch->embeddings == 0 && few_columns(call->N, call->stack->input_size);
}

static bool reads_embedded_table(const stack_call *call, size_t layer)
{
    return is_one_hot(call, layer) && call->batch->embeddings > 0;
}

static bool keeps_table(const stack_call *call, size_t layer)
{
    return is_one_hot(call, layer) && !reads_columns(call, layer) && !reads_embedded_table(call, layer);
}

/* Whether recurrent weights that are kept are so in one copy (strand.h): of one sequence, if all gates are multiplied with the
 * same state, and if one alone would need padding. */
static bool keeps_wide(const stack_call *call)
{
    const cell_kind *cell = call->cell;
    const bool together = recurrent_slots(cell) > 1 && cell->products[1].count == 0;
    return call->batch->B == 1 && together && call->H % LINE_REALS > 0;
}

/* Numbers of a row of them. */
static size_t wide_columns(const stack_call *call)
{
    return recurrent_slots(call->cell) * call->H;
}

/* Their gradient is made in parts of 2 KB of a row, so that as many rows as a cache line has numbers fit L1. */
#define WIDE_LINES 32

static partition parts_of_wide(const stack_call *call)
{
    return cut(whole_lines(wide_columns(call)) / LINE_REALS, WIDE_LINES);
}

typedef struct {
    size_t first, count;
} column_range;

static column_range columns_of_part(const stack_call *call, const partition *parts, size_t p)
{
    const size_t first = part_start(parts, p) * LINE_REALS, end = part_start(parts, p + 1) * LINE_REALS;
    return (column_range){first, (end < wide_columns(call) ? end : wide_columns(call)) - first};
}

/* A matrix of `size` numbers, in `weights`, and what the optimizer remembers of it. */
static uintptr_t lay_out_kept_matrix(uintptr_t begin, size_t size, real *weights, kept_matrix *m)
{
    uintptr_t next = begin;
    m->weights = weights;
    m->momentum = take(&next, size * sizeof(real));
    m->mean = take(&next, size * sizeof(real));
    m->squares = take(&next, size * sizeof(real));
    return next;
}

/* Those that are kept, in `of` unless that is NULL. */
static uintptr_t lay_out_kept_weights(const stack_call *call, uintptr_t begin, strand_weights *of)
{
    const size_t H = call->H;
    uintptr_t next = begin;
    for (size_t i = 0; i < call->stack->layers * call->D; i++) {
        strand_weights w;
        next = lay_out_forward(call, next, &w);
        if (keeps_wide(call)) {
            const size_t row = padded_row(wide_columns(call));
            real *W = take(&next, H * row * sizeof(real));
            w.wide = (wide_weights){W, row, take(&next, call->N * row * sizeof(real))};
            next = lay_out_kept_matrix(next, H * row, W, &w.kept_recurrent);
        } else {
            w.Whh = take(&next, recurrent_slots(call->cell) * packed_size(H, H) * sizeof(real));
        }
        if (keeps_table(call, i / call->D)) {
            next = lay_out_kept_matrix(next, table_size(call), w.table, &w.kept_inputs);
        }
        if (of != NULL) {
            of[i] = w;
        }
    }
    return next;
}

/* Numbers for some rows of the gradient of any of the weights: a narrow one may take more than a wide one. Those of a table
 * come a line at a time. */
static size_t most_some_rows(const stack_call *call)
{
    const bool one_hot = call->batch->one_hot && call->batch->embeddings == 0;
    const size_t H = call->H, I = one_hot ? H : call->stack->input_size;
    const size_t terms = call->N > call->batch->embeddings ? call->N : call->batch->embeddings;
    const size_t widths[] = {H, I, call->stack->layers > 1 ? call->D * H : H};
    size_t most = one_hot && table_size(call) > 0 ? LINE_REALS * padded_row(call->stack->input_size) : 0;
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        const size_t size = some_rows_size(H, widths[i], terms);
        most = size > most ? size : most;
    }
    const partition parts = parts_of_wide(call); /* of any batch: the memory may be used for one sequence, too */
    for (size_t p = 0; p < parts.parts; p++) {
        most = larger(most, some_rows_size(H, columns_of_part(call, &parts, p).count, terms));
    }
    return most;
}

typedef struct {
    const stack_weights *kept; /* NULL: Whh is packed here */
    bool one_bias;    /* where b_ih and b_hh only add up, b_hh has no gradient */
    real *dhs;        /* for each strand (N, h) d loss / d state as it comes from above, and in an rnn then d loss / d a */
    real *dh, *dc;    /* (B, h) */
    real *Whh;        /* see strand.h */
    slice_tile *slices; /* memory for those of Whh */
    real *Wih;        /* a gate of W_ih, packed (H, inputs), for each input slot */
    real *dx;         /* (N, row of the inputs) */
    real *hs_before;  /* (N, h), of a batch with lengths: the states before each row's step */
    real *some_rows;  /* of a weight's gradient */
    real *sums;       /* (u) */
    real *table;      /* its gradient */
    bool *occurs;     /* (I), or (embeddings) */
    real *embedding;  /* (embeddings, row of the inputs) the table's rows, padded */
} backward_scratch;

static uintptr_t lay_out_backward(const stack_call *call, uintptr_t begin, backward_scratch *w)
{
    const size_t H = call->H, N = call->N, B = call->batch->B, inputs = most_inputs(call), size = sizeof(real);
    const size_t V = call->batch->embeddings;
    uintptr_t next = begin;
    w->dhs = take(&next, call->stack->layers * call->D * N * call->h * size);
    w->dh = take(&next, B * call->h * size);
    w->dc = take(&next, B * call->h * size);
    w->Whh = take(&next, recurrent_slots(call->cell) * packed_size(H, H) * size);
    w->slices = take(&next, slices_bytes_of_call(call));
    w->Wih = take(&next, call->cell->input_slots * packed_size(H, inputs) * size);
    w->dx = take(&next, inputs ? (N > V ? N : V) * padded_row(inputs) * size : 0);
    w->hs_before = take(&next, call->batch->lengths ? N * call->h * size : 0);
    w->some_rows = take(&next, most_some_rows(call) * size);
    w->sums = take(&next, call->u * size);
    w->table = take(&next, table_size(call) * size);
    w->occurs = take(&next, table_size(call) ? batch_inputs(call->stack, call->batch) * sizeof(bool) : 0);
    w->embedding = take(&next, V * padded_row(call->stack->input_size) * size);
    return next;
}

/* One step without a tape. */
typedef struct {
    real *x, *hs, *cs, *slots; /* (B, row of the inputs), (2 B, h), (2 B, h), (B, slot_row) */
} step_scratch;

static uintptr_t lay_out_step(const stack_call *call, uintptr_t begin, step_scratch *w)
{
    const size_t B = call->batch->B, size = sizeof(real);
    uintptr_t next = begin;
    w->x = take(&next, B * padded_row(most_inputs(call)) * size);
    w->hs = take(&next, 2 * B * call->h * size);
    w->cs = take(&next, 2 * B * call->h * size);
    w->slots = take(&next, B * call->slot_row * size);
    return next;
}

/* For N rows; of lengths it is only asked whether there are any. No piece is larger for fewer rows, steps or sequences. */
static fastrnn_stack_bytes memory_of_stack_call(const fastrnn_stack *stack, const fastrnn_batch *batch, size_t N)
{
    const size_t line = 63; /* wherever the caller's memory begins, a cache line does within 63 bytes */
    uintptr_t end;
    size_t *arrays[3];
    const stack_call call = stack_call_of_rows(stack, batch, N, 0, &end, arrays);
    strand_weights forward;
    backward_scratch backward;
    step_scratch step;
    return (fastrnn_stack_bytes){.tape = (size_t)end + line,
                                 .forward = (size_t)lay_out_forward(&call, 0, &forward) + line,
                                 .backward = (size_t)lay_out_backward(&call, 0, &backward) + line,
                                 .step = (size_t)lay_out_step(&call, 0, &step) + line};
}

static fastrnn_stack_bytes stack_memory(const fastrnn_stack *stack, const fastrnn_batch *batch)
{
    return memory_of_stack_call(stack, batch, count_rows(batch));
}

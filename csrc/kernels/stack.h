/* Stacks of recurrent layers: every cell, layer and direction is a strand, and this is what joins them. */

/* The strand of a layer and direction over its tape; what backward needs besides is added there. */
static strand strand_of(const stack_call *call, const strand_tape *tape)
{
    return (strand){.B = call->batch->B, .H = call->H, .h = call->h, .u = call->u,
                    .slot_row = call->slot_row, .rows = call->plan.rows,
                    .packing = recurrent_packing(call->cell, call->batch->B, call->H),
                    .hs = tape->hs, .cs = tape->cs, .slots = tape->slots};
}

/* The caller's states of a layer and direction, in an array (layers directions, B, H) that may be NULL. */
static size_t state_offset(const stack_call *call, size_t layer, size_t direction)
{
    return (layer * call->D + direction) * call->batch->B * call->H;
}

static const real *states_of(const stack_call *call, const real *states, size_t layer, size_t direction)
{
    return states ? states + state_offset(call, layer, direction) : NULL;
}

/* The dropout between a layer and the one below it, or NULL. */
static const real *dropout_below(const stack_call *call, const TYPED(fastrnn_stack_input) *input, size_t layer)
{
    const size_t rows = call->batch->T * call->batch->B;
    return call->batch->dropout && layer > 0 ? input->dropout + (layer - 1) * rows * call->D * call->H : NULL;
}

static const real *biases(const stack_call *call, const real *parameters, size_t offset)
{
    return call->stack->bias ? parameters + offset : NULL;
}

/* ---- forward --------------------------------------------------------------------------------------------------- */

/* slots += W x for N rows of one-hot inputs, from single columns of W. */
static void add_columns(const stack_call *call, size_t N, const int64_t *indices, const real *W_ih, real *slots)
{
    const cell_kind *cell = call->cell;
    const size_t H = call->H, u = call->u, I = call->stack->input_size;
    for (size_t n = 0; n < N; n++) {
        real *a = slots + n * call->slot_row;
        for (size_t slot = 0; slot < cell->input_slots; slot++) {
            const real *column = W_ih + cell->gate[slot] * H * I + (size_t)indices[n];
            for (size_t j = 0; j < H; j++) {
                a[slot * u + j] += column[j * I];
            }
        }
    }
}

/* slots = W x + bias, likewise. */
static void one_hot_columns(const stack_call *call, size_t N, const int64_t *indices, const real *W_ih, const real *bias,
                            real *slots)
{
    for (size_t n = 0; n < N; n++) {
        memcpy(slots + n * call->slot_row, bias, call->cell->slots * call->u * sizeof(real));
    }
    add_columns(call, N, indices, W_ih, slots);
}

/* The table where there are many rows of one-hot inputs: W^T. */
static void one_hot_table(const stack_call *call, const real *W_ih, real *table)
{
    const cell_kind *cell = call->cell;
    const slot_range inputs = {0, cell->input_slots};
    transpose_gates(cell, inputs, call->H, call->u, call->stack->input_size, W_ih, 0, cell->input_slots * call->u, table,
                    table_row(call));
}

/* The other way round. */
static void one_hot_table_back(const stack_call *call, const real *table, real *W_ih)
{
    const size_t H = call->H, I = call->stack->input_size;
    for (size_t slot = 0; slot < call->cell->input_slots; slot++) {
        transpose(I, H, table + slot * call->u, table_row(call), W_ih + call->cell->gate[slot] * H * I, I, TRANSPOSE_DENSE);
    }
}

/* The same where the integers stand for rows of an embedding: those rows times W^T. */
static void embedded_table(const stack_call *call, const real *embedding, const strand_weights *w)
{
    const size_t I = call->stack->input_size, width = range_width((slot_range){0, call->cell->input_slots}, call->H, call->u);
    product(call->batch->embeddings, (left_factor){embedding, I, 1}, packed(w->Wih_transposed, I, width), w->table,
            table_row(call), false);
}

/* W x + bias for the rows of dense inputs (N, x_row). */
static void dense_slots(const stack_call *call, size_t layer, const strand_tape *tape, const strand_weights *w, real *slots)
{
    const cell_kind *cell = call->cell;
    const slot_range inputs = {0, cell->input_slots};
    const size_t I = stack_inputs(call->stack, layer), N = range_width(inputs, call->H, call->u);
    /* a slot to which the state adds, and not the input */
    const size_t whole = cell->input_slots * call->u, left = in_range(cell->products[0], cell->input_slots) ? call->u : 0;
    product_and_bias(call->N, (left_factor){tape->x, tape->x_row, 1}, packed(w->Wih_transposed, I, N), w->bias, slots,
                     call->slot_row);
    for (size_t n = 0; left > 0 && n < call->N; n++) {
        memcpy(slots + n * call->slot_row + whole, w->bias + whole, left * sizeof(real));
    }
}

/* The rows that a strand reads, into its tape. */
static void strand_inputs(const stack_call *call, size_t layer, bool reverse, const TYPED(fastrnn_stack_input) *input,
                          const strand_tape *tape)
{
    const size_t I = call->stack->input_size;
    if (is_one_hot(call, layer)) {
        indices_from_caller(&call->plan, reverse, input->indices, tape->indices);
    } else if (layer == 0) {
        rows_from_caller(&call->plan, reverse, I, input->x, I, tape->x, tape->x_row);
    } else if (!reads_states_below(call, layer)) {
        rows_from_below(call, layer, reverse, dropout_below(call, input, layer), tape->x, tape->x_row);
    }
}

/* W_hh as it lies, of one sequence: going back, where a product of rows is all that it takes. */
static bool reads_dense_back(const stack_call *call, const real *W_hh)
{
    return call->batch->B == 1 && lies_well(call->H, W_hh);
}

/* Going forward. */
static bool reads_dense_forward(const stack_call *call, const real *W_hh)
{
    return reads_dense_back(call, W_hh) && in_one_copy(recurrent_slots(call->cell) * call->H * call->H);
}

static void prepare_biases(const stack_call *call, const real *parameters, const strand_parameters *p,
                           const strand_weights *w)
{
    slot_biases(call->cell, call->H, call->u, biases(call, parameters, p->b_ih), biases(call, parameters, p->b_hh), w->bias);
}

/* All that a strand's products want. */
static void prepare_weights(const stack_call *call, size_t layer, size_t direction, const real *parameters,
                            const strand_weights *w)
{
    const cell_kind *cell = call->cell;
    const slot_range inputs = {0, cell->input_slots};
    const size_t H = call->H, u = call->u;
    const packing recurrent = recurrent_packing(cell, call->batch->B, H);
    const strand_parameters p = parameters_of(call->stack, layer, direction);
    prepare_biases(call, parameters, &p, w);
    if (!is_one_hot(call, layer) || reads_embedded_table(call, layer)) {
        pack_gates_transposed(usual_packing, cell, inputs, H, u, stack_inputs(call->stack, layer), parameters + p.W_ih,
                              w->Wih_transposed);
    } else if (!reads_columns(call, layer)) {
        one_hot_table(call, parameters + p.W_ih, w->table);
    }
    const bool wide = w->wide.W != NULL; /* that is filled by who keeps it */
    if (!wide && !reads_dense_forward(call, parameters + p.W_hh)) {
        pack_recurrent_transposed(recurrent, cell, H, u, parameters + p.W_hh, w->Whh_transposed);
    }
    if (w->Whh != NULL && !reads_dense_back(call, parameters + p.W_hh)) {
        pack_recurrent(recurrent, cell, H, parameters + p.W_hh, w->Whh);
    }
}

static const wide_weights *wide_of(const strand_weights *w)
{
    return w->wide.W != NULL ? &w->wide : NULL;
}

/* What the inputs add to the slots. */
static void slots_forward(const stack_call *call, size_t layer, const TYPED(fastrnn_stack_input) *input,
                          const strand_tape *tape, const real *W_ih, const strand_weights *w, real *slots)
{
    const cell_kind *cell = call->cell;
    const slot_range inputs = {0, cell->input_slots};
    if (reads_columns(call, layer)) {
        one_hot_columns(call, call->N, tape->indices, W_ih, w->bias, slots);
    } else if (is_one_hot(call, layer)) {
        if (reads_embedded_table(call, layer)) {
            embedded_table(call, input->embedding, w);
        }
        one_hot_forward(call->N, tape->indices, w->table, table_row(call), range_width(inputs, call->H, call->u), w->bias,
                        cell->slots * call->u, slots, call->slot_row);
    } else {
        dense_slots(call, layer, tape, w, slots);
    }
}

static void strand_forward(const stack_call *call, size_t layer, size_t direction,
                           const TYPED(fastrnn_stack_input) *input, const TYPED(fastrnn_stack_output) *output,
                           const stack_weights *weights)
{
    const cell_kind *cell = call->cell;
    const strand_tape tape = strand_at(call, layer, direction);
    const strand_weights *w = weights_of(call, weights, layer, direction);
    const strand_parameters p = parameters_of(call->stack, layer, direction);
    const size_t H = call->H, at = state_offset(call, layer, direction);
    strand s = strand_of(call, &tape);

    states_from_caller(&call->plan, H, states_of(call, input->h0, layer, direction), s.hs, s.h);
    if (cell->has_c) {
        states_from_caller(&call->plan, H, states_of(call, input->c0, layer, direction), s.cs, s.h);
    }
    if (call->N > 0) {
        if (!weights->kept) {
            prepare_weights(call, layer, direction, input->parameters, w);
        }
        strand_inputs(call, layer, direction == 1, input, &tape);
        slots_forward(call, layer, input, &tape, input->parameters + p.W_ih, w, s.slots);
        s.Whh_transposed = w->Whh_transposed;
        s.wide = wide_of(w);
        s.W_dense = reads_dense_forward(call, input->parameters + p.W_hh) ? input->parameters + p.W_hh : NULL;
        slice_forward_weights(cell, call->batch->T, w->slices, &s);
        through_time(cell, &s);
    }
    if (output->hn) {
        last_states_to_caller(&call->plan, H, s.hs, s.h, output->hn + at);
    }
    if (cell->has_c && output->cn) {
        last_states_to_caller(&call->plan, H, s.cs, s.h, output->cn + at);
    }
}

/* All layers, into the tape, and the last states. */
static void layers_forward(const stack_call *call, const TYPED(fastrnn_stack_input) *input,
                           const TYPED(fastrnn_stack_output) *output, const stack_weights *weights)
{
    for (size_t layer = 0; layer < call->stack->layers; layer++) {
        for (size_t direction = 0; direction < call->D; direction++) {
            strand_forward(call, layer, direction, input, output, weights);
        }
    }
}

/* The states of the last layer's steps, (N, h), on the tape. */
static const real *top_states(const stack_call *call, size_t direction)
{
    return strand_at(call, call->stack->layers - 1, direction).hs + call->batch->B * call->h;
}

static void stack_forward(const fastrnn_stack *stack, const fastrnn_batch *batch,
                          const TYPED(fastrnn_stack_input) *input, const TYPED(fastrnn_stack_output) *output, void *tape,
                          void *workspace)
{
    const stack_call call = stack_call_on(stack, batch, tape);
    const size_t H = call.H, width = call.D * H;
    strand_weights w;
    lay_out_forward(&call, (uintptr_t)workspace, &w);
    const uint64_t subnormals = subnormals_as_zero();
    layers_forward(&call, input, output, &(stack_weights){&w, false});
    if (batch->lengths) {
        memset(output->y, 0, batch->T * batch->B * width * sizeof(real));
    }
    for (size_t direction = 0; direction < call.D; direction++) {
        rows_to_caller(&call.plan, direction == 1, H, top_states(&call, direction), call.h,
                       output->y + direction * H, width);
    }
    subnormals_restore(subnormals);
}

/* ---- back through time ----------------------------------------------------------------------------------------- */

/* Where a strand's d loss / d slot is once its steps have been gone back through. */
typedef struct {
    const real *data;
    size_t row;
} slot_gradients;

/* What comes from above to a strand. */
static real *from_above(const stack_call *call, const backward_scratch *w, size_t layer, size_t direction)
{
    return w->dhs + strand_index(call, layer, direction) * call->N * call->h;
}

static slot_gradients gradients_of_slots(const stack_call *call, const backward_scratch *w, size_t layer, size_t direction)
{
    const real *slots = strand_at(call, layer, direction).slots;
    return (slot_gradients){call->cell->in_place ? from_above(call, w, layer, direction) : slots, call->slot_row};
}

/* In the forward pass this was slot = W_ih x + ..., so now dx = W_ih^T d, N rows of it. */
static void inputs_back(const stack_call *call, size_t layer, size_t N, const slot_gradients *d, const real *W_ih,
                        const backward_scratch *w, real *dx, size_t dx_row)
{
    const cell_kind *cell = call->cell;
    const size_t H = call->H, I = stack_inputs(call->stack, layer);
    for (size_t slot = 0; slot < cell->input_slots; slot++) {
        pack(usual_packing, H, I, W_ih + cell->gate[slot] * H * I, w->Wih);
        product(N, (left_factor){d->data + slot * call->u, d->row, 1}, packed(w->Wih, H, I), dx, dx_row, slot > 0);
    }
}

/* Where the gradient of a strand's inputs goes: to the caller, to the layer below, or nowhere. */
static void strand_inputs_back(const stack_call *call, size_t layer, bool reverse, const slot_gradients *d,
                               const real *W_ih, const TYPED(fastrnn_stack_input) *input, real *dx,
                               const backward_scratch *w)
{
    const size_t I = stack_inputs(call->stack, layer), row = padded_row(I), N = call->N;
    if (layer == 0 && !is_one_hot(call, 0) && dx != NULL) {
        inputs_back(call, layer, N, d, W_ih, w, w->dx, row);
        rows_added_to_caller(&call->plan, reverse, I, w->dx, row, dx);
    } else if (reads_states_below(call, layer)) {
        inputs_back(call, layer, N, d, W_ih, w, from_above(call, w, layer - 1, 0), call->h);
    } else if (layer > 0) {
        real *const below[2] = {from_above(call, w, layer - 1, 0), from_above(call, w, layer - 1, call->D - 1)};
        inputs_back(call, layer, N, d, W_ih, w, w->dx, row);
        rows_to_below(call, reverse, dropout_below(call, input, layer), w->dx, row, below);
    }
}

/* W_hh as the way back wants it. */
static void lead_back(const stack_call *call, size_t layer, size_t direction, const real *W_hh, const backward_scratch *w,
                      strand *s)
{
    if (w->kept != NULL && keeps_wide(call)) {
        s->wide = wide_of(weights_of(call, w->kept, layer, direction));
    } else if (reads_dense_back(call, W_hh)) {
        s->W_dense = W_hh;
    } else if (w->kept != NULL) {
        s->Whh = weights_of(call, w->kept, layer, direction)->Whh;
    } else {
        pack_recurrent(s->packing, call->cell, call->H, W_hh, w->Whh);
        s->Whh = w->Whh;
    }
}

static void strand_back(const stack_call *call, size_t layer, size_t direction, const TYPED(fastrnn_stack_input) *input,
                        const TYPED(fastrnn_stack_output_gradient) *output_gradient,
                        const TYPED(fastrnn_stack_input_gradient) *input_gradient, const backward_scratch *w)
{
    const cell_kind *cell = call->cell;
    const strand_tape tape = strand_at(call, layer, direction);
    const strand_parameters p = parameters_of(call->stack, layer, direction);
    const size_t H = call->H, at = state_offset(call, layer, direction);
    strand s = strand_of(call, &tape);
    s.dhs = from_above(call, w, layer, direction);
    s.dh = w->dh;
    s.dc = w->dc;
    s.want_dh0 = input_gradient->h0 != NULL;

    states_from_caller(&call->plan, H, states_of(call, output_gradient->hn, layer, direction), s.dh, s.h);
    states_from_caller(&call->plan, H, states_of(call, output_gradient->cn, layer, direction), s.dc, s.h);
    if (call->N > 0) {
        lead_back(call, layer, direction, input->parameters + p.W_hh, w, &s);
        slice_backward_weights(cell, call->batch->T, w->slices, &s);
        back_through_time(cell, &s);
        const slot_gradients d = gradients_of_slots(call, w, layer, direction);
        strand_inputs_back(call, layer, direction == 1, &d, input->parameters + p.W_ih, input, input_gradient->x, w);
    }
    if (input_gradient->h0) {
        states_to_caller(&call->plan, H, s.dh, s.h, input_gradient->h0 + at);
    }
    if (cell->has_c && input_gradient->c0) {
        states_to_caller(&call->plan, H, s.dc, s.h, input_gradient->c0 + at);
    }
}

/* Back through all layers, from what comes from above to the last one: the gradients of inputs, first states and slots. */
static void layers_back(const stack_call *call, const TYPED(fastrnn_stack_input) *input,
                        const TYPED(fastrnn_stack_output_gradient) *output_gradient,
                        const TYPED(fastrnn_stack_input_gradient) *input_gradient, const backward_scratch *w)
{
    for (size_t layer = call->stack->layers; layer-- > 0;) {
        for (size_t direction = 0; direction < call->D && layer > 0; direction++) {
            memset(from_above(call, w, layer - 1, direction), 0, call->N * call->h * sizeof(real));
        }
        for (size_t direction = 0; direction < call->D; direction++) {
            strand_back(call, layer, direction, input, output_gradient, input_gradient, w);
        }
    }
}

/* ---- gradients of the parameters ------------------------------------------------------------------------------- */

/* The gradients may be applied at once: then no parameter of a strand is read after it has been updated, and the weights
 * that are kept follow. */

/* What follows when rows of a gate are updated; weights: NULL where nothing does. */
typedef struct {
    const stack_call *call;
    const strand_weights *weights;
    const real *W_hh;
    size_t slot;
} gate_copies;

static void recurrent_gate_follows(const weight_target *gate, size_t first, size_t n)
{
    const gate_copies *copies = gate->copies;
    const stack_call *call = copies->call;
    const cell_kind *cell = call->cell;
    const size_t H = call->H, u = call->u;
    const packing recurrent = recurrent_packing(cell, call->batch->B, H);
    const size_t product = in_range(cell->products[0], copies->slot) ? 0 : 1;
    const slot_range range = cell->products[product];
    const size_t earlier = product == 0 ? 0 : cell->products[0].count, column = (copies->slot - range.first) * u + first;
    if (!reads_dense_forward(call, copies->W_hh)) {
        pack_columns(recurrent, H, range_width(range, H, u), gate->to + first * H, column, column + n,
                     copies->weights->Whh_transposed + earlier * H * u);
    }
    if (!reads_dense_back(call, copies->W_hh)) {
        pack_rows(recurrent, H, H, gate->to, first, first + n,
                  copies->weights->Whh + recurrent_index(cell, copies->slot) * packed_size(H, H));
    }
}

static void input_gate_follows(const weight_target *gate, size_t first, size_t n)
{
    const gate_copies *copies = gate->copies;
    const stack_call *call = copies->call;
    const slot_range inputs = {0, call->cell->input_slots};
    const size_t column = copies->slot * call->u + first;
    pack_columns(usual_packing, gate->N, range_width(inputs, call->H, call->u), gate->to + first * gate->N, column, column + n,
                 copies->weights->Wih_transposed);
}

/* The rows of a gate in W (G H, I), where its gradient goes. */
static weight_target gate_target(const stack_call *call, size_t slot, size_t I, real *W, gate_copies *copies,
                                 void (*follow)(const weight_target *, size_t, size_t))
{
    weight_target gate = dense_target(call->H, I, W + call->cell->gate[slot] * call->H * I);
    copies->slot = slot;
    gate.copies = copies;
    gate.follow = copies->weights != NULL ? follow : NULL;
    return gate;
}

/* The states that the products of step t took, one row for each of its rows: where no sequence ends they lie so. */
static const real *states_before_rows(const stack_call *call, const strand *s, real *memory)
{
    const row_plan *plan = &call->plan;
    if (plan->lengths == NULL) {
        return s->hs;
    }
    FOR_STRAND_ROWS(plan, t, b, n) {
        memcpy(memory + n * s->h, states_before(s, s->hs, t) + b * s->h, s->h * sizeof(real));
    }
    return memory;
}

/* In the forward pass this was slot = ... + W_hh h_{t-1}, so now dW_hh = sum over the rows of d h_{t-1}^T. */
static void recurrent_weights_back(const stack_call *call, const strand *s, const gradient_use *use,
                                   const slot_gradients *d, real *dW_hh, gate_copies *copies, const backward_scratch *w)
{
    const cell_kind *cell = call->cell;
    const size_t H = call->H, u = call->u;
    const right_factor before = unpacked(states_before_rows(call, s, w->hs_before), call->N, H, call->h);
    const right_factor reset = unpacked(s->slots + GRU_RESET_STATE * u, call->N, H, s->slot_row);
    for (size_t slot = 0; slot < cell->slots; slot++) {
        const left_factor d_transposed = {d->data + slot * u, 1, d->row};
        if (is_recurrent(cell, slot)) {
            const weight_target gate = gate_target(call, slot, H, dW_hh, copies, recurrent_gate_follows);
            weight_gradient(use, d_transposed, in_range(cell->products[0], slot) ? before : reset, &gate, w->some_rows);
        }
    }
}

/* How gradients are applied to a matrix that is kept. */
static gradient_use applied_to_kept(const gradient_use *use, const kept_matrix *kept)
{
    return (gradient_use){.way = GRADIENT_APPLIED,
                          .rule = use->rule,
                          .buffers = {kept->weights, NULL, kept->momentum, kept->mean, kept->squares}};
}

/* ... or applied to the copy in which W_hh has its place meanwhile, some columns of it at a time. Being transposed it gets
 * the sum over the rows of h_{t-1} d^T. */
static void wide_weights_back(const stack_call *call, const strand *s, const gradient_use *use,
                              const strand_weights *weights, const backward_scratch *w)
{
    const wide_weights *wide = &weights->wide;
    const gradient_use to_wide = applied_to_kept(use, &weights->kept_recurrent);
    const partition parts = parts_of_wide(call);
    const left_factor before = {s->hs, 1, s->h};
    for (size_t p = 0; p < parts.parts; p++) {
        const column_range c = columns_of_part(call, &parts, p);
        weight_target some = dense_target(call->H, c.count, weights->kept_recurrent.weights + c.first);
        some.row = wide->row;
        weight_gradient(&to_wide, before, unpacked(wide->slots + c.first, call->N, c.count, wide->row), &some,
                        w->some_rows);
    }
}

/* The same of W_ih and one-hot inputs: d is added to the column of its character. */
static void one_hot_columns_back(const stack_call *call, const int64_t *indices, const slot_gradients *d, real *dW_ih)
{
    const cell_kind *cell = call->cell;
    const size_t H = call->H, I = call->stack->input_size;
    for (size_t n = 0; n < call->N; n++) {
        for (size_t slot = 0; slot < cell->input_slots; slot++) {
            const real *from = d->data + n * d->row + slot * call->u;
            real *column = dW_ih + cell->gate[slot] * H * I + (size_t)indices[n];
            for (size_t j = 0; j < H; j++) {
                column[j * I] += from[j];
            }
        }
    }
}

/* The gradient of the table's V rows, those of characters that do not occur too. */
static void table_back(const stack_call *call, size_t V, const int64_t *indices, const slot_gradients *d,
                       const backward_scratch *w)
{
    const slot_range inputs = {0, call->cell->input_slots};
    const size_t row = table_row(call);
    one_hot_backward(call->N, V, indices, d->data, d->row, range_width(inputs, call->H, call->u), w->table, row,
                     w->occurs);
    for (size_t x = 0; x < V; x++) {
        if (!w->occurs[x]) {
            memset(w->table + x * row, 0, row * sizeof(real));
        }
    }
}

/* ... where there are many rows, by way of the table: some rows of a gate at a time are transposed, and handed over. */
static void one_hot_weights_back(const stack_call *call, const gradient_use *use, const int64_t *indices,
                                 const slot_gradients *d, real *dW_ih, const backward_scratch *w)
{
    const cell_kind *cell = call->cell;
    const size_t H = call->H, I = call->stack->input_size, row = padded_row(I);
    table_back(call, I, indices, d, w);
    for (size_t slot = 0; slot < cell->input_slots; slot++) {
        real *gate = dW_ih + cell->gate[slot] * H * I;
        for (size_t first = 0; first < H; first += LINE_REALS) {
            const size_t n = H - first < LINE_REALS ? H - first : LINE_REALS;
            transpose(I, n, w->table + slot * call->u + first, table_row(call), w->some_rows, row, TRANSPOSE_PADDED);
            hand_over(use, n, I, w->some_rows, row, gate + first * I, I);
        }
    }
}

/* ... or applied to the table that is kept, in which W_ih has its place meanwhile. What did not occur changes only where an
 * optimizer changes something without a gradient. */
static void table_applied(const stack_call *call, const gradient_use *use, const int64_t *indices, const slot_gradients *d,
                          const kept_matrix *kept, const backward_scratch *w)
{
    const slot_range inputs = {0, call->cell->input_slots};
    const size_t row = table_row(call), H = call->H, u = call->u;
    const gradient_use to_table = applied_to_kept(use, kept);
    const bool all = !rests_without_gradient(use->rule);
    one_hot_backward(call->N, call->stack->input_size, indices, d->data, d->row, range_width(inputs, H, u), w->table, row,
                     w->occurs);
    for (size_t x = 0; x < call->stack->input_size; x++) {
        if (!w->occurs[x] && all) {
            memset(w->table + x * row, 0, row * sizeof(real));
        }
        if (w->occurs[x] || all) {
            hand_over(&to_table, inputs.count, H, w->table + x * row, u, kept->weights + x * row, u);
        }
    }
}

/* In the forward pass this was slot = W_ih x + ..., so now dW_ih = sum over the rows of d x^T ... */
static void dense_weights_back(const stack_call *call, const gradient_use *use, right_factor x, const slot_gradients *d,
                               real *dW_ih, gate_copies *copies, const backward_scratch *w)
{
    const cell_kind *cell = call->cell;
    for (size_t slot = 0; slot < cell->input_slots; slot++) {
        const weight_target gate = gate_target(call, slot, x.N, dW_ih, copies, input_gate_follows);
        weight_gradient(use, (left_factor){d->data + slot * call->u, 1, d->row}, x, &gate, w->some_rows);
    }
}

/* ... of an embedding over its rows, with the gradient of the table for d, which is the embedding's by way of W_ih. */
static void embedded_weights_back(const stack_call *call, const gradient_use *use, const int64_t *indices,
                                  const slot_gradients *d, const TYPED(fastrnn_stack_input) *input, size_t W_ih, real *dW_ih,
                                  real *dembedding, gate_copies *copies, const backward_scratch *w)
{
    const size_t V = call->batch->embeddings, I = call->stack->input_size, x_row = padded_row(I);
    const slot_gradients table = {w->table, table_row(call)};
    table_back(call, V, indices, d, w);
    inputs_back(call, 0, V, &table, input->parameters + W_ih, w, w->dx, x_row);
    add_padded(V, I, w->dx, x_row, dembedding, I);
    for (size_t x = 0; x < V; x++) { /* 0 times what a row that nobody read may hold need not be 0 */
        if (w->occurs[x]) {
            copy_to_padded(1, I, input->embedding + x * I, w->embedding + x * x_row, x_row);
        } else {
            memset(w->embedding + x * x_row, 0, x_row * sizeof(real));
        }
    }
    dense_weights_back(call, use, unpacked(w->embedding, V, I, x_row), &table, dW_ih, copies, w);
}

static void input_weights_back(const stack_call *call, size_t layer, const gradient_use *use, const strand_tape *tape,
                               const slot_gradients *d, const TYPED(fastrnn_stack_input) *input, size_t W_ih, real *dW_ih,
                               real *dembedding, gate_copies *copies, const backward_scratch *w)
{
    const size_t I = stack_inputs(call->stack, layer), size = stack_gates(call->stack) * call->H * I;
    if (reads_embedded_table(call, layer)) {
        embedded_weights_back(call, use, tape->indices, d, input, W_ih, dW_ih, dembedding, copies, w);
    } else if (reads_columns(call, layer)) {
        real *columns = made_piecewise(use, dW_ih);
        memset(columns, 0, use->way == GRADIENT_ADDED ? 0 : size * sizeof(real));
        one_hot_columns_back(call, tape->indices, d, columns);
        hand_over_made(use, size, dW_ih);
    } else if (is_one_hot(call, layer) && copies->weights != NULL) {
        table_applied(call, use, tape->indices, d, &copies->weights->kept_inputs, w);
    } else if (is_one_hot(call, layer)) {
        one_hot_weights_back(call, use, tape->indices, d, dW_ih, w);
    } else {
        dense_weights_back(call, use, unpacked(tape->x, call->N, I, tape->x_row), d, dW_ih, copies, w);
    }
}

/* Once layers_back is through: the gradients of all parameters go to `parameters`, and that of an embedding that is read
 * by way of a table is added to dembedding. */
static void layers_parameters_back(const stack_call *call, const gradient_use *use,
                                   const TYPED(fastrnn_stack_input) *input, real *parameters, real *dembedding,
                                   const backward_scratch *w)
{
    for (size_t i = 0; call->N > 0 && i < call->stack->layers * call->D; i++) {
        const size_t layer = i / call->D, direction = i % call->D;
        const strand_tape tape = strand_at(call, layer, direction);
        const strand_parameters p = parameters_of(call->stack, layer, direction);
        const strand s = strand_of(call, &tape);
        const slot_gradients d = gradients_of_slots(call, w, layer, direction);
        const bool follow = w->kept != NULL && use->way == GRADIENT_APPLIED;
        gate_copies copies = {call, follow ? weights_of(call, w->kept, layer, direction) : NULL, parameters + p.W_hh, 0};
        if (copies.weights != NULL && keeps_wide(call)) {
            wide_weights_back(call, &s, use, copies.weights, w);
        } else {
            recurrent_weights_back(call, &s, use, &d, parameters + p.W_hh, &copies, w);
        }
        input_weights_back(call, layer, use, &tape, &d, input, p.W_ih, parameters + p.W_ih, dembedding, &copies, w);
        if (call->stack->bias) {
            slot_biases_back(use, call->cell, call->H, call->u, call->N, d.data, d.row, w->one_bias, parameters + p.b_ih,
                             parameters + p.b_hh, w->sums);
        }
        if (copies.weights != NULL) {
            prepare_biases(call, parameters, &p, copies.weights);
        }
    }
}

/* ---- backward -------------------------------------------------------------------------------------------------- */

static void stack_backward(const fastrnn_stack *stack, const fastrnn_batch *batch,
                           const TYPED(fastrnn_stack_input) *input, void *tape,
                           const TYPED(fastrnn_stack_output_gradient) *output_gradient,
                           const TYPED(fastrnn_stack_input_gradient) *input_gradient, void *workspace)
{
    const stack_call call = stack_call_on(stack, batch, tape);
    const size_t H = call.H, D = call.D;
    const gradient_use added = {.way = GRADIENT_ADDED};
    backward_scratch w = {0};
    lay_out_backward(&call, (uintptr_t)workspace, &w);
    const uint64_t subnormals = subnormals_as_zero();
    if (!batch->one_hot && input_gradient->x) {
        memset(input_gradient->x, 0, batch->T * batch->B * stack->input_size * sizeof(real));
    }
    for (size_t direction = 0; direction < D; direction++) {
        rows_from_caller(&call.plan, direction == 1, H, output_gradient->y + direction * H, D * H,
                         from_above(&call, &w, stack->layers - 1, direction), call.h);
    }
    layers_back(&call, input, output_gradient, input_gradient, &w);
    layers_parameters_back(&call, &added, input, input_gradient->parameters, input_gradient->embedding, &w);
    subnormals_restore(subnormals);
}

/* ---- one step -------------------------------------------------------------------------------------------------- */

/* slots (B, slot_row) = the biases. */
static void step_biases(const stack_call *call, const real *parameters, const strand_parameters *p, real *slots)
{
    slot_biases(call->cell, call->H, call->u, biases(call, parameters, p->b_ih), biases(call, parameters, p->b_hh), slots);
    for (size_t b = 1; b < call->batch->B; b++) {
        memcpy(slots + b * call->slot_row, slots, call->cell->slots * call->u * sizeof(real));
    }
}

/* slots += W_ih x for B rows of dense inputs, unpacked. */
static void step_inputs(const stack_call *call, size_t layer, const real *x, size_t x_row, const real *W_ih, real *slots)
{
    const cell_kind *cell = call->cell;
    const size_t H = call->H, I = stack_inputs(call->stack, layer);
    for (size_t slot = 0; slot < cell->input_slots; slot++) {
        matvec(call->batch->B, H, I, W_ih + cell->gate[slot] * H * I, I, x, x_row, false, slots + slot * call->u,
               call->slot_row);
    }
}

static void stack_step(const fastrnn_stack *stack, const fastrnn_batch *batch, const TYPED(fastrnn_stack_input) *input,
                       const TYPED(fastrnn_stack_output) *output, void *workspace)
{
    stack_call call = stack_call_of_sizes(stack, batch, batch->B);
    call.plan = plan_of_equals(batch);
    const cell_kind *cell = call.cell;
    const size_t B = batch->B, H = call.H, h = call.h;
    step_scratch w;
    lay_out_step(&call, (uintptr_t)workspace, &w);
    strand s = {.B = B, .H = H, .h = h, .u = call.u, .slot_row = call.slot_row, .rows = call.plan.rows, .hs = w.hs,
                .cs = w.cs, .slots = cell->in_place ? w.hs + B * h : w.slots};
    const uint64_t subnormals = subnormals_as_zero();
    for (size_t layer = 0; layer < stack->layers; layer++) {
        const strand_parameters p = parameters_of(stack, layer, 0);
        const real *parameters = input->parameters, *W_ih = parameters + p.W_ih;
        const size_t at = state_offset(&call, layer, 0);
        real *h_t = w.hs + B * h;
        for (size_t b = 0; layer > 0 && b < B; b++) {
            memcpy(w.x + b * padded_row(H), h_t + b * h, H * sizeof(real)); /* before the slots of an rnn replace it */
        }
        step_biases(&call, parameters, &p, s.slots);
        if (is_one_hot(&call, layer)) {
            add_columns(&call, B, input->indices, W_ih, s.slots);
        } else if (layer == 0) {
            step_inputs(&call, layer, input->x, stack->input_size, W_ih, s.slots);
        } else {
            step_inputs(&call, layer, w.x, padded_row(H), W_ih, s.slots);
        }
        states_from_caller(&call.plan, H, states_of(&call, input->h0, layer, 0), w.hs, h);
        if (cell->has_c) {
            states_from_caller(&call.plan, H, states_of(&call, input->c0, layer, 0), w.cs, h);
        }
        s.W_dense = parameters + p.W_hh;
        through_time(cell, &s);
        if (output->hn) {
            states_to_caller(&call.plan, H, h_t, h, output->hn + at);
        }
        if (cell->has_c && output->cn) {
            states_to_caller(&call.plan, H, w.cs + B * h, h, output->cn + at);
        }
    }
    rows_to_caller(&call.plan, false, H, w.hs + B * h, h, output->y, H);
    subnormals_restore(subnormals);
}

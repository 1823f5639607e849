/* Stacks of recurrent layers: every cell, layer and direction is a strand, and this is what joins them. */

/* The strand of a layer and direction over its tape; what backward needs besides is added there. */
static strand strand_of(const stack_call *call, const strand_tape *tape)
{
    return (strand){.B = call->batch->B, .H = call->H, .h = call->h, .u = call->u,
                    .slot_row = call->slot_row, .rows = call->plan.rows,
                    .panel_vecs = recurrent_panel_vecs(call->cell, call->batch->B, call->H),
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

/* W x + bias for N rows of one-hot inputs, from single columns of W. */
static void one_hot_columns(const stack_call *call, size_t N, const int64_t *indices, const real *W_ih, const real *bias,
                            real *slots)
{
    const cell_kind *cell = call->cell;
    const size_t H = call->H, u = call->u, I = call->stack->input_size;
    for (size_t n = 0; n < N; n++) {
        real *a = slots + n * call->slot_row;
        memcpy(a, bias, cell->slots * u * sizeof(real));
        for (size_t slot = 0; slot < cell->input_slots; slot++) {
            const real *column = W_ih + cell->gate[slot] * H * I + (size_t)indices[n];
            for (size_t j = 0; j < H; j++) {
                a[slot * u + j] += column[j * I];
            }
        }
    }
}

/* The same where there are many rows: the table is memory for W^T. */
static void one_hot_slots(const stack_call *call, size_t N, const int64_t *indices, const real *W_ih, const real *bias,
                          real *table, real *slots)
{
    const cell_kind *cell = call->cell;
    const slot_range inputs = {0, cell->input_slots};
    const size_t H = call->H, u = call->u, I = call->stack->input_size, row = table_row(call);
    if (few_columns(N, I)) {
        one_hot_columns(call, N, indices, W_ih, bias, slots);
        return;
    }
    transpose_gates(cell, inputs, H, u, I, W_ih, 0, cell->input_slots * u, table, row);
    one_hot_forward(N, indices, table, row, range_width(inputs, H, u), bias, cell->slots * u, slots, call->slot_row);
}

/* The same where the integers stand for rows of an embedding: the table is those rows times W^T. */
static void embedded_slots(const stack_call *call, const int64_t *indices, const real *embedding, const real *W_ih,
                           const forward_scratch *w, real *slots)
{
    const cell_kind *cell = call->cell;
    const slot_range inputs = {0, cell->input_slots};
    const size_t H = call->H, u = call->u, I = call->stack->input_size, row = table_row(call);
    const size_t width = range_width(inputs, H, u);
    pack_gates_transposed(PANEL_VECS, cell, inputs, H, u, I, W_ih, w->Wih_transposed);
    product(call->batch->embeddings, (left_factor){embedding, I, 1}, packed(w->Wih_transposed, I, width), w->table, row,
            false);
    one_hot_forward(call->N, indices, w->table, row, width, w->bias, cell->slots * u, slots, call->slot_row);
}

/* W x + bias for the rows of dense inputs (N, x_row). */
static void dense_slots(const stack_call *call, size_t layer, const strand_tape *tape, const real *W_ih,
                        const real *bias, real *packed_W, real *slots)
{
    const cell_kind *cell = call->cell;
    const slot_range inputs = {0, cell->input_slots};
    const size_t I = stack_inputs(call->stack, layer), N = range_width(inputs, call->H, call->u);
    /* a slot to which the state adds, and not the input */
    const size_t whole = cell->input_slots * call->u, left = in_range(cell->products[0], cell->input_slots) ? call->u : 0;
    pack_gates_transposed(PANEL_VECS, cell, inputs, call->H, call->u, I, W_ih, packed_W);
    product_added(call->N, (left_factor){tape->x, tape->x_row, 1}, packed(packed_W, I, N), bias, false, slots,
                  call->slot_row);
    for (size_t n = 0; left > 0 && n < call->N; n++) {
        memcpy(slots + n * call->slot_row + whole, bias + whole, left * sizeof(real));
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

static void strand_forward(const stack_call *call, size_t layer, size_t direction,
                           const TYPED(fastrnn_stack_input) *input, const TYPED(fastrnn_stack_output) *output,
                           const forward_scratch *w)
{
    const cell_kind *cell = call->cell;
    const strand_tape tape = strand_at(call, layer, direction);
    const strand_parameters p = parameters_of(call->stack, layer, direction);
    const real *parameters = input->parameters, *W_ih = parameters + p.W_ih;
    const size_t H = call->H, u = call->u, at = state_offset(call, layer, direction);
    strand s = strand_of(call, &tape);

    states_from_caller(&call->plan, H, states_of(call, input->h0, layer, direction), s.hs, s.h);
    if (cell->has_c) {
        states_from_caller(&call->plan, H, states_of(call, input->c0, layer, direction), s.cs, s.h);
    }
    if (call->N > 0) {
        strand_inputs(call, layer, direction == 1, input, &tape);
        slot_biases(cell, H, u, biases(call, parameters, p.b_ih), biases(call, parameters, p.b_hh), w->bias);
        if (is_one_hot(call, layer) && call->batch->embeddings > 0) {
            embedded_slots(call, tape.indices, input->embedding, W_ih, w, s.slots);
        } else if (is_one_hot(call, layer)) {
            one_hot_slots(call, call->N, tape.indices, W_ih, w->bias, w->table, s.slots);
        } else {
            dense_slots(call, layer, &tape, W_ih, w->bias, w->Wih_transposed, s.slots);
        }
        pack_recurrent_transposed(s.panel_vecs, cell, H, u, parameters + p.W_hh, w->Whh_transposed);
        s.Whh_transposed = w->Whh_transposed;
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
                           const TYPED(fastrnn_stack_output) *output, const forward_scratch *w)
{
    for (size_t layer = 0; layer < call->stack->layers; layer++) {
        for (size_t direction = 0; direction < call->D; direction++) {
            strand_forward(call, layer, direction, input, output, w);
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
    forward_scratch w;
    lay_out_forward(&call, (uintptr_t)workspace, &w);
    const uint64_t subnormals = subnormals_as_zero();
    layers_forward(&call, input, output, &w);
    if (batch->lengths) {
        memset(output->y, 0, batch->T * batch->B * width * sizeof(real));
    }
    for (size_t direction = 0; direction < call.D; direction++) {
        rows_to_caller(&call.plan, direction == 1, H, top_states(&call, direction), call.h,
                       output->y + direction * H, width);
    }
    subnormals_restore(subnormals);
}

/* ---- backward -------------------------------------------------------------------------------------------------- */

/* Where a strand's d loss / d slot is once its steps have been gone back through. */
typedef struct {
    const real *data;
    size_t row;
} slot_gradients;

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
static void recurrent_weights_back(const stack_call *call, const strand *s, const slot_gradients *d, real *dW_hh,
                                   const backward_scratch *w)
{
    const cell_kind *cell = call->cell;
    const size_t H = call->H, u = call->u;
    const right_factor before = unpacked(states_before_rows(call, s, w->hs_before), call->N, H, call->h);
    const right_factor reset = unpacked(s->slots + GRU_RESET_STATE * u, call->N, H, s->slot_row);
    for (size_t slot = 0; slot < cell->slots; slot++) {
        const weight_target weight = {
            .M = H, .N = H, .gradient = dW_hh + cell->gate[slot] * H * H, .panel_vecs = PANEL_VECS};
        const left_factor d_transposed = {d->data + slot * u, 1, d->row};
        if (in_range(cell->products[0], slot)) {
            weight_gradient(&w->use, d_transposed, before, &weight, w->some_rows);
        } else if (in_range(cell->products[1], slot)) {
            weight_gradient(&w->use, d_transposed, reset, &weight, w->some_rows);
        }
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

/* ... where there are many rows, by way of the table. */
static void one_hot_weights_back(const stack_call *call, const int64_t *indices, const slot_gradients *d, real *dW_ih,
                                 const backward_scratch *w)
{
    const cell_kind *cell = call->cell;
    const size_t H = call->H, u = call->u, I = call->stack->input_size, row = table_row(call);
    const bool add = w->use.way == GRADIENT_ADDED;
    if (few_columns(call->N, I)) {
        memset(dW_ih, 0, add ? 0 : stack_gates(call->stack) * H * I * sizeof(real));
        one_hot_columns_back(call, indices, d, dW_ih);
        return;
    }
    table_back(call, I, indices, d, w);
    for (size_t slot = 0; slot < cell->input_slots; slot++) {
        transpose(I, H, w->table + slot * u, row, dW_ih + cell->gate[slot] * H * I, I,
                  add ? TRANSPOSE_ADDED : TRANSPOSE_DENSE);
    }
}

/* In the forward pass this was slot = W_ih x + ..., so now dW_ih = sum over the rows of d x^T ... */
static void dense_weights_back(const stack_call *call, right_factor x, const slot_gradients *d, real *dW_ih,
                               const backward_scratch *w)
{
    const cell_kind *cell = call->cell;
    const size_t H = call->H;
    for (size_t slot = 0; slot < cell->input_slots; slot++) {
        const weight_target weight = {
            .M = H, .N = x.N, .gradient = dW_ih + cell->gate[slot] * H * x.N, .panel_vecs = PANEL_VECS};
        weight_gradient(&w->use, (left_factor){d->data + slot * call->u, 1, d->row}, x, &weight, w->some_rows);
    }
}

/* ... of an embedding over its rows, with the gradient of the table for d. */
static void embedded_weights_back(const stack_call *call, const int64_t *indices, const slot_gradients *d,
                                  const real *embedding, real *dW_ih, const backward_scratch *w)
{
    const size_t V = call->batch->embeddings, I = call->stack->input_size, x_row = padded_row(I);
    const slot_gradients table = {w->table, table_row(call)};
    table_back(call, V, indices, d, w);
    for (size_t x = 0; x < V; x++) { /* 0 times what a row that nobody read may hold need not be 0 */
        if (w->occurs[x]) {
            copy_to_padded(1, I, embedding + x * I, w->embedding + x * x_row, x_row);
        } else {
            memset(w->embedding + x * x_row, 0, x_row * sizeof(real));
        }
    }
    dense_weights_back(call, unpacked(w->embedding, V, I, x_row), &table, dW_ih, w);
}

static void input_weights_back(const stack_call *call, size_t layer, const strand_tape *tape, const slot_gradients *d,
                               const TYPED(fastrnn_stack_input) *input, real *dW_ih, const backward_scratch *w)
{
    const size_t I = stack_inputs(call->stack, layer);
    if (is_one_hot(call, layer) && call->batch->embeddings > 0) {
        embedded_weights_back(call, tape->indices, d, input->embedding, dW_ih, w);
    } else if (is_one_hot(call, layer)) {
        one_hot_weights_back(call, tape->indices, d, dW_ih, w);
    } else {
        dense_weights_back(call, unpacked(tape->x, call->N, I, tape->x_row), d, dW_ih, w);
    }
}

/* ... and dx = W_ih^T d, N rows of it. */
static void inputs_back(const stack_call *call, size_t layer, size_t N, const slot_gradients *d, const real *W_ih,
                        const backward_scratch *w, real *dx, size_t dx_row)
{
    const cell_kind *cell = call->cell;
    const size_t H = call->H, I = stack_inputs(call->stack, layer);
    for (size_t slot = 0; slot < cell->input_slots; slot++) {
        pack(PANEL_VECS, H, I, W_ih + cell->gate[slot] * H * I, w->Wih);
        product(N, (left_factor){d->data + slot * call->u, d->row, 1}, packed(w->Wih, H, I), dx, dx_row, slot > 0);
    }
}

/* Where the gradient of a strand's inputs goes: to the caller, to the layer below, or nowhere. Of an embedding the table's
 * gradient is there already. */
static void strand_inputs_back(const stack_call *call, size_t layer, bool reverse, const slot_gradients *d,
                               const real *W_ih, const TYPED(fastrnn_stack_input) *input,
                               const TYPED(fastrnn_stack_input_gradient) *gradient, const backward_scratch *w,
                               real *const dhs_below[2])
{
    const size_t I = stack_inputs(call->stack, layer), row = padded_row(I), N = call->N, V = call->batch->embeddings;
    if (is_one_hot(call, layer) && V > 0) {
        const slot_gradients table = {w->table, table_row(call)};
        inputs_back(call, layer, V, &table, W_ih, w, w->dx, row);
        add_padded(V, I, w->dx, row, gradient->embedding, I);
    } else if (layer == 0 && !is_one_hot(call, 0) && gradient->x != NULL) {
        inputs_back(call, layer, N, d, W_ih, w, w->dx, row);
        rows_added_to_caller(&call->plan, reverse, I, w->dx, row, gradient->x);
    } else if (reads_states_below(call, layer)) {
        inputs_back(call, layer, N, d, W_ih, w, dhs_below[0], call->h);
    } else if (layer > 0) {
        inputs_back(call, layer, N, d, W_ih, w, w->dx, row);
        rows_to_below(call, reverse, dropout_below(call, input, layer), w->dx, row, dhs_below);
    }
}

static void strand_backward(const stack_call *call, size_t layer, size_t direction,
                            const TYPED(fastrnn_stack_input) *input,
                            const TYPED(fastrnn_stack_output_gradient) *output_gradient,
                            const TYPED(fastrnn_stack_input_gradient) *input_gradient, const backward_scratch *w,
                            real *const dhs[2], real *const dhs_below[2])
{
    const cell_kind *cell = call->cell;
    const strand_tape tape = strand_at(call, layer, direction);
    const strand_parameters p = parameters_of(call->stack, layer, direction);
    const real *parameters = input->parameters;
    real *gradients = input_gradient->parameters;
    const size_t H = call->H, at = state_offset(call, layer, direction);
    strand s = strand_of(call, &tape);
    s.W_dense = call->batch->B == 1 && lies_well(H, parameters + p.W_hh) ? parameters + p.W_hh : NULL;
    s.Whh = w->Whh;
    s.dhs = dhs[direction];
    s.dh = w->dh;
    s.dc = w->dc;
    s.want_dh0 = input_gradient->h0 != NULL;

    states_from_caller(&call->plan, H, states_of(call, output_gradient->hn, layer, direction), s.dh, s.h);
    states_from_caller(&call->plan, H, states_of(call, output_gradient->cn, layer, direction), s.dc, s.h);
    if (call->N > 0) {
        if (s.W_dense == NULL) {
            pack_recurrent(s.panel_vecs, cell, H, parameters + p.W_hh, w->Whh);
        }
        back_through_time(cell, &s);
        const slot_gradients d = {cell->in_place ? s.dhs : s.slots, call->slot_row};
        recurrent_weights_back(call, &s, &d, gradients + p.W_hh, w);
        input_weights_back(call, layer, &tape, &d, input, gradients + p.W_ih, w);
        if (call->stack->bias) {
            slot_biases_back(&w->use, cell, H, call->u, call->N, d.data, d.row, gradients + p.b_ih, gradients + p.b_hh,
                             w->sums);
        }
        strand_inputs_back(call, layer, direction == 1, &d, parameters + p.W_ih, input, input_gradient, w, dhs_below);
    }
    if (input_gradient->h0) {
        states_to_caller(&call->plan, H, s.dh, s.h, input_gradient->h0 + at);
    }
    if (cell->has_c && input_gradient->c0) {
        states_to_caller(&call->plan, H, s.dc, s.h, input_gradient->c0 + at);
    }
}

/* All layers, from what comes from above in w->dhs[0]. */
static void layers_backward(const stack_call *call, const TYPED(fastrnn_stack_input) *input,
                            const TYPED(fastrnn_stack_output_gradient) *output_gradient,
                            const TYPED(fastrnn_stack_input_gradient) *input_gradient, const backward_scratch *w)
{
    const size_t D = call->D, layers = call->stack->layers;
    for (size_t layer = layers; layer-- > 0;) {
        const size_t now = (layers - 1 - layer) % 2;
        for (size_t direction = 0; direction < D && layer > 0; direction++) {
            memset(w->dhs[1 - now][direction], 0, call->N * call->h * sizeof(real));
        }
        for (size_t direction = 0; direction < D; direction++) {
            strand_backward(call, layer, direction, input, output_gradient, input_gradient, w, w->dhs[now],
                            w->dhs[1 - now]);
        }
    }
}

static void stack_backward(const fastrnn_stack *stack, const fastrnn_batch *batch,
                           const TYPED(fastrnn_stack_input) *input, void *tape,
                           const TYPED(fastrnn_stack_output_gradient) *output_gradient,
                           const TYPED(fastrnn_stack_input_gradient) *input_gradient, void *workspace)
{
    const stack_call call = stack_call_on(stack, batch, tape);
    const size_t H = call.H, D = call.D;
    backward_scratch w = {.use = {.way = GRADIENT_ADDED}};
    lay_out_backward(&call, (uintptr_t)workspace, &w);
    const uint64_t subnormals = subnormals_as_zero();
    if (!batch->one_hot && input_gradient->x) {
        memset(input_gradient->x, 0, batch->T * batch->B * stack->input_size * sizeof(real));
    }
    for (size_t direction = 0; direction < D; direction++) {
        rows_from_caller(&call.plan, direction == 1, H, output_gradient->y + direction * H, D * H, w.dhs[0][direction],
                         call.h);
    }
    layers_backward(&call, input, output_gradient, input_gradient, &w);
    subnormals_restore(subnormals);
}

/* ---- one step -------------------------------------------------------------------------------------------------- */

/* slots += W_ih x for B rows of dense inputs, unpacked. */
static void step_inputs(const stack_call *call, size_t layer, const real *x, size_t x_row, const real *W_ih, real *slots)
{
    const cell_kind *cell = call->cell;
    const size_t H = call->H, I = stack_inputs(call->stack, layer);
    for (size_t b = 0; b < call->batch->B; b++) {
        for (size_t slot = 0; slot < cell->input_slots; slot++) {
            matvec(H, I, W_ih + cell->gate[slot] * H * I, x + b * x_row, slots + b * call->slot_row + slot * call->u);
        }
    }
}

static void stack_step(const fastrnn_stack *stack, const fastrnn_batch *batch, const TYPED(fastrnn_stack_input) *input,
                       const TYPED(fastrnn_stack_output) *output, void *workspace)
{
    uintptr_t end;
    stack_call call = stack_call_at(stack, batch, 0, &end, NULL);
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
        slot_biases(cell, H, call.u, biases(&call, parameters, p.b_ih), biases(&call, parameters, p.b_hh), w.bias);
        if (is_one_hot(&call, layer)) {
            one_hot_columns(&call, B, input->indices, W_ih, w.bias, s.slots);
        } else {
            for (size_t b = 0; b < B; b++) {
                memcpy(s.slots + b * call.slot_row, w.bias, cell->slots * call.u * sizeof(real));
            }
            const real *x = layer == 0 ? input->x : w.x;
            step_inputs(&call, layer, x, layer == 0 ? stack->input_size : padded_row(H), W_ih, s.slots);
        }
        states_from_caller(&call.plan, H, states_of(&call, input->h0, layer, 0), w.hs, h);
        states_from_caller(&call.plan, H, states_of(&call, input->c0, layer, 0), w.cs, h);
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

/* Drawing tokens from a network one after the other, for B texts side by side: each token drawn is the next one fed.
 *
 * The weights are prepared once, and the steps are those of the layers over a sequence. The memory, laid out once:
 *
 *     tape     of the stack (tape.h) over SAMPLE_STEPS steps: when they are over, on from the first
 *     layers   what the steps of each layer need     W     packed (H, V)
 *     x        (B, I) rows of the embedding          by    (v)
 *     ys       (B, v) y_t, then p_t                  cdf    (V) see choose.h
 *     Wih_transposed, Whh_transposed, bias           of each layer, as strand_weights in tape.h has them
 *
 * Every piece begins on a cache line. */

/* Even, since every other step sweeps through the weights the other way; few, to leave the caches to the weights. */
#define SAMPLE_STEPS 4

/* Multiplications between two looks at whether somebody wants it to end: a millisecond or less. A look may be a system
 * call. */
#define SAMPLE_LOOK ((size_t)1 << 22)

/* A layer's parameters as the caller has them. b_hh may be NULL. */
typedef struct {
    const real *W_ih, *W_hh, *b_ih, *b_hh;
} layer_parameters;

/* What a step of a layer needs. */
typedef struct {
    strand s;
    strand_weights weights;
    size_t inputs, width; /* numbers that it reads; those that W_ih x takes of a row of slots */
    size_t biases;        /* those that the biases take */
    size_t table_row;     /* from row to row of a table of one-hot inputs */
    const real *W_ih;     /* of one-hot inputs without a table: the caller's, of which columns are taken */
} sampled_layer;

/* A network that is drawn from. It stays where it is: the call's batch is pointed to. */
typedef struct {
    network_call call;
    stack_call stack;
    sampled_layer *layers;
    const real *embedding;
    real *x, *ys, *W, *by;
    chooser choice;
} sampler;

/* ---- memory ---------------------------------------------------------------------------------------------------- */

/* Numbers that W_ih of a layer takes: the table, or packed. */
static size_t sampled_inputs_size(const stack_call *stack, size_t layer)
{
    const size_t I = stack_inputs(stack->stack, layer);
    return is_one_hot(stack, layer) ? I * table_row(stack) : I * stack->cell->input_slots * stack->u;
}

/* W_ih, W_hh and biases of a layer. */
static uintptr_t lay_out_sampled_layer(const stack_call *stack, size_t layer, uintptr_t begin, strand_weights *w)
{
    uintptr_t next = begin;
    w->Wih_transposed = take(&next, sampled_inputs_size(stack, layer) * sizeof(real));
    w->table = w->Wih_transposed; /* a layer has the one or the other */
    w->Whh_transposed = take(&next, recurrent_slots(stack->cell) * stack->H * stack->u * sizeof(real));
    w->bias = take(&next, stack->cell->slots * stack->u * sizeof(real));
    w->Whh = NULL;
    return next;
}

/* Everything but the layers' weights, which lie from the end on. */
static uintptr_t lay_out_sampler(const fastrnn_network *network, size_t B, uintptr_t begin, sampler *s)
{
    const size_t size = sizeof(real);
    uintptr_t next = begin;
    s->call = network_call_of(network, SAMPLE_STEPS, B, false);
    read_rows(&s->call);
    s->stack = stack_call_at(s->call.stack, &s->call.batch, next, &next, NULL);
    s->stack.plan = plan_of_equals(&s->call.batch);
    s->layers = take(&next, network->stack.layers * sizeof(sampled_layer));
    s->x = take(&next, s->call.batch.one_hot ? 0 : B * network->stack.input_size * size);
    s->ys = take(&next, B * s->call.v * size);
    s->W = take(&next, packed_size(s->call.H, s->call.V) * size);
    s->by = take(&next, s->call.v * size);
    s->choice.cdf = take(&next, s->call.V * sizeof(double));
    return next;
}

static size_t sampling_memory(const fastrnn_network *network, size_t B)
{
    const size_t layers = network->stack.layers;
    sampler s;
    strand_weights unused;
    const uintptr_t first = lay_out_sampler(network, B, 0, &s);
    const uintptr_t others = lay_out_sampled_layer(&s.stack, 0, first, &unused) + 63; /* from a cache line on */
    const uintptr_t other = lay_out_sampled_layer(&s.stack, 1, 0, &unused) + 63;
    return (size_t)(others + (layers - 1) * other) + 63; /* as in workspace_size */
}

/* ---- before the first step ------------------------------------------------------------------------------------- */

/* Prepares a layer for `tokens` tokens; its weights lie from `begin` on. Returns where they end. */
static uintptr_t prepare_layer(const sampler *s, size_t layer, const layer_parameters *p, size_t tokens, uintptr_t begin)
{
    const stack_call *stack = &s->stack;
    const cell_kind *cell = stack->cell;
    const slot_range inputs = {0, cell->input_slots};
    const size_t H = stack->H, u = stack->u, I = stack_inputs(stack->stack, layer), width = range_width(inputs, H, u);
    const strand_tape tape = strand_at(stack, layer, 0);
    sampled_layer *l = &s->layers[layer];
    const uintptr_t end = lay_out_sampled_layer(stack, layer, begin, &l->weights);
    l->s = strand_of(stack, &tape);
    l->s.Whh_transposed = l->weights.Whh_transposed;
    l->inputs = I;
    l->width = width;
    l->biases = cell->slots > 1 ? cell->slots * u : width;
    l->table_row = table_row(stack);
    l->W_ih = NULL;
    slot_biases(cell, H, u, p->b_ih, p->b_hh, l->weights.bias);
    pack_recurrent_transposed(l->s.packing, cell, H, u, p->W_hh, l->weights.Whh_transposed);
    if (!is_one_hot(stack, layer)) {
        pack_gates_transposed(usual_packing, cell, inputs, H, u, I, p->W_ih, l->weights.Wih_transposed);
    } else if (few_columns(tokens, I)) {
        l->W_ih = p->W_ih;
    } else {
        transpose_gates(cell, inputs, H, u, I, p->W_ih, 0, cell->input_slots * u, l->weights.table,
                        l->table_row);
    }
    return end;
}

static void prepare_output(const sampler *s, const TYPED(fastrnn_linear) *layer)
{
    pack_transposed(usual_packing, s->call.H, s->call.V, layer->Why, s->W);
    copy_to_padded(1, s->call.V, layer->by, s->by, s->call.v);
}

static void prepare_choice(chooser *c, size_t V, const fastrnn_choice *choice, const fastrnn_uniform_source *uniform)
{
    c->V = V;
    c->scale = choice->temperature == 0 ? 0 : inverse_temperature((real)choice->temperature);
    c->top_k = choice->top_k > 0 && choice->top_k < V ? choice->top_k : V;
    c->top_p = choice->top_p;
    c->uniform = uniform;
}

/* The states of all layers before the first step, from the caller's (layers, B, H) ... */
static void take_states(const sampler *s, const real *h, const real *c)
{
    const stack_call *stack = &s->stack;
    for (size_t layer = 0; layer < stack->stack->layers; layer++) {
        const strand *strand = &s->layers[layer].s;
        states_from_caller(&stack->plan, stack->H, states_of(stack, h, layer, 0), strand->hs, strand->h);
        if (stack->cell->has_c) {
            states_from_caller(&stack->plan, stack->H, states_of(stack, c, layer, 0), strand->cs, strand->h);
        }
    }
}

/* ... and those after step t, to the caller's. */
static void give_states(const sampler *s, size_t t, real *h, real *c)
{
    const stack_call *stack = &s->stack;
    for (size_t layer = 0; layer < stack->stack->layers; layer++) {
        const strand *strand = &s->layers[layer].s;
        const size_t at = state_offset(stack, layer, 0);
        states_to_caller(&stack->plan, stack->H, states_at(strand, strand->hs, t), strand->h, h + at);
        if (stack->cell->has_c) {
            states_to_caller(&stack->plan, stack->H, states_at(strand, strand->cs, t), strand->h, c + at);
        }
    }
}

/* ---- a step ---------------------------------------------------------------------------------------------------- */

/* The states after the last step become those before the first. */
static void begin_anew(const sampler *s)
{
    for (size_t layer = 0; layer < s->stack.stack->layers; layer++) {
        const strand *strand = &s->layers[layer].s;
        const size_t bytes = strand->B * strand->h * sizeof(real);
        memcpy(strand->hs, states_at(strand, strand->hs, SAMPLE_STEPS - 1), bytes);
        if (s->stack.cell->has_c) {
            memcpy(strand->cs, states_at(strand, strand->cs, SAMPLE_STEPS - 1), bytes);
        }
    }
}

/* slots = W_ih x + biases for the tokens (B) of the first layer. */
static void sampled_tokens(const sampler *s, const sampled_layer *l, const int64_t *tokens, real *slots)
{
    if (l->W_ih != NULL) {
        one_hot_columns(&s->stack, l->s.B, tokens, l->W_ih, l->weights.bias, slots);
    } else {
        one_hot_forward(l->s.B, tokens, l->weights.table, l->table_row, l->width, l->weights.bias, l->biases,
                        slots, l->s.slot_row);
    }
}

/* The same for dense inputs (B, row). */
static void sampled_inputs(const sampled_layer *l, const real *x, size_t row, real *slots)
{
    const right_factor W = packed(l->weights.Wih_transposed, l->inputs, l->width);
    for (size_t b = 0; b < l->s.B; b++) {
        memcpy(slots + b * l->s.slot_row, l->weights.bias, whole_lines(l->biases) * sizeof(real));
    }
    product_of_step(l->s.B, (left_factor){x, row, 1}, W, slots, l->s.slot_row, true);
}

/* Step t of all layers, and the outputs after it. */
static void sampled_step(const sampler *s, size_t t, const int64_t *tokens)
{
    const size_t B = s->call.batch.B, H = s->call.H, V = s->call.V, I = s->stack.stack->input_size;
    const real *below = s->x;
    size_t row = I;
    if (!s->call.batch.one_hot) {
        embedding_forward(B, I, s->embedding, tokens, s->x, I);
    }
    for (size_t layer = 0; layer < s->stack.stack->layers; layer++) {
        const sampled_layer *l = &s->layers[layer];
        if (is_one_hot(&s->stack, layer)) {
            sampled_tokens(s, l, tokens, slots_at(&l->s, t));
        } else {
            sampled_inputs(l, below, row, slots_at(&l->s, t));
        }
        s->stack.cell->step(&l->s, t);
        below = states_at(&l->s, l->s.hs, t);
        row = l->s.h;
    }
    for (size_t b = 0; b < B; b++) {
        memcpy(s->ys + b * s->call.v, s->by, whole_lines(V) * sizeof(real));
    }
    product_of_step(B, (left_factor){below, row, 1}, packed(s->W, H, V), s->ys, s->call.v, true);
}

/* ---- all steps ------------------------------------------------------------------------------------------------- */

/* n > 0 tokens for each text, once everything is prepared. */
static fastrnn_status run_sampler(const sampler *s, const int64_t *first, real *h, real *c, size_t n,
                                  const fastrnn_interruption *interruption, int64_t *tokens)
{
    const size_t B = s->call.batch.B, look = 1 + SAMPLE_LOOK / s->call.at.end / B;
    size_t steps = 0;
    bool interrupted = false;
    take_states(s, h, c);
    for (; steps < n && !interrupted; steps++) {
        const size_t t = steps % SAMPLE_STEPS;
        if (t == 0 && steps > 0) {
            begin_anew(s);
        }
        sampled_step(s, t, steps == 0 ? first : tokens + (steps - 1) * B);
        for (size_t b = 0; b < B; b++) {
            if (!choose(&s->choice, s->ys + b * s->call.v, &tokens[steps * B + b])) {
                return FASTRNN_ERROR_NOT_FINITE;
            }
        }
        interrupted = interruption != NULL && (steps + 1) % look == 0 && interruption->poll(interruption->state);
    }
    give_states(s, (steps - 1) % SAMPLE_STEPS, h, c);
    for (size_t i = steps * B; i < n * B; i++) {
        tokens[i] = -1;
    }
    return FASTRNN_OK;
}

static fastrnn_status network_sample(const fastrnn_network *network, size_t B, const real *parameters,
                                     const fastrnn_choice *choice, const int64_t *first, real *h, real *c, size_t n,
                                     const fastrnn_uniform_source *uniform, const fastrnn_interruption *interruption,
                                     int64_t *tokens, void *workspace)
{
    if (n == 0) {
        return FASTRNN_OK;
    }
    sampler s;
    uintptr_t next = lay_out_sampler(network, B, (uintptr_t)workspace, &s);
    const real *stack = parameters + s.call.at.stack;
    const TYPED(fastrnn_linear) output = {(real *)parameters + s.call.at.W, (real *)parameters + s.call.at.b};
    s.embedding = parameters + s.call.at.embedding;
    for (size_t layer = 0; layer < network->stack.layers; layer++) {
        const strand_parameters p = parameters_of(&network->stack, layer, 0);
        const layer_parameters l = {stack + p.W_ih, stack + p.W_hh, biases(&s.stack, stack, p.b_ih),
                                    biases(&s.stack, stack, p.b_hh)};
        next = prepare_layer(&s, layer, &l, n * B, next);
    }
    prepare_output(&s, &output);
    prepare_choice(&s.choice, s.call.V, choice, uniform);
    return run_sampler(&s, first, h, c, n, interruption, tokens);
}

/* ---- the character model --------------------------------------------------------------------------------------- */

static fastrnn_network char_rnn_network(const fastrnn_shape *shape)
{
    return (fastrnn_network){.stack = {.cell = FASTRNN_RNN_TANH,
                                       .input_size = shape->V,
                                       .hidden_size = shape->H,
                                       .layers = 1,
                                       .directions = 1,
                                       .bias = 1},
                             .outputs = shape->V};
}

/* What every door of the character model can do with. */
static size_t char_rnn_memory(const fastrnn_shape *shape)
{
    const fastrnn_network network = char_rnn_network(shape);
    return larger(workspace_size(shape), sampling_memory(&network, 1));
}

static fastrnn_status char_rnn_sample(const fastrnn_shape *shape, const TYPED(fastrnn_char_rnn) *model, real *h,
                                      int64_t first, size_t n, real temperature,
                                      const fastrnn_uniform_source *uniform, int64_t *characters, void *workspace)
{
    if (n == 0) {
        return FASTRNN_OK;
    }
    const fastrnn_network network = char_rnn_network(shape);
    const fastrnn_choice choice = {.temperature = (double)temperature, .top_p = 1};
    const layer_parameters layer = {.W_ih = model->rnn.Wxh, .W_hh = model->rnn.Whh, .b_ih = model->rnn.bh};
    sampler s;
    const uintptr_t end = lay_out_sampler(&network, 1, (uintptr_t)workspace, &s);
    prepare_layer(&s, 0, &layer, n, end);
    prepare_output(&s, &model->output);
    prepare_choice(&s.choice, s.call.V, &choice, uniform);
    return run_sampler(&s, &first, h, NULL, n, NULL, characters);
}

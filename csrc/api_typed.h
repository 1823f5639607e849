/* The doors of fastrnn_typed.h, included twice by api.c with TABLE as f32 and as f64. */

static bool FASTRNN_TYPED(rnn_is_whole)(const FASTRNN_TYPED(fastrnn_rnn) *layer)
{
    return layer->Wxh && layer->Whh && layer->bh;
}

static bool FASTRNN_TYPED(char_rnn_is_whole)(const FASTRNN_TYPED(fastrnn_char_rnn) *model)
{
    return FASTRNN_TYPED(rnn_is_whole)(&model->rnn) && model->output.Why && model->output.by;
}

fastrnn_status FASTRNN_TYPED(fastrnn_workspace_size)(const fastrnn_shape *shape, size_t *bytes)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(shape && bytes, FASTRNN_ERROR_NULL);
    REQUIRE(shape_is_valid(shape), FASTRNN_ERROR_SHAPE);
    *bytes = kernels->TABLE->workspace_size(shape);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_char_rnn_loss)(
    const fastrnn_shape *shape, const FASTRNN_TYPED(fastrnn_char_rnn) *model, const int64_t *inputs,
    const int64_t *targets, const FASTRNN_REAL *hprev, double clip, const FASTRNN_TYPED(fastrnn_char_rnn) *gradients,
    FASTRNN_REAL *hlast, double *loss, void *workspace)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(shape && model && inputs && targets && hprev && hlast && loss && workspace, FASTRNN_ERROR_NULL);
    REQUIRE(FASTRNN_TYPED(char_rnn_is_whole)(model), FASTRNN_ERROR_NULL);
    REQUIRE(!gradients || FASTRNN_TYPED(char_rnn_is_whole)(gradients), FASTRNN_ERROR_NULL);
    REQUIRE(shape_is_valid(shape), FASTRNN_ERROR_SHAPE);
    REQUIRE((FASTRNN_REAL)clip > 0, FASTRNN_ERROR_VALUE);
    REQUIRE(all_below(shape->T * shape->B, inputs, shape->V), FASTRNN_ERROR_INDEX);
    REQUIRE(all_below(shape->T * shape->B, targets, shape->V), FASTRNN_ERROR_INDEX);
    *loss = kernels->TABLE->char_rnn_loss(shape, model, inputs, targets, hprev, (FASTRNN_REAL)clip, gradients, hlast,
                                          workspace);
    return isfinite(*loss) ? FASTRNN_OK : FASTRNN_ERROR_NOT_FINITE;
}

/* What every door that trains asks, the learning rate and the limit being numbers of this dtype. */
static fastrnn_status FASTRNN_TYPED(training_check)(const fastrnn_training *training)
{
    const fastrnn_status status = run_check(training);
    REQUIRE(status == FASTRNN_OK, status);
    REQUIRE((FASTRNN_REAL)training->clip_value > 0, FASTRNN_ERROR_VALUE);
    REQUIRE(isfinite((FASTRNN_REAL)training->schedule.learning_rate), FASTRNN_ERROR_VALUE);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_char_rnn_train)(
    const fastrnn_shape *shape, const FASTRNN_TYPED(fastrnn_char_rnn) *model,
    const FASTRNN_TYPED(fastrnn_char_rnn) *memory, FASTRNN_REAL *hprev, fastrnn_training *training, size_t iterations,
    const fastrnn_interruption *interruption, void *workspace)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(shape && model && memory && hprev && training && training->text.tokens && workspace, FASTRNN_ERROR_NULL);
    REQUIRE(FASTRNN_TYPED(char_rnn_is_whole)(model) && FASTRNN_TYPED(char_rnn_is_whole)(memory), FASTRNN_ERROR_NULL);
    REQUIRE(!interruption || interruption->poll, FASTRNN_ERROR_NULL);
    REQUIRE(shape_is_valid(shape), FASTRNN_ERROR_SHAPE);
    fastrnn_status status = text_check(training, shape->T, shape->B);
    REQUIRE(status == FASTRNN_OK, status);
    status = FASTRNN_TYPED(training_check)(training);
    REQUIRE(status == FASTRNN_OK, status);
    REQUIRE(training->dropout == 0 && training->clip_norm == INFINITY, FASTRNN_ERROR_VALUE);
    return kernels->TABLE->char_rnn_train(shape, model, memory, hprev, training, iterations, interruption, workspace);
}

fastrnn_status FASTRNN_TYPED(fastrnn_char_rnn_sample)(
    const fastrnn_shape *shape, const FASTRNN_TYPED(fastrnn_char_rnn) *model, FASTRNN_REAL *h, int64_t first,
    size_t n, double temperature, const fastrnn_uniform_source *uniform, int64_t *characters, void *workspace)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(shape && model && h && uniform && uniform->next && workspace, FASTRNN_ERROR_NULL);
    REQUIRE(FASTRNN_TYPED(char_rnn_is_whole)(model) && (characters || n == 0), FASTRNN_ERROR_NULL);
    REQUIRE(shape_is_valid(shape) && shape->B == 1, FASTRNN_ERROR_SHAPE);
    REQUIRE(all_below(1, &first, shape->V), FASTRNN_ERROR_INDEX);
    REQUIRE(isfinite((FASTRNN_REAL)temperature) && (FASTRNN_REAL)temperature > 0, FASTRNN_ERROR_VALUE);
    return kernels->TABLE->char_rnn_sample(shape, model, h, first, n, (FASTRNN_REAL)temperature, uniform, characters,
                                           workspace);
}

fastrnn_status FASTRNN_TYPED(fastrnn_linear_memory)(size_t N, size_t inputs, size_t outputs,
                                                    fastrnn_linear_bytes *bytes)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(bytes, FASTRNN_ERROR_NULL);
    REQUIRE(rows_are_valid(N, inputs) && rows_are_valid(N, outputs), FASTRNN_ERROR_SHAPE);
    *bytes = kernels->TABLE->linear_memory(N, inputs, outputs);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_linear_forward)(size_t N, size_t inputs, size_t outputs,
                                                     const FASTRNN_TYPED(fastrnn_linear) *layer, const FASTRNN_REAL *x,
                                                     FASTRNN_REAL *y, void *tape, void *workspace)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(layer && layer->Why && x && y && workspace, FASTRNN_ERROR_NULL);
    REQUIRE(rows_are_valid(N, inputs) && rows_are_valid(N, outputs), FASTRNN_ERROR_SHAPE);
    kernels->TABLE->linear_forward(N, inputs, outputs, layer, x, y, tape, workspace);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_linear_backward)(size_t N, size_t inputs, size_t outputs,
                                                      const FASTRNN_TYPED(fastrnn_linear) *layer, const void *tape,
                                                      const FASTRNN_REAL *dy,
                                                      const FASTRNN_TYPED(fastrnn_linear) *gradients, FASTRNN_REAL *dx,
                                                      void *workspace)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(layer && layer->Why && tape && dy && gradients && gradients->Why && workspace, FASTRNN_ERROR_NULL);
    REQUIRE(rows_are_valid(N, inputs) && rows_are_valid(N, outputs), FASTRNN_ERROR_SHAPE);
    kernels->TABLE->linear_backward(N, inputs, outputs, layer, tape, dy, gradients, dx, workspace);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_embedding_forward)(size_t N, size_t V, size_t E, const FASTRNN_REAL *W,
                                                        const int64_t *indices, FASTRNN_REAL *y)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(W && indices && y, FASTRNN_ERROR_NULL);
    REQUIRE(rows_are_valid(N, E) && V > 0, FASTRNN_ERROR_SHAPE);
    REQUIRE(all_below(N, indices, V), FASTRNN_ERROR_INDEX);
    kernels->TABLE->embedding_forward(N, E, W, indices, y, E);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_embedding_backward)(size_t N, size_t V, size_t E, const int64_t *indices,
                                                         const FASTRNN_REAL *dy, FASTRNN_REAL *dW)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(indices && dy && dW, FASTRNN_ERROR_NULL);
    REQUIRE(rows_are_valid(N, E) && V > 0, FASTRNN_ERROR_SHAPE);
    REQUIRE(all_below(N, indices, V), FASTRNN_ERROR_INDEX);
    kernels->TABLE->embedding_backward(N, E, indices, dy, E, dW);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_stack_memory)(const fastrnn_stack *stack, const fastrnn_batch *batch,
                                                   fastrnn_stack_bytes *bytes)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(stack && batch && bytes, FASTRNN_ERROR_NULL);
    REQUIRE(stack_is_valid(stack, batch), FASTRNN_ERROR_SHAPE);
    *bytes = kernels->TABLE->stack_memory(stack, batch);
    return FASTRNN_OK;
}

/* What forward and step ask of their input and output. */
static fastrnn_status FASTRNN_TYPED(stack_check)(const fastrnn_stack *stack, const fastrnn_batch *batch,
                                                 const FASTRNN_TYPED(fastrnn_stack_input) *input,
                                                 const FASTRNN_TYPED(fastrnn_stack_output) *output)
{
    REQUIRE(stack && batch && input && output, FASTRNN_ERROR_NULL);
    REQUIRE(input->parameters && output->y, FASTRNN_ERROR_NULL);
    REQUIRE(batch->one_hot ? input->indices != NULL : input->x != NULL, FASTRNN_ERROR_NULL);
    REQUIRE(!batch->dropout || input->dropout, FASTRNN_ERROR_NULL);
    REQUIRE(batch->embeddings == 0 || input->embedding, FASTRNN_ERROR_NULL);
    REQUIRE(stack_is_valid(stack, batch), FASTRNN_ERROR_SHAPE);
    REQUIRE(!batch->one_hot || all_below(batch->T * batch->B, input->indices, batch_inputs(stack, batch)),
            FASTRNN_ERROR_INDEX);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_stack_forward)(
    const fastrnn_stack *stack, const fastrnn_batch *batch, const FASTRNN_TYPED(fastrnn_stack_input) *input,
    const FASTRNN_TYPED(fastrnn_stack_output) *output, void *tape, void *workspace)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    const fastrnn_status status = FASTRNN_TYPED(stack_check)(stack, batch, input, output);
    REQUIRE(status == FASTRNN_OK, status);
    REQUIRE(tape && workspace, FASTRNN_ERROR_NULL);
    kernels->TABLE->stack_forward(stack, batch, input, output, tape, workspace);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_stack_backward)(
    const fastrnn_stack *stack, const fastrnn_batch *batch, const FASTRNN_TYPED(fastrnn_stack_input) *input,
    void *tape, const FASTRNN_TYPED(fastrnn_stack_output_gradient) *output_gradient,
    const FASTRNN_TYPED(fastrnn_stack_input_gradient) *input_gradient, void *workspace)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(stack && batch && input && tape && output_gradient && input_gradient && workspace, FASTRNN_ERROR_NULL);
    REQUIRE(input->parameters && output_gradient->y && input_gradient->parameters, FASTRNN_ERROR_NULL);
    REQUIRE(batch->embeddings == 0 || (input->embedding && input_gradient->embedding), FASTRNN_ERROR_NULL);
    REQUIRE(!batch->dropout || input->dropout, FASTRNN_ERROR_NULL);
    REQUIRE(stack_is_valid(stack, batch), FASTRNN_ERROR_SHAPE);
    kernels->TABLE->stack_backward(stack, batch, input, tape, output_gradient, input_gradient, workspace);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_stack_step)(
    const fastrnn_stack *stack, const fastrnn_batch *batch, const FASTRNN_TYPED(fastrnn_stack_input) *input,
    const FASTRNN_TYPED(fastrnn_stack_output) *output, void *workspace)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    const fastrnn_status status = FASTRNN_TYPED(stack_check)(stack, batch, input, output);
    REQUIRE(status == FASTRNN_OK, status);
    REQUIRE(workspace, FASTRNN_ERROR_NULL);
    REQUIRE(batch->T == 1 && !batch->lengths && !batch->dropout && batch->embeddings == 0 && stack->directions == 1,
            FASTRNN_ERROR_SHAPE);
    kernels->TABLE->stack_step(stack, batch, input, output, workspace);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_softmax_cross_entropy)(size_t N, size_t V, const int64_t *targets,
                                                            FASTRNN_REAL *logits, double *loss)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(targets && logits && loss, FASTRNN_ERROR_NULL);
    REQUIRE(N > 0 && V > 0, FASTRNN_ERROR_SHAPE);
    REQUIRE(all_below(N, targets, V), FASTRNN_ERROR_INDEX);
    *loss = kernels->TABLE->softmax_cross_entropy(N, V, V, targets, logits);
    return isfinite(*loss) ? FASTRNN_OK : FASTRNN_ERROR_NOT_FINITE;
}

static bool FASTRNN_TYPED(all_probabilities)(size_t n, const FASTRNN_REAL *x)
{
    bool all = true;
    for (size_t i = 0; i < n; i++) {
        all &= x[i] >= 0 && x[i] <= 1;
    }
    return all;
}

fastrnn_status FASTRNN_TYPED(fastrnn_sigmoid_binary_cross_entropy)(size_t n, double scale, const FASTRNN_REAL *targets,
                                                                   FASTRNN_REAL *logits, double *loss)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(((targets && logits) || n == 0) && loss, FASTRNN_ERROR_NULL);
    REQUIRE(isfinite((FASTRNN_REAL)scale), FASTRNN_ERROR_VALUE);
    REQUIRE(FASTRNN_TYPED(all_probabilities)(n, targets), FASTRNN_ERROR_VALUE);
    *loss = kernels->TABLE->sigmoid_binary_cross_entropy(n, (FASTRNN_REAL)scale, targets, logits);
    return isfinite(*loss) ? FASTRNN_OK : FASTRNN_ERROR_NOT_FINITE;
}

fastrnn_status FASTRNN_TYPED(fastrnn_squared_error)(size_t n, double scale, const FASTRNN_REAL *targets,
                                                    FASTRNN_REAL *outputs, double *loss)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(((targets && outputs) || n == 0) && loss, FASTRNN_ERROR_NULL);
    REQUIRE(isfinite((FASTRNN_REAL)scale), FASTRNN_ERROR_VALUE);
    *loss = kernels->TABLE->squared_error(n, (FASTRNN_REAL)scale, targets, outputs);
    return isfinite(*loss) ? FASTRNN_OK : FASTRNN_ERROR_NOT_FINITE;
}

fastrnn_status FASTRNN_TYPED(fastrnn_clip)(size_t n, double limit, FASTRNN_REAL *x)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(x || n == 0, FASTRNN_ERROR_NULL);
    REQUIRE((FASTRNN_REAL)limit > 0, FASTRNN_ERROR_VALUE);
    kernels->TABLE->clip(n, (FASTRNN_REAL)limit, x);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_scale)(size_t n, double factor, FASTRNN_REAL *x)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(x || n == 0, FASTRNN_ERROR_NULL);
    REQUIRE(isfinite((FASTRNN_REAL)factor), FASTRNN_ERROR_VALUE);
    kernels->TABLE->scale(n, (FASTRNN_REAL)factor, x);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_norm)(size_t n, const FASTRNN_REAL *x, double *norm)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE((x || n == 0) && norm, FASTRNN_ERROR_NULL);
    *norm = kernels->TABLE->norm(n, x);
    return FASTRNN_OK;
}

/* Every optimizer's learning rate and weight decay, as numbers of this dtype. */
static bool FASTRNN_TYPED(rates_are_valid)(double learning_rate, double weight_decay)
{
    return isfinite((FASTRNN_REAL)learning_rate) && finite_and_not_negative((FASTRNN_REAL)weight_decay);
}

/* An update's parameter and gradient, and the arrays that this optimizer needs besides. */
static bool FASTRNN_TYPED(arrays_are_there)(size_t n, const FASTRNN_TYPED(fastrnn_update) *arrays, bool momentum,
                                            bool mean, bool squares)
{
    return n == 0 || (arrays->parameter && arrays->gradient && (arrays->momentum || !momentum) &&
                      (arrays->mean || !mean) && (arrays->squares || !squares));
}

static fastrnn_status FASTRNN_TYPED(sgd_check)(const fastrnn_sgd *settings, size_t n,
                                               const FASTRNN_TYPED(fastrnn_update) *arrays)
{
    REQUIRE(FASTRNN_TYPED(arrays_are_there)(n, arrays, settings->momentum != 0, false, false), FASTRNN_ERROR_NULL);
    REQUIRE(FASTRNN_TYPED(rates_are_valid)(settings->learning_rate, settings->weight_decay), FASTRNN_ERROR_VALUE);
    REQUIRE(finite_and_not_negative((FASTRNN_REAL)settings->momentum), FASTRNN_ERROR_VALUE);
    REQUIRE(isfinite((FASTRNN_REAL)settings->dampening) && settings->iteration > 0, FASTRNN_ERROR_VALUE);
    REQUIRE(!settings->nesterov || (settings->momentum > 0 && settings->dampening == 0), FASTRNN_ERROR_VALUE);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_sgd)(const fastrnn_sgd *settings, size_t n,
                                          const FASTRNN_TYPED(fastrnn_update) *arrays)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(settings && arrays, FASTRNN_ERROR_NULL);
    const fastrnn_status status = FASTRNN_TYPED(sgd_check)(settings, n, arrays);
    REQUIRE(status == FASTRNN_OK, status);
    kernels->TABLE->sgd(settings, n, arrays);
    return FASTRNN_OK;
}

static fastrnn_status FASTRNN_TYPED(adagrad_check)(const fastrnn_adagrad *settings, size_t n,
                                                   const FASTRNN_TYPED(fastrnn_update) *arrays)
{
    REQUIRE(FASTRNN_TYPED(arrays_are_there)(n, arrays, false, false, true), FASTRNN_ERROR_NULL);
    REQUIRE(FASTRNN_TYPED(rates_are_valid)(settings->learning_rate, settings->weight_decay), FASTRNN_ERROR_VALUE);
    REQUIRE(finite_and_not_negative((FASTRNN_REAL)settings->eps), FASTRNN_ERROR_VALUE);
    REQUIRE(!settings->eps_inside_sqrt || settings->eps >= SMALLEST_NORMAL, FASTRNN_ERROR_VALUE);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_adagrad)(const fastrnn_adagrad *settings, size_t n,
                                              const FASTRNN_TYPED(fastrnn_update) *arrays)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(settings && arrays, FASTRNN_ERROR_NULL);
    const fastrnn_status status = FASTRNN_TYPED(adagrad_check)(settings, n, arrays);
    REQUIRE(status == FASTRNN_OK, status);
    kernels->TABLE->adagrad(settings, n, arrays);
    return FASTRNN_OK;
}

static fastrnn_status FASTRNN_TYPED(rmsprop_check)(const fastrnn_rmsprop *settings, size_t n,
                                                   const FASTRNN_TYPED(fastrnn_update) *arrays)
{
    REQUIRE(FASTRNN_TYPED(arrays_are_there)(n, arrays, settings->momentum != 0, settings->centered, true),
            FASTRNN_ERROR_NULL);
    REQUIRE(FASTRNN_TYPED(rates_are_valid)(settings->learning_rate, settings->weight_decay), FASTRNN_ERROR_VALUE);
    REQUIRE(finite_and_not_negative((FASTRNN_REAL)settings->momentum), FASTRNN_ERROR_VALUE);
    REQUIRE(finite_and_not_negative((FASTRNN_REAL)settings->eps), FASTRNN_ERROR_VALUE);
    REQUIRE(is_fraction(settings->alpha), FASTRNN_ERROR_VALUE);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_rmsprop)(const fastrnn_rmsprop *settings, size_t n,
                                              const FASTRNN_TYPED(fastrnn_update) *arrays)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(settings && arrays, FASTRNN_ERROR_NULL);
    const fastrnn_status status = FASTRNN_TYPED(rmsprop_check)(settings, n, arrays);
    REQUIRE(status == FASTRNN_OK, status);
    kernels->TABLE->rmsprop(settings, n, arrays);
    return FASTRNN_OK;
}

static fastrnn_status FASTRNN_TYPED(adam_check)(const fastrnn_adam *settings, size_t n,
                                                const FASTRNN_TYPED(fastrnn_update) *arrays)
{
    REQUIRE(FASTRNN_TYPED(arrays_are_there)(n, arrays, false, true, true), FASTRNN_ERROR_NULL);
    REQUIRE(FASTRNN_TYPED(rates_are_valid)(settings->learning_rate, settings->weight_decay), FASTRNN_ERROR_VALUE);
    REQUIRE(finite_and_not_negative((FASTRNN_REAL)settings->eps), FASTRNN_ERROR_VALUE);
    REQUIRE(is_fraction(settings->beta1) && is_fraction(settings->beta2), FASTRNN_ERROR_VALUE);
    REQUIRE(settings->iteration > 0, FASTRNN_ERROR_VALUE);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_adam)(const fastrnn_adam *settings, size_t n,
                                           const FASTRNN_TYPED(fastrnn_update) *arrays)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(settings && arrays, FASTRNN_ERROR_NULL);
    const fastrnn_status status = FASTRNN_TYPED(adam_check)(settings, n, arrays);
    REQUIRE(status == FASTRNN_OK, status);
    kernels->TABLE->adam(settings, n, arrays);
    return FASTRNN_OK;
}

/* The settings of any optimizer, but for its learning rate and iteration, which training gives it. */
static fastrnn_status FASTRNN_TYPED(optimizer_check)(const fastrnn_optimizer *optimizer, size_t n,
                                                     const FASTRNN_TYPED(fastrnn_update) *arrays)
{
    fastrnn_optimizer checked = *optimizer;
    switch (checked.kind) {
    case FASTRNN_SGD:
        checked.settings.sgd.learning_rate = 0;
        checked.settings.sgd.iteration = 1;
        return FASTRNN_TYPED(sgd_check)(&checked.settings.sgd, n, arrays);
    case FASTRNN_ADAGRAD:
        checked.settings.adagrad.learning_rate = 0;
        return FASTRNN_TYPED(adagrad_check)(&checked.settings.adagrad, n, arrays);
    case FASTRNN_RMSPROP:
        checked.settings.rmsprop.learning_rate = 0;
        return FASTRNN_TYPED(rmsprop_check)(&checked.settings.rmsprop, n, arrays);
    case FASTRNN_ADAM:
        checked.settings.adam.learning_rate = 0;
        checked.settings.adam.iteration = 1;
        return FASTRNN_TYPED(adam_check)(&checked.settings.adam, n, arrays);
    }
    return FASTRNN_ERROR_VALUE;
}

fastrnn_status FASTRNN_TYPED(fastrnn_network_memory)(const fastrnn_network *network, size_t T, size_t B, int dropout,
                                                     fastrnn_network_bytes *bytes)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(network && bytes, FASTRNN_ERROR_NULL);
    REQUIRE(token_network_is_valid(network, T, B), FASTRNN_ERROR_SHAPE);
    *bytes = kernels->TABLE->network_memory(network, T, B, dropout != 0);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_network_train)(
    const fastrnn_network *network, size_t T, size_t B, const fastrnn_optimizer *optimizer,
    const FASTRNN_TYPED(fastrnn_learner) *learner, fastrnn_training *training, size_t iterations,
    const fastrnn_interruption *interruption, void *workspace)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(network && optimizer && learner && training && training->text.tokens && workspace, FASTRNN_ERROR_NULL);
    REQUIRE(learner->parameters && learner->h, FASTRNN_ERROR_NULL);
    REQUIRE(!interruption || interruption->poll, FASTRNN_ERROR_NULL);
    REQUIRE(token_network_is_valid(network, T, B), FASTRNN_ERROR_SHAPE);
    REQUIRE(network->outputs == network_inputs(network), FASTRNN_ERROR_SHAPE);
    REQUIRE(learner->c || network->stack.cell != FASTRNN_LSTM, FASTRNN_ERROR_NULL);
    fastrnn_status status = text_check(training, T, B);
    REQUIRE(status == FASTRNN_OK, status);
    status = FASTRNN_TYPED(training_check)(training);
    REQUIRE(status == FASTRNN_OK, status);
    const FASTRNN_TYPED(fastrnn_update) arrays = {learner->parameters, learner->parameters, learner->momentum,
                                                  learner->mean, learner->squares};
    status = FASTRNN_TYPED(optimizer_check)(optimizer, 1, &arrays);
    REQUIRE(status == FASTRNN_OK, status);
    return kernels->TABLE->network_train(network, T, B, optimizer, learner, training, iterations, interruption,
                                         workspace);
}

fastrnn_status FASTRNN_TYPED(fastrnn_network_predict)(const fastrnn_network *network, size_t T, size_t B,
                                                      const FASTRNN_REAL *parameters, const int64_t *tokens,
                                                      const int64_t *targets, FASTRNN_REAL *h, FASTRNN_REAL *c,
                                                      double *nats, FASTRNN_REAL *probabilities, void *workspace)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(network && parameters && tokens && h && workspace && !targets == !nats, FASTRNN_ERROR_NULL);
    REQUIRE(token_network_is_valid(network, T, B), FASTRNN_ERROR_SHAPE);
    REQUIRE(c || network->stack.cell != FASTRNN_LSTM, FASTRNN_ERROR_NULL);
    REQUIRE(all_below(T * B, tokens, network_inputs(network)), FASTRNN_ERROR_INDEX);
    REQUIRE(!targets || all_below(T * B, targets, network->outputs), FASTRNN_ERROR_INDEX);
    return kernels->TABLE->network_predict(network, T, B, parameters, tokens, targets, h, c, nats, probabilities,
                                           workspace);
}

fastrnn_status FASTRNN_TYPED(fastrnn_network_sample)(
    const fastrnn_network *network, size_t B, const FASTRNN_REAL *parameters, const fastrnn_choice *choice,
    const int64_t *first, FASTRNN_REAL *h, FASTRNN_REAL *c, size_t n, const fastrnn_uniform_source *uniform,
    const fastrnn_interruption *interruption, int64_t *tokens, void *workspace)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(network && parameters && choice && first && h && workspace && (tokens || n == 0), FASTRNN_ERROR_NULL);
    REQUIRE(choice->temperature == 0 || (uniform && uniform->next), FASTRNN_ERROR_NULL);
    REQUIRE(!interruption || interruption->poll, FASTRNN_ERROR_NULL);
    REQUIRE(token_network_is_valid(network, 1, B), FASTRNN_ERROR_SHAPE);
    REQUIRE(network->outputs == network_inputs(network), FASTRNN_ERROR_SHAPE);
    REQUIRE(c || network->stack.cell != FASTRNN_LSTM, FASTRNN_ERROR_NULL);
    REQUIRE(finite_and_not_negative((FASTRNN_REAL)choice->temperature), FASTRNN_ERROR_VALUE);
    REQUIRE(choice->temperature >= 0 && choice->top_p > 0 && choice->top_p <= 1, FASTRNN_ERROR_VALUE);
    REQUIRE(all_below(B, first, network->outputs), FASTRNN_ERROR_INDEX);
    return kernels->TABLE->network_sample(network, B, parameters, choice, first, h, c, n, uniform, interruption, tokens,
                                          workspace);
}

#define ELEMENTWISE_DOOR(name)                                                                              \
    fastrnn_status FASTRNN_TYPED(fastrnn_##name)(size_t n, const FASTRNN_REAL *x, FASTRNN_REAL *y)          \
    {                                                                                                       \
        const fastrnn_isa_kernels *kernels = fastrnn_kernels();                                             \
        REQUIRE(kernels, FASTRNN_ERROR_ISA);                                                                \
        REQUIRE((x && y) || n == 0, FASTRNN_ERROR_NULL);                                                    \
        kernels->TABLE->name(n, x, y);                                                                      \
        return FASTRNN_OK;                                                                                  \
    }

ELEMENTWISE_DOOR(exp)
ELEMENTWISE_DOOR(tanh)
ELEMENTWISE_DOOR(sigmoid)
#undef ELEMENTWISE_DOOR

fastrnn_status FASTRNN_TYPED(fastrnn_network_outputs_memory)(const fastrnn_network *network, size_t T, size_t B,
                                                             size_t *bytes)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(network && bytes, FASTRNN_ERROR_NULL);
    REQUIRE(network_parts_are_valid(network) && network_fits(network, T, B), FASTRNN_ERROR_SHAPE);
    *bytes = kernels->TABLE->network_outputs_memory(network, T, B);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_network_outputs)(const fastrnn_network *network, size_t T, size_t B,
                                                      const int64_t *lengths, const FASTRNN_REAL *parameters,
                                                      const FASTRNN_TYPED(fastrnn_network_input) *input,
                                                      FASTRNN_REAL *hn, FASTRNN_REAL *cn, FASTRNN_REAL *y,
                                                      void *workspace)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(network && parameters && input && hn && workspace, FASTRNN_ERROR_NULL);
    REQUIRE(network_parts_are_valid(network) && network_fits(network, T, B), FASTRNN_ERROR_SHAPE);
    REQUIRE(network->vectors ? input->vectors != NULL : input->tokens != NULL, FASTRNN_ERROR_NULL);
    REQUIRE((input->context || network->context == 0) && (y || network->outputs == 0), FASTRNN_ERROR_NULL);
    REQUIRE(cn || network->stack.cell != FASTRNN_LSTM, FASTRNN_ERROR_NULL);
    for (size_t b = 0; lengths && b < B; b++) {
        REQUIRE(lengths[b] > 0 && (uint64_t)lengths[b] <= T, FASTRNN_ERROR_SHAPE);
    }
    REQUIRE(network->vectors || all_below(T * B, input->tokens, network_inputs(network)), FASTRNN_ERROR_INDEX);
    return kernels->TABLE->network_outputs(network, T, B, lengths, parameters, input, hn, cn, y, workspace);
}

/* Sequences that a network reads are there, are whole, and fit. */
static fastrnn_status FASTRNN_TYPED(sequences_check)(const FASTRNN_TYPED(fastrnn_sequences) *sequences,
                                                     const fastrnn_network *network, size_t count, size_t B)
{
    REQUIRE(sequences->begin && (network->vectors ? sequences->vectors != NULL : sequences->tokens != NULL),
            FASTRNN_ERROR_NULL);
    const size_t longest = longest_of(sequences->begin, count);
    REQUIRE(longest > 0 && network_fits(network, longest, B), FASTRNN_ERROR_SHAPE);
    return FASTRNN_OK;
}

/* What the two doors over examples ask of them. */
static fastrnn_status FASTRNN_TYPED(examples_check)(const fastrnn_conditioned *model,
                                                    const FASTRNN_TYPED(fastrnn_examples) *examples, size_t B)
{
    REQUIRE(model && examples, FASTRNN_ERROR_NULL);
    REQUIRE(conditioned_is_valid(model), FASTRNN_ERROR_SHAPE);
    REQUIRE(examples->count > 0 && examples->count < (size_t)1 << 53 && B > 0 && B < (size_t)1 << 32,
            FASTRNN_ERROR_SHAPE);
    const fastrnn_network *network = &model->network;
    const size_t together = B < examples->count ? B : examples->count;
    REQUIRE(network->loss == FASTRNN_SOFTMAX_CROSS_ENTROPY ? examples->classes != NULL : examples->numbers != NULL,
            FASTRNN_ERROR_NULL);
    fastrnn_status status = FASTRNN_TYPED(sequences_check)(&examples->inputs, network, examples->count, together);
    REQUIRE(status == FASTRNN_OK, status);
    if (model->source == FASTRNN_ENCODER) {
        status = FASTRNN_TYPED(sequences_check)(&examples->sources, &model->encoder, examples->count, together);
        REQUIRE(status == FASTRNN_OK, status);
    }
    REQUIRE(model->source != FASTRNN_FEATURES || examples->features, FASTRNN_ERROR_NULL);
    if (examples->carried) {
        REQUIRE(model->source == FASTRNN_NO_SOURCE && network->stack.directions == 1 && examples->count % B == 0,
                FASTRNN_ERROR_SHAPE);
    }
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_conditioned_memory)(const fastrnn_conditioned *model,
                                                         const FASTRNN_TYPED(fastrnn_examples) *examples, size_t B,
                                                         int dropout, size_t *bytes)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(bytes, FASTRNN_ERROR_NULL);
    const fastrnn_status status = FASTRNN_TYPED(examples_check)(model, examples, B);
    REQUIRE(status == FASTRNN_OK, status);
    *bytes = kernels->TABLE->conditioned_memory(model, examples, B, dropout != 0);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_conditioned_train)(
    const fastrnn_conditioned *model, const FASTRNN_TYPED(fastrnn_examples) *examples, size_t B,
    const fastrnn_optimizer *optimizer, const FASTRNN_TYPED(fastrnn_learner) *learner, fastrnn_training *training,
    size_t iterations, const fastrnn_interruption *interruption, void *workspace)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(optimizer && learner && training && workspace && learner->parameters, FASTRNN_ERROR_NULL);
    REQUIRE(!interruption || interruption->poll, FASTRNN_ERROR_NULL);
    fastrnn_status status = FASTRNN_TYPED(examples_check)(model, examples, B);
    REQUIRE(status == FASTRNN_OK, status);
    if (examples->carried) {
        REQUIRE(learner->h && (learner->c || model->network.stack.cell != FASTRNN_LSTM), FASTRNN_ERROR_NULL);
    }
    status = FASTRNN_TYPED(training_check)(training);
    REQUIRE(status == FASTRNN_OK, status);
    REQUIRE(training->position < examples->count && training->position % B == 0 &&
                training->position / B <= training->iterations,
            FASTRNN_ERROR_VALUE);
    const FASTRNN_TYPED(fastrnn_update) arrays = {learner->parameters, learner->parameters, learner->momentum,
                                                  learner->mean, learner->squares};
    status = FASTRNN_TYPED(optimizer_check)(optimizer, 1, &arrays);
    REQUIRE(status == FASTRNN_OK, status);
    return kernels->TABLE->conditioned_train(model, examples, B, optimizer, learner, training, iterations, interruption,
                                             workspace);
}

fastrnn_status FASTRNN_TYPED(fastrnn_ceiling_fma)(size_t rounds, size_t *done, FASTRNN_REAL *result)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(done && result, FASTRNN_ERROR_NULL);
    *done = kernels->TABLE->ceiling_fma(rounds, result);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_ceiling_memory)(fastrnn_ceiling ceiling, size_t rounds, size_t n, FASTRNN_REAL *x,
                                                     size_t *done, FASTRNN_REAL *result)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE((x || n == 0) && done && result, FASTRNN_ERROR_NULL);
    REQUIRE((unsigned)ceiling <= FASTRNN_CEILING_UPDATE, FASTRNN_ERROR_VALUE);
    *done = kernels->TABLE->ceiling_memory(ceiling, rounds, n, x, result);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_ceiling_wait)(int backward, size_t rounds, FASTRNN_REAL *result)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(result, FASTRNN_ERROR_NULL);
    kernels->TABLE->ceiling_wait(backward != 0, rounds, result);
    return FASTRNN_OK;
}

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

fastrnn_status FASTRNN_TYPED(fastrnn_char_rnn_train)(
    const fastrnn_shape *shape, const FASTRNN_TYPED(fastrnn_char_rnn) *model,
    const FASTRNN_TYPED(fastrnn_char_rnn) *memory, FASTRNN_REAL *hprev, fastrnn_training *training, size_t iterations,
    const fastrnn_interruption *interruption, void *workspace)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(shape && model && memory && hprev && training && training->text && workspace, FASTRNN_ERROR_NULL);
    REQUIRE(FASTRNN_TYPED(char_rnn_is_whole)(model) && FASTRNN_TYPED(char_rnn_is_whole)(memory), FASTRNN_ERROR_NULL);
    REQUIRE(!interruption || interruption->poll, FASTRNN_ERROR_NULL);
    REQUIRE(shape_is_valid(shape), FASTRNN_ERROR_SHAPE);
    REQUIRE(training->length / shape->B >= shape->T + 1, FASTRNN_ERROR_SHAPE);
    REQUIRE(training->position <= training->length / shape->B - (shape->T + 1), FASTRNN_ERROR_VALUE);
    REQUIRE((FASTRNN_REAL)training->clip > 0 && isfinite((FASTRNN_REAL)training->learning_rate), FASTRNN_ERROR_VALUE);
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

fastrnn_status FASTRNN_TYPED(fastrnn_rnn_forward)(
    const fastrnn_shape *shape, const FASTRNN_TYPED(fastrnn_rnn) *layer, const int64_t *inputs,
    const FASTRNN_REAL *h0, FASTRNN_REAL *hs, void *workspace)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(shape && layer && inputs && h0 && hs && workspace, FASTRNN_ERROR_NULL);
    REQUIRE(FASTRNN_TYPED(rnn_is_whole)(layer), FASTRNN_ERROR_NULL);
    REQUIRE(shape_is_valid(shape), FASTRNN_ERROR_SHAPE);
    REQUIRE(all_below(shape->T * shape->B, inputs, shape->V), FASTRNN_ERROR_INDEX);
    kernels->TABLE->rnn_forward(shape, layer, inputs, h0, hs, workspace);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_rnn_backward)(
    const fastrnn_shape *shape, const FASTRNN_TYPED(fastrnn_rnn) *layer, const int64_t *inputs,
    const FASTRNN_REAL *h0, const FASTRNN_REAL *hs, const FASTRNN_REAL *dhs,
    const FASTRNN_TYPED(fastrnn_rnn) *gradients, FASTRNN_REAL *dh0, void *workspace)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(shape && layer && inputs && h0 && hs && dhs && gradients && workspace, FASTRNN_ERROR_NULL);
    REQUIRE(FASTRNN_TYPED(rnn_is_whole)(layer) && FASTRNN_TYPED(rnn_is_whole)(gradients), FASTRNN_ERROR_NULL);
    REQUIRE(shape_is_valid(shape), FASTRNN_ERROR_SHAPE);
    REQUIRE(all_below(shape->T * shape->B, inputs, shape->V), FASTRNN_ERROR_INDEX);
    kernels->TABLE->rnn_backward(shape, layer, inputs, h0, hs, dhs, gradients, dh0, workspace);
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

fastrnn_status FASTRNN_TYPED(fastrnn_clip)(size_t n, double limit, FASTRNN_REAL *x)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(x || n == 0, FASTRNN_ERROR_NULL);
    REQUIRE((FASTRNN_REAL)limit > 0, FASTRNN_ERROR_VALUE);
    kernels->TABLE->clip(n, (FASTRNN_REAL)limit, x);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_adagrad)(size_t n, double learning_rate, const FASTRNN_REAL *gradient,
                                              FASTRNN_REAL *memory, FASTRNN_REAL *parameter)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE((gradient && memory && parameter) || n == 0, FASTRNN_ERROR_NULL);
    REQUIRE(isfinite((FASTRNN_REAL)learning_rate), FASTRNN_ERROR_VALUE);
    kernels->TABLE->adagrad(n, (FASTRNN_REAL)learning_rate, (FASTRNN_REAL)INFINITY, gradient, memory,
                            parameter);
    return FASTRNN_OK;
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

fastrnn_status FASTRNN_TYPED(fastrnn_ceiling_fma)(size_t rounds, size_t *done, FASTRNN_REAL *result)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE(done && result, FASTRNN_ERROR_NULL);
    *done = kernels->TABLE->ceiling_fma(rounds, result);
    return FASTRNN_OK;
}

fastrnn_status FASTRNN_TYPED(fastrnn_ceiling_load)(size_t rounds, size_t n, const FASTRNN_REAL *x, size_t *done,
                                                   FASTRNN_REAL *result)
{
    const fastrnn_isa_kernels *kernels = fastrnn_kernels();
    REQUIRE(kernels, FASTRNN_ERROR_ISA);
    REQUIRE((x || n == 0) && done && result, FASTRNN_ERROR_NULL);
    *done = kernels->TABLE->ceiling_load(rounds, n, x, result);
    return FASTRNN_OK;
}

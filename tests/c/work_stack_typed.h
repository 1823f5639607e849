/* A layer, forward and backward. Included by work.c once per dtype. */

static REAL *TYPED(uniform_numbers)(size_t n, double scale, uint64_t *random)
{
    REAL *numbers = malloc(n * sizeof(REAL));
    for (size_t i = 0; i < n; i++) {
        numbers[i] = (REAL)(scale * (2 * uniform(random) - 1));
    }
    return numbers;
}

static fastrnn_status TYPED(work_stack)(const work *w)
{
    const fastrnn_stack stack = {.cell = strcmp(w->task, "gru") == 0 ? FASTRNN_GRU : FASTRNN_LSTM, .input_size = V,
                                 .hidden_size = w->H, .layers = 1, .directions = 1, .bias = 1};
    const fastrnn_batch batch = {.T = T, .B = w->B, .one_hot = 1};
    const size_t rows = T * w->B, parameters = fastrnn_stack_parameters(&stack);
    uint64_t random = 1;
    fastrnn_stack_bytes bytes;
    fastrnn_status status = TYPED(fastrnn_stack_memory)(&stack, &batch, &bytes);
    if (status != FASTRNN_OK) {
        return status;
    }
    void *tape = malloc(bytes.tape), *forward = malloc(bytes.forward), *backward = malloc(bytes.backward);
    REAL *weights = TYPED(uniform_numbers)(parameters, 0.1, &random), *gradients = calloc(parameters, sizeof(REAL));
    REAL *dy = TYPED(uniform_numbers)(rows * w->H, 1, &random), *y = malloc(rows * w->H * sizeof(REAL));
    int64_t *indices = malloc(rows * sizeof(int64_t));
    for (size_t i = 0; i < rows; i++) {
        indices[i] = (int64_t)(V * uniform(&random));
    }
    const TYPED(fastrnn_stack_input) input = {.parameters = weights, .indices = indices};
    const TYPED(fastrnn_stack_output) output = {.y = y};
    const TYPED(fastrnn_stack_output_gradient) output_gradient = {.y = dy};
    const TYPED(fastrnn_stack_input_gradient) input_gradient = {.parameters = gradients};
    for (size_t i = 0; i < w->n && status == FASTRNN_OK; i++) {
        status = TYPED(fastrnn_stack_forward)(&stack, &batch, &input, &output, tape, forward);
        if (status == FASTRNN_OK) {
            status = TYPED(fastrnn_stack_backward)(&stack, &batch, &input, tape, &output_gradient, &input_gradient,
                                                   backward);
        }
    }
    free(indices);
    free(y);
    free(dy);
    free(gradients);
    free(weights);
    free(backward);
    free(forward);
    free(tape);
    return status;
}

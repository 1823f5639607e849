/* The half of kernels.h that exists once per dtype. The members mean what the doors of the same names in
 * fastrnn_typed.h mean; their arguments have been checked. */

typedef struct {
    size_t (*workspace_size)(const fastrnn_shape *shape);
    double (*char_rnn_loss)(const fastrnn_shape *shape, const FASTRNN_TYPED(fastrnn_char_rnn) *model,
                            const int64_t *inputs, const int64_t *targets, const FASTRNN_REAL *hprev,
                            FASTRNN_REAL clip, const FASTRNN_TYPED(fastrnn_char_rnn) *gradients,
                            FASTRNN_REAL *hlast, void *workspace);
    fastrnn_status (*char_rnn_train)(const fastrnn_shape *shape, const FASTRNN_TYPED(fastrnn_char_rnn) *model,
                                     const FASTRNN_TYPED(fastrnn_char_rnn) *memory, FASTRNN_REAL *hprev,
                                     fastrnn_training *training, size_t iterations,
                                     const fastrnn_interruption *interruption, void *workspace);
    fastrnn_status (*char_rnn_sample)(const fastrnn_shape *shape, const FASTRNN_TYPED(fastrnn_char_rnn) *model,
                                      FASTRNN_REAL *h, int64_t first, size_t n, FASTRNN_REAL temperature,
                                      const fastrnn_uniform_source *uniform, int64_t *characters, void *workspace);
    fastrnn_linear_bytes (*linear_memory)(size_t N, size_t inputs, size_t outputs);
    void (*linear_forward)(size_t N, size_t inputs, size_t outputs, const FASTRNN_TYPED(fastrnn_linear) *layer,
                           const FASTRNN_REAL *x, FASTRNN_REAL *y, void *tape, void *workspace);
    void (*linear_backward)(size_t N, size_t inputs, size_t outputs, const FASTRNN_TYPED(fastrnn_linear) *layer,
                            const void *tape, const FASTRNN_REAL *dy,
                            const FASTRNN_TYPED(fastrnn_linear) *gradients, FASTRNN_REAL *dx, void *workspace);
    void (*embedding_forward)(size_t N, size_t E, const FASTRNN_REAL *W, const int64_t *indices, FASTRNN_REAL *y,
                              size_t y_row);
    void (*embedding_backward)(size_t N, size_t E, const int64_t *indices, const FASTRNN_REAL *dy, size_t dy_row,
                               FASTRNN_REAL *dW);
    fastrnn_stack_bytes (*stack_memory)(const fastrnn_stack *stack, const fastrnn_batch *batch);
    void (*stack_forward)(const fastrnn_stack *stack, const fastrnn_batch *batch,
                          const FASTRNN_TYPED(fastrnn_stack_input) *input,
                          const FASTRNN_TYPED(fastrnn_stack_output) *output, void *tape, void *workspace);
    void (*stack_backward)(const fastrnn_stack *stack, const fastrnn_batch *batch,
                           const FASTRNN_TYPED(fastrnn_stack_input) *input, void *tape,
                           const FASTRNN_TYPED(fastrnn_stack_output_gradient) *output_gradient,
                           const FASTRNN_TYPED(fastrnn_stack_input_gradient) *input_gradient, void *workspace);
    void (*stack_step)(const fastrnn_stack *stack, const fastrnn_batch *batch,
                       const FASTRNN_TYPED(fastrnn_stack_input) *input,
                       const FASTRNN_TYPED(fastrnn_stack_output) *output, void *workspace);
    fastrnn_network_bytes (*network_memory)(const fastrnn_network *network, size_t T, size_t B, bool dropout);
    fastrnn_status (*network_train)(const fastrnn_network *network, size_t T, size_t B,
                                    const fastrnn_optimizer *optimizer, const FASTRNN_TYPED(fastrnn_learner) *learner,
                                    fastrnn_training *training, size_t iterations,
                                    const fastrnn_interruption *interruption, void *workspace);
    fastrnn_status (*network_predict)(const fastrnn_network *network, size_t T, size_t B,
                                      const FASTRNN_REAL *parameters, const int64_t *tokens, const int64_t *targets,
                                      FASTRNN_REAL *h, FASTRNN_REAL *c, double *nats, FASTRNN_REAL *probabilities,
                                      void *workspace);
    fastrnn_status (*network_sample)(const fastrnn_network *network, size_t B, const FASTRNN_REAL *parameters,
                                     const fastrnn_choice *choice, const int64_t *first, FASTRNN_REAL *h,
                                     FASTRNN_REAL *c, size_t n, const fastrnn_uniform_source *uniform,
                                     const fastrnn_interruption *interruption, int64_t *tokens, void *workspace);
    size_t (*network_outputs_memory)(const fastrnn_network *network, size_t T, size_t B);
    fastrnn_status (*network_outputs)(const fastrnn_network *network, size_t T, size_t B, const int64_t *lengths,
                                      const FASTRNN_REAL *parameters, const FASTRNN_TYPED(fastrnn_network_input) *input,
                                      FASTRNN_REAL *hn, FASTRNN_REAL *cn, FASTRNN_REAL *y, void *workspace);
    size_t (*conditioned_memory)(const fastrnn_conditioned *model, const FASTRNN_TYPED(fastrnn_examples) *examples,
                                 size_t B, bool dropout);
    fastrnn_status (*conditioned_train)(const fastrnn_conditioned *model,
                                        const FASTRNN_TYPED(fastrnn_examples) *examples, size_t B,
                                        const fastrnn_optimizer *optimizer,
                                        const FASTRNN_TYPED(fastrnn_learner) *learner, fastrnn_training *training,
                                        size_t iterations, const fastrnn_interruption *interruption, void *workspace);
    double (*softmax_cross_entropy)(size_t N, size_t V, size_t row, const int64_t *targets, FASTRNN_REAL *logits);
    double (*sigmoid_binary_cross_entropy)(size_t n, FASTRNN_REAL scale, const FASTRNN_REAL *targets,
                                           FASTRNN_REAL *logits);
    double (*squared_error)(size_t n, FASTRNN_REAL scale, const FASTRNN_REAL *targets, FASTRNN_REAL *outputs);
    void (*clip)(size_t n, FASTRNN_REAL limit, FASTRNN_REAL *x);
    void (*scale)(size_t n, FASTRNN_REAL factor, FASTRNN_REAL *x);
    double (*norm)(size_t n, const FASTRNN_REAL *x);
    void (*sgd)(const fastrnn_sgd *settings, size_t n, const FASTRNN_TYPED(fastrnn_update) *arrays);
    void (*adagrad)(const fastrnn_adagrad *settings, size_t n, const FASTRNN_TYPED(fastrnn_update) *arrays);
    void (*rmsprop)(const fastrnn_rmsprop *settings, size_t n, const FASTRNN_TYPED(fastrnn_update) *arrays);
    void (*adam)(const fastrnn_adam *settings, size_t n, const FASTRNN_TYPED(fastrnn_update) *arrays);
    void (*exp)(size_t n, const FASTRNN_REAL *x, FASTRNN_REAL *y);
    void (*tanh)(size_t n, const FASTRNN_REAL *x, FASTRNN_REAL *y);
    void (*sigmoid)(size_t n, const FASTRNN_REAL *x, FASTRNN_REAL *y);
    size_t (*ceiling_fma)(size_t rounds, FASTRNN_REAL *result);
    size_t (*ceiling_memory)(fastrnn_ceiling ceiling, size_t rounds, size_t n, FASTRNN_REAL *x, FASTRNN_REAL *result);
    void (*ceiling_wait)(bool backward, size_t rounds, FASTRNN_REAL *result);
} FASTRNN_TYPED(fastrnn_kernel_table);

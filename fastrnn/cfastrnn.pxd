# csrc/fastrnn.h in Cython, and nothing else.
from libc.stdint cimport int64_t, uint64_t


cdef extern from "fastrnn.h" nogil:
    ctypedef enum fastrnn_status:
        FASTRNN_OK
        FASTRNN_ERROR_NULL
        FASTRNN_ERROR_SHAPE
        FASTRNN_ERROR_INDEX
        FASTRNN_ERROR_VALUE
        FASTRNN_ERROR_NOT_FINITE
        FASTRNN_ERROR_ISA

    const char *fastrnn_status_message(fastrnn_status status)
    fastrnn_status fastrnn_select_isa(const char *name)
    const char *fastrnn_isa()
    const char *fastrnn_available_isa(size_t i)

    ctypedef struct fastrnn_shape:
        size_t T
        size_t B
        size_t H
        size_t V

    ctypedef struct fastrnn_uniform_source:
        double (*next)(void *state)
        void *state

    ctypedef struct fastrnn_choice:
        double temperature
        size_t top_k
        double top_p

    ctypedef struct fastrnn_text:
        const void *tokens
        size_t length
        size_t width

    ctypedef enum fastrnn_decay:
        FASTRNN_CONSTANT
        FASTRNN_STEPS
        FASTRNN_COSINE

    ctypedef struct fastrnn_schedule:
        double learning_rate
        fastrnn_decay decay
        uint64_t warmup
        uint64_t n
        double factor

    ctypedef struct fastrnn_training:
        fastrnn_text text
        fastrnn_schedule schedule
        double clip_value
        double clip_norm
        double dropout
        int random_chunks
        uint64_t seed
        size_t position
        uint64_t iterations
        double loss
        double smooth_loss

    ctypedef enum fastrnn_cell:
        FASTRNN_RNN_TANH
        FASTRNN_RNN_RELU
        FASTRNN_RNN_SIGMOID
        FASTRNN_GRU
        FASTRNN_GRU_RESET_BEFORE
        FASTRNN_LSTM

    ctypedef struct fastrnn_stack:
        fastrnn_cell cell
        size_t input_size
        size_t hidden_size
        size_t layers
        size_t directions
        int bias

    size_t fastrnn_stack_parameters(const fastrnn_stack *stack)

    ctypedef struct fastrnn_batch:
        size_t T
        size_t B
        const int64_t *lengths
        int one_hot
        size_t embeddings
        int dropout

    ctypedef struct fastrnn_linear_bytes:
        size_t tape
        size_t workspace

    ctypedef struct fastrnn_stack_bytes:
        size_t tape
        size_t forward
        size_t backward
        size_t step

    ctypedef enum fastrnn_loss:
        FASTRNN_SOFTMAX_CROSS_ENTROPY
        FASTRNN_SIGMOID_CROSS_ENTROPY
        FASTRNN_SQUARED_ERROR
        FASTRNN_SIGMOID_SQUARED_ERROR

    ctypedef struct fastrnn_network:
        fastrnn_stack stack
        size_t embeddings
        size_t outputs
        fastrnn_loss loss
        int vectors
        int without_bias
        int last
        size_t context

    ctypedef struct fastrnn_network_offsets:
        size_t embedding
        size_t stack
        size_t W
        size_t b
        size_t end

    fastrnn_status fastrnn_network_parameters(const fastrnn_network *network, fastrnn_network_offsets *offsets)

    ctypedef struct fastrnn_network_bytes:
        size_t train
        size_t predict
        size_t sample

    ctypedef enum fastrnn_source:
        FASTRNN_NO_SOURCE
        FASTRNN_FEATURES
        FASTRNN_ENCODER

    ctypedef struct fastrnn_conditioned:
        fastrnn_network network
        fastrnn_source source
        size_t features
        fastrnn_network encoder

    ctypedef struct fastrnn_conditioned_offsets:
        size_t encoder
        size_t W
        size_t b
        size_t network
        size_t end

    fastrnn_status fastrnn_conditioned_parameters(
        const fastrnn_conditioned *model, fastrnn_conditioned_offsets *offsets)

    ctypedef struct fastrnn_interruption:
        int (*poll)(void *state)
        void *state

    ctypedef enum fastrnn_ceiling:
        FASTRNN_CEILING_LOAD
        FASTRNN_CEILING_LOAD_FMA
        FASTRNN_CEILING_UPDATE

    ctypedef struct fastrnn_sgd:
        double learning_rate
        double momentum
        double dampening
        double weight_decay
        int nesterov
        uint64_t iteration

    ctypedef struct fastrnn_adagrad:
        double learning_rate
        double eps
        double weight_decay
        int eps_inside_sqrt

    ctypedef struct fastrnn_rmsprop:
        double learning_rate
        double alpha
        double eps
        double momentum
        double weight_decay
        int centered

    ctypedef struct fastrnn_adam:
        double learning_rate
        double beta1
        double beta2
        double eps
        double weight_decay
        int decoupled
        uint64_t iteration

    ctypedef enum fastrnn_optimizer_kind:
        FASTRNN_SGD
        FASTRNN_ADAGRAD
        FASTRNN_RMSPROP
        FASTRNN_ADAM

    ctypedef union fastrnn_optimizer_settings:
        fastrnn_sgd sgd
        fastrnn_adagrad adagrad
        fastrnn_rmsprop rmsprop
        fastrnn_adam adam

    ctypedef struct fastrnn_optimizer:
        fastrnn_optimizer_kind kind
        fastrnn_optimizer_settings settings

    ctypedef struct fastrnn_rnn_f32:
        float *Wxh
        float *Whh
        float *bh

    ctypedef struct fastrnn_linear_f32:
        float *Why
        float *by

    ctypedef struct fastrnn_char_rnn_f32:
        fastrnn_rnn_f32 rnn
        fastrnn_linear_f32 output

    fastrnn_status fastrnn_workspace_size_f32(const fastrnn_shape *shape, size_t *bytes)
    fastrnn_status fastrnn_char_rnn_loss_f32(
        const fastrnn_shape *shape, const fastrnn_char_rnn_f32 *model, const int64_t *inputs, const int64_t *targets,
        const float *hprev, double clip, const fastrnn_char_rnn_f32 *gradients, float *hlast, double *loss,
        void *workspace)
    fastrnn_status fastrnn_char_rnn_train_f32(
        const fastrnn_shape *shape, const fastrnn_char_rnn_f32 *model, const fastrnn_char_rnn_f32 *memory,
        float *hprev, fastrnn_training *training, size_t iterations, const fastrnn_interruption *interruption,
        void *workspace)
    fastrnn_status fastrnn_char_rnn_sample_f32(
        const fastrnn_shape *shape, const fastrnn_char_rnn_f32 *model, float *h, int64_t first, size_t n,
        double temperature, const fastrnn_uniform_source *uniform, int64_t *characters, void *workspace)

    fastrnn_status fastrnn_linear_memory_f32(
        size_t N, size_t inputs, size_t outputs, fastrnn_linear_bytes *bytes)
    fastrnn_status fastrnn_linear_forward_f32(
        size_t N, size_t inputs, size_t outputs, const fastrnn_linear_f32 *layer, const float *x, float *y, void *tape,
        void *workspace)
    fastrnn_status fastrnn_linear_backward_f32(
        size_t N, size_t inputs, size_t outputs, const fastrnn_linear_f32 *layer, const void *tape, const float *dy,
        const fastrnn_linear_f32 *gradients, float *dx, void *workspace)
    fastrnn_status fastrnn_embedding_forward_f32(
        size_t N, size_t V, size_t E, const float *W, const int64_t *indices, float *y)
    fastrnn_status fastrnn_embedding_backward_f32(
        size_t N, size_t V, size_t E, const int64_t *indices, const float *dy, float *dW)

    ctypedef struct fastrnn_stack_input_f32:
        const float *parameters
        const float *x
        const int64_t *indices
        const float *embedding
        const float *h0
        const float *c0
        const float *dropout

    ctypedef struct fastrnn_stack_output_f32:
        float *y
        float *hn
        float *cn

    ctypedef struct fastrnn_stack_output_gradient_f32:
        const float *y
        const float *hn
        const float *cn

    ctypedef struct fastrnn_stack_input_gradient_f32:
        float *parameters
        float *x
        float *embedding
        float *h0
        float *c0

    fastrnn_status fastrnn_stack_memory_f32(
        const fastrnn_stack *stack, const fastrnn_batch *batch, fastrnn_stack_bytes *bytes)
    fastrnn_status fastrnn_stack_forward_f32(
        const fastrnn_stack *stack, const fastrnn_batch *batch, const fastrnn_stack_input_f32 *input,
        const fastrnn_stack_output_f32 *output, void *tape, void *workspace)
    fastrnn_status fastrnn_stack_backward_f32(
        const fastrnn_stack *stack, const fastrnn_batch *batch, const fastrnn_stack_input_f32 *input, void *tape,
        const fastrnn_stack_output_gradient_f32 *output_gradient,
        const fastrnn_stack_input_gradient_f32 *input_gradient, void *workspace)
    fastrnn_status fastrnn_stack_step_f32(
        const fastrnn_stack *stack, const fastrnn_batch *batch, const fastrnn_stack_input_f32 *input,
        const fastrnn_stack_output_f32 *output, void *workspace)

    ctypedef struct fastrnn_learner_f32:
        float *parameters
        float *momentum
        float *mean
        float *squares
        float *h
        float *c

    fastrnn_status fastrnn_network_memory_f32(
        const fastrnn_network *network, size_t T, size_t B, int dropout, fastrnn_network_bytes *bytes)
    fastrnn_status fastrnn_network_train_f32(
        const fastrnn_network *network, size_t T, size_t B, const fastrnn_optimizer *optimizer,
        const fastrnn_learner_f32 *learner, fastrnn_training *training, size_t iterations,
        const fastrnn_interruption *interruption, void *workspace)
    fastrnn_status fastrnn_network_predict_f32(
        const fastrnn_network *network, size_t T, size_t B, const float *parameters, const int64_t *tokens,
        const int64_t *targets, float *h, float *c, double *nats, float *probabilities, void *workspace)
    fastrnn_status fastrnn_network_sample_f32(
        const fastrnn_network *network, size_t B, const float *parameters, const fastrnn_choice *choice,
        const int64_t *first, float *h, float *c, size_t n, const fastrnn_uniform_source *uniform,
        const fastrnn_interruption *interruption, int64_t *tokens, void *workspace)

    ctypedef struct fastrnn_network_input_f32:
        const int64_t *tokens
        const float *vectors
        const float *context
        const float *h
        const float *c

    fastrnn_status fastrnn_network_outputs_memory_f32(const fastrnn_network *network, size_t T, size_t B, size_t *bytes)
    fastrnn_status fastrnn_network_outputs_f32(
        const fastrnn_network *network, size_t T, size_t B, const int64_t *lengths, const float *parameters,
        const fastrnn_network_input_f32 *input, float *hn, float *cn, float *y, void *workspace)

    ctypedef struct fastrnn_sequences_f32:
        const int64_t *begin
        const int64_t *tokens
        const float *vectors

    ctypedef struct fastrnn_examples_f32:
        size_t count
        fastrnn_sequences_f32 inputs
        const int64_t *classes
        const float *numbers
        const float *features
        fastrnn_sequences_f32 sources
        int shuffle
        int carried

    fastrnn_status fastrnn_conditioned_memory_f32(
        const fastrnn_conditioned *model, const fastrnn_examples_f32 *examples, size_t B, int dropout, size_t *bytes)
    fastrnn_status fastrnn_conditioned_train_f32(
        const fastrnn_conditioned *model, const fastrnn_examples_f32 *examples, size_t B,
        const fastrnn_optimizer *optimizer, const fastrnn_learner_f32 *learner, fastrnn_training *training,
        size_t iterations, const fastrnn_interruption *interruption, void *workspace)

    fastrnn_status fastrnn_softmax_cross_entropy_f32(
        size_t N, size_t V, const int64_t *targets, float *logits, double *loss)
    fastrnn_status fastrnn_sigmoid_binary_cross_entropy_f32(
        size_t n, double scale, const float *targets, float *logits, double *loss)
    fastrnn_status fastrnn_squared_error_f32(
        size_t n, double scale, const float *targets, float *outputs, double *loss)
    fastrnn_status fastrnn_clip_f32(size_t n, double limit, float *x)
    fastrnn_status fastrnn_scale_f32(size_t n, double factor, float *x)
    fastrnn_status fastrnn_norm_f32(size_t n, const float *x, double *norm)
    fastrnn_status fastrnn_exp_f32(size_t n, const float *x, float *y)
    fastrnn_status fastrnn_tanh_f32(size_t n, const float *x, float *y)
    fastrnn_status fastrnn_sigmoid_f32(size_t n, const float *x, float *y)

    ctypedef struct fastrnn_update_f32:
        float *parameter
        const float *gradient
        float *momentum
        float *mean
        float *squares

    fastrnn_status fastrnn_sgd_f32(const fastrnn_sgd *settings, size_t n, const fastrnn_update_f32 *arrays)
    fastrnn_status fastrnn_adagrad_f32(
        const fastrnn_adagrad *settings, size_t n, const fastrnn_update_f32 *arrays)
    fastrnn_status fastrnn_rmsprop_f32(
        const fastrnn_rmsprop *settings, size_t n, const fastrnn_update_f32 *arrays)
    fastrnn_status fastrnn_adam_f32(const fastrnn_adam *settings, size_t n, const fastrnn_update_f32 *arrays)

    fastrnn_status fastrnn_ceiling_fma_f32(size_t rounds, size_t *done, float *result)
    fastrnn_status fastrnn_ceiling_memory_f32(
        fastrnn_ceiling ceiling, size_t rounds, size_t n, float *x, size_t *done, float *result)
    fastrnn_status fastrnn_ceiling_wait_f32(int backward, size_t rounds, float *result)

    ctypedef struct fastrnn_rnn_f64:
        double *Wxh
        double *Whh
        double *bh

    ctypedef struct fastrnn_linear_f64:
        double *Why
        double *by

    ctypedef struct fastrnn_char_rnn_f64:
        fastrnn_rnn_f64 rnn
        fastrnn_linear_f64 output

    fastrnn_status fastrnn_workspace_size_f64(const fastrnn_shape *shape, size_t *bytes)
    fastrnn_status fastrnn_char_rnn_loss_f64(
        const fastrnn_shape *shape, const fastrnn_char_rnn_f64 *model, const int64_t *inputs, const int64_t *targets,
        const double *hprev, double clip, const fastrnn_char_rnn_f64 *gradients, double *hlast, double *loss,
        void *workspace)
    fastrnn_status fastrnn_char_rnn_train_f64(
        const fastrnn_shape *shape, const fastrnn_char_rnn_f64 *model, const fastrnn_char_rnn_f64 *memory,
        double *hprev, fastrnn_training *training, size_t iterations, const fastrnn_interruption *interruption,
        void *workspace)
    fastrnn_status fastrnn_char_rnn_sample_f64(
        const fastrnn_shape *shape, const fastrnn_char_rnn_f64 *model, double *h, int64_t first, size_t n,
        double temperature, const fastrnn_uniform_source *uniform, int64_t *characters, void *workspace)

    fastrnn_status fastrnn_linear_memory_f64(
        size_t N, size_t inputs, size_t outputs, fastrnn_linear_bytes *bytes)
    fastrnn_status fastrnn_linear_forward_f64(
        size_t N, size_t inputs, size_t outputs, const fastrnn_linear_f64 *layer, const double *x, double *y, void *tape,
        void *workspace)
    fastrnn_status fastrnn_linear_backward_f64(
        size_t N, size_t inputs, size_t outputs, const fastrnn_linear_f64 *layer, const void *tape, const double *dy,
        const fastrnn_linear_f64 *gradients, double *dx, void *workspace)
    fastrnn_status fastrnn_embedding_forward_f64(
        size_t N, size_t V, size_t E, const double *W, const int64_t *indices, double *y)
    fastrnn_status fastrnn_embedding_backward_f64(
        size_t N, size_t V, size_t E, const int64_t *indices, const double *dy, double *dW)

    ctypedef struct fastrnn_stack_input_f64:
        const double *parameters
        const double *x
        const int64_t *indices
        const double *embedding
        const double *h0
        const double *c0
        const double *dropout

    ctypedef struct fastrnn_stack_output_f64:
        double *y
        double *hn
        double *cn

    ctypedef struct fastrnn_stack_output_gradient_f64:
        const double *y
        const double *hn
        const double *cn

    ctypedef struct fastrnn_stack_input_gradient_f64:
        double *parameters
        double *x
        double *embedding
        double *h0
        double *c0

    fastrnn_status fastrnn_stack_memory_f64(
        const fastrnn_stack *stack, const fastrnn_batch *batch, fastrnn_stack_bytes *bytes)
    fastrnn_status fastrnn_stack_forward_f64(
        const fastrnn_stack *stack, const fastrnn_batch *batch, const fastrnn_stack_input_f64 *input,
        const fastrnn_stack_output_f64 *output, void *tape, void *workspace)
    fastrnn_status fastrnn_stack_backward_f64(
        const fastrnn_stack *stack, const fastrnn_batch *batch, const fastrnn_stack_input_f64 *input, void *tape,
        const fastrnn_stack_output_gradient_f64 *output_gradient,
        const fastrnn_stack_input_gradient_f64 *input_gradient, void *workspace)
    fastrnn_status fastrnn_stack_step_f64(
        const fastrnn_stack *stack, const fastrnn_batch *batch, const fastrnn_stack_input_f64 *input,
        const fastrnn_stack_output_f64 *output, void *workspace)

    ctypedef struct fastrnn_learner_f64:
        double *parameters
        double *momentum
        double *mean
        double *squares
        double *h
        double *c

    fastrnn_status fastrnn_network_memory_f64(
        const fastrnn_network *network, size_t T, size_t B, int dropout, fastrnn_network_bytes *bytes)
    fastrnn_status fastrnn_network_train_f64(
        const fastrnn_network *network, size_t T, size_t B, const fastrnn_optimizer *optimizer,
        const fastrnn_learner_f64 *learner, fastrnn_training *training, size_t iterations,
        const fastrnn_interruption *interruption, void *workspace)
    fastrnn_status fastrnn_network_predict_f64(
        const fastrnn_network *network, size_t T, size_t B, const double *parameters, const int64_t *tokens,
        const int64_t *targets, double *h, double *c, double *nats, double *probabilities, void *workspace)
    fastrnn_status fastrnn_network_sample_f64(
        const fastrnn_network *network, size_t B, const double *parameters, const fastrnn_choice *choice,
        const int64_t *first, double *h, double *c, size_t n, const fastrnn_uniform_source *uniform,
        const fastrnn_interruption *interruption, int64_t *tokens, void *workspace)

    ctypedef struct fastrnn_network_input_f64:
        const int64_t *tokens
        const double *vectors
        const double *context
        const double *h
        const double *c

    fastrnn_status fastrnn_network_outputs_memory_f64(const fastrnn_network *network, size_t T, size_t B, size_t *bytes)
    fastrnn_status fastrnn_network_outputs_f64(
        const fastrnn_network *network, size_t T, size_t B, const int64_t *lengths, const double *parameters,
        const fastrnn_network_input_f64 *input, double *hn, double *cn, double *y, void *workspace)

    ctypedef struct fastrnn_sequences_f64:
        const int64_t *begin
        const int64_t *tokens
        const double *vectors

    ctypedef struct fastrnn_examples_f64:
        size_t count
        fastrnn_sequences_f64 inputs
        const int64_t *classes
        const double *numbers
        const double *features
        fastrnn_sequences_f64 sources
        int shuffle
        int carried

    fastrnn_status fastrnn_conditioned_memory_f64(
        const fastrnn_conditioned *model, const fastrnn_examples_f64 *examples, size_t B, int dropout, size_t *bytes)
    fastrnn_status fastrnn_conditioned_train_f64(
        const fastrnn_conditioned *model, const fastrnn_examples_f64 *examples, size_t B,
        const fastrnn_optimizer *optimizer, const fastrnn_learner_f64 *learner, fastrnn_training *training,
        size_t iterations, const fastrnn_interruption *interruption, void *workspace)

    fastrnn_status fastrnn_softmax_cross_entropy_f64(
        size_t N, size_t V, const int64_t *targets, double *logits, double *loss)
    fastrnn_status fastrnn_sigmoid_binary_cross_entropy_f64(
        size_t n, double scale, const double *targets, double *logits, double *loss)
    fastrnn_status fastrnn_squared_error_f64(
        size_t n, double scale, const double *targets, double *outputs, double *loss)
    fastrnn_status fastrnn_clip_f64(size_t n, double limit, double *x)
    fastrnn_status fastrnn_scale_f64(size_t n, double factor, double *x)
    fastrnn_status fastrnn_norm_f64(size_t n, const double *x, double *norm)
    fastrnn_status fastrnn_exp_f64(size_t n, const double *x, double *y)
    fastrnn_status fastrnn_tanh_f64(size_t n, const double *x, double *y)
    fastrnn_status fastrnn_sigmoid_f64(size_t n, const double *x, double *y)

    ctypedef struct fastrnn_update_f64:
        double *parameter
        const double *gradient
        double *momentum
        double *mean
        double *squares

    fastrnn_status fastrnn_sgd_f64(const fastrnn_sgd *settings, size_t n, const fastrnn_update_f64 *arrays)
    fastrnn_status fastrnn_adagrad_f64(
        const fastrnn_adagrad *settings, size_t n, const fastrnn_update_f64 *arrays)
    fastrnn_status fastrnn_rmsprop_f64(
        const fastrnn_rmsprop *settings, size_t n, const fastrnn_update_f64 *arrays)
    fastrnn_status fastrnn_adam_f64(const fastrnn_adam *settings, size_t n, const fastrnn_update_f64 *arrays)

    fastrnn_status fastrnn_ceiling_fma_f64(size_t rounds, size_t *done, double *result)
    fastrnn_status fastrnn_ceiling_memory_f64(
        fastrnn_ceiling ceiling, size_t rounds, size_t n, double *x, size_t *done, double *result)
    fastrnn_status fastrnn_ceiling_wait_f64(int backward, size_t rounds, double *result)

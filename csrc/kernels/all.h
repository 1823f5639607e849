/* Every kernel, compiled once per (instruction set, dtype): included by each file of isa/ after the verbs of its
 * instruction set, in reading order from the bottom up. */
#include "vmath.h"
#include "elementwise.h"
#include "sums.h"
#include "matrix.h"
#include "tile.h"
#include "slices.h"
#include "matvec.h"
#include "tail.h"
#include "product.h"
#include "pack.h"
#include "optimizers.h"
#include "gradients.h"
#include "softmax.h"
#include "losses.h"
#include "one_hot.h"
#include "rows.h"
#include "strand.h"
#include "rnn.h"
#include "gru.h"
#include "lstm.h"
#include "workspace.h"
#include "linear.h"
#include "char_rnn.h"
#include "train.h"
#include "text_batch.h"
#include "train_char_rnn.h"
#include "gates.h"
#include "tape.h"
#include "routes.h"
#include "stack.h"
#include "dropout.h"
#include "network.h"
#include "learn.h"
#include "train_network.h"
#include "example_batch.h"
#include "train_examples.h"
#include "predict.h"
#include "choose.h"
#include "sample.h"
#include "ceilings.h"

static fastrnn_network_bytes network_memory_for(const fastrnn_network *network, size_t T, size_t B, bool dropout)
{
    const network_call training = network_call_of(network, T, B, dropout), call = network_call_of(network, T, B, false);
    const size_t line = 63; /* as in workspace_size */
    network_memory m;
    return (fastrnn_network_bytes){.train = network_training_memory(&training),
                                   .predict = (size_t)lay_out_prediction(&call, 0, &m) + line,
                                   .sample = sampling_memory(network, B)};
}

const TYPED(fastrnn_kernel_table) KERNELS = {
    .workspace_size = char_rnn_memory,
    .char_rnn_loss = char_rnn_loss,
    .char_rnn_train = char_rnn_train,
    .char_rnn_sample = char_rnn_sample,
    .linear_memory = linear_memory,
    .linear_forward = linear_forward,
    .linear_backward = linear_backward,
    .embedding_forward = embedding_forward,
    .embedding_backward = embedding_backward,
    .stack_memory = stack_memory,
    .stack_forward = stack_forward,
    .stack_backward = stack_backward,
    .stack_step = stack_step,
    .network_memory = network_memory_for,
    .network_train = network_train,
    .network_predict = network_predict,
    .network_sample = network_sample,
    .network_outputs_memory = network_outputs_memory,
    .network_outputs = network_outputs,
    .conditioned_memory = conditioned_memory,
    .conditioned_train = conditioned_train,
    .softmax_cross_entropy = softmax_cross_entropy,
    .sigmoid_binary_cross_entropy = sigmoid_binary_cross_entropy,
    .squared_error = squared_error,
    .clip = clip,
    .scale = scale,
    .norm = norm,
    .sgd = sgd,
    .adagrad = adagrad,
    .rmsprop = rmsprop,
    .adam = adam,
    .exp = exp_all,
    .tanh = tanh_all,
    .sigmoid = sigmoid_all,
    .ceiling_fma = ceiling_fma,
    .ceiling_memory = ceiling_memory,
    .ceiling_wait = ceiling_wait,
};

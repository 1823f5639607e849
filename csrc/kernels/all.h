/* Every kernel, compiled once per (instruction set, dtype): included by each file of isa/ after the verbs of its
 * instruction set, in reading order from the bottom up. */
#include "vmath.h"
#include "elementwise.h"
#include "sums.h"
#include "matrix.h"
#include "product.h"
#include "pack.h"
#include "optimizers.h"
#include "workspace.h"
#include "gradients.h"
#include "softmax.h"
#include "losses.h"
#include "rnn.h"
#include "char_rnn.h"
#include "train.h"
#include "sample.h"
#include "ceilings.h"

const TYPED(fastrnn_kernel_table) KERNELS = {
    .workspace_size = workspace_size,
    .char_rnn_loss = char_rnn_loss,
    .char_rnn_train = char_rnn_train,
    .char_rnn_sample = char_rnn_sample,
    .rnn_forward = rnn_forward,
    .rnn_backward = rnn_backward,
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
    .ceiling_load = ceiling_load,
};

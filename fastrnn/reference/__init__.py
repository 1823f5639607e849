"""What the kernels compute, in plain NumPy, written to be read: the slow truth that the fast code is tested against.

`bind`, `adagrad` and `Trainer` are those of `fastrnn.min_char_rnn`; `python -m fastrnn.reference` trains as
`python -m fastrnn.min_char_rnn` does. The layers, the losses, the optimizers and the clipping of gradients are those of
`fastrnn`.
"""

from fastrnn.reference.layers import GRU, LSTM, RNN, Embedding, Linear
from fastrnn.reference.losses import mean_squared_error, sigmoid_binary_cross_entropy, softmax_cross_entropy
from fastrnn.reference.min_char_rnn import Trainer, adagrad, bind, log_softmax
from fastrnn.reference.optimizers import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    RMSprop,
    clip_gradient_norm,
    clip_gradient_value,
)

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Embedding",
    "Linear",
    "RMSprop",
    "Trainer",
    "adagrad",
    "bind",
    "clip_gradient_norm",
    "clip_gradient_value",
    "log_softmax",
    "mean_squared_error",
    "sigmoid_binary_cross_entropy",
    "softmax_cross_entropy",
]

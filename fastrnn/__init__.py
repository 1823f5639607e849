"""Small recurrent networks, trained and sampled on an ordinary CPU, fast; needs only NumPy.

Here are layers, losses, gradient clipping and optimizers. `fastrnn.min_char_rnn` replaces the NumPy code of a
min-char-rnn script by one line, `fastrnn.convert` brings weights from and to Keras and ONNX, `fastrnn.reference` is the
same in plain NumPy, and `cpu_info` says which instruction set the kernels use.
"""

from fastrnn.char_rnn import CharRNN
from fastrnn.clipping import clip_gradient_norm, clip_gradient_value
from fastrnn.cpu import cpu_info
from fastrnn.errors import FastRNNError, GradientCheckError, ModelFileError, NumericalError
from fastrnn.flow import GradientFlow, gradient_flow
from fastrnn.gradient_check import check_gradients
from fastrnn.history import History
from fastrnn.layers import GRU, LSTM, RNN, Embedding, Linear
from fastrnn.losses import mean_squared_error, sigmoid_binary_cross_entropy, softmax_cross_entropy
from fastrnn.model import load
from fastrnn.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "CharRNN",
    "Embedding",
    "FastRNNError",
    "GradientCheckError",
    "GradientFlow",
    "History",
    "Linear",
    "ModelFileError",
    "NumericalError",
    "RMSprop",
    "check_gradients",
    "clip_gradient_norm",
    "clip_gradient_value",
    "cpu_info",
    "gradient_flow",
    "load",
    "mean_squared_error",
    "sigmoid_binary_cross_entropy",
    "softmax_cross_entropy",
]
__version__ = "0.1.0"

"""Small recurrent networks, trained and sampled on an ordinary CPU, fast; needs only NumPy.

`fastrnn.min_char_rnn` replaces the NumPy code of a min-char-rnn script by one line, `fastrnn.reference` is the same in
plain NumPy, and `cpu_info` says which instruction set the kernels use.
"""

from fastrnn.cpu import cpu_info
from fastrnn.errors import FastRNNError, GradientCheckError, ModelFileError, NumericalError
from fastrnn.gradient_check import check_gradients
from fastrnn.layers import GRU, LSTM, RNN, Embedding, Linear

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Embedding",
    "FastRNNError",
    "GradientCheckError",
    "Linear",
    "ModelFileError",
    "NumericalError",
    "check_gradients",
    "cpu_info",
]
__version__ = "0.1.0"

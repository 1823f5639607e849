"""Small recurrent networks, trained and sampled on an ordinary CPU, fast; needs only NumPy.

`fastrnn.min_char_rnn` replaces the NumPy code of a min-char-rnn script by one line, `fastrnn.reference` is the same in
plain NumPy, and `cpu_info` says which instruction set the kernels use.
"""

from fastrnn.cpu import cpu_info
from fastrnn.errors import FastRNNError, ModelFileError, NumericalError
from fastrnn.layers import GRU, LSTM, RNN, Embedding, Linear

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Embedding",
    "FastRNNError",
    "Linear",
    "ModelFileError",
    "NumericalError",
    "cpu_info",
]
__version__ = "0.1.0"

"""What the kernels compute, in plain NumPy, written to be read: the slow truth that the fast code is tested against.

`bind`, `adagrad` and `Trainer` are those of `fastrnn.min_char_rnn`; `python -m fastrnn.reference` trains as
`python -m fastrnn.min_char_rnn` does. The layers are those of `fastrnn`.
"""

from fastrnn.reference.layers import GRU, LSTM, RNN, Embedding, Linear
from fastrnn.reference.min_char_rnn import Trainer, adagrad, bind, log_softmax

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Embedding",
    "Linear",
    "Trainer",
    "adagrad",
    "bind",
    "log_softmax",
]

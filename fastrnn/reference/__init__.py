"""What the kernels compute, in plain NumPy, written to be read: the slow truth that the fast code is tested against.

`bind`, `adagrad` and `Trainer` are those of `fastrnn.min_char_rnn`; `python -m fastrnn.reference` trains as
`python -m fastrnn.min_char_rnn` does.
"""

from fastrnn.reference.min_char_rnn import Trainer, adagrad, bind, log_softmax

__all__ = ["Trainer", "adagrad", "bind", "log_softmax"]

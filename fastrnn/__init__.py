"""Small recurrent networks, trained and sampled on an ordinary CPU, fast; needs only NumPy.

`CharRNN` is a language model, `load` brings one back from its file; below it are layers, losses, gradient clipping and
optimizers. `fastrnn.min_char_rnn` replaces the NumPy code of a min-char-rnn script by one line, `fastrnn.convert`
brings weights from and to Keras and ONNX, `fastrnn.reference` is the same in plain NumPy, `gradient_flow` and
`check_gradients` look at gradients, and `cpu_info` says which instruction set the kernels use.

`import fastrnn` alone does not even import NumPy, so that the command line's help comes at once; the first public name
asked for brings them all. Where FASTRNN_ISA forces an instruction set they all come at once, to refuse a wrong one.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastrnn.char_rnn import CharRNN
    from fastrnn.clipping import clip_gradient_norm, clip_gradient_value
    from fastrnn.cpu import cpu_info
    from fastrnn.errors import FastRNNError, GradientCheckError, ModelFileError, NumericalError
    from fastrnn.flow.measure import gradient_flow
    from fastrnn.flow.result import GradientFlow
    from fastrnn.gradient_check import check_gradients
    from fastrnn.history import History
    from fastrnn.layers import GRU, LSTM, RNN, Embedding, Linear
    from fastrnn.losses import mean_squared_error, sigmoid_binary_cross_entropy, softmax_cross_entropy
    from fastrnn.model import load
    from fastrnn.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
    from fastrnn.seq2seq import Seq2Seq
    from fastrnn.sequence_model import SequenceModel
    from fastrnn.stepper import Stepper

_ROOMS = (  # of these names
    "char_rnn",
    "clipping",
    "cpu",
    "errors",
    "flow.measure",
    "flow.result",
    "gradient_check",
    "history",
    "layers",
    "losses",
    "model",
    "optimizers",
    "seq2seq",
    "sequence_model",
    "stepper",
)

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
    "Seq2Seq",
    "SequenceModel",
    "Stepper",
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


def __getattr__(name: str) -> Any:
    """A public name, the first time that one is asked for; from then on they all stand here (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    rooms = [import_module(f"{__name__}.{room}") for room in _ROOMS]
    globals().update((public, getattr(room, public)) for room in rooms for public in __all__ if hasattr(room, public))
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if os.environ.get("FASTRNN_ISA"):
    __getattr__("cpu_info")

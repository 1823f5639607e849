"""The model files that a command line names."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastrnn import CharRNN
    from fastrnn.fitting import FittedModel


def load_model(name: str) -> "FittedModel":
    """The model in this file, of whatever kind; ModelFileError where there is none, OSError where it cannot be read."""
    from fastrnn import load

    model: FittedModel = load(name)
    return model


def load_char_rnn(name: str) -> "CharRNN":
    """The model of texts in this file; ModelFileError where there is none, OSError where it cannot be read."""
    from fastrnn import CharRNN, ModelFileError

    model = load_model(name)
    if not isinstance(model, CharRNN):
        raise ModelFileError(f"{name} holds a {type(model).__name__}, and this takes a CharRNN: name another file")
    return model

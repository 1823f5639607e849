"""The first weights of a min-char-rnn script, for the examples that follow one."""

import numpy as np

import fastrnn


def draw(model: fastrnn.CharRNN, seed: int) -> None:
    """Weights N(0, 0.01^2) from NumPy's global state, in the script's order, and biases of 0."""
    np.random.seed(seed)  # noqa: NPY002
    for name in ("rnn.weight_ih_l0", "rnn.weight_hh_l0", "linear.weight"):
        weight = model.parameters[name]
        weight[...] = np.random.randn(*weight.shape) * 0.01  # noqa: NPY002
    for name in ("rnn.bias_ih_l0", "rnn.bias_hh_l0", "linear.bias"):
        model.parameters[name][...] = 0

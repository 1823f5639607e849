"""Vanishing and exploding gradients, seen: what is left of a gradient after k steps back through time.

A vanilla RNN multiplies the gradient by its recurrent matrix at each step, W_hh^T diag(1 - h_t^2). An LSTM's cell has a
way back without a matrix: dL/dc_{t-1} = f_t * dL/dc_t, so that a forget gate of 1 with an input gate of 0 keeps it.

    python examples/gradient_flow.py                # the numbers
    python examples/gradient_flow.py pictures/      # and a picture of each, by matplotlib

Source of the question: Stanford's CS231n, lecture 8; Pascanu, Mikolov and Bengio, "On the difficulty of training
recurrent neural networks", 2013.
"""

import sys
from pathlib import Path

import numpy as np

import fastrnn

steps, sequences, input_size, hidden_size = 100, 32, 8, 64


def vanilla(largest: float, rng: np.random.Generator) -> fastrnn.RNN:
    """A vanilla RNN whose recurrent matrix has singular values from 0.9 * `largest` to `largest`."""
    layer = fastrnn.RNN(input_size, hidden_size, bias=False, dtype="float64", rng=rng)
    weight_hh = layer.parameters["weight_hh_l0"]
    orthogonal, _ = np.linalg.qr(weight_hh)
    weight_hh[...] = orthogonal * np.linspace(largest, 0.9 * largest, hidden_size)
    return layer


def lstm(forget_bias: float, input_bias: float, rng: np.random.Generator) -> fastrnn.LSTM:
    """An LSTM as it is drawn at first, with these added to the biases of the forget and the input gate."""
    layer = fastrnn.LSTM(input_size, hidden_size, dtype="float64", rng=rng)
    i, f, _, _ = np.split(layer.parameters["bias_ih_l0"], 4)
    i += input_bias
    f += forget_bias
    return layer


def main() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((steps, sequences, input_size))
    faint = 1e-6 * x  # so that tanh stays where it is linear
    cases: dict[str, tuple[fastrnn.RNN | fastrnn.LSTM, np.ndarray]] = {
        "vanilla RNN, largest singular value 0.9": (vanilla(0.9, rng), faint),
        "vanilla RNN, largest singular value 1.2": (vanilla(1.2, rng), faint),
        "the same, but its units leave the linear part": (vanilla(1.2, rng), x),
        "LSTM as drawn, f about 0.5": (lstm(0.0, 0.0, rng), x),
        "LSTM, f about 0.88 (forget bias 2)": (lstm(2.0, 0.0, rng), x),
        "LSTM, f about 1 and i about 0 (biases 10 and -10)": (lstm(10.0, -10.0, rng), x),
    }
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    for number, (title, (layer, inputs)) in enumerate(cases.items()):
        flow = fastrnn.gradient_flow(layer, inputs)
        print(f"--- {title}\n{flow}\n")
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            flow.plot(folder / f"gradient_flow_{number}.png")


if __name__ == "__main__":
    main()

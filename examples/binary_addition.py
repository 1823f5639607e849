"""Binary addition: a network reads two numbers bit by bit, from the right, and says their sum bit by bit.

    python examples/binary_addition.py [SEED]

A script in NumPy, from others' notebook, does this with 16 sigmoid units without biases, squared error, and gradient
descent on one sum after the other, 10,000 of them. Here the same random numbers are drawn in the same order, so that
from seed 0 the errors are the script's. Printed are, every 1000 updates, the distance of the eight outputs from the
bits, added up, beside the script's, with the sum that the network found; and the share of the last 500 sums that it
found before it learned from them.
"""

import sys
from itertools import pairwise

import numpy as np

import fastrnn

BITS, HIDDEN_SIZE, UPDATES, COUNTED = 8, 16, 10_000, 500
# What the script prints after np.random.seed(0), every 1000 updates.
SCRIPT_ERRORS = [
    *(3.45638663, 3.63389116, 3.91366595, 3.72191702, 3.5852713),
    *(2.53352328, 0.57691441, 1.42589952, 0.47477457, 0.21595037),
]
# Of the weights as the script has them, in the order in which it draws them.
SHAPES = {
    "rnn.weight_ih_l0": (2, HIDDEN_SIZE),
    "linear.weight": (HIDDEN_SIZE, 1),
    "rnn.weight_hh_l0": (HIDDEN_SIZE,) * 2,
}


def bits(numbers: np.ndarray) -> np.ndarray:
    """Those of each number from the right, along a last axis."""
    return (numbers[..., np.newaxis] >> np.arange(BITS) & 1).astype(np.float64)


def draw(seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The first weights, uniform in (-1, 1), and both operands of every update, (UPDATES, 2), below 128."""
    random = np.random.RandomState(seed)
    weights = {name: (2 * random.random_sample(shape) - 1).T for name, shape in SHAPES.items()}
    return weights, random.randint(1 << (BITS - 1), size=(UPDATES, 2))


def adder() -> fastrnn.SequenceModel:
    """The network. Its loss is the mean of eight squared errors and the script's the sum of their halves, four times as
    much: the script's learning rate of 0.1 is 0.4 here."""
    return fastrnn.SequenceModel(
        "rnn",
        HIDDEN_SIZE,
        nonlinearity="sigmoid",
        bias=False,
        topology="many-to-many",
        output="sigmoid",
        loss="squared_error",
        optimizer="sgd",
        learning_rate=0.4,
        clip_norm=None,
        batch_size=1,
        shuffle=False,
        dtype="float64",
    )


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    weights, operands = draw(seed)
    x, y = bits(operands).transpose(0, 2, 1), bits(operands.sum(axis=1))[:, :, np.newaxis]
    model = adder()
    model.build("vectors", input_size=2, output_size=1)
    model.load_state_dict(weights)

    exact = []
    stops = sorted({*range(0, UPDATES, 1000), *range(UPDATES - COUNTED, UPDATES + 1)})
    for n, after in pairwise(stops):
        outputs = model.predict(x[n : n + 1])[0]
        exact.append(bool((outputs.round() == y[n]).all()))
        if n % 1000 == 0:
            script = f" (the script: {SCRIPT_ERRORS[n // 1000]:.8f})" if seed == 0 else ""
            a, b = operands[n]
            found = int(outputs[:, 0].round() @ (1 << np.arange(BITS)))
            print(f"update {n:4}, error {np.abs(y[n] - outputs).sum():.8f}{script}: {a} + {b} = {found}", flush=True)
        model.partial_fit(x[n:after], y[n:after], iterations=after - n)
    print(f"of the last {COUNTED} sums {sum(exact[-COUNTED:]) / COUNTED:.1%} were exact")


if __name__ == "__main__":
    main()

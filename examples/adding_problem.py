"""The adding problem: of a long sequence of numbers two are marked, and their sum is asked for at the end.

    python examples/adding_problem.py

Who remembers nothing can only answer with the mean, 1, and has a mean squared error of 1/6 (0.1767 in some papers), the
variance of a sum of two numbers from [0, 1). Printed is, for each cell, the error on new sequences of 10, 30 and 100
steps, after 1500 updates on sequences of 10 to 100: the LSTM and the GRU find the sum, the vanilla RNN stays where
guessing is, at each of three learning rates.

Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997.
"""

import numpy as np

import fastrnn

SHORTEST, LONGEST, UPDATES = 10, 100, 1500
TESTED = (10, 30, 100)
LEARNING_RATES = {"lstm": (0.01,), "gru": (0.01,), "rnn": (0.01, 0.003, 0.001)}


def draw(rng: np.random.Generator, lengths: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Sequences of these lengths of numbers from [0, 1), each with a mark, 1 at one number of either half and else 0:
    arrays (T, 2). And the sums of the marked numbers."""
    sequences, sums = [], []
    for T in lengths:
        numbers, marks = rng.random(T), np.zeros(T)
        places = rng.integers(0, T // 2), rng.integers(T // 2, T)
        marks[[*places]] = 1
        sequences.append(np.stack([numbers, marks], axis=1))
        sums.append(numbers @ marks)
    return sequences, np.array(sums)


def trained(cell: str, learning_rate: float, seed: int = 0) -> fastrnn.SequenceModel:
    """A network of 32 units after its training."""
    rng = np.random.default_rng(seed)
    model = fastrnn.SequenceModel(cell, 32, output="linear", learning_rate=learning_rate, seed=seed)
    model.fit(*draw(rng, rng.integers(SHORTEST, LONGEST + 1, 6400)), iterations=UPDATES)
    return model


def main() -> None:
    tests = {T: draw(np.random.default_rng(T), np.full(1000, T)) for T in TESTED}
    print(f"{'mean squared error of':25}" + "".join(f"{f'{T} steps':>12}" for T in TESTED))
    print(f"{'the mean':25}" + "".join(f"{y.var():12.4f}" for _, y in tests.values()))
    for cell, rates in LEARNING_RATES.items():
        for rate in rates:
            model = trained(cell, rate)
            errors = [model.evaluate(*test)["loss"] for test in tests.values()]
            print(f"{f'{cell}, learning rate {rate}':25}" + "".join(f"{error:12.4f}" for error in errors), flush=True)


if __name__ == "__main__":
    main()

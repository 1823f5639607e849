"""Parity: is the number of ones in a string of bits odd? One wrong bit in a hundred, and the answer is wrong.

    python examples/parity.py

The networks learn from strings of up to 8 bits, and then of up to 20. Printed is, for each cell, how many of 1000 new
strings of 10, 30 and 100 bits it judges rightly. The LSTM has found the rule and follows it over a hundred steps; the
vanilla RNN, after as many updates at each of two learning rates, guesses.
"""

import numpy as np

import fastrnn

STAGES = ((8, 600), (20, 400))  # the longest strings, and updates
TESTED = (10, 30, 100)
LEARNING_RATES = {"lstm": (0.01,), "rnn": (0.01, 0.003)}


def draw(rng: np.random.Generator, lengths: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Strings of bits of these lengths, and the parity of each."""
    strings = [rng.integers(0, 2, T) for T in lengths]
    return strings, np.array([string.sum() % 2 for string in strings])


def trained(cell: str, learning_rate: float, seed: int = 0) -> fastrnn.SequenceModel:
    """A network of 32 units after its training."""
    rng = np.random.default_rng(seed)
    model = fastrnn.SequenceModel(cell, 32, batch_size=64, learning_rate=learning_rate, seed=seed)
    for longest, updates in STAGES:
        model.fit(*draw(rng, rng.integers(2, longest + 1, 3200)), iterations=updates)
    return model


def main() -> None:
    tests = {T: draw(np.random.default_rng(T), np.full(1000, T)) for T in TESTED}
    print(f"{'right with':25}" + "".join(f"{f'{T} bits':>12}" for T in TESTED))
    for cell, rates in LEARNING_RATES.items():
        for rate in rates:
            model = trained(cell, rate)
            shares = [model.evaluate(*test)["accuracy"] for test in tests.values()]
            print(f"{f'{cell}, learning rate {rate}':25}" + "".join(f"{share:12.1%}" for share in shares), flush=True)


if __name__ == "__main__":
    main()

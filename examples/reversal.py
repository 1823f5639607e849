"""Sequence to sequence: strings of different lengths, copied and reversed.

    python examples/reversal.py

An encoder reads the string and a decoder writes, from the encoder's last states alone. Printed are the share of 1000
unseen strings whose copy, or reversal, is right from the first character to the last, and some of them.

Source: Sutskever, Vinyals and Le, "Sequence to sequence learning with neural networks", 2014.
"""

import numpy as np

import fastrnn

ALPHABET, LONGEST, STRINGS, UPDATES = "abcdefgh", 6, 50_000, 3000
TASKS = {"copy": slice(None), "reverse": slice(None, None, -1)}


def draw(rng: np.random.Generator, count: int) -> list[str]:
    """Random strings of 1 to LONGEST characters."""
    lengths = rng.integers(1, LONGEST + 1, count)
    return ["".join(ALPHABET[i] for i in rng.integers(0, len(ALPHABET), length)) for length in lengths]


def unseen(rng: np.random.Generator, count: int, seen: list[str]) -> list[str]:
    """Random strings that are not among those seen."""
    known, found = set(seen), set[str]()
    while len(found) < count:
        found |= set(draw(rng, count)) - known
    return sorted(found)[:count]


def trained(task: slice, strings: list[str], seed: int = 0) -> fastrnn.Seq2Seq:
    """An encoder and a decoder of 128 units after their training."""
    model = fastrnn.Seq2Seq(
        "lstm",
        128,
        embedding_size=32,
        batch_size=64,
        learning_rate=0.01,
        schedule="cosine",
        schedule_iterations=UPDATES,
        seed=seed,
    )
    model.fit(strings, [string[task] for string in strings], iterations=UPDATES)
    return model


def main() -> None:
    rng = np.random.default_rng(0)
    strings = draw(rng, STRINGS)
    new = unseen(rng, 1000, strings)
    for name, task in TASKS.items():
        model = trained(task, strings)
        exact = model.evaluate(new, [string[task] for string in new])["exact"]
        print(f"{name}: {exact:.1%} of {len(new)} unseen strings exact")
        some = new[:: len(new) // 5]
        for string, answer in zip(some, model.predict(some), strict=True):
            print(f"  {string} -> {answer}", flush=True)


if __name__ == "__main__":
    main()

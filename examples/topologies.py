"""Every topology of a recurrent network, each on a task so small that all of its right answers are known.

    python examples/topologies.py

Printed are the task of each and the share of its right answers; then what a model of the characters of "hello" says
after each of them, and what it writes when it reads its own characters.

Source: Stanford's CS231n, lecture 8.
"""

import itertools
from collections.abc import Callable

import numpy as np

import fastrnn


def one_to_one() -> tuple[str, float]:
    """One step is an ordinary network with a hidden layer."""
    x = np.array(list(itertools.product([0.0, 1.0], repeat=2)))
    y = np.array([0, 1, 1, 0])
    model = fastrnn.SequenceModel("rnn", 8, topology="one-to-one", learning_rate=0.05, seed=0)
    model.fit(x, y, iterations=300)
    return "exclusive or of two numbers", model.evaluate(x, y)["accuracy"]


def one_to_many() -> tuple[str, float]:
    x = np.eye(8)
    y = np.maximum(np.arange(8)[:, np.newaxis] - np.arange(8), 0)
    model = fastrnn.SequenceModel("gru", 32, topology="one-to-many", learning_rate=0.02, seed=0)
    model.fit(x, y, iterations=400)
    return "from n, which is read once, down to 0", model.evaluate(x, y)["exact"]


def many_to_one() -> tuple[str, float]:
    x = np.array(list(itertools.product(range(3), repeat=5)))
    y = x[:, 0]
    model = fastrnn.SequenceModel("lstm", 16, topology="many-to-one", learning_rate=0.02, seed=0)
    model.fit(x, y, iterations=400)
    return "the first of five tokens", model.evaluate(x, y)["accuracy"]


def many_to_many() -> tuple[str, float]:
    """Sequences of 1 to 6 steps, and an answer at each step."""
    x = [np.array(bits) for T in range(1, 7) for bits in itertools.product(range(2), repeat=T)]
    y = [np.cumsum(bits) % 2 for bits in x]
    model = fastrnn.SequenceModel("gru", 16, topology="many-to-many", learning_rate=0.02, seed=0)
    model.fit(x, y, iterations=400)
    return "parity of the bits so far", model.evaluate(x, y)["exact"]


def both_directions() -> tuple[str, float]:
    """What comes later is known too where one direction reads the sequence backwards."""
    x = np.array(list(itertools.product(range(2), repeat=6)))
    y = np.roll(x, -1, axis=1)
    y[:, -1] = 0
    model = fastrnn.SequenceModel("rnn", 16, topology="many-to-many", bidirectional=True, learning_rate=0.02, seed=0)
    model.fit(x, y, iterations=400)
    return "the token that comes next", model.evaluate(x, y)["exact"]


def sequence_to_sequence() -> tuple[str, float]:
    """Source and target of different lengths."""
    sources = ["".join(letters) for T in range(1, 5) for letters in itertools.product("abc", repeat=T)]
    targets = ["".join(2 * letter for letter in reversed(source)) for source in sources]
    model = fastrnn.Seq2Seq("gru", 64, embedding_size=16, learning_rate=0.01, seed=0)
    model.fit(sources, targets, iterations=1000)
    return "backwards, every letter twice", model.evaluate(sources, targets)["exact"]


TOPOLOGIES: dict[str, Callable[[], tuple[str, float]]] = {
    "one to one": one_to_one,
    "one to many": one_to_many,
    "many to one": many_to_one,
    "many to many": many_to_many,
    "many to many, both directions": both_directions,
    "many to one to many": sequence_to_sequence,
}


def hello() -> None:
    """Four characters, each an embedding of 4 numbers, and the character that follows."""
    text, vocabulary = "hello", "helo"
    codes = np.array([vocabulary.index(character) for character in text])
    model = fastrnn.SequenceModel(
        "rnn", 8, topology="many-to-many", embedding_size=4, learning_rate=0.02, output_size=4, seed=0
    )
    model.fit(codes[np.newaxis, :-1], codes[np.newaxis, 1:], iterations=300)
    for character, p in zip(text, model.predict(codes[np.newaxis, :-1])[0], strict=False):
        print(f"  {character} -> " + "  ".join(f"{v} {q:.3f}" for v, q in zip(vocabulary, p, strict=True)))
    written, states = "h", None
    while len(written) < len(text):
        token = np.array([[vocabulary.index(written[-1])]])
        p, states = model.predict(token, states=states, return_states=True)
        written += vocabulary[int(p[0, 0].argmax())]
    print(f"  fed with what it says: {written}")


def main() -> None:
    for topology, right in TOPOLOGIES.items():
        task, share = right()
        print(f"{topology:30} {task:40} {share:7.1%}", flush=True)
    print("hello")
    hello()


if __name__ == "__main__":
    main()

"""Captions: from a vector of features, as a network for images would give it, a sentence in words.

    python examples/caption.py

A picture shows up to four things of one colour and one shape. Its features are 32 numbers, the sum of three random
vectors, one for each of these, and noise, so that no feature alone says anything. They become the first state of the
decoder, which writes "two red squares on a wall". Printed are the share of 500 unseen vectors whose caption is right in
every word, how likely the network finds the right ones, and what a beam search finds for one.

Source: Vinyals et al., "Show and tell: a neural image caption generator", 2015.
"""

import numpy as np

import fastrnn

COUNTS = ("one", "two", "three", "four")
COLOURS = ("red", "green", "blue", "yellow", "black")
SHAPES = ("circle", "square", "triangle", "cross")
NOISE, FEATURES, UPDATES = 0.2, 32, 1000


def caption(count: int, colour: int, shape: int) -> list[str]:
    """Such as "one red cross", in words; more than one are said to be on a wall."""
    if count == 0:
        return ["one", COLOURS[colour], SHAPES[shape]]
    plural = SHAPES[shape] + ("es" if SHAPES[shape].endswith("s") else "s")
    return [COUNTS[count], COLOURS[colour], plural, "on", "a", "wall"]


def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, list[list[str]]]:
    """Features (n, FEATURES) of pictures, and their captions."""
    sizes = (len(COUNTS), len(COLOURS), len(SHAPES))
    attributes = np.stack([rng.integers(0, size, n) for size in sizes], axis=1)
    directions = np.random.default_rng(0)  # the same for all pictures
    tables = [directions.standard_normal((size, FEATURES)) for size in sizes]
    features = sum(table[attributes[:, k]] for k, table in enumerate(tables))
    return features + NOISE * rng.standard_normal((n, FEATURES)), [caption(*row) for row in attributes.tolist()]


def trained(features: np.ndarray, captions: list[list[str]], seed: int = 0) -> fastrnn.Seq2Seq:
    """A decoder of 64 units, and the linear layer that makes its first state, after their training."""
    model = fastrnn.Seq2Seq("gru", 64, source="features", embedding_size=16, learning_rate=0.005, seed=seed)
    model.fit(features, captions, iterations=UPDATES)
    return model


def main() -> None:
    rng = np.random.default_rng(1)
    model = trained(*draw(rng, 2000))
    features, captions = draw(rng, 500)
    exact = model.evaluate(features, captions)["exact"]
    likely = np.exp(model.log_probabilities(features, captions))
    print(f"{exact:.1%} of {len(captions)} captions exact; the right ones have a probability of {likely.mean():.3f}")
    for words, truth in zip(model.predict(features[:5]), captions[:5], strict=True):
        print(f"  {' '.join(map(str, words))}   (right: {' '.join(truth)})")
    print("beam search for the first:")
    for words, log_probability in model.beam_search(features[0], beam_size=3):
        print(f"  {np.exp(log_probability):.4f}  {' '.join(map(str, words))}")


if __name__ == "__main__":
    main()

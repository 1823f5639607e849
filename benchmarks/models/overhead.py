"""What CharRNN costs on top of the kernels: an rnn of 100 units, one sequence at a time.

    python -m benchmarks.models.overhead

`fit` against min-char-rnn's `Trainer`, hardly more than the native loop itself, and `sample` against the sample that
`min_char_rnn.bind` returns. Turns are taken, and the medians of the ratios printed with what lies in their middle half.
"""

import time
from collections.abc import Callable

import numpy as np

import fastrnn
from fastrnn import min_char_rnn
from fastrnn.arrays import Array
from fastrnn.text import default_text

ITERATIONS, CHARACTERS, ROUNDS = 5000, 20000, 15
Work = Callable[[], object]


def seconds(work: Work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(what: str, units: int, product: Work, kernels: Work) -> None:
    product(), kernels()
    pairs = [(seconds(product), seconds(kernels)) for _ in range(ROUNDS)]
    ratios = np.quantile([a / b for a, b in pairs], [0.25, 0.5, 0.75])
    a, b = np.median(pairs, axis=0) / units * 1e6
    print(f"{what}: {a:.3f} us, kernels {b:.3f} us, {ratios[1]:.3f} times ({ratios[0]:.3f} to {ratios[2]:.3f})")


def script_arrays(model: fastrnn.CharRNN) -> tuple[Array, Array, Array, Array, Array]:
    """Copies of the model's weights as min-char-rnn has them: Wxh, Whh, Why, bh, by."""
    p = model.parameters
    return (
        p["rnn.weight_ih_l0"].copy(),
        p["rnn.weight_hh_l0"].copy(),
        p["linear.weight"].copy(),
        p["rnn.bias_ih_l0"].reshape(-1, 1).copy(),
        p["linear.bias"].reshape(-1, 1).copy(),
    )


def rnn(dtype: str, text: str) -> None:
    """fit and sample of an rnn of 100 units against Trainer.run and bind's sample, on the same weights."""
    model = fastrnn.CharRNN("rnn", 100, dtype=dtype, learning_rate=0.01, seed=0)
    model.build(text)
    codes = model.vocabulary.encode_text(text).codes
    trainer = min_char_rnn.Trainer(*script_arrays(model), codes, learning_rate=0.01)
    compare(
        f"fit rnn, {dtype}",
        ITERATIONS,
        lambda: model.fit(text, iterations=ITERATIONS),
        lambda: trainer.run(ITERATIONS),
    )
    _, sample = min_char_rnn.bind(*script_arrays(model))
    h, first = np.zeros((100, 1), dtype), int(model.vocabulary.encode("a")[0])
    compare(
        f"sample rnn, {dtype}",
        CHARACTERS,
        lambda: model.sample(CHARACTERS, "a", rng=0),
        lambda: sample(h, first, CHARACTERS),
    )


def main() -> None:
    text = default_text()
    for dtype in ("float64", "float32"):
        rnn(dtype, text)


if __name__ == "__main__":
    main()

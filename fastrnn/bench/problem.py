"""The work that every contender is given: the same network, text and optimizer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.text import default_text
from fastrnn.tokens import tokens_of

Array = NDArray[np.floating[Any]]
Indices = NDArray[np.int64]

SAMPLE_LENGTH = 200  # characters that one call of `sample` draws
STREAM_LENGTH = 1000  # steps of one call of `stream`
ITERATIONS = 20  # of training that one call does at least, where a loop of many runs outside Python
GATES = {"rnn": 1, "gru": 3, "lstm": 4}  # blocks of H rows that a cell's weights have


@dataclass(frozen=True)
class Problem:
    """A network of H units over V characters, trained on T characters at a time of each of B streams: min-char-rnn, or
    where `cell` is "rnn", "gru" or "lstm" one of layers, with the weights and biases that PyTorch's have."""

    dtype: str
    H: int
    B: int = 1
    T: int = 25
    V: int = 65  # as in an English book
    learning_rate: float = 1e-3
    clip: float = 5.0  # of min-char-rnn
    cell: str | None = None

    def of_dtype(self, dtype: str | None) -> "Problem":
        return self if dtype is None else replace(self, dtype=dtype)


_texts: dict[int, Indices] = {}  # functools.cache would hide the function's type


def text(V: int) -> Indices:
    """The manual that every Python brings, in its V most frequent characters, the others left out, as numbers."""
    if V not in _texts:
        _texts[V] = _encoded_manual(V)
    return _texts[V]


def _encoded_manual(V: int) -> Indices:
    manual = default_text()
    frequent = sorted(set(manual), key=lambda character: (-manual.count(character), character))[:V]
    manual = "".join(character for character in manual if character in frequent)
    return tokens_of("char", manual).encode(manual)


def streams(problem: Problem) -> Indices:
    """The text cut into B equal parts, side by side, (N, B)."""
    whole, B = text(problem.V), problem.B
    return np.ascontiguousarray(whole[: len(whole) // B * B].reshape(B, -1).T)


def distinct(problem: Problem) -> float:
    """How many different characters T in a row of all streams hold, on average."""
    T, B, whole = problem.T, problem.B, streams(problem)
    sequences = np.sort(whole[: len(whole) // T * T].reshape(-1, T * B))
    return 1 + float(np.count_nonzero(np.diff(sequences), axis=1).mean())


def weights(problem: Problem) -> tuple[Array, ...]:
    """Wxh, Whh, Why, bh, by, of the size that they have after some training."""
    H, V = problem.H, problem.V
    rng = np.random.default_rng(H)
    shapes = ((H, V), (H, H), (V, H), (H, 1), (V, 1))
    return tuple((rng.standard_normal(shape) * 0.5 / shape[1] ** 0.5).astype(problem.dtype) for shape in shapes)


def batch(problem: Problem) -> tuple[Indices, Indices, Array]:
    """inputs and targets (T, B), the beginnings of the streams, and states (B, H) to begin from."""
    T, B = problem.T, problem.B
    whole = streams(problem)
    states = np.random.default_rng(B).uniform(-0.5, 0.5, (B, problem.H)).astype(problem.dtype)
    return whole[:T], whole[1 : T + 1], states


def walk(whole: Any, T: int) -> Iterator[tuple[Any, Any, bool]]:
    """inputs and targets (T, B) of one iteration after the other, from streams (N, B), and whether they are the first
    ones; without end."""
    while True:
        for p in range(0, len(whole) - T, T):
            yield whole[p : p + T], whole[p + 1 : p + T + 1], p == 0


State = dict[str, Array]


def layer_weights(problem: Problem, input_size: int) -> State:
    """The state dict of a recurrent layer."""
    assert problem.cell is not None
    H, rows = problem.H, GATES[problem.cell] * problem.H
    shapes: dict[str, tuple[int, ...]] = {
        "weight_ih_l0": (rows, input_size),
        "weight_hh_l0": (rows, H),
        "bias_ih_l0": (rows,),
        "bias_hh_l0": (rows,),
    }
    return _drawn(problem, shapes)


def linear_weights(problem: Problem) -> State:
    """The state dict of a linear layer on it."""
    return _drawn(problem, {"weight": (problem.V, problem.H), "bias": (problem.V,)})


def _drawn(problem: Problem, shapes: Mapping[str, tuple[int, ...]]) -> State:
    """Uniform in +-1 / sqrt(H), and the same in every dtype."""
    rng, bound = np.random.default_rng(problem.H), problem.H**-0.5
    return {
        name: rng.uniform(-bound, bound, shape).astype(np.float32).astype(problem.dtype)
        for name, shape in shapes.items()
    }


def embedding_weights(problem: Problem) -> State:
    """The state dict of an embedding of the characters in as many numbers as there are characters."""
    table = np.random.default_rng(problem.V).standard_normal((problem.V, problem.V))
    return {"weight": table.astype(np.float32).astype(problem.dtype)}


def chunks(problem: Problem) -> tuple[Indices, Indices]:
    """inputs and targets (n, T): chunks from random places of the text, to be trained on in turn."""
    whole = text(problem.V)
    starts = np.random.default_rng(0).integers(0, len(whole) - problem.T, 64)
    places = starts[:, None] + np.arange(problem.T)
    return whole[places], whole[places + 1]


def one_bias(problem: Problem) -> bool:
    """Whether a `network` trains only the first bias of its cell: the second of an RNN or an LSTM only adds to it."""
    return problem.cell != "gru"


def iterations_at_once(problem: Problem) -> int:
    """How many iterations of training one call does at least, where a loop of many runs outside Python: that of a batch
    is long enough for a call of its own."""
    return ITERATIONS if problem.B == 1 else 1


def checked_iterations(task: str, problem: Problem) -> int:
    """After how many iterations, or calls, what a contender computes is held against the reference's: fewer where the
    reference takes seconds for each."""
    if task in ("train", "step") or (task in ("layer", "network") and problem.B == 1):
        return ITERATIONS
    return 2 if task in ("layer", "network", "char-gru") else 1

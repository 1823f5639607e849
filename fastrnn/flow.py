"""How far back gradients reach: their norms by lag, and what makes them vanish or explode."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastrnn import flow_plot
from fastrnn.arguments import integer, positive
from fastrnn.arrays import Array, Integers, real_array
from fastrnn.char_rnn import CharRNN
from fastrnn.gates import blocks, gates, saturated
from fastrnn.layers import GRU, LSTM, RNN
from fastrnn.losses import softmax_cross_entropy
from fastrnn.parts import Parts, Recurrent, parts_of, single_layers
from fastrnn.random import generator

Floats = NDArray[np.float64]

SEQUENCES = 64  # of a text: enough for a mean, little work
CLIP_VALUE = 5.0  # min-char-rnn's


@dataclass(frozen=True, eq=False, repr=False)
class GradientFlow:
    """What `gradient_flow` found. Symbols: L layers, H units, K lags 0 ... K - 1, N iterations.

    dh_norm (L, K): |dL/dh_{T-k}|, the norm of the gradient of the last step's loss L with respect to each layer's
    state k steps before, mean over the sequences. dc_norm (L, K): of an LSTM the same for its cell c, of which h is
    taken to follow; None for others. Both are total derivatives: by all ways from that state to the loss, also through
    the layers above.
    singular_values: of each gate's block (H, H) of weight_hh, by name ("h" of an RNN; "r", "z", "n"; "i", "f", "g",
    "o"), (L, H), the largest first.
    saturated: by the same names, (L,), the share of the gate's values, over all units, steps and sequences, where its
    derivative has almost vanished: |tanh| > 0.97; a sigmoid below 0.03 or above 0.97; a relu at 0.
    gradient_norm (N,): the norm of the gradient with respect to all parameters, before clipping, of each training
    iteration over these sequences. clipped_share (N,): the share of its elements beyond clip_value, which clipping
    would cut; None where clip_value is.
    """

    name: str
    steps: int
    sequences: int
    dh_norm: Floats
    dc_norm: Floats | None
    singular_values: dict[str, Floats]
    saturated: dict[str, Floats]
    gradient_norm: Floats
    clip_value: float | None
    clipped_share: Floats | None

    @property
    def factor_per_step(self) -> Floats:
        """(L,): what the norm of dL/dh is multiplied by from one lag to the next, the geometric mean over all lags,
        (norm_{K-1} / norm_0)^(1 / (K-1)); NaN for a single lag, or where the norm at lag 0 is 0."""
        return _factor_per_step(self.dh_norm)

    @property
    def cell_factor_per_step(self) -> Floats | None:
        """(L,): the same for dL/dc of an LSTM; None for others."""
        return None if self.dc_norm is None else _factor_per_step(self.dc_norm)

    @property
    def shown_lags(self) -> list[int]:
        """The lags that tables show: 0, 1, 2, 4, 8, ... and the last."""
        last = self.dh_norm.shape[1] - 1
        return sorted({0, last, *(2**n for n in range(last.bit_length()))})

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON has it: arrays as lists, NaN and infinity as None."""
        return {field: _as_json(getattr(self, field)) for field in (*self.__dataclass_fields__, *_DERIVED)}

    def plot(self, target: Any) -> None:
        """Draws the picture with matplotlib (`pip install 'fastrnn[plot]'`; ImportError without it).

        target: a path to write, in the format that its ending says, of norms by lag, singular values and shares of
        saturated units side by side; or a `matplotlib.axes.Axes`, for the norms by lag alone.
        """
        flow_plot.plot(self, target)

    def __repr__(self) -> str:
        """A table."""
        lags = self.shown_lags
        lines = [
            f"GradientFlow of {self.name}: the loss of step {self.steps}, mean of {self.sequences} sequences",
            f"{'lag':16}{''.join(f'{lag:>9}' for lag in lags)}   a step",
        ]
        rows = [("h", self.dh_norm, self.factor_per_step)]
        if self.dc_norm is not None and self.cell_factor_per_step is not None:
            rows.append(("c", self.dc_norm, self.cell_factor_per_step))
        for symbol, norms, factors in rows:
            for layer, (norm, factor) in enumerate(zip(norms, factors, strict=True)):
                numbers = "".join(f"{norm[lag]:9.2g}" for lag in lags)
                lines.append(f"{f'|dL/d{symbol}| layer {layer}':16}{numbers}  * {factor:.3f}")
        for layer in range(len(self.dh_norm)):
            largest = ", ".join(f"{name} {values[layer, 0]:.3g}" for name, values in self.singular_values.items())
            shares = ", ".join(f"{name} {values[layer]:.1%}" for name, values in self.saturated.items())
            lines.append(f"layer {layer}: largest singular value of weight_hh {largest}; saturated {shares}")
        clipping = ""
        if self.clipped_share is not None:
            clipping = f"; clip_value {self.clip_value:g} cuts {self.clipped_share.mean():.2%} of its elements"
        lines.append(f"norm of the whole gradient {self.gradient_norm.mean():.3g}{clipping}")
        return "\n".join(lines)


_DERIVED = ("factor_per_step", "cell_factor_per_step")


def gradient_flow(
    source: CharRNN | RNN | GRU | LSTM,
    data: Any,
    *,
    seq_length: int | None = None,
    num_sequences: int | None = None,
    h0: Any = None,
    dy: Any = None,
    clip_value: float | None = None,
    rng: Any = 0,
) -> GradientFlow:
    """How the gradient of the last step's loss fares on its way back through time, as a `GradientFlow`.

        dL/dh_{t-1} = (dh_t / dh_{t-1})^T dL/dh_t,    of an RNN with tanh: W_hh^T diag(1 - h_t^2) dL/dh_t

    Each step back multiplies by the recurrent matrix: where its largest singular value is below 1 the gradient must
    vanish, where it is above 1 it may explode (Pascanu, Mikolov and Bengio 2013). An LSTM's cell has a way back without
    a matrix, dL/dc_{t-1} = f_t * dL/dc_t + what comes through the gates.

    Of a built `CharRNN`, data is a text, as `evaluate` takes it. Its first num_sequences * seq_length + 1 tokens are
    cut into sequences of seq_length (the model's unless given; num_sequences 64, or as many as the text has), each
    begun in the state that reading all before it leaves, as in training. L = -ln p of a sequence's last target.
    gradient_norm is that of the loss that training descends, over batches of the model's batch_size; of the model's
    clip_value unless another is given. Parameters that are not trained are left out, and dropout is.

    Of a recurrent layer of one direction, data is x, (T, B, I) or (T, B) integers, with h0 as in a call of the layer;
    dropout is left out. L = dy . y_T with dy (B, H), the gradient with respect to the last output, unless given a
    random vector of length 1 for each sequence (drawn from rng), so that norms at lag 0 are 1; gradient_norm is that of
    the mean of L over the sequences, and clip_value 5.

    Nothing in source is changed. TypeError, ValueError or IndexError, naming the argument, for arguments that won't do.
    """
    if isinstance(source, CharRNN):
        _refuse("a model", h0=h0, dy=dy)
        parts = parts_of(source)
        codes = source.vocabulary.encode_text(data).codes
        return flow_of_model(source, parts, codes, seq_length, num_sequences, clip_value)
    if isinstance(source, RNN | GRU | LSTM):
        _refuse("a layer", seq_length=seq_length, num_sequences=num_sequences)
        return _flow_of_layer(source, data, h0, dy, clip_value, rng)
    raise TypeError(f"source must be a CharRNN, or an RNN, GRU or LSTM of fastrnn, not {type(source).__name__}")


def _refuse(what: str, **arguments: Any) -> None:
    for name, value in arguments.items():
        if value is not None:
            raise ValueError(f"{name} is not for {what}: leave it out")


# ---- of a model ------------------------------------------------------------------------------------------------------


@np.errstate(over="ignore", invalid="ignore")  # what explodes is what is looked for
def flow_of_model(
    model: CharRNN,
    parts: Parts,
    codes: Integers,
    seq_length: int | None = None,
    num_sequences: int | None = None,
    clip_value: float | None = None,
) -> GradientFlow:
    """`gradient_flow` of a model, which consists of these parts, over a text in codes (n,)."""
    T = model.seq_length if seq_length is None else integer(seq_length, "seq_length", 1)
    most = SEQUENCES if num_sequences is None else integer(num_sequences, "num_sequences", 1)
    clip_value = model.clip_value if clip_value is None else positive(clip_value, "clip_value")
    B = min(most, (len(codes) - 1) // T)
    if B < 1:
        raise ValueError(
            f"text has {len(codes)} tokens, fewer than the {T + 1} that one sequence and its last target take: use a "
            f"longer text, or a smaller seq_length"
        )
    read = codes[: B * T + 1].astype(np.int64)
    x, targets = read[:-1].reshape(B, T).T, read[1:].reshape(B, T).T
    states = _states_between(parts, x)
    walk = _Walk(parts.recurrent, _inputs(parts, x), states)
    logits, tape = parts.linear.forward(walk.top)
    _, dlogits = softmax_cross_entropy(logits, targets[-1], "sum")
    dh_norm, dc_norm = walk.back(parts.linear.backward(tape, dlogits))

    starts = range(0, B, model.batch_size)
    batches = [slice(start, start + model.batch_size) for start in starts]
    gradients = [
        _training_gradient(parts, x[:, batch], targets[:, batch], [_columns(state, batch) for state in states])
        for batch in batches
    ]
    return GradientFlow(
        name=repr(model),
        steps=T,
        sequences=B,
        dh_norm=dh_norm,
        dc_norm=dc_norm,
        singular_values=_singular_values(parts.recurrent),
        saturated=walk.saturated(),
        gradient_norm=np.array([_norm(gradient) for gradient in gradients]),
        clip_value=clip_value,
        clipped_share=_clipped_share(gradients, clip_value),
    )


def _inputs(parts: Parts, x: Integers) -> Array | Integers:
    """What the lowest recurrent layer reads."""
    return x if parts.embedding is None else parts.embedding(x)


def _states_between(parts: Parts, x: Integers) -> list[Any]:
    """Each layer's states before the sequences x (T, B), which are read one after the other, from states of zero."""
    before: list[list[Any]] = [[] for _ in parts.recurrent]
    states: list[Any] = [None] * len(parts.recurrent)
    for b in range(x.shape[1]):
        y: Any = _inputs(parts, np.ascontiguousarray(x[:, b : b + 1]))
        for number, layer in enumerate(parts.recurrent):
            if states[number] is None:
                states[number] = _zeros(layer, 1)
            before[number].append(states[number])
            y, states[number] = layer(y, states[number])
    return [_side_by_side(column) for column in before]


def _training_gradient(parts: Parts, x: Integers, targets: Integers, states: list[Any]) -> Array:
    """The gradient, as one vector, of the mean over the sequences of the sum over their steps of -ln p, with respect
    to what a model trains."""
    for layer in parts.layers():
        layer.zero_gradients()
    embedding_tape = None
    y: Any = x
    if parts.embedding is not None:
        y, embedding_tape = parts.embedding.forward(x)
    tapes = []
    for layer, state in zip(parts.recurrent, states, strict=True):
        y, _, tape = layer.forward(y, state)
        tapes.append(tape)
    logits, linear_tape = parts.linear.forward(y)
    _, dlogits = softmax_cross_entropy(logits, targets, "sum")
    dy: Any = parts.linear.backward(linear_tape, dlogits / dlogits.dtype.type(x.shape[1]))
    for layer, tape in zip(reversed(parts.recurrent), reversed(tapes), strict=True):
        dy, _ = layer.backward(tape, dy)
    if parts.embedding is not None and embedding_tape is not None:
        parts.embedding.backward(embedding_tape, dy)
    trained = [
        gradient.ravel()
        for layer in parts.layers()
        for name, gradient in layer.gradients.items()
        if isinstance(layer, GRU) or not name.startswith("bias_hh")  # a CharRNN's other cells have one bias
    ]
    return np.concatenate(trained)


# ---- of a layer ------------------------------------------------------------------------------------------------------


@np.errstate(over="ignore", invalid="ignore")
def _flow_of_layer(layer: Recurrent, data: Any, h0: Any, dy: Any, clip_value: float | None, rng: Any) -> GradientFlow:
    if layer.bidirectional:
        raise ValueError(
            "source must have one direction: of a bidirectional layer pass a copy with bidirectional=False"
        )
    clip_value = CLIP_VALUE if clip_value is None else positive(clip_value, "clip_value")
    x = layer._inputs(data, "T", "B")
    T, B = x.shape[:2]
    if dy is None:
        random = generator(rng).standard_normal((B, layer.hidden_size))
        dy = (random / np.linalg.norm(random, axis=1, keepdims=True)).astype(layer.dtype)
    dy = real_array(dy, "dy", layer.dtype, (B, layer.hidden_size))
    given = layer._states(h0, "h0", B)
    singles = single_layers(layer)
    states = [_zeros(single, B) for single in singles]
    if given is not None:
        states = [layer._public(tuple(part[i : i + 1] for part in given)) for i in range(layer.num_layers)]
    walk = _Walk(singles, x, states)
    for single in singles:
        single.zero_gradients()
    dh_norm, dc_norm = walk.back(dy)
    # Each step's backward pass has added to the gradients those of the sum of L over the sequences.
    gradient = np.concatenate([single.flat_gradients for single in singles]) / layer.dtype.type(B)
    return GradientFlow(
        name=repr(layer),
        steps=T,
        sequences=B,
        dh_norm=dh_norm,
        dc_norm=dc_norm,
        singular_values=_singular_values(singles),
        saturated=walk.saturated(),
        gradient_norm=np.array([_norm(gradient)]),
        clip_value=clip_value,
        clipped_share=_clipped_share([gradient], clip_value),
    )


# ---- step by step ----------------------------------------------------------------------------------------------------


class _Step(NamedTuple):
    """One layer at one step: what it read, the state before, the tape, and the state after."""

    x: Any
    before: tuple[Array, ...]
    tape: Any
    after: tuple[Array, ...]


class _Walk:
    """Layers of num_layers=1 over each other, run step by step over x, (T, B, I) or (T, B) integers, so that the
    gradient can be seen between any two steps."""

    def __init__(self, layers: tuple[Recurrent, ...], x: Array | Integers, states: list[Any]) -> None:
        self.layers = layers
        self.steps: list[list[_Step]] = []  # of each t, from the lowest layer up
        states = list(states)
        for t in range(len(x)):
            y: Any = x[t : t + 1]
            row = []
            for number, layer in enumerate(layers):
                before = states[number]
                inputs = y[0]
                y, states[number], tape = layer.forward(y, before)
                row.append(_Step(inputs, _arrays(before), tape, _arrays(states[number])))
            self.steps.append(row)
        self.gates = [
            gates(
                layer,
                np.concatenate([row[number].x for row in self.steps]),
                np.concatenate([row[number].before[0][0] for row in self.steps]),
            )
            for number, layer in enumerate(layers)
        ]

    @property
    def top(self) -> Array:
        """The last layer's state after the last step, (B, H)."""
        h: Array = self.steps[-1][-1].after[0][0]
        return h

    def saturated(self) -> dict[str, Floats]:
        """The share of each gate's values that are saturated, by the gate's name: (L,)."""
        return {
            name: np.array(
                [
                    saturated(layer, name, values[name]).mean()
                    for layer, values in zip(self.layers, self.gates, strict=True)
                ]
            )
            for name in self.gates[0]
        }

    def back(self, dtop: Array) -> tuple[Floats, Floats | None]:
        """From dL/dh (B, H) of the last layer after the last step: mean norms (L, T) of dL/dh, and of dL/dc or None,
        of each layer by lag. The tapes are used up."""
        T, L, B = len(self.steps), len(self.layers), len(dtop)
        dh_norm, dc_norm = np.zeros((L, T)), np.zeros((L, T))
        later = [_arrays(_zeros(layer, B)) for layer in self.layers]  # what comes from the step after
        is_lstm = len(later[0]) == 2
        for lag in range(T):
            t = T - 1 - lag
            above: Array = dtop if lag == 0 else np.zeros_like(dtop)
            for number in reversed(range(L)):
                layer, step = self.layers[number], self.steps[t][number]
                dh = later[number][0][0] + above
                dh_norm[number, lag] = _mean_norm(dh)
                if is_lstm:
                    o = self.gates[number]["o"].reshape(T, B, -1)[t]
                    dc = later[number][1][0] + dh * o * (1 - np.tanh(step.after[1][0]) ** 2)  # h = o * tanh(c)
                    dc_norm[number, lag] = _mean_norm(dc)
                dstate = (np.zeros_like(later[number][0]), later[number][1]) if is_lstm else None
                dx, dbefore = layer.backward(step.tape, dh[np.newaxis], dstate)
                later[number] = _arrays(dbefore)
                above = dx[0] if number and dx is not None else above
        return dh_norm, dc_norm if is_lstm else None


def _arrays(state: Any) -> tuple[Array, ...]:
    return state if isinstance(state, tuple) else (state,)


def _zeros(layer: Recurrent, B: int) -> Any:
    """The state zero of a layer with num_layers=1."""
    return layer._public(tuple(np.zeros((1, B, layer.hidden_size), layer.dtype) for _ in layer.state_names))


def _side_by_side(states: list[Any]) -> Any:
    """The states of B sequences as one, from B states of one sequence."""
    if isinstance(states[0], tuple):
        return tuple(np.concatenate(parts, axis=1) for parts in zip(*states, strict=True))
    return np.concatenate(states, axis=1)


def _columns(state: Any, batch: slice) -> Any:
    """The states of some of the sequences."""
    return tuple(part[:, batch] for part in state) if isinstance(state, tuple) else state[:, batch]


# ---- numbers ---------------------------------------------------------------------------------------------------------


def _singular_values(layers: tuple[Recurrent, ...]) -> dict[str, Floats]:
    """Of each gate's recurrent matrix, (L, H)."""
    matrices = [blocks(layer, layer.parameters["weight_hh_l0"]) for layer in layers]
    return {
        name: np.array([np.linalg.svd(of[name].astype(np.float64), compute_uv=False) for of in matrices])
        for name in matrices[0]
    }


def _mean_norm(rows: Array) -> float:
    return float(np.linalg.norm(rows.astype(np.float64), axis=1).mean())


def _norm(gradient: Array) -> float:
    return float(np.linalg.norm(gradient.astype(np.float64)))


def _clipped_share(gradients: list[Array], clip_value: float | None) -> Floats | None:
    if clip_value is None:
        return None
    return np.array([np.mean(np.abs(gradient) > clip_value) for gradient in gradients])


def _factor_per_step(norms: Floats) -> Floats:
    K = norms.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = norms[:, -1] / norms[:, 0]
    return ratio ** (1 / (K - 1)) if K > 1 else np.full(len(norms), math.nan)


def _as_json(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _as_json(value.tolist())
    if isinstance(value, list):
        return [_as_json(element) for element in value]
    if isinstance(value, dict):
        return {key: _as_json(element) for key, element in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value

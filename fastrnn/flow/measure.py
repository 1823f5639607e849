"""How far back gradients reach: their norms by lag, and what makes them vanish or explode."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.arguments import integer, positive
from fastrnn.arrays import Array, Integers, real_array
from fastrnn.char_rnn import CharRNN
from fastrnn.flow.gates import blocks
from fastrnn.flow.parts import Parts, Recurrent, parts_of, single_layers
from fastrnn.flow.result import GradientFlow
from fastrnn.flow.walk import Walk, columns, side_by_side, zero_state
from fastrnn.layers import GRU, LSTM, RNN
from fastrnn.losses import softmax_cross_entropy
from fastrnn.random import generator

Floats = NDArray[np.float64]

SEQUENCES = 64  # of a text: enough for a mean, little work
CLIP_VALUE = 5.0  # min-char-rnn's


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
    gradient_norm is that of the loss that training descends, over batches of the model's batch_size; clip_value is the
    model's unless given. Parameters that are not trained are left out, and so is dropout.

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
    walk = Walk(parts.recurrent, _inputs(parts, x), states)
    logits, tape = parts.linear.forward(walk.top)
    _, dlogits = softmax_cross_entropy(logits, targets[-1], "sum")
    dh_norm, *dc_norm = walk.norms_back(parts.linear.backward(tape, dlogits))

    starts = range(0, B, model.batch_size)
    batches = [slice(start, start + model.batch_size) for start in starts]
    gradients = [
        _training_gradient(parts, x[:, batch], targets[:, batch], [columns(state, batch) for state in states])
        for batch in batches
    ]
    return GradientFlow(
        name=repr(model),
        steps=T,
        sequences=B,
        dh_norm=dh_norm,
        dc_norm=dc_norm[0] if dc_norm else None,
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
                states[number] = zero_state(layer, 1)
            before[number].append(states[number])
            y, states[number] = layer(y, states[number])
    return [side_by_side(column) for column in before]


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
    states = [zero_state(single, B) for single in singles]
    if given is not None:
        states = [layer._public(tuple(part[i : i + 1] for part in given)) for i in range(layer.num_layers)]
    walk = Walk(singles, x, states)
    dh_norm, *dc_norm = walk.norms_back(dy)
    # Each step's backward pass has added to the gradients those of the sum of L over the sequences.
    gradient = np.concatenate([single.flat_gradients for single in singles]) / layer.dtype.type(B)
    return GradientFlow(
        name=repr(layer),
        steps=T,
        sequences=B,
        dh_norm=dh_norm,
        dc_norm=dc_norm[0] if dc_norm else None,
        singular_values=_singular_values(singles),
        saturated=walk.saturated(),
        gradient_norm=np.array([_norm(gradient)]),
        clip_value=clip_value,
        clipped_share=_clipped_share([gradient], clip_value),
    )


# ---- numbers ---------------------------------------------------------------------------------------------------------


def _singular_values(layers: tuple[Recurrent, ...]) -> dict[str, Floats]:
    """Of each gate's recurrent matrix, (L, H)."""
    matrices = [blocks(layer, layer.parameters["weight_hh_l0"]) for layer in layers]
    return {
        name: np.array([np.linalg.svd(of[name].astype(np.float64), compute_uv=False) for of in matrices])
        for name in matrices[0]
    }


def _norm(gradient: Array) -> float:
    return float(np.linalg.norm(gradient.astype(np.float64)))


def _clipped_share(gradients: list[Array], clip_value: float | None) -> Floats | None:
    if clip_value is None:
        return None
    return np.array([np.mean(np.abs(gradient) > clip_value) for gradient in gradients])

"""What a model does while it reads a text: its units, what it expects, and what surprises it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.arguments import integer
from fastrnn.arrays import Array
from fastrnn.char_rnn import CharRNN
from fastrnn.errors import NumericalError
from fastrnn.flow.measure import flow_of_model
from fastrnn.flow.parts import parts_of
from fastrnn.flow.result import GradientFlow
from fastrnn.report.traits import traits
from fastrnn.text import Text
from fastrnn.tokens import ByteTokens, Tokens

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

RARE = 10  # a trait that fewer places have, or lack, is left out: it would correlate by chance
NUMBERS_AT_ONCE = 2**22  # of probabilities


@dataclass(frozen=True, eq=False)
class Unit:
    """A hidden unit over n tokens.

    activation (n,): its output h_t after each token. deviation: the activation's standard deviation. trait: the one of
    `report.traits` that it correlates with most, in absolute value; correlation: that coefficient, in [-1, 1]; None
    and 0 for a unit that does not change, or a text without traits.
    """

    layer: int
    number: int
    activation: Array
    deviation: float
    trait: str | None
    correlation: float

    @property
    def name(self) -> str:
        """LAYER.NUMBER, each from 0."""
        return f"{self.layer}.{self.number}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Report:
    """What `inspect_text` found, over the first n tokens of a text that has `total`.

    pieces: the text of each token. codes (n,). units: the most telling first. likeliest (n, k): of the token after each
    place the k likeliest, the likeliest first, and probabilities (n, k). nats (n,): -ln p of each token given those
    before it, NaN for the first. flow: of the whole text; None where that is shorter than a sequence.
    """

    model: str
    vocabulary: Tokens
    total: int
    pieces: list[str]
    codes: Indices
    units: list[Unit]
    likeliest: Indices
    probabilities: Floats
    nats: Floats
    flow: GradientFlow | None

    def piece_of(self, code: int) -> str:
        """The text of any token of the vocabulary."""
        return _pieces(self.vocabulary, np.array([code]))[0]

    def as_json(self) -> dict[str, Any]:
        """The summary as JSON has it: no arrays of the text's length."""
        units = [
            {"unit": unit.name, "trait": unit.trait, "correlation": unit.correlation, "deviation": unit.deviation}
            for unit in self.units
        ]
        return {
            "model": self.model,
            "tokens": len(self.codes),
            "total_tokens": self.total,
            "loss": None if len(self.nats) < 2 else float(self.nats[1:].mean()),
            "units": units,
            "gradient_flow": None if self.flow is None else self.flow.as_json(),
        }


def inspect_text(model: CharRNN, text: Text, *, characters: int = 4000, units: int = 48, likeliest: int = 5) -> Report:
    """Reads the first `characters` tokens of a text from states of zero, as a `Report` of at most `units` units.

    The most telling units come first. A unit is as telling as the largest absolute value of the correlation coefficient
    (Pearson's) of its activation with a trait of the place in the text: inside quotation marks, position in the line,
    upper case, a space next, ... (see `report.traits`; those that fewer than 10 places have or lack are left out). So
    that the first are not all about the same, the best unit of each trait comes before the second of any; among units
    of the same rank the more telling one first, then the one of the larger standard deviation.

    ValueError for an empty text, one with tokens outside the vocabulary, or a model that is not built; TypeError or
    ValueError for other arguments that won't do; NumericalError where a state or a loss is NaN or infinite.
    """
    n, most = integer(characters, "characters", 1), integer(units, "units", 1)
    parts = parts_of(model)
    k = min(integer(likeliest, "likeliest", 1), model.vocabulary.size)
    encoded = model.vocabulary.encode_text(text)
    codes = encoded.codes[:n].astype(np.int64)
    pieces = _pieces(model.vocabulary, codes)
    x: Any = codes[:, np.newaxis]
    y: Any = x if parts.embedding is None else parts.embedding(x)
    states = []
    for layer in parts.recurrent:
        y, _ = layer(y)
        states.append(y[:, 0])
    if not all(np.isfinite(layer).all() for layer in states):
        raise NumericalError("the model's states are NaN or infinite: use one that was saved before that")
    likeliest_codes, probabilities, nats = _expectations(parts.linear, states[-1], codes, k)
    return Report(
        model=repr(model),
        vocabulary=model.vocabulary,
        total=len(encoded.codes),
        pieces=pieces,
        codes=codes,
        units=_most_telling(states, pieces, most),
        likeliest=likeliest_codes,
        probabilities=probabilities,
        nats=nats,
        flow=flow_of_model(model, parts, encoded.codes) if len(encoded.codes) > model.seq_length else None,
    )


def _pieces(vocabulary: Tokens, codes: Indices) -> list[str]:
    """The text of each token; of a byte the character of that number."""
    if isinstance(vocabulary, ByteTokens):
        return list(map(chr, codes.tolist()))
    return [vocabulary.decode([code]) for code in codes]


def _expectations(linear: Any, states: Array, codes: Indices, k: int) -> tuple[Indices, Floats, Floats]:
    """The k likeliest next tokens after each place, their probabilities, and -ln p of each token but the first."""
    n, V = len(codes), linear.output_size
    likeliest, probabilities = np.empty((n, k), np.int64), np.empty((n, k))
    nats = np.full(n, np.nan)
    block = max(1, NUMBERS_AT_ONCE // V)
    for begin in range(0, n, block):
        logits = linear(states[begin : begin + block]).astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        order = np.argsort(-log_p, axis=1, kind="stable")[:, :k]
        likeliest[begin : begin + block] = order
        probabilities[begin : begin + block] = np.exp(np.take_along_axis(log_p, order, axis=1))
        targets = codes[begin + 1 : begin + 1 + len(log_p)]
        nats[begin + 1 : begin + 1 + len(log_p)] = -log_p[np.arange(len(targets)), targets]
    return likeliest, probabilities, nats


# ---- telling units ---------------------------------------------------------------------------------------------------


def _most_telling(states: list[Array], pieces: list[str], most: int) -> list[Unit]:
    told = {name: values for name, values in traits(pieces).items() if not _is_rare(values)}
    names = list(told)
    units = []
    for layer, activations in enumerate(states):
        deviations = activations.std(axis=0, dtype=np.float64)
        correlations = _correlations(activations, np.array(list(told.values())).reshape(len(names), len(pieces)))
        for number, (deviation, row) in enumerate(zip(deviations.tolist(), correlations, strict=True)):
            best = int(np.abs(row).argmax()) if len(row) and row.any() else None
            trait, correlation = (None, 0.0) if best is None else (names[best], float(row[best]))
            units.append(Unit(layer, number, activations[:, number], deviation, trait, correlation))
    return _ranked(units)[:most]


def _is_rare(values: Floats) -> bool:
    """Whether a trait has one value, or is had or lacked by few."""
    _, counts = np.unique(values, return_counts=True)
    return len(counts) == 1 or (len(counts) == 2 and int(counts.min()) < RARE)


def _correlations(activations: Array, values: Floats) -> Floats:
    """Pearson's coefficient of each of U units (n, U) with each of K traits (K, n): (U, K), 0 for what is constant."""
    coefficients: Floats = _standardised(activations.astype(np.float64).T) @ _standardised(values).T
    return coefficients / len(activations)


def _standardised(rows: Floats) -> Floats:
    """Rows of mean 0 and variance 1, or of zeros."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    deviation = centred.std(axis=1, keepdims=True)
    # What is left of a constant when its mean is subtracted is rounding.
    changes = deviation > 1e-12 * np.abs(rows).max(axis=1, keepdims=True, initial=0)
    standardised: Floats = np.divide(centred, deviation, out=np.zeros_like(centred), where=changes)
    return standardised


def _ranked(units: list[Unit]) -> list[Unit]:
    """The most telling first: see `inspect_text`."""
    ordered = sorted(units, key=lambda unit: (-abs(unit.correlation), -unit.deviation))
    seen: dict[str | None, int] = {}
    ranks = []
    for unit in ordered:
        ranks.append(len(units) if unit.trait is None else seen.get(unit.trait, 0))
        seen[unit.trait] = seen.get(unit.trait, 0) + 1
    return [unit for _, unit in sorted(zip(ranks, ordered, strict=True), key=lambda pair: pair[0])]

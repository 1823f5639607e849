"""Beam search: the likeliest outputs of a model that gives them token by token, for many sources at once."""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastrnn.arguments import finite, integer
from fastrnn.arrays import Array
from fastrnn.errors import NumericalError

LARGEST_LENGTH_PENALTY = 10.0  # of any length, the power is a finite number, and far above what serves

Indices: TypeAlias = NDArray[np.intp]
States: TypeAlias = tuple[Array, ...]
Step: TypeAlias = Callable[[NDArray[np.int64], States, Indices], tuple[NDArray[np.float64], States]]


class Hypothesis(NamedTuple):
    """An output that was found.

    codes: its tokens, without the end. log_probability: the sum of ln p of each given those before, nats, that of the
    end included if it is finished. finished: whether the end came; if not, the model gives it the probability 0 there.
    """

    codes: tuple[int, ...]
    log_probability: float
    finished: bool


def beam_search(
    step: Step, first_states: States, *, end: int, beam_size: int, max_length: int, length_penalty: float = 0.0
) -> list[list[Hypothesis]]:
    """The best outputs for each of B sources that beam search finds: up to `beam_size` hypotheses, the best first.

    Each source has a beam of `beam_size` hypotheses, at first the empty one. At each step those that have not ended are
    continued by every token, and as many continuations are kept, the likeliest, as the beam has places. One that ends
    keeps its place, so that the search goes on with one place less, until none is left. Hence beam_size=1 is greedy: it
    takes the likeliest token at each step; and a beam that holds all outputs, V**max_length for one, finds the best.

    A hypothesis of max_length tokens can only end: its log probability is then that of just this output. Where the end
    has the probability 0 there, it is not finished, and comes after all that are. Hypotheses of the probability 0 are
    none, so that there may be fewer than beam_size.

    The best are those of the highest score = ln p / n**length_penalty, n being the number of tokens, the end among
    them. It does not choose what stays in the beam, where all that are compared have the same n. Of equally likely
    hypotheses, those whose codes come first in order are the better: the smaller code at the first difference, and a
    shorter one before its continuations.

    step: step(tokens, states, rows) -> log_p, states. tokens, int64 (M,), are what M hypotheses read now, first `end`,
    then the last one of each; states, a tuple of arrays (L, M, H), where they are; rows, (M,), which of the B sources
    each belongs to, ascending. log_p, float64 (M, V), is ln p of each next token, -inf included; the states are those
    after the step, in new arrays or in place. It is called once for a step of all sources; those that are done are no
    longer there. It must give a hypothesis the same numbers wherever it stands, or what is found may depend on that.
    first_states: the arrays (L, B, H), at least one, from which the sources begin; they stay as they are.
    end: the code in [0, V) of the end, which is also read first. beam_size, max_length: integers from 1.
    length_penalty: in [0, 10]; 0 compares probabilities, 1 the mean of ln p over the tokens.

    TypeError or ValueError, before the first step, for arguments that are otherwise; NumericalError for log_p that are
    NaN or infinity, or -inf for all tokens of a hypothesis.

    Sources: Sutskever, Vinyals and Le, "Sequence to sequence learning with neural networks", 2014, section 3.2 (the
    beam); Graves, "Sequence transduction with recurrent neural networks", 2012 (length_penalty=1).
    """
    beam_size = integer(beam_size, "beam_size", 1)
    max_length = integer(max_length, "max_length", 1)
    length_penalty = _checked_penalty(length_penalty)
    beam = _first_beam(first_states)
    found: list[list[Hypothesis]] = [[] for _ in beam.sources]
    while beam.sources.size:
        log_p, beam = _stepped(step, beam, end)
        if beam.codes.shape[1] == max_length:
            _end_all(beam, log_p[:, end], found)
            break
        beam = _without_ended(_continued(beam, log_p, beam_size, found), end, found)
    return [sorted(hypotheses, key=lambda one: _order(one, length_penalty)) for hypotheses in found]


class _Beam(NamedTuple):
    """M hypotheses that have not ended, all of t tokens: source after source, and of each in the order of their codes,
    so that wherever the first of several is taken, it is the first in order."""

    sources: Indices  # (M,)
    codes: NDArray[np.int64]  # (M, t)
    log_p: NDArray[np.float64]  # (M,)
    states: States  # of (L, M, H)


def _checked_penalty(value: Any) -> float:
    """value as a length_penalty; TypeError or ValueError otherwise."""
    penalty = finite(value, "length_penalty")
    if not 0 <= penalty <= LARGEST_LENGTH_PENALTY:
        raise ValueError(f"length_penalty must be in [0, {LARGEST_LENGTH_PENALTY:g}], not {value}")
    return penalty


def _first_beam(first_states: States) -> _Beam:
    """An empty hypothesis for each source."""
    count = first_states[0].shape[1]
    states = tuple(state.copy() for state in first_states)  # `step` may write into them
    return _Beam(np.arange(count), np.empty((count, 0), np.int64), np.zeros(count), states)


def _stepped(step: Step, beam: _Beam, end: int) -> tuple[NDArray[np.float64], _Beam]:
    """ln p (M, V) of the tokens that may follow, and the hypotheses with the states after the step."""
    begins = beam.codes.shape[1] == 0
    tokens = np.full(len(beam.codes), end, np.int64) if begins else beam.codes[:, -1].copy()
    log_p, states = step(tokens, beam.states, beam.sources)
    likeliest = log_p.max(axis=1)  # NaN if there is one
    if not np.isfinite(likeliest).all():
        row = int(np.argmin(np.isfinite(likeliest)))
        raise NumericalError(
            f"source {beam.sources[row]}: the log probabilities after {beam.codes.shape[1]} tokens have NaN or "
            "infinity, or allow none: use a model whose parameters are finite, and sources that are"
        )
    return log_p, beam._replace(states=states)


def _taken(beam: _Beam, rows: Any) -> _Beam:
    """These rows of the hypotheses."""
    states = tuple(np.take(state, rows, axis=1) for state in beam.states)
    return _Beam(beam.sources[rows], beam.codes[rows], beam.log_p[rows], states)


def _continued(beam: _Beam, log_p: NDArray[np.float64], beam_size: int, found: list[list[Hypothesis]]) -> _Beam:
    """Of each source the likeliest continuations, as many as those found leave places."""
    places = np.array([beam_size - len(hypotheses) for hypotheses in found])
    rows, codes = _likeliest_of_rows(log_p, beam_size)  # not only `places`: then other sources could change ties
    totals = beam.log_p[rows] + log_p[rows, codes]
    kept = _best_of_groups(beam.sources[rows], totals, places)
    continued = _taken(beam, rows[kept])
    longer = np.column_stack([continued.codes, codes[kept]])
    return continued._replace(codes=longer, log_p=totals[kept])


def _likeliest_of_rows(log_p: NDArray[np.float64], count: int) -> tuple[Indices, Indices]:
    """The places (rows, codes), in order, of the `count` highest of each row, and of all equal to the last of these,
    but not of -inf: all that can be kept, without sorting the whole."""
    width = min(count, log_p.shape[1])
    least = np.partition(log_p, -width, axis=1)[:, -width, np.newaxis]
    rows, codes = np.nonzero((log_p >= least) & (log_p > -np.inf))
    return rows, codes


def _best_of_groups(groups: Indices, values: NDArray[np.float64], counts: Indices) -> Indices:
    """Where the counts[g] highest of the values of each group g stand, ascending; of equal ones the first. The groups,
    one for each value, ascend."""
    order = np.lexsort((-values, groups))  # stable, and leaves each group where it was
    rank = np.arange(len(groups)) - np.searchsorted(groups, groups)
    return np.sort(order[rank < counts[groups]])


def _without_ended(beam: _Beam, end: int, found: list[list[Hypothesis]]) -> _Beam:
    """The hypotheses that have not ended; those that have go to their sources' `found`."""
    ended = beam.codes[:, -1] == end
    if not ended.any():
        return beam
    for source, codes, log_p in _listed(beam, ended):
        found[source].append(Hypothesis(codes[:-1], log_p, True))
    return _taken(beam, np.flatnonzero(~ended))


def _end_all(beam: _Beam, log_p_end: NDArray[np.float64], found: list[list[Hypothesis]]) -> None:
    """Ends all hypotheses, with these ln p (M,) of the end, if that is possible."""
    can_end = log_p_end > -np.inf
    for source, codes, log_p in _listed(beam._replace(log_p=beam.log_p + log_p_end), can_end):
        found[source].append(Hypothesis(codes, log_p, True))
    for source, codes, log_p in _listed(beam, ~can_end):
        found[source].append(Hypothesis(codes, log_p, False))


def _listed(beam: _Beam, which: NDArray[np.bool_]) -> Iterator[tuple[int, tuple[int, ...], float]]:
    """The source, codes and ln p of these hypotheses, a mask (M,)."""
    rows = np.flatnonzero(which)
    codes = map(tuple, beam.codes[rows].tolist())
    return zip(beam.sources[rows].tolist(), codes, beam.log_p[rows].tolist(), strict=True)


def _order(hypothesis: Hypothesis, length_penalty: float) -> tuple[bool, float, tuple[int, ...]]:
    """The key by which the best of a source's hypotheses are first."""
    codes, log_probability, finished = hypothesis
    score = log_probability / math.pow(len(codes) + 1, length_penalty)
    return not finished, -score, codes

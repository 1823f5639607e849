"""fastrnn.beam: what beam search finds, held against all outputs that there are, and against a plain search."""

import math

import numpy as np
import pytest

from fastrnn.beam import Hypothesis, beam_search
from fastrnn.errors import NumericalError

END = 0


class RandomRNN:
    """A small network that gives tokens, its own for each seed: `step`, and `states` for a number of sources."""

    def __init__(self, seed, vocabulary, sources=3, sharpness=2.0):
        rng = np.random.default_rng(seed)
        self.embedding, self.recurrent, self.output, self.sources, first = (
            rng.normal(size=shape) for shape in [(vocabulary, 5), (5, 5), (5, vocabulary), (sources, 5), (sources, 5)]
        )
        self.sharpness = sharpness
        self.states = (np.stack([first, -first]), first[np.newaxis] ** 2)  # as of two layers, and of another kind

    def step(self, tokens, states, rows):
        (below, above), (kept,) = states
        assert tokens.dtype == np.int64
        assert len(tokens) == len(rows) == len(below)
        below = np.tanh(self.embedding[tokens] + self.sources[rows] + below @ self.recurrent)
        above = np.tanh(below + above @ self.recurrent)
        kept = 0.5 * kept + above
        logits = self.sharpness * (kept @ self.output)
        log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        return log_p, (np.stack([below, above]), kept[np.newaxis])


class Table:
    """A model of one source for which ln p of the next token follows from the tokens so far: `table` gives the
    probabilities after some, and `otherwise` those after all others."""

    def __init__(self, table, otherwise):
        self.table, self.otherwise = table, otherwise
        self.states = (np.empty((1, 1, 0)),)  # the tokens read so far, the first of them the start

    def step(self, tokens, states, rows):
        read = np.column_stack([states[0][0], tokens])
        p = np.array([self.table.get(tuple(map(int, codes)), self.otherwise) for codes in read[:, 1:]])
        with np.errstate(divide="ignore"):
            return np.log(p), (read[np.newaxis],)


def search(model, **options):
    return beam_search(model.step, model.states, **{"end": END, "beam_size": 3, "max_length": 4, **options})


def of_source(model, source):
    """The states of one source alone."""
    return tuple(state[:, [source]] for state in model.states)


def all_outputs(model, source, end, max_length):
    """Every output of at most max_length tokens, with its log probability, by stepping through all of them."""
    outputs = []

    def visit(codes, log_p, states):
        after, states = model.step(np.array([codes[-1] if codes else end]), states, np.array([source]))
        outputs.append(Hypothesis(codes, log_p + after[0, end], True))
        if len(codes) < max_length:
            for token in set(range(after.shape[1])) - {end}:
                visit((*codes, token), log_p + after[0, token], states)

    visit((), 0.0, of_source(model, source))
    return outputs


def score(hypothesis, length_penalty):
    return hypothesis.log_probability / (len(hypothesis.codes) + 1) ** length_penalty


def plain_search(model, source, end, beam_size, max_length):
    """Beam search of one source, hypothesis by hypothesis, in the order of the steps in which they end."""
    ended, going = [], [((), 0.0, of_source(model, source))]
    while going:
        continued = []
        for codes, log_p, states in going:
            after, states = model.step(np.array([codes[-1] if codes else end]), states, np.array([source]))
            tokens = range(after.shape[1]) if len(codes) < max_length else [end]
            continued += [((*codes, token), log_p + after[0, token], states) for token in tokens]
        continued.sort(key=lambda one: -one[1])
        kept = continued[: beam_size - len(ended)]
        ended += [Hypothesis(codes[:-1], log_p, True) for codes, log_p, _ in kept if codes[-1] == end]
        going = [one for one in kept if one[0][-1] != end]
    return ended


def assert_same(found, expected):
    """The same outputs in the same order, and as likely."""
    assert [(one.codes, one.finished) for one in found] == [(one.codes, one.finished) for one in expected]
    np.testing.assert_allclose(
        [one.log_probability for one in found], [one.log_probability for one in expected], rtol=1e-12, atol=1e-13
    )


# ---- what is found --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length_penalty", [0.0, 0.7, 1.0, 2.5])
@pytest.mark.parametrize(("vocabulary", "max_length", "end"), [(2, 5, 0), (3, 4, 0), (3, 5, 2), (4, 4, 1), (4, 5, 0)])
def test_a_beam_that_holds_all_outputs_finds_them_all_in_order(vocabulary, max_length, end, length_penalty):
    bests = set()
    for seed in range(3):
        model = RandomRNN(seed, vocabulary)
        options = {"end": end, "beam_size": vocabulary**max_length, "max_length": max_length}
        found = search(model, **options, length_penalty=length_penalty)
        for source in range(3):
            outputs = all_outputs(model, source, end, max_length)
            assert_same(found[source], sorted(outputs, key=lambda one: -score(one, length_penalty)))
            bests.add(len(found[source][0].codes))
    assert len(bests) > 1  # or the lengths that are compared would be one


@pytest.mark.parametrize("seed", range(5))
def test_a_beam_of_one_takes_the_likeliest_token_at_each_step(seed):
    model = RandomRNN(seed, vocabulary=7, sources=6)
    for source, hypotheses in enumerate(search(model, beam_size=1, max_length=9, length_penalty=1.0)):
        codes, total, states = [], 0.0, of_source(model, source)
        while True:
            log_p, states = model.step(np.array([codes[-1] if codes else END]), states, np.array([source]))
            token = int(log_p.argmax()) if len(codes) < 9 else END
            total += log_p[0, token]
            if token == END:
                break
            codes.append(token)
        assert_same(hypotheses, [Hypothesis(tuple(codes), total, True)])


@pytest.mark.parametrize("beam_size", [2, 3, 8, 30])
@pytest.mark.parametrize("seed", range(3))
def test_every_source_finds_what_it_would_alone(beam_size, seed):
    """Of sources that end at different steps, with beams narrower and wider than the vocabulary."""
    model = RandomRNN(seed, vocabulary=6, sources=7, sharpness=4.0)
    for source, hypotheses in enumerate(search(model, beam_size=beam_size, max_length=8)):
        expected = plain_search(model, source, END, beam_size, 8)
        assert len(expected) == beam_size
        assert_same(hypotheses, sorted(expected, key=lambda one: -one.log_probability))


def test_a_wider_beam_finds_what_a_greedy_one_misses():
    model = Table({(): [0, 0.6, 0.4], (1,): [0.5, 0.3, 0.2], (2,): [1, 0, 0]}, otherwise=[1, 0, 0])
    [greedy], [wider] = search(model, beam_size=1), search(model, beam_size=2)
    assert_same(greedy, [Hypothesis((1,), math.log(0.3), True)])
    assert_same(wider, [Hypothesis((2,), math.log(0.4), True), Hypothesis((1,), math.log(0.3), True)])


def test_the_length_penalty_lets_longer_outputs_win():
    model = Table({(): [0.5, 0.5, 0], (1,): [0, 0, 1], (1, 2): [0.9, 0.1, 0]}, otherwise=[1, 0, 0])
    short, long = Hypothesis((), math.log(0.5), True), Hypothesis((1, 2), math.log(0.45), True)
    assert_same(search(model, beam_size=2)[0], [short, long])
    assert_same(search(model, beam_size=2, length_penalty=1.0)[0], [long, short])


def test_of_equally_likely_outputs_the_smaller_codes_come_first():
    """Where only some of them have places too: the search never depends on the order in which NumPy sorts."""
    model = Table({}, otherwise=[0.25, 0.25, 0.25, 0.25])
    [hypotheses] = search(model, beam_size=10, max_length=2, length_penalty=0.0)
    # Of 16 outputs of two steps, the beam has room for the end at once and 9 more.
    assert [one.codes for one in hypotheses] == [(), (1,), (2,), (3,), (1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    [hypotheses] = search(model, end=3, beam_size=3, max_length=2)
    assert [one.codes for one in hypotheses] == [(0, 0), (0, 1), (0, 2)]


def test_of_equally_likely_outputs_a_likelier_beginning_is_none_better():
    """(1, 1) and (2, 1) are as likely, and there is one place for them."""
    model = Table({(): [0, 0.4, 0.6], (1,): [0, 0.6, 0.4], (2,): [0, 0.4, 0.6]}, otherwise=[1, 0, 0])
    assert [one.codes for one in search(model, beam_size=2)[0]] == [(2, 2), (1, 1)]


def test_equally_likely_outputs_of_several_lengths_are_in_order_too():
    model = Table({(): [0, 0.5, 0.5], (1,): [0.5, 0.5, 0], (2,): [0.5, 0.5, 0]}, otherwise=[1, 0, 0])
    assert [one.codes for one in search(model, beam_size=4)[0]] == [(1,), (1, 1), (2,), (2, 1)]


# ---- ends -----------------------------------------------------------------------------------------------------------


def test_an_output_may_end_at_once():
    [hypotheses] = search(Table({}, otherwise=[1, 0, 0]))
    assert hypotheses == [Hypothesis((), 0.0, True)]


def test_what_never_ends_is_cut_and_not_finished():
    [hypotheses] = search(Table({}, otherwise=[0, 0.75, 0.25]), beam_size=2, max_length=3)
    assert_same(
        hypotheses,
        [Hypothesis((1, 1, 1), 3 * math.log(0.75), False), Hypothesis((1, 1, 2), math.log(0.75**2 * 0.25), False)],
    )


def test_what_is_not_finished_comes_after_what_is():
    model = Table({(): [0.01, 0.5, 0.49], (2,): [0.01, 0.5, 0.49]}, otherwise=[0, 1, 0])
    [hypotheses] = search(model, beam_size=5, max_length=2)
    assert [(one.codes, one.finished) for one in hypotheses] == [
        *[((), True), ((2,), True)],
        *[((1, 1), False), ((2, 1), False), ((2, 2), False)],
    ]


def test_an_output_of_the_greatest_length_ends_there():
    """With the probability of its end, so that a shorter one that is unlikely does not come before it."""
    model = Table({(): [0.05, 0.95], (1,): [0.05, 0.95]}, otherwise=[0.9, 0.1])
    [hypotheses] = search(model, beam_size=3, max_length=2)
    assert_same(
        hypotheses,
        [
            Hypothesis((1, 1), math.log(0.95 * 0.95 * 0.9), True),
            Hypothesis((), math.log(0.05), True),
            Hypothesis((1,), math.log(0.95 * 0.05), True),
        ],
    )


def test_what_has_no_probability_is_not_found():
    model = Table({(): [0, 0.5, 0.5], (1,): [1, 0, 0], (2,): [0, 1, 0]}, otherwise=[1, 0, 0])
    [hypotheses] = search(model, beam_size=10**30, length_penalty=10)
    assert_same(hypotheses, [Hypothesis((2, 1), math.log(0.5), True), Hypothesis((1,), math.log(0.5), True)])


# ---- how `step` is called -------------------------------------------------------------------------------------------


def test_a_step_is_one_call_for_all_and_sources_that_are_done_drop_out():
    """Source b ends after b tokens; one place of each beam."""
    calls = []

    def step(tokens, states, rows):
        calls.append((tokens.tolist(), rows.tolist()))
        states[0][...] -= 1  # in place, as a network may
        left = states[0][0, :, 0]
        return np.log(np.where(left[:, np.newaxis] < 0, [0.9, 0.1], [0.1, 0.9])), states

    first = np.arange(4.0).reshape(1, 4, 1)
    found = beam_search(step, (first,), end=END, beam_size=1, max_length=10)
    assert [one.codes for [one] in found] == [(), (1,), (1, 1), (1, 1, 1)]
    assert calls == [([0] * 4, [0, 1, 2, 3]), ([1] * 3, [1, 2, 3]), ([1] * 2, [2, 3]), ([1], [3])]
    np.testing.assert_array_equal(first.ravel(), np.arange(4.0))


def test_no_sources_have_no_outputs():
    assert beam_search(None, (np.zeros((1, 0, 5)),), end=END, beam_size=2, max_length=3) == []


# ---- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [[np.nan, -1.0], [-1.0, np.nan], [np.inf, -1.0], [-np.inf, -np.inf]], ids=str)
def test_what_is_no_probability_is_an_error(wrong):
    """Of one source among others, of which the first is done."""

    def step(tokens, states, rows):
        log_p = np.log(np.full((len(tokens), 2), 0.5))
        log_p[rows == 0] = 0.0, -np.inf
        if states[0].max() == 2:
            log_p[rows == 1] = wrong
        return log_p, (states[0] + 1,)

    with pytest.raises(NumericalError, match="source 1: the log probabilities after 2 tokens"):
        beam_search(step, (np.zeros((1, 3, 1)),), end=END, beam_size=3, max_length=5)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"beam_size": 0}, ValueError, "beam_size must be at least 1, not 0"),
        ({"beam_size": 2.0}, TypeError, "beam_size must be an integer, not float"),
        ({"max_length": 0}, ValueError, "max_length must be at least 1, not 0"),
        ({"max_length": None}, TypeError, "max_length must be an integer, not NoneType"),
        ({"length_penalty": -0.1}, ValueError, r"length_penalty must be in \[0, 10\], not -0.1"),
        ({"length_penalty": 10.5}, ValueError, r"length_penalty must be in \[0, 10\], not 10.5"),
        ({"length_penalty": math.nan}, ValueError, "length_penalty must be finite, not nan"),
        ({"length_penalty": "1"}, TypeError, "length_penalty must be a real number, not str"),
    ],
    ids=str,
)
def test_wrong_arguments_are_errors_before_the_first_step(options, error, message):
    with pytest.raises(error, match=message):
        beam_search(None, (np.zeros((1, 1, 1)),), **{"end": END, "beam_size": 1, "max_length": 1, **options})

"""fastrnn.sequence_tokens: what sequences are made of, and the codes of whole data sets."""

import enum
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrnn import sequence_tokens
from fastrnn.sequence_tokens import SequenceTokens

CHARACTERS = "ab \u00e9\U0001f600\u0301\ud800\udc00\n\x00"
ELEMENTS = {
    "str": st.text(CHARACTERS),
    "words": st.lists(st.sampled_from(["to", "be", "", "\ud800", "\udc00\ud800", "TO", "\U0001f600"])),
    "ints": st.lists(st.integers(-(2**63), 2**64 - 1) | st.integers(-3, 3)),
}
each_kind = pytest.mark.parametrize("kind", ELEMENTS)


# ---- vocabularies and codes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "sequences", "vocabulary", "codes"),
    [
        ("str", ["hello", "", "oh"], ("e", "h", "l", "o"), [[2, 1, 3, 3, 4], [], [4, 2]]),
        ("words", [["to", "be"], [], ("or", "to")], ("be", "or", "to"), [[3, 1], [], [2, 3]]),
        ("ints", [[], [7, -1], (10, 7)], (-1, 7, 10), [[], [2, 1], [3, 2]]),
    ],
    ids=ELEMENTS,
)
def test_the_vocabulary_is_the_sorted_distinct_tokens_and_0_is_the_end(kind, sequences, vocabulary, codes):
    tokens = SequenceTokens.of(sequences, "targets")
    assert (tokens.kind, tokens.vocabulary, tokens.size, tokens.end) == (kind, vocabulary, len(vocabulary) + 1, 0)
    encoded = tokens.encode(sequences, "targets")
    assert [one.tolist() for one in encoded] == codes
    assert {one.dtype for one in encoded} == {np.dtype(np.int64)}


@each_kind
@given(data=st.data())
def test_decode_undoes_encode_also_after_json(kind, data):
    """Lone surrogates stay themselves, and so do integers that float64 does not have."""
    sequences = data.draw(st.lists(ELEMENTS[kind], min_size=1).filter(any))
    tokens = SequenceTokens.of(sequences, "targets")
    assert [tokens.decode(codes) for codes in tokens.encode(sequences, "targets")] == sequences
    read = SequenceTokens.from_state(json.loads(json.dumps(tokens.state())))
    assert read == tokens == pickle.loads(pickle.dumps(tokens))
    assert [read.decode(codes.tolist()) for codes in tokens.encode(sequences, "targets")] == sequences


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint32, np.int64, np.uint64])
def test_integers_of_any_numpy_type_are_integers(dtype):
    rows = np.array([[3, 1], [2, 3]], dtype)
    tokens = SequenceTokens.of([list(rows[0]), rows[1]], "targets")
    assert tokens == SequenceTokens.of(rows, "targets") == SequenceTokens.of([[3, 1], [2, 3]], "targets")
    assert json.loads(json.dumps(tokens.state())) == tokens.state()
    for sequences in (rows, list(rows), [list(rows[0]), (2, dtype(3))], [rows[0].astype(object), [2, 3]]):
        assert [one.tolist() for one in tokens.encode(sequences, "targets")] == [[3, 1], [2, 3]]


def test_strings_of_other_types_are_what_they_hold():
    word = enum.StrEnum("word", {"TO": "to", "BE": "be"})
    shouted = type("shouted", (str,), {"__str__": lambda self: self.upper()})
    tokens = SequenceTokens.of([[word.TO, shouted("be")], [np.str_("or")], np.array(["to", "be"])], "targets")
    assert tokens == SequenceTokens.of([["be", "or", "to"]], "targets")
    assert set(map(type, tokens.vocabulary)) == {str}
    assert [one.tolist() for one in tokens.encode([[word.TO, shouted("be")]], "targets")] == [[3, 1]]


@pytest.mark.parametrize(
    ("full", "empty", "nothing"), [("ab", "", ""), (["a"], [], []), ((1,), (), []), ([1], np.empty(0), [])], ids=str
)
def test_empty_sequences_may_be_refused(full, empty, nothing):
    tokens = SequenceTokens.of([full], "sources")
    _, codes = tokens.encode([full, empty], "sources")
    assert (codes.dtype, codes.shape, tokens.decode(codes)) == (np.int64, (0,), nothing)
    with pytest.raises(ValueError, match=r"sources\[1\] is empty: it must have at least one token"):
        tokens.encode([full, empty], "sources", empty=False)


# ---- what is no data ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sequences", "error", "message"),
    [
        ("hello", TypeError, "targets must be a list of sequences, not str: a single one is a list of one"),
        (b"hello", TypeError, "targets must be a list of sequences, not bytes"),
        (None, TypeError, "targets must be a list of sequences, not NoneType"),
        ({"a": "b"}, TypeError, "targets must be a list of sequences, not dict"),
        ({"ab"}, TypeError, "targets must be a list of sequences, not set"),
        (iter(["ab"]), TypeError, "targets must be a list of sequences, not list_iterator"),
        (np.array(1), TypeError, "targets must be a list of sequences, not ndarray"),
        ([b"ab"], TypeError, r"targets\[0\] must be a str, of characters or a list of .* integers, not bytes"),
        ([[1], 2], TypeError, r"targets\[1\] must be .*, not int"),
        (np.zeros((1, 2, 3), int), ValueError, r"targets\[0\] must have shape \(T,\), not \(2, 3\)"),
        ([[1], [2, 3.0]], TypeError, r"targets\[1\] must be .*, and holds float, int"),
        ([np.ones(3)], TypeError, r"targets\[0\] must be .*, and holds float"),
        ([[True]], TypeError, r"targets\[0\] must be .*, and holds bool"),
        ([[np.True_]], TypeError, r"targets\[0\] must be .*, and holds bool"),
        ([[[]]], TypeError, r"targets\[0\] must be .*, and holds list"),
        ([["a", 1]], TypeError, r"targets\[0\] must be .*, and holds int, str"),
        ([[], ["a"], [1]], TypeError, r"targets\[2\] must be a list of words, each a str, .* not a list of integers"),
        ([[1], "a"], TypeError, r"targets\[1\] must be a list of integers, as the others are, not a str"),
        ([[], "a"], TypeError, r"targets\[0\] must be a str, of characters, as the others are, not an empty list"),
        ([], ValueError, "targets must have at least one token, and its 0 sequences have none"),
        (["", ""], ValueError, "targets must have at least one token, and its 2 sequences have none"),
        ([[], []], ValueError, "targets must have at least one token"),
        ([[2**64]], ValueError, r"targets must hold integers of at least -2\*\*63 and below 2\*\*64"),
        ([[-(2**63) - 1]], ValueError, r"targets must hold integers of at least -2\*\*63"),
        ([["\ud83d\ude00"]], ValueError, "targets has .*, whose surrogates JSON joins to one character"),
    ],
)
def test_what_is_no_data_is_an_error(sequences, error, message):
    with pytest.raises(error, match=message):
        SequenceTokens.of(sequences, "targets")


def test_more_tokens_than_a_model_takes_are_an_error(monkeypatch):
    monkeypatch.setattr(sequence_tokens, "LARGEST_VOCABULARY", 4)  # codes, that of the end among them
    assert SequenceTokens.of(["abc"], "targets").size == 4
    with pytest.raises(ValueError, match="targets has 4 distinct tokens, and must have less than 4"):
        SequenceTokens.of(["abcd"], "targets")


@pytest.mark.parametrize(
    ("built_from", "sequences", "error", "message"),
    [
        (["abc"], ["ab", "cdx"], ValueError, r"targets\[1\]\[1\] is 'd', which is not among the 3 tokens of the"),
        ([["a", "b"]], [["a", "B"]], ValueError, r"targets\[0\]\[1\] is 'B', which is not among the 2 tokens"),
        ([[1, 2]], [[1], [2], [1, 3]], ValueError, r"targets\[2\]\[1\] is 3, which is not among the 2 tokens"),
        ([[1, 2]], [np.array([1, 2.0])], TypeError, r"targets\[0\] must be .*, and holds float"),
        ([[1, 2]], [[1, True]], TypeError, r"targets\[0\] must be .*, and holds bool, int"),
        (["ab"], [["a", "b"]], TypeError, r"targets\[0\] must be a str, of characters, .*, not a list of words"),
        (["ab"], ["a", []], TypeError, r"targets\[1\] must be a str, of characters, .*, not an empty list"),
        ([["a", "b"]], ["ab"], TypeError, r"targets\[0\] must be a list of words, .* not a str"),
        (["ab"], "ab", TypeError, "targets must be a list of sequences, not str"),
    ],
)
def test_what_the_vocabulary_does_not_have_is_an_error(built_from, sequences, error, message):
    tokens = SequenceTokens.of(built_from, "sources")
    with pytest.raises(error, match=message):
        tokens.encode(sequences, "targets")


@pytest.mark.parametrize(
    ("codes", "error", "message"),
    [
        ([1, 0], IndexError, r"codes must be in \[1, 4\), without the end, and has 0"),
        ([4], IndexError, r"codes must be in \[1, 4\), .* and has 4"),
        (np.array([-1], np.int8), IndexError, "and has -1"),
        (np.array([2**64 - 1], np.uint64), IndexError, "and has 18446744073709551615"),
        ([1.0], TypeError, "codes must hold integers, not float64"),
        ([True], TypeError, "codes must hold integers, not bool"),
        ([[1]], ValueError, r"codes must have shape \(T,\), not \(1, 1\)"),
        (1, ValueError, r"codes must have shape \(T,\), not \(\)"),
    ],
)
def test_what_is_no_code_of_a_token_is_an_error(codes, error, message):
    with pytest.raises(error, match=message):
        SequenceTokens.of(["abc"], "targets").decode(codes)


# ---- states ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state",
    [
        *(None, [], "str", {}, {"kind": "str"}, {"kind": "str", "vocabulary": ["a"], "more": 1}),
        *({"kind": kind, "vocabulary": ["a"]} for kind in ("char", "", None, 1, True, ["str"], {}, "ints")),
        *({"kind": "str", "vocabulary": vocabulary} for vocabulary in (None, "a", {"a": 1}, [], [""], ["ab"], [1])),
        *({"kind": "str", "vocabulary": vocabulary} for vocabulary in (["b", "a"], ["a", "a"], ["a", None], [["a"]])),
        *({"kind": "words", "vocabulary": vocabulary} for vocabulary in ([1], ["b", "a"], ["a", 1], ["\ud83d\ude00"])),
        *({"kind": "ints", "vocabulary": vocabulary} for vocabulary in ([1.0], [True], [False, 1], [2, 1], [None])),
        *({"kind": "ints", "vocabulary": vocabulary} for vocabulary in ([2**64], [-(2**63) - 1], [10**4000], ["1"])),
    ],
    ids=lambda state: repr(state)[:60],
)
def test_any_other_state_is_an_error(state):
    with pytest.raises(ValueError, match=r"^(tokens|kind|vocabulary) (must|has) "):
        SequenceTokens.from_state(state)

"""What sequences are made of - characters, words or integers - and the codes 1 ... V that stand for them; 0 is the end.

A model that turns sequences into sequences reads 0 before a sequence's first token, and gives it after the last one.
"""

import re
import reprlib
from collections.abc import Callable, Collection, Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import pairwise, repeat
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn.arrays import Integers, check_shape, integer_array
from fastrnn.tokens import LARGEST_VOCABULARY

TokenSequence: TypeAlias = str | list[str] | list[int]
_Tokens: TypeAlias = str | list[Any] | tuple[Any, ...]

_KINDS = {
    "str": "a str, of characters",
    "words": "a list of words, each a str",
    "ints": "a list of integers",
}
_LEAST, _LARGEST = -(2**63), 2**64 - 1  # of the integers that NumPy has
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


@dataclass(frozen=True)
class SequenceTokens:
    """The distinct tokens of sequences, V of them, sorted: token i of `vocabulary`, counted from 0, has the code i + 1.
    It never changes; two of the same kind and vocabulary are equal. `of` and `from_state` make them.

    Attributes, to read: `kind`, which says what a sequence is: "str", a str, whose tokens are its characters (Unicode
    code points); "words", a list of str; "ints", a list of int from -2**63 to 2**64 - 1; `vocabulary`, a tuple of str
    or of int; `size`, V + 1, since the code 0, `end`, stands for the end of a sequence, and of that before it.
    """

    end: ClassVar[int] = 0
    kind: str
    vocabulary: tuple[Any, ...] = field(repr=False)
    _codes: dict[Any, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_codes", {token: code for code, token in enumerate(self.vocabulary, start=1)})

    @property
    def size(self) -> int:
        """V + 1: how many codes there are."""
        return len(self.vocabulary) + 1

    @classmethod
    def of(cls, sequences: Collection[Any], name: str) -> "SequenceTokens":
        """The tokens that these sequences are made of.

        sequences: a list, or another collection in order, of sequences of one kind: str; or lists, tuples or arrays
        (T,) of str, which are words; or such of integers, Python's or of any NumPy type. Empty ones may be among them.
        name: what errors call the sequences.

        TypeError for other sequences, of bools or floats for one, or of several kinds; ValueError if there is no token
        in them, for integers beyond NumPy's, for words with two surrogates side by side that make a pair, which JSON
        would join to one character, and for more than 2**24 - 2 distinct tokens.
        """
        named = list(_named(sequences, name))
        kind = next(filter(None, (_kind(tokens, called) for called, tokens in named)), None)
        distinct: set[Any] = set()
        for called, tokens in named:
            _check_kind(tokens, kind, called)
            distinct.update(tokens)
        if kind is None or not distinct:
            raise ValueError(f"{name} must have at least one token, and its {len(sequences)} sequences have none")
        plain: Callable[[Any], Any] = int if kind == "ints" else str.__str__  # of NumPy's types and enums, for JSON
        vocabulary = tuple(sorted(map(plain, distinct)))
        _check_vocabulary(kind, vocabulary, name)
        return cls(kind, vocabulary)

    def encode(self, sequences: Collection[Any], name: str, *, empty: bool = True) -> list[NDArray[np.int64]]:
        """The codes, in [1, V], of each sequence: int64 arrays (T_n,), without the end.

        sequences, name: as of `of`. TypeError for sequences of another kind; ValueError for a token outside the
        vocabulary, the first and its place, and, with empty=False, for a sequence without tokens.
        """
        encoded = []
        for called, tokens in _named(sequences, name):
            _check_kind(tokens, self.kind, called)
            if not (empty or len(tokens)):
                raise ValueError(f"{called} is empty: it must have at least one token")
            codes = np.fromiter(map(self._codes.get, tokens, repeat(0)), np.int64, len(tokens))
            if not codes.all():
                place = int(np.argmin(codes))
                raise self._outside(tokens[place], f"{called}[{place}]")
            encoded.append(codes)
        return encoded

    def _outside(self, token: Any, name: str) -> ValueError:
        """The error that this token, at the place of this name, makes."""
        return ValueError(
            f"{name} is {reprlib.repr(token)}, which is not among the {len(self.vocabulary)} tokens of the vocabulary"
            ": leave it out, or train a model on data that have it"
        )

    def decode(self, codes: ArrayLike) -> TokenSequence:
        """The sequence, a str, list of str or list of int as the kind says, that these codes, integers (T,) in [1, V],
        stand for. TypeError, ValueError or IndexError for others, and so for that of the end."""
        array = np.asarray(codes)
        if array.size:  # [] holds no integers for NumPy
            check_shape(array, "codes", ("T",))
            _check_codes(integer_array(array, "codes"), self.size)
        tokens = [self.vocabulary[code - 1] for code in array.ravel().tolist()]
        return "".join(tokens) if self.kind == "str" else tokens

    def state(self) -> dict[str, Any]:
        """What `from_state` makes equal tokens of, in types that JSON has: the kind and the vocabulary, a list in which
        JSON keeps lone surrogates apart."""
        return {"kind": self.kind, "vocabulary": list(self.vocabulary)}

    @classmethod
    def from_state(cls, state: Any) -> "SequenceTokens":
        """The tokens of which `state` is the state. ValueError for anything else, such as an edited file may hold."""
        if not isinstance(state, dict) or state.keys() != {"kind", "vocabulary"}:
            raise ValueError("tokens must be a dict of a kind and a vocabulary alone")
        kind, vocabulary = state["kind"], state["vocabulary"]
        if not isinstance(kind, str) or kind not in _KINDS:
            raise ValueError(f"kind must be one of {', '.join(map(repr, _KINDS))}, not {reprlib.repr(kind)}")
        _check_listed(kind, vocabulary)
        _check_vocabulary(kind, vocabulary, "vocabulary")
        return cls(kind, tuple(vocabulary))


def _named(sequences: Any, name: str) -> Iterator[tuple[str, _Tokens]]:
    """The name and the tokens of each sequence; TypeError unless they are several, in an order, to be read again."""
    no_list = isinstance(sequences, str | bytes | Mapping | Set) or not isinstance(sequences, Collection)
    if no_list or (isinstance(sequences, np.ndarray) and sequences.ndim == 0):
        raise TypeError(
            f"{name} must be a list of sequences, not {type(sequences).__name__}: a single one is a list of one"
        )
    for index, sequence in enumerate(sequences):
        called = f"{name}[{index}]"
        yield called, _tokens(sequence, called)


def _tokens(sequence: Any, name: str) -> _Tokens:
    """A sequence's tokens, of whatever type; TypeError or ValueError for what is no sequence."""
    if isinstance(sequence, str | list | tuple):
        return sequence
    if isinstance(sequence, np.ndarray):
        if sequence.ndim != 1:
            raise ValueError(f"{name} must have shape (T,), not {sequence.shape}")
        tokens: list[Any] = sequence.tolist()
        return tokens
    raise TypeError(f"{name} must be {_any_kind()}, not {type(sequence).__name__}")


def _check_kind(tokens: _Tokens, expected: str | None, name: str) -> None:
    """TypeError unless these can be the tokens of a sequence of this kind; no tokens fit words and integers."""
    kind = _kind(tokens, name)
    if kind != expected and (kind or expected == "str"):
        given = _KINDS[kind] if kind else "an empty list"
        raise TypeError(f"{name} must be {_KINDS[expected or 'str']}, as the others are, not {given}")


def _kind(tokens: _Tokens, name: str) -> str | None:
    """What kind of sequence has these tokens, None for no tokens of a list; TypeError for a mixture, or other types."""
    if isinstance(tokens, str):
        return "str"
    types = set(map(type, tokens))
    if not types:
        return None
    if all(issubclass(one, str) for one in types):
        return "words"
    if all(issubclass(one, int | np.integer) and one is not bool for one in types):
        return "ints"
    found = ", ".join(sorted(one.__name__ for one in types))
    raise TypeError(f"{name} must be {_any_kind()}, and holds {found}")


def _any_kind() -> str:
    return " or ".join(_KINDS.values())


def _check_codes(codes: Integers, size: int) -> None:
    """IndexError unless these are codes of tokens, of which there are size - 1."""
    outside = codes[(codes < 1) | (codes >= size)]
    if outside.size:
        raise IndexError(f"codes must be in [1, {size}), without the end, and has {outside[0]}")


def _check_vocabulary(kind: str, vocabulary: "list[Any] | tuple[Any, ...]", name: str) -> None:
    """ValueError unless a model, and a file, can hold this vocabulary, sorted and of this kind."""
    if len(vocabulary) >= LARGEST_VOCABULARY:
        raise ValueError(f"{name} has {len(vocabulary)} distinct tokens, and must have less than {LARGEST_VOCABULARY}")
    if kind == "ints" and not _LEAST <= vocabulary[0] <= vocabulary[-1] <= _LARGEST:
        raise ValueError(f"{name} must hold integers of at least -2**63 and below 2**64")
    if kind == "words":
        pair = next(filter(_PAIR.search, vocabulary), None)
        if pair is not None:
            raise ValueError(
                f"{name} has {reprlib.repr(pair)}, whose surrogates JSON joins to one character: leave it out"
            )


def _check_listed(kind: str, vocabulary: Any) -> None:
    """ValueError unless this is a list of tokens of this kind, sorted."""
    if not isinstance(vocabulary, list) or not vocabulary:
        raise ValueError("vocabulary must be a list of at least one token")
    token_type: Any = int if kind == "ints" else str  # and not bool, which is an int too
    if not all(type(token) is token_type and (kind != "str" or len(token) == 1) for token in vocabulary):
        raise ValueError(f"vocabulary must hold the tokens of {_KINDS[kind]}, alone")
    if not all(before < after for before, after in pairwise(vocabulary)):
        raise ValueError("vocabulary must be sorted, each token once")

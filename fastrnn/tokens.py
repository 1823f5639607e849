"""What texts are made of - characters, bytes or words - and the numbers 0 ... V - 1 that stand for them."""

import codecs
import math
import re
import reprlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise, repeat
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn.arguments import flag, integer
from fastrnn.arrays import Integers, check_indices, check_shape, integer_array
from fastrnn.codes import IN_MEMORY, CodeWriter, EncodedText
from fastrnn.text import Text, TextSource, code_points, text_source

LARGEST_VOCABULARY = 2**24 - 1  # that the layers take
LONGEST_WORD = 2**16  # a longer one is several, or a file without spaces would be one token, and all in memory

# Joined, the words are the text: whatever stands alone, and a space with what follows it.
_WORD = re.compile(rf" ?\w{{1,{LONGEST_WORD}}}| ?[^\w\s]|\s")


Piece = str | list[str]  # tokens of a text, in order: characters or words


class Decoder(Protocol):
    """The pieces of text that pieces of codes stand for, in order."""

    def __call__(self, codes: ArrayLike, final: bool = False) -> str:
        """The text that has become complete with these codes, (n,); with final, all that is left."""


class Tokens(ABC):
    """A kind of token and a vocabulary of them: a sequence of V tokens, str, or of bytes bytes. It never changes; two
    of the same kind and vocabulary are equal.

    Attributes, to read: `kind`, "char", "byte" or "word"; `size`, the number V of tokens; `vocabulary`, a tuple of
    them; `dtype`, the smallest of uint8, uint16 and uint32 that holds V - 1.
    """

    kind: ClassVar[str]
    vocabulary: tuple[Any, ...]

    def __init__(self, size: int) -> None:
        self.size = size
        self.dtype = np.min_scalar_type(size - 1)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, code: int) -> Any:
        """The token that this code stands for."""
        return self.vocabulary[code]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.vocabulary)

    def encode_text(self, text: Text | TextSource) -> EncodedText:
        """The codes of a whole text, which may be a file of any size: of more than 32 MB the codes lie in an unnamed
        temporary file, in the folder that TMPDIR names or else in /var/tmp, which is mapped.

        ValueError for an empty text, one with tokens outside the vocabulary, or, of characters and words, bytes or a
        file that is not UTF-8; OSError where the file can't be read, or there is no room for the codes; TypeError for
        what is no text.
        """
        source = text_source(text)
        with CodeWriter(self.dtype, math.inf if source.in_memory else IN_MEMORY) as writer:
            empty = True
            for codes, characters in self._coded(source):
                writer.write(codes, characters)
                empty = False
            if empty:
                raise _empty(source)
            return writer.finish()

    def encode(self, text: Text | TextSource, name: str = "text") -> "NDArray[np.int64]":
        """The codes of a short text, int64 (n,), none of an empty one. Errors as those of `encode_text`, which call
        the text by this name."""
        blocks = [codes for codes, _ in self._coded(text_source(text, name))]
        return np.concatenate([np.empty(0, np.int64), *blocks])

    @abstractmethod
    def _coded(self, source: TextSource) -> Iterator[tuple[Integers, int]]:
        """The codes of block after block, each with the number of Unicode characters that it has."""

    def decode(self, codes: ArrayLike) -> str:
        """The text that these codes, integers (n,), stand for. TypeError, ValueError or IndexError for others."""
        return self._decoded(self._checked(codes))

    def _checked(self, codes: ArrayLike) -> Integers:
        """codes as an array (n,) of integers in [0, V), or an error."""
        array = np.asarray(codes)
        if array.size == 0:  # [] holds no integers for NumPy
            return np.empty(0, np.int64)
        check_shape(array, "codes", ("n",))
        check_indices(array := integer_array(array, "codes"), "codes", self.size)
        return array

    @abstractmethod
    def _decoded(self, codes: Integers) -> str:
        """`decode` of codes that are checked."""

    def decoder(self) -> Decoder:
        """Decodes piece after piece: joined, the pieces are what `decode` gives for the whole."""
        return lambda codes, final=False: self.decode(codes)

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What `tokens_from_state` makes equal tokens of, in types that JSON has."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tokens) and self.state() == other.state()

    def __hash__(self) -> int:
        return hash((self.kind, self.size))

    def __reduce__(self) -> tuple[Any, ...]:
        return tokens_from_state, (self.state(),)


class ByteTokens(Tokens):
    """The 256 bytes, each standing for itself: any file at all, and of a str its UTF-8."""

    kind = "byte"
    vocabulary = tuple(bytes([byte]) for byte in range(256))

    def __init__(self) -> None:
        super().__init__(256)

    def _coded(self, source: TextSource) -> Iterator[tuple[Integers, int]]:
        for block in source.byte_blocks():
            codes = np.frombuffer(block, np.uint8)
            continuing = np.count_nonzero(codes.view(np.int8) < -64)  # 10xxxxxx: not the first of its character
            yield codes, len(block) - int(continuing)

    def _decoded(self, codes: Integers) -> str:
        """The bytes as UTF-8, with U+FFFD in the place of what is not."""
        return self.decoder()(codes, final=True)

    def decoder(self) -> Decoder:
        """Decodes piece after piece, a character when its last byte has come: see `Tokens.decoder`."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")

        def decode(codes: ArrayLike, final: bool = False) -> str:
            return decoder.decode(self._checked(codes).astype(np.uint8).tobytes(), final)

        return decode

    def state(self) -> dict[str, Any]:
        """The kind, which says it all."""
        return {"kind": self.kind}


class VocabularyTokens(Tokens):
    """Tokens that are strings: `vocabulary`, a tuple of them, sorted, in which token i is the i-th.

    `unknown`, if not None, is the one of them that stands for all others. Of a text that is encoded, line ends become
    `newline` where that is not None, and characters lower case with `lowercase`.
    """

    plural: ClassVar[str]

    def __init__(self, vocabulary: Iterable[str], unknown: str | None, newline: str | None, lowercase: bool) -> None:
        self.vocabulary = tuple(vocabulary)
        super().__init__(len(self.vocabulary))
        self.unknown, self.newline, self.lowercase = unknown, newline, lowercase
        self._unknown_code = -1 if unknown is None else self.vocabulary.index(unknown)

    @staticmethod
    @abstractmethod
    def pieces(blocks: Iterable[str]) -> Iterator[Piece]:
        """The tokens of a text of which these are the blocks, many at a time."""

    @staticmethod
    @abstractmethod
    def counts(pieces: Iterable[Piece]) -> Mapping[str, int]:
        """How often each token occurs."""

    @abstractmethod
    def _codes(self, piece: Piece) -> "NDArray[np.int32]":
        """Each token's number; for one that is not in the vocabulary, `unknown`'s, or -1."""

    def _coded(self, source: TextSource) -> Iterator[tuple[Integers, int]]:
        position = 0
        for piece in self.pieces(source.blocks(self.newline, self.lowercase)):
            codes = self._codes(piece)
            if codes.min() < 0:
                raise self._outside(piece, codes, position, source.name)
            characters = _characters(piece)
            yield codes, characters
            position += characters

    def _outside(self, piece: Piece, codes: "NDArray[np.int32]", position: int, name: str) -> ValueError:
        """The error that the tokens of code -1 make, in a piece at this position of the text."""
        places = np.flatnonzero(codes < 0).tolist()
        tokens = list(dict.fromkeys(piece[place] for place in places))
        first = position + _characters(piece[: places[0]])
        named = ", ".join(map(reprlib.repr, tokens[:5])) + (", ..." if len(tokens) > 5 else "")
        return ValueError(
            f"{name} has {self.plural} that are not among the {self.size} of the vocabulary: {named}, the first at "
            f"character {first}: leave them out, or build the vocabulary with unknown=..., to stand for them"
        )

    def _decoded(self, codes: Integers) -> str:
        return "".join(map(self.vocabulary.__getitem__, codes.tolist()))

    def state(self) -> dict[str, Any]:
        """The vocabulary, a list in which JSON keeps each token apart, and the options."""
        return {
            "kind": self.kind,
            "vocabulary": list(self.vocabulary),
            "unknown": self.unknown,
            "newline": self.newline,
            "lowercase": self.lowercase,
        }


class CharTokens(VocabularyTokens):
    """Characters, each a Unicode code point: combining marks are their own, and so is half a surrogate pair."""

    kind = "char"
    plural = "characters"

    def __init__(self, vocabulary: Iterable[str], unknown: str | None, newline: str | None, lowercase: bool) -> None:
        super().__init__(vocabulary, unknown, newline, lowercase)
        points = np.array([ord(character) for character in self.vocabulary])
        # By code point; the last entry is for all code points past the vocabulary's last.
        self._table = np.full(points[-1] + 2, self._unknown_code, np.int32)
        self._table[points] = np.arange(self.size)
        self._points = points.astype("<u4")

    @staticmethod
    def pieces(blocks: Iterable[str]) -> Iterator[Piece]:
        return iter(blocks)

    @staticmethod
    def counts(pieces: Iterable[Piece]) -> Mapping[str, int]:
        counts = np.zeros(0, np.int64)  # by code point, as many as occur
        for piece in pieces:
            assert isinstance(piece, str)
            before, counts = counts, np.bincount(code_points(piece), minlength=len(counts))
            counts[: len(before)] += before
        return {chr(point): int(counts[point]) for point in np.flatnonzero(counts)}

    def _codes(self, piece: Piece) -> "NDArray[np.int32]":
        assert isinstance(piece, str)
        return self._table.take(code_points(piece), mode="clip")

    def _decoded(self, codes: Integers) -> str:
        return str(self._points[codes].tobytes(), "utf-32-le", "surrogatepass")


class WordTokens(VocabularyTokens):
    """Words, ` ?\\w+| ?[^\\w\\s]|\\s`: letters, digits and underscores in a row, any other character alone, each with
    the space before it, if there is one. A word of more than 65,536 characters is several."""

    kind = "word"
    plural = "words"

    def __init__(self, vocabulary: Iterable[str], unknown: str | None, newline: str | None, lowercase: bool) -> None:
        super().__init__(vocabulary, unknown, newline, lowercase)
        self._numbers = {word: number for number, word in enumerate(self.vocabulary)}

    @staticmethod
    def pieces(blocks: Iterable[str]) -> Iterator[Piece]:
        rest = ""
        for block in blocks:
            words = _WORD.findall(rest + block)
            rest = words.pop()  # it alone may go on in the next block
            if words:
                yield words
        if rest:
            yield [rest]

    @staticmethod
    def counts(pieces: Iterable[Piece]) -> Mapping[str, int]:
        counts: Counter[str] = Counter()
        for piece in pieces:
            counts.update(piece)
        return counts

    def _codes(self, piece: Piece) -> "NDArray[np.int32]":
        return np.fromiter(map(self._numbers.get, piece, repeat(self._unknown_code)), np.int32, len(piece))


def _characters(piece: Piece) -> int:
    return len(piece) if isinstance(piece, str) else sum(map(len, piece))


_WITH_VOCABULARY: dict[str, type[VocabularyTokens]] = {tokens.kind: tokens for tokens in (CharTokens, WordTokens)}


def check_options(
    tokens: str,
    *,
    unknown: str | None = None,
    newline: str | None = None,
    lowercase: bool = False,
    vocabulary_size: int | None = None,
) -> None:
    """TypeError or ValueError unless `tokens_of` takes these arguments."""
    if not isinstance(tokens, str) or tokens not in ("char", "byte", "word"):
        raise ValueError(f'tokens must be "char", "byte" or "word", not {tokens!r}')
    if unknown is not None:
        _check_unknown(tokens, unknown)
    if newline is not None and not (isinstance(newline, str) and newline == "\n"):
        raise ValueError(f'newline must be None or "\\n", not {newline!r}')
    flag(lowercase, "lowercase")
    if vocabulary_size is not None:
        integer(vocabulary_size, "vocabulary_size", least=2)
        if unknown is None and tokens != "byte":
            raise ValueError(f"vocabulary_size leaves {tokens}s out: give unknown=..., to stand for them")
    options = {"unknown": unknown, "newline": newline, "lowercase": lowercase, "vocabulary_size": vocabulary_size}
    given = [name for name, value in options.items() if value not in (None, False)]
    if tokens == "byte" and given:
        raise ValueError(f'tokens="byte" takes every byte as it is: leave out {", ".join(given)}')


def _check_unknown(tokens: str, unknown: Any) -> None:
    if not isinstance(unknown, str):
        raise TypeError(f"unknown must be a str or None, not {type(unknown).__name__}")
    if tokens == "char" and len(unknown) != 1:
        raise ValueError(f"unknown must be one character, not {unknown!r}")
    if not unknown:
        raise ValueError("unknown must not be empty: it stands for words in what is sampled")
    if tokens == "word" and any("\ud800" <= character <= "\udfff" for character in unknown):
        raise ValueError(f"unknown must have no surrogates, which JSON joins to one character: not {unknown!r}")


def tokens_of(
    kind: str,
    text: Text | TextSource,
    *,
    unknown: str | None = None,
    newline: str | None = None,
    lowercase: bool = False,
    vocabulary_size: int | None = None,
) -> Tokens:
    """The tokens that a text is made of.

    kind: "char", "byte" or "word" (see CharTokens, ByteTokens, WordTokens). The vocabulary is all 256 bytes; or the
    text's distinct tokens and `unknown`, sorted; or of these `unknown` and the vocabulary_size - 1 most frequent
    others, of equally frequent ones those that come first in order. `unknown`, one character of "char", stands for
    tokens outside the vocabulary, which without it are errors. newline="\\n" makes \\r\\n and \\r that, lowercase makes
    characters lower case if that is one character, here and in all that is encoded; "byte" takes none of the four.

    A file is read in blocks: memory is for its distinct tokens alone. ValueError or TypeError for arguments that are
    otherwise, an empty text, bytes or a file not in UTF-8 (but for "byte"), a file that is not regular or changes, more
    than 2**24 - 1 distinct words; OSError for a file that can't be read.
    """
    check_options(kind, unknown=unknown, newline=newline, lowercase=lowercase, vocabulary_size=vocabulary_size)
    source = text_source(text)
    if kind == "byte":
        if next(source.byte_blocks(), None) is None:
            raise _empty(source)
        return ByteTokens()
    tokens = _WITH_VOCABULARY[kind]
    counts = tokens.counts(tokens.pieces(source.blocks(newline, lowercase)))
    if not counts:
        raise _empty(source)
    vocabulary = _most_frequent(counts, unknown, vocabulary_size)
    if len(vocabulary) > LARGEST_VOCABULARY:
        raise ValueError(
            f"{source.name} has {len(vocabulary)} distinct {tokens.plural}, more than {LARGEST_VOCABULARY}: give "
            "vocabulary_size=..., and unknown=..., to stand for the others"
        )
    return tokens(vocabulary, unknown, newline, bool(lowercase))


def _most_frequent(counts: Mapping[str, int], unknown: str | None, size: int | None) -> list[str]:
    """The vocabulary, of this size at most."""
    if unknown is None:
        return sorted(counts)
    others = sorted(counts.keys() - {unknown}, key=lambda token: (-counts[token], token))
    return sorted([unknown, *others[: None if size is None else size - 1]])


def _empty(source: TextSource) -> ValueError:
    return ValueError(f"{source.name} is empty: it must have at least one character")


def tokens_from_state(state: Any) -> Tokens:
    """The tokens of which `state` is the state. ValueError for anything else, such as an edited file may hold."""
    if not isinstance(state, dict):
        raise ValueError(f"tokens must be a dict, not {type(state).__name__}")
    if state == {"kind": "byte"}:
        return ByteTokens()
    names = {"kind", "vocabulary", "unknown", "newline", "lowercase"}
    kind = state.get("kind")
    if not isinstance(kind, str) or kind not in _WITH_VOCABULARY or state.keys() != names:
        raise ValueError('tokens must be of the kind "char", "byte" or "word", and have that kind\'s entries alone')
    try:
        check_options(kind, unknown=state["unknown"], newline=state["newline"], lowercase=state["lowercase"])
    except TypeError as error:
        raise ValueError(str(error)) from None
    _check_vocabulary(kind, state["vocabulary"], state["unknown"])
    return _WITH_VOCABULARY[kind](state["vocabulary"], state["unknown"], state["newline"], state["lowercase"])


def _check_vocabulary(kind: str, vocabulary: Any, unknown: str | None) -> None:
    """ValueError unless this can be the vocabulary of tokens of this kind."""
    if not isinstance(vocabulary, list) or not 1 <= len(vocabulary) <= LARGEST_VOCABULARY:
        raise ValueError(f"vocabulary must be a list of 1 to {LARGEST_VOCABULARY} {kind}s")
    if not all(isinstance(token, str) and token and (kind == "word" or len(token) == 1) for token in vocabulary):
        raise ValueError(f"vocabulary must hold {kind}s alone")
    if not all(before < after for before, after in pairwise(vocabulary)):
        raise ValueError(f"vocabulary must be sorted, each {kind} once")
    if unknown is not None and unknown not in vocabulary:
        raise ValueError(f"unknown must be in the vocabulary, and {unknown!r} is not")

"""fastrnn.tokens, fastrnn.codes: what texts are made of, and the numbers of whole texts, big files among them."""

import copy
import errno
import json
import pickle
import re
import resource
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrnn.text import TextSource
from fastrnn.tokens import LONGEST_WORD, tokens_from_state, tokens_of

TEXTS = {
    "ascii": "the quick brown fox, the lazy dog\n",
    "latin": "d\u00e9j\u00e0 vu, \u00fcber  d\u00e9j\u00e0",
    "combining": "e\u0301 n\u0303 a\u030a e",
    "emoji": "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U00010348 \U0010ffff",
    "line ends": "unix\nwindows\r\n\r\nold mac\r\rend\r",
    "controls": "\x00\t\r\n\x7f\x85\u2028 \x1c_1",
    "one": "z",
    "lone surrogates": "a\ud800b\udfffc \udbff\udc00 \udc80",
}
ONE_FORM = {"newline": "\n", "lowercase": True}
each_text = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
each_kind = pytest.mark.parametrize("kind", ["char", "byte", "word"])


def split(kind, text):
    """The tokens of a text, as they are defined."""
    if kind == "byte":
        return list(text.encode("utf-8", "surrogatepass"))
    return list(text) if kind == "char" else re.findall(r" ?\w+| ?[^\w\s]|\s", text)


@pytest.fixture
def file(tmp_path):
    """file(text): the path of a UTF-8 file of this text."""
    path = tmp_path / "text.txt"

    def write(text):
        path.write_bytes(text.encode())
        return path

    return write


@pytest.fixture
def in_files(monkeypatch, tmp_path):
    """Codes of files lie in temporary files, of however few; the folder of these."""
    monkeypatch.setattr("fastrnn.tokens.IN_MEMORY", 0)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "codes"))
    (tmp_path / "codes").mkdir()
    return tmp_path / "codes"


# ---- vocabularies ---------------------------------------------------------------------------------------------------


@each_text
@pytest.mark.parametrize("kind", ["char", "word"])
def test_the_vocabulary_is_the_sorted_distinct_tokens(kind, text):
    tokens = tokens_of(kind, text)
    assert tokens.vocabulary == tuple(sorted(set(split(kind, text))))
    assert (tokens.kind, tokens.size) == (kind, len(tokens.vocabulary))
    assert tokens.encode(text).tolist() == [tokens.vocabulary.index(token) for token in split(kind, text)]


@pytest.mark.parametrize("kind", ["char", "word"])
@given(text=st.text("ab _1.\n\r\t\u0301\u00e9\U0001f600\ud800\udc00", min_size=1))
def test_decode_undoes_encode(kind, text):
    tokens = tokens_of(kind, text)
    assert tokens.decode(tokens.encode(text)) == text
    assert tokens.decode(tokens.encode(text).tolist()) == text


def test_bytes_are_those_of_utf8():
    tokens = tokens_of("byte", "any text")
    assert tokens.size == 256
    assert tokens.encode("\u00e9\U0001f600").tolist() == list("\u00e9\U0001f600".encode())
    assert tokens.encode("\ud800").tolist() == [0xED, 0xA0, 0x80]
    assert tokens.decode(range(128)) == bytes(range(128)).decode()
    assert tokens.decode([0xC3, 0xA9, 0xFF, ord("a"), 0xC3]) == "\u00e9\ufffda\ufffd"


@pytest.mark.parametrize(("size", "dtype"), [(256, "uint8"), (257, "uint16"), (65536, "uint16"), (65537, "uint32")])
def test_codes_take_the_smallest_type_that_holds_them(size, dtype):
    text = "".join(map(chr, range(size)))
    encoded = tokens_of("char", text).encode_text(text)
    assert encoded.codes.dtype == dtype
    np.testing.assert_array_equal(encoded.codes, np.arange(size))


def test_unknown_stands_for_what_is_outside_the_vocabulary():
    tokens = tokens_of("char", "hello", unknown="?")
    assert tokens.vocabulary == ("?", "e", "h", "l", "o")
    assert tokens.decode(tokens.encode("Hello \U0001f600!")) == "?ello???"
    words = tokens_of("word", "to be or not to be", unknown="<?>")
    assert words.decode(words.encode("to see or not to see")) == "to<?> or not to<?>"


def test_vocabulary_size_keeps_the_most_frequent():
    """Of equally frequent ones those that are first in order, whichever comes first in the text; `unknown` counts as
    one of them, and its place in the text gives it no other."""
    text = "zzzz" + "yyy" + "dcba" * 2 + "????????"
    assert tokens_of("char", text, unknown="?", vocabulary_size=5).vocabulary == ("?", "a", "b", "y", "z")
    assert tokens_of("char", text, unknown="?", vocabulary_size=100).vocabulary == ("?", "a", "b", "c", "d", "y", "z")
    words = tokens_of("word", "one two two three three three", unknown="?", vocabulary_size=3)
    assert words.vocabulary == (" three", " two", "?")


@pytest.mark.parametrize("kind", ["char", "word"])
def test_line_ends_and_case_are_made_the_same_wherever_something_is_encoded(kind):
    tokens = tokens_of(kind, "\u00c9T\u00c9\r\nete\r", newline="\n", lowercase=True)
    assert tokens.decode(tokens.encode("\u00e9t\u00c9\n\r\nETE")) == "\u00e9t\u00e9\n\nete"
    assert tokens.encode_text("\u00e9t\u00c9\n\r\nETE").characters == 8


def test_a_word_without_end_is_several():
    """Or a file without spaces would be one token, as long as the file."""
    text = "a" * (3 * LONGEST_WORD + 1) + " b"
    tokens = tokens_of("word", text)
    assert tokens.vocabulary == (" b", "a", "a" * LONGEST_WORD)
    assert tokens.encode(text).tolist() == [2, 2, 2, 1, 0]


# ---- whole texts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(TEXTS.keys() - {"lone surrogates"}))  # which UTF-8 does not have
@pytest.mark.parametrize("block", [1, 2, 3, 7, 2**18])  # small, so that everything is once on the border of two blocks
@pytest.mark.parametrize(
    ("kind", "options"), [("byte", {}), ("char", {}), ("word", {}), ("char", ONE_FORM), ("word", ONE_FORM)], ids=str
)
def test_a_str_bytes_and_a_file_have_the_same_codes(monkeypatch, in_files, file, kind, name, block, options):
    text = TEXTS[name]
    tokens = tokens_of(kind, text, **options)
    whole = tokens.encode_text(text)
    expected = text.lower().replace("\r\n", "\n").replace("\r", "\n") if options else text
    assert whole.characters == len(expected)
    assert whole.codes.tolist() == tokens.encode(text).tolist()
    assert len(whole.codes) == len(split(kind, expected))
    monkeypatch.setattr("fastrnn.text.BLOCK", block)
    for source in (text, text.encode(), file(text)):
        assert tokens_of(kind, source, **options) == tokens
        encoded = tokens.encode_text(source)
        assert (encoded.codes.dtype, encoded.codes.tolist()) == (tokens.dtype, whole.codes.tolist())
        assert (encoded.fingerprint, encoded.characters) == (whole.fingerprint, whole.characters)
        assert encoded.codes.flags.c_contiguous
        assert not encoded.codes.flags.writeable


def test_the_fingerprint_tells_codes_apart():
    tokens = tokens_of("char", "abc")
    fingerprints = {tokens.encode_text(text).fingerprint for text in ("abc", "acb", "ab", "abca")}
    assert len(fingerprints) == 4
    assert all(re.fullmatch("[0-9a-f]{32}", fingerprint) for fingerprint in fingerprints)


def test_bytes_that_are_not_utf8_have_codes_too(in_files, tmp_path):
    content = bytes(range(256)) * 2
    (tmp_path / "any").write_bytes(content)
    for source in (content, tmp_path / "any"):
        assert tokens_of("byte", source).encode_text(source).codes.tobytes() == content


def test_codes_of_a_file_leave_nothing_behind(in_files, file):
    text = "some text " * 100
    path = file(text)
    encoded = tokens_of("char", text).encode_text(path)
    assert list(in_files.iterdir()) == []
    path.unlink()
    copies = [copy.deepcopy(encoded), pickle.loads(pickle.dumps(encoded))]
    tokens = tokens_of("char", text)
    assert [tokens.decode(each.codes) for each in [encoded, *copies]] == [text] * 3


@each_kind
def test_a_file_takes_memory_for_a_few_blocks(monkeypatch, in_files, file, kind):
    """Neither for its text nor for its codes."""
    monkeypatch.setattr("fastrnn.text.BLOCK", 2**10)
    path = file("a b c d\n" * 100_000)
    tracemalloc.start()
    try:
        tokens = tokens_of(kind, path)
        encoded = tokens.encode_text(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert encoded.characters == 800_000
    assert peak < 150_000


@pytest.fixture
def file_size_limit():
    """file_size_limit(n): no file can grow past n bytes from then on, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_an_error_with_its_remedy(in_files, file, file_size_limit):
    path = file("some text " * 10_000)
    file_size_limit(50_000)
    with pytest.raises(OSError, match="let TMPDIR name a folder with room") as caught:
        tokens_of("char", path).encode_text(path)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(in_files))
    assert list(in_files.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_error_with_its_remedy(in_files, file):
    in_files.rmdir()
    with pytest.raises(FileNotFoundError, match="let TMPDIR name a folder") as caught:
        tokens_of("char", "text").encode_text(file("text"))
    assert caught.value.filename == str(in_files)


@each_kind
def test_an_empty_text(file, kind):
    path = file("")
    tokens = tokens_of(kind, "text")
    for text, name in (("", "text"), (b"", "text"), (path, path)):
        for use in (tokens.encode_text, lambda text: tokens_of(kind, text)):
            with pytest.raises(ValueError, match=rf"^{name} is empty: it must have at least one character\Z"):
                use(text)
        codes = tokens.encode(text)  # a prime may be empty
        assert (codes.dtype, codes.shape) == (np.int64, (0,))
    assert tokens.decode([]) == tokens.decode(codes) == ""


def test_a_file_of_a_byte_order_mark_alone_is_empty(file):
    with pytest.raises(ValueError, match="is empty"):
        tokens_of("char", file("\ufeff"))


def test_a_file_that_changes_between_vocabulary_and_codes(file):
    source = TextSource(file("one text"))
    tokens = tokens_of("char", source)
    file("another text")
    with pytest.raises(ValueError, match="was changed while it was being read"):
        tokens.encode_text(source)


# ---- tokens outside the vocabulary ----------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 2**18])
@pytest.mark.parametrize(
    ("kind", "text", "named"),
    [
        ("char", "hello!", "characters that are not among the 5 of the vocabulary: '!', the first at character 5:"),
        ("char", "w\U0001f600h", "characters that are not among the 5 of the vocabulary: 'w', "),
        (
            "char",
            "hell\udfff",
            "characters that are not among the 5 of the vocabulary: '\\udfff', the first at character 4:",
        ),
        ("word", "hello  hello me", "words that are not among the 2 of the vocabulary: ' ', the first at character 5:"),
    ],
)
def test_a_token_outside_the_vocabulary_is_named(monkeypatch, block, kind, text, named):
    monkeypatch.setattr("fastrnn.text.BLOCK", block)
    tokens = tokens_of(kind, "hello hello")
    for use in (lambda text: tokens.encode(text, "prime"), lambda text: tokens.encode_text(TextSource(text, "prime"))):
        with pytest.raises(ValueError, match=re.escape(f"prime has {named}")) as caught:
            use(text)
    assert str(caught.value).endswith("or build the vocabulary with unknown=..., to stand for them")


def test_of_many_tokens_outside_the_vocabulary_the_first_few_are_named():
    with pytest.raises(ValueError, match=re.escape(": 'c', 'd', 'e', 'f', 'g', ..., the first at character 3:")):
        tokens_of("char", "ab").encode("abacccdefghij")


@pytest.mark.parametrize(
    ("codes", "error", "message"),
    [
        ([0, 4], IndexError, r"codes must be in \[0, 4\), and has 4"),
        ([-1], IndexError, r"codes must be in \[0, 4\), and has -1"),
        ([[0, 1]], ValueError, r"codes must have shape \(n,\), not \(1, 2\)"),
        (0, ValueError, r"codes must have shape \(n,\), not \(\)"),
        ([0.5], TypeError, "codes must hold integers, not float64"),
        ("o", (TypeError, ValueError), "codes must "),
    ],
)
def test_codes_that_stand_for_nothing(codes, error, message):
    with pytest.raises(error, match=message):
        tokens_of("char", "hello").decode(codes)


def test_bytes_refuse_codes_past_255():
    for decode in (tokens_of("byte", "a").decode, tokens_of("byte", "a").decoder()):
        with pytest.raises(IndexError, match=r"codes must be in \[0, 256\), and has 256"):
            decode([65, 256])


# ---- piece after piece ----------------------------------------------------------------------------------------------


@each_kind
@given(text=st.text("ab _\n\u0301\u00e9\U0001f600", min_size=1), data=st.data())
def test_pieces_decode_to_what_the_whole_does(kind, text, data):
    """Wherever they are cut, of text and of bytes that are none."""
    if kind == "byte":
        codes = list(data.draw(st.binary()) + text.encode())
        tokens = tokens_of("byte", "a")
    else:
        tokens = tokens_of(kind, text)
        codes = tokens.encode(text).tolist()
    decode, pieces = tokens.decoder(), []
    while codes and len(pieces) < 20:
        cut = data.draw(st.integers(1, 5))
        pieces.append((codes[:cut], decode(codes[:cut])))
        codes = codes[cut:]
    pieces.append((codes, decode(codes, final=True)))
    assert "".join(text for _, text in pieces) == tokens.decode([code for codes, _ in pieces for code in codes])


def test_a_character_comes_when_its_last_byte_does():
    decode = tokens_of("byte", "a").decoder()
    assert [decode([byte]) for byte in "a\U0001f600".encode()] == ["a", "", "", "", "\U0001f600"]
    assert decode([0xF0]) + decode([], final=True) == "\ufffd"


# ---- kept -----------------------------------------------------------------------------------------------------------

VARIANTS = [
    tokens_of("byte", "a"),
    *(tokens_of("char", text) for text in TEXTS.values()),
    *(tokens_of("word", text) for text in TEXTS.values()),
    tokens_of("char", "hello", unknown="\udfff", newline="\n", lowercase=True, vocabulary_size=3),
    tokens_of("word", "hello", unknown="<?>"),
]


@pytest.mark.parametrize("tokens", VARIANTS, ids=lambda tokens: f"{tokens.kind} {tokens.size}")
def test_tokens_survive_json_pickle_and_copy(tokens):
    """Also neighbours in the vocabulary that JSON, in one string, would read as one character."""
    for kept in (
        tokens_from_state(json.loads(json.dumps(tokens.state()))),
        pickle.loads(pickle.dumps(tokens)),
        copy.deepcopy(tokens),
    ):
        assert kept == tokens
        assert hash(kept) == hash(tokens)
        assert kept.state() == tokens.state()
        codes = np.arange(tokens.size)
        assert kept.decode(codes) == tokens.decode(codes)


def test_tokens_are_equal_where_everything_is():
    assert tokens_of("char", "abc\u00e9") == tokens_of("char", "\u00e9cabba")
    different = [
        tokens_of("char", "ab"),
        tokens_of("char", "abc"),
        tokens_of("word", "a b"),
        tokens_of("byte", "ab"),
        tokens_of("char", "ab", unknown="a"),
        tokens_of("char", "ab", newline="\n"),
        tokens_of("char", "ab", lowercase=True),
    ]
    assert len(set(different)) == len(different)
    assert different[0] != "ab"


CHAR = tokens_of("char", "abc", unknown="?").state()
WORD = tokens_of("word", "one two", unknown="?").state()


@pytest.mark.parametrize(
    "state",
    [
        None,
        [],
        "char",
        {},
        {"kind": ["char"]},
        {"kind": "byte", "vocabulary": ["a"]},
        CHAR | {"kind": "syllable"},
        CHAR | {"kind": "byte"},
        CHAR | {"left over": 1},
        {name: value for name, value in CHAR.items() if name != "newline"},
        CHAR | {"vocabulary": "?abc"},
        CHAR | {"vocabulary": []},
        CHAR | {"vocabulary": None},
        CHAR | {"vocabulary": {"?": 1}},
        CHAR | {"vocabulary": ["?", "b", "a"]},
        CHAR | {"vocabulary": ["?", "a", "a"]},
        CHAR | {"vocabulary": ["?", "a", "bc"]},
        CHAR | {"vocabulary": ["", "?", "a"]},
        CHAR | {"vocabulary": ["?", 5]},
        CHAR | {"vocabulary": ["?", ["a"]]},
        CHAR | {"vocabulary": ["?", None]},
        CHAR | {"unknown": "!"},
        CHAR | {"unknown": "??"},
        CHAR | {"unknown": ["?"]},
        CHAR | {"newline": "\r"},
        CHAR | {"newline": ["\n"]},
        CHAR | {"lowercase": 1},
        CHAR | {"lowercase": None},
        WORD | {"vocabulary": ["", " two", "?"]},
        WORD | {"vocabulary": ["?"] * 2},
        WORD | {"unknown": ""},
        WORD | {"unknown": 5},
        WORD | {"vocabulary": ["\ud800\udc00"], "unknown": "\ud800\udc00"},
    ],
    ids=repr,
)
def test_a_state_that_is_none_is_refused(state):
    with pytest.raises(ValueError, match=r"^(tokens|vocabulary|unknown|newline|lowercase) must "):
        tokens_from_state(state)


def test_more_tokens_than_layers_take_are_refused(monkeypatch):
    monkeypatch.setattr("fastrnn.tokens.LARGEST_VOCABULARY", 3)
    with pytest.raises(
        ValueError, match=r"text has 4 distinct words, more than 3: give vocabulary_size=\.\.\., and unknown="
    ):
        tokens_of("word", "a b c d")
    with pytest.raises(ValueError, match="vocabulary must be a list of 1 to 3 chars"):
        tokens_from_state(CHAR)
    assert tokens_of("word", "a b c d", unknown="?", vocabulary_size=3).size == 3


# ---- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options", "error", "message"),
    [
        ("chars", {}, ValueError, 'tokens must be "char", "byte" or "word", not \'chars\''),
        (None, {}, ValueError, 'tokens must be "char", "byte" or "word", not None'),
        ("char", {"unknown": 5}, TypeError, "unknown must be a str or None, not int"),
        ("char", {"unknown": "??"}, ValueError, "unknown must be one character, not '??'"),
        ("char", {"unknown": ""}, ValueError, "unknown must be one character, not ''"),
        ("word", {"unknown": ""}, ValueError, "unknown must not be empty: it stands for words in what is sampled"),
        (
            "word",
            {"unknown": "\ud800"},
            ValueError,
            "unknown must have no surrogates, which JSON joins to one character",
        ),
        ("char", {"newline": "\r\n"}, ValueError, "newline must be None or \"\\n\", not '\\r\\n'"),
        ("char", {"newline": ""}, ValueError, "newline must be None or \"\\n\", not ''"),
        ("char", {"lowercase": "yes"}, TypeError, "lowercase must be True or False, not 'yes'"),
        (
            "char",
            {"vocabulary_size": 5},
            ValueError,
            "vocabulary_size leaves chars out: give unknown=..., to stand for",
        ),
        ("char", {"vocabulary_size": 1, "unknown": "?"}, ValueError, "vocabulary_size must be at least 2, not 1"),
        ("char", {"vocabulary_size": 5.0, "unknown": "?"}, TypeError, "vocabulary_size must be an integer, not float"),
        ("byte", {"unknown": "?"}, ValueError, 'tokens="byte" takes every byte as it is: leave out unknown'),
        ("byte", {"newline": "\n"}, ValueError, 'tokens="byte" takes every byte as it is: leave out newline'),
        ("byte", {"lowercase": True}, ValueError, 'tokens="byte" takes every byte as it is: leave out lowercase'),
        (
            "byte",
            {"vocabulary_size": 9},
            ValueError,
            'tokens="byte" takes every byte as it is: leave out vocabulary_size',
        ),
    ],
)
def test_options_are_refused_before_anything_is_read(kind, options, error, message):
    with pytest.raises(error, match="^" + re.escape(message)):
        tokens_of(kind, Path("not read"), **options)

"""fastrnn.text: the default text, reading files, and the vocabulary."""

import re

import numpy as np
import pytest

from fastrnn.text import Vocabulary, default_text, read_text

TEXTS = {
    "ascii": "the quick brown fox\n",
    "latin": "d\u00e9j\u00e0 vu, \u00fcber",
    "combining": "e\u0301 n\u0303 a\u030a e",
    "astral": "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U00010348 \U0010ffff",
    "wide and narrow": "\uffff\U00010000\uff21A\U0001d400",
    "lone surrogates": "a\ud800b\udfffc\udc80",
    "controls": "\x00\t\r\n\x7f\x85\u2028\ufeff",
    "one": "z",
    "none": "",
}
each_text = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())


# ---- the vocabulary -------------------------------------------------------------------------------------------------


@each_text
def test_a_vocabulary_is_the_sorted_distinct_characters(text):
    vocabulary = Vocabulary(text)
    assert vocabulary.characters == sorted(set(text))
    assert len(vocabulary) == len(set(text))


@each_text
def test_encode_gives_each_character_its_place(text):
    vocabulary = Vocabulary(text)
    indices = vocabulary.encode(text)
    assert (indices.dtype, indices.shape) == (np.int64, (len(text),))
    assert indices.tolist() == [vocabulary.characters.index(character) for character in text]


@each_text
def test_decode_undoes_encode(text):
    vocabulary = Vocabulary(text)
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert vocabulary.decode(vocabulary.encode(text).tolist()) == text


def test_texts_of_the_same_characters_have_one_vocabulary():
    """Whatever their order: a model may meet another text, or the same one in another process."""
    assert Vocabulary("abc\u00e9").characters == Vocabulary("\u00e9cabba").characters


def test_encode_takes_another_text_of_the_same_characters():
    vocabulary = Vocabulary("hello")
    assert vocabulary.characters == ["e", "h", "l", "o"]
    assert vocabulary.encode("hole").tolist() == [1, 3, 2, 0]
    assert vocabulary.encode("").tolist() == []


@pytest.mark.parametrize(
    ("text", "unknown"),
    [("hello!", "!"), ("a", "a"), ("help", "p"), ("z", "z"), ("h\U0001f600", "\U0001f600"), ("o\x00", "\x00")],
)
def test_encode_names_a_character_that_it_does_not_know(text, unknown):
    with pytest.raises(ValueError, match=re.escape(f"{unknown!r} is not in the vocabulary") + r"\Z"):
        Vocabulary("hello").encode(text)


def test_decode_refuses_a_number_past_the_last_character():
    with pytest.raises(IndexError):
        Vocabulary("hello").decode([0, 4])


# ---- texts ----------------------------------------------------------------------------------------------------------


def test_the_default_text_is_a_real_text_and_always_the_same():
    text = default_text()
    assert text == default_text()
    assert len(text) > 100_000
    assert 50 < len(set(text)) < 500
    assert all(word in text for word in ("The standard type hierarchy", "expression", "\n"))


@pytest.mark.parametrize("name", sorted(TEXTS.keys() - {"lone surrogates"}))  # which UTF-8 does not have
def test_read_text_returns_what_was_written(tmp_path, name):
    text = TEXTS[name]
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode())
    expected = text.replace("\r\n", "\n").replace("\r", "\n")
    assert read_text(path) == read_text(str(path)) == expected


def test_read_text_reads_every_kind_of_line_end_as_one(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_bytes(b"unix\nwindows\r\nold mac\rend")
    assert read_text(path) == "unix\nwindows\nold mac\nend"


def test_read_text_does_not_depend_on_the_locale(tmp_path, monkeypatch):
    monkeypatch.setattr("locale.getpreferredencoding", lambda *_: "ascii")
    path = tmp_path / "text.txt"
    path.write_bytes("d\u00e9j\u00e0".encode())
    assert read_text(path) == "d\u00e9j\u00e0"


@pytest.mark.parametrize(
    ("content", "byte"),
    [
        (b"abc\xff", 3),
        ("caf\xe9s".encode("latin-1"), 3),
        ("\U0001f600".encode()[:3], 0),  # cut within a character
        (b"a" * 100_000 + b"\x80" + b"a", 100_000),  # past the first piece that is read
        (b"\xed\xa0\x80", 0),  # a surrogate
        ("text".encode("utf-16"), 0),
    ],
    ids=["never valid", "Latin-1", "cut", "far on", "surrogate", "UTF-16"],
)
def test_read_text_says_where_a_file_is_not_utf8(tmp_path, content, byte):
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    message = f"{path} is not UTF-8 text (byte {byte}): convert it to UTF-8"
    with pytest.raises(ValueError, match=re.escape(message) + r"\Z"):
        read_text(path)


@pytest.mark.parametrize(
    ("name", "error"), [("missing.txt", FileNotFoundError), (".", IsADirectoryError), ("file/x", NotADirectoryError)]
)
def test_read_text_of_what_is_no_file(tmp_path, name, error):
    (tmp_path / "file").write_text("a file")
    with pytest.raises(error) as caught:
        read_text(tmp_path / name)
    assert caught.value.filename == str(tmp_path / name) or caught.value.filename == tmp_path / name

"""fastrnn.text: the default text, reading files whole, and any text in blocks."""

import os
import re

import pytest

from fastrnn.text import TextSource, default_text, read_text

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


# ---- whole -----------------------------------------------------------------------------------------------------------


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


NOT_UTF8 = pytest.mark.parametrize(
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


@NOT_UTF8
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


# ---- in blocks ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[1, 2, 3, 7, 2**18])
def block(request, monkeypatch):
    """The size of blocks: so small that every character, line end and mark is once on a border, and the usual one."""
    monkeypatch.setattr("fastrnn.text.BLOCK", request.param)
    return request.param


@pytest.fixture
def file(tmp_path):
    """file(content): the path of a file that holds these bytes."""
    path = tmp_path / "text.txt"

    def write(content):
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("name", TEXTS)
def test_the_blocks_of_a_str_join_to_it(block, name):
    blocks = list(TextSource(TEXTS[name]).blocks())
    assert "".join(blocks) == TEXTS[name]
    assert all(0 < len(each) <= block for each in blocks)


@pytest.mark.parametrize("name", sorted(TEXTS.keys() - {"lone surrogates"}))
def test_the_blocks_of_bytes_and_of_a_file_join_to_their_text(block, file, name):
    content = TEXTS[name].encode()
    for text in (content, file(content)):
        assert "".join(TextSource(text).blocks()) == TEXTS[name]
        assert b"".join(TextSource(text).byte_blocks()) == content


def test_lone_surrogates_have_bytes_too(block):
    text = TEXTS["lone surrogates"]
    assert b"".join(TextSource(text).byte_blocks()).decode("utf-8", "surrogatepass") == text


def test_a_byte_order_mark_is_left_out_at_the_beginning_of_bytes_and_files(block, file):
    content = "\ufeffa\ufeffb".encode()
    assert "".join(TextSource(content).blocks()) == "".join(TextSource(file(content)).blocks()) == "a\ufeffb"
    assert "".join(TextSource(content.decode()).blocks()) == "\ufeffa\ufeffb"  # there somebody put it
    assert b"".join(TextSource(file(content)).byte_blocks()) == content


def test_newline_makes_every_line_end_one_character(block, file):
    content = b"unix\nwindows\r\n\r\nold mac\r\rend\r"
    for text in (content.decode(), content, file(content)):
        assert "".join(TextSource(text).blocks(newline="\n")) == "unix\nwindows\n\nold mac\n\nend\n"
        assert "".join(TextSource(text).blocks()) == content.decode()


def test_lowercase_changes_each_character_by_itself(block):
    """As str.lower does not: a sigma at a word's end has another form there, and \u0130 becomes two characters."""
    text = "ABC d\u00c9J\u00c0 \u039f\u0394\u039f\u03a3 \u0130 \u1e9e \U00010400 \U0001f600 \ud800"
    expected = "abc d\u00e9j\u00e0 \u03bf\u03b4\u03bf\u03c3 \u0130 \u00df \U00010428 \U0001f600 \ud800"
    assert "".join(TextSource(text).blocks(lowercase=True)) == expected


@NOT_UTF8
def test_blocks_say_where_a_text_is_not_utf8(monkeypatch, file, content, byte):
    for size in (1, 2, 3, 7, 2**18) if len(content) < 100 else (1000, 2**18):
        monkeypatch.setattr("fastrnn.text.BLOCK", size)
        path = file(content)
        for text, name in ((content, "prime"), (path, path)):
            message = f'{name} is not UTF-8 text (byte {byte}): convert it to UTF-8, or use tokens="byte"'
            with pytest.raises(ValueError, match=re.escape(message) + r"\Z"):
                list(TextSource(text, "prime").blocks())


@pytest.mark.parametrize("text", [None, 5, ["a"], bytearray(b"a"), open], ids=str)
def test_what_is_no_text(text):
    with pytest.raises(TypeError, match=r"^prime must be a str, bytes, or the path of a file as an os\.PathLike, not "):
        TextSource(text, "prime")


@pytest.mark.parametrize(
    ("name", "error"), [("missing.txt", FileNotFoundError), (".", IsADirectoryError), ("file/x", NotADirectoryError)]
)
def test_blocks_of_what_is_no_file(tmp_path, name, error):
    (tmp_path / "file").write_text("a file")
    with pytest.raises(error) as caught:
        list(TextSource(tmp_path / name).blocks())
    assert os.fspath(caught.value.filename) == str(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_blocks_of_a_file_without_permission(file):
    path = file(b"secret")
    path.chmod(0)
    with pytest.raises(PermissionError):
        list(TextSource(path).blocks())


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe is no regular file, which can be read twice: pass its content"):
        list(TextSource(tmp_path / "pipe").byte_blocks())


def test_a_file_that_changes_is_refused(monkeypatch, file):
    monkeypatch.setattr("fastrnn.text.BLOCK", 4)
    path = file(b"a text of some blocks")
    source = TextSource(path)
    changed = f"{path} was changed while it was being read: use a copy that nobody writes to"
    for blocks in (source.blocks(), source.byte_blocks()):  # the second one finds it changed from the beginning
        with pytest.raises(ValueError, match=re.escape(changed)):  # noqa: PT012
            for _ in blocks:
                file(b"cut")
    assert "".join(TextSource(path).blocks()) == "cut"

"""fastrnn.files: models are kept as they are, whole or not at all, and nothing else is taken for a model."""

import io
import json
import os
import random
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from fuzz_files import parts, run, safetensors_opens, sealed

import fastrnn
from fastrnn import ModelFileError, files
from fastrnn.files import read_model, write_model

PACKAGE = str(Path(fastrnn.__file__).parents[1])  # a child tests the fastrnn that this process has imported
TENSORS = {
    "rnn.weight_hh_l0": np.arange(6, dtype=np.float32).reshape(2, 3),
    "linear.bias": np.array([np.nan, -0.0, 5e-324, np.inf]),
}
METADATA = {"configuration": {"cell": "gru", "clip_norm": None}, "vocabulary": ["a", "b"]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def model(path):
    """The path of a small model."""
    write_model(path, TENSORS, METADATA)
    return path


def assert_same(got, expected):
    """Two models' (tensors, metadata): the same dtypes, shapes and bits, the same values of the same types."""
    tensors, metadata = got
    assert tensors.keys() == expected[0].keys()
    for name, array in expected[0].items():
        assert (tensors[name].dtype, tensors[name].shape) == (array.dtype, array.shape)
        assert tensors[name].tobytes() == array.tobytes()
    assert metadata.keys() == expected[1].keys()
    assert all(repr(metadata[key]) == repr(value) for key, value in expected[1].items())


def refusal(path):
    """What read_model says of a file that it refuses, after the file's name."""
    with pytest.raises(ModelFileError) as caught:
        read_model(path)
    name, rest = str(caught.value)[: len(str(path))], str(caught.value)[len(str(path)) + 1 :]
    assert name == str(path)
    return rest


# ---- what is written is what is read --------------------------------------------------------------------------------

EVERYTHING = {
    "bytes": np.array([0, 255], dtype=np.uint8),
    "wide": np.array([[np.nan, np.inf], [-0.0, 5e-324]]),
    "odd": np.arange(7, dtype=np.float32),
    "no elements": np.empty((3, 0, 2), dtype=np.float32),
    "a number": np.array(2**62),
    "transposed": np.arange(6, dtype=np.int64).reshape(2, 3).T,
    "every second": np.arange(10, dtype=np.float32)[::2],
    "n\u00e4me \U0001f600 \"'\\\0\n": np.array(1, dtype=np.uint8),
    "": np.ones(1, dtype=np.uint8),
}
EVERY_VALUE = {
    "vocabulary": ["\ud800", "\udfff", "\U0001f600", "\u0301", "\r\n", "\0", '"\\', "\u2028"],
    "numbers": [0, -1, 2**128 + 1, -(10**4000), 0.1, -0.0, 1e-320, 1.7976931348623157e308, True, False, None],
    "nested": {"a": [[], {}, [{"b": [""]}]], "\ud800": {"": 0}},
    "k\u00e9y \U0001f600": "text",
    "": [],
}


def test_everything_comes_back_as_it_was(path):
    write_model(path, EVERYTHING, EVERY_VALUE)
    assert_same(read_model(path), (EVERYTHING, EVERY_VALUE))
    assert all(array.flags.writeable and array.flags.c_contiguous for array in read_model(path)[0].values())
    write_model(path, {}, {})
    assert_same(read_model(str(path)), ({}, {}))


def test_the_same_model_gives_the_same_bytes(path):
    write_model(path, EVERYTHING, EVERY_VALUE)
    before = path.read_bytes()
    write_model(path, *read_model(path))
    assert path.read_bytes() == before


def test_the_safetensors_library_opens_it(path):
    safetensors = pytest.importorskip("safetensors", reason="the safetensors library is missing")
    write_model(path, EVERYTHING, EVERY_VALUE)
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
    assert (metadata.pop("format"), metadata.pop("format_version")) == ("fastrnn", "1")
    assert re.fullmatch("[0-9a-f]{64}", metadata.pop("checksum"))
    assert_same((tensors, {key: json.loads(text) for key, text in metadata.items()}), (EVERYTHING, EVERY_VALUE))


def test_data_are_aligned(path):
    """The data to 64 bytes, each tensor to its elements, whatever the length of the header."""
    for letters in range(64):
        write_model(path, EVERYTHING, {"a" * letters: ""})
        header, data = parts(path.read_bytes())
        assert (path.stat().st_size - len(data)) % 64 == 0
        if letters == 0:
            entries = json.loads('{"__metadata__":{"checksum":"' + header.decode())
            del entries["__metadata__"]
            assert all(entries[name]["data_offsets"][0] % array.itemsize == 0 for name, array in EVERYTHING.items())


@pytest.mark.parametrize(
    ("tensors", "metadata", "error", "message"),
    [
        ({"a": [1.0]}, {}, TypeError, "tensors['a'] must be a NumPy array, not list"),
        (
            {"a": np.ones(1, "f2")},
            {},
            TypeError,
            "tensors['a'] must hold float32, float64, int64 or uint8, not float16",
        ),
        ({"a": np.ones(1, ">f4")}, {}, TypeError, "tensors['a'] must hold float32, float64, int64 or uint8, not >f4"),
        ({1: np.ones(1)}, {}, TypeError, "tensors must have keys of type str, not int"),
        ({"__metadata__": np.ones(1)}, {}, ValueError, "tensors cannot have the name '__metadata__'"),
        ({"\ud800": np.ones(1)}, {}, ValueError, "tensors has the key '\\ud800', with a lone surrogate"),
        ({}, {"checksum": 1}, ValueError, "metadata cannot have the key 'checksum'"),
        ({}, {"a": {1}}, TypeError, "metadata['a'] must be a value that JSON has: Object of type set"),
        ({}, {"a": np.float32(1)}, TypeError, "metadata['a'] must be a value that JSON has: Object of type float32"),
        ({}, {"a": [float("nan")]}, ValueError, "metadata['a'] must be a value that JSON has: Out of range float"),
        ({}, {"a": 10**5000}, ValueError, "metadata['a'] must be a value that JSON has: Exceeds the limit"),
        ({}, {"a": {1: 2}}, ValueError, "metadata['a'] would come back from JSON as another value"),
        ({}, {"a": (1, 2)}, ValueError, "metadata['a'] would come back from JSON as another value"),
        ({}, {"a": "\ud83d\ude00"}, ValueError, "metadata['a'] would come back from JSON as another value"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_what_cannot_be_kept_is_refused_before_anything_is_written(model, tensors, metadata, error, message):
    before = model.read_bytes()
    with pytest.raises(error, match=re.escape(message)):
        write_model(model, tensors, metadata)
    assert model.read_bytes() == before
    assert os.listdir(model.parent) == [model.name]


def test_a_header_that_other_readers_refuse_is_not_written(path, monkeypatch):
    monkeypatch.setattr(files, "LARGEST_HEADER", 1000)  # 100 MB take long
    write_model(path, {}, {"a": "a" * 800})
    with pytest.raises(ValueError, match="metadata and names take 1080 bytes, above the 1000 that the format has"):
        write_model(path, {}, {"a": "a" * 900})


# ---- whole or not at all --------------------------------------------------------------------------------------------


def run_python(code, *arguments):
    """The stdout of a Python program, which must end well."""
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": PACKAGE},
        capture_output=True,
        text=True,
        timeout=300,  # only a hang takes so long
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_process_killed_while_it_saves_leaves_a_whole_model(path):
    """50 processes, each killed at a random moment. How far saving had come is seen by what some of them leave."""
    code = """
import os, random, signal, sys, time
import numpy as np
from fastrnn.files import read_model, write_model

path = sys.argv[1]

def save(number):
    write_model(path, {"numbers": np.full(100_000, number)}, {"number": number})

save(0)
for _ in range(50):
    child = os.fork()
    if child == 0:
        number = 0
        while True:
            number += 1
            save(number)
    time.sleep(random.uniform(0.001, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    tensors, metadata = read_model(path)
    assert tensors["numbers"].shape == (100_000,) and (tensors["numbers"] == metadata["number"]).all()
print(sum(name.endswith(".tmp") for name in os.listdir(os.path.dirname(path))))
"""
    interrupted = int(run_python(code, path))
    assert interrupted > 0
    assert read_model(path)[1]["number"] > 0


def test_a_full_disk_leaves_the_old_model(model):
    code = """
import os, resource, sys
import numpy as np
from fastrnn.files import write_model

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    write_model(sys.argv[1], {"numbers": np.ones(1_000_000)}, {})
except OSError as error:
    print(error)
"""
    for limit in (10, 5_000_000, 8_000_000):  # within the header, the data, what is written of the data at last
        assert run_python(code, model, limit) == f"[Errno 27] File too large: '{model}'\n"
        assert_same(read_model(model), (TENSORS, METADATA))
        assert os.listdir(model.parent) == [model.name]


def test_ctrl_c_leaves_the_old_model_or_the_new_one(model):
    def interrupt(*_):
        raise KeyboardInterrupt

    new = {"numbers": np.arange(300_000)}
    handler = signal.signal(signal.SIGALRM, interrupt)
    interrupted = 0
    try:
        for _ in range(30):
            write_model(model, TENSORS, METADATA)
            try:
                signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 5e-3))
                write_model(model, new, {})
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                interrupted += 1
            assert os.listdir(model.parent) == [model.name]
            tensors, _ = read_model(model)
            assert tensors.keys() in (new.keys(), TENSORS.keys())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert interrupted > 0


def test_the_bytes_are_on_the_disk_before_the_name_is_theirs(model, monkeypatch):
    """After a power cut the name must not have a file without content; no test can cut the power."""
    done = []
    for name in ("fsync", "replace"):
        call = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *given, name=name, call=call: (done.append(name), call(*given))[1])
    write_model(model, TENSORS, METADATA)
    assert done == ["fsync", "replace", "fsync"]  # the file, its name, the folder


def test_a_symbolic_link_is_followed(model):
    link, folder = model.parent / "latest", model.parent / "elsewhere"
    folder.mkdir()
    link.symlink_to("elsewhere/new.safetensors")  # which is not there yet
    for number in (1, 2):
        write_model(link, {}, {"number": number})
        assert link.is_symlink()
        assert read_model(folder / "new.safetensors") == read_model(link) == ({}, {"number": number})
    assert sorted(os.listdir(model.parent)) == ["elsewhere", "latest", "model.safetensors"]


def test_the_mode_is_the_old_file_s_or_a_new_file_s(path):
    before = os.umask(0o027)
    try:
        write_model(path, {}, {})
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        for mode in (0o600, 0o666, 0o755):
            path.chmod(mode)
            write_model(path, {}, {})
            assert stat.S_IMODE(path.stat().st_mode) == mode
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("folder", IsADirectoryError),
        ("missing/model", FileNotFoundError),
        ("file/model", NotADirectoryError),
        ("loop", OSError),
        ("a" * 256, OSError),
    ],
    ids=["a folder", "in no folder", "in a file", "a link to itself", "a long name"],
)
def test_what_the_system_refuses_is_an_error_that_names_the_file(tmp_path, name, error):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(error) as caught:
        write_model(tmp_path / name, TENSORS, METADATA)
    assert str(caught.value) == f"[Errno {caught.value.errno}] {caught.value.strerror}: '{tmp_path / name}'"
    assert sorted(os.listdir(tmp_path)) == before
    if name != "folder":  # which read_model refuses itself
        with pytest.raises(error) as caught:
            read_model(tmp_path / name)
        assert caught.value.filename == str(tmp_path / name)


@pytest.fixture
def folder_of_a_user():
    """An empty folder of a user who is not root, who runs the test."""
    nobody = 65534
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as folder:
        if root:
            os.chown(folder, nobody, -1)
            os.seteuid(nobody)
        yield Path(folder)
        if root:
            os.seteuid(0)


def test_what_may_not_be_written_or_read(folder_of_a_user):
    model = folder_of_a_user / "model.safetensors"
    write_model(model, TENSORS, METADATA)

    def refused(call, *arguments):
        with pytest.raises(PermissionError, match=re.escape(str(model))):
            call(model, *arguments)

    model.chmod(0o400)
    refused(write_model, {}, {})  # though the folder would let it be replaced
    assert_same(read_model(model), (TENSORS, METADATA))
    model.chmod(0o200)
    refused(read_model)
    model.chmod(0o600)
    folder_of_a_user.chmod(0o500)
    refused(write_model, {}, {})
    assert_same(read_model(model), (TENSORS, METADATA))
    folder_of_a_user.chmod(0o300)  # it cannot be opened, so not be brought to the disk either
    write_model(model, {}, {})
    assert_same(read_model(model), ({}, {}))


def test_a_pipe_or_a_device_is_not_replaced(tmp_path):
    """Tried with a pipe alone: code that fails this test, run by root, would replace the machine's own /dev/null."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match=f"path must be a new or a regular file, and {pipe} is neither"):
        write_model(pipe, {}, {})
    assert pipe.is_fifo()


@pytest.mark.parametrize("call", [lambda path: write_model(path, {}, {}), read_model], ids=["write", "read"])
def test_what_is_no_path(call):
    with pytest.raises(TypeError, match=r"path must be a str or os\.PathLike, not int"):
        call(1)
    with pytest.raises(ValueError, match="path must not have a null character"):
        call("model\0")


# ---- nothing else is taken for a model ------------------------------------------------------------------------------


def test_a_cut_file_is_refused_wherever_it_is_cut(model):
    size = model.stat().st_size
    assert size < 1000
    for length in reversed(range(size)):
        os.truncate(model, length)
        said = refusal(model)
        assert said.startswith("is cut" if length else "is empty")
        assert "copy it again" in said


def test_a_file_with_a_changed_bit_is_refused_wherever_it_is(model):
    content = model.read_bytes()
    assert b" \0" in content  # so there is padding, too
    with open(model, "r+b", buffering=0) as file:
        for place, byte in enumerate(content):
            for bit in range(8):
                os.pwrite(file.fileno(), bytes([byte ^ 1 << bit]), place)
                refusal(model)
            os.pwrite(file.fileno(), bytes([byte]), place)
    assert_same(read_model(model), (TENSORS, METADATA))


def test_a_space_of_the_padding_made_a_line_end_is_refused(model):
    """It means the same JSON, but is another file."""
    header, _ = parts(model.read_bytes())
    model.write_bytes(model.read_bytes().replace(header, header[:-1] + b"\n"))
    assert "its checksum is another" in refusal(model)


def test_a_file_with_more_behind_it_is_refused(model):
    model.write_bytes(model.read_bytes() + b"\0")
    assert "it has 441 bytes, 1 more than its header says" in refusal(model)


def test_a_newer_version_says_so(model):
    model.write_bytes(model.read_bytes().replace(b'"format_version":"1"', b'"format_version":"2","new":{}'))
    assert refusal(model) == "has format version 2, and this fastrnn reads up to 1: upgrade fastrnn"


def npz():
    file = io.BytesIO()
    np.savez(file, a=np.ones(100))
    return file.getvalue()


OTHER_FILES = {
    "another program's safetensors file": b"\x40" + bytes(7) + b'{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}',
    "a text": b"What a piece of work is a man\n" * 10,
    "zeros": bytes(1000),
    "NumPy's": npz(),
}


@pytest.mark.parametrize("content", OTHER_FILES.values(), ids=OTHER_FILES.keys())
def test_other_files_are_no_models(path, content):
    path.write_bytes(content.ljust(80))
    assert refusal(path).startswith("is not a model that fastrnn has saved")
    assert ("another program's safetensors file" in refusal(path)) == (b"{" in content[:9])


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path).startswith("is a directory, not a model")
    assert refusal(tmp_path / "pipe").startswith("is a pipe or a device, not a model")
    assert refusal("/dev/zero").startswith("is a pipe or a device, not a model")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        with pytest.raises(OSError, match="socket"):
            read_model(tmp_path / "socket")


# Headers after the checksum, but for their last bracket, in files of 8 bytes of data whose checksum is right; and what
# is said of them.
A = '"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}'
HALVES = '"a":{"dtype":"U8","shape":[%s],"data_offsets":[%s]},"b":{"dtype":"U8","shape":[%s],"data_offsets":[%s]}'
HOSTILE_HEADERS = {
    "a hole": ('"},' + HALVES % (3, "0,3", 4, "4,8"), "the tensor 'b' has the data_offsets [4, 8], not [3, 7]"),
    "an overlap": ('"},' + HALVES % (5, "0,5", 4, "4,8"), "the tensor 'b' has the data_offsets [4, 8], not [5, 9]"),
    "the same data": ('"},' + HALVES % (8, "0,8", 8, "0,8"), "the tensor 'b' has the data_offsets [0, 8], not [8, 16]"),
    "an end first": ('"},"a":{"dtype":"U8","shape":[8],"data_offsets":[8,0]}', "the data_offsets [8, 0], not [0, 8]"),
    "too few data": ('"},"a":{"dtype":"U8","shape":[7],"data_offsets":[0,7]}', "1 more than its header says"),
    "2^60 bytes": (f'"}},"a":{{"dtype":"U8","shape":[{2**60}],"data_offsets":[0,{2**60}]}}', "is cut: it has "),
    "2^64 bytes": (f'"}},"a":{{"dtype":"F64","shape":[{2**61}],"data_offsets":[0,{2**64}]}}', "has the shape ["),
    "2^64 rows of none": (f'"}},"a":{{"dtype":"U8","shape":[{2**64},0],"data_offsets":[0,0]}}', "has the shape ["),
    "65 dimensions": ('"},"a":{"dtype":"U8","shape":[8' + ",1" * 64 + '],"data_offsets":[0,8]}', "has the shape [8, 1"),
    "a negative length": ('"},"a":{"dtype":"U8","shape":[-8],"data_offsets":[0,8]}', "has the shape [-8]"),
    "two negative ones": ('"},"a":{"dtype":"U8","shape":[-2,-4],"data_offsets":[0,8]}', "has the shape [-2, -4]"),
    "a fraction": ('"},"a":{"dtype":"U8","shape":[8.0],"data_offsets":[0,8]}', "has the shape [8.0]"),
    "minus nothing": ('"},"a":{"dtype":"U8","shape":[8,-0],"data_offsets":[0,0]}', "in its header: -0 is no integer"),
    "a truth": ('"},"a":{"dtype":"F64","shape":[true],"data_offsets":[0,8]}', "has the shape [True]"),
    "a false offset": ('"},"a":{"dtype":"U8","shape":[8],"data_offsets":[false,8]}', "the data_offsets [False, 8]"),
    "three offsets": ('"},"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8,8]}', "the data_offsets [0, 8, 8]"),
    "no list": ('"},"a":{"dtype":"U8","shape":"8","data_offsets":[0,8]}', "has the shape '8'"),
    "an unknown dtype": ('"},"a":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}', "has the dtype 'F16'"),
    "no dtype": ('"},"a":{"dtype":["U8"],"shape":[8],"data_offsets":[0,8]}', "has the dtype ['U8']"),
    "no shape": ('"},"a":{"dtype":"U8","data_offsets":[0,8]}', "is not described by dtype, shape and data_offsets"),
    "no description": ('"},"a":8', "is not described by dtype, shape and data_offsets"),
    "two of a name": (f'"}},{A},{A}', "in its header: a name stands twice"),
    "two of a name, written twice": (f'"}},{A},{A}'.replace('"a"', '"\\u0061"', 1), "a name stands twice"),
    "other metadata": (f'"}},"__metadata__":{{}},{A}', "in its header: a name stands twice"),
    "a lone surrogate": (f'"}},{A}'.replace('"a"', '"\\ud800"'), "has a lone surrogate in its name"),
    "no UTF-8": (f'"}},{A}'.replace('"a"', '"\xff"'), "is not ASCII"),
    "no JSON": (f'"}},{A},', "in its header: "),
    "a longer checksum": (f'0"}},{A}', "its checksum is another"),
    "no string": (f'","m":1}},{A}', "the metadata 'm' are no ASCII text"),
    "metadata that are no JSON": (f'","m":""}},{A}', "in the metadata 'm': Expecting value"),
    "metadata with two of a name": (
        f'","m":"{{\\"a\\":1,\\"a\\":1}}"}},{A}',
        "in the metadata 'm': a name stands twice",
    ),
    "NaN": (f'","m":"[NaN]"}},{A}', "in the metadata 'm': a number is not finite"),
    "infinity": (f'","m":"-Infinity"}},{A}', "in the metadata 'm': a number is not finite"),
    "1e999": (f'","m":"1e999"}},{A}', "in the metadata 'm': a number is not finite"),
    "5000 digits": (f'","m":"{"9" * 5000}"}},{A}', "in the metadata 'm': Exceeds the limit (4300 digits)"),
    "deep metadata": (f'","m":"{"[" * 100_000}"}},{A}', "in the metadata 'm': maximum recursion depth exceeded"),
    "a deep header": ('"},"a":' + '{"a":' * 100_000, "in its header: maximum recursion depth exceeded"),
}


@pytest.mark.parametrize(("header", "said"), HOSTILE_HEADERS.values(), ids=HOSTILE_HEADERS.keys())
def test_a_hostile_header_is_refused_and_takes_no_memory(path, header, said):
    path.write_bytes(sealed(f"{header}}}".encode("latin-1"), b"12345678"))
    tracemalloc.start()
    try:
        assert said in refusal(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000 + 10 * path.stat().st_size


def test_the_header_that_the_hostile_ones_are_made_of_is_accepted(path):
    path.write_bytes(sealed(f'","m":"1e99"}},{A}}}'.encode(), b"12345678"))
    assert_same(read_model(path), ({"a": np.frombuffer(b"12345678", dtype=np.uint8)}, {"m": 1e99}))


def test_an_older_version_than_the_first_is_refused(path):
    path.write_bytes(sealed(b'"}}', b"", files.OPENING.replace(b'"1"', b'"0"')))
    assert "has been altered: its first bytes are others" in refusal(path)


@pytest.mark.parametrize("length", [0, 1, 132, 2**31, 2**32, 2**60, 2**63, 2**64 - 1])
def test_a_hostile_length_of_the_header_is_refused(model, length):
    model.write_bytes(length.to_bytes(8, "little") + model.read_bytes()[8:])
    assert f"has been altered: its header would have {length} bytes" in refusal(model)


def test_a_file_cut_while_it_is_read_is_refused(model, monkeypatch):
    check_size = files._check_size

    def cut_then_check(size, expected):
        os.truncate(model, size - 1)
        check_size(size, expected)

    monkeypatch.setattr(files, "_check_size", cut_then_check)
    assert "became shorter while it was read" in refusal(model)


def test_a_share_of_the_fuzzer_s_cases(tmp_path):
    outcomes, _ = run(tmp_path, range(10_000), safetensors_opens())
    assert outcomes["is a model"] > 500  # hostile headers are not all refused for one reason
    assert sum(count > 20 for count in outcomes.values()) > 25

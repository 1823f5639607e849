"""Damaged and hostile model files: `read_model` must take them for models or raise ModelFileError, and nothing else.

    python tests/fuzz_files.py [--first 0] [--cases 2000000]

runs these cases; each follows from its number alone, so a failure, which names it, can be run again. A share of them
runs in test_files.py. By hand (on Linux) memory is limited as well. What is taken for a model must be a file for the
safetensors library too, where that is there.
"""

import argparse
import collections
import faulthandler
import hashlib
import os
import random
import re
import resource
import sys
import tempfile
import time

import numpy as np

from fastrnn.errors import ModelFileError
from fastrnn.files import CHECKSUM_AT, DIGITS, LENGTH_BYTES, OPENING, read_model, write_model

SECONDS_OF_A_HANG = 60
MEMORY = 256 << 20  # bytes beyond those at the start: far more than any case should take, far less than many ask for

# What stands in a header's place of a number, of a dtype, and of anything; most is wrong everywhere.
NUMBERS = ["0", "1", "2", "3", "4", "8", "12", "16", "24", "-1", "-0", "1.0", "1e3", "1e999", "true", "null", "NaN"]
NUMBERS += ["4294967296", "9223372036854775807", "9223372036854775808", "18446744073709551615", "1" + "0" * 4299]
NUMBERS += ["9" * 5000, "Infinity", "-Infinity", "01", "0x10", "1_0", '"4"', "[4]", "{}"]
DTYPES = [
    '"F64"',
    '"F32"',
    '"I64"',
    '"U8"',
    '"F16"',
    '"BF16"',
    '"BOOL"',
    '"f32"',
    '"<f4"',
    '"O"',
    '""',
    "[]",
    "{}",
    "4",
]
ANYTHING = [
    "null",
    "[]",
    "{}",
    '""',
    '"\\ud800"',
    '"\\"\\ud800\\""',
    '"\\"\\\\ud800\\""',
    "[" * 3000,
    "]",
    '"{\\"a\\":1}"',
]
ANYTHING += [
    '"{\\"a\\":1,\\"a\\":2}"',
    '"NaN"',
    '"1e999"',
    '"[' + "[" * 3000 + '"',
    '"1 2"',
    '"\\u00e9"',
    ",",
    ":",
    '"',
]
NAMES = [
    '"a"',
    '"b"',
    '"\\u0061"',
    '""',
    '"__metadata__"',
    '"\\ud800"',
    '"\\ud83d\\ude00"',
    '"checksum"',
    '"format"',
    "1",
]


def models(path):
    """The bytes of whole models, small ones of several kinds."""
    tensors = {
        "rnn.weight_hh_l0": np.arange(6, dtype=np.float32).reshape(2, 3),
        "position": np.array(5),
        "empty": np.empty((3, 0)),
        "codes": np.arange(5, dtype=np.uint8),
    }
    metadata = {"configuration": {"cell": "gru", "clip_norm": None, "sizes": [1, 2.5]}, "vocabulary": ["a", "\ud800"]}
    files = []
    for arguments in [({}, {}), ({"a": np.ones(2)}, {}), (tensors, metadata)]:
        write_model(path, *arguments)
        with open(path, "rb") as file:
            files.append(file.read())
    return files


def sealed(header, data, opening=OPENING):
    """A file of this header, after its checksum, and these data, with the length and the checksum that they need."""
    length = (len(opening) + DIGITS + len(header)).to_bytes(LENGTH_BYTES, "little")
    digits = hashlib.sha256(length + opening + header + data).hexdigest().encode()
    return length + opening + digits + header + data


def parts(model):
    """A model's header after its checksum, and its data."""
    data_at = LENGTH_BYTES + int.from_bytes(model[:LENGTH_BYTES], "little")
    return model[CHECKSUM_AT + DIGITS : data_at], model[data_at:]


def damaged(rng, content):
    """The content with a few bytes changed, taken away or added."""
    content = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        begin = rng.randrange(len(content) + 1)
        end = min(begin + rng.choice([1, 1, 2, 8, 64, 1000]), len(content))
        kind = rng.randrange(6)
        if kind == 0 and begin < len(content):
            content[begin] ^= 1 << rng.randrange(8)
        elif kind == 1:
            content[begin:end] = rng.randbytes(end - begin)
        elif kind == 2:
            del content[begin:end]
        elif kind == 3:
            content[begin:begin] = content[begin:end]
        elif kind == 4:
            content[begin:begin] = rng.choice(NUMBERS + DTYPES + ANYTHING + NAMES).encode()
        else:
            del content[begin:]
    return bytes(content)


def hostile_length(rng, model):
    """The model with another length of its header."""
    length = rng.choice([rng.getrandbits(64), rng.getrandbits(rng.randrange(65)), rng.randrange(len(model) + 99)])
    return length.to_bytes(LENGTH_BYTES, "little") + model[LENGTH_BYTES:]


def hostile_header(rng, size):
    """A header after its checksum that describes tensors of `size` bytes, or seems to."""

    def number():
        return rng.choice(NUMBERS) if rng.random() < 0.2 else str(rng.randrange(size + 2))

    def numbers(count):
        return "[" + ",".join(number() for _ in range(count)) + "]"

    def whole_entry(begin, end):
        return f'{{"dtype":"U8","shape":[{end - begin}],"data_offsets":[{begin},{end}]}}'

    def hostile_entry():
        fields = {
            "dtype": rng.choice(DTYPES),
            "shape": numbers(rng.choice([0, 1, 1, 2, 2, 3, 65])),
            "data_offsets": numbers(rng.choice([2, 2, 2, 2, 2, 0, 1, 3])),
        }
        if rng.random() < 0.2:
            fields[rng.choice([*fields, "more"])] = rng.choice(ANYTHING)
        return "{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}"

    cuts = sorted(rng.randrange(size + 1) for _ in range(rng.randrange(4)))
    entries = [whole_entry(begin, end) for begin, end in zip([0, *cuts], [*cuts, size], strict=True)]
    for _ in range(rng.choice([0, 1, 1, 2])):
        place = rng.randrange(len(entries))
        entries[place : place + rng.randrange(2)] = [hostile_entry()]
    if rng.random() < 0.2:
        rng.shuffle(entries)
    if rng.random() < 0.8:
        names = [f'"{place}"' for place in range(len(entries))]
    else:
        names = [rng.choice(NAMES) for _ in entries]
    metadata = "".join(f",{rng.choice(NAMES)}:{rng.choice(ANYTHING)}" for _ in range(rng.choice([0, 0, 1, 2])))
    tensors = "".join(f",{name}:{entry}" for name, entry in zip(names, entries, strict=True))
    return f'"{metadata}}}{tensors}}}'.encode() + b" " * rng.randrange(3)


def case(number, models):
    """The bytes of a case, and whether their checksum is right, so that they may be a model."""
    rng = random.Random(number)
    model = rng.choice(models)
    header, data = parts(model)
    kind = rng.randrange(8)
    if kind == 0:
        content = damaged(rng, model)
        return content, content in models
    if kind == 1:
        content = hostile_length(rng, model)
        return content, content in models
    if kind <= 4:
        return sealed(damaged(rng, header), data), True
    data = rng.choice([data, bytes(rng.randrange(40))])
    return sealed(hostile_header(rng, len(data)), data), True


def outcome(path, content, may_be_a_model, is_safetensors):
    """What reading the content says of it; AssertionError if that is wrong."""
    with open(path, "r+b") as file:  # a file system may bring a file to the disk that was emptied first
        file.write(content)
        file.truncate()
    try:
        tensors, _ = read_model(path)
    except ModelFileError as error:
        message = str(error)
    else:
        message = None
    if message is not None:
        assert message.startswith(f"{path} "), "the message does not begin with the file's name"
        assert len(message) < len(path) + 400, "the message is long"
        return re.sub(r"'.*?'|-?\d+|[\[{].*", "#", message.removeprefix(f"{path} ").split(";")[0], flags=re.DOTALL)
    assert may_be_a_model, "an altered file is taken for a model"
    assert sum(array.nbytes for array in tensors.values()) == len(parts(content)[1]), "data are read twice, or not"
    assert is_safetensors(content), "the safetensors library does not open it"
    return "is a model"


def run(folder, cases, is_safetensors=lambda content: True):
    """How often reading these cases said what, and the longest time of one in seconds."""
    path = os.path.join(folder, "case.safetensors")
    whole = models(path)
    outcomes = collections.Counter()
    slowest = 0.0
    for number in cases:
        if number % 10_000 == 0:
            faulthandler.dump_traceback_later(SECONDS_OF_A_HANG, exit=True, file=sys.__stderr__)
        content, may_be_a_model = case(number, whole)
        begin = time.perf_counter()
        try:
            outcomes[outcome(path, content, may_be_a_model, is_safetensors)] += 1
        except BaseException as error:
            error.add_note(f"in case {number}: {content[:2000]!r}")
            raise
        slowest = max(slowest, time.perf_counter() - begin)
    faulthandler.cancel_dump_traceback_later()
    return outcomes, slowest


def safetensors_opens():
    """Whether the safetensors library opens a content, as a function; of everything, where that is not there."""
    try:
        import safetensors
    except ImportError:
        print("safetensors is missing: what is taken for a model is not compared", file=sys.stderr)
        return lambda content: True

    def opens(content):
        try:
            safetensors.deserialize(content)
        except safetensors.SafetensorError:
            return False
        return True

    return opens


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--cases", type=int, default=2_000_000)
    arguments = parser.parse_args()
    opens = safetensors_opens()
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        begin = time.perf_counter()
        outcomes, slowest = run(folder, range(arguments.first, arguments.first + arguments.cases), opens)
        seconds = time.perf_counter() - begin
    for reason, count in outcomes.most_common():
        print(f"{count:9d}  {reason}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{arguments.cases} cases in {seconds:.0f} s, the longest {slowest * 1e3:.1f} ms, at most {peak} kB of memory"
    )


if __name__ == "__main__":
    main()

"""The package as it is installed: names, versions, docstrings, exceptions, and what importing it brings along."""

import importlib
import importlib.metadata
import inspect
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastrnn
from fastrnn import _core, errors, min_char_rnn, reference

FOLDER = Path(fastrnn.__file__).parent
MODULES = [
    "fastrnn",
    *(f"fastrnn.{path.stem}" for path in sorted(FOLDER.glob("*.py")) if not path.stem.startswith("__")),
]


def python(*arguments, env=None):
    """The stdout of a Python process that finds this fastrnn first, and prints nothing on stderr."""
    code = f"import sys; sys.path.insert(0, {str(FOLDER.parent)!r}); {arguments[-1]}"
    child = subprocess.run(
        [sys.executable, *arguments[:-1], "-c", code], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert (child.returncode, child.stderr) == (0, "")
    return child.stdout


# ---- names ----------------------------------------------------------------------------------------------------------


def test_the_version_is_that_of_the_metadata():
    try:
        installed = importlib.metadata.version("fastrnn")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("fastrnn runs from its source tree and is not installed: there is no metadata to compare")
    assert fastrnn.__version__ == installed
    assert re.fullmatch(r"\d+\.\d+\.\d+", fastrnn.__version__)


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (
            fastrnn,
            {
                *("CharRNN", "Seq2Seq", "SequenceModel", "History", "load"),
                *("GRU", "LSTM", "RNN", "Embedding", "Linear", "Stepper"),
                *("SGD", "Adagrad", "RMSprop", "Adam", "AdamW", "clip_gradient_norm", "clip_gradient_value"),
                *("softmax_cross_entropy", "sigmoid_binary_cross_entropy", "mean_squared_error"),
                *("FastRNNError", "GradientCheckError", "ModelFileError", "NumericalError"),
                *("check_gradients", "cpu_info", "gradient_flow", "GradientFlow"),
            },
        ),
        (min_char_rnn, {"Trainer", "adagrad", "bind"}),
    ],
    ids=["fastrnn", "fastrnn.min_char_rnn"],
)
def test_the_public_names(module, names):
    assert set(module.__all__) == names
    assert all(getattr(module, name).__doc__ for name in names)


@pytest.mark.parametrize(
    ("module", "name"),
    [(min_char_rnn, name) for name in min_char_rnn.__all__]
    + [(fastrnn, name) for name in fastrnn.__all__ if hasattr(reference, name)],
)
def test_the_reference_has_the_same_signatures(module, name):
    ours, its = (inspect.signature(getattr(module, name)) for module in (module, reference))
    assert [(p.name, p.kind, p.default) for p in ours.parameters.values()] == [
        (p.name, p.kind, p.default) for p in its.parameters.values()
    ]


def test_what_bind_returns_is_documented(random_network):
    functions = min_char_rnn.bind(**vars(random_network(np.random.default_rng(0), 3, 4, np.float64)))
    assert [function.__name__ for function in functions] == ["lossFun", "sample"]
    assert [list(inspect.signature(function).parameters) for function in functions] == [
        ["inputs", "targets", "hprev"],
        ["h", "seed_ix", "n", "temperature"],
    ]
    for function in functions:
        assert {"Raises", "IndexError", "NumericalError", "(H, 1)"} <= set(
            re.findall(r"\(H, 1\)|\w+", function.__doc__)
        )


@pytest.mark.parametrize("name", [name for name in MODULES if name != "fastrnn.script"])  # nobody imports a program
def test_every_public_thing_has_a_docstring(name):
    module = importlib.import_module(name)
    assert module.__doc__
    own = [
        thing
        for thing in vars(module).values()
        if getattr(thing, "__module__", None) == name and (inspect.isclass(thing) or inspect.isfunction(thing))
    ]
    public = [thing for thing in own if not thing.__name__.startswith("_")]
    assert [thing.__name__ for thing in public if not thing.__doc__] == []
    methods = [
        member
        for thing in public
        if inspect.isclass(thing)
        for member in vars(thing).values()
        if inspect.isfunction(member) and not member.__name__.startswith("_")
    ]
    assert [method.__qualname__ for method in methods if not method.__doc__] == []


def test_types_are_shipped():
    assert (FOLDER / "py.typed").is_file()
    assert (FOLDER / "_core.pyi").is_file()


# ---- exceptions -----------------------------------------------------------------------------------------------------


def test_the_tree_of_exceptions():
    assert errors.FastRNNError.__mro__ == (errors.FastRNNError, Exception, BaseException, object)
    assert errors.ModelFileError.__bases__ == (errors.FastRNNError,)
    assert errors.NumericalError.__bases__ == (errors.FastRNNError, ArithmeticError)
    assert errors.GradientCheckError.__bases__ == (errors.FastRNNError, AssertionError)
    for name in ("FastRNNError", "GradientCheckError", "ModelFileError", "NumericalError"):
        assert getattr(fastrnn, name) is getattr(errors, name)


@pytest.mark.parametrize(
    "error", [errors.FastRNNError, errors.GradientCheckError, errors.ModelFileError, errors.NumericalError]
)
def test_exceptions_cross_process_borders(error):
    copy = pickle.loads(pickle.dumps(error("what happened")))
    assert (type(copy), str(copy)) == (error, "what happened")


# ---- importing ------------------------------------------------------------------------------------------------------


def test_importing_fastrnn_waits_for_the_first_name():
    """So that `fastrnn --help` comes at once; and for whoever looks, all names are there."""
    code = (
        "before = set(sys.modules); import fastrnn; assert not {'numpy', 'fastrnn._core'} & set(sys.modules) - before; "
        "assert set(fastrnn.__all__) <= set(dir(fastrnn)); assert not hasattr(fastrnn, 'grus'); "
        "fastrnn.GRU; from fastrnn import *; print(GRU is fastrnn.GRU is vars(fastrnn)['GRU'])"
    )
    environment = {name: value for name, value in os.environ.items() if name != "FASTRNN_ISA"}
    assert python(code, env=environment) == "True\n"


def test_fastrnn_brings_nothing_but_numpy_and_the_standard_library():
    """Of that not argparse, the default text or numpy.random, which takes longer than all of fastrnn."""
    brought = set(
        python(
            "import numpy; before = set(sys.modules); from fastrnn import load; print(*set(sys.modules) - before)"
        ).split()
    )
    own = re.compile(r"fastrnn\b|numpy\b|cython_runtime$|_cython_|__editable__")
    assert [name for name in brought if not own.match(name) and name.split(".")[0] not in sys.stdlib_module_names] == []
    assert not {"argparse", "pydoc_data.topics", "numpy.random", "fastrnn.program", "fastrnn.cli"} & brought


def test_importing_the_programs_modules_does_not_run_or_load_them():
    brought = python("import fastrnn.min_char_rnn, fastrnn.reference, fastrnn.text; print(*sys.modules)").split()
    assert not {"argparse", "pydoc_data.topics", "fastrnn.script"} & set(brought)


def test_importing_raises_no_warning():
    assert python("-W", "error", f"import {', '.join(MODULES)}; print('imported')") == "imported\n"


def test_numbers_are_those_of_ieee_after_the_import():
    """A library linked with -ffast-math turns subnormal numbers into zeros in the whole process."""
    code = "import fastrnn, numpy as np; print((np.array([2.0**-1070, 2.0**-1073]) / [4, 2.0**-1000]).tolist())"
    assert python(code) == f"{[2.0**-1072, 2.0**-73]}\n"


def objdump(*flags):
    if not shutil.which("objdump"):
        pytest.skip("objdump is missing: the extension was not taken apart")
    return subprocess.run(["objdump", *flags, _core.__file__], capture_output=True, text=True, check=True).stdout


def test_the_extension_does_not_set_fast_math():
    assert "set_fast_math" not in objdump("-d")


def test_the_extension_runs_nothing_when_it_is_loaded():
    """set_fast_math is such a constructor, and a stripped extension has it without its name."""
    sections = objdump("-h")
    if "elf" not in sections or "asan" in objdump("-T"):
        pytest.skip("this build is no plain ELF file: its constructors were not counted")
    constructors = re.search(r" \.init_array\s+([0-9a-f]+)", sections)
    assert not constructors or int(constructors[1], 16) == 8  # one, the compiler's frame_dummy


def test_the_extension_exports_its_initialisation_only():
    """So that no other library in the process can meet the kernels' names."""
    if not shutil.which("nm"):
        pytest.skip("nm is missing: the names that the extension exports were not listed")
    flags = ["-gU"] if sys.platform == "darwin" else ["-D", "--defined-only"]
    listed = subprocess.run(["nm", *flags, _core.__file__], capture_output=True, text=True, check=True).stdout
    names = {line.split()[-1].lstrip("_") for line in listed.splitlines()}
    assert {name for name in names if not name.startswith(("asan", "ubsan"))} == {"PyInit__core"}

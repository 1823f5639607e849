"""What all tests share: the instruction sets and dtypes that they run over, random networks, and where texts are."""

import os
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from instruction_sets import kernels_of

import fastrnn

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job: tests of Ctrl-C would wait for ever
    signal.signal(signal.SIGINT, signal.default_int_handler)

CPU = fastrnn.cpu_info()
ISAS = (CPU["isa"],) if CPU["forced"] else CPU["available"]
SHARED = Path(__file__).resolve().parents[2] / "shared"  # beside the repository; its files are no part of it
TEXTS = Path(os.environ.get("FASTRNN_TEXTS") or SHARED / "data")
SEEDS = SHARED / "seeds"

settings.register_profile(
    "fastrnn",
    deadline=None,  # the first call of a test may be slow
    print_blob=True,
    derandomize="CI" in os.environ,
    # The fixtures isa and dtype stay as they are from example to example, and are meant to.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("fastrnn")


def pytest_report_header():
    forced = " (FASTRNN_ISA)" if CPU["forced"] else ""
    texts = ", ".join(sorted(file.name for file in TEXTS.glob("*.txt"))) or "none: tests that read them are skipped"
    return [f"fastrnn: instruction sets {', '.join(ISAS)}{forced}", f"fastrnn: texts in {TEXTS}: {texts}"]


# Of single numbers, rows or steps.
WITHOUT_PRODUCTS = {"test_clipping", "test_losses", "test_optimizers", "test_sampling", "test_softmax", "test_vmath"}


def pytest_collection_modifyitems(config, items):
    """amx is avx512 but for products of float32 matrices: its other tests are those of avx512."""

    def is_tested_already(item):
        params = item.callspec.params if hasattr(item, "callspec") else {}
        same = params.get("dtype") is np.float64 or item.path.stem in WITHOUT_PRODUCTS
        return params.get("isa") == "amx" and same and "avx512" in ISAS

    config.hook.pytest_deselected(items=[item for item in items if is_tested_already(item)])
    items[:] = [item for item in items if not is_tested_already(item)]


@pytest.fixture(params=ISAS)
def isa(request):
    """The name of an instruction set; the kernels use it during the test."""
    with kernels_of(request.param):
        yield request.param


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture
def torch():
    """PyTorch, on one thread; skips the test where it is missing."""
    torch = pytest.importorskip("torch", reason="torch is missing: tests/recorded has what it computes")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def random_network():
    """random_network(rng, H, V, dtype, scale=1.0): the namespace Wxh, Whh, Why, bh, by, in bind's order.

    Uniform in +-scale, matrices over H in +-scale / sqrt(H), so that the sums over H do not grow with H.
    """

    def make(rng, H, V, dtype, scale=1.0):
        def uniform(rows, columns, bound):
            return rng.uniform(-bound, bound, (rows, columns)).astype(dtype)

        over_units = scale / np.sqrt(H)
        return SimpleNamespace(
            Wxh=uniform(H, V, scale),
            Whh=uniform(H, H, over_units),
            Why=uniform(V, H, over_units),
            bh=uniform(H, 1, scale),
            by=uniform(V, 1, scale),
        )

    return make


def existing(path, remedy):
    if not path.exists():
        pytest.skip(f"{path} is not there: {remedy}")
    return path


@pytest.fixture(scope="session")
def data():
    """data("kafka.txt"): the path of a real text; skips the test where it is not there."""
    return lambda name: existing(TEXTS / name, "FASTRNN_TEXTS can name the folder of the texts")


@pytest.fixture(scope="session")
def seed_document():
    """seed_document("000_..."): the path of a document that a script comes from; skips the test without it."""
    return lambda name: existing(SEEDS / name, "it is kept outside the repository")

"""The instruction sets: how one is chosen, and what is the same whichever it is."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastrnn
from fastrnn import _core

AVAILABLE = fastrnn.cpu_info()["available"]
ELSEWHERE = "avx2" if platform.machine() in ("aarch64", "arm64") else "neon"  # real, but not on this processor
OPTIONS = ", ".join(AVAILABLE)

# Prints what cpu_info() says, and for each dtype every bit of a loss, its gradients, a product of many rows, and a
# sampled text.
CHILD = """
import json
import numpy as np
import fastrnn
from fastrnn import min_char_rnn

results = {}
for dtype in ("float32", "float64"):
    rng = np.random.default_rng(0)
    H, V, T = 37, 29, 25
    shapes = [(H, V), (H, H), (V, H), (H, 1), (V, 1)]
    arrays = [rng.uniform(-0.5, 0.5, shape).astype(dtype) for shape in shapes]
    lossFun, sample = min_char_rnn.bind(*arrays)
    loss, *gradients = lossFun(rng.integers(V, size=T), rng.integers(V, size=T), np.zeros((H, 1), dtype))
    np.random.seed(0)
    product = fastrnn.Linear(128, 128, dtype=dtype, rng=0)(rng.uniform(-0.5, 0.5, (128, 128)).astype(dtype))
    bits = b"".join(array.tobytes() for array in [*gradients, product]).hex()
    results[dtype] = {"loss": loss.hex(), "bits": bits, "text": sample(np.zeros((H, 1), dtype), 0, 500)}
print(json.dumps({"cpu": fastrnn.cpu_info(), "results": results}))
"""


def start(code, FASTRNN_ISA):
    """A Python process that runs this code with this value of the variable, None for not at all."""
    environment = os.environ | {"PYTHONPATH": str(Path(fastrnn.__file__).parents[1])}
    environment.pop("FASTRNN_ISA", None)
    if FASTRNN_ISA is not None:
        environment["FASTRNN_ISA"] = FASTRNN_ISA
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def answer(code, FASTRNN_ISA):
    child = start(code, FASTRNN_ISA)
    assert child.returncode == 0, child.stderr
    return json.loads(child.stdout)


@pytest.fixture(scope="module")
def answers():
    """What CHILD prints under each instruction set."""
    return {name: answer(CHILD, name) for name in AVAILABLE}


# ---- choosing -------------------------------------------------------------------------------------------------------


def test_cpu_info_says_what_this_process_uses():
    info = fastrnn.cpu_info()
    assert set(info) == {"isa", "available", "forced", "machine"}
    assert info["isa"] == _core.isa()
    assert info["isa"] in info["available"]
    assert info["available"] == _core.available_isas()
    assert info["available"][-1] == "baseline"  # the last resort of every machine
    assert set(info["available"]) <= {"amx", "avx512", "avx2", "neon", "baseline"}
    assert info["forced"] is bool(os.environ.get("FASTRNN_ISA"))
    assert info["machine"] == platform.machine()


@pytest.mark.parametrize("name", AVAILABLE)
def test_the_variable_forces_one(answers, name):
    assert answers[name]["cpu"] == {
        "isa": name,
        "available": list(AVAILABLE),
        "forced": True,
        "machine": platform.machine(),
    }


@pytest.mark.parametrize("value", [None, ""], ids=["unset", "empty"])
def test_without_the_variable_the_best_is_chosen(answers, value):
    ours = answer(CHILD, value)
    best = answers[AVAILABLE[0]]
    assert ours["cpu"] == best["cpu"] | {"forced": False}
    assert ours["results"] == best["results"]


@pytest.mark.parametrize("name", [ELSEWHERE, "sse9", "AVX2", " baseline", "baseline "])
@pytest.mark.parametrize("module", ["fastrnn", "fastrnn.min_char_rnn", "fastrnn.reference"])
def test_another_name_is_an_import_error(name, module):
    child = start(f"import {module}", name)
    assert child.returncode == 1
    assert child.stderr.splitlines()[-1] == (
        f"ImportError: FASTRNN_ISA={name} names no instruction set that this machine can run: "
        f"unset it, or use one of {OPTIONS}"
    )


def test_the_variable_is_read_at_import_only(monkeypatch):
    before = fastrnn.cpu_info()
    monkeypatch.setenv("FASTRNN_ISA", "" if before["forced"] else "baseline")
    assert fastrnn.cpu_info() == before


def test_select_isa(isa):  # the fixture has called select_isa, and restores what was chosen
    assert _core.isa() == fastrnn.cpu_info()["isa"] == isa
    _core.select_isa(AVAILABLE[-1])
    assert _core.isa() == AVAILABLE[-1]


@pytest.mark.parametrize("name", [ELSEWHERE, "sse9", "avx"])
def test_select_isa_of_another_name_changes_nothing(isa, name):
    with pytest.raises(ValueError, match=r"\Athe instruction set is unknown, or this machine does not have it\Z"):
        _core.select_isa(name)
    assert _core.isa() == isa


# ---- what they compute ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", AVAILABLE)
def test_one_instruction_set_gives_the_same_bits_in_every_process(answers, name):
    assert answer(CHILD, name)["results"] == answers[name]["results"]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-13)])
def test_instruction_sets_agree_to_rounding(answers, dtype, tolerance):
    def numbers(name):
        result = answers[name]["results"][dtype]
        return float.fromhex(result["loss"]), np.frombuffer(bytes.fromhex(result["bits"]), dtype)

    loss, gradients = numbers("baseline")
    for name in AVAILABLE:
        its_loss, its_gradients = numbers(name)
        assert its_loss == pytest.approx(loss, rel=tolerance)
        np.testing.assert_allclose(its_gradients, gradients, rtol=0, atol=tolerance * np.abs(gradients).max())


def test_instruction_sets_draw_the_same_text_in_float64(answers):
    """A uniform number would have to lie within rounding of a boundary to draw another character."""
    assert len({json.dumps(answers[name]["results"]["float64"]["text"]) for name in AVAILABLE}) == 1


@pytest.mark.skipif(len(AVAILABLE) == 1, reason="this machine has one instruction set only: none to tell apart")
def test_instruction_sets_are_not_one_under_several_names(answers):
    """They round differently somewhere among some thousands of numbers."""
    bits = {name: answers[name]["results"]["float32"]["bits"] for name in AVAILABLE}
    assert len(set(bits.values())) == len(AVAILABLE)

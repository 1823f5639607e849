"""Kernels neither read nor write past their arrays: here every array touches a page of memory that faults.

A kernel that oversteps ends the whole test run with a segmentation fault; faulthandler, which pytest turns on, then
says in which test. The results must be those from ordinary arrays, bit for bit.
"""

import contextlib
import ctypes
import mmap
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from fastrnn import _core, min_char_rnn

PAGE = mmap.PAGESIZE
PROT_NONE = 0
# Every residue modulo the widest register twice, and more registers than a tile or a panel takes.
SIZES = [*range(1, 35), 47, 48, 49, 63, 64, 65, 97, 130, 191, 193]

libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class GuardedMemory:
    """`size` bytes at `address` that begin (side "start") or end (side "end") at an unreadable page."""

    def __init__(self, size, side):
        inner = max(1, -(-size // PAGE)) * PAGE
        self.memory = mmap.mmap(-1, inner + 2 * PAGE)
        first = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        for guard in (first, first + PAGE + inner):
            if libc.mprotect(guard, PAGE, PROT_NONE):
                raise OSError(ctypes.get_errno(), "mprotect")
        self.offset = PAGE if side == "start" else PAGE + inner - size
        self.address = first + self.offset


def guarded(array, side):
    """A copy of the array in guarded memory."""
    block = GuardedMemory(array.nbytes, side)
    copy = np.frombuffer(block.memory, array.dtype, array.size, block.offset).reshape(array.shape)
    copy[...] = array
    return copy


# ---- guarded memory for the arrays that NumPy itself allocates ------------------------------------------------------

MALLOC = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
CALLOC = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
REALLOC = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
FREE = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class Allocator(ctypes.Structure):
    """PyDataMem_Handler of NumPy's C API, whose memory lies on this side of a guard page."""

    _fields_ = [
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", ctypes.c_void_p),
        ("malloc", MALLOC),
        ("calloc", CALLOC),
        ("realloc", REALLOC),
        ("free", FREE),
    ]

    def __init__(self, side):
        blocks = {}

        def allocate(context, count, size=1):
            block = GuardedMemory(count * size, side)
            blocks[block.address] = block
            return block.address

        def free(context, address, size):
            del blocks[address]

        functions = MALLOC(allocate), CALLOC(allocate), REALLOC(lambda *_: None), FREE(free)
        super().__init__(b"guarded", 1, None, *functions)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))  # the arrays that it made call it when they go


ALLOCATORS = {side: Allocator(side) for side in ("start", "end")}
new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype, new_capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
capsule_pointer.restype = ctypes.POINTER(ctypes.c_void_p)
capsule_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
numpy_functions = capsule_pointer(np._core._multiarray_umath._ARRAY_API, None)
PyDataMem_SetHandler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(numpy_functions[304])


@contextlib.contextmanager
def new_arrays_guarded(side):
    """Within this block NumPy gives every new array guarded memory: the gradients that lossFun returns, for one."""
    before = PyDataMem_SetHandler(new_capsule(ctypes.addressof(ALLOCATORS[side]), b"mem_handler", None))
    try:
        yield
    finally:
        PyDataMem_SetHandler(before)


# ---- the guards work ------------------------------------------------------------------------------------------------

OVERSTEP = """
import ctypes, runpy, sys
import numpy as np
test = runpy.run_path(sys.argv[1])
how, side, offset = sys.argv[2], sys.argv[3], int(sys.argv[4])
array = np.arange(5.0)
if how == "guarded":
    array = test["guarded"](array, side)
else:
    with test["new_arrays_guarded"](side):
        array = array.copy()
print("alive", flush=True)
ctypes.string_at(array.ctypes.data + offset, 1)
print("still alive")
"""


@pytest.mark.parametrize("how", ["guarded", "new_arrays_guarded"])
@pytest.mark.parametrize(
    ("side", "offset", "survives"), [("end", 39, True), ("end", 40, False), ("start", 0, True), ("start", -1, False)]
)
def test_a_read_past_a_guarded_array_faults(how, side, offset, survives):
    # Under the address sanitizer a fault would become a report of its own.
    sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":handle_segv=0:handle_sigbus=0"
    result = subprocess.run(
        [sys.executable, "-c", OVERSTEP, __file__, how, side, str(offset)],
        env=os.environ | {"ASAN_OPTIONS": sanitizer},
        capture_output=True,
        text=True,
        timeout=60,
    )
    if survives:
        assert (result.returncode, result.stdout) == (0, "alive\nstill alive\n"), result.stderr
    else:
        assert result.stdout == "alive\n", result.stderr
        assert result.returncode in (-signal.SIGSEGV, -signal.SIGBUS)


# ---- the kernels ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=ALLOCATORS)
def side(request):
    return request.param


def check(function, arrays, side):
    """function(*arrays) returns, and leaves in the arrays, the same as with ordinary arrays."""
    plain = [np.array(a) for a in arrays]
    expected = [*(function(*plain) or ()), *plain]
    inside = [guarded(a, side) for a in arrays]
    with new_arrays_guarded(side):
        actual = [*(function(*inside) or ()), *inside]
    for a, e in zip(actual, expected, strict=True):
        assert np.asarray(a).tobytes() == np.asarray(e).tobytes()


def numbers(*shape, dtype):
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


def characters(V, *shape):
    return np.random.default_rng(0).integers(V, size=shape)


@pytest.mark.parametrize("function", [_core.exp, _core.tanh, _core.sigmoid], ids=lambda function: function.__name__)
def test_elementwise(isa, dtype, side, function):
    for n in SIZES:
        x = numbers(n, dtype=dtype)
        check(function, [x, np.zeros_like(x)], side)
        check(lambda x: function(x, x), [x], side)


def test_clip_scale_and_norm(isa, dtype, side):
    for n in SIZES:
        x = numbers(n, dtype=dtype)
        check(lambda x: _core.clip(x, 0.5), [x], side)
        check(lambda x: _core.scale(x, 0.5), [x], side)
        check(lambda x: [_core.norm(x)], [x], side)
        check(lambda x: [_core.norm(x)], [x * (np.finfo(dtype).max / 9)], side)


@pytest.mark.parametrize("function", [_core.sigmoid_binary_cross_entropy, _core.squared_error])
def test_losses_of_targets(isa, dtype, side, function):
    for n in SIZES:
        x = numbers(n, dtype=dtype)
        check(lambda x, targets: [function(x, targets, 0.5)], [x, np.abs(np.sin(x))], side)


SGD = {"learning_rate": 0.1, "dampening": 0, "weight_decay": 0.1, "nesterov": False, "iteration": 2}
RMSPROP = {"learning_rate": 0.1, "alpha": 0.9, "eps": 1e-8, "weight_decay": 0.1}
ADAM = {"learning_rate": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.1, "iteration": 2}
UPDATES = [
    (_core.update_sgd, (), SGD | {"momentum": 0}),
    (_core.update_sgd, ("momentum_buffer",), SGD | {"momentum": 0.9}),
    (_core.update_adagrad, ("sum",), {"learning_rate": 0.1, "eps": 1e-8, "weight_decay": 0, "eps_inside_sqrt": False}),
    (_core.update_rmsprop, ("square_avg",), RMSPROP | {"momentum": 0, "centered": False}),
    (
        _core.update_rmsprop,
        ("square_avg", "momentum_buffer", "grad_avg"),
        RMSPROP | {"momentum": 0.9, "centered": True},
    ),
    (_core.update_adam, ("exp_avg", "exp_avg_sq"), ADAM | {"decoupled": False}),
    (_core.update_adam, ("exp_avg", "exp_avg_sq"), ADAM | {"decoupled": True}),
]


@pytest.mark.parametrize(("function", "slots", "settings"), UPDATES)
def test_optimizers(isa, dtype, side, function, slots, settings):
    def update(parameter, gradient, *arrays):
        by_name = {name: [array] for name, array in zip(slots, arrays, strict=True)}
        function([parameter], [gradient], by_name, **settings)

    for n in SIZES:
        x = numbers(n, dtype=dtype)
        check(update, [x, -x, *(np.abs(x) for _ in slots)], side)


def test_adagrad(isa, dtype, side):
    for n in SIZES:
        x = numbers(n, dtype=dtype)
        check(lambda p, g, m: _core.adagrad(p, g, m, 0.1), [x, -x, np.abs(x)], side)


def test_softmax_cross_entropy(isa, dtype, side):
    for V in SIZES:
        for N in (1, 2, 5):
            logits, targets = numbers(N, V, dtype=dtype), characters(V, N)
            check(lambda logits, targets: [_core.softmax_cross_entropy(logits, targets)], [logits, targets], side)


def weights(random_network, H, V, dtype):
    return vars(random_network(np.random.default_rng(0), H, V, dtype)).values()


def loss(*arrays):
    *weights, inputs, targets, hprev = arrays
    return min_char_rnn.bind(*weights)[0](inputs, targets, hprev)


@pytest.mark.parametrize("other", [1, 5, 40])
def test_loss(isa, dtype, side, random_network, other):
    for n in SIZES:
        T = n % 5 + 1
        for H, V in {(n, other), (other, n)}:
            arrays = [*weights(random_network, H, V, dtype), characters(V, T), characters(V, T)[::-1]]
            check(loss, [*arrays, numbers(H, 1, dtype=dtype)], side)


def test_loss_of_a_batch(isa, dtype, side, random_network):
    for B in range(1, 10):
        H, V, T = 16 + B, 33 - B, 3
        arrays = [*weights(random_network, H, V, dtype), characters(V, T, B), characters(V, T, B)[::-1]]
        check(loss, [*arrays, numbers(B, H, dtype=dtype)], side)


def sample(*arrays):
    *weights, h = arrays
    np.random.seed(0)  # noqa: NPY002  (sample's source)
    return min_char_rnn.bind(*weights)[1](h, len(weights[2]) - 1, 5)


@pytest.mark.parametrize("other", [1, 5, 40])
def test_sample(isa, dtype, side, random_network, other):
    for n in SIZES:
        for H, V in {(n, other), (other, n)}:
            check(sample, [*weights(random_network, H, V, dtype), numbers(H, 1, dtype=dtype)], side)


def test_lists_of_characters(isa, dtype, side, random_network):
    for T in range(1, 20):
        inputs, targets = characters(7, T).tolist(), characters(7, T)[::-1].tolist()
        arrays = [*weights(random_network, 9, 7, dtype), numbers(9, 1, dtype=dtype)]
        check(lambda *arrays: loss(*arrays[:5], inputs, targets, arrays[5]), arrays, side)  # noqa: B023

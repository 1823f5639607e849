"""Wrong arguments: each is refused with a message that says what was wanted and what came, and changes nothing."""

import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from fastrnn import NumericalError, _core, min_char_rnn

H, V, T = 5, 4, 3
SHAPES = {"Wxh": (H, V), "Whh": (H, H), "Why": (V, H), "bh": (H, 1), "by": (V, 1)}
SYMBOLS = {"Wxh": "(H, V)", "Whh": "(H, H)", "Why": "(V, H)", "bh": "(H, 1)", "by": "(V, 1)"}
NAMES = list(SHAPES)
INPUTS, TARGETS = [0, 3, 1], [3, 1, 2]


def whole(message):
    """The pattern of this message, from its first character to its last."""
    return re.escape(message) + r"\Z"


def random_state():
    return pickle.dumps(np.random.get_state())  # noqa: NPY002


@contextmanager
def refused(error, message, *arrays):
    """The block raises this error with exactly this message; these arrays and the random state stay as they were."""
    before = [array.tobytes() for array in arrays], random_state()
    with pytest.raises(error, match=whole(message)):
        yield
    assert ([array.tobytes() for array in arrays], random_state()) == before


class Bound:
    """A network with its lossFun and sample, and good arguments for them."""

    def __init__(self, arrays):
        self.arrays = arrays
        self.lossFun, self.sample = min_char_rnn.bind(**arrays)
        self.hprev = np.full((H, 1), 0.25, arrays["Wxh"].dtype)

    def good_call(self):
        """The bits of the results of a good call of each function."""
        before = np.random.get_state()  # noqa: NPY002
        np.random.seed(7)  # noqa: NPY002
        characters = self.sample(self.hprev, 0, 20)
        np.random.set_state(before)  # noqa: NPY002
        loss, *rest = self.lossFun(INPUTS, TARGETS, self.hprev)
        return loss, [array.tobytes() for array in rest], characters

    @contextmanager
    def refused(self, error, message):
        """As above, over all of its arrays; and a good call afterwards works as before."""
        expected = self.good_call()
        with refused(error, message, self.hprev, *self.arrays.values()):
            yield
        assert self.good_call() == expected


@pytest.fixture
def arrays(random_network):
    return vars(random_network(np.random.default_rng(1), H, V, np.float64))


@pytest.fixture
def arrays_of_dtype(random_network, dtype):
    return vars(random_network(np.random.default_rng(1), H, V, dtype))


@pytest.fixture
def bound(arrays):
    return Bound(arrays)


# ---- bind -----------------------------------------------------------------------------------------------------------


def wrong_shape(name, shape):
    if name == "Wxh":  # it defines H and V: any matrix of at least one number will do
        return f"Wxh must have shape (H, V), hidden units by characters, not {shape}"
    return f"{name} must have shape {SYMBOLS[name]} = {SHAPES[name]}, not {shape}"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("change", ["flat", "three axes", "no axis", "no rows", "no columns"])
def test_bind_refuses_wrong_axes(arrays, name, change):
    rows, columns = SHAPES[name]
    shape = {
        "flat": (rows * columns,),
        "three axes": (rows, columns, 1),
        "no axis": (),
        "no rows": (0, columns),
        "no columns": (rows, 0),
    }[change]
    wrong = np.zeros(shape)
    with refused(ValueError, wrong_shape(name, shape), *arrays.values()):
        min_char_rnn.bind(**arrays | {name: wrong})


@pytest.mark.parametrize("name", ["Whh", "Why", "bh", "by"])
@pytest.mark.parametrize("more", [(1, 0), (0, 1), (-1, 0)])
def test_bind_refuses_sizes_that_do_not_fit(arrays, name, more):
    shape = SHAPES[name][0] + more[0], SHAPES[name][1] + more[1]
    with refused(ValueError, wrong_shape(name, shape), *arrays.values()):
        min_char_rnn.bind(**arrays | {name: np.zeros(shape)})


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((H + 1, V), f"Whh must have shape (H, H) = {(H + 1, H + 1)}, not {(H, H)}"),
        ((H, V + 1), f"Why must have shape (V, H) = {(V + 1, H)}, not {(V, H)}"),
    ],
)
def test_bind_takes_the_sizes_from_Wxh(arrays, shape, message):
    with refused(ValueError, message, *arrays.values()):
        min_char_rnn.bind(**arrays | {"Wxh": np.zeros(shape)})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrong", ["int64", "float16", "complex128", ">f8", "object", "bool"])
def test_bind_refuses_other_dtypes(arrays_of_dtype, dtype, name, wrong):
    arrays = arrays_of_dtype
    # Wxh may be of either dtype, and the others must share it.
    wanted, remedy = ("float64 or float32", "float64") if name == "Wxh" else (np.dtype(dtype), np.dtype(dtype))
    message = f"{name} must be {wanted}, not {np.dtype(wrong)}: convert it with {name}.astype(np.{remedy})"
    with refused(TypeError, message, *arrays.values()):
        min_char_rnn.bind(**arrays | {name: arrays[name].astype(wrong)})


@pytest.mark.parametrize("name", ["Whh", "Why", "bh", "by"])
def test_bind_refuses_mixed_dtypes(arrays_of_dtype, dtype, name):
    arrays = arrays_of_dtype
    ours, other = np.dtype(dtype), np.dtype(np.float32 if dtype is np.float64 else np.float64)
    message = f"{name} must be {ours}, not {other}: convert it with {name}.astype(np.{ours})"
    with refused(TypeError, message, *arrays.values()):
        min_char_rnn.bind(**arrays | {name: arrays[name].astype(other)})


@pytest.mark.parametrize("name", NAMES)
def test_bind_refuses_strided_memory_and_names_what_works(arrays, name):
    strided = np.repeat(arrays[name], 2, axis=0)[::2]
    message = f"{name} must be C-contiguous: convert it with np.ascontiguousarray({name})"
    with refused(ValueError, message, *arrays.values()):
        min_char_rnn.bind(**arrays | {name: strided})
    min_char_rnn.bind(**arrays | {name: np.ascontiguousarray(strided)})


@pytest.mark.parametrize("name", ["Wxh", "Whh", "Why"])  # a column is contiguous in both orders
def test_bind_refuses_fortran_order(arrays, name):
    message = f"{name} must be C-contiguous: convert it with np.ascontiguousarray({name})"
    with refused(ValueError, message, *arrays.values()):
        min_char_rnn.bind(**arrays | {name: np.asfortranarray(arrays[name])})


@pytest.mark.parametrize("name", NAMES)
def test_bind_refuses_unaligned_memory_and_names_what_works(arrays, name):
    count = arrays[name].size
    unaligned = np.zeros(8 * count + 1, np.uint8)[1:].view(np.float64).reshape(SHAPES[name])
    with refused(ValueError, f"{name} must be aligned in memory: pass {name}.copy()", *arrays.values()):
        min_char_rnn.bind(**arrays | {name: unaligned})
    min_char_rnn.bind(**arrays | {name: unaligned.copy()})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrong", [[[0.0]], None, 1.0, "Wxh", memoryview(b"")], ids=lambda value: type(value).__name__)
def test_bind_refuses_what_is_no_array(arrays, name, wrong):
    message = f"{name} must be a NumPy array, not {type(wrong).__name__}"
    with refused(TypeError, message, *arrays.values()):
        min_char_rnn.bind(**arrays | {name: wrong})


@pytest.mark.parametrize("clip", [0.0, -0.0, -5, float("nan"), float("-inf")])
def test_bind_refuses_a_clip_that_is_not_positive(arrays, clip):
    with refused(ValueError, f"clip must be positive, not {clip}", *arrays.values()):
        min_char_rnn.bind(**arrays, clip=clip)


@pytest.mark.parametrize("clip", ["5", None, 5j, [5.0]], ids=repr)
def test_bind_refuses_a_clip_that_is_no_number(arrays, clip):
    message = f"clip must be a real number, not {type(clip).__name__}"
    with refused(TypeError, message, *arrays.values()):
        min_char_rnn.bind(**arrays, clip=clip)


def test_bind_takes_read_only_arrays(arrays):
    for array in arrays.values():
        array.setflags(write=False)  # they are read, and never written
    lossFun, _ = min_char_rnn.bind(**arrays)
    assert np.isfinite(lossFun(INPUTS, TARGETS, np.zeros((H, 1)))[0])


# ---- lossFun: characters --------------------------------------------------------------------------------------------

VOCABULARY = f"outside [0, {V}): the vocabulary has {V} characters"


def loss_of(bound, which, value):
    """lossFun with `value` as inputs or as targets."""
    return bound.lossFun(**{"inputs": INPUTS, "targets": TARGETS, "hprev": bound.hprev} | {which: value})


either = pytest.mark.parametrize("which", ["inputs", "targets"])


@either
@pytest.mark.parametrize(
    ("value", "where"),
    [
        ([0, -1, 2], "[1] is -1"),
        ((0, 1, V), f"[2] is {V}"),
        (range(V - 1, V + 2), f"[1] is {V}"),
        (range(10**8), f"[{V}] is {V}"),
        ([2**70, 1, 2], f"[0] is {2**70}"),
        ([0, -(2**70), 2], f"[1] is {-(2**70)}"),
        ([0, 1, np.int8(-7)], "[2] is -7"),
        ([0, 1, np.uint64(2**64 - 1)], f"[2] is {2**64 - 1}"),
        (np.array([V, 0, 0]), f"[0] is {V}"),
        (np.array([0, 2**64 - 1, 0], np.uint64), f"[1] is {2**64 - 1}"),
        (np.array([0, -1, 0], np.int8), "[1] is -1"),
        (np.array([0, 9, 0, 8, 0, 1])[::-2], "[1] is 8"),
        (np.array([[0, 1], [2, V]]), f"[1, 1] is {V}"),
    ],
    ids=str,
)
def test_characters_outside_the_vocabulary(bound, which, value, where):
    with bound.refused(IndexError, f"{which}{where}, {VOCABULARY}"):
        loss_of(bound, which, value)


@either
@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ([0, 1.0, 2], "[1] must be an integer, not float"),
        ([0, 1, np.float64(2)], "[2] must be an integer, not float64"),
        ([True, 1, 2], "[0] must be an integer, not bool"),
        ([0, np.True_, 2], f"[1] must be an integer, not {np.bool_.__name__}"),
        ([0, None, 2], "[1] must be an integer, not NoneType"),
        ([[0, 1, 2]], "[0] must be an integer, not list"),
        ([0, 1, np.array([2])], "[2] must be an integer, not ndarray"),
        ("abc", "[0] must be an integer, not str"),
        (np.array([0.0, 1.0, 2.0]), " must be integers, not float64"),
        (np.array([False, True, True]), " must be integers, not bool"),
        (np.array([0, 1, 2], object), " must be integers, not object"),
        (np.array(["a", "b", "c"]), " must be integers, not <U1"),
        (None, " must be a list, a range or an integer array, not NoneType"),
        (3, " must be a list, a range or an integer array, not int"),
        (iter([0, 1, 2]), " must be a list, a range or an integer array, not list_iterator"),  # may have no end
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Iterator) else repr(value),  # the same in each process
)
def test_characters_of_another_type(bound, which, value, complaint):
    with bound.refused(TypeError, which + complaint):
        loss_of(bound, which, value)


@either
@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ([], " must have at least one step, and is empty"),
        ((), " must have at least one step, and is empty"),
        (range(0), " must have at least one step, and is empty"),
        ("", " must have at least one step, and is empty"),
        (np.array([], int), " must have shape (T,) with at least one step, not (0,)"),
        (np.zeros((0, 2), int), " must have shape (T,) with at least one step, not (0, 2)"),
        (np.zeros((2, 0), int), " must have shape (T,) with at least one step, not (2, 0)"),
        (np.array(2), " must have shape (T,) with at least one step, not ()"),
        (np.zeros((T, 1, 1), int), f" must have shape (T,) with at least one step, not {(T, 1, 1)}"),
    ],
    ids=repr,
)
def test_sequences_of_no_steps_or_too_many_axes(bound, which, value, complaint):
    with bound.refused(ValueError, which + complaint):
        loss_of(bound, which, value)


@pytest.mark.parametrize(
    ("inputs", "targets"),
    [([0, 1, 2], [0, 1]), ([0], range(2)), (np.array([0, 1]), [1]), (np.zeros((2, 2), int), np.zeros((4, 1), int))],
    ids=str,
)
def test_lengths_that_differ(bound, inputs, targets):
    message = f"inputs and targets must have one shape, not {np.shape(inputs)} and {np.shape(targets)}"
    with bound.refused(ValueError, message):
        bound.lossFun(inputs, targets, bound.hprev)


def test_a_list_that_changes_while_it_is_read_is_never_read_past_its_end(bound):
    class Clearing:
        """An index that empties the list it stands in."""

        def __index__(self):
            characters.clear()
            return 0

    characters = [Clearing(), *range(100_000)]
    with bound.refused(ValueError, "inputs changed its length while it was read"):
        bound.lossFun(characters, TARGETS, bound.hprev)


def test_an_array_of_characters_that_changes_after_it_was_checked_is_not_read_again(bound):
    class Changing:
        """A state that, when it is read, overwrites the characters."""

        def __array__(self, dtype=None, copy=None):
            inputs[:] = V + 10**9
            return bound.hprev

    inputs = np.array(INPUTS)
    expected = bound.lossFun(INPUTS, TARGETS, bound.hprev)[0]
    assert bound.lossFun(inputs, TARGETS, Changing())[0] == expected
    assert inputs.tolist() == [V + 10**9] * T


# ---- lossFun and sample: the state ----------------------------------------------------------------------------------

calls = pytest.mark.parametrize(
    ("name", "call"),
    [
        ("hprev", lambda bound, h: bound.lossFun(INPUTS, TARGETS, h)),
        ("h", lambda bound, h: bound.sample(h, 0, 3)),
    ],
    ids=["lossFun", "sample"],
)


@calls
@pytest.mark.parametrize("shape", [(H,), (1, H), (H, 2), (H + 1, 1), (H - 1, 1), (H, 1, 1), (), (0, 1)])
def test_a_state_of_another_shape(bound, name, call, shape):
    with bound.refused(ValueError, f"{name} must have shape (H, 1) = {(H, 1)}, not {shape}"):
        call(bound, np.zeros(shape))


def test_the_state_of_a_batch(bound):
    batch = np.zeros((T, 2), int)
    with bound.refused(ValueError, f"hprev must have shape (B, H) = {(2, H)}, not {(H, 2)}"):
        bound.lossFun(batch, batch, np.zeros((H, 2)))


@calls
@pytest.mark.parametrize("wrong", ["complex128", "object", "datetime64[s]", "<U3"])
def test_a_state_of_another_dtype(bound, name, call, wrong):
    with bound.refused(TypeError, f"{name} must be float64, not {np.dtype(wrong)}"):
        call(bound, np.zeros((H, 1)).astype(wrong))


# ---- lossFun and sample: NaN and infinity ---------------------------------------------------------------------------

outcomes = pytest.mark.parametrize(
    ("what", "call"),
    [
        ("the loss is nan", lambda bound, h: bound.lossFun(INPUTS, TARGETS, h)),
        ("the probabilities are NaN", lambda bound, h: bound.sample(h, 0, 3)),
    ],
    ids=["lossFun", "sample"],
)
REMEDY = "go back to finite weights and lower the learning rate"


@outcomes
@pytest.mark.parametrize("name", NAMES)
def test_nan_weights_are_named(arrays_of_dtype, what, call, name):
    bound = Bound(arrays_of_dtype)
    good, weights = bound.good_call(), bound.arrays[name].copy()
    bound.arrays[name][:] = np.nan
    with refused(NumericalError, f"{what} because {name} holds NaN or infinity: {REMEDY}", *bound.arrays.values()):
        call(bound, bound.hprev)
    bound.arrays[name][:] = weights
    assert bound.good_call() == good


@outcomes
@pytest.mark.parametrize("name", ["Why", "by"])
def test_infinite_outputs_are_named(bound, what, call, name):
    bound.arrays[name][:] = np.inf
    bound.arrays["bh"][:] = 100  # a state of ones, so that no infinity is multiplied by zero
    with refused(NumericalError, f"{what} because {name} holds NaN or infinity: {REMEDY}", *bound.arrays.values()):
        call(bound, bound.hprev)


def test_a_target_of_no_probability(bound):
    bound.arrays["by"][TARGETS[0]] = -np.inf
    with refused(NumericalError, f"the loss is inf because by holds NaN or infinity: {REMEDY}"):
        bound.lossFun(INPUTS, TARGETS, bound.hprev)


@outcomes
def test_several_culprits_are_all_named(bound, what, call):
    bound.arrays["Wxh"][:] = bound.arrays["by"][:] = np.nan
    message = f"{what} because Wxh and by and the hidden state hold NaN or infinity: {REMEDY}"
    with refused(NumericalError, message, *bound.arrays.values()):
        call(bound, np.full((H, 1), np.nan))


@outcomes
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_state_that_is_not_finite(bound, what, call, value):
    if value == np.inf:  # rows that add infinity to its opposite
        bound.arrays["Whh"][:, 0], bound.arrays["Whh"][:, 1] = 1, -1
    with bound.refused(NumericalError, f"{what} because the hidden state holds NaN or infinity: {REMEDY}"):
        call(bound, np.full((H, 1), value))


@outcomes
def test_weights_so_large_that_the_outputs_overflow(arrays_of_dtype, dtype, what, call):
    bound = Bound(arrays_of_dtype)
    bound.arrays["bh"][:] = 100
    bound.arrays["Why"][:] = np.finfo(dtype).max
    message = (
        f"{what} because the weights are so large that the outputs overflow {np.dtype(dtype)}: lower the learning rate"
    )
    with refused(NumericalError, message, *bound.arrays.values()):
        call(bound, bound.hprev)


# ---- sample ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed_ix", [-1, V, 2**70, np.int64(-3), np.uint64(2**64 - 1)], ids=str)
def test_a_first_character_outside_the_vocabulary(bound, seed_ix):
    with bound.refused(IndexError, f"seed_ix is {seed_ix}, {VOCABULARY}"):
        bound.sample(bound.hprev, seed_ix, 3)


@pytest.mark.parametrize("wrong", [1.0, np.float64(1), True, "1", None, [1], np.array([1])], ids=repr)
@pytest.mark.parametrize("name", ["seed_ix", "n"])
def test_counts_that_are_no_integers(bound, name, wrong):
    arguments = {"seed_ix": 0, "n": 3} | {name: wrong}
    with bound.refused(TypeError, f"{name} must be an integer, not {type(wrong).__name__}"):
        bound.sample(bound.hprev, **arguments)


@pytest.mark.parametrize("n", [-1, -(2**70), np.int64(-5)], ids=str)
def test_a_negative_number_of_characters(bound, n):
    with bound.refused(ValueError, f"n must not be negative, and is {n}"):
        bound.sample(bound.hprev, 0, n)


@pytest.mark.parametrize("n", [2**60, 2**63, 2**70], ids=str)
def test_more_characters_than_fit_in_memory(bound, n):
    with bound.refused(MemoryError, f"no memory for n = {n} characters: draw fewer at a time"):
        bound.sample(bound.hprev, 0, n)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf"), float("-inf")])
def test_a_temperature_out_of_range(bound, temperature):
    with bound.refused(ValueError, f"temperature must be positive and finite, not {temperature}"):
        bound.sample(bound.hprev, 0, 3, temperature)


@pytest.mark.parametrize("temperature", [1e-50, 1e50])
def test_a_temperature_that_only_float64_can_hold(arrays, temperature):
    Bound(arrays).sample(np.zeros((H, 1)), 0, 3, temperature)
    bound = Bound({name: array.astype(np.float32) for name, array in arrays.items()})
    with bound.refused(ValueError, f"temperature must be positive and finite, not {temperature}"):
        bound.sample(bound.hprev, 0, 3, temperature)


@pytest.mark.parametrize("temperature", ["1", None, 1j], ids=repr)
def test_a_temperature_that_is_no_number(bound, temperature):
    with bound.refused(TypeError, f"temperature must be a real number, not {type(temperature).__name__}"):
        bound.sample(bound.hprev, 0, 3, temperature)


# ---- arrays that move -----------------------------------------------------------------------------------------------

MOVED = "an array was resized after bind: call bind again"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rows", [1, 100_000])
def test_an_array_resized_after_bind_is_not_read(bound, name, rows):
    bound.arrays[name].resize((rows, SHAPES[name][1]), refcheck=False)
    with refused(ValueError, MOVED):
        bound.lossFun(INPUTS, TARGETS, bound.hprev)
    with refused(ValueError, MOVED):
        bound.sample(bound.hprev, 0, 3)
    # Bound again at its old size, it works.
    bound.arrays[name].resize(SHAPES[name], refcheck=False)
    assert np.isfinite(Bound(bound.arrays).good_call()[0])


def test_an_array_that_is_resized_while_the_arguments_are_read_is_not_read(bound):
    class Resizing:
        """A state that, when it is read, resizes a bound array."""

        def __array__(self, dtype=None, copy=None):
            bound.arrays["Why"].resize((1_000_000, H), refcheck=False)
            return bound.hprev

    with refused(ValueError, MOVED):
        bound.lossFun(INPUTS, TARGETS, Resizing())
    with refused(ValueError, MOVED):
        bound.sample(Resizing(), 0, 3)


# ---- the parts ------------------------------------------------------------------------------------------------------


def read_only(array):
    array.setflags(write=False)
    return array


def matrices(dtype=np.float64):
    rng = np.random.default_rng(2)
    return {name: rng.uniform(0.5, 1, (3, 2)).astype(dtype) for name in ("param", "dparam", "mem")}


@pytest.mark.parametrize("name", ["param", "mem"])
def test_adagrad_refuses_read_only_arrays(dtype, name):
    m = matrices(dtype)
    read_only(m[name])
    with refused(ValueError, f"{name} is read-only, and is written here: use a writeable copy of it", *m.values()):
        _core.adagrad(**m, learning_rate=0.1)


def test_adagrad_only_reads_the_gradient():
    m = matrices()
    read_only(m["dparam"])
    before = m["param"].copy()
    _core.adagrad(**m, learning_rate=0.1)
    assert (m["param"] < before).all()


@pytest.mark.parametrize("name", ["dparam", "mem"])
@pytest.mark.parametrize("shape", [(2, 3), (6,), (3, 3), (0, 2)])
def test_adagrad_refuses_shapes_that_differ(name, shape):
    m = matrices() | {name: np.ones(shape)}
    with refused(ValueError, f"{name} must have shape param's shape = (3, 2), not {shape}", *m.values()):
        _core.adagrad(**m, learning_rate=0.1)


@pytest.mark.parametrize("name", ["dparam", "mem"])
@pytest.mark.parametrize("wrong", ["float32", "int64", ">f8"])
def test_adagrad_refuses_dtypes_that_differ(name, wrong):
    m = matrices()
    m[name] = m[name].astype(wrong)
    message = f"{name} must be float64, not {np.dtype(wrong)}: convert it with {name}.astype(np.float64)"
    with refused(TypeError, message, *m.values()):
        _core.adagrad(**m, learning_rate=0.1)


@pytest.mark.parametrize("name", ["param", "dparam", "mem"])
def test_adagrad_refuses_fortran_order(name):
    m = matrices()
    m[name] = np.asfortranarray(m[name])
    message = f"{name} must be C-contiguous: convert it with np.ascontiguousarray({name})"
    with refused(ValueError, message, *m.values()):
        _core.adagrad(**m, learning_rate=0.1)


@pytest.mark.parametrize("learning_rate", [float("nan"), float("inf"), float("-inf")])
def test_adagrad_refuses_a_learning_rate_that_is_not_finite(learning_rate):
    m = matrices()
    with refused(ValueError, f"learning_rate must be finite, not {learning_rate}", *m.values()):
        _core.adagrad(**m, learning_rate=learning_rate)


# Each function of one array, x, that it writes; and how its error calls a wrong dtype.
def softmax_cross_entropy(x):
    return _core.softmax_cross_entropy(x, [0, 1, 0])


in_place = pytest.mark.parametrize(
    ("name", "call"),
    [
        ("x", lambda x: _core.clip(x, 0.75)),
        ("logits", softmax_cross_entropy),
        ("out", lambda out: _core.exp(np.ones((3, 2)), out)),
        ("out", lambda out: _core.tanh(np.ones((3, 2)), out)),
        ("out", lambda out: _core.sigmoid(np.ones((3, 2)), out)),
    ],
    ids=["clip", "softmax_cross_entropy", "exp", "tanh", "sigmoid"],
)


@in_place
def test_parts_refuse_a_read_only_array_that_they_would_write(name, call):
    x = read_only(np.ones((3, 2)))
    with refused(ValueError, f"{name} is read-only, and is written here: use a writeable copy of it", x):
        call(x)
    writeable = x.copy()
    call(writeable)
    assert (writeable != x).all()


@in_place
def test_parts_refuse_fortran_order_lists_and_integers(name, call):
    x = np.asfortranarray(np.ones((3, 2)))
    with refused(ValueError, f"{name} must be C-contiguous: convert it with np.ascontiguousarray({name})", x):
        call(x)
    with refused(TypeError, f"{name} must be a NumPy array, not list"):
        call([[1.0, 1.0]] * 3)
    wanted = "float64" if name == "out" else "float64 or float32"
    with refused(TypeError, f"{name} must be {wanted}, not int64: convert it with {name}.astype(np.float64)"):
        call(np.ones((3, 2), np.int64))


@pytest.mark.parametrize("function", [_core.exp, _core.tanh, _core.sigmoid])
def test_functions_refuse_an_output_of_another_shape(function):
    x, out = np.ones((3, 2)), np.ones((2, 3))
    with refused(ValueError, "out must have shape x's shape = (3, 2), not (2, 3)", x, out):
        function(x, out)


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
def test_clip_refuses_a_limit_that_is_not_positive(limit):
    x = np.ones((3, 2))
    with refused(ValueError, f"limit must be positive, not {limit}", x):
        _core.clip(x, limit)


@pytest.mark.parametrize(
    ("targets", "error", "message"),
    [
        ([0, 1], ValueError, "targets must have shape (N,) = (3,), not (2,)"),
        (np.zeros((3, 1), int), ValueError, "targets must have shape (N,) = (3,), not (3, 1)"),
        ([0, 1, 2], IndexError, "targets[2] is 2, outside [0, 2): the vocabulary has 2 characters"),
        ([0, 1, 1.0], TypeError, "targets[2] must be an integer, not float"),
    ],
    ids=str,
)
def test_softmax_cross_entropy_refuses_targets_that_do_not_fit(targets, error, message):
    logits = np.ones((3, 2))
    with refused(error, message, logits):
        _core.softmax_cross_entropy(logits, targets)


@pytest.mark.parametrize("shape", [(6,), (0, 2), (3, 0), (3, 2, 1)])
def test_softmax_cross_entropy_refuses_logits_of_another_shape(shape):
    with refused(ValueError, f"logits must have shape (N, V), not {shape}"):
        _core.softmax_cross_entropy(np.zeros(shape), [0, 1, 0])


@pytest.mark.parametrize(("value", "loss"), [(np.nan, "nan"), (np.inf, "nan"), (-np.inf, "inf")])
def test_softmax_cross_entropy_says_when_the_loss_is_not_finite(value, loss):
    logits = np.zeros((3, 2))
    logits[1, 1] = value
    with refused(NumericalError, f"the loss is {loss}: the logits hold NaN or infinity"):
        _core.softmax_cross_entropy(logits, [0, 1, 0])

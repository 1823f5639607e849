"""The optimizers against NumPy and against PyTorch, and as objects: saved, copied, wrongly used."""

import contextlib
import copy
import math
import pickle
import re
import threading

import numpy as np
import pytest
from test_objects import in_threads

import fastrnn
from fastrnn import _core, min_char_rnn, reference
from fastrnn._core import adagrad
from fastrnn.layer import Layer

SHAPES = [(n,) for n in range(68)] + [(5, 13), (3, 5, 7), (1, 1), (0, 4), ()]


# ---- min-char-rnn's adagrad -----------------------------------------------------------------------------------------


def adagrad_problem(shape, dtype):
    rng = np.random.default_rng(0)
    parameter, gradient, memory = rng.normal(size=shape), rng.normal(size=shape), rng.uniform(0, 2, shape)
    return tuple(np.array(a, dtype) for a in (parameter, gradient, memory))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_adagrad_is_the_references(isa, dtype, shape):
    parameter, gradient, memory = adagrad_problem(shape, dtype)
    before = gradient.copy()
    p, g, m = (np.array(a, np.float64) for a in (parameter, gradient, memory))
    reference.adagrad(p, g, m, 0.1)
    adagrad(parameter, gradient, memory, 0.1)
    assert parameter.shape == memory.shape == shape
    np.testing.assert_allclose(memory, m, rtol=2 * np.finfo(dtype).eps)
    np.testing.assert_allclose(parameter, p, rtol=2 * np.finfo(dtype).eps, atol=0.2 * np.finfo(dtype).eps)
    assert gradient.tobytes() == before.tobytes()


@pytest.mark.parametrize("learning_rate", [1e-4, 0.1, 3.0, 0.0, -0.1])
def test_fifty_steps(isa, dtype, learning_rate):
    eps = np.finfo(dtype).eps
    parameter, _, memory = adagrad_problem((37, 11), dtype)
    memory[:] = 0
    p, m = np.float64(parameter), np.float64(memory)
    rng = np.random.default_rng(1)
    for _ in range(50):
        gradient = rng.normal(scale=rng.choice([1e-6, 1e-2, 1, 5]), size=parameter.shape).astype(dtype)
        adagrad(parameter, gradient, memory, learning_rate)
        reference.adagrad(p, np.float64(gradient), m, learning_rate)
    # Each step rounds the memory once or twice, and the parameter once; its own size is at most the learning rate.
    np.testing.assert_allclose(memory, m, rtol=100 * eps)
    np.testing.assert_allclose(parameter, p, rtol=0, atol=100 * eps * (np.abs(p).max() + abs(learning_rate)))


def test_a_step_over_a_memory_of_any_size(isa, dtype):
    rng, info = np.random.default_rng(0), np.finfo(dtype)
    memory = (10 ** rng.uniform(-12, np.log10(info.max) - 1, 5003)).astype(dtype)
    gradient = (np.sqrt(memory) * rng.uniform(-1, 1, 5003)).astype(dtype)
    parameter = np.zeros(5003, dtype)
    p, g, m = (a.astype(np.longdouble) for a in (parameter, gradient, memory))
    reference.adagrad(p, g, m, 0.25)
    adagrad(parameter, gradient, memory, 0.25)
    np.testing.assert_allclose(memory, m, rtol=2 * info.eps)
    np.testing.assert_allclose(parameter, p, rtol=4 * info.eps)


@pytest.mark.parametrize("size", [1e-12, 1e-8, 1e-4])
def test_epsilon_is_inside_the_root(isa, dtype, size):
    parameter, gradient, memory = np.zeros(19, dtype), np.full(19, size, dtype), np.zeros(19, dtype)
    adagrad(parameter, gradient, memory, 1.0)
    np.testing.assert_allclose(parameter, -size / np.sqrt(size * size + 1e-8), rtol=8 * np.finfo(dtype).eps)


def test_adagrad_of_special_values(isa, dtype):
    large = np.sqrt(np.finfo(dtype).max) * dtype(4)  # its square is infinite
    values = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, large, -large, 1e-30, 1.0], dtype)
    # Every value as parameter with every value as gradient, over both memories, at many positions of a register.
    parameter, gradient, memory = (np.ravel(a) for a in np.meshgrid(values, values, np.array([0, 1, np.inf, np.nan])))
    parameter, gradient, memory = (np.tile(a, 3)[1:].astype(dtype) for a in (parameter, gradient, memory))
    p, m = parameter.copy(), memory.copy()
    with np.errstate(all="ignore"):
        reference.adagrad(p, gradient, m, dtype(0.1))
    adagrad(parameter, gradient, memory, 0.1)
    np.testing.assert_allclose(memory, m, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(parameter, p, rtol=4 * np.finfo(dtype).eps)


def test_a_read_only_gradient_is_read(isa, dtype):
    parameter, gradient, memory = adagrad_problem((5,), dtype)
    gradient.flags.writeable = False
    expected = parameter.copy()
    reference.adagrad(expected, gradient, memory.copy(), 0.1)
    adagrad(parameter, gradient, memory, 0.1)
    np.testing.assert_allclose(parameter, expected, rtol=4 * np.finfo(dtype).eps)


def test_the_public_name_is_the_kernel():
    assert min_char_rnn.adagrad is adagrad


# ---- the optimizers over layers -------------------------------------------------------------------------------------

# Every option of each, and some of them together. In all: the class's name, its keyword arguments.
OPTIMIZERS = [
    ("SGD", {}),
    ("SGD", {"weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adagrad", {}),
    ("Adagrad", {"eps": 1e-3, "weight_decay": 0.1}),
    ("Adagrad", {"eps": 1e-8, "eps_inside_sqrt": True}),
    ("RMSprop", {}),
    ("RMSprop", {"alpha": 0.9, "eps": 1e-3, "weight_decay": 0.1}),
    ("RMSprop", {"momentum": 0.9}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"alpha": 0.9, "momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"betas": (0.3, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"betas": (0.0, 0.0)}),
    ("AdamW", {}),
    ("AdamW", {"betas": (0.8, 0.99), "weight_decay": 0.3}),
]
NAMES = ["SGD", "Adagrad", "RMSprop", "Adam", "AdamW"]
each_optimizer = pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=str)
each_name = pytest.mark.parametrize("name", NAMES)

# Relative to how large a number has been, and to the whole way that a parameter has gone: a step's own rounding errors
# are relative to its length.
TOLERANCE = {np.float32: 1e-6, np.float64: 1e-12}


def layer(dtype, *sizes, seed=0):
    """A layer of one vector for each size, normally distributed."""
    rng = np.random.default_rng(seed)
    return Layer({f"weight_{i}": (size,) for i, size in enumerate(sizes)}, dtype, rng.standard_normal)


def two_layers(dtype):
    return [layer(dtype, 30, 7, seed=1), layer(dtype, 1, seed=2)]


def random_gradients(layers, rng):
    """Of many sizes, from step to step and within each; some of them 0."""
    for each in layers:
        size = each.flat_gradients.shape
        exponents = rng.uniform(-4, 0, size) + rng.choice([-3, 0, 1])
        each.flat_gradients[:] = rng.standard_normal(size) * 10**exponents * (rng.random(size) < 0.9)


def bits(layers):
    return [each.flat_parameters.tobytes() for each in layers]


class Journey:
    """What an optimizer's arrays have been through: how large each has been, how far the parameters have gone."""

    def __init__(self, optimizer):
        self.optimizer = optimizer
        self.before = self.parameters()
        self.way = np.zeros_like(self.before)
        self.largest = {"parameters": np.abs(self.before).max()}

    def parameters(self):
        return np.concatenate([each.flat_parameters for each in self.optimizer.layers]).astype(np.float64)

    def arrays(self):
        slots = {name: np.concatenate(arrays) for name, arrays in self.optimizer.slots.items()}
        return {"parameters": self.parameters()} | slots

    def step(self):
        self.optimizer.step()
        arrays = self.arrays()
        self.way += np.abs(arrays["parameters"] - self.before)
        self.before = arrays["parameters"]
        self.largest = {name: max(self.largest.get(name, 0), np.abs(a).max()) for name, a in arrays.items()}

    def assert_ends_at(self, expected, dtype):
        """expected: name -> array, of the parameters and of each slot."""
        for name, array in self.arrays().items():
            size = self.largest[name] + (self.way.max() if name == "parameters" else 0)
            np.testing.assert_allclose(array, expected[name], rtol=0, atol=TOLERANCE[dtype] * size, err_msg=name)


@each_optimizer
def test_fifty_steps_are_the_references(isa, dtype, name, options):
    ours, its = two_layers(dtype), two_layers(np.float64)
    for mine, other in zip(ours, its, strict=True):
        other.flat_parameters[:] = mine.flat_parameters
    journey = Journey(getattr(fastrnn, name)(ours, 0.05, **options))
    expected = Journey(getattr(reference, name)(its, 0.05, **options))
    rng = np.random.default_rng(0)
    for _ in range(50):
        random_gradients(ours, rng)
        for mine, other in zip(ours, its, strict=True):
            other.flat_gradients[:] = mine.flat_gradients
        before = [each.flat_gradients.tobytes() for each in ours]
        journey.step()
        expected.step()
        assert before == [each.flat_gradients.tobytes() for each in ours]
    assert journey.optimizer.iterations == expected.optimizer.iterations == 50
    journey.assert_ends_at(expected.arrays(), dtype)


@pytest.mark.parametrize(("name", "options"), [(n, o) for n, o in OPTIMIZERS if "eps_inside_sqrt" not in o], ids=str)
def test_fifty_steps_are_pytorchs(isa, dtype, name, options):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    layers = two_layers(dtype)
    tensors = [torch.from_numpy(each.flat_parameters.copy()).requires_grad_() for each in layers]
    journey = Journey(getattr(fastrnn, name)(layers, 0.05, **options))
    torchs = getattr(torch.optim, name)(tensors, 0.05, **options, foreach=False)
    rng = np.random.default_rng(0)
    for _ in range(50):
        random_gradients(layers, rng)
        for each, tensor in zip(layers, tensors, strict=True):
            tensor.grad = torch.from_numpy(each.flat_gradients.copy())
        journey.step()
        torchs.step()
    slots = {
        slot: np.concatenate([torchs.state[tensor][slot] for tensor in tensors]) for slot in journey.optimizer.slots
    }
    parameters = np.concatenate([tensor.detach() for tensor in tensors])
    journey.assert_ends_at({"parameters": parameters} | slots, dtype)


@each_name
def test_the_default_settings_are_pytorchs(name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    optimizer = getattr(fastrnn, name)(layer(np.float32, 3), **({"learning_rate": 1e-3} if name == "SGD" else {}))
    theirs = getattr(torch.optim, name)([torch.zeros(3)]).defaults
    ours = vars(optimizer) | {"lr": optimizer.learning_rate}
    settings = ("lr", "momentum", "dampening", "nesterov", "weight_decay", "eps", "alpha", "centered", "betas")
    assert {s: ours[s] for s in settings if s in ours} == {s: theirs[s] for s in settings if s in theirs}


@each_optimizer
def test_every_size(isa, dtype, name, options):
    """The layer of n numbers does what its numbers do in the layer of all."""
    most = 67
    whole = layer(dtype, most)
    random_gradients([whole], np.random.default_rng(3))
    layers = [layer(dtype, n) for n in range(most)]
    for n, each in enumerate(layers):
        each.flat_parameters[:] = whole.flat_parameters[most - n :]
        each.flat_gradients[:] = whole.flat_gradients[most - n :]
    optimizer = getattr(fastrnn, name)([whole, *layers], 0.1, **options)
    optimizer.step()
    optimizer.step()
    for n, each in enumerate(layers):
        assert each.flat_parameters.tobytes() == whole.flat_parameters[most - n :].tobytes()


@pytest.mark.parametrize(
    ("name", "options"), [(n, o) for n, o in OPTIMIZERS if n != "AdamW" and "weight_decay" not in o], ids=str
)
def test_without_a_gradient_or_decay_nothing_moves(isa, dtype, name, options):
    layers = two_layers(dtype)
    before = bits(layers)
    optimizer = getattr(fastrnn, name)(layers, 0.1, **options)
    for _ in range(3):
        optimizer.step()
    assert bits(layers) == before


@each_optimizer
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_stays_where_it_is(isa, dtype, name, options, bad):
    """As in PyTorch: its own parameter is lost, the others are not touched by it."""
    for position in range(19):
        good, hurt, expected = layer(dtype, 19), layer(dtype, 19), layer(dtype, 19)
        random_gradients([good], np.random.default_rng(0))
        for each in (hurt, expected):
            each.flat_gradients[:] = good.flat_gradients
        hurt.flat_gradients[position] = expected.flat_gradients[position] = bad
        getattr(fastrnn, name)([good, hurt], 0.1, **options).step()
        with np.errstate(all="ignore"):
            getattr(reference, name)(expected, 0.1, **options).step()
        np.testing.assert_array_equal(
            np.isfinite(hurt.flat_parameters), np.isfinite(expected.flat_parameters), strict=True
        )
        others = np.arange(19) != position
        assert hurt.flat_parameters[others].tobytes() == good.flat_parameters[others].tobytes()


@pytest.mark.parametrize("name", ["Adagrad", "RMSprop", "Adam", "AdamW"])
def test_a_square_that_overflows_stops_its_parameter(isa, dtype, name):
    """A step of size g / infinity is 0, not NaN: what PyTorch does."""
    layers = layer(dtype, 21)
    before = layers.flat_parameters.copy()
    layers.flat_gradients[::2] = np.sqrt(np.finfo(dtype).max) * 100
    getattr(fastrnn, name)(layers, 0.1, weight_decay=0).step()
    np.testing.assert_array_equal(layers.flat_parameters[::2], before[::2])


def test_centered_rmsprop_outlasts_a_constant_gradient(isa, dtype):
    """The variance goes to 0, and rounding must not take it below."""
    layers = layer(dtype, 40)
    layers.flat_gradients[:] = np.linspace(0.1, 3, 40)
    optimizer = fastrnn.RMSprop(layers, 1e-6, alpha=0.9, centered=True)
    for _ in range(2000):
        optimizer.step()
    assert np.isfinite(layers.flat_parameters).all()


def test_gradients_that_fade_leave_no_subnormal_numbers(isa, dtype):
    tiny = np.finfo(dtype).tiny
    layers = layer(dtype, 40)
    optimizer = fastrnn.Adam(layers, 0.01)
    layers.flat_gradients[:] = np.sqrt(tiny) * 4
    for _ in range(200):
        layers.flat_gradients[:] *= dtype(0.5)
        optimizer.step()
    layers.zero_gradients()
    for _ in range(4000):
        optimizer.step()
    for name in ("exp_avg", "exp_avg_sq"):
        (array,) = optimizer.slots[name]
        assert ((array == 0) | (np.abs(array) >= tiny)).all()
    assert np.isfinite(layers.flat_parameters).all()
    assert np.array(tiny) / 2 > 0, "the thread still computes with subnormal numbers"


def test_the_least_gradients_are_steps_of_zero_over_eps(isa, dtype):
    """v = 0 is no division by zero: 0 / (sqrt(0) + eps)."""
    layers = layer(dtype, 40)
    before = layers.flat_parameters.copy()
    layers.flat_gradients[:] = np.finfo(dtype).smallest_subnormal
    for name in NAMES:
        getattr(fastrnn, name)(layers, 0.1, weight_decay=0).step()
    np.testing.assert_array_equal(layers.flat_parameters, before)


@each_name
def test_parameters_written_by_name_are_seen(isa, dtype, name):
    ours, its = layer(dtype, 5, 6), layer(dtype, 5, 6)
    for each, module in ((ours, fastrnn), (its, reference)):
        optimizer = getattr(module, name)(each, learning_rate=0.1)
        each.parameters["weight_1"][...] = 0.25
        each.gradients["weight_1"][...] = -1
        each.gradients["weight_0"][2] = 3
        optimizer.step()
    np.testing.assert_allclose(ours.flat_parameters, its.flat_parameters, rtol=TOLERANCE[dtype])
    assert (ours.parameters["weight_1"] > 0.25).all()


def test_min_char_rnns_update(isa, dtype):
    """Adagrad with the epsilon inside the root is the script's, bit for bit."""
    layers = layer(dtype, 37)
    random_gradients([layers], np.random.default_rng(0))
    parameter, memory = layers.flat_parameters.copy(), np.zeros(37, dtype)
    optimizer = fastrnn.Adagrad(layers, 0.1, eps=1e-8, eps_inside_sqrt=True)
    for _ in range(3):
        optimizer.step()
        adagrad(parameter, layers.flat_gradients, memory, 0.1)
    assert layers.flat_parameters.tobytes() == parameter.tobytes()
    assert optimizer.slots["sum"][0].tobytes() == memory.tobytes()


def test_zero_gradients():
    layers = two_layers(np.float32)
    random_gradients(layers, np.random.default_rng(0))
    fastrnn.Adam(layers).zero_gradients()
    assert not any(each.flat_gradients.any() for each in layers)


# ---- saving and copying ---------------------------------------------------------------------------------------------


def steps(optimizer, count, seed):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        random_gradients(optimizer.layers, rng)
        optimizer.step()
    return bits(optimizer.layers)


def restored(optimizer, name, options):
    """A new optimizer over new layers that continues where this one is."""
    layers = two_layers(optimizer.layers[0].dtype)
    for mine, saved in zip(layers, optimizer.layers, strict=True):
        mine.load_state_dict(saved.state_dict())
    other = getattr(fastrnn, name)(layers, 1.0, **options)
    other.load_state_dict(optimizer.state_dict())
    return other


WAYS = {
    "state_dict": restored,
    "pickle": lambda optimizer, name, options: pickle.loads(pickle.dumps(optimizer)),
    "deepcopy": lambda optimizer, name, options: copy.deepcopy(optimizer),
}


@each_optimizer
@pytest.mark.parametrize("way", WAYS)
def test_a_saved_optimizer_continues_to_the_last_bit(dtype, name, options, way):
    optimizer = getattr(fastrnn, name)(two_layers(dtype), 0.1, **options)
    steps(optimizer, 3, seed=0)
    optimizer.learning_rate = 0.02
    other = WAYS[way](optimizer, name, options)
    assert type(other) is type(optimizer)
    assert (other.iterations, other.learning_rate) == (3, 0.02)
    before = bits(optimizer.layers)
    expected = steps(optimizer, 4, seed=1)
    assert bits(other.layers) == before, "they share no memory"
    assert steps(other, 4, seed=1) == expected


def test_a_copied_layers_arrays_are_views_still():
    optimizer = pickle.loads(pickle.dumps(fastrnn.SGD(layer(np.float64, 3), 1.0)))
    (copied,) = optimizer.layers
    copied.parameters["weight_0"][:] = 5
    copied.gradients["weight_0"][:] = 1
    optimizer.step()
    np.testing.assert_array_equal(copied.flat_parameters, [4, 4, 4])


def test_state_dict_holds_copies():
    optimizer = fastrnn.Adam(layer(np.float64, 3))
    state = optimizer.state_dict()
    steps(optimizer, 1, seed=0)
    assert state["iterations"] == 0
    assert not state["slots"]["exp_avg"][0].any()


GOOD = {"iterations": 1, "learning_rate": 0.1, "slots": {"exp_avg": [np.ones(3)], "exp_avg_sq": [np.ones(3)]}}


def slots(**changes):
    return GOOD | {"slots": GOOD["slots"] | changes}


BAD_STATES = [
    (TypeError, [], "state must be a dict, not list"),
    (ValueError, {"iterations": 1, "learning_rate": 0.1}, "missing slots, left over none"),
    (ValueError, GOOD | {"momentum": 1}, "missing none, left over momentum"),
    (ValueError, GOOD | {"iterations": -1}, "iterations must be at least 0, not -1"),
    (ValueError, GOOD | {"iterations": 2**64}, f"iterations must be below 2**63, not {2**64}"),
    (TypeError, GOOD | {"iterations": 1.5}, "iterations must be an integer, not float"),
    (ValueError, GOOD | {"learning_rate": -1}, "learning_rate must be at least 0, not -1"),
    (TypeError, GOOD | {"slots": 3}, "slots must be a dict, not int"),
    (ValueError, GOOD | {"slots": {"exp_avg": [np.ones(3)]}}, "missing exp_avg_sq, left over none"),
    (ValueError, slots(sum=[np.ones(3)]), "missing none, left over sum"),
    (ValueError, slots(exp_avg=[]), "slots['exp_avg'] must hold 1 arrays, one for each layer, not 0"),
    (ValueError, slots(exp_avg_sq=[np.ones(4)]), "slots['exp_avg_sq'][0] must have shape (3,), not (4,)"),
    (TypeError, slots(exp_avg_sq=[["a", "b", "c"]]), "slots['exp_avg_sq'][0] must hold real numbers, not <U1"),
    (TypeError, slots(exp_avg_sq=3), "slots['exp_avg_sq'] must be a list of arrays, not int"),
]


@pytest.mark.parametrize(("error", "state", "message"), BAD_STATES, ids=lambda value: str(value)[:40])
def test_load_state_dict_refuses(error, state, message):
    optimizer = fastrnn.Adam(layer(np.float64, 3))
    steps(optimizer, 2, seed=0)
    before = pickle.dumps(optimizer)
    with pytest.raises(error, match=re.escape(message)):
        optimizer.load_state_dict(state)
    assert pickle.dumps(optimizer) == before
    optimizer.load_state_dict(GOOD)
    assert optimizer.iterations == 1


# ---- wrong arguments ------------------------------------------------------------------------------------------------

NOT_NEGATIVE = [(ValueError, -0.1, "must be at least 0"), (ValueError, math.nan, "must be finite")]
NOT_NEGATIVE += [(ValueError, math.inf, "must be finite"), (TypeError, "1", "must be a real number, not str")]
NOT_NEGATIVE += [(ValueError, 1e39, "must be finite in the layers' dtype")]
FRACTION = [(ValueError, -0.1, "must be in [0, 1)"), (ValueError, 1.0, "must be in [0, 1)")]
FRACTION += [(TypeError, None, "must be a real number, not NoneType")]
BAD_ARGUMENTS = [
    *((name, "learning_rate", *case) for name in NAMES for case in NOT_NEGATIVE),
    *((name, "weight_decay", *case) for name in NAMES for case in NOT_NEGATIVE),
    *((name, "momentum", *case) for name in ("SGD", "RMSprop") for case in NOT_NEGATIVE),
    *((name, "eps", *case) for name in NAMES[1:] for case in NOT_NEGATIVE),
    *(("SGD", "dampening", *case) for case in NOT_NEGATIVE[1:]),
    *(("RMSprop", "alpha", *case) for case in FRACTION),
]


@pytest.mark.parametrize(("name", "argument", "error", "value", "message"), BAD_ARGUMENTS)
def test_wrong_settings_are_refused(name, argument, error, value, message):
    with pytest.raises(error, match=f"^{argument} " + re.escape(message)):
        getattr(fastrnn, name)(layer(np.float32, 3), **{"learning_rate": 0.1, argument: value})


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_wrong_betas_are_refused(name):
    for value in (0.9, (0.9,), (0.9, 0.99, 0.999), None):
        with pytest.raises(TypeError, match=r"^betas must be two numbers, \(beta1, beta2\), not"):
            getattr(fastrnn, name)(layer(np.float32, 3), betas=value)
    for error, value, message in FRACTION:
        with pytest.raises(error, match=r"^betas\[0\] " + re.escape(message)):
            getattr(fastrnn, name)(layer(np.float32, 3), betas=(value, 0.9))
        with pytest.raises(error, match=r"^betas\[1\] " + re.escape(message)):
            getattr(fastrnn, name)(layer(np.float32, 3), betas=(0.9, value))


@pytest.mark.parametrize("options", [{"momentum": 0.0}, {"momentum": 0.9, "dampening": 0.1}])
def test_nesterov_needs_momentum_without_dampening(options):
    with pytest.raises(ValueError, match=r"^nesterov needs momentum above 0 and dampening 0"):
        fastrnn.SGD(layer(np.float32, 3), 0.1, nesterov=True, **options)


def test_epsilon_inside_the_root_must_be_normal(dtype):
    for eps in (0, np.finfo(dtype).smallest_subnormal):
        with pytest.raises(ValueError, match=r"^eps must be at least .* inside the root"):
            fastrnn.Adagrad(layer(dtype, 3), eps=eps, eps_inside_sqrt=True)


@each_name
def test_the_learning_rate_is_checked_when_it_is_set(name):
    optimizer = getattr(fastrnn, name)(layer(np.float32, 3), 0.1)
    for error, value, message in NOT_NEGATIVE:
        with pytest.raises(error, match="^learning_rate " + re.escape(message)):
            optimizer.learning_rate = value
    assert optimizer.learning_rate == 0.1
    optimizer.learning_rate = 0
    before = bits(optimizer.layers)
    steps(optimizer, 2, seed=0)
    assert bits(optimizer.layers) == before


def test_what_is_no_layer_is_refused():
    one = layer(np.float32, 3)
    for value, error, message in [
        (3, TypeError, "layers must be a layer or a sequence of layers, not int"),
        ([], ValueError, "layers must hold at least one layer, and is empty"),
        ([one, "x"], TypeError, "layers[1] must be a layer, not str"),
        ([one, layer(np.float32, 2), one], ValueError, "layers[0] and layers[2] are the same layer: pass each once"),
    ]:
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            fastrnn.SGD(value, 0.1)


def spoiled(array, how):
    """This array made unfit, in the ways that a caller can."""
    if how == "read-only":
        array = array.copy()
        array.flags.writeable = False
        return array
    return {
        "longer": np.zeros(array.size + 1, array.dtype),
        "of another dtype": array.astype(np.float16),
        "strided": np.zeros(2 * array.size, array.dtype)[::2],
        "no array": array.tolist(),
    }[how]


HOW = ["longer", "of another dtype", "strided", "no array", "read-only"]


@each_name
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("what", ["flat_parameters", "flat_gradients"])
def test_a_step_over_a_spoiled_layer_changes_nothing(name, how, what):
    layers = [layer(np.float64, 5), layer(np.float64, 4)]
    optimizer = getattr(fastrnn, name)(layers, 0.1)
    random_gradients(layers, np.random.default_rng(0))
    good = getattr(layers[1], what)
    before, state = bits(layers), pickle.dumps(optimizer.state_dict())
    setattr(layers[1], what, spoiled(good, how))
    if (how, what) == ("read-only", "flat_gradients"):
        optimizer.step()  # which only reads it
        return
    with pytest.raises((TypeError, ValueError), match=re.escape("layers[1].flat_")):
        optimizer.step()
    setattr(layers[1], what, good)
    assert bits(layers) == before
    assert pickle.dumps(optimizer.state_dict()) == state


@pytest.mark.parametrize("how", HOW)
def test_a_step_with_a_spoiled_slot_changes_nothing(how):
    layers = [layer(np.float64, 5), layer(np.float64, 4)]
    optimizer = fastrnn.Adam(layers, 0.1)
    random_gradients(layers, np.random.default_rng(0))
    before = bits(layers)
    optimizer.slots["exp_avg_sq"][1] = spoiled(optimizer.slots["exp_avg_sq"][1], how)
    with pytest.raises((TypeError, ValueError), match=re.escape("slots['exp_avg_sq'][1]")):
        optimizer.step()
    del optimizer.slots["exp_avg_sq"][1]
    with pytest.raises(ValueError, match="exp_avg_sq must hold one array for each of 2 layers, not 1"):
        optimizer.step()
    del optimizer.slots["exp_avg_sq"]
    with pytest.raises(ValueError, match="a pointer that must not be NULL is"):
        optimizer.step()
    assert bits(layers) == before
    assert optimizer.iterations == 0


def test_a_layers_buffers_cannot_be_resized():
    layers = layer(np.float64, 5000)
    for flat in (layers.flat_parameters, layers.flat_gradients):
        with pytest.raises(ValueError, match="does not own its data"):
            flat.resize(10, refcheck=False)


def test_no_thread_moves_what_a_step_works_on():
    """A resize that would take the memory away is refused during a step; before or after one, the step is refused."""
    parameter, gradient = np.ones(2_000_000), np.ones(2_000_000)
    refused = threading.Event()

    def resize():
        while not refused.is_set():
            try:
                parameter.resize(10, refcheck=False)
            except ValueError:
                refused.set()

    thread = threading.Thread(target=resize)
    thread.start()
    settings = {"momentum": 0, "dampening": 0, "weight_decay": 0, "nesterov": False, "iteration": 1}
    while not refused.is_set():
        parameter.resize(gradient.shape, refcheck=False)
        with contextlib.suppress(ValueError):
            _core.update_sgd([parameter], [gradient], {}, learning_rate=0.1, **settings)
    thread.join()


def test_steps_of_several_threads_are_taken_one_after_the_other():
    def trained(threads, steps):
        layers = layer(np.float64, 50_000)
        layers.flat_gradients[...] = np.random.default_rng(0).standard_normal(50_000)
        optimizer = fastrnn.Adam(layers)
        in_threads([lambda: [optimizer.step() for _ in range(steps)]] * threads)
        return optimizer.iterations, bits([layers])

    assert trained(8, 20) == trained(1, 160)

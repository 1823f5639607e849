"""`fastrnn.Stepper`: steps of one's own, one after the other, are the layer's forward."""

import copy

import numpy as np
import pytest
from test_objects import THREADS, copies, in_threads

import fastrnn

I, H, O, T = 5, 20, 3, 30  # noqa: E741
every_cell = pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])


def layer_of(cell, dtype=np.float64, num_layers=2, **options):
    return getattr(fastrnn, cell)(I, H, num_layers, dtype=dtype, rng=0, **options)


def inputs_of(layer, kind, seed=0):
    """x of T steps: of three sequences or of a single one, as numbers or as integers."""
    rng = np.random.default_rng(seed)
    batch = (3,) if "batch" in kind else ()
    return (
        rng.integers(I, size=(T, *batch))
        if "integers" in kind
        else rng.standard_normal((T, *batch, I)).astype(layer.dtype)
    )


def parts(state):
    return state if isinstance(state, tuple) else (state,)


@every_cell
@pytest.mark.parametrize("kind", ["batch of vectors", "vector", "batch of integers", "integers"])
def test_steps_are_the_layers_forward(isa, dtype, cell, kind):
    layer = layer_of(cell, dtype)
    output = fastrnn.Linear(H, O, dtype=dtype, rng=1)
    stepper, x = fastrnn.Stepper(layer, output), inputs_of(layer, kind)
    assert stepper.state is None
    y = np.stack([stepper.step(x_t) for x_t in x])
    h, state, _ = layer.forward(x if "batch" in kind else x[:, np.newaxis])
    expected = output(h)
    assert y.shape == (T, 3, O) if "batch" in kind else (T, O)
    tolerance = {"rtol": 0, "atol": 1e-12 if dtype == np.float64 else 1e-5}
    np.testing.assert_allclose(y, expected if "batch" in kind else expected[:, 0], **tolerance)
    for ours, its in zip(parts(stepper.state), parts(state), strict=True):
        np.testing.assert_allclose(ours, its, **tolerance)


def test_one_above_the_other_they_are_a_deep_network():
    deep = layer_of("RNN")
    steppers = []
    for number in range(2):
        layer = fastrnn.RNN((I, H)[number], H, dtype="float64")
        names = {name: name.replace("_l0", f"_l{number}") for name in layer.parameters}
        layer.load_state_dict({name: deep.parameters[above] for name, above in names.items()})
        steppers.append(fastrnn.Stepper(layer))
    rnn1, rnn2 = steppers
    x = inputs_of(deep, "vector")
    y = [rnn2.step(rnn1.step(x_t)) for x_t in x]
    np.testing.assert_allclose(y, deep(x[:, np.newaxis])[0][:, 0], rtol=0, atol=1e-12)


@every_cell
def test_a_state_can_be_read_set_and_reset(cell):
    layer = layer_of(cell)
    stepper, x = fastrnn.Stepper(layer), inputs_of(layer, "batch of vectors")
    first = [stepper.step(x_t) for x_t in x[:5]]
    state = stepper.state
    after = stepper.step(x[5])
    stepper.state = state
    for part in parts(state):
        part[...] = np.nan  # what is read and set is copied
    for part in parts(stepper.state):
        part[...] = np.nan
    np.testing.assert_array_equal(stepper.step(x[5]), after)
    stepper.reset()
    assert stepper.state is None
    np.testing.assert_array_equal([stepper.step(x_t) for x_t in x[:5]], first)
    stepper.state = None
    np.testing.assert_array_equal(stepper.step(x[0]), first[0])


@every_cell
@copies
def test_copies_go_on_as_the_stepper_does(cell, duplicate):
    layer = layer_of(cell)
    stepper, x = fastrnn.Stepper(layer, fastrnn.Linear(H, O, dtype="float64")), inputs_of(layer, "vector")
    stepper.step(x[0])
    twin, shallow = duplicate(stepper), copy.copy(stepper)
    assert shallow.layer is layer is not twin.layer
    expected = stepper.step(x[1])
    np.testing.assert_array_equal(twin.step(x[1]), expected)
    np.testing.assert_array_equal(shallow.step(x[1]), expected)


def test_threads_share_a_layer_each_with_a_stepper_of_its_own():
    layer = layer_of("LSTM")
    texts = [inputs_of(layer, "vector", seed) for seed in range(THREADS)]

    def read(x):
        stepper = fastrnn.Stepper(layer)
        return np.stack([stepper.step(x_t) for x_t in x])

    found = in_threads([lambda x=x: read(x) for x in texts])
    np.testing.assert_array_equal(found, [read(x) for x in texts])


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros((2, I)), ValueError, r"as many sequences as the state, 3, not 2: .* reset\(\)"),
        (np.zeros(I), ValueError, "as many sequences as the state, 3, not 1"),
        (np.zeros((3, I + 1)), ValueError, r"x must have shape \(B, I\) = \(3, 5\), not \(3, 6\)"),
        (np.zeros((3, I), np.float32), TypeError, "float64"),
        (np.array([0, 1, I]), IndexError, r"x must be in \[0, 5\), and has 5"),
        (1.0, ValueError, r"x must have shape \(B, 5\), not \(\)"),
    ],
)
def test_a_wrong_input_leaves_the_state_as_it_was(x, error, message):
    layer = layer_of("GRU")
    stepper = fastrnn.Stepper(layer)
    stepper.step(inputs_of(layer, "batch of vectors")[0])
    before = stepper.state
    with pytest.raises(error, match=message):
        stepper.step(x)
    np.testing.assert_array_equal(stepper.state, before)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: fastrnn.Stepper(fastrnn.Linear(I, H)), TypeError, "layer must be a fastrnn.RNN, GRU or LSTM"),
        (lambda: fastrnn.Stepper(layer_of("GRU", bidirectional=True)), ValueError, "layer must have one direction"),
        (lambda: fastrnn.Stepper(layer_of("GRU"), np.tanh), TypeError, "output must be None or a fastrnn.Linear"),
        (lambda: fastrnn.Stepper(layer_of("GRU"), fastrnn.Linear(7, 2)), ValueError, "hidden_size .*, 20, not 7"),
        (lambda: fastrnn.Stepper(layer_of("GRU"), fastrnn.Linear(H, 2)), TypeError, "float64, not float32"),
        (lambda: setattr(fastrnn.Stepper(layer_of("GRU")), "state", 0), TypeError, "state must hold float64"),
        (
            lambda: setattr(fastrnn.Stepper(layer_of("GRU")), "state", np.zeros((1, 3, H))),
            ValueError,
            r"state must have shape \(2, 3, 20\), not \(1, 3, 20\)",
        ),
        (
            lambda: setattr(fastrnn.Stepper(layer_of("LSTM")), "state", np.zeros((2, 3, H))),
            TypeError,
            r"state must be a tuple \(h, c\)",
        ),
        (
            lambda: setattr(fastrnn.Stepper(layer_of("LSTM")), "state", (np.zeros((2, 3, H)), np.zeros((2, 4, H)))),
            ValueError,
            r"state\[1\] must have shape \(2, 3, 20\)",
        ),
    ],
)
def test_wrong_arguments_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_it_shows_the_call_that_makes_it():
    stepper = fastrnn.Stepper(fastrnn.RNN(3, 4), fastrnn.Linear(4, 2))
    assert repr(stepper) == "Stepper(RNN(3, 4), output=Linear(4, 2))"
    assert repr(fastrnn.Stepper(fastrnn.GRU(3, 4))) == "Stepper(GRU(3, 4))"

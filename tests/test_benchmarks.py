"""The benchmarks: that all sides do the same work, and that figures follow from times as they should. How fast anything
is plays no part here."""

import json
import subprocess
import sys
from dataclasses import replace
from itertools import islice, repeat
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
if not (ROOT / "benchmarks" / "__main__.py").exists():
    pytest.skip("benchmarks/ is not beside tests/: it is no part of the package", allow_module_level=True)
sys.path.append(str(ROOT))

from benchmarks import goals, table  # noqa: E402
from benchmarks.contenders import FASTRNN, LAYERS, NUMPY, PEERS, batched, script  # noqa: E402
from benchmarks.parent import Worker  # noqa: E402
from benchmarks.run import Plan  # noqa: E402
from fastrnn import NumericalError, _core, reference  # noqa: E402
from fastrnn.bench import check, floor, layers, measure, problem, results  # noqa: E402
from fastrnn.bench.ceilings import USES, Ceilings, Prober, from_json  # noqa: E402
from fastrnn.bench.measure import Median, Slice  # noqa: E402
from fastrnn.bench.problem import GATES, Problem  # noqa: E402

SMALL = Problem("float64", H=9, B=3, T=6, V=7, learning_rate=0.02, clip=0.1)  # a clip that many gradients reach
LARGEST_ERROR = {"float64": 1e-12, "float32": 1e-4}


def small_problems(task, dtype):
    """SMALL, and for a task of layers one with every cell that it has rows for."""
    small = replace(SMALL, dtype=dtype)
    if task not in LAYERS:
        return [small]
    if task in ("layer", "network"):
        return [replace(small, cell=cell, B=B) for cell in GATES for B in (1, 3)]
    return [replace(small, cell=cell, B=1) for cell in (["gru"] if task == "char-gru" else ["gru", "lstm"])]


def sides_and_tasks(contenders):
    return [pytest.param(side, task, id=f"{side.name}-{task}") for side in contenders for task in side.tasks]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("side", "task"), sides_and_tasks([FASTRNN, *NUMPY]))
def test_does_the_references_work(side, task, dtype):
    for small in small_problems(task, side.dtype or dtype):
        job = side.job(task, small)
        assert check.error(job, task, small) <= (0 if task == "sample" else LARGEST_ERROR[small.dtype])


@pytest.mark.parametrize("side", [pytest.param(peer, id=peer.name) for peer in PEERS])
def test_peers_do_the_references_work(side):
    if side.missing():
        pytest.skip(f"not installed: {', '.join(side.missing())}")
    with Worker(side, 0) as worker:
        for task in side.tasks:
            for dtype, largest in LARGEST_ERROR.items():
                for small in small_problems(task, dtype):
                    error, _ = worker.open(task, small)
                    assert error <= largest, (task, small)


@pytest.mark.parametrize("module", [script, batched])
def test_the_text_begins_anew(module):
    short = problem.text(SMALL.V)[:31]
    job = module.Training(SMALL)
    job.text = short.tolist() if module is script else short
    job.run(9)
    trainer = reference.Trainer(
        *problem.weights(SMALL), short, seq_length=SMALL.T, learning_rate=SMALL.learning_rate, clip=SMALL.clip
    )
    trainer.run(9)
    assert trainer.position == job.p > 0
    for mine, its in zip(job.outcome(), [*trainer.parameters, *trainer.memories, trainer.hprev], strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("cell", GATES)
def test_a_difference_of_layers_is_noticed(cell):
    """Adagrad's first step hardly depends on how large a gradient is: it is its memory that shows one that is off."""
    small = replace(SMALL, cell=cell)
    job = FASTRNN.job("layer", small)
    honest = job.loss
    job.loss = lambda logits, targets: (0.0, 1.001 * honest(logits, targets)[1])
    assert check.error(job, "layer", small) > 1e-3


@pytest.mark.parametrize("cell", GATES)
def test_a_difference_of_networks_is_noticed(cell):
    """Another loss, or another text."""
    small = replace(SMALL, cell=cell)
    assert check.error(FASTRNN.job("layer", small), "network", small) > 1e-3
    later = FASTRNN.job("network", small)
    later.position = 1
    assert check.error(later, "network", small) > 1e-3


@pytest.mark.parametrize(("cell", "one_bias"), [("rnn", False), ("gru", True), ("lstm", False)])
def test_a_bias_too_many_or_too_few_is_noticed(cell, one_bias):
    """Also where the reference's bias rests, and all that its optimizer remembers of it is zero."""
    small = replace(SMALL, cell=cell)
    job = layers.NetworkTraining(reference, small)
    job.one_bias = one_bias
    assert check.error(job, "network", small) > 1e-3


def test_a_network_trains_many_iterations_in_one_call():
    """Of one sequence; in any parts they come to the same."""
    small = replace(SMALL, cell="lstm", B=1)
    at_once, in_parts = (FASTRNN.job("network", small) for _ in range(2))
    assert at_once.unit == problem.ITERATIONS
    assert FASTRNN.job("network", replace(small, B=3)).unit == 1
    at_once.run(9)
    for times in (2, 7):
        in_parts.run(times)
    for mine, its in zip(at_once.outcome(), in_parts.outcome(), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_a_network_that_fails_says_so():
    job = FASTRNN.job("network", replace(SMALL, cell="gru"))
    job.states[0][...] = np.nan
    with pytest.raises(NumericalError):
        job.run(3)


def test_a_difference_is_noticed():
    job = script.TASKS["lossFun"](SMALL)
    honest = job.call

    def dishonest():
        loss, dWxh, *others = honest()
        dWxh[0, 0] += 1e-3 * np.abs(dWxh).max()
        return loss, dWxh, *others

    job.call = dishonest
    assert check.error(job, "lossFun", SMALL) == pytest.approx(1e-3, rel=1e-6)


def test_nan_is_noticed():
    job = FASTRNN.job("network", replace(SMALL, cell="gru"))
    honest = job.outcome
    job.outcome = lambda: [*honest()[:-1], np.full((1, SMALL.B, SMALL.H), np.nan)]
    assert np.isnan(check.error(job, "network", replace(SMALL, cell="gru")))


def test_problem(monkeypatch):
    text = problem.text(65)
    assert sorted(set(text.tolist())) == list(range(65))
    inputs, targets, states = problem.batch(SMALL)
    assert inputs.shape == targets.shape == (6, 3)
    assert states.shape == (3, 9)
    assert (inputs[1:] == targets[:-1]).all()
    monkeypatch.setattr(problem, "text", lambda V: np.array([0, 0, 1, 1, 2, 3, 0]))
    assert problem.distinct(replace(SMALL, T=3, B=1)) == 2.5
    assert problem.distinct(replace(SMALL, T=3, B=2)) == 4


def test_walk_goes_through_the_streams_again_and_again():
    whole = np.arange(14).reshape(7, 2)
    found = [(inputs[0, 0], targets[-1, 0], first) for inputs, targets, first in islice(problem.walk(whole, 3), 5)]
    assert found == [(0, 6, True), (6, 12, False), (0, 6, True), (6, 12, False), (0, 6, True)]


def test_all_dtypes_start_from_the_same_weights():
    for cell in GATES:
        double, single = (replace(SMALL, dtype=dtype, cell=cell) for dtype in ("float64", "float32"))
        for make in (lambda p: problem.layer_weights(p, 5), problem.linear_weights, problem.embedding_weights):
            for name, array in make(double).items():
                np.testing.assert_array_equal(array, make(single)[name])


# ---- the floor ------------------------------------------------------------------------------------------------------

TINY = Problem("float64", H=2, B=1, T=3, V=5)
SLOW_LOADS = Ceilings("float64", fma=1000, memory={("load", 1 << 14): 100})
FAST_LOADS = Ceilings("float64", fma=1000, memory={("load", 1 << 14): 1e9})


def test_floor_of_training():
    """H^2 = 4, H V = 10. With 2.5 characters 4 + 10 + 5 + 2 + 5 = 26 numbers are updated."""
    parts = floor.train(TINY, distinct=2.5)
    assert floor.probes(parts) == (("load", 1 << 14), ("load_fma", 1 << 14), ("update", 1 << 14))
    assert floor.floors(parts, SLOW_LOADS) == pytest.approx(
        {
            "products": 3 * (4 + 3 * 10) / 1000,
            "recurrence": 5 * 4 * 8 / 100,
            "optimizer": 4 * 26 * 8 / 100,
            "functions": 3 * 7 * 28 / 1000,
            "waiting": 0,
        }
    )
    arithmetic = floor.floors(parts, FAST_LOADS)
    assert arithmetic["recurrence"] == pytest.approx(5 * 4 / 1000)
    assert arithmetic["optimizer"] == pytest.approx(26 * 16 / 1000)


def test_floor_of_the_other_tasks():
    assert floor.floors(floor.loss_fun(TINY), SLOW_LOADS)["gradients"] == pytest.approx((4 + 20 + 7) * 8 / 100)
    assert sum(floor.floors(floor.sample(TINY), SLOW_LOADS).values()) == pytest.approx(14 * 8 / 100 + 7 * 28 / 1000)
    four = replace(TINY, B=4)
    assert floor.floors(floor.loss_fun(four), FAST_LOADS)["recurrence"] == pytest.approx(4 * 5 * 4 / 1000)
    assert floor.multiply_adds(four) == 4 * (3 * (4 + 3 * 10) + 5 * 4)


def test_floor_of_layers():
    """A GRU has 6 rows, 12 recurrent weights and, with 2.5 characters, 6 * (2.5 + 2 + 2) + 10 + 5 = 54 parameters that
    change; an LSTM 8 rows, 16 recurrent weights, 5 nonlinearities a unit."""
    gru, lstm = replace(TINY, cell="gru"), replace(TINY, cell="lstm")
    parts = floor.layer(gru, distinct=2.5)
    assert floor.floors(parts, SLOW_LOADS) == pytest.approx(
        {
            "products": 3 * (12 + 3 * 10) / 1000,
            "recurrence": 5 * 12 * 8 / 100,
            "optimizer": 4 * 54 * 8 / 100,
            "functions": 3 * (3 * 2 + 5) * 28 / 1000,
            "waiting": 0,
        }
    )
    assert floor.floors(parts, FAST_LOADS)["optimizer"] == pytest.approx(54 * 14 / 1000)
    assert floor.multiply_adds(replace(gru, B=4)) == 4 * (3 * (12 + 3 * 10) + 5 * 12)
    assert floor.floors(floor.step(lstm), SLOW_LOADS) == pytest.approx(
        {"products": 16 * 8 / 100, "functions": 10 * 28 / 1000, "waiting": 0}
    )


def test_floor_of_networks():
    """As that of layers, but that an RNN, of 2 rows, and an LSTM, of 8, have so many biases fewer to update."""
    for cell, updated in {"rnn": 2 * 5.5 + 15, "gru": 6 * 6.5 + 15, "lstm": 8 * 5.5 + 15}.items():
        small = replace(TINY, cell=cell)
        found = floor.floors(floor.network(small, distinct=2.5), FAST_LOADS)
        assert found["optimizer"] == pytest.approx(updated * 14 / 1000)
        of_layer = floor.floors(floor.layer(small, distinct=2.5), FAST_LOADS)
        assert found | {"optimizer": 0} == of_layer | {"optimizer": 0}


def test_floor_of_the_character_gru():
    """5 inputs instead of one-hot vectors: three more products with 6 * 5 weights, and 6 * (5 + 2 + 2) + 10 + 5 + 5 * 5
    = 94 parameters, each with two memories."""
    parts = floor.character_gru(replace(TINY, cell="gru"))
    assert floor.floors(parts, FAST_LOADS)["products"] == pytest.approx(3 * (12 + 3 * 30 + 3 * 10) / 1000)
    assert floor.floors(parts, FAST_LOADS)["optimizer"] == pytest.approx(94 * 18 / 1000)
    assert floor.floors(parts, SLOW_LOADS)["optimizer"] == pytest.approx(6 * 94 * 8 / 100)


def test_a_footprint_is_that_of_the_matrix():
    size = 64 * (64 + 65) * 4
    assert floor.probes(floor.sample(Problem("float32", H=64))) == (("load", size), ("load_fma", size))


def bounded(lanes):
    memory = {("load", 1 << 14): 1e9, ("load_fma", 1 << 14): 50, ("update", 1 << 14): 25}
    return Ceilings("float64", lanes, fma=1000, memory=memory, wait_forward=0.5, wait_backward=0.25)


def test_bound_of_training():
    """Registers of 4 numbers: 2 units fill half of one, 3 steps three quarters, 5 characters 5 / 8. What the recurrence
    multiplies comes from memory; 26 numbers and as many memories go in and out."""
    parts = floor.train(TINY, distinct=2.5)
    assert floor.bounds(parts, bounded(4)) == pytest.approx(
        {
            "products": 4 / 3 * 3 * (4 + 3 * 10) / 1000,
            "recurrence": 2 * 5 * 4 * 8 / 50,
            "optimizer": 4 * 26 * 8 / 25,
            "functions": 3 * 7 * 28 / 1000,
            "waiting": 3 * 0.5 + 2 * 0.25,
        }
    )
    whole = floor.bounds(parts, bounded(1))
    assert whole["products"] == floor.floors(parts, bounded(1))["products"]
    assert whole["recurrence"] == pytest.approx(5 * 4 * 8 / 50)


def test_bound_of_the_other_tasks():
    """Several sequences share what is loaded, and their products may run along any dimension."""
    four = replace(TINY, B=4)
    floors, bounds = (find(floor.loss_fun(four), bounded(4)) for find in (floor.floors, floor.bounds))
    assert bounds | {"waiting": 0} == floors
    assert bounds["waiting"] == 3 * 0.5 + 2 * 0.25
    for parts in (floor.sample(TINY), floor.step(replace(TINY, cell="gru"))):
        assert floor.bounds(parts, bounded(4))["waiting"] == 0.5
    assert floor.bounds(floor.sample(TINY), bounded(4))["products"] == pytest.approx(2 * 14 * 8 / 50)


def test_ceilings_keep_the_best():
    ceilings = Ceilings("float32")
    ceilings.take_in(Ceilings("float32", 16, 2, {("load", 64): 5}, 0.5, 0.2))
    ceilings.take_in(Ceilings("float32", 16, 1, {("load", 64): 7, ("update", 128): 3}, 0.4, 0.3))
    assert ceilings == Ceilings("float32", 16, 2, {("load", 64): 7, ("update", 128): 3}, 0.4, 0.2)
    assert from_json("float32", json.loads(json.dumps(ceilings.as_json()))) == ceilings


def test_probes_find_what_there_is(isa):
    probes = [(use, size) for use in USES for size in (1 << 14, 1 << 16)]
    found = Prober("float32", probes).probe()
    assert set(found.memory) == set(probes)
    assert min(found.fma, found.wait_forward, found.wait_backward, *found.memory.values()) > 0
    assert found.wait_backward < found.wait_forward  # which has a tanh besides


@pytest.mark.parametrize(
    ("use", "memory", "message"),
    [
        ("store", np.ones(64), "ceiling must be one of load, load_fma, update, not 'store'"),
        ("update", np.broadcast_to(1.0, 64), "x must be"),
        ("load", np.ones(64, np.int64), "x must be"),
    ],
)
def test_bad_memory(use, memory, message):
    with pytest.raises((TypeError, ValueError), match=message):
        _core.ceiling_memory(use, memory, 1)


# ---- statistics -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "rank"), [(2, 1), (5, 1), (6, 1), (8, 1), (9, 2), (10, 2), (15, 4), (20, 6), (25, 8), (50, 18), (100, 40)]
)
def test_rank_is_that_of_the_tables(n, rank):
    assert measure.rank(n) == rank


def test_median_and_its_interval():
    assert measure.median([5, 1, 3]) == Median(3, 1, 5)
    assert measure.median(list(range(20, 0, -1))) == Median(10.5, 6, 15)
    assert measure.ratio([2, 6, 12], [1, 2, 3]) == Median(3, 2, 4)


def test_turns_rotate_and_end():
    order = []

    def turn(name):
        return lambda: float(order.append(name) or len(order))

    found = measure.in_turn({name: turn(name) for name in "abc"}, rounds=4, budget=1e9)
    assert "".join(order) == "abcbcacababc"
    assert found == {"a": [1, 6, 8, 10], "b": [2, 4, 9, 11], "c": [3, 5, 7, 12]}
    assert len(measure.in_turn({"a": turn("a")}, rounds=100, budget=0)["a"]) == 5


@pytest.mark.parametrize(
    ("processor", "attempts", "kept"),
    [
        ([0.5, 0.9, 0.99, 0.8], 3, 0.99),  # the third was alone
        ([0.5, 0.9, 0.7, 0.8], 4, 0.9),  # none was: the least disturbed
        (repeat(1.0), 1, 1.0),
    ],
)
def test_disturbed_slices_are_taken_again(monkeypatch, processor, attempts, kept):
    taken, seconds = [], iter(processor)

    def timed(run, times):
        taken.append(times)
        return Slice(1.0, next(seconds))

    monkeypatch.setattr(measure, "timed", timed)
    warm_ups = []
    assert measure.quiet(warm_ups.append, 7, warm_up=2) == Slice(1.0, kept)
    assert taken == [7] * attempts
    assert warm_ups == [2] * attempts


# ---- figures --------------------------------------------------------------------------------------------------------


def row(**changes):
    one = Median(1.0, 0.9, 1.1)
    sides = [
        results.Side("script", "float64", one, Median(14.5, 14, 15), 0.0),
        results.Side("pytorch", "float64", one, Median(19, 18, 21), 0.0),
        results.Side("jax", "float64", one, Median(0.5, 0.4, 0.6), 0.0),
        results.Side("numba", "float64", one, Median(0.98, 0.95, 1.01), 0.0),
    ]
    floor, bound = results.Least(one, {"products": 1.0}), results.Least(one, {"products": 1.2e-6})
    times = {"times_floor": Median(1.4, 1.3, 1.5), "times_bound": Median(1.2, 1.1, 1.3)}
    made = results.Row(
        task="train", isa="avx512", dtype="float64", H=100, B=1, T=25, V=65, characters=25, seconds=one, best=0.9,
        floor=floor, bound=bound, ceilings=CEILINGS, **times, peak_share=None, error=0.0, sides=sides
    )  # fmt: skip
    return replace(made, **changes)


CEILINGS = Ceilings("float64", 8, 1e9, {("load", 16384): 1e9, ("load", 1048576): 1e9}, 1e-8, 1e-9).as_json()


@pytest.fixture
def run():
    machine = {"isa": "avx512", "sample_length": 200}
    batch = row(task="batch", dtype="float32", H=512, B=64, peak_share=Median(0.7, 0.6, 0.8), sides=[])
    other = row(isa="avx2", times_floor=Median(1.25, 1.2, 1.3), sides=[])
    sides, rows = ["script", "pytorch", "jax", "numba"], [row(), batch, other]
    return results.Results(machine, sides, {}, rows, {"float64": CEILINGS})


def test_the_floor_and_the_bound_are_printed_in_parts(run):
    heading, floor_of_training, bound, *others = table.parts(run)
    assert heading.split() == ["products", "in", "all", "fastrnn"]
    assert floor_of_training.split()[4:] == ["floor", "1,000,000", "1,000,000", "1,000,000"]
    assert bound.split()[4:] == ["bound", "1.20", "1.20", "1,000,000"]
    assert len(others) == 2  # of the other instruction set; a batch has none


def test_goals(run):
    verdicts = {goal.text: goal.verdict for goal in goals.goals(run)}
    assert verdicts["train, float64, H = 100: times faster than the NumPy script"] == "holds"
    assert verdicts["train, float64, H = 100: times the floor"] == "MISSED"
    assert verdicts["train, float64, H = 100: times faster than the best peer (jax)"] == "MISSED"
    assert verdicts["train, float64, H = 100: times faster than PyTorch"] == "MISSED"
    assert verdicts["train, float64, H = 512: times the floor"] == "not measured"
    assert verdicts["batch, float32, B = 64, H = 512: share of the multiply-add peak"] == "holds"
    assert verdicts["train, float64, H = 100, avx2: share of what its own ceilings allow"] == "holds"
    assert list(goals.lines(run))[-1] == f"3 of {len(verdicts)} goals hold"


def test_goals_of_networks_and_steps(run):
    autodiff = results.Side("autodiff", "float32", Median(2.5, 2.4, 2.6), Median(2.5, 2.4, 2.6), 0.0)
    run.rows += [
        row(task="network", dtype="float32", cell="gru", sides=[*row().sides, autodiff]),
        row(task="network", dtype="float32", cell="lstm", H=512, B=64, peak_share=Median(0.5, 0.4, 0.55)),
        row(task="stream", dtype="float32", cell="lstm", seconds=Median(1.9e-6, 1.8e-6, 2e-6)),
        row(task="step", dtype="float32", cell="lstm", seconds=Median(3.0e-6, 2.9e-6, 3.1e-6)),
        row(task="char-gru", dtype="float32", cell="gru", H=512),
    ]
    found = {goal.text: goal for goal in goals.goals(run)}
    for text, verdict in {
        "network gru, float32, H = 100: times faster than PyTorch": "MISSED",
        "network gru, float32, H = 100: times faster than the best peer (jax)": "MISSED",
        "network gru, float32, H = 100: times faster than JAX's scan and autodiff": "holds",
        "network lstm, float32, H = 100: times faster than JAX's scan and autodiff": "not measured",
        "network lstm, float32, B = 64, H = 512: times faster than PyTorch": "holds",
        "network lstm, float32, B = 64, H = 512: share of the multiply-add peak": "MISSED",
        "stream lstm, float32, H = 100: microseconds a step": "holds",
        "step lstm, float32, H = 100: microseconds on top for a call from Python": "MISSED",
        "char-gru, float32, H = 512: times faster than PyTorch": "holds",
        "char-gru, float32, H = 512: times faster than PyTorch's loop over characters": "not measured",
        "stream gru, float32, H = 100: microseconds a step": "not measured",
    }.items():
        assert found[text].verdict == verdict, text
    on_top = found["step lstm, float32, H = 100: microseconds on top for a call from Python"].figure
    assert (on_top.value, on_top.low, on_top.high) == pytest.approx((1.1, 0.9, 1.3))


def test_layers_have_no_goals(run):
    before = list(goals.lines(run))
    planned = [problem for _, _, problem in Plan((), tasks=("layer",)).rows()]
    run.rows += [row(task="layer", dtype=p.dtype, cell=p.cell, H=p.H, B=p.B) for p in planned]
    assert list(goals.lines(run)) == before


def test_a_row_says_which_cell_it_has(run):
    name = table.problem(row(task="layer", cell="gru", isa="avx2"), "avx512")
    assert name.split() == ["layer", "gru", "avx2", "float64", "1", "100"]
    assert table.problem(row(), "avx512").split() == ["train", "float64", "1", "100"]


def test_says_where_fastrnn_is_slower(run):
    jax, numba = table.slower(run)
    assert "jax" in jax
    assert "0.50 ±0.10" in jax
    assert "uncertainty" not in jax
    assert numba.endswith("within the uncertainty")
    assert list(table.slower(replace(run, rows=[]))) == ["nowhere in this run"]


def test_figures_survive_the_file(run, tmp_path):
    run.write(str(tmp_path / "figures.json"))
    assert results.read(str(tmp_path / "figures.json")) == run


def test_picture(run, tmp_path):
    pytest.importorskip("matplotlib", exc_type=ImportError)
    from benchmarks import plot

    run.rows.append(row(H=32))
    plot.draw(run, str(tmp_path / "figure.svg"))
    assert "</svg>" in (tmp_path / "figure.svg").read_text()
    with pytest.raises(ValueError, match=r"^no training was measured"):
        plot.draw(replace(run, rows=[]), str(tmp_path / "none.svg"))


def test_labels_move_apart_and_keep_their_order():
    pytest.importorskip("matplotlib", exc_type=ImportError)
    from benchmarks import plot

    moved = plot.apart({"a": 1.0, "b": 1.05, "c": 3.0}, least=0.2)
    assert moved["b"] - moved["a"] == pytest.approx(0.2)
    assert moved["c"] == 3.0


def test_networks_have_the_rows_and_the_sides_of_layers():
    of_layers, of_networks = ([row[2] for row in Plan((), tasks=(task,)).rows()] for task in ("layer", "network"))
    assert of_networks == of_layers
    assert {(p.dtype, p.cell, p.B) for p in of_networks} == {("float32", cell, B) for cell in GATES for B in (1, 64)}
    sides = [FASTRNN, *NUMPY, *PEERS]
    assert [side.name for side in sides if "network" in side.tasks] == ["fastrnn", "pytorch", "jax", "autodiff"]
    assert [side.name for side in sides if "layer" in side.tasks] == ["fastrnn", "pytorch", "jax"]


# ---- the command ----------------------------------------------------------------------------------------------------


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


def test_quick_run(tmp_path):
    file = tmp_path / "figures.json"
    done = command(
        "--quick",
        "--hidden-size",
        "8",
        "--batch",
        "2x8",
        "--layer",
        "2x8",
        "--rounds",
        "2",
        "--goals",
        "--json",
        str(file),
    )
    assert done.returncode == 0, done.stderr
    for section in ("task  ", "Microseconds of every side", "Where fastrnn is slower", "Goals", "jax        absent"):
        assert f"\n{section}" in done.stdout
    figures = json.loads(file.read_text())
    assert set(figures) == {"machine", "contenders", "absent", "rows", "ceilings"}
    assert figures["contenders"] == ["script", "reference", "batched"]
    assert set(figures["ceilings"]) == {"float64", "float32"}
    tasks = [(row["task"], row["dtype"]) for row in figures["rows"]]
    for task in ("train", "lossFun", "sample"):
        assert {(task, "float64"), (task, "float32")} <= set(tasks)
    for task in ("batch", "layer", "network", "stream", "step"):
        assert (task, "float32") in tasks
    for row in figures["rows"]:
        assert (row["peak_share"] is not None) == (row["task"] in ("batch", "layer", "network"))
        if row["task"] in ("layer", "network"):
            assert row["characters"] == 2 * 25
        assert row["seconds"]["low"] <= row["seconds"]["value"] <= row["seconds"]["high"]
        assert row["floor"]["seconds"]["value"] > 0
        assert row["error"] < LARGEST_ERROR[row["dtype"]]
        assert all(side["ratio"]["value"] > 0 for side in row["sides"])

    again = command("--from", str(file), "--goals")
    assert again.returncode == 0, again.stderr
    first_row = done.stdout.index("\ntask  ")
    assert again.stdout[again.stdout.index("\ntask  ") :].split("\n")[0] == done.stdout[first_row:].split("\n")[0]


@pytest.mark.parametrize(
    "arguments", [["--rounds", "1"], ["--hidden-size", "0"], ["--layer", "0x8"], ["--json", "/no/such/folder/file"]]
)
def test_wrong_arguments_are_refused(arguments):
    done = command(*arguments)
    assert done.returncode == 2
    assert "error: " in done.stderr

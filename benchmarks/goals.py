"""The project's own targets, held against a run's figures. Ratios are goals; microseconds are goals for a single step
only, where there is hardly anything else to compare it with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.contenders import PEERS
from fastrnn.bench.figures import with_interval
from fastrnn.bench.measure import Median
from fastrnn.bench.problem import GATES
from fastrnn.bench.results import Results, Row

TIMES_THE_SCRIPT: dict[str, dict[int, float]] = {
    "float64": {32: 45, 64: 25, 100: 14, 128: 13, 256: 9.5, 512: 10, 1024: 4.2},
    "float32": {32: 80, 64: 50, 100: 34, 128: 26, 256: 22, 512: 25, 1024: 7},
}
TIMES_THE_FLOOR = {32: 1.6, 64: 1.3, 100: 1.3, 128: 1.3, 256: 1.3, 512: 1.3, 1024: 1.3}
TIMES_THE_BEST_PEER = {"float64": 2.3, "float32": 3.2}  # at H = 100, as the next ones
TIMES_PYTORCH = {"float64": 20, "float32": 40}
TIMES_THE_SCRIPTS_LOSS_FUN = {"float64": 12, "float32": 20}
TIMES_NUMPYS_SAMPLING = {("float64", 100): 14, ("float32", 100): 25, ("float32", 512): 8}
SHARE_OF_PEAK = {(64, 512): 0.65}  # B, H
TIMES_PYTORCHS_BATCH = {(64, 512): 1.6, (32, 128): 1.6}
SHARE_OF_FLOOR = {"avx2": 0.75}  # at H = 100

# Of networks and of steps, in float32. By cell and H, B = 1; by H, B = 64; by cell, H = 100.
NETWORKS_TIMES_PYTORCH = {
    "gru": {100: 24, 256: 10, 512: 4.5},
    "lstm": {100: 10, 256: 4, 512: 2.2},
}
NETWORKS_TIMES_JAX = 2  # of the fastest peer, and of JAX as it is mostly written, which this was set by
BATCHED_NETWORKS_TIMES_PYTORCH = {128: 1.6, 256: 1.6, 512: 1.6}
BATCHED_NETWORKS_SHARE_OF_PEAK = {256: 0.6, 512: 0.6}
MICROSECONDS_OF_A_STEP = {"gru": 1.5, "lstm": 2}
MICROSECONDS_OF_A_CALL = 1  # from Python, on top
CHARACTER_GRU_TIMES = {"pytorch": ("PyTorch", 5), "loop": ("PyTorch's loop over characters", 7)}


@dataclass(frozen=True)
class Goal:
    text: str
    wanted: float
    figure: Median | None  # None: not measured in this run
    most: bool = False  # whether `wanted` is the most that may be, not the least

    @property
    def verdict(self) -> str:
        if self.figure is None:
            return "not measured"
        found = self.figure.value
        return "holds" if (found <= self.wanted if self.most else found >= self.wanted) else "MISSED"


def of_side(row: Row | None, side: str) -> Median | None:
    """How many times faster than this side fastrnn is."""
    found = row.side(side) if row else None
    return found.ratio if found else None


def ratio(results: Results, side: str, task: str, dtype: str, H: int, B: int = 1) -> Median | None:
    return of_side(results.find(task, dtype, H, B), side)


def inverse(m: Median) -> Median:
    return Median(1 / m.value, 1 / m.high, 1 / m.low)


def microseconds(m: Median) -> Median:
    return Median(m.value * 1e6, m.low * 1e6, m.high * 1e6)


def difference(m: Median, other: Median) -> Median:
    return Median(m.value - other.value, m.low - other.high, m.high - other.low)


def best_peer(row: Row | None) -> tuple[str, Median | None]:
    """The fastest peer, and how many times faster fastrnn is."""
    peers = {peer.name for peer in PEERS}
    sides = [side for side in row.sides if side.name in peers] if row else []
    if not sides:
        return "no peer", None
    best = min(sides, key=lambda side: side.ratio.value)
    return best.name, best.ratio


def goals(results: Results) -> Iterator[Goal]:
    yield from of_min_char_rnn(results)
    yield from of_networks(results)
    yield from of_batched_networks(results)
    yield from of_steps(results)
    row = results.find("char-gru", "float32", 512, cell="gru")
    for side, (name, times) in CHARACTER_GRU_TIMES.items():
        yield Goal(f"char-gru, float32, H = 512: times faster than {name}", times, of_side(row, side))


def of_networks(results: Results) -> Iterator[Goal]:
    for cell, goals_of_cell in NETWORKS_TIMES_PYTORCH.items():
        for H, times in goals_of_cell.items():
            row = results.find("network", "float32", H, cell=cell)
            name, figure = best_peer(row)
            network = f"network {cell}, float32, H = {H}: times faster than"
            yield Goal(f"{network} PyTorch", times, of_side(row, "pytorch"))
            yield Goal(f"{network} the best peer ({name})", NETWORKS_TIMES_JAX, figure)
            yield Goal(f"{network} JAX's scan and autodiff", NETWORKS_TIMES_JAX, of_side(row, "autodiff"))


def of_batched_networks(results: Results) -> Iterator[Goal]:
    for cell in GATES:
        for H, times in BATCHED_NETWORKS_TIMES_PYTORCH.items():
            row = results.find("network", "float32", H, 64, cell=cell)
            text = f"network {cell}, float32, B = 64, H = {H}: times faster than PyTorch"
            yield Goal(text, times, of_side(row, "pytorch"))
        for H, share in BATCHED_NETWORKS_SHARE_OF_PEAK.items():
            row = results.find("network", "float32", H, 64, cell=cell)
            text = f"network {cell}, float32, B = 64, H = {H}: share of the multiply-add peak"
            yield Goal(text, share, row.peak_share if row else None)


def of_steps(results: Results) -> Iterator[Goal]:
    for cell, most in MICROSECONDS_OF_A_STEP.items():
        stream, step = (results.find(task, "float32", 100, cell=cell) for task in ("stream", "step"))
        figure = microseconds(stream.seconds) if stream else None
        yield Goal(f"stream {cell}, float32, H = 100: microseconds a step", most, figure, most=True)
        on_top = microseconds(difference(step.seconds, stream.seconds)) if stream and step else None
        text = f"step {cell}, float32, H = 100: microseconds on top for a call from Python"
        yield Goal(text, MICROSECONDS_OF_A_CALL, on_top, most=True)


def of_min_char_rnn(results: Results) -> Iterator[Goal]:
    for dtype, wanted in TIMES_THE_SCRIPT.items():
        for H, times in wanted.items():
            figure = ratio(results, "script", "train", dtype, H)
            yield Goal(f"train, {dtype}, H = {H}: times faster than the NumPy script", times, figure)
    for dtype in TIMES_THE_SCRIPT:
        for H, times in TIMES_THE_FLOOR.items():
            row = results.find("train", dtype, H)
            figure = row.times_floor if row else None
            yield Goal(f"train, {dtype}, H = {H}: times the floor", times, figure, most=True)
    for dtype, times in TIMES_THE_BEST_PEER.items():
        name, figure = best_peer(results.find("train", dtype, 100))
        yield Goal(f"train, {dtype}, H = 100: times faster than the best peer ({name})", times, figure)
    for dtype, times in TIMES_PYTORCH.items():
        figure = ratio(results, "pytorch", "train", dtype, 100)
        yield Goal(f"train, {dtype}, H = 100: times faster than PyTorch", times, figure)
    for dtype, times in TIMES_THE_SCRIPTS_LOSS_FUN.items():
        figure = ratio(results, "script", "lossFun", dtype, 100)
        yield Goal(f"lossFun, {dtype}, H = 100: times faster than the NumPy script's", times, figure)
    for (dtype, H), times in TIMES_NUMPYS_SAMPLING.items():
        figure = ratio(results, "script", "sample", dtype, H)
        yield Goal(f"sample, {dtype}, H = {H}: times faster than the NumPy script's", times, figure)
    for (B, H), share in SHARE_OF_PEAK.items():
        row = results.find("batch", "float32", H, B)
        figure = row.peak_share if row else None
        yield Goal(f"batch, float32, B = {B}, H = {H}: share of the multiply-add peak", share, figure)
    for (B, H), times in TIMES_PYTORCHS_BATCH.items():
        figure = ratio(results, "pytorch", "batch", "float32", H, B)
        yield Goal(f"batch, float32, B = {B}, H = {H}: times faster than PyTorch", times, figure)
    for isa, share in SHARE_OF_FLOOR.items():
        for dtype in TIMES_THE_SCRIPT:
            row = results.find("train", dtype, 100, isa=isa)
            text = f"train, {dtype}, H = 100, {isa}: share of what its own ceilings allow"
            yield Goal(text, share, inverse(row.times_floor) if row else None)


def lines(results: Results) -> Iterator[str]:
    yield from verdicts(list(goals(results)))


def verdicts(found: Sequence[Goal]) -> Iterator[str]:
    for goal in found:
        figure = "-" if goal.figure is None else with_interval(goal.figure)
        bound = f"at {'most' if goal.most else 'least'} {goal.wanted:g}"
        yield f"{goal.verdict:13} {figure:>12}  {bound:14} {goal.text}"
    count = sum(goal.verdict == "holds" for goal in found)
    yield f"{count} of {len(found)} goals hold"

"""Figures in print."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastrnn.bench.measure import Median
from fastrnn.bench.results import Row


def digits(value: float, like: float | None = None) -> str:
    """Three digits; or as many behind the point as `like` has with three."""
    size = value if like is None else like
    return f"{value:.0f}" if size >= 99.95 else f"{value:.1f}" if size >= 9.995 else f"{value:.2f}"


def with_interval(m: Median) -> str:
    """A median, and how far the true one may be from it."""
    return f"{digits(m.value)} ±{digits(max(m.high - m.value, m.value - m.low), like=m.value)}"


def microseconds(seconds: float) -> str:
    """Three digits, or all that stand before the point."""
    return digits(seconds * 1e6) if seconds < 1e-3 else f"{seconds * 1e6:,.0f}"


def error(row: Row, value: float, sample_length: int) -> str:
    """The largest relative difference; of samples how many characters differ."""
    return f"{value * sample_length:.0f}/{sample_length}" if row.task == "sample" else f"{value:.0e}"


USE_IN_PRINT = {"load": "loaded", "load_fma": "and multiplied", "update": "put back"}


def ceilings(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The ceilings of each dtype, as `Results` has them: multiply-adds, how long a step waits, memory by its size."""
    peaks = ", ".join(f"{dtype} {2e-9 * ceiling['fma']:.0f} GFLOP/s" for dtype, ceiling in found.items())
    yield f"multiply-adds (a multiplication and an addition each): {peaks}"
    for i, way in enumerate(("forward", "backward")):
        waits = ", ".join(f"{dtype} {1e9 * ceiling['wait'][i]:.1f} ns" for dtype, ceiling in found.items())
        yield f"a step {way} waits for the one before it at least: {waits}"
    sizes = next(iter(found.values()))["memory"]["load"]
    yield f"{'memory, GB/s':25}" + "".join(
        f"{f'{int(size) >> 10} KB' if int(size) < 1 << 20 else f'{int(size) >> 20} MB':>8}" for size in sizes
    )
    for dtype, ceiling in found.items():
        for use, rates in ceiling["memory"].items():
            yield f"  {dtype:8} {USE_IN_PRINT[use]:14}" + "".join(f"{1e-9 * rate:8.0f}" for rate in rates.values())

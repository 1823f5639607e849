"""The picture: time of a training iteration over H, both axes logarithmic, everybody and the floor."""

import math
from itertools import pairwise
from typing import Any

import matplotlib

matplotlib.use("Agg")  # needs no screen
import matplotlib.pyplot as plt

from fastrnn.bench.results import Results, Row

# Okabe and Ito's colours, told apart by colour-blind readers too; each line also has a marker of its own.
STYLE = {
    "script": ("NumPy script", "#000000", "s"),
    "reference": ("fastrnn.reference", "#666666", "v"),
    "batched": ("NumPy, batched", "#E69F00", "D"),
    "pytorch": ("PyTorch", "#CC79A7", "P"),
    "jax": ("JAX", "#0072B2", "^"),
    "numba": ("numba", "#009E73", "X"),
    "fastrnn": ("fastrnn", "#D55E00", "o"),
    "floor": ("floor", "#777777", ""),
}


def series(rows: list[Row]) -> dict[str, list[tuple[int, float]]]:
    """Name: (H, microseconds)."""
    found: dict[str, list[tuple[int, float]]] = {name: [] for name in STYLE}
    for row in rows:
        found["floor"].append((row.H, row.floor.seconds.value * 1e6))
        found["fastrnn"].append((row.H, row.seconds.value * 1e6))
        for side in row.sides:
            found[side.name].append((row.H, side.seconds.value * 1e6))
    return {name: sorted(points) for name, points in found.items() if points}


def apart(heights: dict[str, float], least: float) -> dict[str, float]:
    """The heights moved, as little as it takes, so that neighbours are `least` apart."""
    names = sorted(heights, key=lambda name: heights[name])
    moved = dict(heights)
    for _ in range(200):
        for low, high in pairwise(names):
            lack = least - (moved[high] - moved[low])
            if lack > 0:
                moved[low] -= lack / 2
                moved[high] += lack / 2
    return moved


def draw_panel(axes: Any, dtype: str, rows: list[Row]) -> None:
    found = series(rows)
    for name, points in found.items():
        _, colour, marker = STYLE[name]
        own = name == "fastrnn"
        axes.plot(
            *zip(*points, strict=True),
            color=colour,
            marker=marker or None,
            markersize=5.5 if own else 4.5,
            linewidth=2.4 if own else 1.3,
            linestyle="--" if name == "floor" else "-",
            zorder=3 if own else 2,
        )
    ends = apart({name: math.log10(points[-1][1]) for name, points in found.items()}, least=0.16)
    for name, height in ends.items():
        label, colour, _ = STYLE[name]
        H, end = found[name][-1]
        if name == "script" and dtype != "float64":
            label += " (float64)"
        axes.annotate(
            label,
            xy=(H, end),
            xytext=(H * 1.25, 10**height),
            color=colour,
            fontsize=9.5,
            fontweight="bold" if name == "fastrnn" else "normal",
            va="center",
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.5,
                "shrinkA": 1,
                "shrinkB": 4,
                "relpos": (0, 0.5),
            },
        )
    sizes = sorted({row.H for row in rows})
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlim(sizes[0] / 1.12, sizes[-1] * 1.12)
    axes.set_xticks(sizes, [str(H) for H in sizes], fontsize=9)
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelleft=True)
    axes.set_title(dtype, loc="left", fontsize=12, fontweight="bold")
    axes.set_xlabel("hidden units H")


def draw(results: Results, path: str) -> None:
    """Writes the picture; the name's ending chooses the format. ValueError where no training was measured."""
    isa = results.machine["isa"]
    training = [row for row in results.rows if row.task == "train" and row.isa == isa]
    dtypes = list(dict.fromkeys(row.dtype for row in training))
    if not dtypes:
        raise ValueError("no training was measured, so that there is nothing to draw")
    figure, panels = plt.subplots(1, len(dtypes), figsize=(7 * len(dtypes), 5.6), sharey=True, squeeze=False)
    for axes, dtype in zip(panels[0], dtypes, strict=True):
        draw_panel(axes, dtype, [row for row in training if row.dtype == dtype])
    panels[0][0].set_ylabel("microseconds per iteration")
    shape = training[0]
    figure.suptitle(
        f"One training iteration of min-char-rnn: T = {shape.T} characters of {shape.V}, one thread, {isa}",
        x=0.01,
        ha="left",
        fontsize=13,
    )
    figure.tight_layout(rect=(0, 0, 0.985, 1), w_pad=7)
    figure.savefig(path, dpi=160, bbox_inches="tight")

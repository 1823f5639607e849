"""The picture of a gradient flow, by matplotlib."""

import os
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fastrnn.flow.result import GradientFlow

STYLES = ("-", "--", ":", "-.")  # of layers: lines are told apart without colours
BLUE, ORANGE = "#0b5fa5", "#b85400"
CHARACTERS_ACROSS = 150  # of the title, at the figure's width


def plot(flow: "GradientFlow", target: Any) -> None:
    """Writes the whole picture to a path, or draws the norms into an `Axes`: see `GradientFlow.plot`."""
    if not isinstance(target, str | os.PathLike):
        if not hasattr(target, "semilogy"):
            raise TypeError(f"target must be a path, or a matplotlib Axes, not {type(target).__name__}")
        _norms(flow, target)
        return
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("plots need matplotlib: pip install 'fastrnn[plot]'") from None
    figure = Figure(figsize=(13, 4), layout="constrained")
    FigureCanvasAgg(figure)
    norms, singular_values, saturated = figure.subplots(1, 3)
    _norms(flow, norms)
    _singular_values(flow, singular_values)
    _saturated(flow, saturated)
    figure.suptitle(textwrap.fill(flow.name, CHARACTERS_ACROSS), fontsize="medium")
    figure.savefig(os.fspath(target))


def _norms(flow: "GradientFlow", axes: Any) -> None:
    series = [("h", flow.dh_norm, {"color": BLUE, "linewidth": 2.5})]
    if flow.dc_norm is not None:
        series.append(("c", flow.dc_norm, {"color": ORANGE, "linewidth": 1.2}))
    for symbol, norms, style in series:
        for layer, norm in enumerate(norms):
            positive = np.where(norm > 0, norm, np.nan)  # a logarithmic axis has no 0
            axes.semilogy(positive, STYLES[layer % len(STYLES)], label=f"|dL/d{symbol}|, layer {layer}", **style)
    axes.set_xlabel("lag: steps before the loss")
    axes.set_ylabel("norm of the gradient")
    axes.legend()


def _singular_values(flow: "GradientFlow", axes: Any) -> None:
    for number, (name, layers) in enumerate(flow.singular_values.items()):
        for layer, values in enumerate(layers):
            label = f"{name}, layer {layer}"
            axes.plot(values, STYLES[layer % len(STYLES)], marker="osD^"[number], markevery=0.2, label=label)
    axes.axhline(1, color="gray", linewidth=1)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("number")
    axes.set_ylabel("singular value of weight_hh")
    axes.legend()


def _saturated(flow: "GradientFlow", axes: Any) -> None:
    L = len(flow.dh_norm)
    places = np.arange(len(flow.saturated))
    for layer in range(L):
        shares = [100 * shares[layer] for shares in flow.saturated.values()]
        bars = axes.bar(places + (layer + 0.5) * 0.8 / L - 0.4, shares, 0.8 / L, label=f"layer {layer}")
        axes.bar_label(bars, fmt="%.1f")
    axes.set_xticks(places, list(flow.saturated))
    axes.set_ylim(0, 105)
    axes.set_xlabel("gate")
    axes.set_ylabel("saturated, %")
    axes.legend()

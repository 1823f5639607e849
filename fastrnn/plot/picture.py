"""The course of training drawn by matplotlib, which is imported when it is used."""

import warnings
from typing import Any

from fastrnn.plot.course import BEST, CURVES, LOSS, SMOOTH, VALIDATION, Plot

# Okabe and Ito's colours, told apart by colour-blind readers too; each model's validation also has a marker of its own.
STYLES = list(
    zip(
        ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000", "#56B4E9", "#8A8A00"),
        ("o", "s", "^", "D", "v", "P", "X", "<"),
        strict=True,
    )
)
KINDS: dict[str, dict[str, Any]] = {
    LOSS: {"linewidth": 0.8, "alpha": 0.4},
    SMOOTH: {"linewidth": 2.2},
    VALIDATION: {"linewidth": 1.2, "linestyle": "--", "marker": "o", "markersize": 4},
    BEST: {"linestyle": "", "marker": "*", "markersize": 15, "markeredgecolor": "black"},
}


def picture(plot: Plot) -> Any:
    """The matplotlib Figure; ImportError, with the remedy, where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise ImportError("matplotlib is missing: pip install 'fastrnn[plot]', or draw in the terminal") from None

    figure = Figure(figsize=(9, 5.4), layout="constrained")
    axes = figure.add_subplot()
    for kind in CURVES:
        for number, iterations, losses in plot.lines(kind):
            colour, marker = STYLES[number]
            style = KINDS[kind] | ({"marker": marker} if kind == VALIDATION or len(losses) == 1 else {})
            axes.plot(iterations, losses, color=colour, **style)
    for number, iteration, loss in plot.bests():
        axes.plot([iteration], [loss], color=STYLES[number][0], zorder=3, **KINDS[BEST])
    _label(axes, plot)
    _legend(axes, plot)
    return figure


def _label(axes: Any, plot: Plot) -> None:
    """The axes: names, units, scales."""
    axes.set_xlabel("iterations")
    axes.set_ylabel(plot.loss_label)
    if plot.scale.log_iterations:
        axes.set_xscale("log")
    if plot.scale.log_loss:
        axes.set_yscale("log")
    _ticks(axes.xaxis, plot.scale.log_iterations, *plot.iteration_range())
    _ticks(axes.yaxis, plot.scale.log_loss, *plot.loss_range())
    axes.set_ylim(*_with_margin(plot.scale.log_loss, *plot.loss_range()))
    axes.grid(color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _ticks(axis: Any, log: bool, low: float, high: float) -> None:
    """Plain numbers, also where the scale is logarithmic."""
    from matplotlib.ticker import AutoLocator, LogLocator, NullFormatter

    if log:
        axis.set_major_locator(AutoLocator() if high < 10 * low else LogLocator(subs=(1, 2, 5)))
        axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(lambda value, _: f"{value:,.10g}")


def _with_margin(log: bool, low: float, high: float) -> tuple[float, float]:
    """A range made a little wider."""
    if log:
        factor = 1.01 * (high / low) ** 0.05
        return low / factor, high * factor
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin


def _legend(axes: Any, plot: Plot) -> None:
    """Models by colour and marker, then kinds of lines in grey."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=colour, marker=marker, linewidth=2.2) for colour, marker in STYLES]
    handles = handles[: len(plot.courses)]
    labels = [course.label for course in plot.courses]
    for kind in plot.kinds():
        handles.append(Line2D([], [], color="#666666", **KINDS[kind]))
        labels.append(kind)
    legend = axes.legend(handles, [""] * len(handles), fontsize=9, framealpha=0.8, edgecolor="none")
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set_parse_math(False)  # a file's name may have $ in it, or begin with _
        text.set_text(label)


def write(figure: Any, path: str) -> None:
    """Writes the picture, PNG or SVG by the name's ending; the same picture gives the same bytes. OSError for what the
    system refuses."""
    import matplotlib

    settings = {"svg.hashsalt": "fastrnn", "svg.fonttype": "none"}
    metadata = {"Date": None} if path.lower().endswith(".svg") else None
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a file's name may have characters that the font lacks
        figure.savefig(path, dpi=150, metadata=metadata)

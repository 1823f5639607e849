"""The charts of a report, as SVG that stands in the page: colours and fonts come from its style sheet."""

import math
from html import escape

import numpy as np
from numpy.typing import NDArray

from fastrnn.flow.result import GradientFlow

Floats = NDArray[np.float64]

WIDTH, LEFT, RIGHT, TOP = 360, 44, 352, 14  # in a phone's pixels; larger screens scale them
LOSS_HEIGHT, FLOW_HEIGHT, BELOW = 150, 240, 34
BARS = 100
DECADES = 16  # of norms: below, a gradient has vanished for any purpose
DASHES = ("", "7 4", "2 3", "9 3 2 3")  # of layers, so that lines are told apart without colours


def loss_chart(bits: Floats, unit: str) -> str:
    """Mean loss of stretches of the text, as bars; bits (n,), of each token."""
    stretches = np.array_split(bits, min(BARS, len(bits)))
    means = [float(stretch.mean()) for stretch in stretches]
    top = _round_up(max(*means, 1e-3) if len(means) > 1 else max(means[0], 1e-3))
    bottom = LOSS_HEIGHT - BELOW

    def y(value: float) -> float:
        return bottom - (bottom - TOP) * value / top

    width = (RIGHT - LEFT) / len(means)
    bars = "".join(
        f'<rect class="bar" x="{LEFT + i * width:.2f}" y="{y(mean):.2f}" width="{0.85 * width:.2f}" '
        f'height="{bottom - y(mean):.2f}"/>'
        for i, mean in enumerate(means)
    )
    overall = float(bits.mean())
    parts = [
        *(_rule(y(value), f"{value:.3g}") for value in np.linspace(0, top, 5).tolist()),
        bars,
        f'<path class="mean" d="M{LEFT} {y(overall):.2f}H{RIGHT}"/>',
        _text(LEFT, bottom + 16, "start", "1"),
        _text(RIGHT, bottom + 16, "end", f"{len(bits):,}"),
        _text((LEFT + RIGHT) / 2, bottom + 16, "middle", f"{unit} of the text"),
    ]
    label = f"Loss along the text, bits per {unit}: mean {overall:.2f}, from {min(means):.2f} to {max(means):.2f}"
    return _svg("loss-chart", LOSS_HEIGHT, label, parts)


def flow_chart(flow: GradientFlow) -> str:
    """Norms of dL/dh and dL/dc by lag, on a logarithmic scale; below it what the lines mean."""
    series = [("h", flow.dh_norm), *([("c", flow.dc_norm)] if flow.dc_norm is not None else [])]
    norms = np.concatenate([norm for _, norm in series])
    seen = norms[np.isfinite(norms) & (norms > 0)]
    if not len(seen):
        return "<p>The gradient is zero everywhere.</p>"
    highest = math.ceil(math.log10(seen.max()) + 1e-9)
    lowest = min(max(math.floor(math.log10(seen.min())), highest - DECADES), highest - 1)
    bottom, K = FLOW_HEIGHT - BELOW, norms.shape[1]

    def y(value: float) -> float:
        return bottom - (bottom - TOP) * (math.log10(value) - lowest) / (highest - lowest)

    def curve(norm: Floats) -> str:
        """A path with gaps where the norm is out of the picture."""
        commands, pen = [], "M"
        for lag, value in enumerate(norm.tolist()):
            if 10**lowest <= value < math.inf:
                commands.append(f"{pen}{LEFT + (RIGHT - LEFT) * lag / max(K - 1, 1):.2f} {y(value):.2f}")
                pen = "L"
            else:
                pen = "M"
        return "".join(commands)

    step = math.ceil((highest - lowest) / 6)
    parts = [_rule(y(10.0**power), f"1e{power}") for power in range(lowest, highest + 1, step)]
    keys = []
    for symbol, layers in series:
        for layer, norm in enumerate(layers):
            dash = DASHES[layer % len(DASHES)]
            style = f'class="curve {symbol}" stroke-dasharray="{dash}"' if dash else f'class="curve {symbol}"'
            parts.append(f'<path {style} d="{curve(norm)}"/>')
            keys.append((style, f"dL/d{symbol}, layer {layer}"))
    parts += [
        _text(LEFT, bottom + 16, "start", "0"),
        _text(RIGHT, bottom + 16, "end", str(K - 1)),
        _text((LEFT + RIGHT) / 2, bottom + 16, "middle", "steps before the loss"),
    ]
    for i, (style, name) in enumerate(keys):
        x, line = LEFT + (i % 2) * (RIGHT - LEFT) / 2, FLOW_HEIGHT + 14 + 18 * (i // 2)
        parts += [f'<path {style} d="M{x:.2f} {line - 4}h30"/>', _text(x + 36, line, "start", name)]
    height = FLOW_HEIGHT + 18 * math.ceil(len(keys) / 2) + 6
    return _svg(
        "flow-chart", height, "Norms of gradients by the steps that they went back; the table has numbers", parts
    )


def _svg(name: str, height: int, label: str, parts: list[str]) -> str:
    return (
        f'<svg id="{name}" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )


def _rule(y: float, label: str) -> str:
    """A line across, with its value at the left."""
    return f'<path class="grid" d="M{LEFT} {y:.2f}H{RIGHT}"/>{_text(LEFT - 5, y + 4, "end", label)}'


def _text(x: float, y: float, anchor: str, content: str) -> str:
    return f'<text x="{x:.2f}" y="{y:.2f}" text-anchor="{anchor}">{escape(content)}</text>'


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 6, 8, 10 times a power of ten, a scale that four equal parts divide well."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if value <= step * power * (1 + 1e-9))

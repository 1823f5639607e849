"""A report as one HTML page that needs nothing else: how it is shown. What is shown is computed in `contents.py`."""

import base64
import json
import math
import unicodedata
from html import escape
from importlib import resources
from string import Template
from typing import Any

import numpy as np

from fastrnn import __version__
from fastrnn.arrays import Array
from fastrnn.flow.result import GradientFlow
from fastrnn.report.charts import LEFT, RIGHT, WIDTH, flow_chart, loss_chart
from fastrnn.report.contents import Report, Unit

TOKEN = {"char": "character", "byte": "byte", "word": "word"}
LOSS_LEVELS = (1, 2, 4, 7)  # bits, from which a token has the next stronger colour
TELLING = 12  # units in the list

UNITS_NOTE = (
    "A unit is as telling as its activation correlates, positively or negatively, with a trait of the place in the "
    "text. The best unit of each trait comes before the second of any. 1 or \u22121 would be a unit that does nothing "
    "else."
)
FLOW_NOTE = (
    "How much a state some steps back bears on the loss of the next {token}: the norm of the loss's gradient "
    "with respect to each layer's state{cell}, mean over {sequences} sequences of {steps} {token}s. Where it is small, "
    "the model cannot learn from what is further back."
)


def page(report: Report, model_name: str, text_name: str) -> str:
    """The page, in HTML; its title names the model and the text. Whatever the text has in it, it is shown as text."""
    token = TOKEN[report.vocabulary.kind]
    return Template(_resource("html")).substitute(
        version=__version__,
        title=escape(_encodable(f"{model_name} reads {text_name}")),
        summary=_summary(report, token),
        model=escape(report.model),
        style=_resource("css"),
        script=_resource("js"),
        options="\n".join(_option(i, unit) for i, unit in enumerate(report.units)),
        text=escape("".join("".join(_shown(piece, report.vocabulary.kind)) for piece in report.pieces)),
        loss_note=f"Mean of stretches of the text, bits per {token}; the broken line is the mean of all. "
        "Clicking into the chart goes to that place.",
        loss_chart=_loss_chart(report, token),
        units_note=UNITS_NOTE,
        telling="\n".join(map(_telling, report.units[:TELLING])),
        flow="<p>The text is shorter than one sequence of training.</p>"
        if report.flow is None
        else _flow(report.flow, token),
        data=_for_script(_data(report)),
    )


def _resource(ending: str) -> str:
    return resources.files("fastrnn.report").joinpath(f"page.{ending}").read_text("utf-8")


def _encodable(text: str) -> str:
    """The text, with lone surrogates, which UTF-8 does not have, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _summary(report: Report, token: str) -> str:
    shown, total = len(report.codes), report.total
    of = "All of the text" if shown == total else f"The first {shown:,} of {total:,} {token}s of the text"
    if shown < 2:
        return f"{of}."
    nats = float(report.nats[1:].mean())
    plural = f", {shown:,} {token}s" if shown == total else ""
    return f"{of}{plural}. Mean loss {nats:.3f} nats = {nats / math.log(2):.3f} bits per {token}."


def _option(value: int, unit: Unit) -> str:
    return f'<option value="{value}">{escape(_unit_label(unit))}</option>'


def _unit_label(unit: Unit) -> str:
    return f"{unit.name}: {_trait(unit)}"


def _trait(unit: Unit) -> str:
    return "no trait" if unit.trait is None else f"{unit.trait}, {_signed(unit.correlation)}"


def _telling(unit: Unit) -> str:
    return f'<li><a href="#unit={unit.name}">layer {unit.layer}, unit {unit.number}</a>: {escape(_trait(unit))}</li>'


def _signed(value: float) -> str:
    return ("\u2212" if value < 0 else "+") + f"{abs(value):.2f}"


def _loss_chart(report: Report, token: str) -> str:
    if len(report.codes) < 2:
        return "<p>The text is too short.</p>"
    return loss_chart(report.nats[1:] / math.log(2), token)


# ---- gradient flow ---------------------------------------------------------------------------------------------------


def _flow(flow: GradientFlow, token: str) -> str:
    cell = "" if flow.dc_norm is None else " h and cell c"
    note = FLOW_NOTE.format(token=token, cell=cell, sequences=flow.sequences, steps=flow.steps)
    clipping = ""
    if flow.clipped_share is not None:
        clipping = f"; clipping at {flow.clip_value:g} would cut {flow.clipped_share.mean():.2%} of its elements"
    return "\n".join(
        [
            f'<p class="small">{note}</p>',
            flow_chart(flow),
            "<details><summary>Numbers</summary>",
            _norm_table(flow),
            _gate_table(flow),
            f"<p>Norm of the whole gradient of a training iteration: {flow.gradient_norm.mean():.3g}{clipping}.</p>",
            "</details>",
        ]
    )


def _norm_table(flow: GradientFlow) -> str:
    series = [("h", flow.dh_norm), *([("c", flow.dc_norm)] if flow.dc_norm is not None else [])]
    columns = [(f"dL/d{symbol}, layer {layer}", norm) for symbol, norms in series for layer, norm in enumerate(norms)]
    head = ["steps back", *(name for name, _ in columns)]
    return _table(head, [[f"{lag}", *(f"{norm[lag]:.2g}" for _, norm in columns)] for lag in flow.shown_lags])


def _gate_table(flow: GradientFlow) -> str:
    rows = [
        [f"{name}, layer {layer}", f"{values[layer, 0]:.3g}", f"{flow.saturated[name][layer]:.1%}"]
        for name, values in flow.singular_values.items()
        for layer in range(len(values))
    ]
    return _table(["gate", "largest singular value", "saturated"], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    header = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return f'<div class="table"><table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table></div>'


# ---- what the script reads -------------------------------------------------------------------------------------------


def _data(report: Report) -> dict[str, Any]:
    """Tokens are numbered anew, as many as occur. An activation is in 127ths of the unit's largest."""
    used = np.unique(np.concatenate([report.codes, report.likeliest.ravel()]))
    texts = dict(zip(report.codes.tolist(), report.pieces, strict=True))
    vocabulary = []
    for code in used.tolist():
        piece = texts[code] if code in texts else report.piece_of(code)
        vocabulary.append([*_shown(piece, report.vocabulary.kind), not piece.strip() and piece != " "])
    return {
        "vocabulary": vocabulary,
        "codes": np.searchsorted(used, report.codes).tolist(),
        "likeliest": np.searchsorted(used, report.likeliest.ravel()).tolist(),
        "probabilities": [round(100 * p, 2) for p in report.probabilities.ravel().tolist()],
        "nats": [None if math.isnan(loss) else round(loss, 3) for loss in report.nats.tolist()],
        "loss_levels": LOSS_LEVELS,
        "chart_left": LEFT / WIDTH,
        "chart_right": RIGHT / WIDTH,
        "units": list(map(_unit_data, report.units)),
    }


def _unit_data(unit: Unit) -> dict[str, Any]:
    largest = float(np.abs(unit.activation).max())
    return {
        "name": unit.name,
        "layer": unit.layer,
        "number": unit.number,
        "trait": unit.trait,
        "correlation": round(unit.correlation, 4),
        "deviation": round(unit.deviation, 4),
        "largest": largest,
        "activation": _base64(unit.activation, largest),
    }


def _base64(activation: Array, largest: float) -> str:
    """127ths of `largest`, a signed byte each."""
    scaled = np.rint(activation.astype(np.float64) * (127 / largest if largest else 0))
    return base64.b64encode(scaled.astype(np.int8).tobytes()).decode()


def _for_script(data: Any) -> str:
    """JSON that may stand in a script element: pure ASCII, and nothing in it can end the element."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


# ---- characters ------------------------------------------------------------------------------------------------------


def _shown(piece: str, kind: str) -> tuple[str, str]:
    """A token so that all of it can be seen, and what follows it in the text: a line end, after its sign. A byte beyond
    ASCII, which is a part of a character, is its number."""
    if kind == "byte" and piece > "\x7f":
        return f"\\x{ord(piece):02x}", ""
    return "".join(map(_visible, piece)), "\n" if piece.endswith("\n") else ""


def _visible(character: str) -> str:
    """The character, or a sign or name of one that has no look of its own."""
    if character in _SIGNS:
        return _SIGNS[character]
    code, category = ord(character), unicodedata.category(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if category.startswith("M"):
        return "\u25cc" + character  # a combining mark needs something to stand on
    if category.startswith("C") or (category.startswith("Z") and character != " "):
        return f"[U+{code:04X}]"
    return character


_SIGNS = {"\n": "\u21b5", "\t": "\u21e5", "\x7f": "\u2421"}

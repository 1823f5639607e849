"""The page of a report: well-formed HTML that loads nothing, and in a browser it works."""

import base64
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest

from fastrnn import CharRNN
from fastrnn.report.contents import inspect_text
from fastrnn.report.page import page

NASTY = (
    '</script><script>alert("1")</script><!-- & &lt; &amp; <b>bold</b> \'quoted\' "Quoted" \\u003c ${x} $title '
    "😀 e\u0301\n"
    "\t0123 \x00\x07\x1b[31m\x7f\x85 \u200d \u202eabc\u202c \ufeff \ud800 \u2028 non\u00a0breaking\r\n\n]]>\n"
)
VOID = {"meta", "link", "input", "br"}


@pytest.fixture(scope="module")
def report():
    model = CharRNN("lstm", 12, 2, seq_length=16, seed=2)
    model.build(NASTY)
    for parameter in model.parameters.values():
        parameter *= 4
    return inspect_text(model, NASTY * 3, units=20)


@pytest.fixture(scope="module")
def html(report):
    return page(report, "<model> & \udcff", "text.txt")


class Page(HTMLParser):
    """Elements must close in the order in which they opened. Keeps attributes, and the text of each kind of element."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.attributes, self.texts = [], [], {}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.texts.setdefault(tag, []).append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts[self.open[-1]][-1] += data

    def data(self):
        return json.loads(self.texts["script"][0])


def test_the_page_is_well_formed_and_the_text_is_nothing_but_text(html):
    html.encode("utf-8")
    parsed = Page(html)
    assert parsed.texts["title"] == ["<model> & \\udcff reads text.txt"]
    assert len(parsed.texts["script"]) == 2
    assert not {"b", "iframe", "img"} & parsed.texts.keys()
    [text] = parsed.texts["pre"]
    assert text.startswith('</script><script>alert("1")</script><!-- & &lt; &amp; <b>bold</b>')
    assert (
        "😀 e\u25cc\u0301\u21b5\n\u21e50123 \u2400\u2407\u241b[31m\u2421[U+0085] [U+200D] [U+202E]abc[U+202C]" in text
    )
    assert "[U+FEFF] [U+D800] [U+2028] non[U+00A0]breaking\u240d\u21b5\n\u21b5\n]]>\u21b5\n" in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e\ud800-\udfff]", html)
    assert not re.search(r"\$[a-z]+\b(?!\()", parsed.texts["header"][0] + parsed.texts["footer"][0])


def test_a_token_cannot_end_the_script(report):
    model = CharRNN("rnn", 2, tokens="word", unknown="</script><b>", vocabulary_size=4, seed=1)
    model.build("a b a b c")
    parsed = Page(page(inspect_text(model, "a x b"), "model", "text"))
    assert "</script><b>" in [word[0] for word in parsed.data()["vocabulary"]]
    assert "b" not in parsed.texts


def test_bytes_that_are_parts_of_characters_are_shown_as_numbers():
    model = CharRNN("rnn", 2, tokens="byte", seed=1)
    model.build("né")
    assert Page(page(inspect_text(model, "né"), "model", "text")).texts["pre"] == [r"n\xc3\xa9"]


def test_a_text_of_one_character_has_a_page_too():
    model = CharRNN("gru", 2, seed=1)
    model.build("ab")
    parsed = Page(page(inspect_text(model, "a"), "model", "text"))
    assert parsed.texts["pre"] == ["a"]
    assert "All of the text." in parsed.texts["p"]
    assert len(parsed.data()["codes"]) == 1


def test_the_page_loads_nothing(html):
    parsed = Page(html)
    outside = [
        (tag, name, value)
        for tag, name, value in parsed.attributes
        if name in ("src", "href", "action", "srcset", "poster") and not value.startswith("#")
    ]
    assert outside == [("link", "href", "data:,")]
    assert not [name for _, name, _ in parsed.attributes if name.startswith("on")]
    assert not re.search(r"url\(|@import", parsed.texts["style"][0])
    assert not re.search(r"fetch|XMLHttpRequest|WebSocket|import\(|https?:|//[a-z]", parsed.texts["script"][1])
    assert ("meta", "content", "width=device-width, initial-scale=1") in parsed.attributes
    [policy] = [value for _, name, value in parsed.attributes if name == "content" and "default-src" in value]
    assert policy.startswith("default-src 'none'")


def test_the_script_gets_the_numbers_of_the_report(report, html):
    data = Page(html).data()
    shown = [data["vocabulary"][code][0] for code in data["codes"]]
    assert "".join(shown[:8]) == "</script"
    np.testing.assert_allclose(
        np.array(data["probabilities"]).reshape(-1, 5), 100 * report.probabilities, rtol=0, atol=0.006
    )
    likeliest = [data["vocabulary"][code][0] for code in data["likeliest"][:5]]
    letters = [report.vocabulary.vocabulary[code] for code in report.likeliest[0]]
    assert [known for known in zip(likeliest, letters, strict=True) if known[1].isascii() and known[1].isalnum()] == [
        (letter, letter) for letter in letters if letter.isascii() and letter.isalnum()
    ]
    assert data["nats"][0] is None
    np.testing.assert_allclose(data["nats"][1:], report.nats[1:], rtol=0, atol=0.0006)
    assert [unit["name"] for unit in data["units"]] == [unit.name for unit in report.units]
    for found, unit in zip(data["units"], report.units, strict=True):
        values = np.frombuffer(base64.b64decode(found["activation"]), np.int8) * (found["largest"] / 127)
        np.testing.assert_allclose(values, unit.activation, rtol=0, atol=found["largest"] / 250)


def test_charts_show_the_numbers(report, html):
    bars = re.findall(r'<rect class="bar" [^>]*height="([\d.]+)"', html)
    means = np.array([part.mean() for part in np.array_split(report.nats[1:], 100)])
    heights = np.array(bars, float)
    np.testing.assert_allclose(heights / heights.max(), means / means.max(), rtol=0, atol=0.01)

    curves = re.findall(r'<path class="curve ([hc])"[^>]* d="(M[^"]*L[^"]*)"', html)
    assert [symbol for symbol, _ in curves] == ["h", "h", "c", "c"]
    norms = [*report.flow.dh_norm, *report.flow.dc_norm]
    points = [np.array([point.split() for point in re.split("[ML]", path)[1:]], float) for _, path in curves]
    logs, heights = np.log10(np.concatenate(norms)), np.concatenate(points)[:, 1]
    slope, _ = np.polyfit(logs, heights, 1)
    assert slope < 0
    np.testing.assert_allclose(heights - heights[0], slope * (logs - logs[0]), rtol=0, atol=0.05)
    assert len(points[0]) == report.flow.dh_norm.shape[1] == 16


# ---- colours ---------------------------------------------------------------------------------------------------------


def palette(css, dark):
    """The colours, by name, each as its relative luminance (WCAG 2)."""
    light, dark_part = css.split("@media (prefers-color-scheme: dark)")[:2]
    colours = dict(re.findall(r"--([\w-]+): #([0-9a-f]{6});", dark_part if dark else light))
    return {name: luminance(code) for name, code in colours.items()}


def luminance(code):
    channels = [int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return np.dot(linear, [0.2126, 0.7152, 0.0722])


def contrast(a, b):
    return (max(a, b) + 0.05) / (min(a, b) + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_colours_can_be_read_and_told_apart_by_lightness(html, dark):
    colours = palette(Page(html).texts["style"][0], dark)
    for ink in ("ink", "soft", "link"):
        assert contrast(colours[ink], colours["page"]) >= 4.5
        assert contrast(colours[ink], colours["panel"]) >= 4.5
    for sign in "np":
        levels = [colours["page"], *(colours[f"{sign}{level}"] for level in (1, 2, 3, 4))]
        steps = np.diff(levels) if dark else -np.diff(levels)
        assert (steps > 0).all()
        for level in (1, 2):
            assert contrast(levels[level], colours["ink"]) >= 4.5
            assert contrast(levels[level], colours["soft"]) >= 3  # signs of line ends
        for level in (3, 4):
            assert contrast(levels[level], colours["ink-strong"]) >= 4.5


# ---- in a browser ----------------------------------------------------------------------------------------------------


# Chromium's own windows are no narrower than 500 pixels. What the script in the page finds, it posts here.
PHONE = """<iframe src="page.html" width="360" height="740"></iframe>
<script>addEventListener("message", (event) => { document.body.textContent = event.data; });</script>"""


@pytest.fixture
def browse(tmp_path):
    """browse(html, address): the document once its script has run, from Chromium, which had nothing to complain of.
    browse(html, script=...): what a script that follows it posts, on a screen of 360 pixels."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is missing: the page was not opened in a browser")

    def run(html, address="", script=None):
        file = tmp_path / "page.html"
        if script is not None:
            html = html.replace("</body>", f"<script>{script}</script></body>")
        file.write_text(html, "utf-8")
        if script is not None:
            file = tmp_path / "phone.html"
            file.write_text(PHONE)
        command = [
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--no-first-run", "--disable-extensions"),
            *("--disable-background-networking", "--virtual-time-budget=1000", file.as_uri() + address),
        ]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60, check=True)
        assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
        return done.stdout

    return run


def expected_classes(values, largest):
    """The style sheet's class at each place: five steps of equal width below the unit's largest."""
    scaled = np.rint(values / largest * 127) / 127
    levels = np.minimum(4, np.floor(np.abs(scaled) * 5)).astype(int)
    return [f"{'n' if value < 0 else 'p'}{level}" if level else "" for value, level in zip(scaled, levels, strict=True)]


def classes(document):
    """The colour of each place of the text."""
    [pre] = re.findall(r'<pre id="text".*?</pre>', document, re.DOTALL)
    spans = re.findall(r"<span(?: class=\"([^\"]*)\")?>", pre)
    return [" ".join(word for word in found.split() if word not in ("mark", "here")) for found in spans]


def test_the_address_chooses_the_unit(report, html, browse):
    unit = max(report.units, key=lambda unit: min(unit.activation.max(), -unit.activation.min()))
    document = browse(html, f"#unit={unit.name}&at=5")
    assert report.units[0] is not unit
    assert 'data-ready="yes"' in document
    assert f"Layer {unit.layer}, unit {unit.number}: correlates with" in document
    assert classes(document) == expected_classes(unit.activation, np.abs(unit.activation).max())
    assert re.findall(r"<span class=\"([^\"]*here)\">([^<]*)<", document) == [
        (f"{classes(document)[5]} here".strip(), "i")
    ]
    assert {"n1", "n4", "p1", "p4", ""} <= set(classes(document))


SCRIPT = """
const seen = {};
const note = (name) => {
  seen[name] = {
    unit: chooser.value,
    colour: document.querySelector("input[name=colour]:checked").value,
    about: byId("about").textContent,
    place: place.textContent,
    here: spans.indexOf(text.querySelector(".here")),
    classes: spans.slice(0, 40).map((span) => span.className.replace(/mark ?| ?here/g, "")),
    hash: location.hash,
  };
};
const press = (key) => text.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
note("first");
byId("next").click();
note("next");
byId("previous").click();
byId("previous").click();
note("round");
chooser.value = "3";
chooser.dispatchEvent(new Event("change"));
note("chosen");
document.querySelector("input[value=loss]").click();
note("loss");
spans[25].click();
note("tapped");
press("ArrowRight");
note("right");
press("Home");
press("ArrowDown");
note("down");
press("End");
note("end");
spans[4].dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
note("hovered");
const chart = byId("loss-chart").getBoundingClientRect();
byId("loss-chart").dispatchEvent(new MouseEvent("click", { clientX: (chart.left + chart.right) / 2 }));
note("chart");
location.hash = "#unit=9.99";
readAddress();
note("unknown");
seen.overflow = document.documentElement.scrollWidth - window.innerWidth;
seen.width = window.innerWidth;
const targets = [...document.querySelectorAll("button, select, label:has(input)")];
seen.small = targets.filter((target) => target.getBoundingClientRect().height < 44).length;
parent.postMessage(JSON.stringify(seen), "*");
"""


def test_the_page_works_by_clicks_and_keys_on_a_phone(report, html, browse):
    seen = json.loads(Page(browse(html, script=SCRIPT)).texts["body"][0])
    assert (seen["width"], seen["small"]) == (360, 0)
    assert seen["overflow"] <= 0

    def coloured_by(name, number):
        unit = report.units[number]
        assert (seen[name]["unit"], seen[name]["colour"]) == (str(number), "unit")
        assert seen[name]["about"].startswith(f"Layer {unit.layer}, unit {unit.number}: ")
        assert seen[name]["classes"] == expected_classes(unit.activation, np.abs(unit.activation).max())[:40]

    coloured_by("first", 0)
    coloured_by("next", 1)
    coloured_by("round", len(report.units) - 1)
    coloured_by("chosen", 3)
    assert seen["chosen"]["hash"] == f"#unit={report.units[3].name}"

    bits = report.nats[:40] / np.log(2)
    levels = [sum(least <= loss for least in (1, 2, 4, 7)) for loss in bits]
    assert seen["loss"]["classes"] == [f"p{level}" if level else "" for level in levels]
    assert len(set(levels)) > 2
    assert (seen["loss"]["colour"], seen["loss"]["hash"]) == ("loss", f"#unit={report.units[3].name}&colour=loss")

    assert [seen[name]["here"] for name in ("first", "tapped", "right", "end", "hovered")] == [
        *(0, 25, 26),
        len(report.codes) - 1,
        4,
    ]
    assert 20 < seen["down"]["here"] < 60  # a line of a phone down
    assert report.pieces[26] == ")"
    assert f"Next came ), loss {bits[26]:.2f} bits" in seen["tapped"]["place"]
    percentages = [f"{100 * p:.0f} %" if p >= 0.001 else "%" for p in report.probabilities[25]]
    assert re.findall(r"[\d.]+ %", seen["tapped"]["place"])[0] == percentages[0]
    assert len(re.findall(r"[\d.]+ %", seen["tapped"]["place"])) == 5
    assert abs(seen["chart"]["here"] - len(report.codes) / 2) < 0.1 * len(report.codes)
    assert seen["unknown"]["about"] == "Unit 9.99 is not among the 20 in this page."

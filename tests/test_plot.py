"""Pictures of training: which losses, where they stand, and what is written beside them."""

import json
import math
import sys

import numpy as np
import pytest
from commands import at_terminal, call

import fastrnn
from fastrnn.plot.course import Course, Plot, Scale, course, names_of_files
from fastrnn.plot.terminal import in_terminal

TEXT = "she sells sea shells by the sea shore\n" * 40
NOTHING = [math.nan] * 3


def model(**options):
    return fastrnn.CharRNN("rnn", 8, seq_length=10, learning_rate=0.05, seed=1, **options)


def made(name, loss, smoothed, validation=NOTHING, iterations=(100, 200, 300), token="character"):
    arrays = (np.array(values, float) for values in (iterations, loss, smoothed, validation))
    return Course(name, token, *arrays)


FIRST = made("a.safetensors", loss=[4, 2, 3], smoothed=[5, 4, 3.5], validation=[4.5, 2.5, 2.75])
SECOND = made("b.safetensors", loss=[3, 2, 1], smoothed=[4.5, 3, 1.5])


@pytest.fixture
def matplotlib():
    return pytest.importorskip(
        "matplotlib", reason="matplotlib is missing: pictures were not drawn", exc_type=ImportError
    )


# ---- what is drawn --------------------------------------------------------------------------------------------------


def test_losses_are_in_bits_per_token_and_smoothed_ones_are_means_of_raw_ones():
    trained = model()
    history = trained.fit(TEXT, iterations=300, validation=0.2, every=1)
    drawn = course(trained, "model")
    raw = np.array([record.loss for record in history])
    np.testing.assert_array_equal(drawn.iterations, np.arange(1, 301))
    np.testing.assert_allclose(drawn.loss, raw / math.log(2), rtol=1e-12)
    np.testing.assert_allclose(drawn.validation_loss, history.column("validation_loss") / math.log(2), rtol=1e-12)
    weights = 0.999 ** np.arange(300)
    means = [np.average(raw[: i + 1][::-1], weights=weights[: i + 1]) for i in range(300)]
    np.testing.assert_allclose(drawn.smoothed, np.array(means) / math.log(2), rtol=1e-9)
    best = int(np.argmin(history.column("validation_loss")))
    assert drawn.best == (best + 1, drawn.validation_loss[best])


@pytest.mark.parametrize(("tokens", "name"), [("char", "character"), ("byte", "byte"), ("word", "word")])
def test_the_unit_is_that_of_the_tokens(tokens, name):
    trained = model(tokens=tokens)
    trained.fit(TEXT, iterations=2)
    drawn = course(trained, "model")
    assert drawn.best is None
    assert Plot([drawn, drawn]).loss_label == f"loss, bits per {name}"
    other = made("", [1, 1, 1], [1, 1, 1], token="other")
    assert Plot([drawn, other]).loss_label == "loss, bits per token"


def test_losses_of_other_data_are_as_the_model_has_them_and_are_not_mixed_with_those_of_texts():
    rng = np.random.default_rng(0)
    trained = fastrnn.SequenceModel("rnn", 4, output="linear", batch_size=4, seed=0)
    history = trained.fit(rng.standard_normal((10, 3, 2)), rng.standard_normal(10), epochs=4, validation=0.2)
    drawn = course(trained, "model")
    np.testing.assert_array_equal(drawn.loss, history.column("loss"))
    np.testing.assert_array_equal(drawn.validation_loss, history.column("validation_loss"))
    assert Plot([drawn]).loss_label == drawn.as_json()["unit"] == "loss"
    assert Plot([drawn]).kinds() == ["training, raw", "validation", "best validation"]
    assert drawn.as_json()["smoothed"] == [None] * 4
    assert in_terminal(Plot([drawn]), 70, 20, colour=False).startswith("loss\n")
    with pytest.raises(ValueError, match="have no common axis: draw several pictures"):
        Plot([drawn, FIRST])


def test_the_rarest_raw_losses_do_not_press_the_rest_together():
    raw = np.r_[100, np.linspace(3, 2, 998), 1e-3]
    many = made("m", raw, np.linspace(3.5, 2.5, 1000), [math.nan] * 1000, np.arange(1, 1001))
    low, high = Plot([many]).loss_range()
    assert 2 < low < 2.02
    assert high == 3.5
    assert Plot([FIRST]).loss_range() == (2, 5)


def test_models_of_one_name_show_their_folders():
    assert names_of_files(["x/model", "y/model", "y/other"]) == ["x/model", "y/model", "other"]


# ---- in the terminal ------------------------------------------------------------------------------------------------


def test_the_terminal_shows_every_curve_by_its_letter():
    assert in_terminal(Plot([FIRST, SECOND]), 40, 16, colour=False).splitlines() == [
        "loss, bits per character",
        "5.00 |aaaaa",
        "     |AAA  aaaaaaaa",
        "4.00 |.  AAAAbb    aaaaaaaaaaaa",
        "     |       AAAAbbb           aaaaaaaaa",
        "3.00 |.          AAAAbbbbb             A",
        "     |               A*AAAAAAAAAAAAAAAA",
        "2.00 |                .        bbbbbb",
        "     |                               bbb",
        "1.00 |                                 .",
        "     +----------------------------------",
        "      iteration 100  200             300",
        ". training, raw   a b training, smoothed   A validation   * best validation",
        "a a.safetensors: best validation 2.500 at iteration 200",
        "b b.safetensors",
    ]


def test_logarithmic_axes_in_the_terminal():
    falling = made("f", [8, 4, 2], [8, 4, 2], iterations=(1, 10, 100))
    straight = in_terminal(Plot([falling], Scale(log_iterations=True, log_loss=True)), 40, 13, colour=False)
    assert straight.splitlines() == [
        "loss, bits per character",
        "8.00 |aaa",
        "     |   aaaaaa",
        "5.04 |         aaaaa",
        "4.00 |              aaaaaa",
        "3.17 |                    aaaaa",
        "     |                         aaaaaa",
        "2.00 |                               aaa",
        "     +----------------------------------",
        "      iteration 1     10             100",
        ". training, raw   a training, smoothed",
        "a f",
    ]


def test_a_steep_curve_has_no_gaps():
    steep = made("s", [4, 4, 0], [4, 4, 0], iterations=(1, 19, 20))
    lines = in_terminal(Plot([steep]), 26, 11, colour=False).splitlines()
    assert [line[6:].rfind("a") for line in lines[1:6]] == [18, 19, 19, 19, 19]


def test_one_record_and_losses_of_nothing_are_drawn_too():
    one = made("one", [0], [0], [math.nan], iterations=[5])
    assert in_terminal(Plot([one]), 10, 1, colour=False).splitlines() == [
        "loss, bits per character",
        *["     |"] * 2,
        "0.00 |          a",
        *["     |"] * 2,
        "     +--------------------",
        "          iteration 5",
        ". training, raw   a training, smoothed",
        "a one",
    ]
    with pytest.raises(ValueError, match=r"^no loss is above 0"):
        Plot([one], Scale(log_loss=True))


def test_colours_only_at_a_terminal_and_the_picture_is_as_wide(tmp_path, capsys):
    trained = model()
    trained.fit(TEXT, iterations=50, every=10, validation=0.1)
    trained.save(tmp_path / "model")
    piped = call(capsys, "plot", tmp_path / "model")
    assert (piped.code, piped.stderr) == (0, "")
    assert "\x1b" not in piped.stdout
    coloured = at_terminal("plot", tmp_path / "model")
    plain = at_terminal("plot", tmp_path / "model", NO_COLOR="1")
    assert "\x1b[34m" in coloured.stdout
    assert "\x1b" not in plain.stdout
    lines = plain.stdout.splitlines()
    assert max(line.index("-") + line.count("-") for line in lines if "+---" in line) == 100
    assert len(lines) == 29


# ---- by matplotlib --------------------------------------------------------------------------------------------------


def test_the_picture_has_the_data_and_says_what_it_shows(matplotlib):
    from fastrnn.plot.picture import picture

    figure = picture(Plot([FIRST, SECOND], Scale(log_iterations=True)))
    (axes,) = figure.axes
    curves = {(line.get_color(), line.get_linestyle(), line.get_linewidth()): line for line in axes.lines}
    first, second = "#0072B2", "#D55E00"
    drawn = {
        (first, "-", 0.8): FIRST.loss,
        (first, "-", 2.2): FIRST.smoothed,
        (first, "--", 1.2): FIRST.validation_loss,
        (second, "-", 0.8): SECOND.loss,
        (second, "-", 2.2): SECOND.smoothed,
    }
    stars = [line for line in axes.lines if line.get_marker() == "*"]
    assert [(*star.get_xdata(), *star.get_ydata()) for star in stars] == [(200, 2.5)]
    assert len(axes.lines) == len(drawn) + 1
    for key, losses in drawn.items():
        np.testing.assert_array_equal(curves[key].get_xdata(), [100, 200, 300])
        np.testing.assert_array_equal(curves[key].get_ydata(), losses)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("iterations", "loss, bits per character")
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "a.safetensors: best validation 2.500 at iteration 200",
        "b.safetensors",
        *("training, raw", "training, smoothed", "validation", "best validation"),
    ]
    assert axes.get_ylim()[0] < 1 < 5 < axes.get_ylim()[1]


def test_files_are_png_or_svg_and_any_name_can_stand_in_them(matplotlib, tmp_path, recwarn):
    from fastrnn.plot.picture import picture, write

    odd = made("_$x^{$ \u4e2d.safetensors", [3, 2, 1], [3, 2, 1])
    for name in ("one.svg", "two.svg", "picture.PNG"):
        write(picture(Plot([odd, FIRST], Scale(log_loss=True))), str(tmp_path / name))
    svg = (tmp_path / "one.svg").read_text()
    for text in (odd.name, "a.safetensors: best validation 2.500 at iteration 200", "iterations", "training, raw"):
        assert f">{text}</text>" in svg
    assert svg == (tmp_path / "two.svg").read_text()
    assert (tmp_path / "picture.PNG").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert not recwarn.list


# ---- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder to be in, with two models, and one that has no history."""
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        trained = model()
        trained.fit(TEXT, iterations=20, every=10, validation=0.1)
        trained.save(name)
    untrained = model()
    untrained.partial_fit(TEXT)
    untrained.save("untrained")


@pytest.mark.parametrize(
    ("log", "scale"),
    [
        ([], Scale()),
        (["--log", "iterations"], Scale(log_iterations=True)),
        (["--log", "loss"], Scale(log_loss=True)),
        (["--log", "both"], Scale(log_iterations=True, log_loss=True)),
    ],
)
def test_the_scales_are_those_asked_for(files, capsys, monkeypatch, log, scale):
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setenv("LINES", "20")
    expected = in_terminal(Plot([course(fastrnn.load("one"), "one")], scale), 70, 20, colour=False)
    assert call(capsys, "plot", "one", *log) == (0, expected + "\n", "")


def test_the_command_draws_a_file_and_tells_machines_the_same(matplotlib, files, tmp_path, capsys):
    done = call(capsys, "plot", "one", "two", "-o", "losses.svg", "--log", "both")
    assert done == (0, "", "wrote losses.svg\n")
    assert ">two: best validation " in (tmp_path / "losses.svg").read_text()
    told = json.loads(call(capsys, "plot", "one", "two", "--json").stdout)
    expected = course(fastrnn.load("one"), "one")
    assert [entry["name"] for entry in told["models"]] == ["one", "two"]
    assert told["models"][0] == expected.as_json()
    assert told["models"][0]["iterations"] == [10, 20]
    assert told["models"][0]["unit"] == "bits per character"
    both = call(capsys, "plot", "one", "-o", "losses.png", "--terminal", "--quiet")
    assert both.stdout.startswith("loss, bits per character\n")
    assert both.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["one", "-o", "x.pdf"], 2, "argument -o/--output: must end in .png or .svg, not 'x.pdf'; see"),
        (["one", "-o", "no/x.png"], 2, "argument -o/--output: there is no folder no; see"),
        (["none"], 1, "none: No such file"),
        (["untrained"], 1, "untrained has no history to draw: train it by fit, which keeps one"),
        (["one"] * 9, 1, "one picture has room for 1 to 8 models, not 9: draw several pictures"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_line(files, capsys, arguments, code, complaint):
    refused = call(capsys, "plot", *arguments)
    assert (refused.code, refused.stdout) == (code, "")
    assert refused.stderr.startswith(f"fastrnn plot: {complaint}")
    assert refused.stderr.count("\n") == 1


def test_without_matplotlib_only_files_are_out_of_reach(files, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    refused = call(capsys, "plot", "one", "-o", "x.png")
    remedy = "matplotlib is missing: pip install 'fastrnn[plot]', or draw in the terminal"
    assert refused == (1, "", f"fastrnn plot: {remedy}\n")
    assert call(capsys, "plot", "one").code == 0

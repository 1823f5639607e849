"""Reports: what is in them, against NumPy and the model itself; the command that writes them."""

import json

import numpy as np
import pytest

from fastrnn import CharRNN, NumericalError, cli, reference
from fastrnn.report.contents import inspect_text
from fastrnn.report.traits import traits

TEXT = 'He said: "To be, or not."\n    She (who knew 12 of THEM) asked: "Why?"\n\nNobody said anything.\n' * 6


def make_model(cell="lstm", layers=2, text=TEXT, **options):
    """A model whose weights are large enough for units to do something."""
    model = CharRNN(cell, 6, layers, seq_length=10, seed=1, **options)
    model.build(text)
    for parameter in model.parameters.values():
        parameter *= 3
    return model


def states_in_numpy(model, codes):
    """h (n, H) of each layer."""
    kinds = {"rnn": reference.RNN, "gru": reference.GRU, "lstm": reference.LSTM}
    x, states = codes[:, np.newaxis], []
    if model.embedding_size is not None:
        x = model.parameters["embedding.weight"][x]
    for number in range(model.num_layers):
        layer = kinds[model.cell](
            model.hidden_size if number else x.shape[-1] if x.ndim == 3 else model.vocabulary.size, 6
        )
        layer.load_state_dict({name: model.parameters[f"rnn.{name[:-1]}{number}"] for name in layer.parameters})
        x, _ = layer(x)
        states.append(x[:, 0])
    return states


@pytest.mark.parametrize(
    ("cell", "layers", "options"),
    [
        ("rnn", 1, {}),
        ("gru", 2, {"embedding_size": 4}),
        ("lstm", 2, {"tokens": "word"}),
        ("lstm", 1, {"tokens": "byte"}),
    ],
)
def test_a_report_is_what_the_model_computes(cell, layers, options):
    model = make_model(cell, layers, **options)
    n = 60
    report = inspect_text(model, TEXT, characters=n, units=100)
    codes = model.vocabulary.encode(TEXT)
    np.testing.assert_array_equal(report.codes, codes[:n])
    assert (report.total, "".join(report.pieces)) == (len(codes), model.vocabulary.decode(codes[:n]))

    states = states_in_numpy(model, report.codes)
    assert sorted((unit.layer, unit.number) for unit in report.units) == [
        (i, j) for i in range(layers) for j in range(6)
    ]
    told = traits(report.pieces)
    for unit in report.units:
        np.testing.assert_allclose(unit.activation, states[unit.layer][:, unit.number], rtol=0, atol=1e-5)
        assert unit.deviation == pytest.approx(np.std(states[unit.layer][:, unit.number]), rel=1e-4)
        if unit.trait is not None:
            coefficients = {
                name: np.corrcoef(unit.activation, values)[0, 1]
                for name, values in told.items()
                if np.unique(values).size > 2 or 10 <= np.count_nonzero(values == values[0]) <= n - 10
            }
            assert unit.correlation == pytest.approx(coefficients[unit.trait], rel=1e-6)
            assert abs(unit.correlation) == pytest.approx(max(map(abs, coefficients.values())), rel=1e-6)

    shown = model.vocabulary.decode(codes[:n])
    np.testing.assert_allclose(report.nats[1:], -model.log_probabilities(shown), rtol=0, atol=1e-4)
    assert np.isnan(report.nats[0])
    for place in (0, 17, n - 1):
        p = model.predict_proba(model.vocabulary.decode(codes[: place + 1]))
        np.testing.assert_allclose(np.sort(p)[::-1][:5], report.probabilities[place], rtol=0, atol=1e-5)
        np.testing.assert_allclose(p[report.likeliest[place]], report.probabilities[place], rtol=0, atol=1e-5)
    assert report.flow.sequences == min(64, (len(codes) - 1) // 10)


def test_a_unit_that_was_made_for_a_trait_is_found():
    """One weight for each character makes unit 3 know upper case, and unit 5 digits, but not as well."""
    model = make_model("rnn", 1)
    for name in ("rnn.weight_hh_l0", "rnn.bias_ih_l0", "rnn.weight_ih_l0"):
        model.parameters[name][...] = 0
    characters = np.array(model.vocabulary.vocabulary)
    model.parameters["rnn.weight_ih_l0"][3] = np.where(np.char.isupper(characters), -1, 1)
    model.parameters["rnn.weight_ih_l0"][5] = np.where(np.char.isdigit(characters) | (characters == "w"), 1, 0)
    first, second, *others = inspect_text(model, TEXT, units=4).units
    assert (first.name, first.trait) == ("0.3", "upper case")
    assert first.correlation == pytest.approx(-1)
    assert (second.name, second.trait) == ("0.5", "a digit")
    assert 0.5 < second.correlation < 0.9
    assert [(unit.trait, unit.correlation, unit.deviation) for unit in others] == [(None, 0, 0)] * 2


def test_the_best_unit_of_each_trait_comes_before_the_second_of_any():
    units = inspect_text(make_model(), TEXT).units
    traits_found = [unit.trait for unit in units]
    distinct = len(set(traits_found))
    assert 1 < distinct < len(units) == 12
    assert len(set(traits_found[:distinct])) == distinct
    best = [abs(unit.correlation) for unit in units[:distinct]]
    assert best == sorted(best, reverse=True)


@pytest.mark.parametrize(
    ("trait", "text", "expected"),
    [
        ("inside quotation marks", 'a "bc" “d” "e¶¶f', "0011100110011000"),
        ("inside brackets", "a(b[c]d)e)(f¶¶g", "011111100011000"),
        ("position in the line", "abc¶de¶¶f", "123012001"),
        ("position in the word", "ab cd-e", "1201201"),
        ("in an indented line", "a¶ b¶c¶¶→d", "0011100011"),
        ("a space or line end comes next", "ab c¶", "01010"),
        ("punctuation comes next", "ab, (c)", "0101010"),
        ("upper case", "aB C1", "01010"),
        ("a vowel", "ab é1", "10010"),
    ],
)
def test_traits_of_each_character(trait, text, expected):
    text = text.replace("¶", "\n").replace("→", "\t")
    assert "".join(f"{value:.0f}" for value in traits(text)[trait]) == expected


def test_pieces_have_the_traits_of_their_last_character():
    found = traits(["He", " said", ":", ' "', "To", '"', "\n"])
    assert found["inside quotation marks"].tolist() == [0, 0, 0, 1, 1, 0, 0]
    assert found["a letter"].tolist() == [1, 1, 0, 0, 1, 0, 0]
    assert found["position in the line"].tolist() == [2, 7, 8, 10, 12, 13, 0]
    assert found["a space or line end comes next"].tolist() == [1, 0, 1, 0, 0, 1, 0]


def test_a_model_that_is_not_finite_is_refused():
    model = make_model()
    model.parameters["rnn.weight_hh_l1"][0, 0] = np.nan
    with pytest.raises(NumericalError, match="states are NaN"):
        inspect_text(model, TEXT)


def test_short_texts_and_small_vocabularies_have_reports_too():
    model = make_model("gru", 1, text="ab")
    report = inspect_text(model, "a")
    assert (report.flow, len(report.codes), report.likeliest.shape) == (None, 1, (1, 2))
    assert {unit.trait for unit in report.units} == {None}
    assert report.as_json()["loss"] is None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"text": ""}, ValueError, "empty"),
        ({"text": "ß"}, ValueError, "not among"),
        ({"text": TEXT, "characters": 0}, ValueError, "characters must be at least 1"),
        ({"text": TEXT, "units": 1.5}, TypeError, "units must be an integer"),
        ({"text": TEXT, "model": CharRNN()}, ValueError, "build"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        inspect_text(**{"model": make_model(), **arguments})


# ---- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The folder of a model and a text, in which the command runs."""
    make_model().save(tmp_path / "model.safetensors")
    (tmp_path / "text.txt").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_inspect_writes_a_page_and_tells_what_it_found(files, capsys):
    assert cli.main(["inspect", "model.safetensors", "text.txt", "--characters", "50"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == "written: report.html"
    assert err.startswith("layer ")
    page = (files / "report.html").read_text("utf-8")
    assert "<title>model.safetensors reads text.txt</title>" in page
    assert f"The first 50 of {len(TEXT)} characters" in page


def test_inspect_for_machines(files, capsys):
    assert cli.main(["inspect", "model.safetensors", "text.txt", "-o", "a.html", "--json", "--units", "2"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert err == ""
    assert (found["report"], found["model"], found["text"]) == ("a.html", "model.safetensors", "text.txt")
    assert (len(found["units"]), found["tokens"]) == (2, len(TEXT))
    assert len(found["gradient_flow"]["dc_norm"][1]) == 10
    assert found["loss"] == pytest.approx(make_model().evaluate(TEXT)["loss"], rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["text.txt", "-o", "./text.txt"], 2, "--output is the text itself, text.txt: give the page another name"),
        (["text.txt", "-o", "model.safetensors"], 2, "--output is the model itself"),
        (["text.txt", "--units", "0"], 2, "argument --units: must be at least 1, not 0"),
        (["text.txt", "-o", "no/where.html"], 1, "no/where.html: No such file or directory"),
        (["nothing.txt"], 1, "nothing.txt: No such file or directory"),
    ],
)
def test_inspect_says_what_is_wrong_in_one_line(files, capsys, arguments, code, message):
    assert cli.main(["inspect", "model.safetensors", *arguments]) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"fastrnn inspect: {message}")
    assert (files / "text.txt").read_text() == TEXT

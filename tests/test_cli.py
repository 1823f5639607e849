"""`fastrnn train`, `sample`, `eval`, `info`: what they print, write and refuse. Terminals are in test_cli_terminal."""

import io
import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from commands import ENVIRONMENT, call

import fastrnn
from fastrnn.cli import COMMANDS, narration
from fastrnn.files import read_model

TEXT = "she sells sea shells by the sea shore\n" * 40
SMALL = ["--hidden-size", 8, "--batch-size", 4, "--seq-length", 10, "--seed", 1, "--every", 20]


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """run(*arguments): the result of a command, in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: call(capsys, *arguments)


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def model_file(tmp_path, trained):
    """A copy of a model of TEXT, for a test's own."""
    path = tmp_path / "trained.safetensors"
    path.write_bytes(trained)
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The bytes of a model file."""
    path = tmp_path_factory.mktemp("trained") / "model"
    model = fastrnn.CharRNN("gru", 16, batch_size=4, seq_length=10, optimizer="adam", learning_rate=0.01, seed=1)
    model.fit(TEXT, iterations=200, validation=0.1)
    model.save(path)
    return path.read_bytes()


def give_stdin(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def assert_one_line(result, code, *parts):
    assert result.code == code, result
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.endswith("\n")
    assert [part for part in parts if part not in result.stderr] == [], result.stderr


# ---- help -----------------------------------------------------------------------------------------------------------


def test_help_names_the_commands_and_gives_examples(run):
    overview = run("--help")
    assert overview.code == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\S", overview.stdout, re.MULTILINE)
        page = run(command, "--help")
        assert (page.code, page.stderr) == (0, "")
        assert re.search(rf"^examples?:\s.*fastrnn {command}\b", page.stdout, re.MULTILINE | re.DOTALL)
        assert max(map(len, page.stdout.splitlines())) <= 120


def test_help_imports_nothing_that_takes_time():
    calls = [["--help"], ["--version"], *([command, "--help"] for command in COMMANDS)]
    code = (
        f"import sys; from fastrnn.cli import main; assert not any(main(call) for call in {calls}); "
        "print(*sys.modules, file=sys.stderr)"
    )
    child = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert f"fastrnn {fastrnn.__version__}\n" in child.stdout
    assert not {"numpy", "fastrnn._core", "tqdm", "matplotlib", "pydoc_data.topics"} & set(child.stderr.split())


# ---- wrong calls ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "the following arguments are required: COMMAND; see fastrnn --help"),
        (["trian"], "argument COMMAND: invalid choice: 'trian'"),
        (["train", "--speed=1"], "unrecognized arguments: --speed=1; see fastrnn train --help"),
        (["train", "--hidden", "1"], "unrecognized arguments: --hidden"),  # no abbreviations, which age badly
        (["train", "--hidden-size", "0"], "fastrnn train: --hidden-size must be at least 1, not 0; see"),
        (["train", "--hidden-size", "ten"], "argument --hidden-size: must be an integer, not 'ten'"),
        (["train", "--iterations", "0"], "argument --iterations: must be at least 1, not 0"),
        (["train", "--sample-every", "-1"], "argument --sample-every: must be at least 0, not -1"),
        (["train", "--minutes", "nan"], "argument --minutes: must be positive and finite, not nan"),
        (["train", "--iterations", "5", "--epochs", "1"], "argument --epochs: not allowed with argument --iterations"),
        (["train", "--validation", "1"], "--validation must be at least 0 and below 1, the share to hold out, not 1"),
        (["train", "--patience", "2", "--validation", "0"], "--patience counts records of the validation loss"),
        (["train", "--schedule", "step"], '--schedule="step" needs --schedule-iterations'),
        (["train", "--cell", "tanh"], "argument --cell: invalid choice: 'tanh'"),
        (["train", "--optimizer-options", "{"], "argument --optimizer-options: must be an object in JSON"),
        (["train", "--optimizer-options", '{"beta": 1}'], "--optimizer-options has 'beta', which adam has not"),
        (["train", "--newline", "\n"], "argument --newline: must be keep or lf"),
        (["train", "-o", "/dev/null"], "--output: path must be a new or a regular file"),
        (
            ["train", "-o", "text.txt"],
            "--output: path must be a new file or a model's, and text.txt holds something else",
        ),
        (["train", "text.txt", "--history", "./text.txt"], "--history would be written over text.txt"),
        (["train", "--resume", "trained.safetensors"], "was not made by `fastrnn train`, so give the TEXT to train on"),
        (["train", "--resume", "trained.safetensors", "--cell", "lstm"], "--cell of a model that goes on stays gru"),
        (["sample"], "the following arguments are required: MODEL"),
        (["sample", "trained.safetensors", "-n", "-1"], "-n must be at least 0, not -1"),
        (["sample", "trained.safetensors", "--temperature", "-1"], "--temperature must be finite and at least 0"),
        (["sample", "trained.safetensors", "--top-k", "0"], "--top-k must be at least 1, not 0"),
        (["sample", "trained.safetensors", "--top-p", "2"], "--top-p must be above 0 and at most 1"),
        (["sample", "trained.safetensors", "--stop", ""], "--stop must not be empty"),
        (["sample", "trained.safetensors", "--seed", "-1"], "argument --seed: must be from 0 to"),
        (["sample", "trained.safetensors", "--prime", "XY"], "--prime has characters that are not among"),
        (["eval", "trained.safetensors"], "the following arguments are required: TEXT"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_call_is_answered_in_one_line(run, text_file, model_file, arguments, complaint):
    before = sorted(os.listdir())
    assert_one_line(run(*arguments), 2, complaint, "; see fastrnn")
    assert sorted(os.listdir()) == before
    assert text_file.read_text() == TEXT


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["train", "missing.txt"], "fastrnn train: missing.txt: No such file or directory"),
        (["train", "."], ".: Is a directory"),
        (["train", "latin.txt"], "latin.txt is not UTF-8 text (byte 3): convert it to UTF-8, or use --tokens="),
        (["train", "text.txt", "latin.txt"], "latin.txt is not UTF-8 text (byte 3)"),
        (["train", "empty.txt"], "empty.txt is empty"),
        (["train", "short.txt"], "short.txt has 20 tokens, of which 18 are to train on: --batch-size="),
        (["train", "text.txt", "-o", "nowhere/model"], "nowhere/model: No such file or directory"),
        (["train", "text.txt", "-o", "."], ".: Is a directory"),
        (["train", "text.txt", "--history", "nowhere/history"], "nowhere/history: No such file or directory"),
        (["train", "--resume", "missing"], "fastrnn train: missing: No such file or directory"),
        (["sample", "text.txt"], "text.txt is not a model that fastrnn has saved"),
        (["eval", "trained.safetensors", "missing.txt"], "fastrnn eval: missing.txt: No such file or directory"),
        (["eval", "trained.safetensors", "other.txt"], "other.txt has characters that are not among the"),
        (["info", "cut.safetensors"], "cut.safetensors is cut"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_failure_is_told_in_one_line_before_training(run, text_file, model_file, arguments, complaint):
    folder = text_file.parent
    (folder / "latin.txt").write_bytes("caf\xe9".encode("latin-1") * 500)
    (folder / "empty.txt").write_text("")
    (folder / "short.txt").write_text(TEXT[:20])
    (folder / "other.txt").write_text("OTHER")
    (folder / "cut.safetensors").write_bytes(model_file.read_bytes()[:-1])
    endless = ["--epochs", 10**9, "--quiet"] if arguments[0] == "train" and "--resume" not in arguments else []
    assert_one_line(run(*arguments, *endless), 1, complaint)
    assert not (folder / "model.safetensors").exists()


def test_a_loss_that_stops_being_finite_leaves_the_last_whole_model(run, text_file):
    wild = ["--optimizer", "sgd", "--learning-rate", 1e38, "--clip-norm", "none", "--iterations", 100, "--quiet"]
    result = run("train", text_file, *SMALL, *wild)
    assert result.code == 1
    assert re.fullmatch(r"fastrnn train: iteration \d+: .*lower --learning-rate or set --clip-norm.*\n", result.stderr)
    assert fastrnn.load("model.safetensors").iterations == int(re.search(r"iteration (\d+)", result.stderr)[1])


# ---- train ----------------------------------------------------------------------------------------------------------


def test_train_saves_a_model_and_tells_how_well_it_does(run, text_file):
    result = run("train", text_file, *SMALL, "--iterations", 50, "--sample-every", 20, "--history", "history")
    model = fastrnn.load("model.safetensors")
    assert model.iterations == 50
    bits = model.history[-1].validation_loss / np.log(2)
    assert result.stdout == f"model.safetensors: 50 iterations, bits per character {bits:.3f} on the text held out\n"
    # No terminal, no bar: a line for each record, and samples.
    assert [f"iteration {n} of 50: " in result.stderr for n in (20, 40)] == [True, True]
    assert re.findall(r"^---- iteration (\d+)$", result.stderr, re.MULTILINE) == ["20", "40"]
    assert not {"\r", "\x1b"} & set(result.stderr)
    lines = [json.loads(line) for line in Path("history").read_text().splitlines()]
    assert [{name: line[name] for name in asdict(model.history[0])} for line in lines] == model.history.as_json()
    assert lines[-1]["validation_bits_per_char"] == pytest.approx(bits)


def test_quiet_says_nothing_and_json_parses(run, text_file):
    result = run("train", text_file, *SMALL, "--iterations", 50, "--quiet", "--json", "-o", "m", "--history", "-")
    assert result.stderr == ""
    *history, summary = map(json.loads, result.stdout.splitlines())
    assert [line["iteration"] for line in history] == [20, 40, 50]
    assert (summary["model"], summary["iterations"], summary["goal"]) == ("m", 50, 50)
    assert summary["validation_loss"] == history[-1]["validation_loss"]


def test_a_run_in_two_parts_leaves_the_bytes_of_one_run(run, text_file):
    options = [text_file, *SMALL, "--cell", "lstm", "--dropout", 0.1, "--quiet"]
    assert run("train", *options, "--iterations", 70, "-o", "whole").code == 0
    assert run("train", *options, "--iterations", 35, "-o", "parts").code == 0
    assert run("train", "--resume", "parts", "--iterations", 35, "--quiet", "--history", "history").code == 0
    assert Path("parts").read_bytes() == Path("whole").read_bytes()
    assert [json.loads(line)["iteration"] for line in Path("history").read_text().splitlines()] == [
        20,
        40,
        60,
        70,
    ]  # of both parts
    finished = run("train", "--resume", "parts")
    assert "its run of 70 iterations is finished: --iterations N trains it by N more" in finished.stderr
    assert Path("parts").read_bytes() == Path("whole").read_bytes()


def test_epochs_are_passes_over_the_text(run, text_file):
    run("train", text_file, *SMALL, "--epochs", 2, "--quiet")
    model = fastrnn.load("model.safetensors")
    model.fit(text_file, iterations=0, validation=0.1)
    assert model.iterations == 2 * model.iterations_per_epoch > 0
    run("train", "--resume", "model.safetensors", "--epochs", 1, "--quiet", "-o", "more")
    assert fastrnn.load("more").iterations == 3 * model.iterations_per_epoch


def test_patience_ends_a_run_early(run, text_file):
    still = ["--learning-rate", 1e-30, "--schedule", "constant", "--patience", 2]
    assert run("train", text_file, *SMALL, *still, "--iterations", 10**6, "--quiet").code == 0
    assert fastrnn.load("model.safetensors").iterations == 60  # the first record, and two that are no better


def test_a_run_of_minutes_ends_with_its_schedule(run, text_file):
    result = run("train", text_file, *SMALL, "--every", 2000, "--minutes", 0.01, "--quiet", "--json")
    model = fastrnn.load("model.safetensors")
    assert model.iterations == model.schedule_iterations == json.loads(result.stdout)["goal"]
    assert (model.schedule, model.schedule_factor) == ("cosine", 0.1)
    assert 0.1 < json.loads(result.stdout)["seconds"] < 60  # 0.6, where nothing else runs


def test_every_setting_is_an_option(run, text_file):
    settings = {
        "cell": "lstm",
        "hidden_size": 7,
        "num_layers": 2,
        "embedding_size": 3,
        "seq_length": 9,
        "batch_size": 2,
        "chunks": "random",
        "optimizer": "adamw",
        "optimizer_options": {"weight_decay": 0.1},
        "learning_rate": 0.02,
        "schedule": "step",
        "schedule_iterations": 30,
        "schedule_factor": 0.25,
        "warmup": 5,
        "clip_value": 2.0,
        "clip_norm": None,
        "dropout": 0.2,
        "tokens": "word",
        "unknown": "?",
        "newline": "\n",
        "lowercase": True,
        "vocabulary_size": 5,
        "dtype": "float64",
        "seed": 4,
    }
    written = {"optimizer_options": '{"weight_decay": 0.1}', "clip_norm": "none", "newline": "lf"}
    options = []
    for name, value in settings.items():
        options += [f"--{name.replace('_', '-')}", *([] if name == "lowercase" else [written.get(name, value)])]
    assert run("train", text_file, *options, "--iterations", 1, "--quiet").stderr == ""
    assert fastrnn.load("model.safetensors").settings.as_json() == settings


def test_texts_are_joined_and_a_dash_is_standard_input(run, text_file, monkeypatch):
    text_file.with_name("a").write_text(TEXT[:500])
    text_file.with_name("b").write_text("\ufeff" + TEXT[500:])
    give_stdin(monkeypatch, TEXT[500:].encode())
    for name, texts in {"one": ["text.txt"], "two": ["a", "b"], "piped": ["a", "-"]}.items():
        assert run("train", *texts, *SMALL, "--iterations", 10, "-o", name, "--quiet").code == 0
    tensors = {
        name: {key: value.tobytes() for key, value in read_model(name)[0].items()} for name in ("one", "two", "piped")
    }
    assert tensors["one"] == tensors["two"] == tensors["piped"]
    assert_one_line(run("train", "--resume", "piped"), 2, "piped was trained on standard input: give that text again")


def test_without_a_text_it_is_the_manual(run):
    result = run("train", "--hidden-size", 8, "--iterations", 1, "--quiet")
    assert result.code == 0
    assert "function" in fastrnn.text.default_text()
    assert (
        fastrnn.load("model.safetensors").vocabulary == fastrnn.CharRNN().build(fastrnn.text.default_text()).vocabulary
    )


def test_bytes_and_words_are_measured_per_character(run, tmp_path):
    (tmp_path / "wide.txt").write_text("\u4e2d\u6587 \u4e2d\u6587 caf\xe9 caf\xe9\n" * 100)
    for tokens, ratio in [("byte", 26 / 16), ("word", 5 / 16)]:  # tokens per character
        result = run("train", "wide.txt", *SMALL, "--tokens", tokens, "--iterations", 5, "--json", "--quiet")
        line = json.loads(result.stdout)
        assert line["bits_per_char"] == pytest.approx(line["loss"] / np.log(2) * ratio)


def test_a_save_that_fails_on_the_way_does_not_end_training(run, text_file, monkeypatch):
    save, calls = fastrnn.CharRNN.save, []

    def failing_once(model, path):
        calls.append(model.iterations)
        if len(calls) == 1:
            raise OSError(28, "No space left on device", path)
        save(model, path)

    monkeypatch.setattr(fastrnn.CharRNN, "save", failing_once)
    result = run("train", text_file, *SMALL, "--iterations", 60, "--save-every", 20)
    assert result.code == 0
    assert "model.safetensors could not be saved now: No space left on device; training goes on" in result.stderr
    assert len(calls) > 2
    assert fastrnn.load("model.safetensors").iterations == 60


def test_without_tqdm_it_says_once_what_brings_the_bar(run, text_file, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    voice = narration.narrator(quiet=False)
    assert type(voice) is narration.Lines
    assert capsys.readouterr().err.count("pip install 'fastrnn[progress]'") == 1


# ---- sample, eval, info ---------------------------------------------------------------------------------------------


def test_sample_writes_what_the_model_draws(run, model_file, monkeypatch):
    model = fastrnn.load(model_file)
    how = {"temperature": 0.7, "top_k": 5, "top_p": 0.9, "stop": ["shore", "sells"]}
    options = ["--temperature", 0.7, "--top-k", 5, "--top-p", 0.9, "--stop", "shore", "--stop", "sells"]
    assert run("sample", model_file, "--seed", 3) == (0, model.sample(500, rng=3), "")
    assert run("sample", model_file, "-n", 90, "--prime", "she ", "--seed", 3, *options) == (
        *(0, model.sample(90, "she ", rng=3, **how)),
        "",
    )
    give_stdin(monkeypatch, b"she ")
    assert run("sample", model_file, "-n", 20, "--prime", "-", "--seed", 3).stdout == model.sample(20, "she ", rng=3)


def test_several_samples(run, model_file):
    texts = fastrnn.load(model_file).sample(30, rng=5, num_samples=3)
    arguments = ["sample", model_file, "-n", 30, "--seed", 5, "--num-samples", 3]
    assert run(*arguments).stdout == "----\n".join(text if text.endswith("\n") else text + "\n" for text in texts)
    assert [json.loads(line)["text"] for line in run(*arguments, "--json").stdout.splitlines()] == texts


def test_eval_says_how_well_a_text_is_known(run, model_file, text_file, monkeypatch):
    expected = fastrnn.load(model_file).evaluate(TEXT)
    give_stdin(monkeypatch, TEXT.encode())
    for name in (text_file, "-"):
        printed = json.loads(run("eval", model_file, name, "--json").stdout)
        assert printed == {"model": str(model_file), "text": str(name), **expected}
    table = run("eval", model_file, text_file).stdout
    assert re.search(rf"^bits per character +{expected['bits_per_char']:.4f}$", table, re.MULTILINE)
    assert re.search(rf"^perplexity +{expected['perplexity']:.4f}$", table, re.MULTILINE)


def test_info_says_what_a_file_holds(run, model_file, text_file):
    run("train", text_file, *SMALL, "--iterations", 25, "-o", "m", "--quiet")
    model = fastrnn.load("m")
    facts = json.loads(run("info", "m", "--json").stdout)
    assert (facts["kind"], facts["iterations"], facts["vocabulary"]) == ("CharRNN", 25, len(set(TEXT)))
    assert facts["settings"] == model.settings.as_json()
    assert facts["history"] == model.history.as_json()
    assert facts["num_parameters"] == sum(parameter.size for parameter in model.parameters.values())
    rows = dict(line.split("  ", 1) for line in run("info", "m").stdout.splitlines())
    assert rows["model"].strip() == repr(model)
    assert rows["texts"].strip() == str(text_file)
    assert rows["iterations"].strip() == "25"
    assert "texts" not in run("info", model_file).stdout  # it was not made by `fastrnn train`


@pytest.fixture
def sequence_file(tmp_path):
    """A model of no text."""
    X, y = np.random.default_rng(0).standard_normal((20, 4, 3)), np.arange(20) % 2
    model = fastrnn.SequenceModel("gru", 5, batch_size=4, seed=1)
    model.fit(X, y, epochs=3, validation=0.2)
    model.notes["run"] = "the owner's own"
    model.save(tmp_path / "sequences.safetensors")
    return tmp_path / "sequences.safetensors"


def test_info_says_what_a_file_of_another_model_holds(run, sequence_file):
    model = fastrnn.load(sequence_file)
    facts = json.loads(run("info", sequence_file, "--json").stdout)
    assert (facts["kind"], facts["iterations"], facts["vocabulary"]) == ("SequenceModel", 12, None)
    assert facts["settings"] == model.settings.as_json()
    assert facts["history"] == model.history.as_json()
    rows = dict(re.split("  +", line, maxsplit=1) for line in run("info", sequence_file).stdout.splitlines())
    assert rows == {
        "model": repr(model),
        "parameters": str(3 * 5 * (3 + 5 + 2) + 2 * (5 + 1)),
        "iterations": "12",
        "loss": f"{model.history[-1].loss:.4f}",
        "validation loss": f"{model.history[-1].validation_loss:.4f}",
    }
    fastrnn.SequenceModel(seed=0).build("tokens", 3, 2).save("untrained")
    untrained = run("info", "untrained", "--json").stdout
    assert "NaN" not in untrained
    assert json.loads(untrained)["smooth_loss"] is None


@pytest.mark.parametrize("command", [["sample"], ["eval", "text.txt"], ["inspect", "text.txt"], ["train", "--resume"]])
def test_commands_for_texts_refuse_a_model_of_other_data(run, text_file, sequence_file, command):
    before = sequence_file.read_bytes()
    position = 2 if "--resume" in command else 1
    arguments = [*command[:position], sequence_file, *command[position:]]
    complaint = "sequences.safetensors holds a SequenceModel, and this takes a CharRNN: name another file"
    assert_one_line(run(*arguments), 1, complaint)
    assert sequence_file.read_bytes() == before
    assert sorted(os.listdir()) == ["sequences.safetensors", "text.txt"]

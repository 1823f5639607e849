"""The settings of a model as options, under their own names, with defaults that learn well in a minute."""

import argparse
import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

from fastrnn.program import UsageError, integer, real

# In a minute on one core, of what was tried on Python's manual, these came to the fewest bits per character held out.
DEFAULTS: dict[str, Any] = {
    "cell": "gru",
    "hidden_size": 192,
    "num_layers": 2,
    "embedding_size": None,
    "seq_length": 64,
    "batch_size": 16,
    "chunks": "stream",
    "optimizer": "adam",
    "optimizer_options": None,
    "learning_rate": None,
    "schedule": None,
    "schedule_iterations": None,
    "schedule_factor": None,
    "warmup": 0,
    "clip_value": None,
    "clip_norm": 5.0,
    "dropout": 0.2,
    "tokens": "char",
    "unknown": None,
    "newline": None,
    "lowercase": False,
    "vocabulary_size": None,
    "dtype": "float32",
    "seed": None,
}
LEARNING_RATES = {"sgd": 0.1, "adagrad": 0.1, "rmsprop": 0.002, "adam": 0.004, "adamw": 0.004}
COSINE_END = 0.1  # where a run of so many minutes ends, it can be resumed and still learns
TRAINING = (*DEFAULTS, "iterations", "epochs", "validation", "patience", "every")  # what CharRNN and fit speak of
WHOLE_RUN = 2**31 - 1  # stands for the iterations of a run, until they are known
CHANGEABLE = ("learning_rate", "schedule_iterations", "clip_value", "clip_norm")  # in a model that is there already


def add_settings(parser: argparse.ArgumentParser) -> None:
    """An option for each argument of CharRNN. What is not given does not appear among the parsed ones."""
    group = parser.add_argument_group("the model (as the arguments of fastrnn.CharRNN)")

    def option(name: str, help: str, default: str = "", **how: Any) -> None:
        shown = default or f"default: {DEFAULTS[name]}"
        flag = "--" + name.replace("_", "-")
        group.add_argument(flag, default=argparse.SUPPRESS, help=f"{help} ({shown})", **how)

    number: dict[str, Any] = {"type": integer, "metavar": "N"}
    fraction: dict[str, Any] = {"type": real, "metavar": "X"}
    option("cell", "what a recurrent layer is made of", choices=("rnn", "gru", "lstm"))
    option("hidden_size", "units of a layer", **number)
    option("num_layers", "recurrent layers, one over the other", **number)
    option("embedding_size", "length of the vectors that stand for tokens", "default: none, 1-of-V codes", **number)
    option("seq_length", "tokens of a sequence", **number)
    option("batch_size", "sequences of an iteration", **number)
    option("chunks", "sequences follow each other, or begin anywhere", choices=("stream", "random"))
    option("optimizer", "what takes the steps", choices=tuple(LEARNING_RATES))
    option(
        "optimizer_options", "its further arguments, in JSON", "such as '{\"eps\": 1e-6}'", type=_json, metavar="{...}"
    )
    rates = ", ".join(f"{rate} of {name}" for name, rate in LEARNING_RATES.items())
    option("learning_rate", "the optimizer's step size", f"default: {rates}", **fraction)
    option(
        "schedule",
        "how the learning rate goes down",
        "default: cosine to a tenth in a run of so many minutes, otherwise constant",
        choices=("constant", "step", "cosine"),
    )
    option(
        "schedule_iterations", "from step to step, or of the cosine", "default: the whole run, of a cosine", **number
    )
    option("schedule_factor", "what a step multiplies by, or the cosine ends at", "default: 0.5, 0", **fraction)
    option("warmup", "iterations in which the learning rate rises first", **number)
    option("clip_value", "bound of each element of the gradients, or none", "default: none", type=_limit, metavar="X")
    option("clip_norm", "bound of the norm of all gradients, or none", type=_limit, metavar="X")
    option("dropout", "share of each layer's outputs that is set to 0 in training", **fraction)
    option("tokens", "what the text is made of", choices=("char", "byte", "word"))
    option("unknown", "stands for tokens outside the vocabulary", "default: none, they are errors", metavar="TOKEN")
    option("newline", "lf: every line end becomes \\n", "default: keep", type=_newline, metavar="keep|lf")
    option("lowercase", "all in lower case", "default: as it is", action="store_true")
    option("vocabulary_size", "only so many tokens, the most frequent; needs --unknown", "default: all", **number)
    option("dtype", "of all numbers", choices=("float32", "float64"))
    option("seed", "of all that is random in training", "default: another one each time", **number)


def given_settings(args: argparse.Namespace) -> dict[str, Any]:
    """The settings that the command line names."""
    return {name: getattr(args, name) for name in DEFAULTS if hasattr(args, name)}


def new_settings(given: dict[str, Any], in_minutes: bool) -> dict[str, Any]:
    """All settings of a new model; the schedule of a run of so many minutes ends with it."""
    settings = DEFAULTS | given
    if settings["learning_rate"] is None:
        settings["learning_rate"] = LEARNING_RATES[settings["optimizer"]]
    if settings["schedule"] is None:
        settings["schedule"] = "cosine" if in_minutes else "constant"
        if in_minutes and settings["schedule_factor"] is None:
            settings["schedule_factor"] = COSINE_END
    if settings["schedule"] == "cosine" and settings["schedule_iterations"] is None:
        settings["schedule_iterations"] = WHOLE_RUN
    return settings


def change_settings(model: Any, given: dict[str, Any]) -> None:
    """Sets what can be set in a model that goes on; UsageError for anything else that is not as it is there."""
    for name, value in given.items():
        if name in CHANGEABLE:
            with wrong_arguments(*TRAINING):
                setattr(model, name, value)
        elif value != getattr(model, name):
            raise UsageError(
                f"--{name.replace('_', '-')} of a model that goes on stays {getattr(model, name)}: leave it out, or "
                "train a new model"
            )


@contextlib.contextmanager
def wrong_arguments(*names: str) -> Iterator[None]:
    """What is said of the arguments of these names is said of the options instead, as of a wrong call."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise UsageError(as_options(str(error), *names)) from None


def as_options(message: str, *names: str) -> str:
    """A message about arguments of these names as one about options: `top_k must` as `--top-k must`."""
    for name in names:
        is_meant = r"\b" if "_" in name else r"(?==| must| needs| does| has | counts)"  # otherwise a word of prose
        option = ("--" if len(name) > 1 else "-") + name.replace("_", "-")
        message = re.sub(rf"(?<![-\w]){name}{is_meant}", option, message)
    return message


def _json(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"must be an object in JSON, such as '{{\"eps\": 1e-6}}', not {text!r}")
    return value


def _limit(text: str) -> float | None:
    return None if text == "none" else real(text)


def _newline(text: str) -> str | None:
    if text not in ("keep", "lf"):
        raise argparse.ArgumentTypeError(f"must be keep or lf, not {text!r}")
    return "\n" if text == "lf" else None

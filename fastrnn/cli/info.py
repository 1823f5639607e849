"""`fastrnn info`: what a model file holds."""

import argparse
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fastrnn.cli.models import load_char_rnn
from fastrnn.cli.output import add_json, print_json, print_table
from fastrnn.cli.training import Plan

if TYPE_CHECKING:
    from fastrnn import CharRNN

PLURALS = {"char": "characters", "byte": "bytes", "word": "words"}
HELP = "say what a model file holds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `fastrnn info`."""
    parser.description = "Says what a model file holds: its settings, its size, and how far it was trained."
    parser.epilog = "example: fastrnn info model.safetensors"
    parser.add_argument("model", metavar="MODEL", help="a file that `fastrnn train` or a model's `save` wrote")
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Says it."""
    model = load_char_rnn(args.model)
    if args.json:
        print_json(_facts(args.model, model))
    else:
        print_table(_rows(model))


def _facts(name: str, model: "CharRNN") -> dict[str, Any]:
    """All of it, as JSON has it."""
    return {
        "model": name,
        "kind": model.kind,
        "bytes": os.path.getsize(name),
        "settings": model.settings.as_json(),
        "parameters": {name: list(parameter.shape) for name, parameter in model.parameters.items()},
        "num_parameters": _size(model),
        "iterations": model.iterations,
        "vocabulary": model.vocabulary.size,
        "smooth_loss": model.smooth_loss,
        "history": [asdict(record) for record in model.history],
        "notes": model.notes,
    }


def _rows(model: "CharRNN") -> dict[str, object]:
    """What a person wants to know first."""
    rows: dict[str, object] = {
        "model": repr(model),
        "parameters": f"{_size(model):,}",
        "vocabulary": f"{model.vocabulary.size:,} {PLURALS[model.tokens]}",
        "iterations": f"{model.iterations:,}",
    }
    for record in model.history[-1:]:
        rows["loss"] = _loss(record.loss)
        if record.validation_loss is not None:
            rows["validation loss"] = _loss(record.validation_loss)
    plan = Plan.of(model)
    if plan is not None:
        rows["texts"] = ", ".join(plan.texts) or "Python's manual"
        if plan.goal is not None and plan.goal > model.iterations:
            rows["still to do"] = f"{plan.goal - model.iterations:,} iterations: fastrnn train --resume"
    return rows


def _loss(loss: float) -> str:
    return f"{loss:.4f} nats per token"


def _size(model: "CharRNN") -> int:
    return sum(parameter.size for parameter in model.parameters.values())

"""`fastrnn info`: what a model file holds."""

import argparse
import math
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fastrnn.cli.models import load_model
from fastrnn.cli.output import add_json, print_json, print_table
from fastrnn.cli.training import Plan

if TYPE_CHECKING:
    from fastrnn.fitting import FittedModel

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
    model = load_model(args.model)
    if args.json:
        print_json(_facts(args.model, model))
    else:
        print_table(_rows(model))


def _facts(name: str, model: "FittedModel") -> dict[str, Any]:
    """All of it, as JSON has it."""
    from fastrnn import CharRNN

    return {
        "model": name,
        "kind": model.kind,
        "bytes": os.path.getsize(name),
        "settings": model.settings.as_json(),
        "parameters": {name: list(parameter.shape) for name, parameter in model.parameters.items()},
        "num_parameters": _size(model),
        "iterations": model.iterations,
        "vocabulary": model.vocabulary.size if isinstance(model, CharRNN) else None,
        "smooth_loss": None if math.isnan(model.smooth_loss) else model.smooth_loss,
        "history": [asdict(record) for record in model.history],
        "notes": model.notes,
    }


def _rows(model: "FittedModel") -> dict[str, object]:
    """What a person wants to know first."""
    from fastrnn import CharRNN

    rows: dict[str, object] = {"model": repr(model), "parameters": f"{_size(model):,}"}
    unit = ""
    if isinstance(model, CharRNN):
        rows["vocabulary"] = f"{model.vocabulary.size:,} {PLURALS[model.tokens]}"
        unit = " nats per token"
    rows["iterations"] = f"{model.iterations:,}"
    for record in model.history[-1:]:
        rows["loss"] = f"{record.loss:.4f}{unit}"
        if record.validation_loss is not None:
            rows["validation loss"] = f"{record.validation_loss:.4f}{unit}"
    plan = Plan.of(model)
    if plan is not None:
        rows["texts"] = ", ".join(plan.texts) or "Python's manual"
        if plan.goal is not None and plan.goal > model.iterations:
            rows["still to do"] = f"{plan.goal - model.iterations:,} iterations: fastrnn train --resume"
    return rows


def _size(model: "FittedModel") -> int:
    return sum(parameter.size for parameter in model.parameters.values())

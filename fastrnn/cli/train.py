"""`fastrnn train`: trains a model on texts."""

import argparse
import dataclasses
import os
import shlex
from typing import TYPE_CHECKING

from fastrnn.cli.history_file import STDOUT, HistoryFile, as_line
from fastrnn.cli.models import load_char_rnn
from fastrnn.cli.narration import narrator
from fastrnn.cli.output import add_json, add_quiet, print_json
from fastrnn.cli.settings import (
    TRAINING,
    add_settings,
    as_options,
    change_settings,
    given_settings,
    new_settings,
    wrong_arguments,
)
from fastrnn.cli.texts import STDIN, read_texts
from fastrnn.cli.training import Plan, Run
from fastrnn.errors import NumericalError
from fastrnn.program import UsageError, at_least_one, at_least_zero, positive, real

if TYPE_CHECKING:
    from fastrnn import CharRNN

HELP = "train a model on texts"
OUTPUT = "model.safetensors"
MINUTES = 1.0
VALIDATION = 0.1
EVERY = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `fastrnn train`."""
    parser.usage = f"{parser.prog} [TEXT ...] [options]"
    parser.description = (
        "Trains a model on texts, with a bar that shows how far, how fast and how well. Ctrl-C saves it and exits\n"
        "with 130; --resume goes on exactly there."
    )
    parser.epilog = (
        "examples:\n"
        "  fastrnn train                                   a minute on Python's own manual\n"
        "  fastrnn train book.txt -o book.safetensors --minutes 10\n"
        "  fastrnn train --resume book.safetensors         the rest of a run that was stopped"
    )
    parser.add_argument(
        "texts", nargs="*", metavar="TEXT", help="UTF-8 files, joined; - is standard input (default: Python's manual)"
    )
    parser.add_argument(
        "-o", "--output", metavar="MODEL", help=f"the file of the model (default: {OUTPUT}, or the one resumed)"
    )
    parser.add_argument(
        "--resume", metavar="MODEL", help="finish the run that this model was trained in; with a length, so much more"
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--iterations", type=at_least_one, metavar="N", help="so many iterations")
    length.add_argument("--epochs", type=at_least_one, metavar="N", help="so many passes over the text")
    length.add_argument(
        "--minutes", type=positive, metavar="X", help="as many iterations as take so long here (default: 1)"
    )
    parser.add_argument(
        "--validation",
        type=real,
        metavar="X",
        help=f"the share of the text, at its end, that is held out (default: {VALIDATION})",
    )
    parser.add_argument(
        "--patience", type=at_least_one, metavar="N", help="end after N records without a better validation loss"
    )
    parser.add_argument(
        "--every", type=at_least_one, metavar="N", help=f"iterations from record to record (default: {EVERY})"
    )
    parser.add_argument(
        "--sample-every",
        type=at_least_zero,
        metavar="N",
        help="iterations from sample to sample, 0 for none (default: five in the run)",
    )
    parser.add_argument(
        "--save-every", type=at_least_one, metavar="N", help="iterations from save to save (default: about a minute's)"
    )
    parser.add_argument("--history", metavar="FILE", help="write the records there as JSON lines; - is standard output")
    add_json(parser)
    add_quiet(parser)
    add_settings(parser)


def run(args: argparse.Namespace) -> None:
    """Trains, and says on stdout what came of it, also where Ctrl-C ended it."""
    output = args.output or args.resume or OUTPUT
    _check_output(output)
    model, plan = _resumed(args) if args.resume else _new(args)
    _check_history(args.history, output, *plan.texts)
    text = read_texts(plan.texts, model.tokens)
    voice, history = narrator(args.quiet), HistoryFile(args.history)
    run = Run(model, text, plan, output, voice, history, args.save_every, args.sample_every)
    try:
        run.train()
    except ValueError as error:
        raise ValueError(as_options(str(error), *TRAINING)) from None
    except NumericalError as error:
        _report(run, output, args)
        raise NumericalError(as_options(str(error), *TRAINING)) from None
    except KeyboardInterrupt:
        _report(run, output, args)
        if model.iterations:
            voice.say(f"saved; `fastrnn train --resume {shlex.quote(output)}` goes on")
        raise
    _report(run, output, args)


def _check_output(output: str) -> None:
    """OSError or UsageError where the model could not be saved in the end, or would replace what must stay."""
    from fastrnn.files import check_writable

    try:
        check_writable(output)
    except ValueError as error:
        raise UsageError(f"--output: {error}") from None


def _check_history(history: str | None, *others: str) -> None:
    """UsageError where the history would be written over another file of this run."""
    for other in others:
        if history and history != STDOUT and os.path.realpath(history) == os.path.realpath(other):
            raise UsageError(f"--history would be written over {other}: give it another name")


def _new(args: argparse.Namespace) -> "tuple[CharRNN, Plan]":
    """A model that is not trained yet, and what it is to be trained on and how long."""
    from fastrnn import CharRNN

    minutes = MINUTES if args.iterations is args.epochs is args.minutes is None else args.minutes
    with wrong_arguments(*TRAINING):
        model = CharRNN(**new_settings(given_settings(args), in_minutes=minutes is not None))
    validation = VALIDATION if args.validation is None else args.validation
    plan = Plan(args.texts, validation, args.every or EVERY, args.patience, args.iterations, minutes, args.epochs)
    _check_plan(plan)
    return model, plan


def _resumed(args: argparse.Namespace) -> "tuple[CharRNN, Plan]":
    """A model that goes on, and with what: all is as it was, but for what the command line says."""
    model = load_char_rnn(args.resume)
    change_settings(model, given_settings(args))
    plan = Plan.of(model)
    if plan is None:
        if not args.texts:
            raise UsageError(f"--resume: {args.resume} was not made by `fastrnn train`, so give the TEXT to train on")
        plan = Plan([], VALIDATION, EVERY, None, goal=model.iterations)
    plan = _changed(plan, model.iterations, args)
    if STDIN in plan.texts and not args.texts:
        raise UsageError(f"--resume: {args.resume} was trained on standard input: give that text again, as TEXT or -")
    _check_plan(plan)
    return model, plan


def _changed(plan: Plan, done: int, args: argparse.Namespace) -> Plan:
    """The plan with what the command line says otherwise; a length is that of what comes."""
    given = {
        name: getattr(args, name) for name in ("validation", "every", "patience") if getattr(args, name) is not None
    }
    if args.texts:
        given["texts"] = args.texts
    if args.iterations is not None:
        given |= {"goal": done + args.iterations, "minutes": None, "epochs": None}
    elif args.minutes is not None or args.epochs is not None:
        given |= {"goal": None, "minutes": args.minutes, "epochs": args.epochs}
    return dataclasses.replace(plan, **given)


def _check_plan(plan: Plan) -> None:
    """UsageError for what `fit` would refuse."""
    from fastrnn.fitting import check_loop_arguments
    from fastrnn.progress import validation_share

    with wrong_arguments(*TRAINING):
        validation = validation_share(plan.validation)
        check_loop_arguments(None, plan.epochs, validation, plan.patience, None, plan.every, None)


def _report(run: Run, output: str, args: argparse.Namespace) -> None:
    """What came of a run that trained at all."""
    model, last = run.model, run.newest_record()
    if last is None:
        return
    line = as_line(model, last)
    if args.json:
        print_json(
            {
                "model": output,
                "iterations": model.iterations,
                "goal": run.plan.goal,
                "seconds": round(run.seconds(), 3),
                **line,
            }
        )
        return
    held_out = line["validation_bits_per_char"]
    bits = f"{line['bits_per_char']:.3f} in training" if held_out is None else f"{held_out:.3f} on the text held out"
    print(f"{output}: {model.iterations} iterations, bits per character {bits}", flush=True)

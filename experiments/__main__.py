"""`python -m experiments COMMAND`: the one entry to everything that runs.

A command's module is imported only when the command is chosen, so that `--help` answers at once.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from experiments.config_file import did_you_mean
from requery.errors import ConfigError, RequeryError


class Command(NamedTuple):
    """Where a command lives; its function takes the command's name and its arguments."""

    module: str
    function: str
    help: str


COMMANDS = {
    "fit": Command("experiments.cli", "main", "train a model; checkpoints and curves go to the run folder"),
    "validate": Command("experiments.cli", "main", "score a model on the validation split"),
    "test": Command("experiments.cli", "main", "score a model on the test split: metrics, ranks, TREC files"),
    "predict": Command("experiments.cli", "main", "write what a model retrieves, without scoring it"),
    "study": Command("experiments.study", "main", "run several arms and seeds; one table, one report"),
    "sweep": Command("experiments.sweep.command", "main", "search settings: the trials of a W&B sweep file"),
    "reproduce": Command(
        "experiments.reproduce.command", "main", "published tables: run what can be run, say what is missing"
    ),
    "ladder": Command("experiments.ladder.command", "main", "all methods and combinations in one table"),
    "report": Command("experiments.report.command", "main", "read run folders into one HTML page"),
    "figure": Command("experiments.figure", "main", "draw a test of adapting methods: lines or embeddings"),
    "doctor": Command("experiments.doctor", "main", "examine a config's data before work is spent on it"),
    "shift-preview": Command(
        "experiments.shift_preview", "main", "show a benchmark's queries under each kind of shift"
    ),
    "convert": Command("experiments.convert", "main", "make a checkpoint folder of LAVIS' BLIP-2"),
}


def usage() -> str:
    """The text of `--help`."""
    lines = [f"  {name:<15}{command.help}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: python -m experiments COMMAND [--help] [options]",
            "",
            *lines,
            "",
            "python -m experiments fit --config experiments/qure/shapes.yaml --model.lr=1e-4",
            "--debug (or REQUERY_DEBUG=1) shows the traceback of an error.",
        ]
    )


def dispatch(args: Sequence[str]) -> int:
    """Run the command that `args` names.

    Returns:
        The exit status: what the command's function returned, or 0.

    Raises:
        ConfigError: there is no such command.
    """
    name, *rest = args
    if name not in COMMANDS:
        raise ConfigError(f"unknown command {name}: {did_you_mean(name, list(COMMANDS))}")
    command = COMMANDS[name]
    status: int | None = getattr(importlib.import_module(command.module), command.function)(name, rest)
    return status or 0


def main(args: Sequence[str] | None = None) -> int:
    """Run a command; an error the user can act on is printed without a traceback.

    Returns:
        The exit status: the command's own (0, or 1 after findings of `doctor`), or 2 after an error in what
        was asked.
    """
    given = list(sys.argv[1:] if args is None else args)
    debug = "--debug" in given or os.environ.get("REQUERY_DEBUG", "0") not in ("", "0")
    given = [arg for arg in given if arg != "--debug"]
    if not given or given[0] in ("-h", "--help"):
        print(usage())
        return 0 if given else 2
    try:
        return dispatch(given)
    except RequeryError as error:
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

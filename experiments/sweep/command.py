"""`python -m experiments sweep FILE`: a W&B sweep file without W&B; Optuna proposes, processes run.

The same command again goes on: what has ended counts, and trials that a kill interrupted go on in their run
folders with their settings. Started more than once, on machines that share the runs' folder and the storage,
it shares the work.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.sweep.file import Sweep, check, read_sweep
from requery.errors import ConfigError

INTERRUPTED = 130
"""Exit status after Ctrl-C, as a shell reports it."""
WIDTH = 160
"""Columns of the table where the output is no terminal."""


def main(command: str, args: Sequence[str]) -> int:
    """Entry of `python -m experiments sweep`.

    Returns:
        0, 1 where no trial has a value, or 130 after Ctrl-C.

    Raises:
        ConfigError: the file is wrong, or another sweep has its name.
        RunError: study and folder do not belong together.
    """
    given, extra = _parser(command).parse_known_args(args)
    sweep = read_sweep(given.file, extra)
    total = _total(sweep, given.trials, given.file)
    if importlib.util.find_spec("optuna") is None:
        raise ConfigError("a sweep needs Optuna: pip install 'optuna>=4.4,<5' (or the extra `sweep`)")
    check(sweep, given.file)
    folder = given.runs_root / sweep.name
    storage = given.storage or f"journal:{folder / 'study.journal'}"
    try:
        _run(sweep, folder, storage, given.seed, total, given.jobs)
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return INTERRUPTED
    return _summarise(folder, sweep)


def _run(sweep: Sweep, folder: Path, storage: str, seed: int, total: int, jobs: int) -> None:
    from experiments.sweep.board import Board
    from experiments.sweep.locking import turn
    from experiments.sweep.run import work_on
    from experiments.sweep.snapshot import known_mark, write_snapshot
    from experiments.sweep.storage import open_storage, open_study
    from requery.files import ensure_writable

    ensure_writable(folder)
    folder.mkdir(parents=True, exist_ok=True)
    opened = open_storage(storage)
    with turn(folder):
        study = open_study(opened, sweep, seed, folder, known_mark(folder))
        write_snapshot(folder, sweep, study)
    work_on(Board(sweep, study, folder, seed, total, jobs))


def _summarise(folder: Path, sweep: Sweep) -> int:
    """Print the trials, best first, and how to run the best one again."""
    import shlex

    from rich.console import Console

    from experiments.report.trials import read_trials
    from experiments.sweep.table import trials_table

    found = read_trials(folder)
    Console(width=None if sys.stdout.isatty() else WIDTH).print(trials_table(found))
    for trial in found.failed:
        print(f"{trial.name} failed: {trial.reason}")
    if found.best is None:
        return 1
    again = ["python", "-m", "experiments", sweep.command, *sweep.args(found.best.settings)]
    print(f"the best again: {shlex.join(again)}")
    print(f"figures: python -m experiments report {folder}")
    return 0


def _total(sweep: Sweep, asked: int | None, file: Path) -> int:
    """Trials in all: as asked for, else the file's `run_cap`, else the grid; never more than a grid has."""
    limits = [number for number in (asked or sweep.cap, sweep.size) if number is not None]
    if not limits:
        raise ConfigError(f"how many trials? give --trials N, or {file} a run_cap")
    return min(limits)


def _parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m experiments {command}",
        description="Run the trials of a W&B sweep file here, with Optuna. Further arguments, such as "
        "--trainer.max_epochs=2, go to every trial.",
        allow_abbrev=False,
    )
    add: Any = parser.add_argument
    add("file", type=Path, metavar="FILE", help="a W&B sweep file, such as experiments/sweeps/qure.yaml")
    add("--trials", type=_count, help="trials in all (default: the file's run_cap; a whole grid)")
    add("--jobs", type=_count, default=1, help="trials side by side (default: 1)")
    add(
        "--storage",
        help="journal:PATH, sqlite:///PATH or a database's URL (default: a journal in the folder)",
    )
    add("--seed", type=int, default=0, help="of the samplers (default: 0)")
    add("--runs_root", "--runs-root", type=Path, default=Path("runs"), help="folder of all runs")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is below 1")
    return number

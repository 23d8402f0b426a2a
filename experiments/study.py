"""`study`: run several arms and seeds in one process, then print one table and write one report.

A run that has finished with the same settings is not run again, and one that was interrupted goes on from its
last checkpoint: the same command finishes an interrupted study.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.study_file import Run, plan, read_study
from requery.errors import ConfigError

WIDTH = 160
"""Columns of the table where the output is no terminal."""


def main(command: str, args: Sequence[str]) -> None:
    """Entry of `python -m experiments study`.

    Raises:
        ConfigError: the study file or a config it names is wrong.
    """
    given = _parser(command).parse_args(args)
    study = read_study(given.config)
    runs = plan(study, given.config, given.seeds or study.seeds, given.runs_root)
    began = time.monotonic()
    for number, run in enumerate(runs, start=1):
        step = f"[{number}/{len(runs)}] {run.arm.name}, {run.folder.name}"
        print(f"{step}: {run.arm.command}", flush=True)
        if given.fresh and run.folder.exists():
            shutil.rmtree(run.folder)
        outcome = "done" if execute(run) else "already finished"
        print(f"{step}: {outcome}, {time.monotonic() - began:.0f} s since the start", flush=True)
    summarise([run.folder for run in runs], Path(study.report), study.baseline)


def execute(run: Run) -> bool:
    """Do what is left to do of a run.

    Returns:
        Whether anything was left.

    Raises:
        ConfigError: the folder holds a run with other settings.
    """
    from experiments.cli import run as run_command

    if (run.folder / "config.yaml").exists():
        _require_same_settings(run)
        if _finished(run.folder):
            return False
    resume, start = f"--resume={run.folder.name}", f"--run={run.folder.name}"
    if (run.folder / "checkpoints" / "last.ckpt").exists():
        start = resume
    elif run.folder.exists():
        shutil.rmtree(run.folder)  # stopped before its first checkpoint: it holds nothing to go on from
    for number, command in enumerate(run.commands):
        run_command(command, [*run.args(command), resume if number else start])
    return True


def _finished(folder: Path) -> bool:
    """Whether the test, a run's last command, came to its end."""
    from requery.record import read

    record = read(folder)
    return record.metrics is not None and (record.status or {}).get("state") == "finished"


def _require_same_settings(run: Run) -> None:
    from experiments.cli import resolve
    from experiments.config_file import load_yaml
    from experiments.report.settings import flatten

    before = flatten(load_yaml(run.folder / "config.yaml"))
    now = flatten(resolve(run.commands[0], run.args(run.commands[0])))
    changed = [key for key in sorted(before | now) if before.get(key) != now.get(key)]
    if changed:
        shown = "; ".join(f"{key}: {before.get(key)} there, {now.get(key)} now" for key in changed[:5])
        remedy = "give --fresh to replace it, or another --runs_root"
        raise ConfigError(f"{run.folder} holds a run with other settings ({shown}); {remedy}")


def summarise(folders: Sequence[Path], report: Path, baseline: str | None = None) -> None:
    """Print the table of some runs and write their report."""
    from rich.console import Console

    from experiments.report import command
    from experiments.report.arms import sections
    from experiments.report.load import load
    from experiments.report.table import console_table

    loaded = load(folders)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    for section in sections(loaded.tested, loaded.trained)[0]:
        if section.protocol is not None:
            console.print(console_table(section.arms, baseline))
    chosen = [] if baseline is None else [f"--baseline={baseline}"]
    command.main("report", [*map(str, folders), f"--output={report}", *chosen])


def _parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m experiments {command}",
        description="Run several arms and seeds in one process, then print one table and write one report.",
    )
    add: Any = parser.add_argument
    add("--config", "-c", type=Path, required=True, help="study file")
    add("--seeds", type=_seeds, help="such as 0,1,2 (default: the study file's)")
    add("--runs_root", "--runs-root", type=Path, default=Path("runs"), help="folder of all runs")
    add("--fresh", action="store_true", help="run everything anew, replacing the runs of this study")
    return parser


def _seeds(text: str) -> list[int]:
    return [int(seed) for seed in text.split(",")]

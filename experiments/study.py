"""`study`: run several arms and seeds in one process, then print one table and write one report.

A run that has finished with the same settings is not run again, and one that was interrupted goes on from its
last checkpoint: the same command finishes an interrupted study.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.study_file import Run, plan, read_study
from requery.errors import RunError
from requery.lock import release, reserved
from requery.record import RunFolder, read

ENDS = {"fit": "checkpoints/last.ckpt", "test": "metrics.json", "predict": "run.trec"}
"""The file that a run's last command leaves when it has done its work."""

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
        outcome = "done" if execute(run, given.fresh) else "already finished"
        print(f"{step}: {outcome}, {time.monotonic() - began:.0f} s since the start", flush=True)
    summarise([run.folder for run in runs], Path(study.report), study.baseline)


def execute(run: Run, fresh: bool = False, apart: bool = False) -> bool:
    """Do what is left to do of a run.

    Args:
        run: the run.
        fresh: do all of it, and remove what an earlier one left.
        apart: in processes of its own, as is done anyway where a command starts several.

    Returns:
        Whether anything was left.

    Raises:
        ConfigError: the folder holds a run with other settings.
        InUse: another process works on this run.
        RunError: a command that has processes of its own failed.
    """
    from experiments.cli import resolve
    from experiments.config_file import load_yaml
    from experiments.report.settings import require_same

    settings = resolve(run.commands[0], run.args(run.commands[0]))
    if not fresh and (run.folder / "config.yaml").exists():
        holds = f"{run.folder} holds a run with other settings"
        remedy = "give --fresh to replace it, or another --runs_root"
        require_same(load_yaml(run.folder / "config.yaml"), settings, holds, remedy)
        if finished(run):
            return False
    with reserved(run.folder):  # by its name, so that no other study makes it either
        if fresh and run.folder.exists():
            RunFolder(run.folder).remove()
        known = (run.folder / "config.yaml").exists()
        try:
            for number, command in enumerate(run.commands):
                where = "resume" if known or number else "run"
                own = apart or _several_processes(settings["trainer"])
                _run(command, [*run.args(command), f"--{where}={run.folder.name}"], own)
        finally:
            release(run.folder)
    return True


def _run(command: str, args: Sequence[str], own_process: bool) -> None:
    """Run a command here, or in a process of its own: those it starts repeat its command line."""
    if not own_process:
        from experiments.cli import run

        run(command, args)
        return
    status = subprocess.run([sys.executable, "-m", "experiments", command, *args], check=False).returncode
    if status != 0:
        raise RunError(f"{command} {' '.join(args)} ended with status {status}; its own message is above")


def _several_processes(trainer: Mapping[str, Any]) -> bool:
    import torch

    devices = trainer.get("devices", "auto")
    if devices in ("auto", -1, "-1"):
        count = 1 if trainer.get("accelerator") == "cpu" else torch.cuda.device_count()
    elif isinstance(devices, str):
        count = len(devices.strip(",").split(",")) if "," in devices else int(devices)
    else:
        count = devices if isinstance(devices, int) else len(devices)
    return count > 1 or int(trainer.get("num_nodes") or 1) > 1


def finished(run: Run) -> bool:
    """Whether a run's last command came to its end."""
    if not (run.folder / ENDS[run.commands[-1]]).exists():
        return False
    return (read(run.folder).status or {}).get("state") == "finished"


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

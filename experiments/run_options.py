"""Which run folder a command works in: decided from its arguments before anything heavy is built."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.config_file import load_yaml
from requery.errors import ConfigError, RunError
from requery.record import RunFolder

INHERITED = "REQUERY_RUN_FOLDER"
"""Tells the processes that a distributed strategy starts which folder the first one made."""


@dataclass
class RunOptions:
    """The options every command has beside model, data and trainer.

    Args:
        experiment: folder of this experiment's runs under `runs_root`; default: the first config file's stem.
        run: name of a new run; default: the time of day.
        resume: name of a run to continue, or `latest`.
        runs_root: folder of all runs.
        ckpt_path: checkpoint given by hand, which wins over the resumed run's own.
    """

    experiment: str | None = None
    run: str | None = None
    resume: str | None = None
    runs_root: str = "runs"
    ckpt_path: str | None = None

    @property
    def folder(self) -> Path:
        """Where this experiment's runs are."""
        return Path(self.runs_root) / str(self.experiment)


def read_options(args: Sequence[str]) -> RunOptions:
    """Read the run options from config files and the command line, which wins.

    Raises:
        ConfigError: a config file cannot be read, or `--run` and `--resume` are both given.
    """
    keys = list(RunOptions.__dataclass_fields__)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-c", "--config", action="append", default=[])
    for key in keys:
        parser.add_argument(f"--{key}")
    given, _ = parser.parse_known_args(args)
    values: dict[str, Any] = {}
    for config in given.config:
        values |= {key: value for key, value in load_yaml(config).items() if key in keys}
    values |= {key: value for key, value in vars(given).items() if key in keys and value is not None}
    options = RunOptions(**{key: value for key, value in values.items() if value is not None})
    if options.run and options.resume:
        raise ConfigError("--run starts a new run and --resume continues one: give only one of them")
    if options.experiment is None:
        options.experiment = Path(given.config[0]).stem if given.config else "default"
    return options


def open_run(options: RunOptions) -> RunFolder:
    """The folder of the run to continue, or of a new one.

    Raises:
        RunError: there is nothing to continue, or the new folder cannot be made.
    """
    if int(os.environ.get("LOCAL_RANK", "0")) > 0 and INHERITED in os.environ:
        return RunFolder(os.environ[INHERITED])
    if options.resume:
        folder = _existing(options)
    else:
        folder = RunFolder.create(options.runs_root, str(options.experiment), options.run)
    os.environ[INHERITED] = str(folder.path)
    return folder


def checkpoint_of(options: RunOptions, command: str) -> Path | None:
    """The checkpoint a command starts from: the one given, else the resumed run's last (fit) or best one.

    Raises:
        RunError: the run to resume has no checkpoint.
    """
    if options.ckpt_path is not None:
        return Path(options.ckpt_path)
    if options.resume is None:
        return None
    folder = _existing(options).file("checkpoints")
    names = ("last.ckpt",) if command == "fit" else ("best.ckpt", "last.ckpt")
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise RunError(f"nothing to resume: {folder} has no {' or '.join(names)}; run it again without --resume")


def _existing(options: RunOptions) -> RunFolder:
    known = [path.parent for path in options.folder.glob("*/config.yaml")]
    if not known:
        raise RunError(f"nothing to resume: no run in {options.folder}; check --experiment and --runs_root")
    if options.resume == "latest":
        return RunFolder(max(known, key=lambda path: (path / "config.yaml").stat().st_mtime_ns))
    for path in known:
        if path.name == options.resume:
            return RunFolder(path)
    names = ", ".join(sorted(path.name for path in known))
    raise RunError(f"nothing to resume: no run {options.resume!r} in {options.folder}; there are {names}")

"""Which run folder a command works in: decided from its arguments before anything heavy is built."""

from __future__ import annotations

import argparse
import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.config_file import load_yaml
from experiments.launch import by_cluster, is_follower, job_name
from requery.errors import ConfigError, RunError
from requery.formats import read_mapping
from requery.lock import InUse
from requery.record import RunFolder

INHERITED = "REQUERY_RUN_FOLDER"
"""Tells the processes that a distributed strategy starts which folder the first one made."""

ONLY_SCORED = {"verbose", "return_predictions"}
"""Settings of `validate`, `test` and `predict` that `fit` has not: they tell which command began a run."""


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

    `latest` becomes a name here, once: a run that is started meanwhile is not taken instead.

    Raises:
        ConfigError: a config file cannot be read, or `--run` and `--resume` are both given.
        RunError: there is no run to resume.
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
    if options.resume is not None:
        options.resume = _existing(options).name
    elif options.run is None and by_cluster():
        options.run = job_name()
    return options


def claim(options: RunOptions) -> None:
    """Lock the run to resume, if there is one, before anything is read from it.

    Raises:
        InUse: another process works in its folder.
    """
    if options.resume is not None and not is_follower():
        RunFolder(options.folder / options.resume).open()


def open_run(options: RunOptions, command: str, settings: Mapping[str, Any]) -> RunFolder:
    """The folder of the run to continue, or of a new one, with this command's settings in it.

    `config.yaml` has those of the first command, `config_<command>.yaml` those of the latest one resumed.

    Args:
        options: where; `claim` has been called with them.
        command: `fit`, `validate`, `test` or `predict`.
        settings: the resolved settings.

    Raises:
        RunError: the new folder cannot be made.
    """
    if is_follower():
        return _inherited() or RunFolder(options.folder / str(options.resume or options.run))
    if options.resume is not None:
        folder = RunFolder(options.folder / options.resume)
        folder.write_yaml(f"config_{command}.yaml", settings)
    else:
        folder = _new(options, settings)
    os.environ[INHERITED] = str(folder.path)
    return folder


def _new(options: RunOptions, settings: Mapping[str, Any]) -> RunFolder:
    """Make the folder of a new run; under another name where a live run has the one asked for."""
    name = options.run
    while True:
        try:
            return RunFolder.create(options.runs_root, str(options.experiment), name, settings)
        except InUse as error:
            if by_cluster():  # the other processes would not know
                raise
            names = (f"{options.run}-{number}" for number in itertools.count(2))
            name = next(name for name in names if not (options.folder / name).exists())
            print(f"{error}: this run is {name}")


def checkpoint_of(options: RunOptions, command: str) -> Path | None:
    """The checkpoint a command starts from: the one given, else the resumed run's last (fit) or best one.

    A run that has none starts again as it was begun: a fit from its beginning, and a run that was never
    trained, such as a baseline's test, with the weights it was given.

    Raises:
        RunError: the run to resume was to be trained and has no checkpoint to score.
    """
    if options.ckpt_path is not None:
        return Path(options.ckpt_path)
    if options.resume is None:
        return None
    run = RunFolder(options.folder / options.resume)
    names = ("last.ckpt",) if command == "fit" else ("best.ckpt", "last.ckpt")
    for name in names:
        if run.file(f"checkpoints/{name}").is_file():
            return run.file(f"checkpoints/{name}")
    begun = read_mapping(run.file("config.yaml"))
    if command == "fit":
        if not is_follower():
            print(f"no checkpoint yet in {run.path}: starts from the beginning")
    elif run.file("config_fit.yaml").exists() or not ONLY_SCORED & begun.keys():
        remedy = f"finish its training with fit --resume={run.name}, or give --ckpt_path"
        raise RunError(f"nothing to resume: {run.path} has no {' or '.join(names)}; {remedy}")
    return Path(begun["ckpt_path"]) if begun.get("ckpt_path") else None


def _inherited() -> RunFolder | None:
    """The folder of the first process, in those that a distributed strategy starts with its command line."""
    return RunFolder(os.environ[INHERITED]) if is_follower() and INHERITED in os.environ else None


def _existing(options: RunOptions) -> RunFolder:
    inherited = _inherited()
    if inherited is not None:
        return inherited
    known = [path.parent for path in options.folder.glob("[!.]*/config.yaml")]
    if not known:
        raise RunError(f"nothing to resume: no run in {options.folder}; check --experiment and --runs_root")
    if options.resume == "latest":
        return RunFolder(max(known, key=_started))
    for path in known:
        if path.name == options.resume:
            return RunFolder(path)
    names = ", ".join(sorted(path.name for path in known))
    raise RunError(f"nothing to resume: no run {options.resume!r} in {options.folder}; there are {names}")


def _started(run: Path) -> int:
    """When a run's latest command began, in nanoseconds: each writes its settings."""
    return max(path.stat().st_mtime_ns for path in run.glob("config*.yaml"))

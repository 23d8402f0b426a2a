"""What a study file says: arms, each an experiment config with a few settings changed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from experiments.config_file import as_text, did_you_mean, load_yaml
from requery.errors import ConfigError

COMMANDS = ("fit+test", "test", "fit", "fit+predict", "predict")
T = TypeVar("T")


@dataclass(frozen=True)
class Arm:
    """One line of the table.

    Args:
        name: its name, and its folder.
        config: experiment config, relative to the study file.
        command: `fit+test`, or `test` for what needs no training; `predict` where a server keeps the targets.
        overrides: dotted key -> value, as on the command line.
    """

    name: str
    config: str
    command: str = "fit+test"
    overrides: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w[\w.+-]*", self.name):
            raise ConfigError(f"arm {self.name!r}: a name is made of letters, digits and _ . + -")
        if self.command not in COMMANDS:
            raise ConfigError(f"arm {self.name!r}: command {self.command!r} is none of {', '.join(COMMANDS)}")


@dataclass(frozen=True)
class Study:
    """Arms that are run with the same seeds and reported together.

    Args:
        arms: the arms, in the order they run.
        name: folder under the runs' root; default: the file's stem.
        seeds: each arm runs once per seed.
        overrides: settings of every arm; an arm's own win.
        report: where the HTML report goes.
        baseline: arm the significance marks compare with; default: the strongest that was not trained.
    """

    arms: list[Arm]
    name: str
    seeds: list[int] = field(default_factory=lambda: [0])
    overrides: dict[str, Any] = field(default_factory=dict)
    report: str = "report.html"
    baseline: str | None = None


@dataclass(frozen=True)
class Run:
    """One arm with one seed: where it runs and with which arguments."""

    arm: Arm
    folder: Path
    shared: list[str]

    @property
    def commands(self) -> list[str]:
        return self.arm.command.split("+")

    def args(self, command: str) -> list[str]:
        """The arguments of one of its commands; the study's table replaces the test's own."""
        return [*self.shared, *(["--verbose=false"] if command == "test" else [])]


def read_study(path: Path) -> Study:
    """Read a study file.

    Raises:
        ConfigError: a key is unknown or missing, or two arms share a name.
    """
    content = {"name": path.stem, **load_yaml(path)}
    given = content.get("arms")
    if not isinstance(given, list) or not given or not all(isinstance(arm, dict) for arm in given):
        raise ConfigError(f"{path}: a study needs `arms`, a list with a name and a config each")
    arms = [_build(Arm, arm, f"{path}, arm {number}") for number, arm in enumerate(given, start=1)]
    if len({arm.name for arm in arms}) < len(arms):
        raise ConfigError(f"{path}: two arms share a name, and so a folder")
    return _build(Study, {**content, "arms": arms}, str(path))


def _build(cls: type[T], content: dict[str, Any], where: str) -> T:
    keys = [key.name for key in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for key in content:
        if key not in keys:
            raise ConfigError(f"{where}: unknown key {key}: {did_you_mean(key, keys)}")
    try:
        return cls(**content)
    except TypeError as error:  # a key without default is missing
        raise ConfigError(f"{where}: {error}") from None


def plan(study: Study, path: Path, seeds: Sequence[int], runs_root: Path) -> list[Run]:
    """Every run of a study, seed by seed within each arm.

    Args:
        study: what the file at `path` says.
        path: the study file, which configs are relative to.
        seeds: seeds to run.
        runs_root: runs go to `<runs_root>/<study>/<arm>/seed-<seed>`.
    """
    root = runs_root / study.name
    runs: list[Run] = []
    for arm in study.arms:
        changes = [f"--{key}={as_text(value)}" for key, value in (study.overrides | arm.overrides).items()]
        own = [f"--config={path.parent / arm.config}", f"--experiment={arm.name}", f"--runs_root={root}"]
        for seed in seeds:
            shared = [*own, *changes, f"--seed_everything={seed}"]
            runs.append(Run(arm, root / arm.name / f"seed-{seed}", shared))
    return runs

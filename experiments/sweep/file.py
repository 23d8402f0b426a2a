"""What a sweep file says: a W&B sweep of a command of ours, with flat dotted keys."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

from experiments.config_file import as_text, did_you_mean, load_yaml
from experiments.sweep.parameter import Parameter, Scalar, read_parameter
from requery.errors import ConfigError

METHODS = ("grid", "random", "bayes")
GOALS = ("maximize", "minimize")
SPLITS = {"fit": "val", "validate": "val", "test": "test"}
"""The commands a sweep may run, and what their metrics' names begin with."""
KEYS = (
    *("name", "description", "project", "entity", "program", "command", "run_cap"),
    *("method", "metric", "parameters", "early_terminate"),
)
HALVING = ("type", "min_iter", "max_iter", "s", "eta")
ARGS = "${args}"


@dataclass(frozen=True)
class Halving:
    """A trial is stopped at epoch `first`, `first * eta` and so on unless it is among the best 1 / `eta`."""

    first: int
    eta: int


@dataclass(frozen=True)
class Sweep:
    """A sweep.

    Args:
        name: folder of its trials under the runs' root, and name of the study.
        method: `grid`, `random` or `bayes`.
        metric: what is optimised, as W&B is told it: `val/…` of a fit, `test/…` of a test.
        goal: `maximize` or `minimize`.
        command: `fit`, `validate` or `test`.
        fixed: arguments of every trial.
        parameters: what the trials differ in.
        halving: when a trial is stopped early; None for never.
        cap: trials in all that the file asks for.
    """

    name: str
    method: str
    metric: str
    goal: str
    command: str
    fixed: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    halving: Halving | None = None
    cap: int | None = None

    @property
    def sign(self) -> int:
        """1 where more is better."""
        return 1 if self.goal == "maximize" else -1

    @property
    def size(self) -> int | None:
        """Trials of the whole grid; None where there is none."""
        return prod(len(p.grid or ()) for p in self.parameters) if self.method == "grid" else None

    def args(self, settings: Mapping[str, Scalar]) -> list[str]:
        """The arguments of a trial, as W&B's agent would put them together."""
        return [*self.fixed, *(f"--{key}={as_text(value)}" for key, value in settings.items())]

    def extremes(self) -> list[dict[str, Scalar]]:
        """Settings that have between them every value of every choice and both ends of every range."""
        most = max(len(p.ends) for p in self.parameters)
        return [{p.name: p.ends[i % len(p.ends)] for p in self.parameters} for i in range(most)]

    def definition(self) -> dict[str, Any]:
        """All that makes it this sweep: a study goes on only under the same."""
        kept = asdict(self)
        return {key: value for key, value in kept.items() if key not in ("name", "cap")}


def read_sweep(path: Path, extra: Sequence[str] = ()) -> Sweep:
    """Read a sweep file.

    Args:
        path: the file.
        extra: further arguments of every trial.

    Raises:
        ConfigError: a key is unknown, missing or wrong; names file, key and remedy.
    """
    content, where = load_yaml(path), str(path)
    _known(content, KEYS, where)
    method = _one_of(content.get("method"), METHODS, where, "method")
    command, fixed = _command(content.get("command"), where)
    metric, goal = _metric(content.get("metric"), SPLITS[command], where)
    given = content.get("parameters")
    if not isinstance(given, Mapping) or not given:
        raise ConfigError(f"{where}: a sweep needs `parameters`, a mapping of dotted keys")
    parameters = tuple(read_parameter(str(name), entry, where) for name, entry in given.items())
    _require_search(method, parameters, where)
    name, cap = str(content.get("name", path.stem)), content.get("run_cap")
    if not re.fullmatch(r"\w[\w.+-]*", name):
        raise ConfigError(f"{where}: name {name!r}; a name is made of letters, digits and _ . + -")
    if cap is not None and (not isinstance(cap, int) or cap < 1):
        raise ConfigError(f"{where}: run_cap is {cap!r}; it is the number of trials, at least 1")
    halving = _halving(content.get("early_terminate"), command, where)
    return Sweep(name, method, metric, goal, command, (*fixed, *extra), parameters, halving, cap)


def check(sweep: Sweep, path: Path) -> None:
    """Resolve the settings of trials that reach every choice and both ends of every range.

    Raises:
        ConfigError: the command does not know a key or refuses a value; names file, key and remedy.
    """
    from experiments.cli import resolve

    for settings in sweep.extremes():
        try:
            resolve(sweep.command, sweep.args(settings))
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None


def _known(given: Mapping[str, Any], keys: Sequence[str], where: str) -> None:
    for key in given:
        if key not in keys:
            raise ConfigError(f"{where}: unknown key {key}: {did_you_mean(str(key), keys)}")


def _one_of(value: Any, known: Sequence[str], where: str, key: str) -> str:
    if value not in known:
        raise ConfigError(f"{where}: {key} is {value!r}; it is one of {', '.join(known)}")
    return str(value)


def _command(given: Any, where: str) -> tuple[str, list[str]]:
    """The command and its arguments, out of what W&B's agent would run."""
    form = f"[${{env}}, python, -m, experiments, {'|'.join(SPLITS)}, --config=…, {ARGS}]"
    words: list[str] = given if isinstance(given, list) else []
    odd = [word for word in words if not isinstance(word, str)]
    if odd:
        raise ConfigError(f"{where}: command holds {odd[0]!r}, which is no text; put it in quotes")
    head = words.index("experiments") if "experiments" in words else 0
    begun = words[:head] in (["${env}", runner, "-m"] for runner in ("python", "${interpreter}"))
    if not begun or len(words) < head + 2 or words[-1] != ARGS:
        raise ConfigError(f"{where}: command is {given!r}; write {form}")
    name, fixed = _one_of(words[head + 1], tuple(SPLITS), where, "the command"), words[head + 2 : -1]
    macros = [word for word in fixed if word.startswith("${")]
    if macros:
        raise ConfigError(f"{where}: command holds {macros[0]}; write {form}")
    return name, fixed


def _metric(given: Any, split: str, where: str) -> tuple[str, str]:
    if not isinstance(given, Mapping) or "name" not in given:
        raise ConfigError(
            f"{where}: a sweep needs `metric`, such as {{name: {split}/map@10, goal: maximize}}"
        )
    _known(given, ("name", "goal"), f"{where}, metric")
    name = str(given["name"])
    if not name.startswith(f"{split}/"):
        raise ConfigError(f"{where}: metric {name}; what this command measures begins with {split}/")
    return name, _one_of(given.get("goal"), GOALS, where, "metric.goal")


def _require_search(method: str, parameters: Sequence[Parameter], where: str) -> None:
    if not any(parameter.varies for parameter in parameters):
        raise ConfigError(f"{where}: no parameter varies; give one `values` or `min` and `max`")
    endless = [parameter.name for parameter in parameters if parameter.grid is None]
    if method == "grid" and endless:
        raise ConfigError(f"{where}: a grid of {endless[0]} has no end; give it `values`, or method: random")


def _halving(given: Any, command: str, where: str) -> Halving | None:
    """W&B's rule, where it names bands by the first one or by the last one and their number."""
    if given is None:
        return None
    where = f"{where}, early_terminate"
    if command != "fit":
        raise ConfigError(f"{where}: {command} has no epochs to stop after; remove it")
    if not isinstance(given, Mapping):
        raise ConfigError(f"{where} is {given!r}; write {{type: hyperband, min_iter: 1}}")
    _known(given, HALVING, where)
    _one_of(given.get("type"), ("hyperband",), where, "type")
    numbers = {key: given[key] for key in HALVING[1:] if key in given}
    for key, number in numbers.items():
        if not isinstance(number, int) or number < (2 if key == "eta" else 1):
            raise ConfigError(f"{where}: {key} is {number!r}; give an integer, at least {1 + (key == 'eta')}")
    eta = numbers.get("eta", 3)
    if "min_iter" in numbers:
        return Halving(numbers["min_iter"], eta)
    if {"max_iter", "s"} <= numbers.keys():
        bands = [numbers["max_iter"] // eta**i for i in range(1, numbers["s"] + 1)]
        if bands[0] >= 1:
            return Halving(min(band for band in bands if band >= 1), eta)
        raise ConfigError(f"{where}: max_iter {numbers['max_iter']} is below eta, {eta}: no epoch to stop at")
    raise ConfigError(f"{where}: give min_iter, or max_iter and s")

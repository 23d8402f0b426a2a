"""What one setting of a sweep may be, as W&B's sweep files say it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.config_file import as_text, did_you_mean
from requery.errors import ConfigError

Scalar = str | bool | int | float

KEYS = {
    "constant": {"value"},
    "categorical": {"values"},
    "int_uniform": {"min", "max"},
    "uniform": {"min", "max"},
    "q_uniform": {"min", "max", "q"},
    "log_uniform_values": {"min", "max"},
}
"""Distributions that W&B and Optuna both have, and what each is given."""


@dataclass(frozen=True)
class Parameter:
    """One setting.

    Args:
        name: its dotted key.
        values: what it is chosen from, a single one for a constant; empty for a range. A list or a mapping is
            its JSON text, which is also what the command line gets.
        low: smallest value of a range.
        high: largest one.
        step: the range is `low`, `low + step` and so on.
        log: the logarithm is uniform.
        whole: integers only.
    """

    name: str
    values: tuple[Scalar, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False
    whole: bool = False

    @property
    def varies(self) -> bool:
        return len(self.values) != 1

    @property
    def ends(self) -> tuple[Scalar, ...]:
        """Every value of a choice, both ends of a range."""
        return self.values or (self._plain(self.low), self._plain(self.high))

    @property
    def grid(self) -> tuple[Scalar, ...] | None:
        """Every value of a choice or of a range of integers; None for any other range."""
        if self.values or not self.whole or self.step is not None:
            return self.values or None
        return tuple(range(int(self.low), int(self.high) + 1))

    def _plain(self, end: float) -> Scalar:
        return int(end) if self.whole else float(end)


def read_parameter(name: str, given: Any, where: str) -> Parameter:
    """Read a parameter.

    Args:
        name: its dotted key.
        given: what the file says of it.
        where: the file, for messages.

    Raises:
        ConfigError: W&B would not take it, or it means nothing here.
    """
    where = f"{where}, parameter {name}"
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"{where}: it is {given!r}; write {{value: …}}, {{values: […]}} or {{min: …, max: …}}"
        )
    if "parameters" in given:
        raise ConfigError(
            f"{where}: nested parameters are no settings here; write dotted keys, such as model.lr"
        )
    kind = _kind(given, where)
    wrong = sorted(set(given) - KEYS[kind] - {"distribution"})
    if wrong:
        raise ConfigError(f"{where}: unknown key {wrong[0]}: {did_you_mean(wrong[0], sorted(KEYS[kind]))}")
    missing = sorted(KEYS[kind] - set(given) - {"q"})
    if missing:
        raise ConfigError(f"{where}: {kind} needs {' and '.join(missing)}")
    if kind == "constant":
        return Parameter(name, (_scalar(given["value"], where),))
    if kind == "categorical":
        return Parameter(name, _choices(given["values"], where))
    return _range(name, kind, given, where)


def _kind(given: Mapping[str, Any], where: str) -> str:
    """The distribution named, or the one W&B takes where none is."""
    if "distribution" in given:
        kind = str(given["distribution"])
        if kind not in KEYS:
            raise ConfigError(f"{where}: distribution {kind} is none of {', '.join(KEYS)}")
        return kind
    if "value" in given or "values" in given:
        return "constant" if "value" in given else "categorical"
    ends = (given.get("min"), given.get("max"))
    return "int_uniform" if all(isinstance(end, int) for end in ends) else "uniform"


def _scalar(value: Any, where: str) -> Scalar:
    if value is None:
        raise ConfigError(
            f"{where}: null; W&B would hand over the word None: leave the key out of that command"
        )
    return value if isinstance(value, (str, bool, int, float)) else json.dumps(value)


def _choices(values: Any, where: str) -> tuple[Scalar, ...]:
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise ConfigError(f"{where}: values is {values!r}; write a list, such as [1, 2]")
    choices = tuple(_scalar(value, where) for value in values)
    if len(set(map(as_text, choices))) < len(choices):
        raise ConfigError(f"{where}: values holds one value twice; remove it")
    return choices


def _range(name: str, kind: str, given: Mapping[str, Any], where: str) -> Parameter:
    low, high, step = given["min"], given["max"], given.get("q", 1) if kind == "q_uniform" else None
    for key, number in (("min", low), ("max", high), ("q", step)):
        if number is not None and (isinstance(number, bool) or not isinstance(number, (int, float))):
            hint = "; YAML needs the point in 1.0e-4" if isinstance(number, str) else ""
            raise ConfigError(f"{where}: {key} is {number!r}, no number{hint}")
    if not low < high:
        raise ConfigError(f"{where}: min {low} is not below max {high}")
    if kind == "log_uniform_values" and low <= 0:
        raise ConfigError(f"{where}: min is {low}; a logarithm needs more than 0")
    if kind == "int_uniform" and not (isinstance(low, int) and isinstance(high, int)):
        raise ConfigError(f"{where}: int_uniform from {low} to {high}; give integers, or take q_uniform")
    if step is not None and not (step > 0 and _multiple(low, step) and _multiple(high, step)):
        raise ConfigError(f"{where}: min {low} and max {high} must be multiples of q, {step}")
    whole = kind == "int_uniform" or all(isinstance(number, int) for number in (low, high, step))
    return Parameter(name, (), low, high, step, kind == "log_uniform_values", whole)


def _multiple(number: float, step: float) -> bool:
    return abs(number / step - round(number / step)) < 1e-6

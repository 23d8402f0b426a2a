"""The trials of a sweep, as its folder's `sweep.json` has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.report.streams import whole
from requery.formats import read_mapping

FILE = "sweep.json"
ORDER = ("finished", "pruned", "running", "waiting", "failed")


@dataclass(frozen=True)
class Trial:
    """One trial.

    Args:
        number: its own.
        state: `finished`, `pruned`, `failed`, `running` or `waiting`.
        value: what the trial is worth; of a pruned one its best until then.
        epochs: of a fit, how many were measured.
        settings: dotted keys and values.
        reason: why it failed.
    """

    number: int
    state: str
    value: float | None
    epochs: int | None
    settings: Mapping[str, Any]
    reason: str | None

    @property
    def name(self) -> str:
        """Its run's name."""
        return f"trial-{self.number:03d}"


@dataclass(frozen=True)
class Trials:
    """A sweep.

    Args:
        name: its own, and its folder's.
        method: `grid`, `random` or `bayes`.
        metric: what is optimised.
        goal: `maximize` or `minimize`.
        command: what a trial runs.
        fixed: its arguments that are every trial's.
        parameters: name, values or range of each setting.
        trials: by number.
        importances: setting -> share, largest first; None where too few have a value.
    """

    name: str
    method: str
    metric: str
    goal: str
    command: str
    fixed: Sequence[str]
    parameters: Sequence[Mapping[str, Any]]
    trials: Sequence[Trial]
    importances: Mapping[str, float] | None

    @property
    def varied(self) -> list[str]:
        """Settings the trials differ in."""
        return [parameter["name"] for parameter in self.parameters if len(parameter["values"]) != 1]

    @property
    def percent(self) -> bool:
        """Whether the metric is a share, as those of protocols are."""
        return "@" in self.metric

    @property
    def heading(self) -> str:
        """The metric with its unit."""
        return f"{self.metric}, %" if self.percent else self.metric

    def measured(self, value: float | None) -> str:
        """A value of the metric."""
        return f"{100 * value:.1f}" if self.percent and value is not None else shown(value)

    @property
    def ranked(self) -> list[Trial]:
        """Finished trials, best first, then pruned, running and failed ones; equals by their numbers."""
        sign = -1.0 if self.goal == "maximize" else 1.0
        return sorted(
            self.trials,
            key=lambda t: (ORDER.index(t.state), 0.0 if t.value is None else sign * t.value, t.number),
        )

    @property
    def best(self) -> Trial | None:
        """The best finished trial."""
        return next((trial for trial in self.ranked if trial.state == "finished"), None)

    @property
    def failed(self) -> list[Trial]:
        return [trial for trial in self.trials if trial.state == "failed"]


def is_sweep(folder: Path) -> bool:
    """Whether a folder holds a sweep's trials."""
    return (folder / FILE).is_file()


def read_trials(folder: Path) -> Trials:
    """Read a sweep's folder.

    Raises:
        RunError: the file is damaged; names it.
    """
    content = read_mapping(folder / FILE)
    with whole(folder / FILE):
        given = {key: content[key] for key in Trials.__dataclass_fields__ if key not in ("name", "trials")}
        return Trials(folder.resolve().name, trials=[Trial(**trial) for trial in content["trials"]], **given)


def short_names(keys: Sequence[str]) -> list[str]:
    """The last parts of dotted keys, as many as tell them apart.

    Example:
        >>> short_names(["model.init_args.lr", "a.steps", "b.steps"])
        ['lr', 'a.steps', 'b.steps']
    """
    names = []
    for key in keys:
        parts, others = key.split("."), [other.split(".") for other in keys if other != key]
        depth = next(n for n in range(1, len(parts) + 1) if all(parts[-n:] != o[-n:] for o in others))
        names.append(".".join(parts[-depth:]))
    return names


def shown(value: Any) -> str:
    """A setting or a measured value in a table."""
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)

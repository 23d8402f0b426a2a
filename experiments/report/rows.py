"""The table's rows: values with intervals, significance against a baseline, cost and the ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from experiments.report.arms import Arm
from experiments.report.comparison import Mark, best_of, difference, marks_against
from requery.errors import ConfigError

CEILING = "ceiling (oracle)"
MARKS = {"": "", "better": "▲", "worse": "▼"}


@dataclass(frozen=True)
class Cell:
    """One metric of one arm, as fractions.

    Args:
        value: mean over queries and seeds.
        low: lower end of the 95 % interval over queries; None for a ceiling.
        high: upper end.
        spread: standard deviation over seeds; None for one seed.
        mark: significantly better or worse than the baseline, Holm-corrected over the table.
        best: no arm is significantly better in this column.
    """

    value: float
    low: float | None = None
    high: float | None = None
    spread: float | None = None
    mark: Mark = ""
    best: bool = False


@dataclass(frozen=True)
class Row:
    """One arm of the table, or its ceiling.

    Args:
        name: the arm's name.
        kind: `baseline` is what the marks compare with, `ceiling` what an oracle reaches.
        cells: metric name -> cell; a metric the arm lacks is absent.
        seeds: runs averaged.
        false_negatives: share of the sampled negatives that are relevant, mean over epochs and seeds.
        seconds: training time, mean over seeds.
        notes: remarks on affected queries.
    """

    name: str
    kind: Literal["arm", "baseline", "ceiling"]
    cells: dict[str, Cell]
    seeds: int = 1
    false_negatives: float | None = None
    seconds: float | None = None
    notes: tuple[str, ...] = ()


def metrics_of(arms: Sequence[Arm]) -> list[str]:
    """Every metric of the arms, in the protocol's order."""
    return list(dict.fromkeys(name for arm in arms for name in arm.metrics))


def rows(arms: Sequence[Arm], baseline: str | None = None) -> list[Row]:
    """Turn arms of one section into rows: baseline first, then upwards by the first metric, ceiling last.

    Args:
        arms: arms with test runs under one protocol, split and data.
        baseline: name of the arm the marks compare with; None for `choose_baseline`.

    Raises:
        ConfigError: no arm, no baseline of that name, or arms of different protocols.
    """
    protocols = {(run.metrics or {})["protocol"] for arm in arms for run in arm.runs}
    if len(protocols) != 1:
        raise ConfigError(
            f"one table holds one protocol; these runs have {', '.join(sorted(protocols)) or 'none'}"
        )
    against = choose_baseline(arms, baseline)
    metrics = metrics_of(arms)
    values = {arm.name: {metric: arm.values(metric) for metric in arm.metrics} for arm in arms}
    marks = marks_against(values, against.name)
    best = {metric: best_of(values, metric) for metric in metrics}
    built = [
        Row(
            name=arm.name,
            kind="baseline" if arm is against else "arm",
            cells={
                metric: _cell(arm, metric, marks.get((arm.name, metric), ""), arm.name in best[metric])
                for metric in arm.metrics
            },
            seeds=len(arm.runs),
            false_negatives=_false_negatives(arm),
            seconds=train_seconds(arm),
            notes=notes_of(arm),
        )
        for arm in arms
    ]
    first = metrics[0]
    built.sort(
        key=lambda row: (row.kind != "baseline", row.cells[first].value if first in row.cells else 0.0)
    )
    return built + _ceiling(arms)


def choose_baseline(arms: Sequence[Arm], name: str | None = None) -> Arm:
    """The arm called `name`, or else the strongest training-free one, or else the weakest of all.

    Raises:
        ConfigError: there is no arm of that name.
    """
    if name is not None:
        for arm in arms:
            if arm.name == name:
                return arm
        raise ConfigError(f"no arm is called {name!r}; choose one of {', '.join(arm.name for arm in arms)}")
    free = [arm for arm in arms if not arm.fitted]
    return max(free, key=_score) if free else min(arms, key=_score)


def _score(arm: Arm) -> float:
    return float(np.nanmean(arm.values(arm.metrics[0])))


def train_seconds(arm: Arm) -> float | None:
    """Mean seconds of the stage `train` over the arm's training runs."""
    found = [
        stages["train"]["seconds"]
        for stages in ((run.cost or {}).get("stages") or {} for run in arm.trained)
        if "train" in stages
    ]
    return float(np.mean(found)) if found else None


def notes_of(arm: Arm) -> tuple[str, ...]:
    """What the score lines of the arm's runs remark, each once."""
    noted = [(run.metrics or {}).get("notes") or {} for run in arm.runs]
    found = [(key.replace("_", " "), value) for notes in noted for key, value in notes.items() if value]
    return tuple(dict.fromkeys(f"{key}: {value}" for key, value in found))


def _false_negatives(arm: Arm) -> float | None:
    """What training saw: the mean over all recorded epochs, not only the last."""
    key = "negatives/false_negative_rate"
    found = [row[key] for run in arm.trained for row in run.history if row.get(key) is not None]
    return float(np.mean(found)) if found else None


def _cell(arm: Arm, metric: str, mark: Mark, best: bool) -> Cell:
    if len(arm.runs) == 1:
        entry = (arm.runs[0].metrics or {})["metrics"][metric]
        return Cell(entry["value"], entry["low"], entry["high"], None, mark, best)
    spread = float(np.std([np.nanmean(column) for column in arm.columns(metric)], ddof=1))
    values = arm.values(metric)
    mean = difference(values, np.zeros_like(values))
    return Cell(mean.value, mean.low, mean.high, spread, mark, best)


def _ceiling(arms: Sequence[Arm]) -> list[Row]:
    for arm in arms:
        for run in arm.runs:
            ceiling = (run.metrics or {}).get("ceiling")
            if ceiling:
                return [Row(CEILING, "ceiling", {name: Cell(value) for name, value in ceiling.items()})]
    return []

"""What a ladder says: every cell with its interval, what each method adds, which combinations pay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from experiments.ladder.cells import NONE, Cell
from experiments.ladder.outcome import Outcome
from experiments.ladder.settings import METHODS, Ladder
from requery.episodes import CLEAN
from requery.ranking.bootstrap import interval, resampled_means
from requery.ranking.compared import RESAMPLES, Compared, compare
from requery.ranking.contributions import marginal, pareto, shapley, subsets
from requery.ranking.significance import Difference, holm

EVERY = "all"
"""In place of a shift's kind: the mean over all."""
Outcomes = Mapping[Cell, Outcome]


Columns = Mapping[str, Mapping[Cell, Compared]]
"""Metric -> cell -> mean, interval, and of the task's own metric gain and test."""


def rows(ladder: Ladder, outcomes: Outcomes, compared: Mapping[str, Columns]) -> list[dict[str, Any]]:
    """The content of `ladder.json`: a row for each cell and metric.

    `gain` is the paired difference to no method on the same queries, `p_holm` its randomisation test,
    corrected over all cells of a task; both of the metric that the ladder is about.

    Args:
        ladder: the settings.
        outcomes: of the cells.
        compared: `columns` of each task.
    """
    out = []
    for cell in _ordered(ladder, outcomes):
        outcome = outcomes[cell]
        for metric, values in outcome.values.items():
            found = compared[cell.task][metric][cell]
            out.append(
                {
                    "method": cell.method,
                    "shift": cell.segment.kind,
                    "severity": cell.segment.severity,
                    "task": cell.task,
                    "metric": metric,
                    "value": found.value,
                    "low": found.low,
                    "high": found.high,
                    "n": len(values),
                    "ms_per_query": sum(outcome.ms.values()),
                    "ms_by_stage": outcome.ms,
                    "gain": None if found.gain is None else asdict(found.gain),
                    "p_holm": found.p_holm,
                }
            )
    return out


def columns(ladder: Ladder, outcomes: Outcomes, task: str) -> Columns:
    """Compare a task's cells with no method under the same shift."""
    own = [cell for cell in outcomes if cell.task == task]
    return {
        metric: _column(own, outcomes, metric, tested=metric == ladder.tasks[task].metric)
        for metric in (outcomes[own[0]].values if own else ())
    }


def _column(own: Sequence[Cell], outcomes: Outcomes, metric: str, tested: bool) -> dict[Cell, Compared]:
    cells: dict[Cell, Compared] = {}
    for segment in dict.fromkeys(cell.segment for cell in own):
        under = {cell.method: cell for cell in own if cell.segment == segment}
        values = {name: outcomes[cell].values[metric] for name, cell in under.items()}
        compared = compare(values, NONE if tested and NONE in values else None)
        cells |= {under[name]: one for name, one in compared.items()}
    p = {cell: one.p for cell, one in cells.items() if one.p is not None}
    corrected = dict(zip(p, holm(list(p.values())), strict=True))  # over all shifts, not within one
    return {cell: replace(one, p_holm=corrected.get(cell)) for cell, one in cells.items()}


@dataclass(frozen=True)
class Contribution:
    """What a method adds on a task under one shift, in points of the headline metric.

    Args:
        task: the task.
        shift: its kind; `all` = the mean of a query's values over all shifts.
        severity: of the shift; 0 for the clean queries and for all.
        method: the method.
        alone: added to nothing.
        last: added to all the others.
        shapley: over all orders; over the methods these sum to what all add together.
    """

    task: str
    shift: str
    severity: int
    method: str
    alone: Difference
    last: Difference
    shapley: Difference


def contributions(ladder: Ladder, outcomes: Outcomes) -> list[Contribution]:
    """What each method adds, where all combinations of a task and shift are there."""
    out = []
    for name, task in ladder.tasks.items():
        own = _ordered(ladder, [cell for cell in outcomes if cell.task == name])
        of: dict[tuple[str, int], dict[frozenset[str], Tensor]] = {}
        for cell in own:
            values = outcomes[cell].values[task.metric].double()
            of.setdefault((cell.segment.kind, cell.segment.severity), {})[cell.methods] = values
        wanted = subsets(task.methods)
        whole = {shift: values for shift, values in of.items() if task.methods and len(values) == len(wanted)}
        shifted = [values for (kind, _), values in whole.items() if kind != CLEAN]
        if len(shifted) > 1 and len(whole) == len(of):
            means = {one: torch.stack([values[one] for values in shifted]).mean(0) for one in wanted}
            whole[EVERY, 0] = means
        for (kind, severity), values in whole.items():
            shares, everything = shapley(values, task.methods), frozenset(task.methods)
            for method in task.methods:
                alone = marginal(values, method, frozenset())
                last = marginal(values, method, everything - {method})
                adds = map(_mean, (alone, last, shares[method]))
                out.append(Contribution(name, kind, severity, method, *adds))
    return out


def front(ladder: Ladder, outcomes: Outcomes, task: str) -> dict[str, tuple[float, float, bool]]:
    """Combination -> milliseconds a query, mean headline metric over all shifts, whether none beats it.

    Combinations that lack a shift are left out.
    """
    metric = ladder.tasks[task].metric
    own = [cell for cell in outcomes if cell.task == task]
    n = len({cell.segment for cell in own})
    points: dict[str, tuple[float, float]] = {}
    for methods in subsets(ladder.tasks[task].methods):
        under = [cell for cell in own if cell.methods == methods]
        if under and len(under) == n:
            ms = sum(sum(outcomes[cell].ms.values()) for cell in under) / n
            value = sum(float(outcomes[cell].values[metric].double().mean()) for cell in under) / n
            points[under[0].method] = (ms, value)
    best = set(pareto(points))
    return {name: (*point, name in best) for name, point in points.items()}


def _mean(values: Tensor) -> Difference:
    low, high = interval(resampled_means(values[:, None], RESAMPLES, 0)).flatten().tolist()
    return Difference(float(values.mean()), low, high)


def _ordered(ladder: Ladder, found: Any) -> list[Cell]:
    """Cells as a reader wants them: by task, shift, number of methods."""
    tasks = list(ladder.tasks)

    def place(cell: Cell) -> tuple[Any, ...]:
        kinds = ["clean", *ladder.tasks[cell.task].shifts]
        names = [name in cell.methods for name in METHODS]
        shift = (kinds.index(cell.segment.kind), cell.segment.severity)
        return tasks.index(cell.task), shift, len(cell.methods), [not name for name in names]

    return sorted(found, key=place)

"""Rows of a table on the same queries: means with intervals, paired gains over a baseline and tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from requery.ranking.bootstrap import interval, resampled_means
from requery.ranking.significance import Difference, holm, paired_randomisation

RESAMPLES = 2_000


@dataclass(frozen=True)
class Compared:
    """A row under a metric: the mean over queries with its 95 % interval.

    Args:
        value: the mean.
        low: lower end.
        high: upper end.
        gain: mean difference to the baseline, paired over queries; None for the baseline, and where nothing
            is compared.
        p: of the two-sided paired randomisation test of that difference; likewise.
        p_holm: the same, corrected (Holm) for the number of rows.
    """

    value: float
    low: float
    high: float
    gain: Difference | None = None
    p: float | None = None
    p_holm: float | None = None


def compare(values: Mapping[str, Tensor], baseline: str | None = None, seed: int = 0) -> dict[str, Compared]:
    """The column of one metric.

    Args:
        values: row -> `(Q,)` of each query.
        baseline: the row that the others are compared with; None compares nothing.
        seed: of resamples and flips.
    """
    columns = {name: own.double() for name, own in values.items()}
    rivals = [name for name in columns if name != baseline] if baseline is not None else []
    gains = {name: columns[name] - columns[str(baseline)] for name in rivals}
    stacked = torch.stack([*columns.values(), *gains.values()], 1)  # (Q, rows + rivals)
    low, high = interval(resampled_means(stacked, RESAMPLES, seed)).tolist()
    p = {name: paired_randomisation(columns[name], columns[str(baseline)], seed=seed) for name in rivals}
    corrected = dict(zip(p, holm(list(p.values())), strict=True))
    found = {}
    for at, (name, own) in enumerate(columns.items()):
        gain = None
        if name in gains:
            place = len(columns) + rivals.index(name)
            gain = Difference(float(gains[name].mean()), low[place], high[place])
        found[name] = Compared(float(own.mean()), low[at], high[at], gain, p.get(name), corrected.get(name))
    return found

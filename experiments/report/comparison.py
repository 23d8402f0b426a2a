"""Paired comparisons of arms on the same queries, corrected for their number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch

from experiments.report.arms import Values
from requery.ranking.significance import Difference, holm, paired_bootstrap, paired_randomisation

LEVEL = 0.05
Mark = Literal["", "better", "worse"]
Table = Mapping[str, Mapping[str, Values]]
"""Arm -> metric -> `(Q,)` values, aligned over arms."""


def difference(a: Values, b: Values) -> Difference:
    """Mean of a - b over queries with its 95 % interval."""
    return paired_bootstrap(*_paired(a, b))


def p_value(a: Values, b: Values) -> float:
    """Two-sided p of equal means, by paired randomisation."""
    return paired_randomisation(*_paired(a, b))


def _paired(a: Values, b: Values) -> tuple[torch.Tensor, torch.Tensor]:
    both = np.isfinite(a) & np.isfinite(b)  # a query without a subset has no recall_subset@k
    return torch.from_numpy(a[both]), torch.from_numpy(b[both])


def marks_against(values: Table, baseline: str) -> dict[tuple[str, str], Mark]:
    """Which (arm, metric) differ from the baseline, Holm-corrected over the whole table."""
    base = values[baseline]
    others = [arm for arm in values if arm != baseline]
    pairs = [(arm, metric) for arm in others for metric in values[arm] if metric in base]
    corrected = holm([p_value(values[arm][metric], base[metric]) for arm, metric in pairs])
    found: dict[tuple[str, str], Mark] = {}
    for (arm, metric), p in zip(pairs, corrected, strict=True):
        if p < LEVEL:
            above = np.nanmean(values[arm][metric] - base[metric]) > 0
            found[arm, metric] = "better" if above else "worse"
    return found


def best_of(values: Table, metric: str) -> set[str]:
    """The arm with the highest mean and every arm not significantly below it, Holm-corrected over the column.

    Nobody is best where no arm is significantly below the highest.
    """
    column = {arm: row[metric] for arm, row in values.items() if metric in row}
    if not column:
        return set()
    top = max(column, key=lambda arm: float(np.nanmean(column[arm])))
    others = [arm for arm in column if arm != top]
    corrected = holm([p_value(column[top], column[arm]) for arm in others])
    tied = {arm for arm, p in zip(others, corrected, strict=True) if p >= LEVEL}
    return {top} | tied if len(tied) < len(others) else set()

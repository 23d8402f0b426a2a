"""Rows by rounds: values of each query to means with intervals, paired gains and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from requery.ranking.bootstrap import interval, resampled_means
from requery.ranking.significance import (
    Difference,
    holm,
    paired_bootstrap,
    paired_randomisation,
)

RESAMPLES = 2_000


@dataclass(frozen=True)
class RoundCell:
    """A row in a round: the mean over queries with its 95 % interval.

    Args:
        value: the mean.
        low: lower end.
        high: upper end.
        gain: mean difference to no feedback, paired over queries; None in the first round and for the
            baseline.
        p: of the two-sided paired randomisation test of that difference; likewise.
        p_holm: the same, corrected (Holm) for the number of rows.
    """

    value: float
    low: float
    high: float
    gain: Difference | None = None
    p: float | None = None
    p_holm: float | None = None


Rows = Mapping[str, Sequence[RoundCell]]
"""Row -> its rounds."""


def round_table(values: Mapping[str, Tensor], baseline: str, seed: int = 0) -> Rows:
    """The table of one metric.

    Args:
        values: row -> `(R, Q)` of each query in each round.
        baseline: the row without feedback.
        seed: of resamples and flips.
    """
    names, rounds = list(values), len(values[baseline])
    stacked = torch.stack([values[name].double() for name in names], 1)  # (R, rows, Q)
    ends = interval(resampled_means(stacked.flatten(0, 1).T, RESAMPLES, seed)).view(2, rounds, len(names))
    table: dict[str, list[RoundCell]] = {name: [] for name in names}
    for number in range(rounds):
        reference = stacked[number, names.index(baseline)]
        rivals = [name for name in names if name != baseline] if number else []
        tested = {name: stacked[number, names.index(name)] for name in rivals}
        p = {name: paired_randomisation(own, reference, seed=seed) for name, own in tested.items()}
        corrected = dict(zip(p, holm(list(p.values())), strict=True))
        for at, name in enumerate(names):
            gain = None
            if name in tested:
                gain = paired_bootstrap(tested[name], reference, n=RESAMPLES, seed=seed)
            mean, (low, high) = float(stacked[number, at].mean()), ends[:, number, at].tolist()
            table[name].append(RoundCell(mean, low, high, gain, p.get(name), corrected.get(name)))
    return table


def differences(a: Tensor, b: Tensor, seed: int = 0) -> list[Difference]:
    """Two rows' mean difference in each round, `(R, Q)` each, paired over queries."""
    return [paired_bootstrap(x, y, n=RESAMPLES, seed=seed) for x, y in zip(a, b, strict=True)]

"""Rows by rounds: values of each query to means with intervals, paired gains and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from requery.ranking.compared import RESAMPLES, Compared, compare
from requery.ranking.significance import Difference, paired_bootstrap

Rows = Mapping[str, Sequence[Compared]]
"""Row -> its rounds."""


def round_table(values: Mapping[str, Tensor], baseline: str, seed: int = 0) -> Rows:
    """The table of one metric; the first round, in which all rows are the same, is not compared.

    Args:
        values: row -> `(R, Q)` of each query in each round.
        baseline: the row without feedback.
        seed: of resamples and flips.
    """
    columns = [
        compare({name: own[number] for name, own in values.items()}, baseline if number else None, seed)
        for number in range(len(values[baseline]))
    ]
    return {name: [column[name] for column in columns] for name in values}


def differences(a: Tensor, b: Tensor, seed: int = 0) -> list[Difference]:
    """Two rows' mean difference in each round, `(R, Q)` each, paired over queries."""
    return [paired_bootstrap(x, y, n=RESAMPLES, seed=seed) for x, y in zip(a, b, strict=True)]

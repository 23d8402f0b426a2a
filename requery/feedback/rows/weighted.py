"""What rows by the Rocchio update share."""

from __future__ import annotations

from dataclasses import dataclass

from requery.feedback.row import Row


@dataclass(frozen=True, kw_only=True)
class Weighted(Row):
    """A row that moves queries by the Rocchio update.

    Args:
        alpha: weight of the query.
        beta: weight of the positive.
        gamma: weight of the negative.
    """

    alpha: float = 0.8
    beta: float = 0.1
    gamma: float = 0.1

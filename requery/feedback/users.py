"""A simulated user who marks what is shown, not always rightly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from requery.feedback.settings import check_settings
from requery.ragged import Ragged
from requery.rng import draws

User = Callable[[Tensor, int, Tensor], Tensor]
"""Query numbers `(Q,)`, the round's number and the items shown `(Q, K)` to marks `(Q, K)` in [-1, 1]: above 0
relevant, below 0 irrelevant, 0 not judged. A model that judges the shown is a user as well."""

_LOOKS, _ERRS = 0, 1


@dataclass(frozen=True, eq=False)
class SimulatedUser:
    """Looks down the list and marks items relevant (1) or irrelevant (-1); knows the truth.

    Everything is drawn by (seed, query, round, position), so it does not depend on how queries are batched.

    Args:
        relevant: rows of all the task's queries, the items that satisfy them (`qrels.relevant`).
        wrong: probability of a wrong mark.
        position_bias: the item at position j, from 1, is looked at with probability j ** -position_bias;
            0 = every item.
        budget: marks a round, given to the first items looked at; null = no limit.
        seed: of the draws.
    """

    relevant: Ragged
    wrong: float = 0.0
    position_bias: float = 0.0
    budget: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)

    def __call__(self, rows: Tensor, number: int, items: Tensor) -> Tensor:
        """Mark the items shown in one round; see `User`."""
        items, rows = items.cpu(), rows.cpu()
        truth = torch.isin(_key(rows[:, None], items), _key(self.relevant.row_of, self.relevant.values))
        place = torch.arange(items.shape[1])
        looked = self._uniform(rows, number, place, _LOOKS) < (place + 1.0) ** -self.position_bias
        if self.budget is not None:
            looked &= looked.cumsum(1) <= self.budget
        erred = self._uniform(rows, number, place, _ERRS) < self.wrong
        return torch.where(truth ^ erred, 1.0, -1.0) * looked

    def _uniform(self, rows: Tensor, number: int, place: Tensor, purpose: int) -> Tensor:
        """`(Q, K)` float64 in [0, 1)."""
        bits = draws(self.seed, rows[:, None].numpy(), number, place.numpy(), purpose)
        return torch.from_numpy((bits >> 11) * 2.0**-53)


def _key(rows: Tensor, items: Tensor) -> Tensor:
    return (rows.long() << 32) | items.long()

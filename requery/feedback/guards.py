"""Guards against drift: what keeps feedback from carrying a query away."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from requery.feedback.settings import check_settings
from requery.feedback.shown import Shown


@dataclass(frozen=True)
class Guards:
    """When a query is left as it is, and how much of the first one it keeps. All are off by default.

    The gap is how far the first score stands above the mean of the others shown. That it tells when to trust
    feedback is our assumption: fit its bounds on a validation split.

    Args:
        first_weight: share of the first query in every later one; the authors' VisualReF takes 0.5.
        stop_when_repeated: no more feedback once the same K items are shown in the same order again.
        least_gap: no feedback where the gap is below it; null = no bound.
        most_gap: no feedback where the gap is above it; null = no bound.
    """

    first_weight: float = 0.0
    stop_when_repeated: bool = False
    least_gap: float | None = None
    most_gap: float | None = None

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def gated(self) -> bool:
        """Whether the gap counts."""
        return self.least_gap is not None or self.most_gap is not None

    def hold(self, moved: Tensor, shown: Shown, before: Tensor | None) -> Tensor:
        """Correct the queries a strategy gave.

        Args:
            moved: `(Q, D)`.
            shown: the round they come from.
            before: `(Q, K)` items shown in the round before that; None in the first.

        Returns:
            `(Q, D)`.
        """
        if self.first_weight > 0:
            moved = F.normalize(torch.lerp(moved, shown.first, self.first_weight), dim=-1)
        stays = torch.zeros(len(moved), dtype=torch.bool, device=moved.device)
        if self.stop_when_repeated and before is not None:
            stays |= (shown.items == before).all(1)
        if self.gated:
            gap = shown.scores[:, 0] - shown.scores[:, 1:].mean(1)
            low = -torch.inf if self.least_gap is None else self.least_gap
            high = torch.inf if self.most_gap is None else self.most_gap
            stays |= ((gap < low) | (gap > high)).to(stays.device)
        return torch.where(stays[:, None], shown.queries, moved)

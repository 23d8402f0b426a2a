"""Feedback from a user's marks, by the Rocchio update."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from requery.feedback.shown import Shown
from requery.feedback.strategy import RocchioStrategy


@dataclass(frozen=True, kw_only=True)
class MarkedRocchio(RocchioStrategy):
    """Towards the mean of the items marked relevant in any round, away from that of the irrelevant ones.

    Weights of VisualReF (Khaertdinov et al. 2025), which takes the embeddings of phrases the user types; that
    they are those of the images is ours. Graded marks weigh the means.
    """

    alpha: float = 0.6
    beta: float = 0.2
    gamma: float = 0.2

    def directions(self, shown: Shown) -> tuple[Tensor, Tensor]:
        """Unit vectors, 0 where nothing is marked so."""
        judged = shown.require_judged(self.name)
        vectors, marks = shown.vectors(judged.items), judged.marks.to(shown.queries)
        pull = F.normalize((marks.clamp(min=0)[..., None] * vectors).sum(1), dim=-1)
        push = F.normalize((marks.clamp(max=0).neg()[..., None] * vectors).sum(1), dim=-1)
        return pull, push

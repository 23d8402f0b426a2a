"""Candidates ranked by the nearest items a user marked."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from requery.feedback.shown import Shown
from requery.feedback.strategy import Reranking


@dataclass(frozen=True, kw_only=True)
class NearestMarked(Reranking):
    """A 1-nearest-neighbour classifier on the marked images, as Nara et al. (arXiv 2404.16398) propose.

    A candidate scores its similarity to the nearest image marked relevant, less that to the nearest one
    marked irrelevant; a side without a mark counts 0. How their classifier orders candidates was not at hand:
    this margin, and the weight of the query beside it, are ours. Without any mark the search's order stays.

    Args:
        query_weight: of the search's score beside the margin.
    """

    query_weight: float = 1.0

    def rescore(self, shown: Shown, items: Tensor, scores: Tensor) -> Tensor:
        """By the marks of all rounds so far."""
        judged = shown.require_judged(self.name)
        marked, candidates = shown.vectors(judged.items), shown.vectors(items)
        likeness = torch.einsum("qpd,qjd->qpj", candidates, marked)
        marks = judged.marks.to(likeness.device)[:, None, :]
        sides = [likeness.masked_fill(other, -torch.inf).amax(2) for other in (marks <= 0, marks >= 0)]
        near, far = (torch.where(side.isfinite(), side, 0) for side in sides)
        return self.query_weight * scores + near - far

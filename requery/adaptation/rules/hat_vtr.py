"""HAT-VTR: candidates and ranking without the hubs of recent queries."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from requery.adaptation.gallery import Gallery
from requery.adaptation.hubness import suppress_hubs
from requery.adaptation.methods import HATVTR
from requery.adaptation.rules.base import Step
from requery.adaptation.rules.refined import Refined


class HubAware(Refined):
    """HAT-VTR's step; the first batch, without a past, is ranked by plain scores.

    Args:
        method: settings.
        gallery: fixed.
    """

    criterion = "diverse"
    ranks_by_scores = True
    memory: Tensor | None
    pending: Tensor | None

    def __init__(self, method: HATVTR, gallery: Gallery) -> None:
        self.hat = method
        super().__init__(method, gallery)

    def loss(self, step: Step) -> Tensor | None:
        if step.number == 0 and self.pending is not None:
            rows = [self.pending] if self.memory is None else [self.memory, self.pending]
            self.memory, self.pending = torch.cat(rows)[-self.hat.memory :], None
        loss = super().loss(step)
        if step.last:
            self.pending = self.plain
        return loss

    def nearest(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            self.plain = self.gallery.scores(queries)
            items = self._corrected(self.plain).argmax(1)
        return items, self.gallery.closest_token(queries, items)

    def scores(self, queries: Tensor) -> Tensor:
        return self._corrected(self.gallery.scores(queries))

    def _corrected(self, scores: Tensor) -> Tensor:
        if self.memory is None:
            return scores
        hat = self.hat
        rows = suppress_hubs(torch.cat([self.memory, scores]), hat.hub_queries, hat.hub_items, hat.hub_share)
        return rows[-len(scores) :]

    def reset(self) -> None:
        super().reset()
        self.memory = None
        self.pending = None

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"memory": self.memory, "pending": self.pending}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.memory, self.pending = state["memory"], state["pending"]

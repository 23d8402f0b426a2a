"""REST: TCR's objective with its gradient decoupled from what the source model knows (our designs)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from requery.adaptation import decoupling
from requery.adaptation.gallery import Gallery
from requery.adaptation.methods import REST
from requery.adaptation.rules.base import Step
from requery.adaptation.rules.refined import Refined, View
from requery.adaptation.sam import Gradients
from requery.adaptation.source_queue import source_likeness

_GRADIENTS_KEPT = 16
_CONFLICTS = {
    "prograd": decoupling.prograd,
    "pcgrad": decoupling.pcgrad,
    "orthogonal": decoupling.orthogonal,
}


class Decoupled(Refined):
    """REST's step.

    Args:
        method: settings.
        gallery: fixed.
    """

    directions: Tensor | None

    def __init__(self, method: REST, gallery: Gallery) -> None:
        self.rest = method
        super().__init__(method, gallery)

    def terms(self, view: View, step: Step) -> dict[str, Tensor]:
        self._view = view
        return super().terms(view, step)

    def gradients(self, step: Step) -> Gradients | None:
        seen, name, strength = self.queue.seen, self.rest.decoupling, self.rest.decoupling_strength
        loss = self.loss(step)
        if loss is None:
            return None
        if name == "subspace":
            if self.queue.seen > seen:
                self._collect(step)
            return decoupling.subspace(step.gradients(loss), self.basis, strength)
        # At the source weights the knowledge gradient is 0, and what is computed for it is rounding noise.
        if name == "none" or step.at_source:
            return step.gradients(loss)
        if name == "l2_anchor":
            return decoupling.l2_anchor(step.gradients(loss), step.parameters, step.source, strength)
        adaptation = step.gradients(loss, keep_graph=True)
        return _CONFLICTS[name](adaptation, step.gradients(self._divergence(step)), strength)

    def _divergence(self, step: Step) -> Tensor:
        """KL(p_source ‖ p_theta) of the refined predictions of the batch; no source data are needed."""
        with torch.no_grad():
            source = self.logits(step.encode_source(), self._view.pairs.items).log_softmax(1)
        return F.kl_div(self._view.logits.log_softmax(1), source, reduction="batchmean", log_target=True)

    def _collect(self, step: Step) -> None:
        """Add the direction in which the source-like pairs of this batch would move the weights."""
        n = len(step.queries)
        likeness = source_likeness(step.queries.detach(), self._view.pairs.candidates[-n:])
        rows = likeness.argsort(stable=True)[: max(1, int(self.method.queue_ratio * n))]
        nearest = self._view.logits[rows].log_softmax(1).max(1).values
        direction = decoupling.flatten(step.gradients(-nearest.mean(), keep_graph=True))
        unit = F.normalize(direction, dim=0)[None]
        kept = unit if self.directions is None else torch.cat([self.directions, unit])
        self._span(kept[-_GRADIENTS_KEPT:])

    def _span(self, directions: Tensor) -> None:
        self.directions = directions
        self.basis = decoupling.main_directions(directions, self.rest.subspace_rank)

    def reset(self) -> None:
        super().reset()
        self.directions = None

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"directions": self.directions}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.directions = state["directions"]
        if self.directions is not None:
            self._span(self.directions)

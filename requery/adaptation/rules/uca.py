"""UCA: how sure the predictions are is held near the source's."""

from __future__ import annotations

from torch import Tensor

from requery.adaptation.gallery import Gallery
from requery.adaptation.methods import UCA
from requery.adaptation.objective import (
    confidence_drift,
    confidence_margins,
    gap_weighted_entropy,
    modality_gap,
    row_entropy,
)
from requery.adaptation.rules.base import Step
from requery.adaptation.rules.refined import Refined, View


class Confident(Refined):
    """UCA's step.

    Args:
        method: settings.
        gallery: fixed.
    """

    def __init__(self, method: UCA, gallery: Gallery) -> None:
        self.uca = method
        super().__init__(method, gallery)

    def terms(self, view: View, step: Step) -> dict[str, Tensor]:
        margins = confidence_margins(view.logits * self.settings.temperature)
        drift = confidence_drift(margins, self.queue.margin, self.uca.confidence_tolerance)
        return super().terms(view, step) | {"confidence": self.uca.confidence_weight * drift}

    def consistency(self, view: View) -> Tensor:
        """Sharpen all predictions, less where the gap is wider than the source's."""
        gap = modality_gap(view.pairs.queries, view.pairs.candidates)
        return gap_weighted_entropy(row_entropy(view.logits), gap, self.queue.gap)

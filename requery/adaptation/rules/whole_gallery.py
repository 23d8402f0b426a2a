"""The published baselines: a loss on the predictions over the whole gallery."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from requery.adaptation import baselines
from requery.adaptation.gallery import Gallery
from requery.adaptation.methods import EATA, READ, SAR, SHOT, DeYO, Tent
from requery.adaptation.objective import row_entropy
from requery.adaptation.patches import shuffle_patches
from requery.adaptation.rules.base import Rule, Step
from requery.adaptation.sam import Gradients, sharpness_aware
from requery.errors import ConfigError


class WholeGallery(Rule):
    """Tent, EATA, READ, SHOT and DeYO.

    Args:
        method: settings.
        gallery: fixed.
    """

    average: Tensor | None

    def __init__(self, method: Tent, gallery: Gallery) -> None:
        self.method = method
        super().__init__(gallery)

    def logits(self, queries: Tensor) -> Tensor:
        """`(B, M)` similarities over the temperature, which is nowhere but here."""
        return self.gallery.scores(queries) / self.method.temperature

    def loss(self, step: Step) -> Tensor | None:
        logits, method = self.logits(step.queries), self.method
        self.predicted = logits.detach().argmax(1)
        match method:
            case EATA():
                loss, self.average = baselines.eata(logits, self.average, method.margin, method.distance)
            case READ():
                loss = baselines.read(logits)
            case SHOT():
                loss = baselines.shot(logits, method.confidence, method.pseudo_label_weight)
            case DeYO():
                loss = baselines.deyo(
                    logits,
                    self._shuffled(step, method) if method.shuffle else None,
                    share=method.share,
                    margin=method.margin,
                    least_drop=method.least_drop,
                )
            case _:
                loss = baselines.tent(logits)
        self.losses = {"total": loss.detach()}
        return loss

    def _shuffled(self, step: Step, method: DeYO) -> Tensor:
        images = step.batch
        if not isinstance(images, Tensor) or images.ndim != 4:
            raise ConfigError("DeYO shuffles patches of (B, C, H, W) images: for other queries shuffle=false")
        moved = shuffle_patches(images, step.items, step.number, step.seed, method.grid)
        with torch.no_grad():
            return self.logits(step.encode(moved))

    def reset(self) -> None:
        self.average = None

    def state_dict(self) -> dict[str, Any]:
        return {"average": self.average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.average = state["average"]


class SharpnessAware(Rule):
    """SAR: two passes a step, and a new start once the loss has sunk too low.

    Args:
        method: settings.
        gallery: fixed.
    """

    average: float | None

    def __init__(self, method: SAR, gallery: Gallery) -> None:
        self.method = method
        super().__init__(gallery)

    def gradients(self, step: Step) -> Gradients | None:
        method = self.method
        logits = self.gallery.scores(step.queries) / method.temperature
        self.predicted = logits.detach().argmax(1)
        first, kept, threshold = baselines.sar_first(row_entropy(logits), method.margin)

        def second() -> Gradients:
            again = self.gallery.scores(step.encode(step.batch)) / method.temperature
            loss = baselines.sar_second(row_entropy(again), kept, threshold)
            self.losses = {"total": first.detach(), "second": loss.detach()}
            return step.gradients(loss)

        gradients = sharpness_aware(step.parameters, step.gradients(first), second, method.rho)
        value = float(self.losses["second"])
        self.average = value if self.average is None else 0.9 * self.average + 0.1 * value
        return gradients

    @property
    def starts_anew(self) -> bool:
        return self.average is not None and self.average < self.method.reset_below

    def reset(self) -> None:
        self.average = None

    def state_dict(self) -> dict[str, Any]:
        return {"average": self.average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.average = state["average"]

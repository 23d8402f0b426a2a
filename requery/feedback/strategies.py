"""Feedback without a user: none, on images, on captions, from the truth, and two classics.

PRF, GRF and Explicit are those of Khaertdinov et al. (arXiv 2511.17255) with the defaults of their code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from requery.errors import DataError
from requery.feedback.last import last_items
from requery.feedback.rocchio import rocchio
from requery.feedback.shown import Shown
from requery.feedback.strategy import RocchioStrategy, SoftmaxStrategy, Strategy
from requery.rng import uniform_below


@dataclass(frozen=True)
class NoFeedback(Strategy):
    """The first search, in every round."""

    def move(self, shown: Shown) -> Tensor:
        """Leave the queries as they are."""
        return shown.queries


@dataclass(frozen=True)
class PRF(SoftmaxStrategy):
    """Pseudo-relevance feedback on the embeddings of the shown images; of several an image, on their mean."""

    def embeddings(self, shown: Shown) -> Tensor:
        """Of the images."""
        return shown.vectors(shown.items)


@dataclass(frozen=True, eq=False)
class GRF(SoftmaxStrategy):
    """Generative relevance feedback, on the embeddings of captions of the shown images.

    The captions are a model's. With those of the annotators it is PRF on captions, an oracle: say so in
    `label`.

    Args:
        captions: `(N, D)` unit embeddings, one caption an image.
        label: where they come from.
    """

    official_normalises: ClassVar[bool] = False

    captions: Tensor
    label: str = "generated"

    @property
    def name(self) -> str:
        """With the origin of the captions."""
        return f"GRF ({self.label})"

    def embeddings(self, shown: Shown) -> Tensor:
        """Of the captions."""
        return shown.look_up(self.captions, shown.items)


@dataclass(frozen=True, eq=False)
class Explicit(RocchioStrategy):
    """A user who describes the target: another caption of it is the positive, whatever was shown.

    The paper's upper bound. It reads the truth.

    Args:
        captions: `(Q, D)`, or `(Q, C, D)` of which one is drawn, other captions of each query's target.
        draw: a caption for each `round` (official) or `once` for all.
        seed: of the draws, by (seed, query, round).
    """

    captions: Tensor
    draw: Literal["round", "once"] = "round"
    seed: int = 28

    def directions(self, shown: Shown) -> tuple[Tensor, None]:
        """The caption, and no negative.

        Raises:
            DataError: a query has no caption.
        """
        rows, last = shown.rows.cpu(), int(shown.rows.max())
        if last >= len(self.captions):
            raise DataError(f"query {last} has no caption among {len(self.captions)}; give those of all")
        captions = self.captions if self.captions.ndim == 3 else self.captions[:, None]
        number = shown.number if self.draw == "round" else 0
        chosen = uniform_below(captions.shape[1], self.seed, rows.numpy(), number)
        drawn = captions[rows.to(captions.device), torch.from_numpy(chosen).to(captions.device)]
        return F.normalize(drawn.to(shown.queries), dim=-1), None


@dataclass(frozen=True, eq=False)
class OriginalRocchio(RocchioStrategy):
    """Rocchio (1971) with pseudo-labels: mean of the first K items of the ranking, mean of the last K.

    The last K cost a second pass over the gallery.

    Args:
        captions: `(N, D)` on whose embeddings it works; None = those of the images.
    """

    captions: Tensor | None = None

    def directions(self, shown: Shown) -> tuple[Tensor, Tensor]:
        """Neither is normalised (official)."""
        last = last_items(shown.queries, shown.index, shown.items.shape[1])
        return self._mean(shown, shown.items), self._mean(shown, last)

    def _mean(self, shown: Shown, items: Tensor) -> Tensor:
        if self.captions is None:
            return shown.vectors(items).mean(1)
        return shown.look_up(self.captions, items).mean(1)


@dataclass(frozen=True)
class VectorPRF(Strategy):
    """Vector PRF of Li et al. (TOIS 2023): the shown are all relevant, nothing is not.

    Queries are normalised here, which changes no ranking.

    Args:
        mode: `average` = the mean of the query and the K items; `rocchio` = alpha q + beta mean of the items.
        alpha: weight of the query, with `rocchio`.
        beta: weight of the items, with `rocchio`.
    """

    mode: Literal["average", "rocchio"] = "average"
    alpha: float = 0.4
    beta: float = 0.6

    def move(self, shown: Shown) -> Tensor:
        """Start from `shown.base`."""
        mean, k = shown.vectors(shown.items).mean(1), shown.items.shape[1]
        weights = (1, k) if self.mode == "average" else (self.alpha, self.beta)
        return rocchio(shown.base, mean, None, *weights)

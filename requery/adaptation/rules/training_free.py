"""TCR without gradients: the query embeddings themselves are spread and moved."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from requery.adaptation.gallery import Gallery
from requery.adaptation.methods import TrainingFreeTCR
from requery.adaptation.objective import modality_gap
from requery.adaptation.rules.refined import Bearings


class TrainingFree(Bearings):
    """The training-free variant of TCR's official code.

    Args:
        method: settings.
        gallery: fixed.
    """

    def __init__(self, method: TrainingFreeTCR, gallery: Gallery) -> None:
        self.scale = method.scale
        super().__init__(method, gallery)

    def refine(self, queries: Tensor) -> Tensor:
        if not bool(queries.isfinite().all()):  # it would poison the queue
            return queries
        view = self.view(queries)
        self.offer(view)
        self.remember(view)
        if not len(self.queue):
            return queries
        pairs = view.pairs
        gap = modality_gap(pairs.queries, pairs.candidates)
        if gap == 0:
            return queries
        centre = pairs.queries.mean(0)
        spread = self.scale * (queries - centre) + centre
        return F.normalize(spread + (1 - self.queue.gap / gap) * (pairs.candidates.mean(0) - centre))

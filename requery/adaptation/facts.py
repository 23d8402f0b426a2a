"""What adaptation did to a stream's queries, in numbers: how they spread, and how far the gallery is."""

from __future__ import annotations

import torch
from torch import Tensor

from requery.adaptation.adapter import Adapter
from requery.adaptation.objective import modality_gap, query_uniformity

FACTS = ("uniformity", "gap", "source_gap", "threshold", "updates", "adapted")
"""`uniformity`: mean exp(-t‖q - mean q‖) of the queries, small where they are spread; `gap`: distance between
the means of the queries and of their nearest items; `source_gap` and `threshold`: what the source-like pairs
say (Delta_S and E_m); `updates` so far; `adapted`: share of the batches so far that were adapted to."""


@torch.no_grad()
def stream_facts(queries: Tensor, adapter: Adapter, adapted: float) -> Tensor:
    """The facts in the order of their names, `(6,)` float64; NaN where a method has no source-like pairs.

    Args:
        queries: `(Q, D)` unit embeddings the segment was ranked with.
        adapter: that made them.
        adapted: share of the batches.
    """
    queue = adapter.rule.queue
    known = queue is not None and len(queue) > 0
    return torch.tensor(
        [
            float(query_uniformity(queries)),
            float(modality_gap(queries, adapter.gallery.nearest(queries)[1])),
            float(queue.gap) if queue is not None and known else torch.nan,
            float(queue.max_entropy) if queue is not None and known else torch.nan,
            adapter.counts["updates"],
            adapted,
        ],
        dtype=torch.float64,
    )

"""Correction of hubs: items that come first for many queries are pulled down."""

from __future__ import annotations

import torch
from torch import Tensor


def suppress_hubs(
    scores: Tensor, over_queries: float = 100.0, over_items: float = 10.0, share: float = 0.5
) -> Tensor:
    """Weight each similarity by its softmax among the queries and among the items (HAT-VTR).

    share · S · softmax_queries(100 S) + (1 - share) · S · softmax_items(10 S): an item that is near many
    queries has a small weight for each.

    Args:
        scores: `(Q, M)` cosine similarities of recent queries and those of now.
        over_queries: inverse temperature of the softmax down each column.
        over_items: inverse temperature of the softmax along each row.
        share: of the first term.

    Returns:
        `(Q, M)`; scores to rank by, no longer cosines.
    """
    down = (over_queries * scores).softmax(0)
    along = (over_items * scores).softmax(1)
    return scores * torch.lerp(along, down, share)

"""Galleries of one embedding an item: what approximate indexes hold, and exact scores of some of it."""

from __future__ import annotations

import torch
from torch import Tensor

from requery.errors import EmbeddingError
from requery.ranking.embeddings import check_embeddings

_HELD = 1 << 24
"""Numbers of candidates' embeddings held at one time."""


def one_each(embeddings: Tensor, dim: int | None) -> Tensor:
    """Check embeddings before they are added, `(n, D)` or `(n, 1, D)` to `(n, D)` float32 on the CPU.

    Args:
        embeddings: one an item.
        dim: D of what the index holds; None where it is empty.

    Raises:
        EmbeddingError: an item has several embeddings, or NaN, infinite or zero norm; or sizes differ.
    """
    items = embeddings.detach().float().cpu()
    if items.ndim == 3 and items.shape[1] == 1:
        items = items[:, 0]
    if items.ndim != 2:
        raise EmbeddingError(
            f"this index takes one embedding an item, (n, D), not {tuple(embeddings.shape)}; use ExactIndex"
        )
    check_embeddings(items, "gallery")
    if dim is not None and items.shape[1] != dim:
        raise EmbeddingError(f"items of {items.shape[1]} dimensions do not fit an index of {dim}")
    return items.contiguous()


def score_candidates(queries: Tensor, gallery: Tensor, candidates: Tensor) -> Tensor:
    """Score some items of each query exactly, by inner product.

    Args:
        queries: `(Q, D)`.
        gallery: `(N, D)`.
        candidates: `(Q, C)` int64 items; -1 for none.

    Returns:
        `(Q, C)` float32, -inf for none.
    """
    step = max(1, _HELD // max(1, candidates.shape[1] * gallery.shape[1]))
    parts = [
        torch.einsum("qcd,qd->qc", gallery[own.clamp(min=0)], asked)
        for asked, own in zip(torch.split(queries, step), torch.split(candidates, step), strict=True)
    ]
    return torch.cat(parts).masked_fill_(candidates < 0, -torch.inf)

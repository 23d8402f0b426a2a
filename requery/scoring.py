"""The score of a query and an item that has several tokens."""

from __future__ import annotations

import torch
from torch import Tensor


def max_token_score(query: Tensor, items: Tensor) -> Tensor:
    """Best inner product of a query over the tokens of its items: s = max over t of <q, item_t>.

    With unit vectors this is the largest cosine (QuRe, Kwak et al. 2025, §3.1); the temperature is the
    caller's. For the scores of all items of a gallery see `requery.ranking.tiles.Tiles.rows`.

    Args:
        query: `(B, D)`.
        items: `(B, T, D)`, one item per query, or `(B, K, T, D)`, K items per query.

    Returns:
        `(B,)` or `(B, K)`.

    >>> max_token_score(torch.tensor([[1.0, 0.0]]), torch.tensor([[[0.6, 0.8], [0.8, -0.6]]]))
    tensor([0.8000])
    """
    if items.ndim not in (3, 4):
        raise ValueError(f"items must be (B, T, D) or (B, K, T, D), not {tuple(items.shape)}")
    return torch.einsum("bd,b...td->b...t", query, items).amax(-1)

"""The last items of a ranking."""

from __future__ import annotations

import torch
from torch import Tensor

from requery.index.base import VectorIndex
from requery.ranking.top import pack, unpack

_SCORES = 1 << 22
"""Scores held at one time: 16 MiB."""


def last_items(queries: Tensor, index: VectorIndex, k: int) -> Tensor:
    """Find the last k items of each ranking: lowest score first, of equals the one of the largest number.

    Args:
        queries: `(Q, D)`.
        index: of `N` items.
        k: how many, clipped to `N`.

    Returns:
        `(Q, k)` int64.
    """
    n, wanted = len(index), queries.float()
    last = torch.empty(len(queries), 0, dtype=torch.int64, device=queries.device)
    for items in torch.split(torch.arange(n), max(1, _SCORES // max(1, len(queries)))):
        scores = best_scores(wanted, index.vectors(items).to(wanted))
        # A key is the smaller the later its item ranks.
        last = torch.cat([last, pack(scores, items.to(scores.device))], 1)
        last = last.topk(min(k, last.shape[1]), largest=False).values
    return unpack(last)[1]


def best_scores(queries: Tensor, tokens: Tensor) -> Tensor:
    """`(Q, D)` against `(n, T, D)`: the best of each item's embeddings, `(Q, n)`."""
    return (queries @ tokens.flatten(0, 1).T).view(len(queries), *tokens.shape[:2]).amax(-1)

"""One embedding of an item that has several."""

from __future__ import annotations

import torch
from torch import Tensor


def closest_token(items: Tensor, query: Tensor) -> Tensor:
    """The embedding of each item that is nearest to the query, the first of equals.

    Args:
        items: `(B, T, D)`, one item a query, or `(B, K, T, D)`; unit embeddings.
        query: `(B, D)`.

    Returns:
        `(B, D)` or `(B, K, D)`.

    >>> closest_token(torch.tensor([[[0.6, 0.8], [1.0, 0.0]]]), torch.tensor([[1.0, 0.0]]))
    tensor([[1., 0.]])
    """
    best = torch.einsum("b...td,bd->b...t", items, query).argmax(-1)
    at = best[..., None, None].expand(*best.shape, 1, items.shape[-1])
    return items.gather(-2, at).squeeze(-2)

"""The Rocchio update: a query moves towards what is relevant and away from what is not."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def rocchio(
    query: Tensor,
    positive: Tensor,
    negative: Tensor | None,
    alpha: float = 0.8,
    beta: float = 0.1,
    gamma: float = 0.1,
) -> Tensor:
    """Move queries: normalize(alpha q + beta p - gamma n) (Khaertdinov et al. 2025, Eq. 2).

    Args:
        query: `(…, D)` unit embeddings.
        positive: `(…, D)` what to move towards.
        negative: `(…, D)` what to move away from; None = nothing, whatever gamma.
        alpha: weight of the query.
        beta: weight of the positive.
        gamma: weight of the negative.

    Returns:
        `(…, D)` unit embeddings.

    >>> import torch
    >>> rocchio(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), None, 0.6, 0.8)
    tensor([0.6000, 0.8000])
    """
    moved = alpha * query + beta * positive
    return F.normalize(moved if negative is None else moved - gamma * negative, dim=-1)

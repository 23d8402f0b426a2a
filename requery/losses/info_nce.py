"""In-batch InfoNCE: each query's target against the targets of the other queries."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def info_nce(scores: Tensor, *, symmetric: bool = False, same: Tensor | None = None) -> Tensor:
    """Cross-entropy of picking the target, on the diagonal, out of the batch (van den Oord et al. 2018).

    Args:
        scores: `(B, B)`; `scores[i, j]` is query i against the target of query j, divided by the temperature.
        symmetric: also pick the query out of the batch for each target, and average both (CLIP's loss).
        same: `(B, B)` bool, pairs that are not negatives of each other (targets that are one image); they
            are left out of the sum. The diagonal always counts.

    Returns:
        Scalar.

    Raises:
        ValueError: `scores` is not square, or `same` has another shape.

    >>> info_nce(torch.tensor([[2.0, 0.0], [0.0, 2.0]]))
    tensor(0.1269)
    >>> info_nce(torch.zeros(2, 2), same=torch.ones(2, 2, dtype=torch.bool))
    tensor(0.)
    """
    n = scores.shape[0]
    if scores.shape != (n, n) or (same is not None and same.shape != (n, n)):
        raise ValueError(f"scores {tuple(scores.shape)} must be square, and `same` of the same shape")
    target = torch.arange(n, device=scores.device)
    if same is not None:
        diagonal = torch.eye(n, dtype=torch.bool, device=scores.device)
        scores = scores.masked_fill(same & ~diagonal, float("-inf"))
    forward = F.cross_entropy(scores, target)
    return (forward + F.cross_entropy(scores.T, target)) / 2 if symmetric else forward

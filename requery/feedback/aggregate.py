"""From the embeddings of the shown items to one positive and one negative."""

from __future__ import annotations

import torch
from torch import Tensor


def softmax_aggregate(
    embeddings: Tensor, reference: Tensor, temperature: float = 0.05
) -> tuple[Tensor, Tensor]:
    """Split the shown softly into positive and negative (Khaertdinov et al. 2025, Eq. 1).

    With w = softmax(<e_i, reference> / temperature), the positive is the sum of w_i e_i and the negative that
    of (1 - w_i) e_i, whose weights add up to K - 1: neither is normalised.

    Args:
        embeddings: `(…, K, D)` of the shown items.
        reference: `(…, D)` the present query.
        temperature: above 0; the smaller, the more the nearest item counts.

    Returns:
        Positive and negative, each `(…, D)`.

    >>> softmax_aggregate(torch.eye(2), torch.tensor([1.0, 1.0]))
    (tensor([0.5000, 0.5000]), tensor([0.5000, 0.5000]))
    """
    scores = torch.einsum("...kd,...d->...k", embeddings, reference)
    weights = (scores / temperature).softmax(-1)
    positive = torch.einsum("...k,...kd->...d", weights, embeddings)
    return positive, embeddings.sum(-2) - positive

"""The Bradley–Terry loss: the target should win its comparison with each negative."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def bradley_terry(positive: Tensor, negative: Tensor) -> Tensor:
    """Negative log-likelihood that the positive beats the negative: mean of softplus(negative - positive).

    QuRe (Kwak et al. 2025), Eq. 2–3. With K negatives the K comparisons of a query are averaged, so that the
    loss of a query does not grow with K.

    Args:
        positive: `(B,)` scores of the targets, already divided by the temperature.
        negative: `(B,)` or `(B, K)` scores of the negatives.

    Returns:
        Scalar.

    Raises:
        ValueError: the shapes do not match.

    >>> import torch
    >>> bradley_terry(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 0.0]))
    tensor(0.4100)
    >>> bradley_terry(torch.tensor([2.0]), torch.tensor([[0.0, 2.0]]))
    tensor(0.4100)
    """
    rows = positive.unsqueeze(1) if negative.ndim == 2 else positive
    if negative.ndim not in (1, 2) or positive.shape != negative.shape[:1]:
        raise ValueError(
            f"positive {tuple(positive.shape)} and negative {tuple(negative.shape)} do not match"
        )
    return F.softplus(negative - rows).mean()

"""Several retrievers' lists made one: reciprocal rank fusion (Cormack et al. 2009)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from requery.errors import ConfigError
from requery.ranking.top import NEVER, largest, pack, unpack

CONSTANT = 60.0
"""The paper's: how much less the first ranks stand out."""


def fuse(
    lists: Sequence[Tensor], k: int, *, weights: Sequence[float] | None = None, constant: float = CONSTANT
) -> tuple[Tensor, Tensor]:
    """Order items by Σ_lists weight / (constant + rank); an item that a list lacks gets nothing from it.

    Args:
        lists: `(Q, K)` int64 items each, best first, distinct in a row, K of its own; -1 where a list ends.
        k: how many to keep, at most the items of all lists.
        weights: of each list, above 0; default 1.
        constant: added to each rank.

    Returns:
        Scores `(Q, ≤ k)` float32, descending, -inf where there are fewer items, and the items, -1 there; ties
        by the smaller index.

    Raises:
        ConfigError: there is no list, shapes or weights do not fit, or k or the constant is not positive.
    """
    weights = [1.0] * len(lists) if weights is None else weights
    if k < 1 or constant <= 0 or min(weights, default=0.0) <= 0 or len(weights) != len(lists):
        raise ConfigError(
            f"fusion of {len(lists)} lists with weights {list(weights)}, k {k}, constant {constant}: give a "
            "list or more, a weight above 0 for each, k of 1 or more and a constant above 0"
        )
    if len({len(items) for items in lists}) > 1:
        raise ConfigError(f"lists of {', '.join(str(len(items)) for items in lists)} queries cannot be fused")
    gains = [
        (weight / (constant + torch.arange(1, items.shape[1] + 1, dtype=torch.float64))).expand_as(items)
        for items, weight in zip(lists, weights, strict=True)
    ]
    items, order = torch.cat(list(lists), 1).sort(dim=1, stable=True)  # what is the same stands together
    first = torch.nn.functional.pad(items[:, 1:] != items[:, :-1], (1, 0), value=True)
    place = first.cumsum(1) - 1
    total = torch.zeros(items.shape, dtype=torch.float64).scatter_add_(
        1, place, torch.cat(gains, 1).gather(1, order)
    )
    distinct = torch.full_like(items, -1).scatter_(1, place, items)
    keys = pack(total.float(), distinct).masked_fill_(distinct < 0, NEVER)
    return unpack(largest(keys, k))

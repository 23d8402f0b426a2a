"""Intervals by resampling queries (Efron 1979), percentile method."""

from __future__ import annotations

import torch
from torch import Tensor

LEVEL = 0.95
"""Coverage of every interval."""

_DRAWS_AT_ONCE = 1 << 21


def resampled_means(values: Tensor, n: int, seed: int) -> Tensor:
    """Mean of each column over `n` resamples of the rows, the same resamples for all columns.

    Args:
        values: `(Q, M)` one row per query.
        n: resamples.
        seed: of the draws.

    Returns:
        `(n, M)` float64.
    """
    queries = values.shape[0]
    values = values.double()
    generator = torch.Generator().manual_seed(seed)
    step = max(1, _DRAWS_AT_ONCE // queries)
    means = []
    for start in range(0, n, step):
        rows = min(step, n - start)
        draws = torch.randint(queries, (rows, queries), generator=generator)
        draws += torch.arange(rows)[:, None] * queries
        times = torch.bincount(draws.flatten(), minlength=rows * queries).view(rows, queries)
        means.append(times.double() @ values / queries)
    return torch.cat(means)


def interval(means: Tensor) -> Tensor:
    """`(n, M)` resampled means to their `(2, M)` lower and upper ends."""
    tail = (1 - LEVEL) / 2
    return torch.quantile(means, torch.tensor([tail, 1 - tail], dtype=means.dtype), dim=0)

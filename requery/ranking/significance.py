"""Is a difference between two methods on the same queries more than chance?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from requery.errors import DataError
from requery.ranking.bootstrap import interval, resampled_means

_BITS = 8
_RESAMPLES_AT_ONCE = 1_000


@dataclass(frozen=True)
class Difference:
    """Mean of a - b over queries with its 95 % interval (percentile bootstrap over queries)."""

    value: float
    low: float
    high: float


def paired_randomisation(a: Tensor, b: Tensor, *, n: int = 10_000, seed: int = 0) -> float:
    """Two-sided randomisation test of equal means (Fisher; Smucker et al. 2007).

    Under the hypothesis each query's two values could be swapped, which flips the sign of its
    difference. The observed order counts as one of the draws, so p is never 0.

    Args:
        a: `(Q,)` values of one method, per query.
        b: `(Q,)` values of the other, on the same queries.
        n: random sign flips.
        seed: of the flips.

    Returns:
        p, from 1 / (n + 1) to 1.

    Raises:
        DataError: the two differ in length or are empty.
    """
    d = _differences(a, b)
    groups = -(-d.numel() // _BITS)
    d = torch.cat([d, d.new_zeros(groups * _BITS - d.numel())]).view(groups, _BITS)
    # The signed sums of eight differences take 256 values: a random byte chooses one of them.
    bits = torch.arange(1 << _BITS)[:, None] >> torch.arange(_BITS) & 1
    sums = (d @ (1.0 - 2.0 * bits.double()).T).flatten()  # (groups * 256,)
    first = torch.arange(groups) << _BITS
    observed = float(d.sum().abs()) - 1e-9 * float(d.abs().sum())  # equal sums may differ in rounding
    generator = torch.Generator().manual_seed(seed)
    extreme = 0
    for start in range(0, n, _RESAMPLES_AT_ONCE):
        rows = min(_RESAMPLES_AT_ONCE, n - start)
        flips = torch.randint(1 << _BITS, (rows, groups), generator=generator)
        extreme += int((sums[flips + first].sum(1).abs() >= observed).sum())
    return (1 + extreme) / (1 + n)


def paired_bootstrap(a: Tensor, b: Tensor, *, n: int = 10_000, seed: int = 0) -> Difference:
    """Estimate the mean difference a - b with its interval.

    Args:
        a: `(Q,)` values of one method, per query.
        b: `(Q,)` values of the other, on the same queries.
        n: resamples of the queries.
        seed: of the resamples.

    Raises:
        DataError: the two differ in length or are empty.
    """
    d = _differences(a, b)
    low, high = interval(resampled_means(d[:, None], n, seed)).flatten().tolist()
    return Difference(float(d.mean()), low, high)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values of several comparisons (Holm 1979): reject those at most the level.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, least = [0.0] * len(p_values), 0.0
    for done, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        least = max(least, min(1.0, (len(p_values) - done) * p_values[i]))
        adjusted[i] = least
    return adjusted


def _differences(a: Tensor, b: Tensor) -> Tensor:
    if a.ndim != 1 or a.shape != b.shape or a.numel() == 0:
        raise DataError(
            f"paired values must be two equal, non-empty columns, not {tuple(a.shape)} and {tuple(b.shape)}"
        )
    return a.double() - b.double()

"""What a gate buys: retrieval by the share of queries that the model is asked about, the least sure first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from requery.expansion.gate import Shape, threshold
from requery.ranking.bootstrap import interval, resampled_means
from requery.ranking.compared import RESAMPLES
from requery.ranking.significance import Difference

SHAPES: tuple[Shape, ...] = get_args(Shape)
STEPS = 20
"""Shares between none and all."""
_AT_ONCE = 100


@dataclass(frozen=True)
class Point:
    """A share of the queries is asked about, the others are searched for as they are.

    Args:
        share: of the queries that are asked about.
        below: `Gate.below` that asks about them.
        value: mean of the metric, with its 95 % interval over queries at this choice of queries.
        low: lower end.
        high: upper end.
        random: mean to be expected where as many are asked about at random.
        tokens: that the model writes, a query of all.
        seconds: they take, likewise.
    """

    share: float
    below: float
    value: float
    low: float
    high: float
    random: float
    tokens: float
    seconds: float


@dataclass(frozen=True)
class Curve:
    """One metric by the share that is asked about.

    Args:
        points: from nobody to all.
        area: between the curve and the straight line of random shares, with its interval over queries.
    """

    points: Sequence[Point]
    area: Difference


def curve(
    sharp: Tensor, off: Tensor, on: Tensor, tokens: Tensor, seconds: Tensor, steps: int = STEPS, seed: int = 0
) -> Curve:
    """Ask about the least sharp queries first; among equals, in the order of the queries.

    Args:
        sharp: `(Q,)` sharpness of each query's first retrieval.
        off: `(Q,)` metric of each query as it is.
        on: `(Q,)` metric where the model is asked.
        tokens: `(Q,)` that the model writes where it is asked.
        seconds: `(Q,)` they take.
        steps: shares beside 0.
        seed: of the resamples.
    """
    n, off, on = len(sharp), off.double(), on.double()
    order = sharp.argsort(stable=True)
    place = torch.empty(n, dtype=torch.int64)
    place[order] = torch.arange(n)
    counts = torch.tensor(sorted({round(n * step / steps) for step in range(steps + 1)}))
    shares = counts.double() / n
    asked = place < counts[:, None]  # (S, Q)
    own = torch.where(asked, on, off)
    line = off + shares[:, None] * (on - off)
    low, high = interval(resampled_means(own.T, RESAMPLES, seed)).tolist()
    written, taken = ((asked * cost.double()).mean(1).tolist() for cost in (tokens, seconds))
    points = [
        Point(
            share=share,
            below=threshold(sharp.tolist(), share),
            value=float(own[at].mean()),
            low=low[at],
            high=high[at],
            random=float(line[at].mean()),
            tokens=written[at],
            seconds=taken[at],
        )
        for at, share in enumerate(shares.tolist())
    ]
    return Curve(points, area((on - off)[order], seed))


def area(gains: Tensor, seed: int = 0) -> Difference:
    """The area between what is gained by asking in an order and what is gained on average at random.

    ∫ (gain of the first share of the queries − share · whole gain) d share, by the trapezoidal rule over
    every single query. Its interval: queries are drawn again together with their places in the order.

    Args:
        gains: `(Q,)` of asking about each query, in the order in which they are asked about.
        seed: of the draws.
    """
    n, generator = len(gains), torch.Generator().manual_seed(seed)
    found = []
    for _ in range(RESAMPLES // _AT_ONCE):
        draws = torch.randint(n, (_AT_ONCE, n), generator=generator)
        found.append(_area(gains, torch.zeros(_AT_ONCE, n).scatter_add_(1, draws, torch.ones(_AT_ONCE, n))))
    low, high = interval(torch.cat(found)[:, None]).flatten().tolist()
    return Difference(float(_area(gains, torch.ones(1, n))), low, high)


def _area(gains: Tensor, times: Tensor) -> Tensor:
    """The area where each query occurs so many times, `(B, Q)` to `(B,)`."""
    times, n = times.double(), len(gains)
    left = 1 - (times.cumsum(1) - times / 2) / n  # share of the axis that is right of a query, in the mean
    return (times * gains * (left - 0.5)).sum(1) / n

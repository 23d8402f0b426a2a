"""Exact ranks of all targets and the first 100 items, against the matrix product alone."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import Row, best_seconds, peak_memory
from benchmarks.products import fastest, products, unit
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import Ranking, rank

Inputs = tuple[Tensor, Tensor, Qrels]


def measure(quick: bool, turns: int) -> list[Row]:
    """5,000 queries × 25,000 items × 256 dimensions, one thing to find for each query."""
    q, n, dim = (300, 1_000, 32) if quick else (5_000, 25_000, 256)
    make = partial(inputs, q, n, dim)
    queries, gallery, qrels = make()
    ranks = partial(ranking, (queries, gallery, qrels))
    seconds = best_seconds(turns, {"ranks": ranks, **products(queries, gallery)})
    return [
        Row(
            "exact ranks and top 100",
            f"{q:,} × {n:,} × {dim}",
            seconds["ranks"],
            *fastest(seconds),
            peak_memory(make, ranking),
        )
    ]


def inputs(q: int, n: int, dim: int) -> Inputs:
    """Unit embeddings and random targets."""
    targets = torch.randint(n, (q,), generator=torch.Generator().manual_seed(2))
    return unit(q, dim, seed=0), unit(n, dim, seed=1), Qrels.from_targets(targets)


def ranking(given: Inputs) -> Ranking:
    """What is measured."""
    return rank(*given)

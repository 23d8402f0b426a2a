"""The definition of hard negatives at a shape like FashionIQ's, against the matrix products alone."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import Row, best_seconds, peak_memory
from benchmarks.products import fastest, products, unit
from requery.negatives import Strategy, define
from requery.negatives.strategies import StrategyName

STRATEGIES: tuple[StrategyName, ...] = ("two_drop", "two_drop_window")

Inputs = tuple[Tensor, Tensor, Tensor]


def measure(quick: bool, turns: int) -> list[Row]:
    """1,000 queries × 6,000 images × 32 tokens × 256 dimensions."""
    q, n, tokens, dim = (40, 300, 4, 16) if quick else (1_000, 6_000, 32, 256)
    make = partial(inputs, q, n, tokens, dim)
    given = make()
    contestants = products(given[0], given[1].flatten(0, 1))
    contestants |= {name: partial(definition, name, given) for name in STRATEGIES}
    seconds = best_seconds(turns, contestants)
    size = f"{q:,} × {n:,} × {tokens} × {dim}"
    return [
        Row(
            f"hard negatives, `{name}`",
            size,
            seconds[name],
            *fastest(seconds),
            peak_memory(make, partial(definition, name)),
        )
        for name in STRATEGIES
    ]


def inputs(q: int, n: int, tokens: int, dim: int) -> Inputs:
    """Unit embeddings; a query is near a token of its target."""
    corpus = unit(n, tokens, dim, seed=0)
    target = torch.randint(n, (q,), generator=torch.Generator().manual_seed(1))
    queries = torch.nn.functional.normalize(corpus[target, 0] + unit(q, dim, seed=2), dim=-1)
    return queries, corpus, target


def definition(name: StrategyName, given: Inputs) -> object:
    """What is measured."""
    return define(Strategy(name), *given)

"""How time and memory of defining hard negatives grow with the corpus, the queries being the same."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import Row, best_seconds, exponent, peak_memory
from benchmarks.products import fastest, products, unit
from requery.negatives import Strategy, define
from requery.negatives.strategies import StrategyName

STRATEGIES: tuple[StrategyName, ...] = ("top_k", "two_drop_window")
"""Those whose memory is bounded whatever the corpus; `two_drop` gives sets that grow with it."""

Inputs = tuple[Tensor, Tensor, Tensor]


def measure(quick: bool, turns: int) -> list[Row]:
    """256 queries against 10,000, 100,000 and 1,000,000 vectors of 64 dimensions."""
    sizes = (600, 1_200) if quick else (10_000, 100_000, 1_000_000)
    q, dim = (20, 8) if quick else (256, 64)
    seconds = [_seconds(partial(inputs, q, n, dim), turns) for n in sizes]
    rows = []
    for name in STRATEGIES[-1:] if quick else STRATEGIES:
        grown = exponent(sizes, [each[name] for each in seconds])
        for n, each in zip(sizes, seconds, strict=True):
            memory = peak_memory(partial(inputs, q, n, dim), partial(definition, name))
            size = f"{q:,} × {n:,} × {dim}"
            last = grown if n == sizes[-1] else None
            rows.append(Row(f"growing corpus, `{name}`", size, each[name], *fastest(each), memory, last))
    return rows


def _seconds(make: partial[Inputs], turns: int) -> dict[str, float]:
    given = make()
    contestants = {name: partial(definition, name, given) for name in STRATEGIES}
    return best_seconds(turns, {**contestants, **products(given[0], given[1])})


def inputs(q: int, n: int, dim: int) -> Inputs:
    """Unit embeddings and random targets."""
    target = torch.randint(n, (q,), generator=torch.Generator().manual_seed(2))
    return unit(q, dim, seed=0), unit(n, dim, seed=1), target


def definition(name: StrategyName, given: Inputs) -> object:
    """What is measured."""
    return define(Strategy(name), *given)

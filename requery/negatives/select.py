"""Apply a strategy to the scores of a block of queries."""

from __future__ import annotations

import torch
from torch import Tensor

from requery.errors import ConfigError
from requery.negatives.intervals import (
    NEVER,
    BlockSets,
    best_ranked,
    collect,
    head,
    items_after,
    ranking_keys,
)
from requery.negatives.strategies import Strategy
from requery.negatives.two_drop import between_drops


def select(
    strategy: Strategy, scores: Tensor, target: Tensor, excluded: tuple[Tensor, Tensor] | None = None
) -> BlockSets:
    """Choose the negatives of a block of queries, never an empty set while there is another item.

    Where the strategy gives nothing, `found` is False and the set is a fallback made from the same scores:
    without a pair of drops, the items directly after the target (`window` of them for `two_drop_window`, `k`
    for `two_drop`); with nothing after the target, the `k` best ranked. The official code has no fallback:
    it fails on a first such query and reuses the previous query's positions on later ones.

    Args:
        strategy: any but `all`, which needs no scores.
        scores: `(B, N)` finite.
        target: `(B,)` int64 columns.
        excluded: rows and columns of items taken out of the rankings first.
    """
    if strategy.name == "all":
        raise ConfigError("the strategy `all` has no set per query; use UniformNegatives")
    keys = ranking_keys(scores)
    pivot = keys.gather(1, target[:, None])
    if excluded is not None:
        keys[excluded] = NEVER
    if strategy.name == "top_k":
        return collect(keys, pivot, best_ranked(keys, pivot, strategy.k))
    limit = {"after_target_top_k": strategy.k, "two_drop": None, "two_drop_window": strategy.window}
    after = items_after(keys, pivot, limit[strategy.name])
    next_items = head(after, limit[strategy.name] or strategy.k, torch.ones_like(target))
    fallback = next_items
    if not bool(next_items.found.all()):
        fallback = next_items.otherwise(best_ranked(keys, pivot, strategy.k))
    if strategy.name == "after_target_top_k":
        return collect(keys, pivot, fallback)
    drops = between_drops(after, strategy.consecutive_threshold)
    return collect(keys, pivot, drops.otherwise(fallback))

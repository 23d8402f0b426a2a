"""Apply a strategy to a block of queries."""

from __future__ import annotations

import torch
from torch import Tensor

from requery.errors import ConfigError
from requery.negatives.intervals import BlockSets, head
from requery.negatives.strategies import Strategy
from requery.negatives.streamed import select_after, select_best
from requery.negatives.two_drop import between_drops
from requery.negatives.whole import after_target, members, rows_of
from requery.ragged import Ragged
from requery.ranking.strips import Pairs, Strips
from requery.ranking.top import largest, pack

CACHE_SCORES = 2**19
"""Scores of whole rankings worked on together: they fit a core's cache, which is several times as fast."""

DEVICE_SCORES = 2**24
"""The same on an accelerator, where the calls are what costs."""


def select(strategy: Strategy, strips: Strips, queries: Tensor, target: Tensor, excluded: Pairs) -> BlockSets:
    """Choose the negatives of a block of queries, never an empty set while there is another item.

    Where the strategy gives nothing, `found` is False and the set is a fallback made from the same scores:
    without a pair of drops, the items directly after the target (`window` of them for `two_drop_window`, `k`
    for `two_drop`); with nothing after the target, the `k` best ranked. The official code has no fallback:
    it fails on a first such query and reuses the previous query's positions on later ones.

    Args:
        strategy: any but `all`, which needs no scores.
        strips: of the corpus, `N` items.
        queries: `(n, D)` float, at most `QUERY_BLOCK`.
        target: `(n,)` int64 places in the corpus.
        excluded: items taken out of the rankings first; no target is.
    """
    if strategy.name == "all":
        raise ConfigError("the strategy `all` has no set per query; use UniformNegatives")
    if strategy.name == "two_drop":
        return _select_whole(strategy, strips, queries, target, excluded)
    targets = Pairs(torch.arange(len(target), device=target.device), target)
    choose = select_best if strategy.name == "top_k" else select_after
    return choose(strategy, strips, strips.tiles.block(queries), targets, excluded)


def _select_whole(
    strategy: Strategy, strips: Strips, queries: Tensor, target: Tensor, excluded: Pairs
) -> BlockSets:
    """Choose by the two-drop rule among all items after the target.

    Each of them matters, so that whole rows of scores are held: as many as the memory budget allows, at least
    one. Where that is not the whole block, its tiles are scored again for each part.
    """
    n_items, on_cpu = strips.tiles.n_items, target.device.type == "cpu"
    held = max(1, strips.memory_budget // (n_items * torch.float32.itemsize))
    few = max(1, min(held, (CACHE_SCORES if on_cpu else DEVICE_SCORES) // n_items))
    parts = []
    for start in range(0, len(queries), held):
        stop = min(start + held, len(queries))
        scores = strips.tiles.rows(queries, start, stop)
        here = (excluded.rows >= start) & (excluded.rows < stop)
        scores[excluded.rows[here] - start, excluded.items[here]] = -torch.inf
        rows = zip(torch.split(scores, few), torch.split(target[start:stop], few), strict=True)
        parts += [_select_rows(strategy, *some) for some in rows]
    return _joined(parts)


def _select_rows(strategy: Strategy, scores: Tensor, target: Tensor) -> BlockSets:
    """Choose the sets of some rows of scores, `(B, N)`, which are used up."""
    after = after_target(scores, target)
    ranked = largest(after, after.shape[1])
    drops = between_drops(ranked, strategy.consecutive_threshold)
    following = head(ranked[:, : strategy.k] > -torch.inf, strategy.k)
    run = drops.otherwise(following)
    inside, offset = members(after, ranked, run), run.first + 1
    last = (~following.found).nonzero().flatten()
    if last.numel():
        others = scores[last].scatter_(1, target[last, None], -torch.inf)
        keys = pack(others, torch.arange(others.shape[1], device=others.device))
        inside[last] = (keys >= largest(keys, strategy.k)[:, -1:]) & (others > -torch.inf)
        offset[last] = -(others > -torch.inf).sum(1)
    return BlockSets(rows_of(inside), drops.found.cpu(), offset.cpu())


def _joined(parts: list[BlockSets]) -> BlockSets:
    """The sets of successive queries."""
    sizes = torch.cat([part.size for part in parts])
    offsets = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
    return BlockSets(
        Ragged(torch.cat([part.sets.values for part in parts]), offsets),
        torch.cat([part.found for part in parts]),
        torch.cat([part.first_offset for part in parts]),
    )

"""Negatives from the first part of a ranking, of all items or of those after the target, as tiles go by."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from requery.negatives.intervals import BlockSets, head, listed
from requery.negatives.strategies import Strategy
from requery.negatives.two_drop import between_drops
from requery.ranking.leaders import Leaders
from requery.ranking.strips import Pairs, Strips
from requery.ranking.top import NEVER, unpack


def select_best(
    strategy: Strategy, strips: Strips, block: Tensor, targets: Pairs, excluded: Pairs
) -> BlockSets:
    """Choose the `k` best ranked; the arguments are those of `select_after`."""
    keys, offset = _best(strips, block, targets, excluded, strategy.k)
    run = head(keys != NEVER, strategy.k)
    return BlockSets(listed(keys, run), run.found.cpu(), offset.cpu())


def select_after(
    strategy: Strategy, strips: Strips, block: Tensor, targets: Pairs, excluded: Pairs
) -> BlockSets:
    """Choose among the items directly after the target; see `requery.negatives.select.select`.

    Args:
        strategy: `after_target_top_k` or `two_drop_window`.
        strips: of the corpus.
        block: `(QUERY_BLOCK, D)` the queries.
        targets: each query's, in order.
        excluded: items taken out of the rankings.
    """
    by_rule = strategy.name == "two_drop_window"
    keys = _after(strips, block, targets, excluded, strategy.window if by_rule else strategy.k)
    following = head(keys != NEVER, keys.shape[1])
    run, found = following, following.found
    if by_rule:
        drops = between_drops(unpack(keys)[0], strategy.consecutive_threshold)
        run, found = drops.otherwise(following), drops.found
    offset = run.first + 1
    last = ~following.found
    if bool(last.any()):
        best, ahead = _best(strips, block, targets, excluded, strategy.k)
        width = max(best.shape[1], keys.shape[1])
        best, keys = (F.pad(part, (0, width - part.shape[1]), value=NEVER) for part in (best, keys))
        keys, offset = torch.where(last[:, None], best, keys), torch.where(last, ahead, offset)
        run = run.otherwise(head(best != NEVER, strategy.k))
    return BlockSets(listed(keys, run), found.cpu(), offset.cpu())


def _after(strips: Strips, block: Tensor, targets: Pairs, excluded: Pairs, limit: int) -> Tensor:
    """Keys of the first items after each target, `(n, limit)`, filled up with `NEVER`."""
    scores, parts = strips.of(block, excluded, targets)
    leaders = Leaders(len(targets.rows), limit, block.device)
    for strip in parts:
        strip.keep_after(targets, scores)
        leaders.add(strip)
    return leaders.keys


def _best(strips: Strips, block: Tensor, targets: Pairs, excluded: Pairs, k: int) -> tuple[Tensor, Tensor]:
    """Keys of the best ranked items but the target, `(n, k)`, and the first one's offset from the target."""
    scores, parts = strips.of(block, excluded, targets)
    leaders = Leaders(len(targets.rows), k, block.device)
    ahead = torch.zeros_like(targets.items)
    for strip in parts:
        ahead += strip.count_ahead(targets, scores)
        strip.exclude(targets)
        leaders.add(strip)
    return leaders.keys, torch.where(ahead > 0, -ahead, 1)

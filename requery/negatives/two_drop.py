"""The two-drop rule of QuRe: hard negatives lie between two steep drops of the score after the target.

Kwak et al. 2025 (arXiv 2507.12416), Eq. 6–7, with what only the official code says:

- Drops are differences of neighbours among the items AFTER the target by position in the ranking; the step
  from the target to its successor is not one of them.
- The two steepest drops are used unless they lie within `consecutive_threshold` positions; then the pair
  slides to the 2nd and 3rd steepest, the 3rd and 4th, …, so that the steepest may be discarded.
- The set is what follows the first drop, up to and including the last item before the second.

Ties have one answer: the ranking is by score, then index; of equal drops the one nearer the target counts as
steeper. So an item that scores as the target does comes after it where its index is larger, and before it
otherwise. Another copy of the target's image under another index is an item like any other.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from requery.errors import ConfigError, DataError, first
from requery.negatives.intervals import (
    NEVER,
    BlockSets,
    Interval,
    collect,
    items_after,
    ranking_keys,
)
from requery.ranking.top import largest, pack, unpack

STEEPEST = 16
"""Drops looked at before all are sorted; a pair is nearly always among them."""


def two_drop(
    scores: Tensor, target: int, consecutive_threshold: int = 1, window: int | None = None
) -> Tensor:
    """Select one query's hard negatives by the two-drop rule.

    Args:
        scores: `(N,)` finite scores of one query against its corpus.
        target: corpus index of its target.
        consecutive_threshold: two drops at most so many positions apart are not a pair; 1 = neighbours are
            not, 0 = all are.
        window: look for both drops among so many items after the target; None = among all.

    Returns:
        Ascending int64 corpus indices; empty where there is no pair of drops.

    Raises:
        ConfigError: a setting is out of range.
        DataError: the target is outside the corpus.
        EmbeddingError: a score is NaN or infinite.

    >>> two_drop(torch.tensor([0.90, 0.80, 0.79, 0.50, 0.49, 0.48, 0.20, 0.19]), target=0)
    tensor([3, 4, 5])
    """
    block = scores.reshape(1, -1)
    return two_drop_batch(block, torch.tensor([target]), consecutive_threshold, window).sets[0]


def two_drop_batch(
    scores: Tensor, target: Tensor, consecutive_threshold: int = 1, window: int | None = None
) -> BlockSets:
    """Select the hard negatives of a block of queries by the two-drop rule.

    With a window only so many items per query are sorted, and the cost is linear in N.

    Args:
        scores: `(B, N)` finite; compared in float32.
        target: `(B,)` int64.
        consecutive_threshold: see `two_drop`.
        window: see `two_drop`.

    Returns:
        The sets, on the CPU; `found` is False and the row empty where there is no pair of drops.

    Raises:
        ConfigError, DataError, EmbeddingError: as `two_drop`.
    """
    if consecutive_threshold < 0 or (window is not None and window < 1):
        raise ConfigError(
            f"consecutive_threshold={consecutive_threshold} must be at least 0 and window={window} at least 1"
        )
    bad = ((target < 0) | (target >= scores.shape[1])).nonzero().flatten().tolist()
    if bad:
        raise DataError(f"targets of rows {first(bad)} are outside the corpus of {scores.shape[1]} items")
    keys = ranking_keys(scores)
    pivot = keys.gather(1, target.to(keys.device)[:, None])
    return collect(keys, pivot, between_drops(items_after(keys, pivot, window), consecutive_threshold))


def between_drops(after: Tensor, consecutive_threshold: int) -> Interval:
    """Apply the rule to the items after the target.

    Args:
        after: `(B, L)` int64 keys in ranking order, filled up with `NEVER`.
        consecutive_threshold: see `two_drop`.
    """
    scores, _ = unpack(after)
    position = torch.arange(after.shape[1] - 1, device=after.device)
    depth = scores[:, :-1] - scores[:, 1:]
    drops = torch.where(after[:, 1:] == NEVER, NEVER, pack(depth, position))
    drops = F.pad(drops, (0, 1), value=NEVER)  # at least one column, where one item follows the target
    start, end = _slide(drops, consecutive_threshold, STEEPEST)
    open_rows = (end == 0).nonzero().flatten()
    if open_rows.numel() and drops.shape[1] > STEEPEST:
        rest = _slide(drops[open_rows], consecutive_threshold, drops.shape[1])
        start[open_rows], end[open_rows] = rest
    found = end > 0
    begin, stop = (after.gather(1, at[:, None])[:, 0] for at in (start + found, end))
    return Interval(
        torch.where(found, begin, NEVER), torch.where(found, stop, 0), torch.where(found, start + 2, 0), found
    )


def _slide(drops: Tensor, consecutive_threshold: int, n: int) -> tuple[Tensor, Tensor]:
    """Find the first pair among the n steepest drops: `(B,)` positions of its two drops, 0 and 0 if none."""
    steepest = largest(drops, n)
    _, position = unpack(steepest)
    first, second = position[:, :-1], position[:, 1:]
    pair = ((first - second).abs() > consecutive_threshold) & (steepest[:, 1:] != NEVER)
    pair = F.pad(pair, (0, 1))  # a last column without a pair, for rows with none
    at = pair.byte().argmax(1, keepdim=True)
    found = pair.any(1)
    one, other = (torch.where(found, position.gather(1, i)[:, 0], 0) for i in (at, (at + found[:, None])))
    return torch.minimum(one, other), torch.maximum(one, other)

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

from requery.errors import ConfigError, DataError, EmbeddingError, first
from requery.negatives.intervals import BlockSets, Interval
from requery.negatives.whole import after_target, members, rows_of
from requery.ranking.top import GROUP, group_maxima, largest, top_keys, unpack

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
    bad = (~scores.isfinite()).any(1).nonzero().flatten().tolist()
    if bad:
        raise EmbeddingError(f"scores of rows {first(bad)} are NaN or infinite; check their embeddings")
    after = after_target(scores.float(), target.to(scores.device))
    ranked = largest(after, scores.shape[1])
    drops = between_drops(ranked[:, :window], consecutive_threshold)
    offset = torch.where(drops.found, drops.first + 1, 0)
    return BlockSets(rows_of(members(after, ranked, drops)), drops.found.cpu(), offset.cpu())


def between_drops(after: Tensor, consecutive_threshold: int) -> Interval:
    """Apply the rule to the items after the target: the run between the two drops.

    Args:
        after: `(B, L)` float32 their scores in ranking order, filled up with -inf.
        consecutive_threshold: see `two_drop`.
    """
    # Where no item is left the last one is repeated: no depth there, and of equal drops these come last.
    present = torch.gt(after, -torch.inf, out=torch.empty_like(after)).sum(1, dtype=torch.float64).long()
    lowest = after.gather(1, (present - 1).clamp(min=0)[:, None])
    level = after.clamp(min=lowest.nan_to_num(neginf=0.0))
    depth = level.new_zeros(len(after), _whole_groups(after.shape[1]))
    torch.sub(level[:, :-1], level[:, 1:], out=depth[:, : after.shape[1] - 1])
    start, stop = _slide(depth, present - 1, consecutive_threshold, STEEPEST)
    open_rows = (stop == 0).nonzero().flatten()
    if open_rows.numel() and depth.shape[1] > STEEPEST:
        rest = _slide(depth[open_rows], present[open_rows] - 1, consecutive_threshold, depth.shape[1])
        start[open_rows], stop[open_rows] = rest
    return Interval(start, stop)


def _whole_groups(width: int) -> int:
    return -(-width // GROUP) * GROUP


def _slide(depth: Tensor, n_drops: Tensor, consecutive_threshold: int, n: int) -> tuple[Tensor, Tensor]:
    """Find the first pair among the n steepest drops: `(B,)` what follows them, 0 and 0 if there is none.

    Args:
        depth: `(B, W)`, W a multiple of `GROUP`.
        n_drops: `(B,)` how many of them are drops.
        consecutive_threshold: see `two_drop`.
        n: as above.
    """
    zero, floor = depth.new_zeros(1, dtype=torch.int64), depth.new_zeros(len(depth))
    _, position = unpack(top_keys(depth[None], group_maxima(depth)[:, None], zero, n, floor))
    first, second = position[:, :-1], position[:, 1:]
    pair = ((first - second).abs() > consecutive_threshold) & (second >= 0) & (second < n_drops[:, None])
    pair = F.pad(pair, (0, 1))  # a last column without a pair, for rows with none
    at = pair.byte().argmax(1, keepdim=True)
    found = pair.any(1)
    one, other = (position.gather(1, i)[:, 0] + 1 for i in (at, (at + found[:, None])))
    return torch.minimum(one, other) * found, torch.maximum(one, other) * found

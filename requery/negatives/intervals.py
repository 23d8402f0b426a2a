"""Sets of negatives as intervals of a ranking.

Whatever the rule, a set is a run of neighbours in the ranking, less the target. With score and index packed
into one integer key (`requery.ranking.top.pack`; a larger key ranks earlier, no two are equal) a set is two
keys, and its members are the items whose keys lie between them: nothing has to be sorted as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from requery.errors import EmbeddingError, first
from requery.ragged import Ragged
from requery.ranking.top import largest, pack

NEVER = torch.iinfo(torch.int64).min
"""Key of an item that is not in the ranking; it sorts after all others."""


@dataclass(frozen=True)
class Interval:
    """One run of neighbours in each of `B` rankings; where none was found, `first` < `last`.

    Args:
        first: `(B,)` int64 key of the run's best item.
        last: `(B,)` int64 key of its last item.
        offset: `(B,)` int64, rank of the best item minus the target's rank: 1 = directly after the target.
        found: `(B,)` bool.
    """

    first: Tensor
    last: Tensor
    offset: Tensor
    found: Tensor

    def otherwise(self, other: Interval) -> Interval:
        """Take `other`'s run where this one was not found; `found` stays as it is."""
        first, last, offset = (
            torch.where(self.found, mine, theirs)
            for mine, theirs in (
                (self.first, other.first),
                (self.last, other.last),
                (self.offset, other.offset),
            )
        )
        return Interval(first, last, offset, self.found)


@dataclass(frozen=True)
class BlockSets:
    """The sets of a block of `B` queries.

    Args:
        sets: `B` rows of ascending column indices.
        found: `(B,)` bool: the rule itself gave the set.
        first_offset: `(B,)` int64, rank of the set's best item minus the target's rank: 1 = directly after
            the target; 0 where the row is empty.
    """

    sets: Ragged
    found: Tensor
    first_offset: Tensor

    @property
    def size(self) -> Tensor:
        """`(B,)` int64: items in each set."""
        return self.sets.lengths


def ranking_keys(scores: Tensor) -> Tensor:
    """Pack finite scores `(B, N)` into keys `(B, N)` int64: score descending, then index ascending.

    Raises:
        EmbeddingError: a score is NaN or infinite; names the rows.
    """
    if not bool(scores.sum().isfinite()):  # one cheap pass: NaN and infinity survive a sum
        rows = (~scores.isfinite()).any(1).nonzero().flatten().tolist()
        if rows:
            raise EmbeddingError(f"scores of rows {first(rows)} are NaN or infinite; check their embeddings")
    return pack(scores.float(), torch.arange(scores.shape[1], device=scores.device))


def items_after(keys: Tensor, target: Tensor, limit: int | None) -> Tensor:
    """Keys of the items after the target in ranking order, `(B, L)`, filled up with `NEVER`.

    Args:
        keys: `(B, N)`.
        target: `(B, 1)` the target's key.
        limit: at most so many items; None = all.
    """
    return largest(torch.where(keys < target, keys, NEVER), keys.shape[1] if limit is None else limit)


def head(ranked: Tensor, limit: int, offset: Tensor) -> Interval:
    """The first items of a list in ranking order, at most `limit`; not found where the list is empty.

    Args:
        ranked: `(B, L)` keys, filled up with `NEVER`.
        limit: at most so many items.
        offset: `(B,)` offset of the list's first item.
    """
    count = (ranked[:, :limit] != NEVER).sum(1)
    last = ranked.gather(1, (count - 1).clamp(min=0)[:, None])[:, 0]
    found = count > 0
    return Interval(ranked[:, 0], torch.where(found, last, 0), torch.where(found, offset, 0), found)


def best_ranked(keys: Tensor, target: Tensor, k: int) -> Interval:
    """The k items that rank first, the target left out.

    Args:
        keys: `(B, N)`.
        target: `(B, 1)` the target's key.
        k: how many.
    """
    above = (keys > target).sum(1)
    ranked = largest(torch.where(keys == target, NEVER, keys), k)
    return head(ranked, k, torch.where(above > 0, -above, 1))


def collect(keys: Tensor, target: Tensor, interval: Interval) -> BlockSets:
    """List the members of each interval, the target left out."""
    inside = (keys <= interval.first[:, None]) & (keys >= interval.last[:, None]) & (keys != target)
    sizes = inside.sum(1)
    offsets = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
    members = inside.nonzero()[:, 1]
    return BlockSets(Ragged(members.cpu(), offsets.cpu()), interval.found.cpu(), interval.offset.cpu())

"""Sets of negatives as intervals of a ranking.

Whatever the rule, a set is a run of neighbours in a list of items in ranking order: those after the target,
or the best ranked.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from requery.ragged import Ragged
from requery.ranking.top import NEVER, unpack


@dataclass(frozen=True)
class Interval:
    """One run of neighbours in each of `B` lists; empty where `first` = `stop`.

    Args:
        first: `(B,)` int64 position of the run's best item.
        stop: `(B,)` int64 position after its last item.
    """

    first: Tensor
    stop: Tensor

    @property
    def found(self) -> Tensor:
        """`(B,)` bool: which runs are not empty."""
        return self.stop > self.first

    def otherwise(self, other: Interval) -> Interval:
        """Take `other`'s run where this one is empty."""
        return Interval(
            torch.where(self.found, self.first, other.first), torch.where(self.found, self.stop, other.stop)
        )


@dataclass(frozen=True)
class BlockSets:
    """The sets of a block of `B` queries, on the CPU.

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


def head(present: Tensor, limit: int) -> Interval:
    """The first items of each list, at most `limit`.

    Args:
        present: `(B, L)` bool: which places of the lists hold an item; the others are at their ends.
        limit: at most so many items.
    """
    stop = present[:, :limit].sum(1)
    return Interval(torch.zeros_like(stop), stop)


def listed(keys: Tensor, run: Interval) -> Ragged:
    """The items of each run of a list of keys, `(B, L)`, in ascending order."""
    position = torch.arange(keys.shape[1], device=keys.device)
    inside = (position >= run.first[:, None]) & (position < run.stop[:, None])
    _, index = unpack(torch.where(inside, keys, NEVER))
    ordered = index.masked_fill(~inside, torch.iinfo(torch.int64).max).sort(1).values
    sizes = run.stop - run.first
    offsets = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
    return Ragged(ordered[position < sizes[:, None]].cpu(), offsets.cpu())

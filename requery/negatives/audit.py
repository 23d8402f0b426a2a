"""Count false negatives: negatives that are in truth relevant to their query."""

from __future__ import annotations

import torch
from torch import Tensor

from requery.negatives.sets import NegativeSets
from requery.ragged import Ragged

ROWS = 1024
"""Sets looked at together; bounds the memory where sets are as large as the corpus."""


def false_negative_rate(sampled: Tensor, query: Tensor, relevant: Ragged) -> tuple[int, int]:
    """Count the sampled negatives that are relevant.

    Args:
        sampled: `(B, K)` int64 corpus indices.
        query: `(B,)` int64 query index of each row.
        relevant: one row of relevant corpus indices per query.

    Returns:
        (relevant ones, all): counts, so that batches and processes add up.
    """
    return _count(sampled.flatten(), query.repeat_interleave(sampled.shape[1]), relevant), sampled.numel()


def set_false_negative_rate(sets: NegativeSets, relevant: Ragged) -> tuple[int, int]:
    """Count the members of all sets that are relevant: (relevant ones, all).

    Args:
        sets: one set per query.
        relevant: one row of relevant corpus indices per query.
    """
    offsets, count = sets.sets.offsets, 0
    for rows in torch.split(torch.arange(len(sets)), ROWS):
        begin, end = int(offsets[rows[0]]), int(offsets[rows[-1] + 1])
        members = sets.sets.values[begin:end].long()
        count += _count(members, torch.repeat_interleave(rows, sets.size[rows]), relevant)
    return count, sets.sets.values.numel()


def _count(items: Tensor, query: Tensor, relevant: Ragged) -> int:
    """Count the (query, item) pairs that are relevant, by one number per pair."""
    base = 1 + max((int(x.max()) for x in (items, relevant.values) if x.numel()), default=0)
    truth = relevant.row_of * base + relevant.values
    return int(torch.isin(query * base + items, truth).sum())

"""Draw distinct places of sets that are never listed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from requery.rng import uniform_below

Int = NDArray[np.int64]

ABSENT = np.iinfo(np.int64).max
"""Filler of rows of places; it lies beyond every place."""


def draw_places(size: Int, taken: Int, k: int, seed: int, epoch: int, item: Int) -> Int:
    """Draw k places of `0 … size - 1` for each row, uniformly among those not taken.

    The draws of a row are distinct where it has at least k free places, and independent (with replacement)
    otherwise. Draw d of a row depends on (seed, epoch, item, d) and the row alone, so that the first draws
    stay the same when k grows, as long as both are distinct.

    Args:
        size: `(B,)` places of each row.
        taken: `(B, R)` places never drawn, ascending and distinct, filled up with `ABSENT`.
        k: draws.
        seed: of the run.
        epoch: 0-based.
        item: `(B,)` what the row belongs to, a query's index.

    Returns:
        `(B, k)`.
    """
    free = size - (taken != ABSENT).sum(1)
    distinct = free >= k
    drawn = np.empty((len(size), k), dtype=np.int64)
    for draw in range(k):
        place = uniform_below(free - draw * distinct, seed, epoch, item, draw)
        for column in range(taken.shape[1]):  # the n-th free place: step over the taken ones before it
            place += place >= taken[:, column]
        drawn[:, draw] = place
        taken = np.sort(np.column_stack([taken, np.where(distinct, place, ABSENT)]), axis=1)
    return drawn

"""Negatives of rankings held as a whole: for rules that no first part of the ranking decides.

Only scores are sorted, which is faster than sorting items, and members are the items whose scores lie between
those of the first and the last; where equal scores lie across an end, the row's items are sorted after all.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from requery.negatives.intervals import Interval
from requery.ragged import Ragged
from requery.ranking.top import drop_above, true_places


def after_target(scores: Tensor, target: Tensor) -> Tensor:
    """Keep the scores of the items after the target, and give the others -inf.

    Args:
        scores: `(B, N)` float32, -inf where an item is not in the ranking.
        target: `(B,)` int64 columns.
    """
    bar = scores.gather(1, target[:, None])
    after = scores.clone()
    drop_above(after, bar, torch.empty_like(after))
    equal = true_places(after == bar)
    row, column = equal // scores.shape[1], equal % scores.shape[1]
    earlier = column <= target[row]
    after[row[earlier], column[earlier]] = -torch.inf
    return after


def members(scores: Tensor, ranked: Tensor, run: Interval) -> Tensor:
    """Which items lie in each run, `(B, N)` bool.

    Args:
        scores: `(B, N)` float32, -inf where an item is not in the list.
        ranked: `(B, N)` the same in descending order.
        run: positions in `ranked`.
    """
    last = (run.stop - 1).clamp(min=0)
    best, worst = (ranked.gather(1, at[:, None]) for at in (run.first, last))
    inside = (scores <= best) & (scores >= worst)
    before, behind = (run.first - 1).clamp(min=0), run.stop.clamp(max=ranked.shape[1] - 1)
    cut = (run.first > 0) & (ranked.gather(1, before[:, None]) == best)[:, 0]
    cut |= (run.stop < ranked.shape[1]) & (ranked.gather(1, behind[:, None]) == worst)[:, 0]
    for row in (cut | ~run.found).nonzero().flatten().tolist():
        inside[row] = False
        order = scores[row].sort(descending=True, stable=True).indices  # equal scores by index
        inside[row, order[run.first[row] : run.stop[row]]] = True
    return inside


def rows_of(inside: Tensor) -> Ragged:
    """The columns of each row where it is true."""
    place = true_places(inside).cpu()
    starts = torch.arange(len(inside) + 1) * inside.shape[1]
    offsets = torch.searchsorted(place, starts)
    # numpy repeats several times as fast as torch, and a remainder would take longer still.
    place -= torch.from_numpy(np.repeat(starts[:-1].numpy(), offsets.diff().numpy()))
    return Ragged(place, offsets)

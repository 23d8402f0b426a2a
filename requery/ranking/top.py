"""The first k of a ranking, exactly: score descending, then gallery index ascending.

`torch.topk` leaves the order of equal scores open. Here score and index are one integer, the key, so
that no two items are equal and every selection has one answer.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

GROUP = 32
"""Neighbouring items whose maximum stands for them while the first k are searched."""

NEVER = torch.iinfo(torch.int64).min
"""Key of an item that is not in the ranking; it sorts after all others."""

ROWS = 64
"""Rows searched together on a CPU: what is looked into then fits a core's cache."""

_GROUP_BITS = GROUP.bit_length() - 1
_INDEX_BITS = 32
_SIGN_FREE = 0x7FFFFFFF


def pack(scores: Tensor, index: Tensor) -> Tensor:
    """Make keys that are larger the earlier an item ranks.

    Args:
        scores: float32, no NaN.
        index: int64 gallery indices below 2³¹, of the same or a broadcastable shape.

    Returns:
        int64 keys.
    """
    bits = (scores + 0.0).view(torch.int32)  # -0.0 becomes 0.0: the two are one score
    # As integers, floats now sort by their value. In place, as new memory costs more than the arithmetic.
    ordered = (bits >> 31).bitwise_and_(_SIGN_FREE).bitwise_xor_(bits)
    return ordered.long().bitwise_left_shift_(_INDEX_BITS).sub_(index)


def unpack(keys: Tensor) -> tuple[Tensor, Tensor]:
    """Give back (scores, index) of keys; of `NEVER`, -inf and -1."""
    index = -keys & ((1 << _INDEX_BITS) - 1)
    ordered = ((keys + index) >> _INDEX_BITS).int()
    scores = (ordered ^ ((ordered >> 31) & _SIGN_FREE)).view(torch.float32)
    absent = keys == NEVER
    return scores.masked_fill(absent, -torch.inf), index.masked_fill(absent, -1)


def largest(values: Tensor, k: int) -> Tensor:
    """The k largest values of each row, `(B, N)` to `(B, min(k, N))`, descending."""
    k = min(k, values.shape[1])
    if values.device.type != "cpu":
        return values.topk(k, dim=1).values
    # numpy sorts with vector instructions: several times as fast as torch, and as its own partition.
    return torch.from_numpy(np.sort(values.numpy(), axis=1)[:, ::-1][:, :k].copy())


def true_places(mask: Tensor) -> Tensor:
    """Where a mask is true: ascending int64 positions in it, read row by row."""
    if mask.device.type != "cpu":
        return mask.flatten().nonzero()[:, 0]
    return torch.from_numpy(np.flatnonzero(mask.numpy()))  # a fifth of torch's time


def drop_above(scores: Tensor, bar: Tensor, flags: Tensor) -> None:
    """Give the scores above a bar -inf, in place.

    Args:
        scores: `(rows, width)` float32 below infinity.
        bar: `(rows, 1)`.
        flags: memory of the shape of the scores.
    """
    # Arithmetic on floats is several times as fast as a choice by booleans.
    torch.gt(scores, bar, out=flags)
    for _ in range(3):  # what is below any float by thrice the largest is -inf
        scores.sub_(flags, alpha=torch.finfo(scores.dtype).max)


def group_maxima(tile: Tensor) -> Tensor:
    """`(rows, width)` scores to the `(rows, width / GROUP)` largest of each group."""
    return tile.view(tile.shape[0], -1, GROUP).amax(2)


def top_keys(tiles: Tensor, maxima: Tensor, starts: Tensor, k: int, floor: Tensor) -> Tensor:
    """Find the first k items of each row.

    Only groups and items that reach a score that k groups reach are looked into: any other item has k items
    before it, one from each of these groups.

    Args:
        tiles: `(n, rows, width)` float32; tile `j` scores the gallery items from `starts[j]` on.
        maxima: `(rows, n, width / GROUP)` the groups' maxima.
        starts: `(n,)` int64.
        k: how many.
        floor: `(rows,)` float32 above -inf: items that score less are not looked for.

    Returns:
        `(rows, ≤ k)` int64 keys in ranking order, filled up with `NEVER`.
    """
    rows = tiles.shape[1]
    bar = torch.maximum(floor, _reached(maxima.flatten(1), k))
    at_once = ROWS if tiles.device.type == "cpu" else rows
    parts = [_reaching(tiles, maxima, starts, bar, slice(at, at + at_once)) for at in range(0, rows, at_once)]
    keys, row = (torch.cat(part) for part in zip(*parts, strict=True))
    return _top_of_rows(keys, row, rows, k)


def _reaching(
    tiles: Tensor, maxima: Tensor, starts: Tensor, bar: Tensor, part: slice
) -> tuple[Tensor, Tensor]:
    """Keys of the items of some rows that reach the bar, and their rows, ascending."""
    n, rows, width = tiles.shape
    groups = width // GROUP
    place = true_places(maxima[part] >= bar[part, None, None])
    # Remainders of integers cost more than all else here.
    tile = place // groups
    group = place - tile * groups
    row = tile // n
    tile -= row * n
    row += part.start
    scores = tiles.view(-1, GROUP).index_select(0, (tile * rows + row) * groups + group)
    # Comparing into floats is several times as fast as into booleans.
    hit = true_places(torch.ge(scores, bar[row][:, None], out=torch.empty_like(scores)).bool())
    which = hit >> _GROUP_BITS
    items = (starts[tile] + (group << _GROUP_BITS))[which] + (hit & (GROUP - 1))
    return pack(scores.flatten()[hit], items), row[which]


def _reached(maxima: Tensor, k: int) -> Tensor:
    """A score that at least k of each row's groups reach, `(rows,)`; -inf where there are fewer groups."""
    if k > maxima.shape[1]:
        return maxima.new_full((maxima.shape[0],), -torch.inf)
    # Of pairs of groups there are half as many, and the k-th best is hardly lower.
    while maxima.shape[1] % 2 == 0 and maxima.shape[1] >= 4 * k:
        maxima = torch.maximum(*maxima.chunk(2, dim=1))
    if maxima.device.type != "cpu":
        return maxima.topk(k, dim=1).values[:, -1]
    place = maxima.shape[1] - k
    return torch.from_numpy(np.partition(maxima.numpy(), place, axis=1)[:, place].copy())


def _top_of_rows(keys: Tensor, row: Tensor, rows: int, k: int) -> Tensor:
    """Keep the k largest keys of each row; `row` ascends."""
    count = torch.bincount(row, minlength=rows)
    slot = torch.arange(row.numel(), device=row.device) - (count.cumsum(0) - count)[row]
    padded = keys.new_full((rows, int(count.max())), NEVER)
    padded[row, slot] = keys
    return largest(padded, k)

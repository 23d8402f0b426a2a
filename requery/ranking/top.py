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
    """Give back (scores, index) of keys."""
    index = -keys & ((1 << _INDEX_BITS) - 1)
    ordered = ((keys + index) >> _INDEX_BITS).int()
    return (ordered ^ ((ordered >> 31) & _SIGN_FREE)).view(torch.float32), index


def largest(values: Tensor, k: int) -> Tensor:
    """The k largest values of each row, `(B, N)` to `(B, min(k, N))`, descending."""
    n = values.shape[1]
    k = min(k, n)
    if values.device.type != "cpu":
        return values.topk(k, dim=1).values
    # numpy sorts and partitions with vector instructions: 15 and 4 times as fast as torch here.
    array = values.numpy()
    kept = np.partition(array, n - k, axis=1)[:, n - k :] if k < n else array
    return torch.from_numpy(np.sort(kept, axis=1)[:, ::-1].copy())


def group_maxima(tile: Tensor) -> Tensor:
    """`(rows, width)` scores to the `(rows, width / GROUP)` largest of each group."""
    return tile.view(tile.shape[0], -1, GROUP).amax(2)


def top_keys(tiles: Tensor, maxima: Tensor, start: int, k: int) -> Tensor:
    """Find the first k items of each row.

    Only groups and items that reach the k-th best maximum are looked into: any other item has k items
    before it, one from each of the k best groups.

    Args:
        tiles: `(n, rows, width)` float32; tile `j` scores the gallery items from `start + j * width` on.
        maxima: `(rows, n, width / GROUP)` the groups' maxima.
        start: gallery index of the first score.
        k: how many.

    Returns:
        `(rows, min(k, n * width))` int64 keys in ranking order.
    """
    n, rows, width = tiles.shape
    bar = maxima.new_full((rows,), -torch.inf)
    if k <= n * width // GROUP:
        bar = largest(maxima.flatten(1), k)[:, -1]
    row, tile, group = (maxima >= bar[:, None, None]).nonzero(as_tuple=True)
    place = (tile * rows + row) * (width // GROUP) + group
    scores = tiles.view(-1, GROUP).index_select(0, place)
    which, at = (scores >= bar[row, None]).nonzero(as_tuple=True)
    items = (start + tile * width + group * GROUP)[which] + at
    return _top_of_rows(pack(scores[which, at], items), row[which], rows, min(k, n * width))


def merge_keys(a: Tensor | None, b: Tensor, k: int) -> Tensor:
    """Keep the first k of two selections, `(rows, ≤ k)` keys each."""
    return b if a is None else largest(torch.cat([a, b], 1), k)


def _top_of_rows(keys: Tensor, row: Tensor, rows: int, k: int) -> Tensor:
    """Keep the k largest keys of each row; `row` ascends and names each row k times or more."""
    count = torch.bincount(row, minlength=rows)
    slot = torch.arange(row.numel(), device=row.device) - (count.cumsum(0) - count)[row]
    padded = keys.new_full((rows, int(count.max())), torch.iinfo(torch.int64).min)
    padded[row, slot] = keys
    return largest(padded, k)

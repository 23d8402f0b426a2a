"""The tiles of a query block, a strip of neighbours at a time: what a ranking reads from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from requery.ranking.tiles import GALLERY_BLOCK, QUERY_BLOCK, Tiles
from requery.ranking.top import GROUP, group_maxima, top_keys

_NOTHING = float("-inf")


@dataclass(frozen=True)
class Pairs:
    """Some (query, item) places of a block.

    Args:
        rows: `(P,)` int64 rows of the block.
        items: `(P,)` int64 gallery indices.
    """

    rows: Tensor
    items: Tensor


@dataclass(frozen=True)
class Strip:
    """Neighbouring tiles of one query block.

    Args:
        tiles: `(n, QUERY_BLOCK, GALLERY_BLOCK)` float32; -inf where an item is excluded or padding.
        maxima: `(QUERY_BLOCK, n, GALLERY_BLOCK / GROUP)` the largest score of each group.
        start: gallery index of the first column.
    """

    tiles: Tensor
    maxima: Tensor
    start: int

    def _inside(self, items: Tensor) -> Tensor:
        """Which items this strip scores, as positions in `items`."""
        stop = self.start + self.tiles.shape[0] * GALLERY_BLOCK
        return ((items >= self.start) & (items < stop)).nonzero().flatten()

    def exclude(self, pairs: Pairs) -> None:
        """Take items out of their queries' rankings."""
        here = self._inside(pairs.items)
        rows, at = pairs.rows[here], pairs.items[here] - self.start
        tile, column = at // GALLERY_BLOCK, at % GALLERY_BLOCK
        self.tiles[tile, rows, column] = _NOTHING
        groups = self.tiles.view(*self.tiles.shape[:2], -1, GROUP)
        self.maxima[rows, tile, column // GROUP] = groups[tile, rows, column // GROUP].amax(1)

    def read(self, pairs: Pairs, scores: Tensor) -> None:
        """Write the scores of the pairs in this strip to their places in `scores`, `(P,)`."""
        here = self._inside(pairs.items)
        at = pairs.items[here] - self.start
        scores[here] = self.tiles[at // GALLERY_BLOCK, pairs.rows[here], at % GALLERY_BLOCK]

    def count_ahead(self, pairs: Pairs, scores: Tensor) -> Tensor:
        """Count the items of this strip that rank before each pair's item.

        Args:
            pairs: the items whose rivals are counted, anywhere in the gallery.
            scores: `(P,)` their scores.

        Returns:
            `(P,)` int64.
        """
        ahead = torch.zeros_like(pairs.items)
        for first in range(0, pairs.items.numel(), QUERY_BLOCK):
            part = slice(first, first + QUERY_BLOCK)
            ahead[part] = self._count(pairs.rows[part], pairs.items[part], scores[part])
        return ahead

    def _count(self, rows: Tensor, items: Tensor, scores: Tensor) -> Tensor:
        # An equal score counts where its index is smaller: in whole tiles before the item `s >= score`,
        # written as `s > the float below`, costs one comparison; only the item's own tile needs both.
        n = self.tiles.shape[0]
        below = torch.nextafter(scores, torch.full_like(scores, _NOTHING))
        tile_of = torch.div(items - self.start, GALLERY_BLOCK, rounding_mode="floor")
        # Comparing into floats and adding them is several times as fast as counting booleans, and exact.
        larger = torch.empty(rows.numel(), GALLERY_BLOCK, device=scores.device)
        counts = torch.empty(n, rows.numel(), device=scores.device)
        one_each = torch.equal(rows, torch.arange(QUERY_BLOCK, device=rows.device))  # saves a copy
        bars = torch.where(tile_of > torch.arange(n, device=rows.device)[:, None], below, scores)[:, :, None]
        for tile, bar, count in zip(self.tiles, bars, counts, strict=True):
            rivals = tile if one_each else tile.index_select(0, rows)
            torch.sum(torch.gt(rivals, bar, out=larger), 1, out=count)
        ahead = counts.long().sum(0)
        own = ((tile_of >= 0) & (tile_of < n)).nonzero().flatten()
        equal = self.tiles[tile_of[own], rows[own]] == scores[own, None]
        column = torch.arange(GALLERY_BLOCK, device=scores.device)
        earlier = column < ((items[own] - self.start) % GALLERY_BLOCK)[:, None]
        ahead[own] += (equal & earlier).sum(1)
        return ahead

    def top_keys(self, k: int) -> Tensor:
        """`(QUERY_BLOCK, min(k, columns))` int64 keys of the first k items of each row (`top.unpack`)."""
        return top_keys(self.tiles, self.maxima, self.start, k)


class Strips:
    """Cut the score matrix of a query block into strips that fit a memory budget.

    Args:
        gallery: as `Tiles`.
        memory_budget: bytes the scores held at one time may take; one tile is always held.
    """

    def __init__(self, gallery: Tensor, memory_budget: int) -> None:
        self.tiles = Tiles(gallery)
        size = QUERY_BLOCK * GALLERY_BLOCK * torch.float32.itemsize
        held = min(max(1, memory_budget // size), len(self.tiles))
        self.scores = torch.empty(held, QUERY_BLOCK, GALLERY_BLOCK, device=gallery.device)

    @property
    def held(self) -> bool:
        """Whether all tiles of a query block fit the budget."""
        return self.scores.shape[0] == len(self.tiles)

    def of(self, block: Tensor, excluded: Pairs) -> Iterator[Strip]:
        """Score a query block against the gallery; a strip is valid until the next one is asked for.

        Args:
            block: `(QUERY_BLOCK, D)` float32, made by `Tiles.block`.
            excluded: items whose score becomes -inf.
        """
        for first in range(0, len(self.tiles), self.scores.shape[0]):
            held = self.scores[: len(self.tiles) - first]
            maxima = []
            for number, tile in enumerate(held, start=first):
                self.tiles.score(block, number, tile)
                tile[:, self.tiles.n_items - number * GALLERY_BLOCK :] = _NOTHING  # only in the last tile
                maxima.append(group_maxima(tile))  # while the tile is in the cache
            strip = Strip(held, torch.stack(maxima, 1), first * GALLERY_BLOCK)
            strip.exclude(excluded)
            yield strip

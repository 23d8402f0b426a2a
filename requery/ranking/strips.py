"""Scores of queries against a gallery, in tiles of one shape, a strip of tiles at a time.

The same product in another shape gives other bits, so every tile here is `QUERY_BLOCK` x `GALLERY_BLOCK`
scores from products of one shape, zero-padded at the ends, whatever the number of queries, the memory
budget or the number of processes. A score then depends only on its query's row in the block, on its
item's column in the tile, and on the two embeddings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from requery.ranking.top import GROUP, group_maxima, top_keys

QUERY_BLOCK = 256
"""Queries per tile. Split queries only at its multiples where bits are to agree."""

GALLERY_BLOCK = 512
"""Gallery items per tile: with `QUERY_BLOCK` rows half a MiB, which fits a core's second-level cache."""

_ALIGNMENT = 64
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


class Tiles:
    """Score query blocks against a gallery kept in memory.

    Args:
        gallery: `(N, T, D)` or `(N, D)` float; T embeddings of an item, of which the best match counts.
        memory_budget: bytes the scores held at one time may take; one tile is always held.
    """

    def __init__(self, gallery: Tensor, memory_budget: int) -> None:
        tokens = gallery if gallery.ndim == 3 else gallery[:, None]
        tokens = tokens.float().contiguous()
        # An address decides which instructions a product starts with: keep it aligned.
        self.gallery = tokens if tokens.data_ptr() % _ALIGNMENT == 0 else tokens.clone()
        self.n_items = tokens.shape[0]
        whole = self.n_items // GALLERY_BLOCK * GALLERY_BLOCK
        self.tail = tokens.new_zeros(GALLERY_BLOCK, *tokens.shape[1:])
        self.tail[: self.n_items - whole] = tokens[whole:]
        self.count = -(-self.n_items // GALLERY_BLOCK)
        held = max(1, memory_budget // (QUERY_BLOCK * GALLERY_BLOCK * tokens.element_size()))
        self.scores = tokens.new_empty(min(held, self.count), QUERY_BLOCK, GALLERY_BLOCK)

    @property
    def held(self) -> bool:
        """Whether all tiles of a query block fit the budget."""
        return self.scores.shape[0] == self.count

    def block(self, queries: Tensor) -> Tensor:
        """Zero-pad up to `QUERY_BLOCK` queries, `(n, D)`, to a block."""
        padded = self.gallery.new_zeros(QUERY_BLOCK, self.gallery.shape[2])
        padded[: queries.shape[0]] = queries
        return padded

    def strips(self, block: Tensor, excluded: Pairs) -> Iterator[Strip]:
        """Score a query block against the gallery, as many tiles at a time as the budget holds.

        A strip is valid until the next one is asked for.

        Args:
            block: `(QUERY_BLOCK, D)` float32.
            excluded: items whose score becomes -inf.
        """
        for first in range(0, self.count, self.scores.shape[0]):
            tiles = self.scores[: self.count - first]
            maxima = []
            for number, tile in enumerate(tiles, start=first):
                self._score(block, number, tile)
                if number + 1 == self.count:
                    tile[:, self.n_items - number * GALLERY_BLOCK :] = _NOTHING
                maxima.append(group_maxima(tile))  # while the tile is in the cache
            strip = Strip(tiles, torch.stack(maxima, 1), first * GALLERY_BLOCK)
            strip.exclude(excluded)
            yield strip

    def _score(self, block: Tensor, number: int, out: Tensor) -> None:
        """Fill one tile; items of several tokens go in products of about `GALLERY_BLOCK` tokens."""
        start = number * GALLERY_BLOCK
        full = start + GALLERY_BLOCK <= self.n_items
        items = self.gallery[start : start + GALLERY_BLOCK] if full else self.tail
        n_tokens, dim = items.shape[1:]
        if n_tokens == 1:
            torch.mm(block, items[:, 0].T, out=out)
            return
        # Token-major scores let the maximum run along whole rows; a power of two divides the tile.
        step = 1 << max(0, (GALLERY_BLOCK // n_tokens).bit_length() - 1)
        for at in range(0, GALLERY_BLOCK, step):
            product = torch.mm(items[at : at + step].view(-1, dim), block.T)
            out[:, at : at + step] = product.view(step, n_tokens, QUERY_BLOCK).amax(1).T

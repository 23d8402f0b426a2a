"""The tiles of a query block, a strip at a time within a memory budget: what a ranking reads from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

import torch
from torch import Tensor

from requery.ranking.tiles import GALLERY_BLOCK, QUERY_BLOCK, Tiles
from requery.ranking.top import GROUP, drop_above, group_maxima, top_keys

STRIP = 16
"""Tiles looked at together where a query block's do not all have to be kept: 16 MiB."""

TOGETHER = 4
"""Tiles in which rivals are counted together: fewer calls, but no more than a core's caches hold."""

TILE_BYTES = QUERY_BLOCK * GALLERY_BLOCK * torch.float32.itemsize

_NOTHING = float("-inf")

T = TypeVar("T")


@dataclass(frozen=True)
class Pairs:
    """Some (query, item) places of a block.

    Args:
        rows: `(P,)` int64 rows of the block.
        items: `(P,)` int64 gallery indices.
    """

    rows: Tensor
    items: Tensor

    @classmethod
    def none(cls, device: torch.device) -> Pairs:
        """No place."""
        empty = torch.empty(0, dtype=torch.int64, device=device)
        return cls(empty, empty)

    def __add__(self, other: Pairs) -> Pairs:
        return Pairs(torch.cat([self.rows, other.rows]), torch.cat([self.items, other.items]))


@dataclass(frozen=True)
class Strip:
    """Some tiles of one query block.

    Args:
        tiles: `(n, QUERY_BLOCK, GALLERY_BLOCK)` float32; -inf where an item is excluded or padding.
        maxima: `(QUERY_BLOCK, n, GALLERY_BLOCK / GROUP)` the largest score of each group.
        numbers: `(n,)` int64 which tiles, ascending.
    """

    tiles: Tensor
    maxima: Tensor
    numbers: Tensor

    def _find(self, items: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The items that this strip scores: positions in `items`, tiles of the strip, columns."""
        tile = torch.searchsorted(self.numbers, items // GALLERY_BLOCK).clamp_(max=len(self.numbers) - 1)
        here = (self.numbers[tile] == items // GALLERY_BLOCK).nonzero().flatten()
        return here, tile[here], items[here] % GALLERY_BLOCK

    def exclude(self, pairs: Pairs) -> None:
        """Take items out of their queries' rankings."""
        here, tile, column = self._find(pairs.items)
        rows = pairs.rows[here]
        self.tiles[tile, rows, column] = _NOTHING
        if rows.numel() * GROUP > self.tiles.numel():  # more groups to look at than there are
            torch.stack([group_maxima(scores) for scores in self.tiles], 1, out=self.maxima)
            return
        groups = self.tiles.view(*self.tiles.shape[:2], -1, GROUP)
        self.maxima[rows, tile, column // GROUP] = groups[tile, rows, column // GROUP].amax(1)

    def read(self, pairs: Pairs, scores: Tensor) -> None:
        """Write the scores of the pairs in this strip to their places in `scores`, `(P,)`."""
        here, tile, column = self._find(pairs.items)
        scores[here] = self.tiles[tile, pairs.rows[here], column]

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
        # Comparing into floats and adding them is several times as fast as counting booleans, and exact.
        larger = torch.empty(TOGETHER, rows.numel(), GALLERY_BLOCK, device=scores.device)
        bars = self._bars(items, scores)
        counts = torch.empty(bars.shape[:2], device=scores.device)
        one_each = torch.equal(rows, torch.arange(QUERY_BLOCK, device=rows.device))  # saves a copy
        for first in range(0, len(bars), TOGETHER):
            some = slice(first, first + TOGETHER)
            rivals = self.tiles[some] if one_each else self.tiles[some].index_select(1, rows)
            torch.sum(torch.gt(rivals, bars[some], out=larger[: len(rivals)]), 2, out=counts[some])
        ahead = counts.long().sum(0)
        own, tile, column = self._find(items)
        equal = self.tiles[tile, rows[own]] == scores[own, None]
        earlier = torch.arange(GALLERY_BLOCK, device=scores.device) < column[:, None]
        ahead[own] += (equal & earlier).sum(1)
        return ahead

    def _bars(self, items: Tensor, scores: Tensor) -> Tensor:
        """`(n, P, 1)` what a score must exceed for its item to rank before each of `items`.

        An equal score counts where its index is smaller: in whole tiles before the item `s >= score`, written
        as `s > the float below`, costs one comparison; only in the item's own tile do equals remain open.
        """
        below = torch.nextafter(scores, torch.full_like(scores, _NOTHING))
        return torch.where(items // GALLERY_BLOCK > self.numbers[:, None], below, scores)[:, :, None]

    def keep_after(self, targets: Pairs, scores: Tensor) -> None:
        """Take all items out of each row's ranking that do not rank after its target.

        Args:
            targets: one of each row, or of the first rows, in order; the other rows are left without an item.
            scores: `(P,)` their scores.
        """
        own, tile, column = self._find(targets.items)
        rivals = self.tiles[tile, own]
        earlier = torch.arange(GALLERY_BLOCK, device=scores.device) <= column[:, None]
        self.tiles[tile, own] = rivals.masked_fill_((rivals == scores[own, None]) & earlier, _NOTHING)
        bars = scores.new_full((len(self.numbers), QUERY_BLOCK, 1), _NOTHING)
        bars[:, : len(scores)] = self._bars(targets.items, scores)
        flags = torch.empty_like(self.tiles[0])
        for number, (tile, bar) in enumerate(zip(self.tiles, bars, strict=True)):
            drop_above(tile, bar, flags)
            self.maxima[:, number] = group_maxima(tile)

    def top_keys(self, k: int, floor: Tensor) -> Tensor:
        """The first k items of each row that score `floor` or more; see `top.top_keys`."""
        return top_keys(self.tiles, self.maxima, self.numbers * GALLERY_BLOCK, k, floor)


class Strips:
    """Cut the score matrix of a query block into strips that fit a memory budget.

    Args:
        gallery: as `Tiles`, or these themselves.
        memory_budget: bytes the scores held at one time may take; one tile is always held.
    """

    def __init__(self, gallery: Tensor | Tiles, memory_budget: int) -> None:
        self.tiles = gallery if isinstance(gallery, Tiles) else Tiles(gallery)
        self.memory_budget = memory_budget
        self._held = torch.empty(0, QUERY_BLOCK, GALLERY_BLOCK, device=self.tiles.gallery.device)

    def divided(self, n: int) -> list[Strips]:
        """Strips of the same gallery for several threads, which share the memory budget."""
        return [Strips(self.tiles.twin(), max(1, self.memory_budget // n)) for _ in range(n)]

    def within_memory(self, work: Callable[[], T]) -> T:
        """Do work on these strips; where an accelerator's memory ends, again with half the budget.

        The tiles have one shape whatever the budget, so what the work reads are the same bits.

        Raises:
            torch.OutOfMemoryError: even one tile at a time is too much.
        """
        while True:
            try:
                return work()
            except torch.OutOfMemoryError:
                if self.memory_budget <= TILE_BYTES:
                    raise
            self._held = self._held[:0].clone()
            held = min(self.memory_budget // TILE_BYTES, len(self.tiles))
            self.memory_budget = max(1, held // 2) * TILE_BYTES

    def of(self, block: Tensor, excluded: Pairs, wanted: Pairs) -> tuple[Tensor, Iterator[Strip]]:
        """Score a query block against the gallery.

        What must be known before the strips are looked at is scored first. Its tiles are kept and given as
        the first strip; those that the budget cannot keep are scored again when their turn comes.

        Args:
            block: `(QUERY_BLOCK, D)` float32, made by `Tiles.block`.
            excluded: items whose score becomes -inf.
            wanted: places whose scores are read first.

        Returns:
            `(P,)` the scores of the wanted places; the strips, which cover each tile once. A strip is valid
            until the next one is asked for.
        """
        everything = torch.arange(len(self.tiles), device=block.device)
        needed = torch.isin(everything, wanted.items // GALLERY_BLOCK)
        room = max(1, self.memory_budget // TILE_BYTES)
        width = min(STRIP, max(1, room // 2))
        n_kept = min(max(int(needed.sum()), width), len(everything))
        if n_kept < len(everything) or n_kept > room:
            n_kept = min(n_kept, room - width)
        order = torch.cat([everything[needed], everything[~needed]])
        kept, others = order[:n_kept].sort().values, order[n_kept:].sort().values
        hold, spare = self._room(n_kept, min(width, len(others)))
        scores = torch.empty(wanted.items.numel(), device=block.device)
        first = [self._fill(hold, block, kept, excluded)] if n_kept else []
        missed = others[needed[others]]
        for strip in chain(first, self._each(spare, block, missed, excluded)):
            strip.read(wanted, scores)
        return scores, chain(first, self._each(spare, block, others, excluded))

    def _room(self, n_kept: int, n_spare: int) -> tuple[Tensor, Tensor]:
        """Memory for the tiles that are kept, and for a strip of the others."""
        n = n_kept + n_spare
        if self._held.shape[0] < n:
            self._held = self._held[:0].clone()  # free it before there is more
            self._held = self._held.new_empty(n, QUERY_BLOCK, GALLERY_BLOCK)
        return self._held[:n_kept], self._held[n_kept:n]

    def _each(self, room: Tensor, block: Tensor, numbers: Tensor, excluded: Pairs) -> Iterator[Strip]:
        for start in range(0, len(numbers), max(1, len(room))):
            yield self._fill(room, block, numbers[start : start + len(room)], excluded)

    def _fill(self, room: Tensor, block: Tensor, numbers: Tensor, excluded: Pairs) -> Strip:
        tiles = room[: len(numbers)]
        maxima = []
        for number, tile in zip(numbers.tolist(), tiles, strict=True):
            self.tiles.score(block, number, tile)
            padding = self.tiles.n_items - number * GALLERY_BLOCK
            if padding < GALLERY_BLOCK:  # the last tile
                tile[:, padding:] = _NOTHING
            maxima.append(group_maxima(tile))  # while the tile is in the cache
        strip = Strip(tiles, torch.stack(maxima, 1), numbers)
        strip.exclude(excluded)
        return strip

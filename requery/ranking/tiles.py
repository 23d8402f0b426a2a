"""Scores of queries against a gallery, in tiles of one shape.

The same product in another shape gives other bits, so every tile here is `QUERY_BLOCK` x `GALLERY_BLOCK`
scores from products of one shape, zero-padded at the ends, whatever the number of queries, the memory at
hand or the number of processes. A score then depends only on its query's row in the block, on its item's
column in the tile, and on the two embeddings: a ranking and a search for negatives see the same bits.
"""

from __future__ import annotations

from copy import copy

import torch
from torch import Tensor

QUERY_BLOCK = 512
"""Queries per tile. Split queries only at its multiples where bits are to agree."""

GALLERY_BLOCK = 512
"""Gallery items per tile: with `QUERY_BLOCK` rows a MiB, which fits a core's second-level cache."""

_ALIGNMENT = 64


class Tiles:
    """Score blocks of queries against a gallery; a score is the best match among an item's embeddings.

    Args:
        gallery: `(N, T, D)` or `(N, D)` float, T embeddings an item; half precision is widened in pieces.
    """

    def __init__(self, gallery: Tensor) -> None:
        tokens = (gallery if gallery.ndim == 3 else gallery[:, None]).contiguous()
        # An address decides which instructions a product starts with: keep it aligned.
        self.gallery = tokens if tokens.data_ptr() % _ALIGNMENT == 0 else tokens.clone()
        self.n_items = tokens.shape[0]
        whole = self.n_items // GALLERY_BLOCK * GALLERY_BLOCK
        self.tail = tokens.new_zeros(GALLERY_BLOCK, *tokens.shape[1:])
        self.tail[: self.n_items - whole] = tokens[whole:]
        # Products of about `GALLERY_BLOCK` tokens; a power of two divides the tile. Token-major scores let
        # the maximum run along whole rows. One memory for all: new memory costs as much as the maximum.
        step = 1 << max(0, (GALLERY_BLOCK // tokens.shape[1]).bit_length() - 1)
        self.product = tokens.new_empty(step * tokens.shape[1], QUERY_BLOCK, dtype=torch.float32)

    def twin(self) -> Tiles:
        """The same tiles for another thread, with memory of its own to work in."""
        twin = copy(self)
        twin.product = torch.empty_like(self.product)
        return twin

    def __len__(self) -> int:
        """Tiles in a query block."""
        return -(-self.n_items // GALLERY_BLOCK)

    def block(self, queries: Tensor) -> Tensor:
        """Zero-pad up to `QUERY_BLOCK` queries, `(n, D)`, to a float32 block on the gallery's device."""
        padded = self.gallery.new_zeros(QUERY_BLOCK, self.gallery.shape[2], dtype=torch.float32)
        padded[: queries.shape[0]] = queries
        return padded

    def score(self, block: Tensor, number: int, out: Tensor) -> None:
        """Fill one tile; columns beyond the gallery are 0.

        Args:
            block: `(QUERY_BLOCK, D)` float32.
            number: of the tile: its first column is item `number * GALLERY_BLOCK`.
            out: `(QUERY_BLOCK, GALLERY_BLOCK)` float32.
        """
        start = number * GALLERY_BLOCK
        full = start + GALLERY_BLOCK <= self.n_items
        items = self.gallery[start : start + GALLERY_BLOCK] if full else self.tail
        n_tokens, dim = items.shape[1:]
        if n_tokens == 1:
            torch.mm(block, items[:, 0].float().T, out=out)
            return
        step = self.product.shape[0] // n_tokens
        for at in range(0, GALLERY_BLOCK, step):
            torch.mm(items[at : at + step].view(-1, dim).float(), block.T, out=self.product)
            out[:, at : at + step] = self.product.view(step, n_tokens, QUERY_BLOCK).amax(1).T

    def rows(self, queries: Tensor, start: int = 0, stop: int = QUERY_BLOCK) -> Tensor:
        """Score up to `QUERY_BLOCK` queries, `(n, D)`, against all items, and keep the scores of some.

        Args:
            queries: of one block; all are scored, so that the bits are those of the whole block.
            start: the first query whose scores are kept.
            stop: the query after the last one.

        Returns:
            `(min(stop, n) - start, N)` float32.
        """
        block, kept = self.block(queries), slice(start, min(stop, queries.shape[0]))
        tile = block.new_empty(QUERY_BLOCK, GALLERY_BLOCK)
        scores = block.new_empty(kept.stop - kept.start, self.n_items)
        for number, columns in enumerate(torch.split(scores, GALLERY_BLOCK, dim=1)):
            self.score(block, number, tile)
            columns.copy_(tile[kept, : columns.shape[1]])
        return scores

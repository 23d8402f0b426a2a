"""Scores of a block of queries against a whole gallery, in products of one fixed shape.

A product in another shape gives other bits, so that a score would depend on how work is split. Here every
product is (TILE_TOKENS, rounded down to whole items) x D x QUERY_BLOCK, padded with zeros where queries or
items run out: a score depends on the query, the item, their places in block and tile, and nothing else.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

QUERY_BLOCK = 64
"""Queries per product."""

TILE_TOKENS = 1024
"""Gallery tokens per product: with 256 dimensions, tile and scores stay in a core's cache."""

ALIGNMENT = 64
"""Bytes; an address off this boundary may start a product with other instructions, and other bits."""


def aligned(gallery: Tensor) -> Tensor:
    """Return the gallery contiguous and at an aligned address, copied only where it is not."""
    whole = gallery.contiguous()
    return whole if whole.data_ptr() % ALIGNMENT == 0 else whole.clone()


def score_rows(query: Tensor, gallery: Tensor) -> Tensor:
    """Score up to QUERY_BLOCK queries against all items: the maximum over an item's tokens of <q, token>.

    Args:
        query: `(B, D)` with B <= QUERY_BLOCK.
        gallery: `(N, T, D)`, `aligned`; half precision is widened tile by tile.

    Returns:
        `(B, N)` float32.

    Raises:
        ValueError: more queries than a block holds.
    """
    rows, (n, tokens, dim) = query.shape[0], gallery.shape
    if rows > QUERY_BLOCK:
        raise ValueError(f"{rows} queries; a block holds {QUERY_BLOCK}")
    columns = F.pad(query.float(), (0, 0, 0, QUERY_BLOCK - rows)).T.contiguous()  # (D, QUERY_BLOCK)
    items = max(1, TILE_TOKENS // tokens)
    product = torch.empty(items * tokens, QUERY_BLOCK, device=query.device)
    scores = torch.empty(rows, n, device=query.device)
    for start in range(0, n, items):
        tile = gallery[start : start + items].float()
        held = tile.shape[0]
        if held < items:
            tile = F.pad(tile, (0, 0, 0, 0, 0, items - held))
        torch.mm(tile.reshape(-1, dim), columns, out=product)
        best = product.view(items, tokens, QUERY_BLOCK).amax(1)
        scores[:, start : start + held] = best[:held, :rows].T
    return scores

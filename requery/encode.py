"""Encode many items in globally numbered blocks of one shape.

The same product in another shape gives other bits, so a block is always full: the last one repeats its
last item. Whoever encodes block 7, and whatever else is encoded beside it, gets the same bits.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from requery.errors import DataError

BLOCK = 64
"""Items per block."""

Progress = Callable[[int, int], None]
"""Called with (items done, items in all)."""


def full_block(index: Tensor) -> Tensor:
    """Fill a block to `BLOCK` items by repeating its last, `(n,)` to `(BLOCK,)`."""
    return index[torch.arange(BLOCK).clamp(max=index.numel() - 1)]


@torch.no_grad()
def encode_blocks(encode: Callable[[Tensor], Tensor], n: int, progress: Progress | None = None) -> Tensor:
    """Encode items `0 … n-1`.

    Args:
        encode: maps `(BLOCK,)` int64 item numbers to `(BLOCK, …)` embeddings.
        n: number of items.
        progress: told after each block.

    Returns:
        `(n, …)` on the CPU.
    """
    if n < 1:
        raise DataError("nothing to encode: the list of items is empty")
    out: Tensor | None = None
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        block = encode(full_block(torch.arange(start, stop)))[: stop - start].cpu()
        if out is None:
            out = torch.empty((n, *block.shape[1:]), dtype=block.dtype)
        out[start:stop] = block
        if progress is not None:
            progress(stop, n)
    assert out is not None
    return out

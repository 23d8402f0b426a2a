"""Encode many items in globally numbered blocks of one shape.

The same product in another shape gives other bits, so a block is always full: the last one repeats its
last item. Whoever encodes block 7, and whatever else is encoded beside it, gets the same bits.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from requery import distributed
from requery.errors import DataError, RunError

BLOCK = 64
"""Items per block."""

Progress = Callable[[int, int], None]
"""Called with (items done, items in all)."""


def full_block(index: Tensor, size: int = BLOCK) -> Tensor:
    """Fill a block to `size` items by repeating its last, `(n,)` to `(size,)`."""
    return index[torch.arange(size).clamp(max=index.numel() - 1)]


@torch.no_grad()
def encode_blocks(
    encode: Callable[[Tensor], Tensor],
    n: int,
    progress: Progress | None = None,
    *,
    shared: bool = False,
    halved: Callable[[int], None] | None = None,
) -> Tensor:
    """Encode items `0 … n-1`.

    Where the device has no memory for a block, all items are encoded anew in blocks of half the size, on
    every process that shares the work: the bits are a function of that size, not of where memory ran out.

    Args:
        encode: maps `(size,)` int64 item numbers to `(size, …)` embeddings; `BLOCK` items unless halved.
        n: number of items.
        progress: told after each block.
        shared: each process encodes its share of the blocks, and all get everything; else this process
            encodes all of them.
        halved: told the new size.

    Returns:
        `(n, …)` on the CPU.

    Raises:
        DataError: there is no item.
        RunError: there is no memory for one item.
    """
    if n < 1:
        raise DataError("nothing to encode: the list of items is empty")
    size = BLOCK
    while True:
        rows = _own_rows(encode, n, size, progress, shared)
        lacking = distributed.any_of(rows is None) if shared else rows is None
        if rows is not None and not lacking:
            return distributed.gather(rows) if shared else rows
        if size == 1:
            raise RunError(
                "there is no memory to encode one item: end other programs on the device, take a smaller "
                "backbone, or set --trainer.accelerator=cpu"
            )
        size //= 2
        warnings.warn(
            f"there was no memory for {2 * size} items at a time: all are encoded anew, {size} at a time",
            stacklevel=3,
        )
        torch.cuda.empty_cache()  # what was cached for the larger blocks is of no use to the smaller ones
        if halved is not None:
            halved(size)


def _own_rows(
    encode: Callable[[Tensor], Tensor], n: int, size: int, progress: Progress | None, shared: bool
) -> Tensor | None:
    """The rows of this process's blocks, on the CPU; None where memory does not suffice."""
    blocks = -(-n // size)
    own = distributed.share(blocks) if shared else range(blocks)
    first, last = own.start * size, min(own.stop * size, n)
    out: Tensor | None = None
    try:
        if not own:  # more processes than blocks: what the rows look like is still to be known
            return encode(full_block(torch.arange(1), size))[:0].cpu()
        for start in range(first, last, size):
            stop = min(start + size, n)
            block = encode(full_block(torch.arange(start, stop), size))[: stop - start].cpu()
            if out is None:
                out = torch.empty((last - first, *block.shape[1:]), dtype=block.dtype)
            out[start - first : stop - first] = block
            if progress is not None:
                progress(stop - first, last - first)
    except torch.OutOfMemoryError:
        return None
    return out

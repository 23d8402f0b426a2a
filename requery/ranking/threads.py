"""Blocks of queries on several threads, each whole on one: the same bits, and no thread waits for another.

A product split over threads leaves them idle while its scores are compared and selected, a third of the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import TypeVar

import torch

from requery.ranking.strips import Strips

T = TypeVar("T")


def each_block(strips: Strips, work: Callable[[Strips, int], T], n: int) -> Iterator[T]:
    """Do the work of blocks `0 … n-1`, in as many at a time as PyTorch has threads; results in order.

    Args:
        strips: of the gallery; the threads share its memory budget.
        work: called with strips of its own and a block's number; it writes to nothing that is shared.
        n: how many blocks.
    """
    threads = min(torch.get_num_threads(), n) if strips.tiles.gallery.device.type == "cpu" else 1
    if threads <= 1:
        for number in range(n):
            yield strips.within_memory(partial(work, strips, number))
        return
    free: SimpleQueue[Strips] = SimpleQueue()
    for own in strips.divided(threads):
        free.put(own)
    inference = torch.is_inference_mode_enabled()  # modes are a thread's own

    def one(number: int) -> T:
        own = free.get()
        try:
            with torch.inference_mode(inference), torch.no_grad():
                return own.within_memory(partial(work, own, number))
        finally:
            free.put(own)

    before = torch.get_num_threads()
    torch.set_num_threads(1)  # threads begin with this; products would otherwise start threads of their own
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(one, range(n))
    finally:
        torch.set_num_threads(before)

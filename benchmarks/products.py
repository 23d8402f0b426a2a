"""The yardstick of everything that scores: the matrix product alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import DEVICE, best_seconds

BLOCKS = ((256, 512), (256, 2048), (512, 1024), (1024, 4096), (4096, 16384))
"""Queries x vectors of the products tried; which is fastest differs from machine to machine."""


def unit(*shape: int, seed: int) -> Tensor:
    """Random unit vectors on the device, made in place."""
    vectors = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return vectors.div_(torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)).to(DEVICE)


def products(queries: Tensor, vectors: Tensor) -> dict[str, Callable[[], object]]:
    """The product of `(Q, D)` and `(N, D)` in blocks of each size, its scores thrown away."""
    return {named(block): partial(multiply, queries, vectors, *block) for block in BLOCKS}


def fastest_block(queries: Tensor, vectors: Tensor, turns: int) -> tuple[int, int]:
    """The block size to use where trying all of them on the whole problem takes too long."""
    seconds = best_seconds(turns, products(queries, vectors))
    return min(BLOCKS, key=lambda block: seconds[named(block)])


def multiply(queries: Tensor, vectors: Tensor, rows: int, columns: int) -> None:
    """Multiply in blocks of `rows` x `columns` scores."""
    scores = torch.empty(rows, columns, device=queries.device)
    for query in torch.split(queries, rows):
        for vector in torch.split(vectors, columns):
            torch.mm(query, vector.T, out=scores[: len(query), : len(vector)])


def fastest(seconds: dict[str, float]) -> tuple[str, float]:
    """The best product among some timings, and its seconds."""
    return min(((n, s) for n, s in seconds.items() if n.startswith("matrix product")), key=lambda at: at[1])


def named(block: tuple[int, int]) -> str:
    """What the product in blocks of this size is called."""
    return f"matrix product, {block[0]} × {block[1]} blocks"

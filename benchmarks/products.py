"""The yardstick of everything that scores: the matrix product alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

BLOCKS = ((256, 512), (256, 2048), (512, 1024), (1024, 4096))
"""Queries x vectors of the products tried; which is fastest differs from machine to machine."""


def unit(*shape: int, seed: int) -> Tensor:
    """Random unit vectors, made in place."""
    vectors = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return vectors.div_(torch.linalg.vector_norm(vectors, dim=-1, keepdim=True))


def products(queries: Tensor, vectors: Tensor) -> dict[str, Callable[[], object]]:
    """The product of `(Q, D)` and `(N, D)` in blocks of each size, its scores thrown away."""
    return {
        f"matrix product, {rows} × {columns} blocks": partial(multiply, queries, vectors, rows, columns)
        for rows, columns in BLOCKS
    }


def multiply(queries: Tensor, vectors: Tensor, rows: int, columns: int) -> None:
    """Multiply in blocks of `rows` x `columns` scores."""
    scores = torch.empty(rows, columns)
    for query in torch.split(queries, rows):
        for vector in torch.split(vectors, columns):
            torch.mm(query, vector.T, out=scores[: len(query), : len(vector)])


def fastest(seconds: dict[str, float]) -> tuple[str, float]:
    """The best product among some timings, and its seconds."""
    return min(((n, s) for n, s in seconds.items() if n.startswith("matrix product")), key=lambda at: at[1])

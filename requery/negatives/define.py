"""Define each query's negatives with the embeddings of the current model."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from requery.errors import DataError
from requery.negatives.intervals import BlockSets
from requery.negatives.sampling import ABSENT
from requery.negatives.select import select
from requery.negatives.sets import NegativeSets
from requery.negatives.strategies import Strategy
from requery.negatives.uniform import UniformNegatives
from requery.ragged import Ragged
from requery.ranking.embeddings import check_embeddings, check_shapes
from requery.ranking.tiles import QUERY_BLOCK, Tiles

CACHE_SCORES = 2**17
"""Scores one selection works on: their keys fit a core's cache, which makes it several times as fast."""

DEVICE_SCORES = 2**24
"""The same on an accelerator, where the calls are what costs."""


@torch.no_grad()
def define(
    strategy: Strategy,
    queries: Tensor,
    corpus: Tensor,
    target: Tensor,
    *,
    excluded: Ragged | None = None,
    query_group: Tensor | None = None,
    corpus_group: Tensor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NegativeSets | UniformNegatives:
    """Rank the corpus for each training query and choose its negatives.

    Scores exist for `QUERY_BLOCK` queries at a time, `QUERY_BLOCK` x N float32, never M x N. Each set is a
    function of its query, the corpus and the query's place in its group, whatever the number of threads.
    Queries whose set is a fallback (see `requery.negatives.select.select`) are flagged.

    Args:
        strategy: which items become negatives.
        queries: `(M, D)` embeddings of the training queries.
        corpus: `(N, T, D)` embeddings of the corpus, T tokens an item, or `(N, D)`; float32, or half
            precision, which is widened in pieces.
        target: `(M,)` int64 corpus index of each query's target.
        excluded: `M` rows of corpus indices, the reference images; used if `strategy.exclude_reference`.
        query_group: `(M,)` int64: a query ranks only the corpus items of its group; None = all.
        corpus_group: `(N,)` int64.
        progress: called with (queries done, M) after each block.

    Raises:
        DataError: a target is not in its query's corpus, nothing is left to choose, or reference images are
            to be excluded and not given.
        EmbeddingError: an embedding is NaN, infinite or of zero norm; names the items.
    """
    if strategy.exclude_reference and excluded is None:
        raise DataError("exclude_reference is set, but the data names no reference images")
    removed = excluded if strategy.exclude_reference else None
    pool = UniformNegatives(corpus.shape[0], target, removed, query_group, corpus_group)
    if strategy.name == "all":
        return pool
    check_shapes(queries, corpus)
    corpus = corpus if corpus.ndim == 3 else corpus[:, None]
    check_embeddings(queries, "query")
    check_embeddings(corpus, "corpus")
    parts: list[tuple[Tensor, BlockSets]] = []
    done = 0
    for rows, block in _blocks(strategy, queries, corpus, pool):
        parts.append((rows, block))
        done += len(rows)
        if progress is not None:
            progress(done, len(pool))
    return _assemble(parts, len(pool))


def _blocks(
    strategy: Strategy, queries: Tensor, corpus: Tensor, pool: UniformNegatives
) -> Iterator[tuple[Tensor, BlockSets]]:
    """Yield query indices with their sets, group by group; members are int32 corpus indices."""
    for start in np.unique(pool.start):
        rows = np.flatnonzero(pool.start == start)
        size = int(pool.size[rows[0]])
        members = torch.from_numpy(pool.members[start : start + size])
        tiles = Tiles(corpus if size == corpus.shape[0] else corpus[members.to(corpus.device)])
        few = max(1, (CACHE_SCORES if corpus.device.type == "cpu" else DEVICE_SCORES) // size)
        for block in torch.split(torch.from_numpy(rows), QUERY_BLOCK):
            scores = tiles.rows(queries[block.to(queries.device)])
            for at, some in zip(torch.split(block, few), torch.split(scores, few), strict=True):
                sets = _select(strategy, some, pool, at)
                values = members[sets.sets.values].int()
                yield at, BlockSets(Ragged(values, sets.sets.offsets), sets.found, sets.first_offset)


def _select(strategy: Strategy, scores: Tensor, pool: UniformNegatives, rows: Tensor) -> BlockSets:
    """Choose the sets of some queries; places in the group are columns of their scores."""
    at = rows.numpy()
    target, taken = pool.target_place[at], pool.taken[at]
    row, column = np.nonzero((taken != ABSENT) & (taken != target[:, None]))
    places = [torch.from_numpy(a).to(scores.device) for a in (target, row, taken[row, column])]
    return select(strategy, scores, places[0], (places[1], places[2]))


def _assemble(parts: list[tuple[Tensor, BlockSets]], n_queries: int) -> NegativeSets:
    """Put the blocks in the order of the queries, and let go of each once it is copied."""
    size, first_offset = (torch.zeros(n_queries, dtype=torch.int64) for _ in range(2))
    fallback = torch.zeros(n_queries, dtype=torch.bool)
    for rows, block in parts:
        size[rows], first_offset[rows], fallback[rows] = block.size, block.first_offset, ~block.found
    offsets = torch.cat([size.new_zeros(1), size.cumsum(0)])
    values = torch.empty(int(offsets[-1]), dtype=torch.int32)
    while parts:
        rows, block = parts.pop()
        shift = offsets[rows] - block.sets.offsets[:-1]
        place = torch.arange(block.sets.values.numel()) + torch.repeat_interleave(shift, block.size)
        values[place] = block.sets.values
    return NegativeSets(Ragged(values, offsets), fallback, first_offset)

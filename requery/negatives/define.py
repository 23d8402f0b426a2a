"""Define each query's negatives with the embeddings of the current model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from operator import itemgetter

import numpy as np
import torch
from torch import Tensor

from requery.distributed import gather, share
from requery.errors import ConfigError, DataError
from requery.negatives.intervals import BlockSets
from requery.negatives.sampling import ABSENT
from requery.negatives.select import select
from requery.negatives.sets import NegativeSets
from requery.negatives.strategies import Strategy
from requery.negatives.uniform import UniformNegatives
from requery.ragged import Ragged
from requery.ranking.embeddings import check_embeddings, check_shapes
from requery.ranking.ranks import MEMORY_BUDGET
from requery.ranking.strips import Pairs, Strips
from requery.ranking.threads import each_block
from requery.ranking.tiles import QUERY_BLOCK


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
    memory_budget: int = MEMORY_BUDGET,
    progress: Callable[[int, int], None] | None = None,
) -> NegativeSets | UniformNegatives:
    """Rank the corpus for each training query and choose its negatives.

    The blocks of `QUERY_BLOCK` queries, group by group, are shared between the processes, and every process
    gets all sets. A set is a function of its query, the corpus and the query's place in its group, whatever
    the number of processes or threads and the memory budget.

    Never M x N scores are held, and no more than the budget, whatever N. For `top_k`, `after_target_top_k`
    and `two_drop_window` these are the tiles with a block's targets, as far as they fit,
    and a strip of others. For `two_drop`, whose drops may lie anywhere, they are whole rows, at least one:
    beyond `memory_budget / (4 QUERY_BLOCK)` items, 260 thousand by default, the products are computed more
    than once; and its sets, which are returned, may be as large as the corpus.

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
        memory_budget: bytes of scores held at one time; halved where an accelerator's memory ends.
        progress: called with (queries done, queries to do) after each block of this process.

    Raises:
        ConfigError: `memory_budget` is not positive.
        DataError: a target is not in its query's corpus, nothing is left to choose, or reference images are
            to be excluded and not given.
        EmbeddingError: an embedding is NaN, infinite or of zero norm; names the items.
    """
    if memory_budget < 1:
        raise ConfigError(f"memory_budget ({memory_budget}) must be at least 1")
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
    blocks = _blocks(pool)
    own = [blocks[number] for number in share(len(blocks))]
    n_own = sum(len(rows) for _, rows in own)
    parts: list[tuple[Tensor, BlockSets]] = []
    done = 0
    for _, group in groupby(own, key=itemgetter(0)):
        for rows, block in _sets(strategy, queries, corpus, pool, list(group), memory_budget):
            parts.append((rows, block))
            done += len(rows)
            if progress is not None:
                progress(done, n_own)
    return _assemble(parts)


def _blocks(pool: UniformNegatives) -> list[tuple[int, Tensor]]:
    """All blocks: where the group of its queries begins in `pool.members`, and the queries' indices."""
    return [
        (int(start), rows)
        for start in np.unique(pool.start)
        for rows in torch.split(torch.from_numpy(np.flatnonzero(pool.start == start)), QUERY_BLOCK)
    ]


def _sets(
    strategy: Strategy,
    queries: Tensor,
    corpus: Tensor,
    pool: UniformNegatives,
    blocks: list[tuple[int, Tensor]],
    memory_budget: int,
) -> Iterator[tuple[Tensor, BlockSets]]:
    """Yield the queries of each block of one group with their sets; members are int32 corpus indices."""
    start, some = blocks[0]
    members = torch.from_numpy(pool.members[start : start + int(pool.size[some[0]])])
    strips = Strips(_part(corpus, members), memory_budget)
    members = members.int()

    def choose(own: Strips, number: int) -> BlockSets:
        _, rows = blocks[number]
        at, places = queries[rows.to(queries.device)], _places(pool, rows, corpus.device)
        return select(strategy, own, at, *places)

    for (_, rows), block in zip(blocks, each_block(strips, choose, len(blocks)), strict=True):
        yield rows, replace(block, sets=Ragged(members[block.sets.values], block.sets.offsets))


def _part(corpus: Tensor, members: Tensor) -> Tensor:
    """Some items of the corpus, ascending; without a copy where they are neighbours."""
    first, last = int(members[0]), int(members[-1])
    if last - first + 1 == len(members):
        return corpus[first : last + 1]
    return corpus[members.to(corpus.device)]


def _places(pool: UniformNegatives, rows: Tensor, device: torch.device) -> tuple[Tensor, Pairs]:
    """Where in their group the targets of some queries lie, and the items left out of the rankings."""
    at = rows.numpy()
    target, taken = pool.target_place[at], pool.taken[at]
    row, column = np.nonzero((taken != ABSENT) & (taken != target[:, None]))
    places = [torch.from_numpy(a).to(device) for a in (target, row, taken[row, column])]
    return places[0], Pairs(places[1], places[2])


def _assemble(parts: list[tuple[Tensor, BlockSets]]) -> NegativeSets:
    """Gather the sets of all processes and put them in the order of the queries."""

    def column(values: Iterable[Tensor], dtype: torch.dtype) -> Tensor:
        return gather(torch.cat([torch.empty(0, dtype=dtype), *values]))

    rows = column((rows for rows, _ in parts), torch.int64)
    sizes = column((block.size for _, block in parts), torch.int64)
    first_offset = column((block.first_offset for _, block in parts), torch.int64)
    found = column((block.found for _, block in parts), torch.bool)
    members = column((block.sets.values for _, block in parts), torch.int32)
    parts.clear()
    order = rows.argsort()
    offsets = torch.cat([sizes.new_zeros(1), sizes[order].cumsum(0)])
    if bool((rows.diff() < 0).any()):  # groups whose queries lie among others'
        members = _placed(members, sizes, offsets[rows])
    return NegativeSets(Ragged(members, offsets), ~found[order], first_offset[order])


def _placed(values: Tensor, sizes: Tensor, starts: Tensor) -> Tensor:
    """Move rows that follow one another to where each shall start."""
    placed, first = torch.empty_like(values), 0
    for size, start in zip(torch.split(sizes, QUERY_BLOCK), torch.split(starts, QUERY_BLOCK), strict=True):
        own = values[first : first + int(size.sum())]
        shift = np.repeat((start - (size.cumsum(0) - size)).numpy(), size.numpy())
        placed[torch.arange(len(own)) + torch.from_numpy(shift)] = own
        first += len(own)
    return placed

"""Exact ranks of every relevant item, streamed in tiles.

One rule: score descending, then gallery index ascending. Excluded items are removed before anything is
counted. Nothing of size Q x N is ever kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from requery.errors import ConfigError
from requery.ragged import Ragged
from requery.ranking.embeddings import check_embeddings, check_shapes
from requery.ranking.leaders import Leaders
from requery.ranking.qrels import Qrels
from requery.ranking.strips import Pairs, Strips
from requery.ranking.threads import each_block
from requery.ranking.tiles import QUERY_BLOCK, Tiles
from requery.ranking.top import unpack

MEMORY_BUDGET = 512 * 2**20
"""Bytes of scores held at one time by default."""


@dataclass(frozen=True)
class Ranking:
    """Where the relevant items of `Q` queries rank, from 1, and the first items of each ranking.

    Args:
        target_rank: `(Q,)` int64; 0 where the target is not in the gallery or is excluded.
        target_score: `(Q,)` float32; NaN there.
        relevant_rank: int64 aligned with `qrels.relevant.values`; 0 where the item is excluded.
        subset_rank: `(Q,)` int64, the target's rank among the query's subset, 0 where it cannot be
            found there; None where the truth has no subsets.
        top_index: `(Q, k)` int64 gallery indices in ranking order, k clipped to the gallery; -1 where
            exclusions leave fewer items.
        top_score: `(Q, k)` float32; -inf there.
        n_gallery: size of the gallery.
    """

    target_rank: Tensor
    target_score: Tensor
    relevant_rank: Tensor
    subset_rank: Tensor | None
    top_index: Tensor
    top_score: Tensor
    n_gallery: int

    def __len__(self) -> int:
        return self.target_rank.numel()

    @classmethod
    def concat(cls, parts: Sequence[Ranking]) -> Ranking:
        """Join the rankings of successive queries over one gallery."""
        subsets = [part.subset_rank for part in parts if part.subset_rank is not None]
        return cls(
            torch.cat([part.target_rank for part in parts]),
            torch.cat([part.target_score for part in parts]),
            torch.cat([part.relevant_rank for part in parts]),
            torch.cat(subsets) if len(subsets) == len(parts) else None,
            torch.cat([part.top_index for part in parts]),
            torch.cat([part.top_score for part in parts]),
            parts[0].n_gallery,
        )


@torch.no_grad()
def rank(
    queries: Tensor,
    gallery: Tensor | Tiles,
    qrels: Qrels,
    *,
    top_k: int = 100,
    memory_budget: int = MEMORY_BUDGET,
    query_ids: Sequence[str] | None = None,
    gallery_ids: Sequence[str] | None = None,
) -> Ranking:
    """Rank a gallery for each query; a score is the largest of <query, token> over an item's tokens.

    The result does not depend on `memory_budget`, bit for bit. Queries may be ranked in pieces, with the
    same bits, where the pieces begin at multiples of `tiles.QUERY_BLOCK`.

    Args:
        queries: `(Q, D)` float.
        gallery: `(N, T, D)` float, or `(N, D)` where each item has one embedding; or the tiles of one whose
            embeddings were checked before.
        qrels: the truth.
        top_k: how many of the first items to keep.
        memory_budget: bytes of scores held at one time. Of a query block's tiles, those with relevant or
            subset items are kept as far as they fit, and scored twice where they do not. Halved where an
            accelerator's memory ends.
        query_ids: names for error messages.
        gallery_ids: names for error messages.

    Raises:
        ConfigError: `top_k` or `memory_budget` is not positive.
        DataError: the gallery is empty or the truth does not fit.
        EmbeddingError: an embedding has NaN, infinite or zero norm.
    """
    if top_k < 1 or memory_budget < 1:
        raise ConfigError(f"top_k ({top_k}) and memory_budget ({memory_budget}) must be at least 1")
    items = gallery if isinstance(gallery, Tensor) else gallery.gallery
    check_shapes(queries, items)
    check_embeddings(queries, "query", query_ids)
    if items is gallery:
        check_embeddings(items, "gallery", gallery_ids)
    qrels.validate(queries.shape[0], items.shape[0])
    strips, queries = Strips(gallery, memory_budget), queries.to(items.device)
    k = min(top_k, items.shape[0])

    def block(own: Strips, number: int) -> Block:
        return _rank_block(own, queries, qrels, number * QUERY_BLOCK, k)

    blocks = list(each_block(strips, block, -(-len(qrels) // QUERY_BLOCK)))
    return assemble(blocks, qrels, k, items.shape[0])


@dataclass(frozen=True)
class Block:
    """Ranks of one query block: of its relevant items, the scores of its subset, its first items."""

    relevant_score: Tensor
    relevant_rank: Tensor
    subset_score: Tensor
    top_keys: Tensor


def _rank_block(strips: Strips, queries: Tensor, qrels: Qrels, start: int, top_k: int) -> Block:
    stop = min(start + QUERY_BLOCK, queries.shape[0])
    block = strips.tiles.block(queries[start:stop])
    relevant, excluded, subset = (
        _pairs(rows, start, stop, queries.device) for rows in (qrels.relevant, qrels.excluded, qrels.subset)
    )
    scores, parts = strips.of(block, excluded, relevant + subset)
    relevant_score, subset_score = torch.split(scores, [relevant.items.numel(), subset.items.numel()])
    ahead = torch.zeros_like(relevant.items)
    best = Leaders(stop - start, top_k, queries.device)
    for strip in parts:
        ahead += strip.count_ahead(relevant, relevant_score)
        best.add(strip)
    found = relevant_score > -torch.inf
    return Block(
        relevant_score.cpu(), torch.where(found, ahead + 1, 0).cpu(), subset_score.cpu(), best.keys.cpu()
    )


def _pairs(rows: Ragged | None, start: int, stop: int, device: torch.device) -> Pairs:
    """The places of some rows, numbered from the first of them."""
    if rows is None:
        empty = torch.empty(0, dtype=torch.int64, device=device)
        return Pairs(empty, empty)
    first, last = int(rows.offsets[start]), int(rows.offsets[stop])
    numbers = torch.repeat_interleave(torch.arange(stop - start), rows.lengths[start:stop])
    return Pairs(numbers.to(device), rows.values[first:last].long().to(device))


def assemble(blocks: list[Block], qrels: Qrels, k: int, n_gallery: int) -> Ranking:
    """Make a ranking of successive blocks of queries; `k` first items were kept of each."""

    def column(name: str, empty: Tensor) -> Tensor:
        return torch.cat([empty, *(getattr(block, name) for block in blocks)])

    ranks = column("relevant_rank", torch.empty(0, dtype=torch.int64))
    scores = column("relevant_score", torch.empty(0))
    keys = column("top_keys", torch.empty(0, k, dtype=torch.int64))
    rows = qrels.relevant.row_of
    is_target = qrels.relevant.values == qrels.target[rows]
    target_rank = torch.zeros(len(qrels), dtype=torch.int64)
    target_rank[rows[is_target]] = ranks[is_target]
    target_score = torch.full((len(qrels),), torch.nan)
    target_score[rows[is_target]] = scores[is_target]
    target_score[target_rank == 0] = torch.nan
    top_score, top_index = unpack(keys)
    subset_rank = None
    if qrels.subset is not None:
        subset_score = column("subset_score", torch.empty(0))
        subset_rank = _subset_rank(qrels.subset, subset_score, qrels.target, target_score)
    return Ranking(target_rank, target_score, ranks, subset_rank, top_index, top_score, n_gallery)


def _subset_rank(subset: Ragged, scores: Tensor, target: Tensor, target_score: Tensor) -> Tensor:
    """Rank each target among its subset, by the scores read from the tiles."""
    rows, items = subset.row_of, subset.values
    bar, goal = target_score[rows], target[rows]
    ahead = (scores > bar) | ((scores == bar) & (items < goal))  # a NaN bar is never reached
    ranks = torch.zeros_like(target).index_add_(0, rows, ahead.long()) + 1
    listed = torch.zeros_like(target).index_add_(0, rows, (items == goal).long()) > 0
    return torch.where(listed & ~target_score.isnan(), ranks, 0)

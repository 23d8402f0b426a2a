"""A ranking changed: its first items in another order, or some of its queries ranked again."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from requery.ragged import Ragged
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import Ranking
from requery.ranking.top import NEVER, largest, pack, unpack


def rerank(ranking: Ranking, scores: Tensor, qrels: Qrels) -> Ranking:
    """Order the first P items of each ranking by new scores; ties by index, what is behind keeps its rank.

    Args:
        ranking: with at least P first items.
        scores: `(Q, P)` of these items; where there is none (-1) a score does not count.
        qrels: the truth it was made with.

    Returns:
        The ranking with P first items. `target_score` is new where the target is among them.
    """
    items = ranking.top_index[:, : scores.shape[1]]
    keys = pack(scores.float().cpu(), items).masked_fill_(items < 0, NEVER)
    top_score, top_index = unpack(largest(keys, scores.shape[1]))
    changed = replace(ranking, top_score=top_score, top_index=top_index)
    place, found = _position(changed, torch.arange(len(qrels)), qrels.target)
    subset_rank = ranking.subset_rank
    if qrels.subset is not None and subset_rank is not None:
        subset_rank = torch.where(found, _subset_rank(changed, qrels.subset, place), subset_rank)
    at, known = _position(changed, qrels.relevant.row_of, qrels.relevant.values)
    own = top_score.gather(1, place.clamp(max=top_score.shape[1] - 1)[:, None])[:, 0]
    return replace(
        changed,
        target_rank=torch.where(found, place + 1, ranking.target_rank),
        target_score=torch.where(found, own, ranking.target_score),
        relevant_rank=torch.where(known, at + 1, ranking.relevant_rank),
        subset_rank=subset_rank,
    )


def _position(ranking: Ranking, rows: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
    """Places of some items among the first ones of their rows, from 0, and whether they are there."""
    same = (ranking.top_index[rows] == items[:, None]) & (items >= 0)[:, None]
    found = same.any(1)
    return torch.where(found, same.int().argmax(1), same.shape[1]), found


def _subset_rank(ranking: Ranking, subset: Ragged, place: Tensor) -> Tensor:
    """Ranks of targets that are among the first items: only those can be before them."""
    rows = subset.row_of
    at, _ = _position(ranking, rows, subset.values)
    return torch.zeros_like(place).index_add_(0, rows, (at < place[rows]).long()) + 1


def put_back(ranking: Ranking, part: Ranking, where: Tensor, qrels: Qrels) -> Ranking:
    """Replace the rankings of some queries.

    Args:
        ranking: of `Q` queries.
        part: of those where `where` is true, in order.
        where: `(Q,)` bool.
        qrels: the truth of the `Q` queries.
    """

    def put(old: Tensor, new: Tensor, at: Tensor = where) -> Tensor:
        return old.index_put((at,), new)

    subset = None
    if ranking.subset_rank is not None and part.subset_rank is not None:
        subset = put(ranking.subset_rank, part.subset_rank)
    return Ranking(
        put(ranking.target_rank, part.target_rank),
        put(ranking.target_score, part.target_score),
        put(ranking.relevant_rank, part.relevant_rank, where[qrels.relevant.row_of]),
        subset,
        put(ranking.top_index, part.top_index),
        put(ranking.top_score, part.top_score),
        ranking.n_gallery,
    )

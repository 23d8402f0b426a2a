"""Ranks where a score of 0 means that an item was not retrieved at all, as in lexical search."""

from __future__ import annotations

import torch
from torch import Tensor

from requery.ragged import Ragged
from requery.ranking.listed import filled
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import Block, Ranking, assemble
from requery.ranking.top import GROUP, group_maxima, top_keys


@torch.no_grad()
def rank_retrieved(scores: Tensor, qrels: Qrels, top_k: int, n_gallery: int) -> Ranking:
    """Rank what has a score above 0, under the one rule for ties; the rest has rank 0.

    Args:
        scores: `(B, W)` float32, at least 0 and finite, `W` a multiple of `GROUP`; 0 beyond the gallery.
            Those of excluded items are set to 0.
        qrels: the truth of these queries.
        top_k: how many of the first items to keep, at most `n_gallery`.
        n_gallery: size of the gallery, at most `W`.
    """
    if scores.shape[1] % GROUP or not 0 < top_k <= n_gallery <= scores.shape[1]:
        raise ValueError(f"scores {tuple(scores.shape)} do not fit {n_gallery} items and top_k {top_k}")
    if qrels.excluded is not None:
        scores[qrels.excluded.row_of, qrels.excluded.values.long()] = 0
    relevant, subset = _of(qrels.relevant, scores), _of(qrels.subset, scores)
    places = zip(qrels.relevant.row_of.tolist(), qrels.relevant.values.tolist(), strict=True)
    ranks = torch.tensor([_rank(scores[row], item) for row, item in places], dtype=torch.int64)
    floor = torch.full((len(scores),), torch.finfo(torch.float32).tiny)
    first = torch.zeros(1, dtype=torch.int64)
    keys = top_keys(scores[None], group_maxima(scores)[:, None], first, top_k, floor)
    return assemble([Block(relevant, ranks, subset, filled(keys, top_k))], qrels, top_k, n_gallery)


def _of(rows: Ragged | None, scores: Tensor) -> Tensor:
    """Scores of the items of some rows; -inf where they were not retrieved."""
    if rows is None:
        return torch.empty(0)
    found = scores[rows.row_of, rows.values.long()]
    return torch.where(found > 0, found, -torch.inf)


def _rank(row: Tensor, item: int) -> int:
    """Where an item ranks in a row of scores; 0 where it was not retrieved."""
    own = row[item]
    return int((row > own).sum() + (row[:item] == own).sum()) + 1 if own > 0 else 0

"""Ranks read from lists of what was retrieved: what no list shows has none."""

from __future__ import annotations

import torch
from torch import Tensor

from requery.errors import DataError
from requery.ragged import Ragged
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import Block, Ranking, assemble
from requery.ranking.top import NEVER, largest, pack, unpack


@torch.no_grad()
def rank_listed(scores: Tensor, items: Tensor, qrels: Qrels, n_gallery: int, *, top_k: int) -> Ranking:
    """Rank the retrieved items of each query under the one rule for ties; others have rank 0.

    Args:
        scores: `(Q, K)` float32, no NaN, in any order.
        items: `(Q, K)` int64 gallery indices, distinct in a row; -1 for none.
        qrels: the truth; excluded items are taken out of the lists.
        n_gallery: size of the gallery.
        top_k: how many of the first items to keep.

    Raises:
        DataError: the truth or the lists do not fit.
    """
    qrels.validate(scores.shape[0], n_gallery)
    if items.shape != scores.shape or bool((items >= n_gallery).any()):
        shapes = f"items {tuple(items.shape)}, scores {tuple(scores.shape)}"
        raise DataError(f"lists do not fit a gallery of {n_gallery} items: {shapes}")
    k = min(top_k, n_gallery)
    keys = pack(scores.float(), items).masked_fill_(items < 0, NEVER)
    if qrels.excluded is not None:
        pair, place = _hits(items, qrels.excluded).nonzero().unbind(1)
        keys[qrels.excluded.row_of[pair], place] = NEVER
    ordered = largest(keys, scores.shape[1])
    relevant, ranks = _of(ordered, qrels.relevant)
    subset = torch.empty(0) if qrels.subset is None else _of(ordered, qrels.subset)[0]
    return assemble([Block(relevant, ranks, subset, filled(ordered[:, :k], k))], qrels, k, n_gallery)


def filled(keys: Tensor, k: int) -> Tensor:
    """Rows of keys, filled up to k with `NEVER`."""
    return torch.nn.functional.pad(keys, (0, k - keys.shape[1]), value=NEVER)


def _hits(items: Tensor, rows: Ragged) -> Tensor:
    """Where each item of some rows stands in its list, `(total, K)` bool."""
    return items[rows.row_of] == rows.values[:, None]


def _of(ordered: Tensor, rows: Ragged) -> tuple[Tensor, Tensor]:
    """Scores, -inf where not retrieved, and ranks, 0 there, of the items of some rows."""
    scores, items = unpack(ordered)
    if not items.shape[1]:
        return torch.full((len(rows.values),), -torch.inf), torch.zeros_like(rows.values)
    found, place = _hits(items, rows).max(1)
    return torch.where(found, scores[rows.row_of, place], -torch.inf), torch.where(found, place + 1, 0)

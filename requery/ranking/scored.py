"""Ranks from scores that are not products of embeddings, such as those corrected for hubs."""

from __future__ import annotations

import torch
from torch import Tensor

from requery.errors import ConfigError, EmbeddingError
from requery.ragged import Ragged
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import Block, Ranking, assemble
from requery.ranking.top import NEVER, largest, pack

_HELD = 1 << 24
"""Comparisons held at one time."""


@torch.no_grad()
def rank_scores(scores: Tensor, qrels: Qrels, *, top_k: int = 100) -> Ranking:
    """Rank a gallery by given scores, under the one rule for ties; those of a batch, not of a whole test.

    Args:
        scores: `(B, N)` float, larger is better.
        qrels: the truth of these queries.
        top_k: how many of the first items to keep.

    Raises:
        ConfigError: `top_k` is not positive.
        DataError: the truth does not fit.
        EmbeddingError: a score is NaN or infinite; names the query's position.
    """
    if top_k < 1:
        raise ConfigError(f"top_k ({top_k}) must be at least 1")
    if not bool(scores.isfinite().all()):
        row = int((~scores.isfinite()).any(1).nonzero()[0])
        raise EmbeddingError(f"a score of query {row} of this batch is NaN or infinite")
    qrels.validate(*scores.shape)
    scores = scores.detach().float().cpu()
    index = torch.arange(scores.shape[1])
    keys = pack(scores, index)
    if qrels.excluded is not None:
        keys[qrels.excluded.row_of, qrels.excluded.values.long()] = NEVER
    relevant, ranks = _of(qrels.relevant, scores, keys, ranked=True)
    subset, _ = _of(qrels.subset, scores, keys, ranked=False)
    k = min(top_k, scores.shape[1])
    return assemble([Block(relevant, ranks, subset, largest(keys, k))], qrels, k, scores.shape[1])


def _of(rows: Ragged | None, scores: Tensor, keys: Tensor, *, ranked: bool) -> tuple[Tensor, Tensor]:
    """Scores, -inf where excluded, and, on demand, ranks, 0 there, of the items of some rows."""
    if rows is None:
        return torch.empty(0), torch.empty(0, dtype=torch.int64)
    row, item = rows.row_of, rows.values.long()
    own = keys[row, item]
    found = torch.where(own == NEVER, -torch.inf, scores[row, item])
    if not ranked:
        return found, torch.empty(0, dtype=torch.int64)
    pieces = torch.split(torch.arange(len(own)), max(1, _HELD // scores.shape[1]))
    ahead = [(keys[row[piece]] > own[piece, None]).sum(1) for piece in pieces]
    return found, torch.where(own == NEVER, 0, torch.cat([own[:0], *ahead]) + 1)

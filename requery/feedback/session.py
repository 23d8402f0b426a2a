"""Some queries on their way through the rounds, one step at a time: search, then feed back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from requery.errors import ConfigError, DataError, RunError, first
from requery.feedback.guards import Guards
from requery.feedback.reranked import put_back, rerank
from requery.feedback.settings import check_settings
from requery.feedback.shown import Judged, Shown
from requery.feedback.strategy import Reranking, Strategy
from requery.index.base import Index, VectorIndex
from requery.ragged import Ragged
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import Ranking
from requery.ranking.tiles import QUERY_BLOCK


@dataclass(frozen=True)
class Loop:
    """How the rounds go.

    Args:
        rounds: searches; the first is without feedback.
        k: items shown a round.
        accumulate: start from the last query; otherwise from the first one, with the latest feedback only.
        exclude_seen: take what was shown out of later rankings (residual ranking): a target counts as
            excluded once it was shown, see `Rounds.found_in`.
        guards: against drift.
    """

    rounds: int = 5
    k: int = 5
    accumulate: bool = True
    exclude_seen: bool = False
    guards: Guards = field(default_factory=Guards)

    def __post_init__(self) -> None:
        check_settings(self)
        if self.guards.gated and self.k < 2:
            raise ConfigError("a gap between scores needs k of at least 2")


class Session:
    """`Q` queries, one round after the other.

    A query that feedback leaves as it is keeps its ranking. Its block is not searched again once that holds
    for all of it; until then it stays at its place, where it costs nothing and leaves the others' bits alone.
    Strategies see one block of queries at a time. Nothing held is changed in place: a shallow copy
    (`copy.copy`) is a point to return to.

    Args:
        queries: `(Q, D)` unit embeddings; feedback is computed in their dtype, on their device.
        index: the gallery.
        strategy: what feedback does.
        loop: how; its number of rounds is the caller's to keep.
        qrels: the truth, which only the ranks read; None = ranks are 0.
        rows: `(Q,)` int64 numbers of the queries in their task; None = from 0.
        top_k: first items kept of each ranking.

    Raises:
        ConfigError: the index does not give vectors back, or a strategy that ranks candidates anew has guards
            or fewer candidates than are shown.

    Attributes:
        queries: of the present round.
        number: of the present round, from 1.
    """

    def __init__(
        self,
        queries: Tensor,
        index: Index,
        strategy: Strategy,
        loop: Loop,
        qrels: Qrels | None = None,
        rows: Tensor | None = None,
        top_k: int = 100,
    ) -> None:
        if not isinstance(index, VectorIndex):
            raise ConfigError(
                f"feedback needs the items' vectors, which {type(index).__name__} does not give"
            )
        self._pool = strategy.pool if isinstance(strategy, Reranking) else 0
        if self._pool and loop.guards != Guards():
            raise ConfigError(f"guards hold queries, and {strategy.name} moves none: leave them off")
        if 0 < self._pool < loop.k:
            raise ConfigError(f"{loop.k} items are shown of a pool of {self._pool}: raise the pool")
        self.queries, self.number = queries, 1
        self._first, self._index, self._strategy, self._loop = queries, index, strategy, loop
        self._qrels = Qrels.from_targets(torch.full((len(queries),), -1)) if qrels is None else qrels
        self._rows = torch.arange(len(queries)) if rows is None else rows
        self._top_k = max(top_k, loop.k, self._pool)
        starts = range(0, len(queries), QUERY_BLOCK)
        self._blocks = [slice(start, min(start + QUERY_BLOCK, len(queries))) for start in starts]
        self._judged: Judged | None = None
        self._seen: tuple[Tensor, ...] = ()
        self._changed = torch.ones(len(queries), dtype=torch.bool)
        self._searched: Ranking | None = None
        self._shown: Shown | None = None

    def search(self) -> Ranking:
        """Rank the gallery for the queries of the present round.

        Raises:
            RunError: the present round was searched already.
            DataError: fewer than k items are left to show.
        """
        if self._shown is not None and self._shown.number == self.number:
            raise RunError(f"round {self.number} was searched already: feed back before searching again")
        self._searched = self._search()
        ranking = self._searched
        if isinstance(self._strategy, Reranking) and self._shown is not None:
            ranking = rerank(ranking, self._rescored(self._strategy, self._shown, ranking), self._qrels)
        items = ranking.top_index[:, : self._loop.k]
        if bool((items < 0).any()):
            short = first((items < 0).any(1).nonzero().flatten().tolist())
            raise DataError(f"fewer than {self._loop.k} items are left for queries {short}; show fewer")
        self._seen = (*self._seen, items)
        device = self.queries.device
        self._shown = Shown(
            self.number,
            self._rows,
            self._first,
            self.queries,
            self.queries if self._loop.accumulate else self._first,
            items.to(device),
            ranking.top_score[:, : self._loop.k].to(device),
            self._index,
            self._judged,
        )
        return ranking

    def feed_back(self, marks: Tensor | None = None) -> None:
        """Move on to the next round by what the last search showed.

        Args:
            marks: `(Q, k)` in [-1, 1], what a user said of the items shown; None = nobody was asked.

        Raises:
            RunError: the present round was not searched yet.
            ConfigError: the strategy needs marks.
        """
        if self._shown is None or self._shown.number != self.number:
            raise RunError(f"round {self.number} shows nothing yet: search before feeding back")
        if marks is not None:
            said = self._shown.items, marks.to(self.queries.device)
            self._judged = Judged(*said) if self._judged is None else self._judged.then(*said)
        self._shown = replace(self._shown, judged=self._judged)
        before = self._seen[-2].to(self.queries.device) if self.number > 1 else None
        moved = torch.cat([self._strategy.move(self._shown.part(block)) for block in self._blocks])
        moved = self._loop.guards.hold(moved, self._shown, before)
        self._changed = (moved != self.queries).any(1).cpu() | self._loop.exclude_seen
        self.queries, self.number = moved, self.number + 1

    def _search(self) -> Ranking:
        """The search's own ranking; blocks in which no query changed keep theirs."""
        qrels = self._qrels
        if self._loop.exclude_seen and self._seen:
            qrels = replace(qrels, excluded=_joined(qrels.excluded, torch.cat(self._seen, 1)))
        again = self._changed.clone()
        for block in self._blocks:
            again[block] = again[block].any()
        if self._searched is None or bool(again.all()):
            return self._index.rank(self.queries, qrels, top_k=self._top_k)
        if not bool(again.any()):
            return self._searched
        rows = again.nonzero().flatten()
        queries = self.queries[rows.to(self.queries.device)]
        part = self._index.rank(queries, qrels.select(rows), top_k=self._top_k)
        return put_back(self._searched, part, again, qrels)

    def _rescored(self, strategy: Reranking, shown: Shown, ranking: Ranking) -> Tensor:
        """New scores of the first items of a ranking, `(Q, P)`."""
        items = ranking.top_index[:, : self._pool].clamp(min=0).to(self.queries.device)
        scores = ranking.top_score[:, : self._pool].to(self.queries)
        parts = [strategy.rescore(shown.part(b), items[b], scores[b]) for b in self._blocks]
        return torch.cat(parts)


def _joined(excluded: Ragged | None, seen: Tensor) -> Ragged:
    """The rows of what is left out, with what was shown."""
    if excluded is None:
        return Ragged.from_rows(list(seen))
    both = zip(excluded, seen, strict=True)
    return Ragged.from_rows([torch.cat([out.long(), items]) for out, items in both])

"""All rounds of feedback for a set of queries, and what each of them found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from requery.feedback.session import Loop, Session
from requery.feedback.strategy import Strategy
from requery.feedback.users import User
from requery.index import ExactIndex
from requery.index.base import Index
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import Ranking


@dataclass(frozen=True)
class Rounds:
    """What `R` rounds of `Q` queries found.

    Args:
        rankings: one a round, with the exact ranks of the relevant items.
        queries: `(R, Q, D)`.
        shown: `(R, Q, K)` int64 items.
        marks: `(R, Q, K)` what a user said of them, 0 in the last round; None where nobody was asked.
    """

    rankings: Sequence[Ranking]
    queries: Tensor
    shown: Tensor
    marks: Tensor | None

    @property
    def drift(self) -> Tensor:
        """`(R, Q)` cosine of each query to its first one."""
        return F.cosine_similarity(self.queries, self.queries[:1], dim=-1)

    def found_in(self, target: Tensor) -> Tensor:
        """The first round that showed each target, `(Q,)` to `(Q,)` int64; 0 = none did."""
        hit = (self.shown == target[None, :, None]).any(2)
        return torch.where(hit.any(0), hit.int().argmax(0) + 1, 0)

    @classmethod
    def concat(cls, parts: Sequence[Rounds]) -> Rounds:
        """Join the rounds of successive queries over one gallery."""
        marks = [part.marks for part in parts if part.marks is not None]
        return cls(
            [Ranking.concat(rankings) for rankings in zip(*(p.rankings for p in parts), strict=True)],
            torch.cat([part.queries for part in parts], 1),
            torch.cat([part.shown for part in parts], 1),
            torch.cat(marks, 1) if len(marks) == len(parts) else None,
        )


@torch.no_grad()
def run_rounds(
    queries: Tensor,
    index: Index,
    strategy: Strategy,
    loop: Loop | None = None,
    *,
    qrels: Qrels | None = None,
    rows: Tensor | None = None,
    user: User | None = None,
    top_k: int = 100,
) -> Rounds:
    """Search, feed back, search again.

    Queries may be given in pieces, with the same bits, where the pieces begin at multiples of
    `requery.ranking.tiles.QUERY_BLOCK`.

    Args:
        queries: `(Q, D)` unit embeddings, at least one.
        index: the gallery, one that gives vectors back.
        strategy: what feedback does.
        loop: how many rounds, and how; None = the defaults.
        qrels: the truth of these queries; None = ranks are 0.
        rows: `(Q,)` int64 numbers of the queries in their task; None = from 0.
        user: marks what is shown, all rounds but the last; None = nobody is asked.
        top_k: first items kept of each ranking.

    Raises:
        ConfigError: index or strategy do not fit.
        DataError: fewer than k items are left to show, or the truth does not fit.
        EmbeddingError: a query has NaN, infinite or zero norm.
    """
    loop = Loop() if loop is None else loop
    rows = torch.arange(len(queries)) if rows is None else rows
    session = Session(queries, index, strategy, loop, qrels, rows, top_k)
    rankings, searched, shown, marks = [], [], [], []
    for number in range(1, loop.rounds + 1):
        ranking = session.search()
        rankings.append(ranking)
        searched.append(session.queries)
        shown.append(ranking.top_index[:, : loop.k])
        last = number == loop.rounds
        said = None
        if user is not None:
            said = torch.zeros(shown[-1].shape) if last else user(rows, number, shown[-1])
            marks.append(said.cpu().float())
        if not last:
            session.feed_back(said)
    return Rounds(rankings, torch.stack(searched), torch.stack(shown), torch.stack(marks) if marks else None)


def feedback_rounds(
    queries: Tensor,
    images: Tensor | Index,
    strategy: Strategy,
    rounds: int = 5,
    k: int = 5,
    accumulate: bool = True,
) -> list[Tensor]:
    """Rank a gallery in rounds of feedback (Khaertdinov et al. 2025); see `run_rounds` for all options.

    Args:
        queries: `(Q, D)` unit embeddings.
        images: `(N, D)`, `(N, L, D)` with L embeddings an image, of which the best counts, or an index.
        strategy: such as `PRF()`.
        rounds: searches; the first is without feedback.
        k: items shown a round.
        accumulate: see `Loop`.

    Returns:
        For each round the first max(k, 10) items of each ranking, int64, fewer where there are no more.
    """
    index: Index
    if isinstance(images, Tensor):
        index = ExactIndex()
        index.add(images)
    else:
        index = images
    loop = Loop(rounds, k, accumulate)
    found = run_rounds(queries, index, strategy, loop, top_k=max(k, 10))
    return [ranking.top_index[:, : max(k, 10)] for ranking in found.rankings]

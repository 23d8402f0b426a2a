"""Feedback as a stage of the pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from requery.errors import ConfigError
from requery.feedback.session import Loop, Session
from requery.feedback.strategy import Reranking, Strategy
from requery.feedback.users import User
from requery.index import Index
from requery.pipeline import QueryBatch


@dataclass(frozen=True)
class FeedbackStage:
    """All rounds but the last search, which is the pipeline's (a `requery.pipeline.Feedback`).

    Args:
        strategy: moves the queries.
        loop: how many rounds, and how.
        user: marks what is shown; None = nobody is asked.

    Raises:
        ConfigError: the strategy ranks candidates anew, or what was seen is to be excluded: no query alone
            tells of either, use `run_rounds`.
    """

    strategy: Strategy
    loop: Loop = field(default_factory=Loop)
    user: User | None = None

    def __post_init__(self) -> None:
        if isinstance(self.strategy, Reranking) or self.loop.exclude_seen:
            what = "exclude_seen" if self.loop.exclude_seen else self.strategy.name
            raise ConfigError(f"{what} changes the ranking, not the queries: use run_rounds, not a stage")

    @torch.no_grad()
    def __call__(self, queries: QueryBatch, embeddings: Tensor, index: Index) -> Tensor:
        """The queries of the last round, `(B, D)`."""
        rows = queries.index.cpu()
        session = Session(embeddings, index, self.strategy, self.loop, rows=rows, top_k=self.loop.k)
        for number in range(1, self.loop.rounds):
            items = session.search().top_index[:, : self.loop.k]
            session.feed_back(None if self.user is None else self.user(rows, number, items))
        return session.queries

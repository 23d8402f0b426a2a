"""The one flow of every method: rewrite, encode, adapt, search, feed back.

Query-side methods differ only in the stage they fill; the gallery is encoded once and stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from torch import Tensor

from requery.index import Index
from requery.ranking.embeddings import check_embeddings
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import Ranking
from requery.task import RetrievalTask


@dataclass(frozen=True)
class QueryBatch:
    """Some queries of a task.

    Args:
        index: `(B,)` int64 query indices.
        image: `(B, …)` features or pixels of the reference images, or None.
        text: `B` texts, or None.
    """

    index: Tensor
    image: Tensor | None
    text: Sequence[str] | None

    @classmethod
    def of(cls, task: RetrievalTask, index: Tensor) -> Self:
        """Look up some queries, `(B,)`; images are positions until they are encoded, block by block."""
        index = index.cpu()
        image = None if task.query_image is None else task.query_image[index]
        return cls(index, image, task.texts_of(index))


Encode = Callable[[QueryBatch], Tensor]
"""Queries to unit embeddings, `(B, D)`."""


class Rewrite(Protocol):
    """Before encoding: expand or reword the queries (QueryFormer)."""

    def __call__(self, queries: QueryBatch) -> QueryBatch: ...


class Adapt(Protocol):
    """Around encoding: adapt the encoder to the queries that arrive (REST)."""

    def __call__(self, queries: QueryBatch, encode: Encode) -> Tensor: ...


class Feedback(Protocol):
    """After a search: refine the embeddings by what came back (PRF, GRF, AFS); `(B, D)` to `(B, D)`."""

    def __call__(self, queries: QueryBatch, embeddings: Tensor, index: Index) -> Tensor: ...


@dataclass(frozen=True)
class Stages:
    """What a method does at each place of the flow; only `encode` is required.

    Args:
        encode: the query encoder.
        rewrite: applied in order before encoding.
        adapt: wraps the encoder.
        feedback: applied in order, one search each, before the final ranking.
        rank: in place of the index's ranking, where a method corrects the scores themselves.
    """

    encode: Encode
    rewrite: tuple[Rewrite, ...] = ()
    adapt: Adapt | None = None
    feedback: tuple[Feedback, ...] = ()
    rank: Callable[[Tensor, Qrels], Ranking] | None = None


def embed(queries: QueryBatch, index: Index, stages: Stages) -> Tensor:
    """Send one batch through all stages up to the final search; `(B, D)` embeddings to search with."""
    for rewrite in stages.rewrite:
        queries = rewrite(queries)
    embeddings = stages.encode(queries) if stages.adapt is None else stages.adapt(queries, stages.encode)
    for feedback in stages.feedback:
        embeddings = feedback(queries, embeddings, index)
    return embeddings


def run(
    queries: Iterable[QueryBatch], index: Index, stages: Stages, qrels: Qrels, query_ids: Sequence[str]
) -> Ranking:
    """Rank the gallery for each query.

    Args:
        queries: batches; each begins at a multiple of `QUERY_BLOCK` queries, so that bits do not depend on
            how they are split.
        index: holds the encoded gallery.
        stages: the method.
        qrels: truth of the whole task; the rows of the batches' queries are used.
        query_ids: names of the whole task's queries, for error messages.

    Returns:
        The ranking of the batches' queries, in their order.
    """
    parts = []
    for batch in queries:
        names = [query_ids[int(i)] for i in batch.index]
        embeddings = embed(batch, index, stages)
        check_embeddings(embeddings, "query", names)
        parts.append((stages.rank or index.rank)(embeddings, qrels.select(batch.index)))
    return Ranking.concat(parts)

"""Query expansion as the pipeline's rewrite stage, for encoders that read the expanded text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from requery.expansion.pipeline import Expander
from requery.expansion.trace import Trace, VisualQuestion
from requery.pipeline import QueryBatch


class ExpansionStage:
    """Replaces each query's text by its expanded one (a `requery.pipeline.Rewrite`).

    A query to which nothing was added is its question and caption. The rewritten question comes first: an
    encoder cuts off what is over its length.

    Args:
        expander: the pipeline.
        queries: the task's queries, in the order of their indices.
    """

    def __init__(self, expander: Expander, queries: Sequence[VisualQuestion]) -> None:
        self.expander, self.queries = expander, queries
        self.traces: dict[int, Trace] = {}
        """Traces by query index, for the run's folder."""

    def __call__(self, queries: QueryBatch) -> QueryBatch:
        """The batch with expanded texts."""
        rows = queries.index.tolist()
        traces = self.expander.expand([self.queries[row] for row in rows])
        self.traces |= zip(rows, traces, strict=True)
        return replace(queries, text=[trace.text for trace in traces])

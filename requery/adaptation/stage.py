"""Test-time adaptation as a stage of the pipeline: a stream of queries through an adapter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from torch import Tensor

from requery.adaptation.arrival import Arrival
from requery.adaptation.methods import DeYO
from requery.backbones.queries import QueryEncoder
from requery.pipeline import Encode, QueryBatch, Stages
from requery.ranking.scored import rank_scores
from requery.task import RetrievalTask


def streamed(
    arrival: Arrival, encoder: QueryEncoder, task: RetrievalTask, order: Tensor, encode: Encode
) -> tuple[list[QueryBatch], Stages]:
    """The queries as they enter the flow, and the flow with an adapter around the encoder.

    Args:
        arrival: of the stream.
        encoder: what is adapted.
        task: the queries.
        order: `(Q,)` in which they arrive.
        encode: the encoder of the flow, which the adapter stands in for.
    """
    method = arrival.adapter.method
    inputs = partial(encoder.inputs, as_pixels=isinstance(method, DeYO) and method.shuffle)

    def adapt(queries: QueryBatch, encode: Encode) -> Tensor:
        encoder.open(reworded(task, queries.text))
        return arrival.embed(order, inputs)

    if not arrival.adapter.rule.ranks_by_scores:
        return [QueryBatch.of(task, task.all_queries())], Stages(encode=encode, adapt=adapt)
    # What such scores depend on is gone with the next batch: each is ranked as it arrives.
    encoder.open(task)
    stages = Stages(
        encode=encode,
        adapt=lambda queries, _: arrival.answer(inputs(queries.index)),
        rank=lambda rows, qrels: rank_scores(arrival.adapter.scores(rows), qrels),
    )
    return [QueryBatch.of(task, batch) for batch in arrival.split(order)], stages


def reworded(task: RetrievalTask, texts: Sequence[str] | None) -> RetrievalTask:
    """The task with its queries in other words, all of them; itself where they are the same."""
    return task if texts is None or texts == task.query_text else replace(task, query_text=list(texts))

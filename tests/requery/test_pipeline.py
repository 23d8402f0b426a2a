"""The one flow: each stage in its place, the same answer however the queries are split."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from requery.errors import EmbeddingError
from requery.index import ExactIndex
from requery.pipeline import QueryBatch, Stages, embed, run
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import rank
from requery.ranking.tiles import QUERY_BLOCK

N, D = 700, 16
Q = QUERY_BLOCK + 37


@pytest.fixture(scope="module")
def world():
    generator = torch.Generator().manual_seed(0)
    gallery = normalize(torch.randn(N, 3, D, generator=generator), dim=-1)
    queries = normalize(torch.randn(Q, D, generator=generator), dim=-1)
    qrels = Qrels.from_targets(torch.randint(N, (Q,), generator=generator))
    index = ExactIndex()
    index.add(gallery)
    return queries, gallery, qrels, index


def batches(size):
    return [QueryBatch(part, None, [str(int(i)) for i in part]) for part in torch.arange(Q).split(size)]


NAMES = [f"q{i}" for i in range(Q)]


def test_encoding_alone_ranks_like_rank(world):
    queries, gallery, qrels, index = world
    found = run(batches(QUERY_BLOCK), index, Stages(lambda batch: queries[batch.index]), qrels, NAMES)
    expected = rank(queries, gallery, qrels)
    for name in ("target_rank", "target_score", "relevant_rank", "top_index", "top_score"):
        assert torch.equal(getattr(found, name), getattr(expected, name))


def test_the_stages_run_in_order_each_with_what_the_one_before_made(world):
    queries, _, _, index = world
    calls = []

    def rewrite(batch):
        calls.append("rewrite")
        return QueryBatch(batch.index, batch.image, [text + "!" for text in batch.text])

    def encode(batch):
        calls.append("encode")
        assert batch.text[0].endswith("!!")
        return queries[batch.index]

    def adapt(batch, encoder):
        calls.append("adapt")
        return normalize(encoder(batch) + 0.1, dim=-1)

    def feedback(batch, embeddings, searched):
        calls.append("feedback")
        assert searched is index
        scores, items = searched.search(embeddings, 5)
        assert items.shape == (len(batch.index), 5) and bool((scores.diff(dim=1) <= 0).all())
        return normalize(embeddings + index.embeddings[items[:, 0], 0], dim=-1)

    stages = Stages(encode, (rewrite, rewrite), adapt, (feedback, feedback))
    out = embed(batches(8)[0], index, stages)
    assert calls == ["rewrite", "rewrite", "adapt", "encode", "feedback", "feedback"]
    assert not torch.allclose(out, normalize(queries[:8] + 0.1, dim=-1))


def test_truth_never_reaches_a_stage(world):
    """Stages see indices, images and texts; nothing in a batch says what is relevant."""
    assert set(QueryBatch.__dataclass_fields__) == {"index", "image", "text"}


def test_a_broken_query_is_named(world):
    queries, _, qrels, index = world
    broken = queries.clone()
    broken[5] = float("nan")
    with pytest.raises(EmbeddingError, match="q5"):
        run(batches(QUERY_BLOCK), index, Stages(lambda batch: broken[batch.index]), qrels, NAMES)

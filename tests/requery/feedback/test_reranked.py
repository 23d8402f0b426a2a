"""A ranking with its first items in another order, against the whole ranking made anew."""

import pytest
import torch

from requery.feedback.reranked import put_back, rerank
from requery.ragged import Ragged
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import rank
from tests.requery.feedback.conftest import unit

Q, N, POOL = 9, 30, 8


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(N, (Q,), generator=generator)
    target[0] = -1
    others = [torch.randperm(N, generator=generator)[:6] for _ in range(Q)]
    rows = [sorted({int(t), *o.tolist()} - {-1}) for t, o in zip(target, others, strict=True)]
    relevant = Ragged.from_rows(rows)
    grades = torch.where(relevant.values == target[relevant.row_of], 2, 1)
    excluded = Ragged.from_rows([[int(target[i])] if i == 3 else [] for i in range(Q)])
    qrels = Qrels(target, relevant, grades, excluded, Ragged.from_rows(rows))
    return unit(Q, 6), unit(N, 6, seed=1), qrels


def test_ranks_are_those_of_the_new_order(case):
    queries, gallery, qrels = case
    ranking = rank(queries, gallery, qrels, top_k=N)
    scores = torch.randint(3, (Q, POOL), generator=torch.Generator().manual_seed(5)).float()  # with ties
    found = rerank(ranking, scores, qrels)
    for row in range(Q):
        pool = ranking.top_index[row, :POOL].tolist()
        new = sorted(range(POOL), key=lambda at: (-float(scores[row, at]), pool[at]))
        order = [pool[at] for at in new] + [i for i in ranking.top_index[row, POOL:].tolist() if i >= 0]
        assert found.top_index[row].tolist() == order[:POOL]
        position = {item: place for place, item in enumerate(order, 1)}
        own = qrels.relevant.row_of == row
        ranks = [position.get(item, 0) for item in qrels.relevant.values[own].tolist()]
        assert found.relevant_rank[own].tolist() == ranks
        target = int(qrels.target[row])
        assert int(found.target_rank[row]) == position.get(target, 0)
        if target in position:
            before = [item for item in qrels.subset[row].tolist() if item in position]
            assert int(found.subset_rank[row]) == 1 + sum(position[i] < position[target] for i in before)
            if position[target] <= POOL:
                assert found.target_score[row] == scores[row, pool.index(target)]
        else:
            assert int(found.subset_rank[row]) == 0


def test_some_queries_are_put_back(case):
    queries, gallery, qrels = case
    other = rank(-queries, gallery, qrels, top_k=5)
    where = torch.arange(Q) % 3 == 1
    part = rank(queries[where], gallery, qrels.select(where.nonzero().flatten()), top_k=5)
    whole = rank(queries, gallery, qrels, top_k=5)
    found = put_back(other, part, where, qrels)
    for name in ("target_rank", "subset_rank", "top_index"):
        a, b, c = (getattr(ranking, name) for ranking in (found, whole, other))
        assert torch.equal(a[where], b[where]) and torch.equal(a[~where], c[~where])
    own = where[qrels.relevant.row_of]
    assert torch.equal(found.relevant_rank[own], whole.relevant_rank[own])
    assert torch.equal(found.relevant_rank[~own], other.relevant_rank[~own])

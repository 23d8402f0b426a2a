"""Equal scores: chance where the gallery's order means nothing, and a count of the queries it decides."""

import itertools

import pytest
import torch
from hypothesis import strategies as st

from requery.ragged import Ragged
from requery.ranking.metrics import per_query
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import rank
from requery.ranking.ties import tied_targets
from tests.properties import for_all, inputs


def test_a_constant_scorer_is_at_chance():
    n = 500
    qrels = Qrels.from_targets(torch.randperm(n, generator=torch.Generator().manual_seed(0)))
    ranking = rank(torch.ones(n, 3), torch.ones(n, 3), qrels)
    for k in (1, 5, 100):
        assert per_query(f"recall@{k}", ranking, qrels).mean() == pytest.approx(k / n)
    expected = sum(1 / place for place in range(1, n + 1)) / n
    assert per_query(f"mrr@{n}", ranking, qrels).mean() == pytest.approx(expected)
    assert bool(tied_targets(ranking).all())


def test_a_subset_of_equals_is_at_chance():
    rows = [[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3]]
    qrels = Qrels.from_targets(torch.arange(4), subset=Ragged.from_rows(rows))
    ranking = rank(torch.ones(4, 2), torch.ones(9, 2), qrels)
    assert [per_query(f"recall_subset@{k}", ranking, qrels).mean().item() for k in (1, 2, 3)] == [
        0.25,
        0.5,
        0.75,
    ]


def scored(rows, target, excluded=None, k=100):
    """Rank items with given scores for each query."""
    scores = torch.tensor(rows)
    gallery = torch.cat([scores.T, torch.ones(scores.shape[1], 1)], dim=1)
    queries = torch.eye(len(rows) + 1)[: len(rows)]
    return rank(queries, gallery, Qrels.from_targets(torch.tensor(target), excluded), top_k=k)


def test_ties_are_counted_where_the_target_has_part():
    rows = [[3.0, 2, 2, 1], [3.0, 2, 2, 1], [2.0, 2, 2, 2], [1.0, 1, 1, 1], [3.0, 2, 1, 1]]
    target, excluded = [1, 0, 3, -1, 3], [[], [], [0, 1, 2], [], []]
    ranking = scored(rows, target, Ragged.from_rows(excluded))
    assert tied_targets(ranking).tolist() == [True, False, False, False, True]
    assert tied_targets(scored(rows, target, k=2)).tolist() == [False, False, True, False, False]


@inputs(300)
def test_no_other_order_moves_recall_by_more_than_the_share_that_is_tied(examples):
    row = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=4, max_size=4)

    @for_all(examples, st.lists(st.tuples(row, st.integers(0, 3)), min_size=1, max_size=3), st.integers(2, 4))
    def holds(queries, kept):
        rows, target = zip(*queries, strict=True)
        ranking = scored(list(rows), list(target), k=kept)
        share = tied_targets(ranking).double().mean()
        for k in range(1, kept):
            at = (ranking.target_rank <= k).double().mean()
            for order in itertools.permutations(range(4)):
                places = [
                    1 + sum((r[i], order[t]) > (r[t], order[i]) for i in range(4) if i != t)
                    for r, t in queries
                ]
                other = sum(place <= k for place in places) / len(places)
                assert abs(at - other) <= share + 1e-9

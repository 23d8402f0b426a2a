"""Ranks of given scores against the ranks of the embeddings that make them."""

from dataclasses import fields

import pytest
import torch

from requery.errors import EmbeddingError
from requery.ranking.ranks import rank
from requery.ranking.scored import rank_scores


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("full", [False, True])
def test_given_the_products_they_are_the_ranks_of_the_embeddings(problem, ties, full):
    queries, gallery, qrels = problem(3, 40, 70, ties=ties, full=full)[:3]
    queries, gallery = (queries * 64).round() / 64, (gallery * 64).round() / 64  # their products are exact
    wanted = rank(queries, gallery, qrels, top_k=9)
    found = rank_scores(queries @ gallery[:, 0].T, qrels, top_k=9)
    for field in fields(wanted):
        one, other = getattr(wanted, field.name), getattr(found, field.name)
        same = (
            torch.equal(one.nan_to_num(), other.nan_to_num())
            if isinstance(one, torch.Tensor)
            else one == other
        )
        assert same, field.name


def test_scores_that_are_no_numbers_are_refused(problem):
    queries, gallery, qrels = problem()[:3]
    scores = queries @ gallery[:, 0].T
    scores[4, 2] = torch.nan
    with pytest.raises(EmbeddingError, match="query 4"):
        rank_scores(scores, qrels)

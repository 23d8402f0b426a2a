import pytest
import torch

from requery.errors import DataError
from requery.ragged import Ragged
from requery.ranking.listed import rank_listed
from requery.ranking.qrels import Qrels
from requery.ranking.scored import rank_scores

NONE = float("-inf")


def truth(n=9):
    relevant = Ragged.from_rows([[0, 3], [1], [2, 5, 7]])
    grades = torch.tensor([1, 2, 2, 1, 1, 2])
    excluded, subset = Ragged.from_rows([[4], [], [5]]), Ragged.from_rows([[3, 8], [1, 2], [6, 7]])
    return Qrels(torch.tensor([3, 1, 7]), relevant, grades, excluded, subset)


def test_whole_lists_rank_as_scores_do():
    scores = torch.randint(0, 4, (3, 9), generator=torch.Generator().manual_seed(0)).float()
    order = torch.stack([torch.randperm(9, generator=torch.Generator().manual_seed(i)) for i in range(3)])
    found = rank_listed(scores.gather(1, order), order, truth(), 9, top_k=4)
    expected = rank_scores(scores, truth(), top_k=4)
    for name in ("target_rank", "relevant_rank", "subset_rank", "top_index", "top_score"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name


def test_what_no_list_shows_has_no_rank():
    items = torch.tensor([[3, 4, -1], [8, 0, 6], [-1, -1, -1]])
    scores = torch.tensor([[0.5, 0.9, NONE], [3.0, 2.0, 1.0], [NONE, NONE, NONE]])
    found = rank_listed(scores, items, truth(), 9, top_k=5)
    assert found.relevant_rank.tolist() == [0, 1, 0, 0, 0, 0]
    assert found.target_rank.tolist() == [1, 0, 0]
    assert found.top_index.tolist() == [[3, -1, -1, -1, -1], [8, 0, 6, -1, -1], [-1] * 5]
    assert found.top_score[0].tolist() == [0.5, *[NONE] * 4]


def test_empty_lists():
    empty = torch.empty(3, 0)
    found = rank_listed(empty, empty.long(), truth(), 9, top_k=2)
    assert found.target_rank.tolist() == [0, 0, 0] and found.top_index.tolist() == [[-1, -1]] * 3


def test_lists_that_do_not_fit():
    with pytest.raises(DataError, match="gallery of 9 items"):
        rank_listed(torch.zeros(3, 1), torch.full((3, 1), 9), truth(), 9, top_k=1)
    with pytest.raises(DataError, match="gallery of 9 items"):
        rank_listed(torch.zeros(3, 2), torch.zeros(3, 1, dtype=torch.int64), truth(), 9, top_k=1)

import pytest
import torch

from requery.ragged import Ragged
from requery.ranking.qrels import Qrels
from requery.ranking.retrieved import rank_retrieved
from requery.ranking.scored import rank_scores


def truth():
    relevant = Ragged.from_rows([[0, 3], [1], [2, 5, 7]])
    grades = torch.tensor([1, 2, 2, 1, 1, 2])
    excluded, subset = Ragged.from_rows([[4], [], [5]]), Ragged.from_rows([[3, 8], [1, 2], [6, 7]])
    return Qrels(torch.tensor([3, 1, 7]), relevant, grades, excluded, subset)


@pytest.mark.parametrize("seed", range(4))
def test_scores_above_zero_rank_as_everywhere(seed):
    scores = torch.zeros(3, 64)
    drawn = torch.randint(1, 4, (3, 40), generator=torch.Generator().manual_seed(seed)).float()
    scores[:, :40] = drawn
    found, expected = rank_retrieved(scores, truth(), 7, 40), rank_scores(drawn, truth(), top_k=7)
    for name in ("target_rank", "relevant_rank", "subset_rank", "top_index", "top_score"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name


def test_zero_is_not_retrieved():
    scores = torch.zeros(3, 32)
    scores[0, 3], scores[0, 6], scores[2, 5] = 1.0, 1.0, 2.0
    found = rank_retrieved(scores, truth(), 3, 9)
    assert found.relevant_rank.tolist() == [0, 1, 0, 0, 0, 0]  # item 5 is excluded
    assert found.top_index.tolist() == [[3, 6, -1], [-1, -1, -1], [-1, -1, -1]]
    assert found.subset_rank.tolist() == [1, 0, 0] and found.n_gallery == 9


@pytest.mark.parametrize(("width", "k", "n"), [(33, 1, 9), (32, 10, 9), (32, 0, 9), (32, 1, 33)])
def test_sizes_that_do_not_fit(width, k, n):
    with pytest.raises(ValueError, match="do not fit"):
        rank_retrieved(torch.zeros(3, width), truth(), k, n)

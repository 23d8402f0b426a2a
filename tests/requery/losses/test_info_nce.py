import numpy as np
import pytest
import torch

from requery.losses import info_nce


def naive(scores, same):
    losses = []
    for i in range(len(scores)):
        rivals = [scores[i, j] for j in range(len(scores)) if j == i or not same[i, j]]
        losses.append(np.log(np.exp(rivals).sum()) - scores[i, i])
    return np.mean(losses)


@pytest.fixture
def case():
    rng = np.random.default_rng(1)
    group = np.array([0, 1, 1, 2, 3, 3])
    return rng.normal(size=(6, 6)), group[:, None] == group


def test_against_a_naive_loop(case):
    scores, same = case
    nothing = np.zeros_like(same)
    assert float(info_nce(torch.from_numpy(scores))) == pytest.approx(naive(scores, nothing))
    masked = info_nce(torch.from_numpy(scores), same=torch.from_numpy(same))
    assert float(masked) == pytest.approx(naive(scores, same))
    both = info_nce(torch.from_numpy(scores), symmetric=True, same=torch.from_numpy(same))
    assert float(both) == pytest.approx((naive(scores, same) + naive(scores.T, same)) / 2)


def test_masked_pairs_get_no_gradient(case):
    scores = torch.from_numpy(case[0]).requires_grad_()
    info_nce(scores, same=torch.from_numpy(case[1])).backward()
    assert scores.grad.isfinite().all()
    assert scores.grad[1, 2] == 0 and scores.grad[1, 1] < 0 and scores.grad[1, 0] > 0


@pytest.mark.parametrize(("scores", "same"), [((2, 3), None), ((3, 3), (2, 2))])
def test_shapes_are_checked(scores, same):
    with pytest.raises(ValueError, match="square"):
        info_nce(torch.zeros(scores), same=None if same is None else torch.zeros(same, dtype=torch.bool))

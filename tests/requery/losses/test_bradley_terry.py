from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from requery.losses import bradley_terry
from requery.scoring import max_token_score

OFFICIAL = np.load(Path(__file__).parents[2] / "fixtures/qure/forward_loss.npz")


def tensor(name):
    return torch.from_numpy(OFFICIAL[name].astype(np.float32))


def test_parity_of_scores_loss_and_gradients_with_the_official_code():
    names = ("hidden_query", "hidden_target", "hidden_negative", "text_proj_w", "vision_proj_w", "temp")
    leaf = {name: tensor(name).requires_grad_() for name in names}
    query = F.linear(leaf["hidden_query"], leaf["text_proj_w"], tensor("text_proj_b")).mean(1)
    query = F.normalize(query, dim=-1)
    scores = []
    for side in ("hidden_target", "hidden_negative"):
        tokens = F.normalize(F.linear(leaf[side], leaf["vision_proj_w"], tensor("vision_proj_b")), dim=-1)
        scores.append(max_token_score(query, tokens) / leaf["temp"])
    torch.testing.assert_close(torch.stack(scores, 1), tensor("scores"), atol=1e-5, rtol=1e-5)
    loss = bradley_terry(*scores)
    assert loss.item() == pytest.approx(float(OFFICIAL["loss"]), abs=1e-6)
    loss.backward()
    for name, value in leaf.items():
        torch.testing.assert_close(value.grad, tensor(f"grad_{name}").view_as(value), atol=1e-6, rtol=1e-4)


def test_three_lines_of_numpy():
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(size=6), rng.normal(size=(6, 5))
    expected = np.log1p(np.exp(negative - positive[:, None])).mean()
    loss = bradley_terry(torch.from_numpy(positive), torch.from_numpy(negative))
    assert float(loss) == pytest.approx(expected)


def test_one_negative_as_a_column_or_a_row():
    positive, negative = torch.randn(4), torch.randn(4)
    assert torch.equal(bradley_terry(positive, negative), bradley_terry(positive, negative[:, None]))


def test_far_scores_stay_finite():
    assert float(bradley_terry(torch.tensor([-1e4]), torch.tensor([1e4]))) == 2e4
    assert float(bradley_terry(torch.tensor([1e4]), torch.tensor([-1e4]))) == 0.0


@pytest.mark.parametrize(("positive", "negative"), [((3,), (4,)), ((3,), (1, 3)), ((3, 1), (3,)), ((3,), ())])
def test_shapes_that_would_broadcast_are_refused(positive, negative):
    with pytest.raises(ValueError, match="do not match"):
        bradley_terry(torch.zeros(positive), torch.zeros(negative))

"""DPO against its formula in numpy, and that it learns a preference."""

import numpy as np
import pytest
import torch

from requery.losses.preference import dpo


@pytest.mark.parametrize("beta", [0.1, 0.7])
def test_the_formula(beta):
    columns = -5 * np.random.default_rng(0).random((4, 6))
    losses, margins = dpo(*torch.from_numpy(columns), beta)
    for row, (better, worse, better_before, worse_before) in enumerate(columns.T):
        odds = (better - worse) - (better_before - worse_before)
        assert margins[row].item() == pytest.approx(beta * odds, rel=1e-9)
        assert losses[row].item() == pytest.approx(-np.log(1 / (1 + np.exp(-beta * odds))), rel=1e-9)


def test_without_a_change_no_pair_is_learnt():
    chosen, rejected = torch.tensor([-1.0, -40.0]), torch.tensor([-3.0, -2.0])
    losses, margins = dpo(chosen, rejected, chosen, rejected, 0.3)
    assert margins.tolist() == [0.0, 0.0]
    assert losses.tolist() == pytest.approx([np.log(2)] * 2)


def test_far_apart_answers_neither_overflow_nor_vanish():
    far = torch.tensor([-1e4, 0.0], requires_grad=True)
    losses, _ = dpo(far[:1], far[1:], torch.zeros(1), torch.zeros(1), 1.0)
    losses.sum().backward()
    assert losses.item() == pytest.approx(1e4) and far.grad.tolist() == pytest.approx([-1.0, 1.0])


def test_twenty_steps_lower_the_loss():
    torch.manual_seed(0)
    scores = torch.zeros(8, 5, requires_grad=True)
    better, worse = torch.randint(5, (8,)), torch.randint(5, (8,))
    worse = torch.where(worse == better, (better + 1) % 5, worse)
    optimizer = torch.optim.SGD([scores], lr=1.0)
    values = []
    for _ in range(20):
        picked = [torch.log_softmax(scores, 1)[torch.arange(8), token] for token in (better, worse)]
        before = torch.full((8,), -np.log(5).item())
        losses, margins = dpo(*picked, before, before, beta=1.0)
        optimizer.zero_grad()
        losses.mean().backward()
        optimizer.step()
        values.append(losses.mean().item())
    assert values[-1] < 0.5 * values[0] and (margins > 0).all()

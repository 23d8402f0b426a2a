import numpy as np
import pytest
import torch
from torch.nn import functional as F

from requery.adaptation import baselines, row_entropy

CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def random_logits(n=8, m=12, seed=0):
    return 3 * torch.randn(n, m, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gradient(loss, logits):
    return torch.autograd.grad(loss(logits), logits)[0]


def test_values_of_the_official_code(official):
    case = official("baseline_losses.npz")
    logits = case["logits"]
    torch.testing.assert_close(baselines.tent(logits), case["tent"], **CLOSE)
    torch.testing.assert_close(baselines.read(logits), case["read"], **CLOSE)
    for confidence in (0.9, 0.3):
        found = baselines.shot(logits, confidence)
        torch.testing.assert_close(found, case[f"shot_thr{confidence}"], **CLOSE)
    loss, kept, threshold = baselines.sar_first(row_entropy(logits))
    torch.testing.assert_close(loss, case["sar_loss_first"], **CLOSE)
    torch.testing.assert_close(threshold, case["sar_threshold"], **CLOSE)
    assert kept.sum() == case["sar_k"]


def test_eata_is_the_official_code_s(official):
    case = official("eata.npz")
    loss, average = baselines.eata(case["logits_a"], None)
    torch.testing.assert_close(loss, case["a_loss"], **CLOSE)
    torch.testing.assert_close(average, case["a_probs"], **CLOSE)
    for distance, suffix in ((0.30, "d30"), (0.05, "d05")):
        loss, after = baselines.eata(case["logits_b"], average, distance=distance)
        torch.testing.assert_close(loss, case[f"b_loss_{suffix}"], **CLOSE)
        torch.testing.assert_close(after, case[f"b_probs_{suffix}"], **CLOSE)


def test_deyo_is_the_official_code_s(official):
    case = official("deyo.npz")
    torch.testing.assert_close(
        baselines.deyo(case["logits"], case["logits_prime"]), case["loss_i2t"], **CLOSE
    )
    torch.testing.assert_close(baselines.deyo(case["logits"], None), case["loss_t2i"], **CLOSE)


def test_losses_against_numpy():
    logits = random_logits()
    p = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(1, keepdims=True)
    h = -(p * np.log(p)).sum(1)
    assert baselines.tent(logits).item() == pytest.approx(h.mean())
    best, total = p.max(1), np.exp(p.sum(0)) / np.exp(p.sum(0)).sum()
    balance = -(total * np.log(total)).sum()
    assert baselines.read(logits).item() == pytest.approx((-best * np.log(best)).mean() - balance)
    mean = p.mean(0)
    spread = (mean * np.log(mean + 1e-5)).sum()
    assert baselines.shot(logits, weight=0).item() == pytest.approx(h.mean() + spread)
    labels = -np.log(best[best > 0.6]).mean()
    found = baselines.shot(logits, confidence=0.6).item()
    assert found == pytest.approx(h.mean() + spread + 0.1 * labels)


def test_gradients_against_three_lines_of_autograd():
    logits = random_logits().requires_grad_()
    entropy, p = row_entropy(logits), logits.softmax(1)
    value = entropy.detach()
    low = value <= value.sort().values[2]  # int(0.4 · 8) = 3 rows
    best = p.max(1).values
    balance = row_entropy(p.sum(0)[None])[0]
    strict = value < value.sort().values[3]  # below the 4th of 8: 3 rows; reference: the first
    weight = 1 / ((value - value.min()).exp() + 0.1) + 1.1
    oracles = {
        "tent": (baselines.tent, entropy.mean()),
        "eata": (lambda x: baselines.eata(x, None)[0], (entropy * torch.exp(0.4 - value))[low].mean()),
        "sar": (lambda x: baselines.sar_first(row_entropy(x))[0], entropy[low].mean()),
        "read": (baselines.read, -(best * best.log()).mean() - balance),
        "deyo": (lambda x: baselines.deyo(x, None), (weight * entropy)[strict].mean()),
    }
    for name, (loss, oracle) in oracles.items():
        (expected,) = torch.autograd.grad(oracle, logits, retain_graph=True)
        torch.testing.assert_close(gradient(loss, logits), expected, msg=name)


def test_pseudo_labels_are_constant():
    logits = random_logits().requires_grad_()
    sure = logits.softmax(1).max(1).values > 0.6
    label = 0.1 * F.cross_entropy(logits[sure], logits.argmax(1)[sure])
    (expected,) = torch.autograd.grad(label + baselines.shot(logits, weight=0), logits)
    torch.testing.assert_close(gradient(lambda x: baselines.shot(x, 0.6), logits), expected)


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: baselines.eata(x, torch.ones(4))[0],  # all redundant
        lambda x: baselines.deyo(x, x),  # no probability falls
        lambda x: baselines.sar_second(row_entropy(x), torch.ones(6, dtype=torch.bool), torch.tensor(0.0)),
    ],
)
def test_an_empty_selection_is_zero_with_zero_gradient(loss):
    logits = torch.zeros(6, 4, requires_grad=True)
    assert loss(logits).item() == 0
    assert torch.equal(gradient(loss, logits), torch.zeros(6, 4))


@pytest.mark.parametrize("n", [1, 2])
def test_batches_too_small_for_a_share_keep_a_row(n):
    logits = random_logits(n).requires_grad_()
    assert baselines.sar_first(row_entropy(logits))[1].sum() == 1
    assert baselines.eata(logits, None)[0] > 0
    assert baselines.deyo(logits, None).isfinite()


def test_eata_keeps_its_average_where_all_is_redundant():
    average = torch.full((4,), 0.25)
    assert torch.equal(baselines.eata(torch.zeros(6, 4), average)[1], average)

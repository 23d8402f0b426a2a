import doctest
import importlib
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from requery.adaptation import modality_gap, noise_robust_entropy, query_uniformity, row_entropy
from requery.adaptation.objective import confidence_drift, confidence_margins, gap_weighted_entropy

TAU = 0.02


def unit(n, dim, seed):
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(n, dim, generator=generator, dtype=torch.float64), dim=1)


@pytest.mark.parametrize("name", ["objective", "stream"])
def test_docstrings(name):
    assert doctest.testmod(importlib.import_module(f"requery.adaptation.{name}")).failed == 0


def test_values_of_the_official_code(official):
    case = official("losses_basic.npz")
    candidates = case["gallery"][case["nn_idx"]]
    torch.testing.assert_close(row_entropy(case["refined_logits"]), case["entropy"], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(query_uniformity(case["query"]), case["uniform_loss"])
    torch.testing.assert_close(modality_gap(case["query"], candidates), case["modality_gap"])
    for level in ("lo", "mid", "hi"):
        found = noise_robust_entropy(case["refined_logits"], case[f"rem_thr_{level}"])
        torch.testing.assert_close(found, case[f"rem_loss_{level}"], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("prefix", "rtol", "atol"), [("f32_", 1e-4, 1e-5), ("f64_", 1e-9, 1e-12)])
def test_gradients_of_the_official_code(official, prefix, rtol, atol):
    case = {
        k.removeprefix(prefix): v for k, v in official("losses_grads.npz").items() if k.startswith(prefix)
    }
    query = case["query"].requires_grad_()
    candidates = case["gallery"][(query @ case["gallery"].T).argmax(1)]
    losses = {
        "REM": noise_robust_entropy(query @ candidates.T / TAU, case["Emax"]),
        "UNI": query_uniformity(query),
        "EMG": (modality_gap(query, candidates) - case["margin"]).square(),
    }
    losses["TOTAL"] = sum(losses.values())
    for name, loss in losses.items():
        (gradient,) = torch.autograd.grad(loss, query, retain_graph=True)
        torch.testing.assert_close(loss.detach(), case[name], rtol=rtol, atol=atol)
        torch.testing.assert_close(gradient, case[f"grad_{name}"], rtol=rtol, atol=atol)


def test_losses_against_numpy():
    q, c = unit(7, 5, 0), unit(7, 5, 1)
    a, b = q.numpy(), c.numpy()
    uniformity = np.exp(-0.3 * np.linalg.norm(a - a.mean(0), axis=1)).mean()
    assert query_uniformity(q, 0.3).item() == pytest.approx(uniformity)
    assert modality_gap(q, c).item() == pytest.approx(np.linalg.norm(a.mean(0) - b.mean(0)))
    p = np.exp(a @ b.T / 0.5) / np.exp(a @ b.T / 0.5).sum(1, keepdims=True)
    h = -(p * np.log(p)).sum(1)
    limit = np.median(h)
    kept = h[h <= limit]
    loss = noise_robust_entropy(q @ c.T / 0.5, limit).item()
    assert loss == pytest.approx(((1 - kept / (limit + 1e-3)) * kept).mean())


def test_gradients_against_finite_differences():
    q, c = unit(6, 4, 2).requires_grad_(), unit(6, 4, 3)
    assert torch.autograd.gradcheck(query_uniformity, (q,))
    assert torch.autograd.gradcheck(lambda x: modality_gap(x, c), (q,))
    assert torch.autograd.gradcheck(lambda x: confidence_drift(confidence_margins(x @ c.T), 2.0, 1.0), (q,))


def test_the_weight_of_the_entropy_has_no_gradient():
    logits = torch.randn(5, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (gradient,) = torch.autograd.grad(noise_robust_entropy(logits, 1.7), logits)
    entropy = row_entropy(logits)
    weight = (1 - entropy / 1.701).clamp(min=0).detach() * (entropy <= 1.7)
    (expected,) = torch.autograd.grad((weight * entropy).sum() / (entropy <= 1.7).sum(), logits)
    torch.testing.assert_close(gradient, expected)


def test_nothing_selected_is_zero_with_zero_gradient():
    logits = torch.zeros(3, 4, requires_grad=True)
    loss = noise_robust_entropy(logits, 0.5)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros(3, 4))


def test_a_batch_of_one_has_no_uniformity_of_its_own():
    q = unit(1, 4, 0).requires_grad_()
    query_uniformity(q).backward()
    assert torch.equal(q.grad, torch.zeros(1, 4, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(query_uniformity(q, centre=torch.zeros(4)), q)
    assert gradient.norm() > 0


def test_repeated_candidates_floor_the_entropy():
    q = F.normalize(torch.ones(4, 3), dim=1)
    assert row_entropy(q @ q.T / TAU)[0].item() == pytest.approx(math.log(4))


def test_confidence_terms():
    similarities = torch.tensor([[0.9, 0.5, 0.1], [0.3, 0.4, 0.2]])
    margins = confidence_margins(similarities)
    torch.testing.assert_close(margins, torch.tensor([0.4, 0.1]))
    assert confidence_margins(similarities[:, :1]).tolist() == [0, 0]
    error = margins.numpy().std(ddof=1) / math.sqrt(2)
    assert confidence_drift(margins, torch.tensor(1.0), 1.0).item() == pytest.approx(0.75 - error, rel=1e-5)
    assert confidence_drift(margins, torch.tensor(0.25), 1.0).item() == 0
    assert confidence_drift(margins[:1], torch.tensor(1.0), 1.0).item() == 0
    entropy = torch.tensor([1.0, 3.0])
    held = gap_weighted_entropy(entropy, torch.tensor(0.999), torch.tensor(0.5))
    assert held.item() == pytest.approx(1.0)
    assert gap_weighted_entropy(entropy, torch.tensor(0.1), torch.tensor(0.5)).item() == 2

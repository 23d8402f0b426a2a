"""Drawn tokens follow the nucleus' distribution, and belong to the row."""

import numpy as np
import pytest
import torch

from requery.errors import ConfigError
from requery.generation import Sampling
from requery.generation.sampling import RowSampler, nucleus

SCORES = torch.tensor([2.0, 0.5, 1.0, -1.0, 0.0])


def oracle(scores, temperature, top_p):
    """Probabilities of the nucleus, by a loop."""
    p = np.exp(scores / temperature)
    p, kept, total = p / p.sum(), np.zeros(len(p)), 0.0
    for token in np.argsort(-p, kind="stable"):
        if total < top_p:
            kept[token] = p[token]
        total += p[token]
    return kept / kept.sum()


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 0.9), (2.0, 0.5), (1.0, 1e-9)])
def test_frequencies_are_those_of_the_nucleus(temperature, top_p):
    n = 20_000
    share = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    drawn = nucleus(SCORES.expand(n, -1), temperature, top_p, share)
    frequency = np.bincount(drawn.numpy(), minlength=5) / n
    assert frequency == pytest.approx(oracle(SCORES.double().numpy(), temperature, top_p), abs=1e-3)


def test_the_nucleus_is_transformers_own():
    from transformers import TemperatureLogitsWarper, TopPLogitsWarper

    scores = torch.randn(50, 40, generator=torch.Generator().manual_seed(0))
    warped = TopPLogitsWarper(0.8)(None, TemperatureLogitsWarper(0.6)(None, scores))
    for share in np.linspace(0, 1 - 2**-53, 60):
        chosen = nucleus(scores, 0.6, 0.8, torch.full((50,), share, dtype=torch.float64))
        assert warped.gather(1, chosen[:, None]).isfinite().all()


def test_the_ends_of_the_range_stay_in_the_nucleus():
    ends = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)
    for top_p in (0.3, 0.999, 1.0):
        chosen = nucleus(torch.zeros(2, 7), 1.0, top_p, ends)
        assert chosen[0] == 0 and 0 <= chosen[1] < 7


def test_a_row_draws_the_same_in_any_batch():
    rows = SCORES.expand(3, -1)
    together, alone = RowSampler([5, 6, 7], 1.0, 1.0), RowSampler([6], 1.0, 1.0)
    steps = [(together(None, rows)[1], alone(None, rows[:1])[0]) for _ in range(20)]
    assert all(torch.equal(a, b) for a, b in steps)
    assert len({int(a.argmax()) for a, _ in steps}) > 1
    other = RowSampler([6], 1.0, 1.0, turn=1)
    assert [int(other(None, rows[:1]).argmax()) for _ in range(20)] != [int(a.argmax()) for a, _ in steps]


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": -1}, {"temperature": float("nan")}, {"top_p": 0}, {"top_p": 1.1}, {"max_new_tokens": 0}],
)
def test_a_setting_out_of_range_is_named(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Sampling(**wrong)

from itertools import product

import numpy as np
import pytest
import torch

from requery.errors import DataError
from requery.ranking.bootstrap import interval, resampled_means
from requery.ranking.significance import holm, paired_bootstrap, paired_randomisation


@pytest.mark.parametrize("n", [3, 8, 11])
def test_randomisation_approaches_the_exact_test(n):
    generator = torch.Generator().manual_seed(n)
    a, b = torch.rand(2, n, generator=generator).round(decimals=1)
    d = (a - b).double()
    sums = [
        abs(sum(s * x for s, x in zip(signs, d.tolist(), strict=True)))
        for signs in product((1, -1), repeat=n)
    ]
    exact = np.mean([s >= abs(d.sum().item()) - 1e-9 for s in sums])
    assert paired_randomisation(a, b, n=40_000) == pytest.approx(exact, abs=0.01)


def test_randomisation_of_equal_and_of_unequal_methods():
    better, worse = torch.ones(50), torch.zeros(50)
    assert paired_randomisation(better, better) == 1.0
    assert paired_randomisation(better, worse, n=999) == 1 / 1000
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.rand(2, 400, generator=generator) < 0.5).float()
    assert paired_randomisation(a, b) == paired_randomisation(b, a) == paired_randomisation(a, b)
    assert paired_randomisation(a, b, seed=1) != paired_randomisation(a, b)


def test_resampled_means_equal_numpy():
    values = torch.rand(30, 2, dtype=torch.float64)
    means = resampled_means(values, 50, seed=3)
    draws = torch.randint(30, (50, 30), generator=torch.Generator().manual_seed(3)).numpy()
    np.testing.assert_allclose(means, values.numpy()[draws].mean(1), atol=1e-12)
    np.testing.assert_allclose(interval(means), np.percentile(means, [2.5, 97.5], axis=0), atol=1e-12)


def test_bootstrap_interval_holds_the_difference():
    generator = torch.Generator().manual_seed(0)
    a = torch.rand(500, generator=generator)
    b = a - 0.1 + 0.05 * torch.randn(500, generator=generator)
    difference = paired_bootstrap(a, b)
    assert difference.value == pytest.approx((a.double() - b.double()).mean().item())
    assert difference.low < difference.value < difference.high
    assert difference.high - difference.low == pytest.approx(
        2 * 1.96 * (a - b).std().item() / 500**0.5, rel=0.1
    )
    assert paired_bootstrap(a, a).low == paired_bootstrap(a, a).high == 0.0


def test_unpaired_values_are_refused():
    for a, b in (
        (torch.rand(3), torch.rand(4)),
        (torch.rand(0), torch.rand(0)),
        (torch.rand(2, 2), torch.rand(2, 2)),
    ):
        with pytest.raises(DataError, match="paired"):
            paired_randomisation(a, b)
        with pytest.raises(DataError, match="paired"):
            paired_bootstrap(a, b)


def test_holm_adjusts_as_published():
    # Holm (1979): smallest p times 4, next times 3, ..., never decreasing, at most 1
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []

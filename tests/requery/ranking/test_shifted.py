"""The table of shifts against numpy."""

import numpy as np
import pytest
import torch

from requery.errors import DataError
from requery.ranking.shifted import Outcome, shift_rows

Q = 200


def outcomes(rates, orders=3):
    """Random hits with a rate per (method, shift)."""
    draw = np.random.default_rng(0)
    return [
        Outcome(method, shift, order, torch.from_numpy((draw.random(Q) < rate).astype(np.float32)))
        for (method, shift), rate in rates.items()
        for order in range(orders)
    ]


RATES = {
    ("none", "fog@5"): 0.3,
    ("none", "snow@5"): 0.02,
    ("none", "jpeg@5"): 0.5,
    ("tcr", "fog@5"): 0.5,
    ("tcr", "snow@5"): 0.02,
    ("tcr", "jpeg@5"): 0.5,
}


def test_values_are_means_over_orders_then_queries_and_the_mean_leaves_out_what_is_lost():
    made = outcomes(RATES)
    fog, snow, jpeg, mean = shift_rows(made, chance=0.02)
    assert [row.apart for row in (fog, snow, jpeg, mean)] == [False, True, False, False]
    assert mean.shift == "mean of 2"
    by_hand = {
        (m, s): np.stack([o.values.double().numpy() for o in made if (o.method, o.shift) == (m, s)])
        for m, s in RATES
    }
    for row in (fog, snow, jpeg):
        for method in ("none", "tcr"):
            cell, values = row.cells[method], by_hand[method, row.shift]
            assert cell.value == pytest.approx(values.mean())
            assert cell.spread == pytest.approx(np.ptp(values.mean(1)))
            assert cell.low <= cell.value <= cell.high
    difference = (by_hand["tcr", "fog@5"] - by_hand["none", "fog@5"]).mean(0)
    gain = fog.cells["tcr"].gain
    error = difference.std() / np.sqrt(Q)
    assert gain["value"] == pytest.approx(difference.mean())
    assert gain["low"] == pytest.approx(difference.mean() - 1.96 * error, abs=0.3 * error)
    assert gain["high"] == pytest.approx(difference.mean() + 1.96 * error, abs=0.3 * error)
    assert fog.cells["none"].gain is None
    both = np.mean([by_hand["tcr", s].mean(0) for s in ("fog@5", "jpeg@5")], axis=0)
    assert mean.cells["tcr"].value == pytest.approx(both.mean())


def test_methods_are_compared_on_the_same_streams_only():
    with pytest.raises(DataError, match="same shifts and orders"):
        shift_rows(outcomes(RATES)[:-1], chance=0.01)
    with pytest.raises(DataError, match="same shifts and orders"):
        shift_rows([o for o in outcomes(RATES) if (o.method, o.shift) != ("tcr", "fog@5")], chance=0.01)

import pytest
import torch

from requery.means import Means


def test_means_are_weighted_and_survive_a_restart():
    values, weights = [0.5, 2.0, -1.0, 4.0], [3, 0, 5, 1]
    whole, first, second = Means(), Means(), Means()
    for value, weight in zip(values, weights, strict=True):
        whole.add("x", torch.tensor(value, requires_grad=True), weight)
    assert whole.values()["x"] == pytest.approx((0.5 * 3 - 1.0 * 5 + 4.0) / 9)
    for value, weight in list(zip(values, weights, strict=True))[:2]:
        first.add("x", value, weight)
    second.load_state_dict(first.state_dict())
    for value, weight in list(zip(values, weights, strict=True))[2:]:
        second.add("x", value, weight)
    assert second.values()["x"] == whole.values()["x"]  # to the bit
    assert second.names == {"x"}


def test_what_stands_for_no_item_is_named_but_has_no_mean():
    means = Means()
    means.add("x", 1.0, weight=0)
    assert means.values() == {} and means.names == {"x"}
    means.add("x", 1.0)
    means.reset()
    assert means.values() == {} and means.names == {"x"}

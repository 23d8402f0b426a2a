from itertools import permutations

import pytest
import torch

from requery.errors import DataError
from requery.ranking.contributions import marginal, pareto, shapley, subsets

METHODS = ("a", "b", "c", "d")


def values(seed=0, n=5):
    generator = torch.Generator().manual_seed(seed)
    return {chosen: torch.rand(n, generator=generator) for chosen in subsets(METHODS)}


def test_subsets_are_all_combinations_the_smaller_first():
    found = subsets(METHODS)
    assert len(found) == len(set(found)) == 16
    assert [len(one) for one in found] == sorted(len(one) for one in found)


def test_shapley_values_are_the_mean_over_all_orders():
    of = values()
    found = shapley(of, METHODS)
    for method in METHODS:
        adds = []
        for order in permutations(METHODS):
            before = frozenset(order[: order.index(method)])
            adds.append(of[before | {method}].double() - of[before].double())
        assert torch.allclose(found[method], torch.stack(adds).mean(0), atol=1e-12)


def test_shapley_values_sum_to_what_all_add():
    of = values(1)
    total = of[frozenset(METHODS)].double() - of[frozenset()].double()
    assert torch.allclose(sum(shapley(of, METHODS).values()), total, atol=1e-12)


def test_a_method_that_adds_nothing_has_no_value():
    of = {chosen: torch.tensor([1.0 * ("a" in chosen)]) for chosen in subsets(("a", "b"))}
    assert {name: float(value) for name, value in shapley(of, ("a", "b")).items()} == {"a": 1.0, "b": 0.0}


def test_what_is_missing_is_named():
    of = values()
    del of[frozenset("ab")]
    with pytest.raises(DataError, match=r"a \+ b"):
        shapley(of, METHODS)
    with pytest.raises(DataError, match=r"a \+ b"):
        marginal(of, "b", frozenset("a"))


def test_the_front_is_what_none_beats():
    generator = torch.Generator().manual_seed(2)
    points = {
        i: tuple(row) for i, row in enumerate((torch.rand(40, 2, generator=generator) * 8).round().tolist())
    }
    kept = pareto(points)
    for name, (cost, value) in points.items():
        better = [o for o in points.values() if o != (cost, value) and o[0] <= cost and o[1] >= value]
        assert (name in kept) == (not better)
    assert [points[name][0] for name in kept] == sorted(points[name][0] for name in kept)

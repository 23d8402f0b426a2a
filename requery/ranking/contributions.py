"""What each method adds to a combination of methods, and which combinations are worth their cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import factorial
from typing import TypeVar

import torch
from torch import Tensor

from requery.errors import DataError

Set = frozenset[str]
N = TypeVar("N")


def subsets(methods: Sequence[str]) -> list[Set]:
    """All combinations, the smaller first: none, each alone, pairs, …, all."""
    return [frozenset(chosen) for size in range(1 + len(methods)) for chosen in combinations(methods, size)]


def marginal(values: Mapping[Set, Tensor], method: str, given: Set) -> Tensor:
    """What a method adds beside others, per query: v(given ∪ {method}) − v(given).

    Args:
        values: `(Q,)` of each combination.
        method: the one that is added.
        given: the others.

    Raises:
        DataError: a combination is missing.
    """
    _require(values, [given, given | {method}])
    return values[given | {method}].double() - values[given].double()


def shapley(values: Mapping[Set, Tensor], methods: Sequence[str]) -> dict[str, Tensor]:
    """The mean of what a method adds over all orders in which the methods may be put together (Shapley 1953).

    φ_i = Σ_{S ∌ i} |S|! (n − |S| − 1)! / n! · (v(S ∪ i) − v(S)), for each query alone: over the methods they
    sum to v(all) − v(none).

    Args:
        values: `(Q,)` of every combination of the methods.
        methods: the `n` methods.

    Returns:
        `(Q,)` float64 of each method; intervals come from resampling its queries.

    Raises:
        DataError: a combination is missing.
    """
    _require(values, subsets(methods))
    n, found = len(methods), {}
    for method in methods:
        others = [other for other in methods if other != method]
        parts = [
            factorial(len(given))
            * factorial(n - len(given) - 1)
            / factorial(n)
            * marginal(values, method, given)
            for given in subsets(others)
        ]
        found[method] = torch.stack(parts).sum(0)
    return found


def pareto(points: Mapping[N, tuple[float, float]]) -> list[N]:
    """Names of those (cost, value) that no other beats: none costs as little and is worth as much, or better.

    Args:
        points: cost and value by name.

    Returns:
        The cheapest first; of equal points all.
    """

    def beaten(name: N) -> bool:
        cost, value = points[name]
        return any(c <= cost and v >= value and (c, v) != (cost, value) for c, v in points.values())

    return sorted((name for name in points if not beaten(name)), key=lambda name: points[name])


def _require(values: Mapping[Set, Tensor], wanted: Sequence[Set]) -> None:
    missing = [" + ".join(sorted(one)) or "none" for one in wanted if one not in values]
    if missing:
        raise DataError(f"no values of {'; '.join(missing[:5])}: run these combinations too")

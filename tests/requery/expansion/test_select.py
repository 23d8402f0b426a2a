"""Utilities and fusion against naive loops."""

import numpy as np
import pytest

from requery.expansion.retriever import Found
from requery.expansion.select import fuse, utilities, window


def random_found(seed, n=12, items=30, depth=10):
    draw = np.random.default_rng(seed)
    lengths = draw.integers(0, depth + 1, n)
    return [
        Found(tuple(draw.permutation(items)[:m].tolist()), tuple(np.sort(draw.random(m) * 20)[::-1].tolist()))
        for m in lengths
    ]


@pytest.mark.parametrize("seed", range(5))
def test_fusion_is_the_sum_of_reciprocal_ranks(seed):
    rankings = [found.items for found in random_found(seed)]
    weights = np.random.default_rng(seed).random(len(rankings)).tolist()
    naive = {
        item: sum(
            weight / (60 + ranking.index(item) + 1)
            for ranking, weight in zip(rankings, weights, strict=True)
            if item in ranking
        )
        for ranking in rankings
        for item in ranking
    }
    fused = fuse(rankings, weights)
    assert dict(fused) == pytest.approx(naive)
    assert [item for item, _ in fused] == sorted(dict(fused), key=lambda item: (-dict(fused)[item], item))


@pytest.mark.parametrize("seed", range(5))
def test_utility_is_strength_and_agreement(seed):
    found = random_found(seed)
    consensus = [item for item, _ in fuse([f.items for f in found])][:10]
    means = [[*f.scores, 0, 0, 0][:3] for f in found]
    strengths = [sum(row) / 3 for row in means]
    naive = [
        strength / max(strengths) + 0.7 * sum(item in consensus for item in f.items) / 10
        for strength, f in zip(strengths, found, strict=True)
    ]
    assert utilities(found, consensus=0.7) == pytest.approx(naive)


def test_clues_that_find_nothing_have_no_utility():
    assert utilities([Found((), ()), Found((), ())]) == [0, 0]
    assert utilities([]) == []


def test_the_window_is_the_best_in_order_and_ties_keep_theirs():
    assert window([1.0, 3.0, 2.0, 3.0], 3) == [1, 3, 2]
    assert window([1.0], 8) == [0]

import random
from fractions import Fraction

import pytest
import torch

from requery.errors import ConfigError
from requery.index import fuse


def naive(rows, k, weights):
    totals = {}
    for row, weight in zip(rows, weights, strict=True):
        for rank, item in enumerate(row, 1):
            if item >= 0:
                totals[item] = totals.get(item, 0) + Fraction(weight) / (60 + rank)
    best = sorted(totals, key=lambda item: (-totals[item], item))[:k]
    return best, [float(totals[item]) for item in best]


def test_a_naive_loop_fuses_the_same():
    draw = random.Random(0)
    lists = [torch.tensor([draw.sample(range(20), depth) for _ in range(8)]) for depth in (9, 4, 12)]
    lists[2][:, 7:] = -1
    scores, items = fuse(lists, 6, weights=[1, 2, 0.5])
    for q in range(8):
        best, totals = naive([one[q].tolist() for one in lists], 6, [1, 2, 0.5])
        assert items[q].tolist() == best
        assert scores[q].tolist() == pytest.approx(totals, rel=1e-6)


def test_ties_and_ends():
    scores, items = fuse([torch.tensor([[5, 2]]), torch.tensor([[2, 5]])], 4)
    assert items.tolist() == [[2, 5, -1, -1]] and scores[0, 0] == scores[0, 1]
    assert scores[0, 2:].tolist() == [-torch.inf] * 2


@pytest.mark.parametrize(
    ("lists", "options"),
    [
        ([], {}),
        ([torch.zeros(1, 1, dtype=torch.int64)], {"weights": [1.0, 1.0]}),
        ([torch.zeros(1, 1, dtype=torch.int64)], {"weights": [0.0]}),
        ([torch.zeros(1, 1, dtype=torch.int64)], {"constant": 0.0}),
        ([torch.zeros(1, 1, dtype=torch.int64), torch.zeros(2, 1, dtype=torch.int64)], {}),
    ],
)
def test_bad_use_is_refused(lists, options):
    with pytest.raises(ConfigError, match="fus"):
        fuse(lists, 3, **options)

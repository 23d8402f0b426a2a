import numpy as np
import torch

from requery.negatives import NegativeSets
from requery.negatives.audit import ROWS, false_negative_rate, set_false_negative_rate
from requery.ragged import Ragged


def test_against_a_loop():
    rng = np.random.default_rng(0)
    relevant = [set(rng.choice(50, rng.integers(0, 6), replace=False).tolist()) for _ in range(30)]
    truth = Ragged.from_rows([sorted(row) for row in relevant])
    query, sampled = rng.integers(0, 30, 200), rng.integers(0, 60, (200, 3))
    expected = sum(int(item) in relevant[q] for q, row in zip(query, sampled, strict=True) for item in row)
    assert expected > 10
    assert false_negative_rate(torch.from_numpy(sampled), torch.from_numpy(query), truth) == (expected, 600)


def test_whole_sets_against_a_loop():
    rng = np.random.default_rng(1)
    m = ROWS + 100
    rows = [np.sort(rng.choice(40, rng.integers(1, 9), replace=False)) for _ in range(m)]
    relevant = [np.sort(rng.choice(40, 3, replace=False)) for _ in range(m)]
    sets = NegativeSets(
        Ragged.from_rows([torch.from_numpy(row) for row in rows], torch.int32),
        torch.zeros(m, dtype=torch.bool),
        torch.ones(m, dtype=torch.int64),
    )
    expected = sum(len(set(a) & set(b)) for a, b in zip(rows, relevant, strict=True))
    truth = Ragged.from_rows([torch.from_numpy(row) for row in relevant])
    assert set_false_negative_rate(sets, truth) == (expected, sum(map(len, rows)))


def test_no_truth_no_false_negatives():
    empty = Ragged.from_rows([[], []])
    assert false_negative_rate(torch.tensor([[1, 2]]), torch.tensor([0]), empty) == (0, 2)
    assert false_negative_rate(torch.empty(0, 3).long(), torch.empty(0).long(), empty) == (0, 0)

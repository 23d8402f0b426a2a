import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from requery.errors import ConfigError, DataError, EmbeddingError
from requery.negatives import two_drop, two_drop_batch
from requery.negatives.two_drop import STEEPEST

FIXTURES = Path(__file__).parents[2] / "fixtures/qure"
CASES = json.loads((FIXTURES / "hn_edge_cases.json").read_text())


def oracle(scores, target, threshold=1, window=None):
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    after = order[order.index(target) + 1 :][:window]
    drops = [scores[b] - scores[a] for a, b in pairwise(after)]
    steep = sorted(range(len(drops)), key=lambda p: (drops[p], p))
    pairs = [sorted(pair) for pair in pairwise(steep)]
    return next((sorted(after[a + 1 : b + 1]) for a, b in pairs if b - a > threshold), [])


@pytest.mark.parametrize(
    ("name", "threshold"),
    [("hn_fashioniq", 1), ("hn_cirr_thr1", 1), ("hn_cirr_thr3", 3), ("hn_large_scores", 1)],
)
def test_parity_with_the_official_code(name, threshold):
    case = np.load(FIXTURES / f"{name}.npz")
    sets = case["hard_global_idx"] if name == "hn_fashioniq" else case["hard_idx"]
    checked = 0
    for i, (row, expected) in enumerate(zip(case["scores"], sets, strict=True)):
        if case["official_stale"][i]:
            continue
        target = int(case["target"][i])
        pool = np.arange(len(row))
        if name == "hn_fashioniq":
            pool = np.flatnonzero(case["category"] == case["category"][i])
        found = two_drop(torch.from_numpy(row[pool]), int(np.flatnonzero(pool == target)[0]), threshold)
        assert pool[found].tolist() == expected[expected >= 0].tolist(), i
        checked += 1
    assert checked > 0.5 * len(sets)


@pytest.mark.parametrize("case", CASES, ids=[case["desc"][:40] for case in CASES])
def test_edge_cases_of_the_official_code(case):
    ties = "ties" in case["desc"]
    for i, (scores, target) in enumerate(zip(case["scores"], case["targets"], strict=True)):
        found = two_drop(torch.tensor(scores), target, case["consecutive_threshold"]).tolist()
        stale = "STALE" in case["desc"] and target == 9
        if stale or ("exception" in case and "STALE" not in case["desc"] and not ties):
            assert found == []  # no pair: the official code fails or reuses another query's positions
        elif "result" in case:
            assert found == case["result"][i]
        else:
            assert target not in found


@pytest.mark.parametrize("window", [None, 30])
@pytest.mark.parametrize("decimals", [2, 8])
@pytest.mark.parametrize("threshold", [0, 1, 12])
def test_a_block_is_its_rows(threshold, decimals, window):
    # A threshold of 12 leaves many rows without a pair among the first STEEPEST drops.
    rng = np.random.default_rng(decimals)
    scores = np.round(rng.normal(size=(64, 120)), decimals).astype(np.float32)
    target = rng.integers(0, 120, 64)
    block = two_drop_batch(torch.from_numpy(scores), torch.from_numpy(target), threshold, window)
    for i, row in enumerate(scores):
        expected = oracle(row, target[i], threshold, window)
        assert block.sets[i].tolist() == expected
        assert bool(block.found[i]) == bool(expected) and int(block.size[i]) == len(expected)
        order = sorted(range(120), key=lambda j: (-row[j], j))
        offset = min((order.index(j) for j in expected), default=0) - order.index(target[i])
        assert int(block.first_offset[i]) == (offset if expected else 0)


def test_a_pair_beyond_the_steepest_drops_is_found():
    # 40 drops next to one another, each steeper than any later one, and then a pair.
    steps = np.r_[1.0, np.full(40, 0.02), np.full(30, 0.0001), 0.01, 0.0001]
    steps[1:41] += np.linspace(0.001, 0, 40)
    scores = torch.from_numpy(2 - np.cumsum(steps)).float()
    assert 40 > STEEPEST
    assert two_drop(scores, 0).tolist() == oracle(scores.numpy(), 0)
    assert len(two_drop(scores, 0)) > 20


@pytest.mark.parametrize(
    ("scores", "target"),
    [
        ([0.9, 0.8, 0.7, 0.2], 3),  # the target is last
        ([0.9, 0.8, 0.7, 0.2], 2),  # one item after it
        ([0.9, 0.8, 0.7, 0.2], 1),  # one drop
        ([0.9, 0.8, 0.7, 0.2], 0),  # two drops, neighbours
        ([0.5], 0),
        ([0.9, 0.1], 0),
    ],
)
def test_no_pair(scores, target):
    found = two_drop(torch.tensor(scores), target)
    assert found.dtype == torch.int64 and found.tolist() == []


def test_flat_scores_have_the_answer_of_the_rule_for_ties():
    # All drops are equal, so the order of steepness is by position: neighbours only, never a pair.
    assert two_drop(torch.full((10,), 0.5), 0).tolist() == []
    assert two_drop(torch.full((10,), 0.5), 0, consecutive_threshold=0).tolist() == [2]
    # With equal scores the later index comes after the target, the earlier one before it.
    assert two_drop(torch.full((10,), 0.5), 9, consecutive_threshold=0).tolist() == []


def test_equal_drops_count_as_steeper_nearer_the_target():
    scores = torch.tensor([4.0, 3.0, 2.0, 1.75, 1.5, 0.5, 0.25, -0.75, -1.0])
    # Three drops of 1 after the target: at 1|2, 4|5 and 6|7; the first two are the pair.
    assert two_drop(scores, 0).tolist() == [2, 3, 4]


def test_a_copy_of_the_target_is_an_item_like_any_other():
    scores = torch.tensor([0.9, 0.9, 0.8, 0.5, 0.49, 0.2])
    assert two_drop(scores, 0).tolist() == oracle(scores.numpy(), 0)
    assert two_drop(scores, 1).tolist() == oracle(scores.numpy(), 1)


def test_the_window_keeps_the_set_near_the_target():
    scores = torch.from_numpy(np.sort(np.random.default_rng(0).normal(size=6000))[::-1].copy()).float()
    assert int(two_drop(scores, 100).min()) > 3000  # the rule goes to the far tail (Gaussian scores)
    near = two_drop(scores, 100, window=100)
    assert 100 < int(near.min()) and int(near.max()) <= 200


def test_minus_zero_is_zero():
    scores = torch.tensor([1.0, 0.0, -0.0, 0.0, -1.0, -1.0, -1.0, -2.0])
    assert two_drop(scores, 2).tolist() == oracle([abs(s) if s == 0 else s for s in scores.tolist()], 2)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_scores_must_be_finite(value):
    with pytest.raises(EmbeddingError, match="rows 0 "):
        two_drop(torch.tensor([0.5, value, 0.1]), 0)


def test_settings_are_checked():
    scores = torch.rand(5)
    with pytest.raises(ConfigError, match="consecutive_threshold=-1"):
        two_drop(scores, 0, consecutive_threshold=-1)
    with pytest.raises(ConfigError, match="window=0"):
        two_drop(scores, 0, window=0)
    for target in (-1, 5):
        with pytest.raises(DataError, match="outside the corpus of 5"):
            two_drop(scores, target)

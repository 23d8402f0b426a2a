import math

import pytest
import torch
from torch.nn import functional as F

from requery.adaptation import SourceQueue
from requery.adaptation.source_queue import source_likeness
from requery.errors import ConfigError


def pairs(n, seed, dim=8):
    generator = torch.Generator().manual_seed(seed)
    return (F.normalize(torch.randn(n, dim, generator=generator), dim=1) for _ in range(2))


def test_one_update_is_the_official_code_s(official):
    case = official("losses_basic.npz")
    candidates = case["gallery"][case["nn_idx"]]
    torch.testing.assert_close(source_likeness(case["query"], candidates), case["SI_all"])
    queue = SourceQueue()
    queue.update(case["query"], candidates)
    torch.testing.assert_close(queue.scores.double(), case["queue_SI"], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(queue.gap, case["queue_margin"])
    torch.testing.assert_close(queue.max_entropy, case["queue_Emax"])


def test_evolution_is_the_official_code_s(official):
    case = official("queue_evolution.npz")
    queue = SourceQueue(capacity=16)
    for i in range(12):
        query, gallery = case[f"q{i}"], case[f"g{i}"]
        queue.update(query, gallery[(query @ gallery.T).argmax(1)])
        assert len(queue) == case[f"len{i}"]
        torch.testing.assert_close(queue.scores.double(), case[f"SI{i}"], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(queue.gap, case[f"margin{i}"], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(queue.max_entropy, case[f"Emax{i}"], rtol=1e-4, atol=1e-5)


def test_an_empty_queue_says_so():
    queue = SourceQueue()
    assert len(queue) == 0
    assert math.isnan(queue.gap) and math.isnan(queue.max_entropy)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_small_batches_offer_one_pair(n):
    queue = SourceQueue()
    queue.update(*pairs(n, seed=0))
    assert len(queue) == 1
    assert queue.gap.isfinite()


def test_updates_end_unless_they_have_no_end():
    closed, rolling = SourceQueue(updates=2), SourceQueue(updates=None)
    for seed in range(4):
        for queue in (closed, rolling):
            queue.update(*pairs(10, seed))
    assert (len(closed), closed.is_open) == (6, False)
    assert (len(rolling), rolling.is_open) == (12, True)


def test_old_pairs_leave():
    queue = SourceQueue(updates=None, max_age=2)
    for seed in range(5):
        queue.update(*pairs(10, seed))
    expected = SourceQueue()
    for seed in (3, 4):
        expected.update(*pairs(10, seed))
    assert torch.equal(queue.scores, expected.scores)
    assert torch.equal(queue.gap, expected.gap)


def test_a_quantile_resists_an_outlier():
    entropy = torch.tensor([0.1, 0.2, 0.3, 5.0])
    robust, official = SourceQueue(ratio=1.0, quantile=0.5), SourceQueue(ratio=1.0)
    for queue in (robust, official):
        queue.update(*pairs(4, 0), entropy)
    assert official.max_entropy == 5
    assert robust.max_entropy == pytest.approx(0.25)


def test_the_diverse_criterion_takes_the_farthest():
    queries, candidates = pairs(10, 0)
    queue = SourceQueue(criterion="diverse", ratio=0.2)
    queue.update(queries, candidates)
    distance = (queries - queries.mean(0)).norm(dim=1)
    torch.testing.assert_close(-queue.scores, distance.topk(2).values)


def test_a_restored_queue_goes_on():
    queue, copy = SourceQueue(capacity=8), SourceQueue(capacity=8)
    queue.update(*pairs(10, 0))
    copy.load_state_dict(queue.state_dict())
    for other in (queue, copy):
        other.update(*pairs(20, 1))
    assert torch.equal(queue.scores, copy.scores) and torch.equal(queue.gap, copy.gap)
    queue.reset()
    assert len(queue) == 0 and queue.is_open and math.isnan(queue.gap)


@pytest.mark.parametrize("wrong", [{"capacity": 0}, {"ratio": 0}, {"updates": 0}, {"quantile": 2}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        SourceQueue(**wrong)

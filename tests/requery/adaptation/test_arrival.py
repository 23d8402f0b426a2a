"""Streams that wait for the adapter, and streams that do not."""

import pytest
import torch
from torch import nn

from requery.adaptation import TCR, Adapter, NoAdaptation, Tent
from requery.adaptation.arrival import Arrival
from requery.adaptation.facts import FACTS, stream_facts

QUERIES = torch.randn(48, 8, generator=torch.Generator().manual_seed(1))
GALLERY = torch.randn(30, 8, generator=torch.Generator().manual_seed(2))


def encoder():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 8))


def arrival(method, batch_size=8):
    return Arrival(Adapter(encoder(), GALLERY, method), batch_size)


def inputs(batch):
    return QUERIES[batch]


def test_a_stream_that_waits_is_a_batch_after_the_other():
    order = torch.randperm(48, generator=torch.Generator().manual_seed(3))
    made = arrival(TCR(lr=0.1)).embed(order, inputs)
    adapter = Adapter(encoder(), GALLERY, TCR(lr=0.1))
    for batch in torch.split(order, 8):
        assert torch.equal(made[batch], adapter.step(QUERIES[batch]))


def test_the_method_s_own_batch_size_wins():
    assert [len(part) for part in arrival(TCR(batch_size=20)).split(torch.arange(48))] == [20, 20, 8]


def test_while_busy_the_weights_before_answer():
    """A batch of Tent with 2 steps takes 2 forward and 2 backward passes: 6, two arrivals at a pace of 3."""
    paced = arrival(Tent(steps=2, lr=0.1, pace=3.0))
    made = [paced.answer(QUERIES[part]) for part in paced.split(torch.arange(48))]
    assert paced.batches == 6 and paced.adapted == 3
    assert paced.adapter.passes.cost == 3 * 6 + 3  # and one forward pass for each batch not adapted to
    by_hand = Adapter(encoder(), GALLERY, Tent(steps=2, lr=0.1))
    for number in range(0, 6, 2):
        before = by_hand.weights()
        assert torch.equal(made[number], by_hand.step(QUERIES[8 * number : 8 * number + 8]))
        busy = by_hand.embed(QUERIES[8 * number + 8 : 8 * number + 16], before)
        torch.testing.assert_close(made[number + 1], busy, rtol=0, atol=0)


@pytest.mark.parametrize("method", [Tent(steps=2, pace=6.0), NoAdaptation(pace=1.0)])
def test_who_keeps_up_misses_nothing(method):
    paced = arrival(method)
    paced.embed(torch.arange(48), inputs)
    assert paced.adapted == paced.batches == 6


def test_gradients_of_several_batches_make_one_update():
    """Tent's loss is a mean over queries: two batches of 4 at one update are one of 8."""
    small = arrival(Tent(steps=1, lr=0.1, batch_size=4, accumulate=2))
    large = arrival(Tent(steps=1, lr=0.1, batch_size=8))
    for each in (small, large):
        each.embed(torch.arange(48), inputs)
    assert small.adapter.counts["updates"] == large.adapter.counts["updates"] == 6
    for one, other in zip(small.adapter.weights(), large.adapter.weights(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_an_update_half_made_survives_a_restart():
    method = Tent(steps=1, lr=0.1, accumulate=2)
    whole, first = Adapter(encoder(), GALLERY, method), Adapter(encoder(), GALLERY, method)
    for part in torch.split(QUERIES, 8):
        whole.step(part)
    for part in torch.split(QUERIES, 8)[:3]:
        first.step(part)
    second = Adapter(encoder(), GALLERY, method)
    second.load_state_dict(first.state_dict())
    for part in torch.split(QUERIES, 8)[3:]:
        second.step(part)
    assert second.weights_digest() == whole.weights_digest()


def test_facts_against_numpy():
    made = arrival(TCR())
    rows = made.embed(torch.arange(48), inputs)
    facts = dict(zip(FACTS, stream_facts(rows, made.adapter, 1.0).tolist(), strict=True))
    q, g = rows.double(), torch.nn.functional.normalize(GALLERY.double(), dim=1)
    spread = (-0.1 * (q - q.mean(0)).norm(dim=1)).exp().mean()
    gap = (q.mean(0) - g[(q @ g.T).argmax(1)].mean(0)).norm()
    assert facts["uniformity"] == pytest.approx(float(spread), abs=1e-6)
    assert facts["gap"] == pytest.approx(float(gap), abs=1e-6)
    assert facts["source_gap"] == pytest.approx(float(made.adapter.rule.queue.gap)) and facts["updates"] == 18
    none = arrival(NoAdaptation())
    rows = none.embed(torch.arange(48), inputs)
    assert stream_facts(rows, none.adapter, 1.0).isnan().tolist() == [False, False, True, True, False, False]

import pytest
import torch
from torch import nn

from requery.adaptation import (
    EATA,
    READ,
    REST,
    SAR,
    SHOT,
    TCR,
    UCA,
    Adapter,
    Collapse,
    DeYO,
    Tent,
    TrainingFreeTCR,
)
from requery.errors import ConfigError


@pytest.mark.parametrize("size", [1, 2, 3])
def test_small_batches_adapt_with_a_window(toy, size):
    adapter = Adapter(toy.encoder(), toy.gallery, TCR(window=16))
    queries = toy.batches.reshape(-1, 12)
    source = adapter.weights_digest()
    for batch in queries[:48].split(size):
        adapter.step(batch)
        if adapter.counts["queries"] < 16:
            assert adapter.weights_digest() == source
    assert adapter.weights_digest() != source
    assert adapter.counts["waited"] == 3 * (-(-16 // size) - 1)
    assert len(adapter.rule.recent.pairs.queries) == 16


@pytest.mark.parametrize(
    "method", [TCR(), REST(), UCA(), Tent(), EATA(), SAR(), READ(), SHOT(), DeYO(shuffle=False)]
)
def test_a_batch_of_one_does_no_harm(toy, method):
    adapter = Adapter(toy.encoder(), toy.gallery, method)
    for query in toy.batches[0, :5]:
        assert adapter.step(query[None]).isfinite().all()
    assert adapter.counts["skipped"] == 0
    assert all(p.isfinite().all() for p in adapter.adapted.values())


def test_a_gradient_that_is_not_finite_is_skipped_and_counted(toy):
    class Rough(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.rough = toy.encoder(), True

        def forward(self, batch):
            q = self.inner(batch)
            return q + 0 * (0 * q).sqrt() if self.rough else q  # a finite value with a NaN gradient

    adapter = Adapter(Rough(), toy.gallery, TCR())
    source = adapter.weights_digest()
    adapter.step(toy.batches[0])
    assert adapter.counts["skipped"] == 3 and adapter.counts["updates"] == 0
    assert adapter.weights_digest() == source
    adapter.encoder.rough = False
    adapter.step(toy.batches[1])
    assert adapter.counts["updates"] == 3 and adapter.weights_digest() != source


@pytest.mark.parametrize("method", [TCR(), TrainingFreeTCR()])
def test_queries_that_are_not_finite_leave_no_trace(toy, method):
    adapter = Adapter(toy.encoder(), toy.gallery, method)
    spoilt = toy.batches[0].clone()
    spoilt[3] = torch.nan
    assert adapter.step(spoilt)[3].isnan().all()
    assert adapter.counts["skipped"] == (method == TCR()) and len(adapter.rule.queue) == 0
    assert adapter.collapses == [(0, "embeddings are not finite")]
    other = Adapter(toy.encoder(), toy.gallery, method)
    assert torch.equal(adapter.step(toy.batches[1]), other.step(toy.batches[1]))


def test_a_collapse_is_recorded_once_and_can_start_anew(toy):
    method = Tent(lr=0.1)
    limits = {"window": 16, "share": 0.3}
    adapter = Adapter(toy.encoder(), toy.gallery, method, collapse=Collapse(**limits))
    for batch in toy.batches:
        adapter.step(batch)
    assert len(adapter.collapses) == 1 and "same nearest item" in adapter.collapses[0][1]
    fresh = Adapter(toy.encoder(), toy.gallery, method, collapse=Collapse(**limits, reset=True))
    source = fresh.weights_digest()
    for batch in toy.batches:
        fresh.step(batch)
        if fresh.counts["restarts"]:
            break
    assert fresh.weights_digest() == source and len(fresh.collapses) == 1


def test_sar_starts_anew_below_its_limit(toy):
    adapter = Adapter(toy.encoder(), toy.gallery, SAR())
    source = adapter.weights_digest()
    adapter.step(toy.batches[0])
    assert adapter.counts["restarts"] == 3 and adapter.weights_digest() == source


def test_deyo_shuffles_images_only(toy):
    with pytest.raises(ConfigError, match="shuffle=false"):
        Adapter(toy.encoder(), toy.gallery, DeYO()).step(toy.batches[0])


def test_settings_of_another_type_are_refused(toy):
    with pytest.raises(ConfigError, match="not the settings"):
        Adapter(toy.encoder(), toy.gallery, object())

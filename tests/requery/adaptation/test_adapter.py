import io
from copy import deepcopy
from dataclasses import replace
from typing import NamedTuple

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from requery.adaptation import (
    EATA,
    HATVTR,
    READ,
    REST,
    SAR,
    SHOT,
    TCR,
    UCA,
    Adapter,
    DeYO,
    NoAdaptation,
    Tent,
    TrainingFreeTCR,
)
from requery.adaptation.decoupling import DecouplingName

DECOUPLINGS = [REST(decoupling=name) for name in DecouplingName.__args__]
UPDATING = [
    TCR(),
    TCR(refined="gallery", threshold_quantile=0.9, queue_updates=None, queue_max_age=4),
    TCR(window=24, deduplicate=True),
    *DECOUPLINGS,
    UCA(),
    HATVTR(memory=40),
    Tent(),
    EATA(distance=0.3),
    SAR(reset_below=0.0),
    READ(),
    SHOT(confidence=0.3),
    DeYO(shuffle=False),
]
METHODS = [NoAdaptation(), TrainingFreeTCR(scale=1.2), TrainingFreeTCR(window=20), *UPDATING]


def ids(method):
    changed = [f"{k}={v}" for k, v in vars(method).items() if v != getattr(type(method)(), k)]
    return "-".join([type(method).__name__, *changed])


def stream(adapter, batches):
    return torch.cat([adapter.scores(adapter.step(batch)) for batch in batches])


@pytest.mark.parametrize("method", METHODS, ids=ids)
def test_embeddings_are_unit_detached_and_of_the_batch(toy, method):
    adapter = Adapter(toy.encoder(), toy.gallery, method)
    for batch in toy.batches[:4]:
        queries = adapter.step(batch)
        assert queries.shape == (16, 16) and not queries.requires_grad
        torch.testing.assert_close(queries.norm(dim=1), torch.ones(16))
    assert adapter.counts["batches"] == 4 and adapter.counts["queries"] == 64


@pytest.mark.parametrize("method", UPDATING, ids=ids)
def test_only_layer_norm_changes_and_reset_restores_it(toy, method):
    encoder = toy.encoder()
    source = {name: value.clone() for name, value in encoder.state_dict().items()}
    adapter = Adapter(encoder, toy.gallery, method)
    digest = adapter.weights_digest()
    first = stream(adapter, toy.batches)
    changed = {name for name, value in encoder.state_dict().items() if not torch.equal(value, source[name])}
    assert changed == {"ln1.weight", "ln1.bias", "ln2.weight", "ln2.bias"}
    assert adapter.weights_digest() != digest
    adapter.reset()
    assert adapter.weights_digest() == digest
    assert all(torch.equal(value, source[name]) for name, value in encoder.state_dict().items())
    assert torch.equal(stream(adapter, toy.batches), first)


@pytest.mark.parametrize("method", METHODS, ids=ids)
def test_a_resumed_stream_is_bit_equal(toy, method):
    whole = Adapter(toy.encoder(), toy.gallery, method)
    expected = stream(whole, toy.batches)
    begun = Adapter(toy.encoder(), toy.gallery, method)
    begun_scores = stream(begun, toy.batches[:5])
    file = io.BytesIO()
    torch.save(begun.state_dict(), file)
    file.seek(0)
    resumed = Adapter(toy.encoder(), toy.gallery, method)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(torch.cat([begun_scores, stream(resumed, toy.batches[5:])]), expected)
    assert resumed.counts == whole.counts
    assert resumed.weights_digest() == whole.weights_digest()


def test_a_state_is_a_snapshot(toy):
    adapter = Adapter(toy.encoder(), toy.gallery, REST())
    stream(adapter, toy.batches[:5])
    state = adapter.state_dict()
    runs = [stream(adapter, toy.batches[5:8])]
    for _ in range(2):
        adapter.load_state_dict(state)
        runs.append(stream(adapter, toy.batches[5:8]))
    assert torch.equal(runs[0], runs[1]) and torch.equal(runs[0], runs[2])


@pytest.mark.parametrize("method", METHODS, ids=ids)
def test_it_works_where_gradients_are_off(toy, method):
    expected = stream(Adapter(toy.encoder(), toy.gallery, method), toy.batches[:4])
    for off in (torch.inference_mode, torch.no_grad):
        encoder = toy.encoder()
        with off():  # batches and gallery made here are inference tensors
            adapter = Adapter(encoder, toy.gallery + 0, method)
            found = stream(adapter, [batch + 0 for batch in toy.batches[:4]])
        assert torch.equal(found, expected)
        torch.save(adapter.state_dict(), io.BytesIO())


@pytest.mark.parametrize(
    "method",
    [
        TCR(lr=1e-2),
        REST(lr=1e-2, decoupling="prograd"),  # the anchor holds the weights where they are
        UCA(lr=1e-2),
        Tent(lr=1e-2),
        READ(lr=1e-2),
        SHOT(lr=1e-2),
    ],
    ids=ids,
)
def test_twenty_steps_lower_the_loss(toy, method):
    adapter = Adapter(toy.encoder(), toy.gallery, replace(method, steps=20))
    adapter.step(toy.batches[0])
    losses = [row["total"] for row in adapter.losses]
    assert len(losses) == 20
    assert losses[-1] < losses[0] - 0.02


class Counting(nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.encoder, self.calls = encoder, 0

    def forward(self, batch):
        self.calls += 1
        return self.encoder(batch)


@pytest.mark.parametrize(
    ("method", "calls"),
    [
        (NoAdaptation(), 1),
        (TrainingFreeTCR(), 1),
        (TCR(), 3),
        (TCR(score="after"), 4),
        (Tent(steps=1), 1),
        (SAR(reset_below=0.0), 6),
        (REST(decoupling="none"), 3),
        (REST(), 3),
        (REST(decoupling="prograd"), 3),  # at the source weights for its first step; see below
        (REST(decoupling="subspace"), 3),
    ],
    ids=lambda value: ids(value) if not isinstance(value, int) else str(value),
)
def test_forward_passes_of_a_batch(toy, method, calls):
    encoder = Counting(toy.encoder())
    Adapter(encoder, toy.gallery, method).step(toy.batches[0])
    knowledge = isinstance(method, REST) and method.decoupling == "prograd"
    assert encoder.calls == calls + knowledge  # the source's queries, once a batch


def test_the_score_is_taken_before_or_after_the_last_update(toy):
    before, after = (
        Adapter(toy.encoder(), toy.gallery, Tent(steps=1, score=score)) for score in ("before", "after")
    )
    source = toy.encoder()(toy.batches[0]).detach()
    torch.testing.assert_close(before.step(toy.batches[0]), source)
    adapted = after.step(toy.batches[0])
    assert not torch.equal(adapted, source)
    torch.testing.assert_close(adapted, after.encoder(toy.batches[0]).detach())


def test_several_embeddings_an_item(toy):
    generator = torch.Generator().manual_seed(0)
    others = F.normalize(torch.randn(64, 2, 16, generator=generator), dim=2)
    tokens = torch.cat([others, toy.gallery[:, None]], 1)
    for method in (TCR(), TCR(deduplicate=True), HATVTR(), Tent()):
        adapter = Adapter(toy.encoder(), tokens, method)
        queries = adapter.step(toy.batches[0])
        expected = torch.einsum("bd,mtd->bmt", queries, tokens).amax(2)
        torch.testing.assert_close(adapter.scores(queries), expected)
    same = toy.gallery[:, None].expand(-1, 3, -1)
    found = stream(Adapter(toy.encoder(), same, TCR()), toy.batches[:3])
    torch.testing.assert_close(found, stream(Adapter(toy.encoder(), toy.gallery, TCR()), toy.batches[:3]))


class Halves(NamedTuple):
    left: torch.Tensor
    right: list


def test_batches_may_be_nested(toy):
    class Nested(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = toy.encoder()

        def forward(self, batch):
            return self.inner(batch["x"].left + batch["x"].right[0])

    expected = stream(Adapter(toy.encoder(), toy.gallery, TCR()), toy.batches[:2])
    encoder = Nested()
    with torch.inference_mode():
        halves = [{"x": Halves(batch / 2, [batch / 2]), "name": ("a",)} for batch in toy.batches[:2]]
        adapter = Adapter(encoder, toy.gallery, TCR())
        assert torch.equal(stream(adapter, halves), expected)


def test_chosen_modules(toy):
    encoder = toy.encoder()
    adapter = Adapter(encoder, toy.gallery, TCR(), modules=["ln2"])
    adapter.step(toy.batches[0])
    assert list(adapter.adapted) == ["ln2.weight", "ln2.bias"]
    assert torch.equal(encoder.ln1.weight, torch.ones(16)) and not torch.equal(
        encoder.ln2.weight, torch.ones(16)
    )


def test_the_image_tower_of_a_backbone(clip):
    class Images(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = deepcopy(clip)

        def forward(self, pixels):
            return self.backbone.encode_query(self.backbone.image_features(pixels), None)

    encoder, generator = Images(), torch.Generator().manual_seed(0)
    gallery = F.normalize(torch.randn(30, 16, generator=generator), dim=1)
    with torch.inference_mode():
        pixels = torch.randn(8, 3, 24, 24, generator=generator)
        for method in (TCR(), REST(), DeYO(least_drop=-1.0)):
            adapter = Adapter(encoder, gallery, method, modules=["backbone.model.vision_model"])
            source = adapter.weights_digest()
            assert adapter.step(pixels).shape == (8, 16)
            assert adapter.weights_digest() != source
            assert adapter.counts["updates"] == 3
            adapter.reset()
            assert adapter.weights_digest() == source

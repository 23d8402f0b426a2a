import pytest
import torch

from requery.adaptation import REST, TCR, Adapter

DESIGNS = ["prograd", "pcgrad", "orthogonal", "subspace", "l2_anchor"]


def adapt(toy, method, batches):
    adapter = Adapter(toy.encoder(), toy.gallery, method)
    for batch in batches:
        adapter.step(batch)
    return adapter


def drift(toy, adapter):
    """KL of the adapted model's predictions from the source's, over the gallery, on what it adapted to."""
    source, adapted = (
        (encoder(toy.batches.reshape(-1, 12)) @ toy.gallery.T / 0.02).log_softmax(1)
        for encoder in (toy.encoder(), adapter.encoder)
    )
    return (source.exp() * (source - adapted)).sum(1).mean().item()


def test_without_decoupling_it_is_tcr(toy):
    rest = adapt(toy, REST(decoupling="none", deduplicate=False), toy.batches)
    assert rest.weights_digest() == adapt(toy, TCR(), toy.batches).weights_digest()


@pytest.mark.parametrize("design", ["prograd", "pcgrad", "orthogonal", "l2_anchor"])
def test_the_first_step_from_the_source_is_free(toy, design):
    first = adapt(toy, REST(steps=1, decoupling=design), toy.batches[:1])
    assert (
        first.weights_digest()
        == adapt(toy, REST(steps=1, decoupling="none"), toy.batches[:1]).weights_digest()
    )


@pytest.mark.parametrize("design", DESIGNS)
def test_decoupling_stays_nearer_to_the_source(toy, design):
    strength = 10.0 if design == "l2_anchor" else 1.0
    free, held = (
        adapt(toy, REST(lr=3e-3, decoupling=name, decoupling_strength=strength), toy.batches)
        for name in ("none", design)
    )
    assert drift(toy, held) < drift(toy, free)


def test_a_module_of_two_names_keeps_its_adapted_weights(toy):
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = toy.encoder()
            self.alias = self.inner.ln1

        def forward(self, batch):
            return self.inner(batch)

    plain = adapt(toy, REST(), toy.batches)
    twice = Adapter(Twice(), toy.gallery, REST())
    for batch in toy.batches:
        twice.step(batch)
    assert all(map(torch.equal, plain.adapted.values(), twice.adapted.values()))
    assert twice.encoder.alias.weight is twice.adapted["inner.ln1.weight"]


def test_the_subspace_has_at_most_its_rank(toy):
    adapter = adapt(toy, REST(decoupling="subspace", subspace_rank=3), toy.batches)
    assert adapter.rule.basis.shape == (3, 64)
    assert adapter.rule.directions.shape == (10, 64)  # one a queue update
    torch.testing.assert_close(adapter.rule.directions.norm(dim=1), torch.ones(10))

import pytest
import torch

from requery.adaptation import TCR, UCA, Adapter, query_uniformity
from requery.adaptation.methods import Term


def losses(toy, method):
    adapter = Adapter(toy.encoder(), toy.gallery, method)
    adapter.step(toy.batches[0])
    return adapter


def test_ablations_choose_their_terms(toy):
    every = losses(toy, TCR(terms=Term.__args__)).losses[0]
    assert set(every) == {"total", *Term.__args__}
    for term in Term.__args__:
        alone = losses(toy, TCR(terms=(term,))).losses[0]
        assert alone == {"total": pytest.approx(every[term]), term: pytest.approx(every[term])}
    assert every["total"] == pytest.approx(sum(every[term] for term in Term.__args__))


def test_no_gap_to_reach_is_the_squared_gap(toy):
    adapter = losses(toy, TCR(terms=("gap", "zero_gap"), steps=1))
    row = adapter.losses[0]
    assert row["gap"] == pytest.approx(
        (row["zero_gap"] ** 0.5 - adapter.rule.queue.gap.item()) ** 2, rel=1e-4
    )


def test_an_item_counts_once_where_candidates_are_deduplicated(toy):
    repeated = toy.batches[0, :1].repeat(8, 1)
    official = Adapter(toy.encoder(), toy.gallery, TCR(terms=("entropy",), steps=1))
    ours = Adapter(toy.encoder(), toy.gallery, TCR(terms=("entropy",), steps=1, deduplicate=True))
    for adapter, expected in ((official, torch.tensor(8.0).log().item()), (ours, 0.0)):
        adapter.step(repeated)
        assert adapter.losses[0]["entropy"] == pytest.approx(expected, abs=1e-5)
        assert adapter.rule.queue.max_entropy.item() == pytest.approx(expected, abs=1e-5)


def test_the_window_joins_the_centre_and_the_candidates(toy):
    adapter = Adapter(toy.encoder(), toy.gallery, TCR(window=16, steps=1, terms=("uniformity",), lr=1e-9))
    adapter.step(toy.batches[0])
    adapter.step(toy.batches[1])
    both = toy.encoder()(toy.batches[:2].reshape(32, 12)).detach()
    expected = query_uniformity(both[16:], 0.1, both.mean(0)).item()
    assert adapter.losses[0]["uniformity"] == pytest.approx(expected, rel=1e-5)
    assert torch.equal(adapter.rule.recent.pairs.queries, adapter.rule.recent.pairs.queries.detach())
    torch.testing.assert_close(adapter.rule.recent.pairs.queries, both[16:])


def test_uca_adds_its_confidence_and_filters_nothing(toy):
    adapter = losses(toy, UCA(steps=1))
    row, plain = adapter.losses[0], losses(toy, TCR(steps=1, terms=("entropy", "zero_gap"))).losses[0]
    gap = plain["zero_gap"] ** 0.5
    weight = min(1.0, adapter.rule.queue.gap.item() / (gap + 1e-3))
    assert row["consistency"] == pytest.approx(plain["entropy"] * weight, rel=1e-4)
    assert row["total"] == pytest.approx(
        row["consistency"] + row["uniformity"] + row["gap"] + row["confidence"], rel=1e-5
    )

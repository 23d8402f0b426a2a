import torch

from requery.feedback import kept_items


def test_up_to_all_but_one_are_hidden_alike():
    rows = torch.arange(5_000)
    kept = kept_items(rows, 3, 5)
    counts = torch.bincount(kept.sum(1), minlength=6)
    assert counts[0] == 0 and bool(((counts[1:] - 1_000).abs() < 4 * 1_000**0.5).all())
    assert bool((kept.double().mean(0) - 0.6).abs().max() < 0.03)


def test_draws_depend_on_seed_kind_step_and_query_alone():
    rows = torch.arange(50)
    kept, some = kept_items(rows, 3, 5), torch.tensor([40, 2])
    assert torch.equal(kept_items(some, 3, 5), kept[some])
    others = [kept_items(rows, 4, 5), kept_items(rows, 3, 5, seed=1), kept_items(rows, 3, 5, kind=1)]
    assert not any(torch.equal(kept, other) for other in others)

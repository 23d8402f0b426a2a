import numpy as np
import pytest
import torch

from requery.errors import ConfigError
from requery.negatives import Strategy, two_drop
from requery.negatives.intervals import NEVER, largest
from requery.negatives.select import select


def oracle(strategy, scores, target, excluded=()):
    """(set, rule gave it, offset of its first item) by sorting one row."""
    kept = [i for i in range(len(scores)) if i not in excluded or i == target]
    order = sorted(kept, key=lambda i: (-scores[i], i))
    rank = order.index(target)
    after, best = order[rank + 1 :], [i for i in order if i != target][: strategy.k]
    if strategy.name == "top_k":
        return chosen(best, True, order, rank)
    window = {"after_target_top_k": strategy.k, "two_drop_window": strategy.window}.get(strategy.name)
    following = after[: window or strategy.k]
    if strategy.name == "after_target_top_k":
        return chosen(following or best, bool(following), order, rank)
    part = torch.tensor([scores[i] for i in kept])
    drops = two_drop(part, kept.index(target), strategy.consecutive_threshold, window)
    return chosen([kept[i] for i in drops] or following or best, len(drops) > 0, order, rank)


def chosen(items, found, order, rank):
    return sorted(items), found, min(order.index(i) for i in items) - rank


@pytest.mark.parametrize("name", ["top_k", "after_target_top_k", "two_drop", "two_drop_window"])
@pytest.mark.parametrize(("n", "decimals"), [(60, 8), (60, 1), (5, 8), (3, 1), (2, 8)])
def test_against_sorting_each_row(name, n, decimals):
    rng = np.random.default_rng(n)
    strategy = Strategy(name, k=7, window=12)
    scores = np.round(rng.normal(size=(100, n)), decimals).astype(np.float32)
    target, excluded = rng.integers(0, n, 100), rng.integers(0, n, 100)
    if n == 2:
        excluded = target  # an exclusion of the target changes nothing
    rows = torch.arange(100)
    for pairs in (None, (rows, torch.from_numpy(excluded))):
        block = select(strategy, torch.from_numpy(scores), torch.from_numpy(target), pairs)
        for i in range(100):
            items, found, offset = oracle(
                strategy, scores[i].tolist(), target[i], () if pairs is None else (excluded[i],)
            )
            assert block.sets[i].tolist() == items
            assert (bool(block.found[i]), int(block.first_offset[i])) == (found, offset)
    assert bool((block.size > 0).all())


def test_the_chain_of_fallbacks():
    scores = torch.tensor([[0.9, 0.8, 0.5, 0.2, 0.15]]).repeat(3, 1)
    block = select(Strategy("two_drop", k=2), scores, torch.tensor([4, 2, 0]))
    assert [row.tolist() for row in block.sets] == [[0, 1], [3, 4], [1, 2]]  # best; after; after
    assert block.found.tolist() == [False, False, False]
    assert block.first_offset.tolist() == [-4, 1, 1]


def test_all_has_no_sets():
    with pytest.raises(ConfigError, match="UniformNegatives"):
        select(Strategy("all"), torch.rand(1, 4), torch.tensor([0]))


def test_largest_is_the_head_of_a_sort():
    keys = torch.randint(-(2**62), 2**62, (5, 100), generator=torch.Generator().manual_seed(0))
    keys[2, 10:] = NEVER
    for k in (1, 16, 100, 200):
        assert torch.equal(largest(keys, k), keys.sort(1, descending=True).values[:, :k])

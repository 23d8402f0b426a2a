import numpy as np
import pytest
import torch

from requery.errors import ConfigError
from requery.negatives import Strategy, two_drop
from requery.negatives import select as module
from requery.negatives.select import select
from requery.ranking.ranks import MEMORY_BUDGET
from requery.ranking.strips import TILE_BYTES, Pairs, Strips
from requery.ranking.tiles import GALLERY_BLOCK, QUERY_BLOCK

SCORED = ["top_k", "after_target_top_k", "two_drop", "two_drop_window"]


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


def select_by_scores(strategy, scores, target, excluded=None, memory_budget=MEMORY_BUDGET):
    """The scores are products with unit vectors: exact."""
    pairs = Pairs.none(torch.device("cpu"))
    if excluded is not None:
        kept = (excluded != target).nonzero().flatten()
        pairs = Pairs(kept, excluded[kept])
    strips = Strips(torch.eye(scores.shape[1]), memory_budget)
    return strips.within_memory(lambda: select(strategy, strips, scores, target, pairs))


def random_scores(n_rows, n, decimals):
    rng = np.random.default_rng(n)
    scores = np.round(rng.normal(size=(n_rows, n)), decimals).astype(np.float32)
    target, excluded = rng.integers(0, n, n_rows), rng.integers(0, n, n_rows)
    return torch.from_numpy(scores), torch.from_numpy(target), torch.from_numpy(excluded)


def assert_is_the_oracle(block, strategy, scores, target, excluded):
    for i, row in enumerate(scores.tolist()):
        out = () if excluded is None else (int(excluded[i]),)
        items, found, offset = oracle(strategy, row, int(target[i]), out)
        assert block.sets[i].tolist() == items
        assert (bool(block.found[i]), int(block.first_offset[i])) == (found, offset)
    assert bool((block.size > 0).all())


@pytest.mark.parametrize("name", SCORED)
@pytest.mark.parametrize(("n", "decimals"), [(60, 8), (60, 1), (5, 8), (3, 1), (2, 8)])
def test_against_sorting_each_row(name, n, decimals):
    strategy = Strategy(name, k=7, window=12)
    scores, target, excluded = random_scores(100, n, decimals)
    if n == 2:
        excluded = target  # an exclusion of the target changes nothing
    for left_out in (None, excluded):
        block = select_by_scores(strategy, scores, target, left_out)
        assert_is_the_oracle(block, strategy, scores, target, left_out)


@pytest.mark.parametrize("name", SCORED)
@pytest.mark.parametrize("decimals", [8, 2])
@pytest.mark.parametrize("tiles_held", [1, 2, 3, 4])
def test_a_corpus_of_several_tiles_in_little_memory(name, decimals, tiles_held):
    strategy = Strategy(name, k=7, window=30)
    scores, target, excluded = random_scores(12, 3 * GALLERY_BLOCK + 17, decimals)
    target[0] = scores[0].argmin()  # nothing after it, or only its equals
    target[1:] = target[1]  # in one tile
    block = select_by_scores(strategy, scores, target, excluded, tiles_held * TILE_BYTES)
    assert_is_the_oracle(block, strategy, scores, target, excluded)


@pytest.mark.parametrize("name", SCORED)
def test_whole_blocks_in_parts(name, monkeypatch):
    scores, target, excluded = random_scores(QUERY_BLOCK, 700, 2)
    whole = select_by_scores(Strategy(name), scores, target, excluded)
    monkeypatch.setattr(module, "CACHE_SCORES", 7 * 700)
    parts = select_by_scores(Strategy(name), scores, target, excluded, 100 * 700 * 4)
    for field in ("found", "first_offset", "size"):
        assert torch.equal(getattr(parts, field), getattr(whole, field))
    assert torch.equal(parts.sets.values, whole.sets.values)


@pytest.mark.parametrize("name", SCORED)
def test_scores_that_end_at_equal_ones(name):
    scores = torch.tensor([0.5, 0.4, 0.4, 0.4, 0.3, 0.3, 0.3, 0.3, 0.1, 0.1]).repeat(10, 1)
    target = torch.arange(10)
    for k in range(1, 8):
        strategy = Strategy(name, k=k, window=k + 4, consecutive_threshold=0)
        assert_is_the_oracle(select_by_scores(strategy, scores, target), strategy, scores, target, None)


def test_the_chain_of_fallbacks():
    scores = torch.tensor([[0.9, 0.8, 0.5, 0.2, 0.15]]).repeat(3, 1)
    block = select_by_scores(Strategy("two_drop", k=2), scores, torch.tensor([4, 2, 0]))
    assert [row.tolist() for row in block.sets] == [[0, 1], [3, 4], [1, 2]]  # best; after; after
    assert block.found.tolist() == [False, False, False]
    assert block.first_offset.tolist() == [-4, 1, 1]


def test_all_has_no_sets():
    with pytest.raises(ConfigError, match="UniformNegatives"):
        select_by_scores(Strategy("all"), torch.rand(1, 4), torch.tensor([0]))

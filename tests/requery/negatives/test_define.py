from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from requery.errors import ConfigError, DataError, EmbeddingError
from requery.negatives import NegativeSets, Strategy, UniformNegatives, define
from requery.ragged import Ragged
from requery.ranking.strips import TILE_BYTES, Strips
from requery.ranking.tiles import GALLERY_BLOCK, QUERY_BLOCK, Tiles
from tests.requery.negatives.test_select import SCORED, oracle

FIXTURES = Path(__file__).parents[2] / "fixtures/qure"
M = QUERY_BLOCK + 44


@pytest.fixture(scope="module")
def world():
    generator = torch.Generator().manual_seed(0)
    corpus = normalize(torch.randn(150, 3, 16, generator=generator), dim=-1)
    target = torch.randint(0, 150, (M,), generator=generator)
    queries = normalize(corpus[target, 0] + 0.3 * torch.randn(M, 16, generator=generator), dim=-1)
    return queries, corpus, target


@pytest.mark.parametrize("name", ["hn_fashioniq", "hn_cirr_thr1", "hn_cirr_thr3"])
def test_parity_with_the_official_code_from_embeddings(name):
    case = {key: torch.from_numpy(value) for key, value in np.load(FIXTURES / f"{name}.npz").items()}
    groups = {"query_group": case["category"], "corpus_group": case["category"]} if "category" in case else {}
    strategy = Strategy("two_drop", consecutive_threshold=3 if name.endswith("3") else 1)
    sets = define(strategy, case["query"], case["index"], case["target"], **groups)
    expected = case.get("hard_global_idx", case.get("hard_idx"))
    assert torch.equal(sets.fallback, case["official_stale"])  # ours are flagged, counted and never empty
    for i in (~case["official_stale"]).nonzero().flatten().tolist():
        assert sets.sets[i].tolist() == expected[i][expected[i] >= 0].tolist()


@pytest.mark.parametrize("name", SCORED)
def test_streamed_blocks_are_the_whole_matrix(world, name):
    queries, corpus, target = world
    strategy = Strategy(name, k=9, window=20)
    sets = define(strategy, *world)
    scores = torch.cat([Tiles(corpus).rows(part) for part in queries.split(QUERY_BLOCK)])
    assert sets.sets.values.dtype == torch.int32
    for i, row in enumerate(scores.tolist()):
        items, found, offset = oracle(strategy, row, int(target[i]))
        assert sets.sets[i].tolist() == items
        assert (bool(sets.fallback[i]), int(sets.first_offset[i])) == (not found, offset)
    assert not bool((sets.sets.values == target[sets.sets.row_of]).any())


@pytest.mark.parametrize("name", SCORED)
def test_groups_are_definitions_of_their_own(world, name):
    queries, corpus, target = world
    group = torch.arange(150) % 3
    strategy = Strategy(name, k=9, window=20)
    sets = define(strategy, *world, query_group=group[target], corpus_group=group)
    for g in range(3):
        rows, items = (group[target] == g).nonzero().flatten(), (group == g).nonzero().flatten()
        places = torch.searchsorted(items, target[rows])
        alone = define(strategy, queries[rows], corpus[items], places)
        for i, row in enumerate(rows.tolist()):
            assert torch.equal(items[alone.sets[i].long()], sets.sets[row].long())
            assert alone.first_offset[i] == sets.first_offset[row]


@pytest.mark.parametrize("name", [*SCORED, "all"])
def test_the_reference_is_left_out_when_asked(world, name):
    queries, corpus, target = world
    order = torch.einsum("md,ntd->mnt", queries, corpus).amax(2).argsort(1, descending=True)
    reference = torch.where(order[:, 0] == target, order[:, 1], order[:, 0])
    excluded = Ragged(reference, torch.arange(M + 1))
    strategy = Strategy(name, k=9, window=20)
    kept = define(strategy, *world, excluded=excluded)
    left_out = define(replace(strategy, exclude_reference=True), *world, excluded=excluded)
    if isinstance(left_out, UniformNegatives):
        assert left_out.summary()["size_median"] == 148 and kept.summary()["size_median"] == 149
        return
    assert not bool((left_out.sets.values == reference[left_out.sets.row_of]).any())
    if name == "top_k":
        assert bool((kept.sets.values == reference[kept.sets.row_of]).any())
    with pytest.raises(DataError, match="exclude_reference"):
        define(replace(strategy, exclude_reference=True), *world)


def assert_equal(a, b):
    assert torch.equal(a.sets.values, b.sets.values) and torch.equal(a.sets.offsets, b.sets.offsets)
    assert torch.equal(a.fallback, b.fallback) and torch.equal(a.first_offset, b.first_offset)


def test_half_precision_and_addresses_do_not_change_the_sets(world):
    queries, corpus, target = world
    shifted = torch.empty(corpus.numel() + 1)[1:].view_as(corpus).copy_(corpus)
    assert_equal(define(Strategy(), queries, shifted, target), define(Strategy(), *world))
    half = define(Strategy(), queries, corpus.half(), target)
    assert_equal(half, define(Strategy(), queries, corpus.half().float(), target))


@pytest.fixture(scope="module")
def wide():
    """Many more tiles than targets, in two groups, one of them of neighbours."""
    generator = torch.Generator().manual_seed(1)
    corpus = normalize(torch.randn(9 * GALLERY_BLOCK + 5, 16, generator=generator), dim=-1)
    group = (torch.arange(len(corpus)) > 2000).long()
    target = torch.tensor([1, 2, 700, 1900, 3000, 3001])
    queries = normalize(corpus[target] + 0.3 * torch.randn(6, 16, generator=generator), dim=-1)
    return (queries, corpus, target), {"query_group": group[target], "corpus_group": group}


@pytest.mark.parametrize("name", SCORED)
@pytest.mark.parametrize("budget", [1, 3 * TILE_BYTES, 5 * TILE_BYTES])
def test_the_memory_budget_does_not_change_the_sets(wide, name, budget):
    given, groups = wide
    for more in ({}, groups):
        whole = define(Strategy(name), *given, **more)
        assert_equal(define(Strategy(name), *given, memory_budget=budget, **more), whole)


@pytest.mark.parametrize("name", SCORED)
def test_where_memory_ends_the_budget_is_halved(wide, name, monkeypatch):
    given, _ = wide
    whole, budgets = define(Strategy(name), *given), []
    score = Tiles.score

    def scarce(tiles, block, number, out):
        budgets.append(strips[-1].memory_budget)
        if budgets[-1] > 3 * TILE_BYTES:
            raise torch.OutOfMemoryError("no memory is left")
        score(tiles, block, number, out)

    made, strips = Strips.__init__, []
    monkeypatch.setattr(Strips, "__init__", lambda self, *args: (strips.append(self), made(self, *args))[1])
    monkeypatch.setattr(Tiles, "score", scarce)
    assert_equal(define(Strategy(name), *given), whole)
    assert max(budgets) > 3 * TILE_BYTES >= min(budgets)
    monkeypatch.setattr(Tiles, "score", lambda *args: (_ for _ in ()).throw(torch.OutOfMemoryError("none")))
    with pytest.raises(torch.OutOfMemoryError):
        define(Strategy(name), *given)


def test_a_budget_is_positive(world):
    with pytest.raises(ConfigError, match="memory_budget"):
        define(Strategy(), *world, memory_budget=0)


def test_single_vectors_progress_and_one_query(world):
    queries, corpus, target = world
    seen = []
    sets = define(Strategy(), queries, corpus[:, 0], target, progress=lambda *at: seen.append(at))
    assert seen[-1] == (M, M) and [at for at, _ in seen] == sorted({at for at, _ in seen})
    alone = define(Strategy(), queries[:1], corpus[:, 0], target[:1])
    assert isinstance(alone, NegativeSets) and torch.equal(alone.sets[0], sets.sets[0])


def test_degenerate_embeddings_never_give_an_empty_set():
    corpus, target = torch.ones(20, 2, 4), torch.arange(20)
    for name in SCORED:
        sets = define(Strategy(name, k=5, window=6), torch.ones(20, 4), corpus, target)
        assert bool((sets.size > 0).all())
    assert int(sets.fallback.sum()) == 20  # all scores equal: no pair of drops anywhere
    assert sets.sets[0].tolist() == [1, 2, 3, 4, 5, 6] and sets.sets[18].tolist() == [19]
    assert sets.sets[19].tolist() == [0, 1, 2, 3, 4]  # nothing after the target


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0])
def test_bad_embeddings_are_named(world, value):
    queries, corpus, target = world
    for side in ("query", "corpus"):
        bad = [queries.clone(), corpus.clone()]
        bad[side == "corpus"][7] = value
        with pytest.raises(EmbeddingError, match=rf"{side} embeddings .*: 7;"):
            define(Strategy(), bad[0], bad[1], target)

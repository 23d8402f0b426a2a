import dataclasses
import json
from itertools import pairwise

import numpy as np
import pytest
import torch

from requery.errors import ConfigError, DataError, EmbeddingError
from requery.ragged import Ragged
from requery.ranking.metrics import per_query
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import rank
from requery.ranking.strips import TILE_BYTES
from requery.ranking.tiles import GALLERY_BLOCK, QUERY_BLOCK, Tiles

ONE_TILE = 1
TWO_TILES = 2 * TILE_BYTES


def assert_bit_equal(a, b):
    for field in dataclasses.fields(a):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if isinstance(x, torch.Tensor) and x.dtype == torch.float32:
            x, y = x.view(torch.int32), y.view(torch.int32)
        assert torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y, field.name


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(
    ("n_queries", "n_gallery", "tokens"), [(40, 70, 1), (260, 1100, 1), (9, 2100, 3), (5, 3, 1)]
)
def test_ranks_equal_a_plain_loop(problem, naive, n_queries, n_gallery, tokens, ties):
    queries, gallery, qrels = problem(1, n_queries, n_gallery, tokens, ties)
    ranking = rank(queries, gallery, qrels, top_k=7, memory_budget=ONE_TILE)
    orders, scores = naive(queries, gallery, qrels)
    offsets = qrels.relevant.offsets.tolist()
    assert ranking.n_gallery == n_gallery
    for q, order in enumerate(orders):
        place = {item: i for i, item in enumerate(order, 1)}
        target = int(qrels.target[q])
        assert ranking.target_rank[q] == place.get(target, 0)
        assert ranking.relevant_rank[offsets[q] : offsets[q + 1]].tolist() == [
            place.get(i, 0) for i in qrels.relevant[q].tolist()
        ]
        among = [i for i in order if i in set(qrels.subset[q].tolist())]
        assert ranking.subset_rank[q] == (among.index(target) + 1 if target in among else 0)
        first = order[:7]
        width = min(7, n_gallery)
        assert ranking.top_index[q].tolist() == first + [-1] * (width - len(first))
        expected = scores[q][first].float()
        torch.testing.assert_close(ranking.top_score[q, : len(first)], expected, atol=1e-6, rtol=0)
        assert (ranking.top_score[q, len(first) :] == -torch.inf).all()
        if target in place:
            assert abs(ranking.target_score[q].item() - scores[q, target].item()) < 1e-6
        else:
            assert ranking.target_score[q].isnan()


@pytest.mark.parametrize("tokens", [1, 3])
def test_bits_do_not_depend_on_the_budget(problem, tokens):
    queries, gallery, qrels = problem(2, 300, 4200, tokens, dim=24)
    whole = rank(queries, gallery, qrels)
    for budget in (ONE_TILE, TWO_TILES):
        assert_bit_equal(rank(queries, gallery, qrels, memory_budget=budget), whole)


@pytest.mark.parametrize("budget", [ONE_TILE, TWO_TILES, 40 * TILE_BYTES])
def test_a_gallery_much_wider_than_what_is_wanted(naive, budget):
    n = 70 * GALLERY_BLOCK + 1
    gallery = torch.randint(-3, 4, (n, 4), generator=torch.Generator().manual_seed(0)).float()
    gallery[:, 0] = 4.0  # few distinct scores, exact: ties over all tiles
    queries, target = torch.tensor([[1.0, 1.0, 0.0, 2.0], [1.0, 0.0, -1.0, 0.0]]), torch.tensor([3, n - 1])
    qrels = Qrels.from_targets(target, excluded=Ragged.from_rows([[5], [n // 2]]))
    ranking = rank(queries, gallery, qrels, top_k=2000, memory_budget=budget)
    for q, order in enumerate(naive(queries, gallery[:, None], qrels)[0]):
        assert ranking.target_rank[q] == order.index(int(target[q])) + 1
        assert ranking.top_index[q].tolist() == order[:2000]


def test_where_memory_ends_the_budget_is_halved(problem, monkeypatch):
    queries, gallery, qrels = problem(5, QUERY_BLOCK + 44, 4200, dim=24)
    whole, score, calls = rank(queries, gallery, qrels), Tiles.score, []

    def scarce(tiles, block, number, out):
        calls.append(number)
        if len(calls) in (6, 8, 20):
            raise torch.OutOfMemoryError("no memory is left")
        score(tiles, block, number, out)

    monkeypatch.setattr(Tiles, "score", scarce)
    assert_bit_equal(rank(queries, gallery, qrels), whole)
    assert len(calls) > 30
    calls.clear()
    with pytest.raises(torch.OutOfMemoryError):
        rank(queries, gallery, qrels, memory_budget=ONE_TILE)


def test_bits_do_not_depend_on_the_pieces(problem):
    queries, gallery, qrels = problem(3, 2 * QUERY_BLOCK + 37, 1500, dim=24)
    whole = rank(queries, gallery, qrels)
    bounds = [0, QUERY_BLOCK, 2 * QUERY_BLOCK, len(qrels)]
    for start, stop in [*pairwise(bounds), (0, 37), (0, 1)]:
        rows = torch.arange(start, stop)
        keep = (qrels.relevant.row_of >= start) & (qrels.relevant.row_of < stop)
        piece = Qrels(
            qrels.target[rows],
            qrels.relevant.select(rows),
            qrels.grades[keep],
            qrels.excluded.select(rows),
            qrels.subset.select(rows),
        )
        expected = dataclasses.replace(
            whole,
            target_rank=whole.target_rank[rows],
            target_score=whole.target_score[rows],
            relevant_rank=whole.relevant_rank[keep],
            subset_rank=whole.subset_rank[rows],
            top_index=whole.top_index[rows],
            top_score=whole.top_score[rows],
        )
        assert_bit_equal(rank(queries[start:stop], gallery, piece), expected)


def test_bits_do_not_depend_on_where_the_embeddings_lie(problem):
    queries, gallery, qrels = problem(4, 40, 1500, dim=24)
    shifted = torch.cat([torch.zeros(1), gallery.flatten()])[1:].view(gallery.shape)
    assert shifted.data_ptr() % 64 != 0
    assert Tiles(shifted).gallery.data_ptr() % 64 == 0
    assert_bit_equal(rank(queries, shifted, qrels), rank(queries, gallery, qrels))


def test_a_gallery_of_one_item_twice_ranks_by_index(problem):
    queries = torch.tensor([[0.6, 0.8]])
    gallery = torch.tensor([[-0.8, 0.6]] * 3000)  # one score, one tie over three tiles, -0.0 or so
    ranking = rank(queries, gallery, Qrels.from_targets(torch.tensor([2999])), top_k=2500)
    assert ranking.target_rank.tolist() == [3000]
    assert ranking.top_index[0].tolist() == list(range(2500))


def test_the_first_items_are_right_where_the_best_are_excluded(problem, naive):
    queries, gallery, qrels = problem(7, 20, 1000)
    orders, _ = naive(queries, gallery, dataclasses.replace(qrels, excluded=None))
    qrels = dataclasses.replace(qrels, excluded=Ragged.from_rows([order[:10] for order in orders]))
    ranking = rank(queries, gallery, qrels, top_k=5)
    assert ranking.top_index.tolist() == [order[10:15] for order in orders]


def test_an_excluded_relevant_item_has_rank_zero():
    gallery = torch.eye(4)
    qrels = Qrels.from_targets(torch.tensor([1, 1]), excluded=Ragged.from_rows([[1], [0]]))
    ranking = rank(torch.tensor([[1.0, 0.5, 0.2, 0.1]] * 2), gallery, qrels, top_k=10)
    assert ranking.target_rank.tolist() == [0, 1]
    assert ranking.relevant_rank.tolist() == [0, 1]
    assert ranking.subset_rank is None
    assert ranking.top_index.tolist() == [[0, 2, 3, -1], [1, 2, 3, -1]]


@pytest.mark.parametrize("side", ["query", "gallery"])
@pytest.mark.parametrize("value", [0.0, torch.nan, torch.inf, 1e30])
def test_bad_embeddings_are_named(side, value):
    embeddings = {"query": torch.ones(30, 4), "gallery": torch.ones(30, 2, 4)}
    embeddings[side][3:15] = value
    names = [f"item-{i}" for i in range(30)]
    qrels = Qrels.from_targets(torch.arange(30))
    with pytest.raises(EmbeddingError, match=rf"12 {side} .*item-3, .*item-12, … \(2 more\)"):
        rank(embeddings["query"], embeddings["gallery"], qrels, query_ids=names, gallery_ids=names)
    with pytest.raises(EmbeddingError, match=": 3, 4, 5"):
        rank(embeddings["query"], embeddings["gallery"], qrels)


def test_bad_settings_are_refused():
    one, qrels = torch.ones(1, 2), Qrels.from_targets(torch.tensor([0]))
    for k in (0, -1):
        with pytest.raises(ConfigError, match="top_k"):
            rank(one, one, qrels, top_k=k)
    with pytest.raises(ConfigError, match="memory_budget"):
        rank(one, one, qrels, memory_budget=0)
    with pytest.raises(DataError, match="gallery is empty"):
        rank(one, torch.ones(0, 2), qrels)
    with pytest.raises(EmbeddingError, match="one model"):
        rank(one, torch.ones(1, 3), qrels)
    with pytest.raises(EmbeddingError, match="must be"):
        rank(torch.ones(1), torch.ones(1, 1), qrels)


def test_no_query_gives_an_empty_ranking():
    ranking = rank(torch.ones(0, 2), torch.ones(3, 2), Qrels.from_targets(torch.zeros(0, dtype=torch.int64)))
    assert len(ranking) == 0
    assert ranking.top_index.shape == (0, 3)


def test_scores_equal_the_official_code(official):
    data = np.load(official / "score_einsum_max.npz")
    gallery = torch.from_numpy(data["index"]).float()
    queries = torch.from_numpy(data["query"]).float()
    ranking = rank(queries, gallery, Qrels.from_targets(torch.full((10,), -1)))
    scores = torch.empty(10, 12).scatter_(1, ranking.top_index, ranking.top_score)
    torch.testing.assert_close(scores, torch.from_numpy(data["scores"]), atol=1e-6, rtol=0)


def test_cirr_recalls_equal_the_official_code(official):
    data = {k: torch.from_numpy(v) for k, v in np.load(official / "eval_cirr.npz").items()}
    expected = json.loads((official / "eval_cirr_expected.json").read_text())
    qrels = Qrels.from_targets(
        data["target"],
        Ragged.from_rows(data["reference"][:, None].tolist()),
        Ragged.from_rows(data["members"].tolist()),
    )
    ranking = rank(data["query"], data["index"], qrels)
    for k in (1, 5, 10, 50):
        assert 100 * per_query(f"recall@{k}", ranking, qrels).mean() == pytest.approx(
            expected[f"recall_at{k}"]
        )
    for k in (1, 2, 3):
        found = 100 * per_query(f"recall_subset@{k}", ranking, qrels).mean()
        assert found == pytest.approx(expected[f"group_recall_at{k}"])


@pytest.mark.parametrize("category", ["dress", "shirt", "toptee"])
def test_fashion_iq_recalls_equal_the_official_code(official, category):
    data = np.load(official / "eval_fashioniq.npz")
    expected = json.loads((official / "eval_fashioniq_expected.json").read_text())
    query, index, target = (
        torch.from_numpy(data[f"fashionIQ_{category}_{name}"]) for name in ("query", "index", "target")
    )
    qrels = Qrels.from_targets(target)
    ranking = rank(query, index, qrels)
    for k in (10, 50):
        found = 100 * per_query(f"recall@{k}", ranking, qrels).mean()
        assert found == pytest.approx(expected[f"fashionIQ_{category}_recall@{k}"])

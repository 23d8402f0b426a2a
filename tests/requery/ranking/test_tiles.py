from pathlib import Path

import numpy as np
import pytest
import torch

from requery.ranking.qrels import Qrels
from requery.ranking.ranks import rank
from requery.ranking.tiles import GALLERY_BLOCK, QUERY_BLOCK, Tiles


def random(n, tokens, dim=64, rows=50, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, dim, generator=generator), torch.randn(n, tokens, dim, generator=generator)


def test_scores_equal_the_official_code(official: Path):
    data = {key: torch.from_numpy(value) for key, value in np.load(official / "score_einsum_max.npz").items()}
    torch.testing.assert_close(Tiles(data["index"]).rows(data["query"]), data["scores"], atol=1e-6, rtol=0)


@pytest.mark.parametrize("n", [1, GALLERY_BLOCK - 1, GALLERY_BLOCK, GALLERY_BLOCK + 1])
@pytest.mark.parametrize("tokens", [1, 3, 32])
def test_tiles_cover_the_gallery(n, tokens):
    query, gallery = random(n, tokens, 8, 5)
    expected = torch.einsum("bd,ntd->bnt", query, gallery).amax(2)
    torch.testing.assert_close(Tiles(gallery).rows(query), expected, atol=1e-5, rtol=0)


def test_more_tokens_than_a_tile_has_columns():
    query, gallery = random(9, 1500, 8, 5)
    expected = torch.einsum("bd,ntd->bnt", query, gallery).amax(2)
    torch.testing.assert_close(Tiles(gallery).rows(query), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("tokens", [1, 4])
def test_scores_do_not_depend_on_how_queries_are_split(tokens):
    query, gallery = random(700, tokens)
    tiles = Tiles(gallery)
    whole = tiles.rows(query)
    assert torch.equal(tiles.rows(query[:7]), whole[:7])
    with pytest.raises(RuntimeError, match="size"):
        tiles.rows(torch.zeros(QUERY_BLOCK + 1, 64))


@pytest.mark.parametrize("tokens", [1, 4])
def test_a_ranking_reads_the_same_bits(tokens):
    query, gallery = random(700, tokens)
    ranking = rank(query, gallery, Qrels.from_targets(torch.full((50,), -1)), top_k=700, memory_budget=1)
    scores = torch.empty(50, 700).scatter_(1, ranking.top_index, ranking.top_score)
    assert torch.equal(scores, Tiles(gallery).rows(query))


@pytest.mark.parametrize("tokens", [1, 4])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened_and_nothing_else(tokens, dtype):
    query, gallery = random(700, tokens)
    half = gallery.to(dtype)
    tiles = Tiles(half)
    assert tiles.gallery.dtype == dtype
    assert torch.equal(tiles.rows(query), Tiles(half.float()).rows(query))

from pathlib import Path

import numpy as np
import pytest
import torch

from requery.ranking.tiles import QUERY_BLOCK, score_rows
from requery.scoring import max_token_score

OFFICIAL = np.load(Path(__file__).parents[1] / "fixtures/qure/score_einsum_max.npz")
QUERY, INDEX = (torch.from_numpy(OFFICIAL[name]) for name in ("query", "index"))
SCORES = torch.from_numpy(OFFICIAL["scores"])


def test_parity_with_the_official_code():
    every = INDEX.float().expand(10, -1, -1, -1)
    torch.testing.assert_close(max_token_score(QUERY.float(), every), SCORES, atol=1e-6, rtol=0)
    paired = max_token_score(QUERY.float(), INDEX[:10].float())
    torch.testing.assert_close(paired, SCORES.diagonal(), atol=1e-6, rtol=0)


def test_tiles_give_the_same_scores():
    torch.testing.assert_close(score_rows(QUERY, INDEX), SCORES, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("n", "tokens"), [(1, 1), (1023, 1), (1025, 1), (70, 32), (9, 1500), (400, 7)])
def test_tiles_cover_the_gallery(n, tokens):
    generator = torch.Generator().manual_seed(n)
    query, gallery = torch.randn(5, 8, generator=generator), torch.randn(n, tokens, 8, generator=generator)
    expected = torch.einsum("bd,ntd->bnt", query, gallery).amax(2)
    torch.testing.assert_close(score_rows(query, gallery), expected, atol=1e-5, rtol=0)


def test_scores_do_not_depend_on_how_queries_are_split():
    generator = torch.Generator().manual_seed(0)
    query, gallery = torch.randn(50, 64, generator=generator), torch.randn(300, 4, 64, generator=generator)
    whole = score_rows(query, gallery)
    assert torch.equal(score_rows(query[:7], gallery), whole[:7])
    with pytest.raises(ValueError, match="block"):
        score_rows(torch.zeros(QUERY_BLOCK + 1, 64), gallery)


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="items must be"):
        max_token_score(torch.zeros(2, 3), torch.zeros(2, 3))

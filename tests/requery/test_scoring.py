from pathlib import Path

import numpy as np
import pytest
import torch

from requery.scoring import max_token_score

OFFICIAL = np.load(Path(__file__).parents[1] / "fixtures/qure/score_einsum_max.npz")
QUERY, INDEX = (torch.from_numpy(OFFICIAL[name]) for name in ("query", "index"))
SCORES = torch.from_numpy(OFFICIAL["scores"])


def test_parity_with_the_official_code():
    every = INDEX.float().expand(10, -1, -1, -1)
    torch.testing.assert_close(max_token_score(QUERY.float(), every), SCORES, atol=1e-6, rtol=0)
    paired = max_token_score(QUERY.float(), INDEX[:10].float())
    torch.testing.assert_close(paired, SCORES.diagonal(), atol=1e-6, rtol=0)


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="items must be"):
        max_token_score(torch.zeros(2, 3), torch.zeros(2, 3))

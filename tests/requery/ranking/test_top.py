import pytest
import torch

from requery.ranking.top import GROUP, NEVER, drop_above, group_maxima, largest, pack, top_keys, unpack


def test_keys_order_by_score_then_index_and_can_be_read_back():
    scores = torch.tensor([-torch.inf, -2.5, -1e-40, -0.0, 0.0, 1e-40, 0.1, 3e38, 0.1])
    index = torch.tensor([2**31 - 1, 5, 4, 0, 3, 2, 1, 0, 7])
    keys = pack(scores, index)
    order = sorted(range(9), key=lambda i: (-scores[i].item(), index[i].item()))
    assert keys.argsort(descending=True).tolist() == order
    again, positions = unpack(keys)
    assert torch.equal(again, scores) and torch.equal(positions, index)


def test_never_is_no_item():
    scores, index = unpack(torch.tensor([NEVER]))
    assert scores.tolist() == [-torch.inf] and index.tolist() == [-1]


def test_largest_is_the_head_of_a_sort():
    keys = torch.randint(-(2**62), 2**62, (5, 100), generator=torch.Generator().manual_seed(0))
    keys[2, 10:] = NEVER
    for k in (1, 16, 100, 200):
        assert torch.equal(largest(keys, k), keys.sort(1, descending=True).values[:, :k])


@pytest.mark.parametrize("width", [4, 1024])
def test_top_of_tiles_equals_a_stable_sort(width):
    generator = torch.Generator().manual_seed(0)
    tiles = torch.randint(-4, 4, (3, 5, width * GROUP), generator=generator).float()  # many ties
    tiles[1, 2:] = -torch.inf
    maxima = torch.stack([group_maxima(tile) for tile in tiles], 1)
    starts = torch.tensor([100, 7 * width * GROUP, 2 * width * GROUP])
    rows = tiles.permute(1, 0, 2).flatten(1)
    items = (starts[:, None] + torch.arange(width * GROUP)).flatten()
    floor = torch.tensor([-100.0, 1.0, -100.0, 3.0, 9.0])
    for k in (1, 7, 12, 13, 200, 3 * width * GROUP, 10**6):
        keys = top_keys(tiles, maxima, starts, k, floor)
        assert keys.shape[1] <= k
        for row, found, least in zip(rows, keys, floor, strict=True):
            scores, index = unpack(found[found != NEVER])
            order = sorted(range(len(row)), key=lambda i: (-row[i].item(), items[i].item()))
            first = [i for i in order if row[i] >= least][:k]
            assert index.tolist() == items[first].tolist() and torch.equal(scores, row[first])


def test_what_is_above_a_bar_falls_below_every_float():
    most = torch.finfo(torch.float32).max
    scores = torch.tensor([[most, 1.0, -0.0, 0.0, -1.0, -most, -torch.inf]]).repeat(4, 1)
    bars = torch.tensor([[most], [0.0], [-torch.inf], [-1.0]])
    kept = torch.where(scores > bars, -torch.inf, scores)
    drop_above(scores, bars, torch.empty_like(scores))
    assert torch.equal(scores, kept)

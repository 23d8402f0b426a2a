import torch

from requery.ranking.top import GROUP, group_maxima, pack, top_keys, unpack


def test_keys_order_by_score_then_index_and_can_be_read_back():
    scores = torch.tensor([-torch.inf, -2.5, -1e-40, -0.0, 0.0, 1e-40, 0.1, 3e38, 0.1])
    index = torch.tensor([2**31 - 1, 5, 4, 0, 3, 2, 1, 0, 7])
    keys = pack(scores, index)
    order = sorted(range(9), key=lambda i: (-scores[i].item(), index[i].item()))
    assert keys.argsort(descending=True).tolist() == order
    again, positions = unpack(keys)
    assert torch.equal(again, scores) and torch.equal(positions, index)


def test_top_of_tiles_equals_a_stable_sort():
    generator = torch.Generator().manual_seed(0)
    tiles = torch.randint(-4, 4, (3, 5, 4 * GROUP), generator=generator).float()  # many ties
    tiles[1, 2:] = -torch.inf
    maxima = torch.stack([group_maxima(tile) for tile in tiles], 1)
    rows = tiles.permute(1, 0, 2).flatten(1)
    order = rows.sort(dim=1, descending=True, stable=True).indices + 100
    for k in (1, 7, 12, 13, 200, 3 * 4 * GROUP, 999):
        scores, index = unpack(top_keys(tiles, maxima, 100, k))
        assert torch.equal(index, order[:, :k])
        assert torch.equal(scores, rows.gather(1, index - 100))

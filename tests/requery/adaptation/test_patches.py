import torch

from requery.adaptation.patches import shuffle_patches


def images(n=3, size=18):
    return torch.arange(n * 2 * size * size, dtype=torch.float32).view(n, 2, size, size)


def test_cells_move_whole_and_the_border_stays():
    x = images()
    y = shuffle_patches(x, torch.arange(3), step=0, seed=0)
    assert not torch.equal(x, y)
    assert torch.equal(x[..., 16:, :], y[..., 16:, :]) and torch.equal(x[..., 16:], y[..., 16:])
    for before, after in zip(x, y, strict=True):
        cells = [
            {tuple(c.flatten().tolist()) for r in image[:, :16, :16].split(4, 1) for c in r.split(4, 2)}
            for image in (before, after)
        ]
        assert cells[0] == cells[1]


def test_order_depends_on_seed_step_and_item_alone():
    x = images(1).repeat(3, 1, 1, 1)
    y = shuffle_patches(x, torch.arange(3), step=0, seed=0)
    assert torch.equal(shuffle_patches(x[1:2], torch.tensor([1]), step=0, seed=0), y[1:2])
    assert not torch.equal(y[0], y[1])
    for change in ({"step": 1, "seed": 0}, {"step": 0, "seed": 1}):
        assert not torch.equal(shuffle_patches(x, torch.arange(3), **change), y)

"""Cloudy fields by the diamond-square algorithm."""

from __future__ import annotations

import numpy as np

from requery.corruptions.setting import Floats


def plasma(levels: int, decay: float, rng: np.random.Generator) -> Floats:
    """A periodic field of `2**levels` squared, scaled to [0, 1].

    Each level halves the distance of the points known: first the middles of squares, then of diamonds, each
    the mean of its four neighbours and a uniform draw, whose width falls by `decay` squared a level
    (Fournier, Fussell and Carpenter 1982, with the widths of ImageNet-C's fog). Coarse points do not depend
    on finer ones: before it is scaled, a field of one level less is every other point of the field.

    Args:
        levels: at least 0.
        decay: above 1; the larger, the smoother.
        rng: the draws.
    """
    grid, width = np.zeros((1, 1), dtype=np.float32), np.float32(1)

    def middle(total: Floats) -> Floats:
        return total / 4 + width * (2 * rng.random(total.shape, dtype=np.float32) - 1)

    for _ in range(levels):
        n = len(grid)
        across = grid + np.roll(grid, -1, 1)
        centre = middle(across + np.roll(across, -1, 0))
        finer = np.empty((2 * n, 2 * n), dtype=np.float32)
        finer[::2, ::2], finer[1::2, 1::2] = grid, centre
        finer[::2, 1::2] = middle(across + centre + np.roll(centre, 1, 0))
        finer[1::2, ::2] = middle(grid + np.roll(grid, -1, 0) + centre + np.roll(centre, 1, 1))
        grid, width = finer, np.float32(width / decay**2)
    grid -= grid.min()
    return np.asarray(grid / max(grid.max(), np.float32(1e-12)), dtype=np.float32)

"""Images with their patches shuffled: what DeYO compares a prediction with."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from requery.rng import draws


def shuffle_patches(images: Tensor, items: Tensor, step: int, seed: int, grid: int = 4) -> Tensor:
    """Permute the cells of a grid over each image, another order per image and step.

    Pixels right of and below the largest multiple of `grid` stay in place.

    Args:
        images: `(B, C, H, W)`.
        items: `(B,)` numbers of the queries in the stream; with `seed` and `step` they decide the order.
        step: of adaptation.
        seed: any integer.
        grid: cells per side.

    Returns:
        A new `(B, C, H, W)`.
    """
    b, c, height, width = images.shape
    h, w = height // grid, width // grid
    bits = draws(seed, step, items.cpu().numpy()[:, None], np.arange(grid * grid))
    order = torch.from_numpy(bits.argsort(1, kind="stable")).to(images.device)
    inside = images[..., : h * grid, : w * grid]
    cells = inside.reshape(b, c, grid, h, grid, w).permute(0, 2, 4, 1, 3, 5).reshape(b, grid * grid, c, h, w)
    moved = cells[torch.arange(b, device=images.device)[:, None], order].view(b, grid, grid, c, h, w)
    shuffled = images.clone()
    shuffled[..., : h * grid, : w * grid] = moved.permute(0, 3, 1, 4, 2, 5).reshape(inside.shape)
    return shuffled

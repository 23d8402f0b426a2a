"""Items hidden at random while a summarizer is trained, so that it learns to do with fewer."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from requery.rng import draws, uniform_below

_COUNT, _ORDER = 0, 1


def kept_items(rows: Tensor, step: int, k: int, *, seed: int = 0, kind: int = 0) -> Tensor:
    """Choose which of K items each query keeps: 0 to K - 1 of them, drawn uniformly, are hidden.

    Args:
        rows: `(B,)` int64 numbers of the queries.
        step: of the training.
        k: items.
        seed: draws are by (seed, kind, step, query).
        kind: keeps the draws for captions and for images apart.

    Returns:
        `(B, k)` bool, at least one true in each row.
    """
    numbers = rows.cpu().numpy()
    hidden = uniform_below(k, seed, kind, step, numbers, _COUNT)
    order = np.argsort(draws(seed, kind, step, numbers[:, None], _ORDER, np.arange(k)), axis=1)
    place = np.argsort(order, axis=1)
    return torch.from_numpy(place >= hidden[:, None])

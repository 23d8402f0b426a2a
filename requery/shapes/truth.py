"""Exact truth: every gallery image that satisfies a request, by look-up and not by comparison."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from requery.ragged import Ragged
from requery.shapes.edits import Edit, satisfying
from requery.shapes.language import Caption
from requery.shapes.scene import CELLS, Scene, ShapesConfig


class SceneIndex:
    """Where each scene occurs in a gallery; building and asking are linear in the gallery and the answer."""

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self.scenes = scenes
        self._at: dict[Scene, list[int]] = defaultdict(list)
        self._kinds: dict[frozenset[tuple[int, int, int]], list[int]] = defaultdict(list)
        for position, the_scene in enumerate(scenes):
            self._at[the_scene].append(position)
            self._kinds[frozenset((t.shape, t.colour, t.size) for t in the_scene)].append(position)

    def of_edit(self, reference: Scene, edit: Edit, config: ShapesConfig) -> list[int]:
        """Ascending positions of the images that satisfy an edit of the reference."""
        return sorted(p for wanted in satisfying(reference, edit, config) for p in self._at.get(wanted, ()))

    def of_caption(self, caption: Caption) -> list[int]:
        """Ascending positions of the images a caption is true of."""
        kinds = frozenset((d.shape, d.colour, d.size) for d in caption.descriptions)
        return [p for p in self._kinds.get(kinds, ()) if caption.fits(self.scenes[p])]


def grades(relevant: Ragged, target: Tensor) -> Tensor:
    """2 for the target, 1 for every other relevant item, aligned with `relevant.values`."""
    is_target = relevant.values == target[relevant.row_of]
    return torch.where(is_target, 2, 1)


def transpose(relevant: Ragged, n_items: int) -> Ragged:
    """For each item the ascending queries it is relevant to."""
    order = torch.sort(relevant.values, stable=True).indices
    counts = torch.bincount(relevant.values, minlength=n_items)
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    return Ragged(relevant.row_of[order], offsets)


def attributes(scenes: Sequence[Scene]) -> np.ndarray:
    """`(n, 27)` uint8: shape, colour and size of each cell, 0 where it is empty."""
    table = np.zeros((len(scenes), CELLS, 3), dtype=np.uint8)
    for row, the_scene in enumerate(scenes):
        for thing in the_scene:
            table[row, thing.cell] = (thing.shape + 1, thing.colour + 1, thing.size + 1)
    return table.reshape(len(scenes), -1)


def nearest_misses(table: np.ndarray, target: int, barred: Sequence[int], n: int) -> list[int]:
    """The `n` images nearest to the target that are not barred.

    Near = few of the 27 attributes differ (Hamming distance); equal distances go to the lower index.

    Args:
        table: `(gallery, 27)` from `attributes`.
        target: the target's position.
        barred: positions that may not be chosen: all that satisfy the request, and the reference.
        n: how many.
    """
    distance = (table != table[target]).sum(1).astype(np.int64)
    distance[list(barred)] = table.shape[1] + 1
    order = np.argsort(distance, kind="stable")[:n]
    return sorted(int(i) for i in order if distance[i] <= table.shape[1])

"""Frost on a pane, drawn by rule: the published benchmark's photographs are not shipped."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from requery.corruptions.plasma import plasma
from requery.corruptions.setting import Floats

TEXTURES = 5
LEVELS = 9
"""A texture is periodic, of 512 x 512 pixels."""

TINT = (0.86, 0.95, 1.0)
"""Red, green and blue of white frost."""

NEEDLES = ((60, 0.003), (24, 0.02), (9, 0.08))
"""Length in pixels, and share of pixels that a needle starts from where ice is thickest, of each size."""


@lru_cache(maxsize=TEXTURES)
def texture(number: int) -> Floats:
    """One of `TEXTURES` periodic textures, `(512, 512, 3)` in [0, 1]: patches of haze, full of needles."""
    rng = np.random.Generator(np.random.PCG64([2019, number]))
    haze, thickness = plasma(LEVELS, 1.6, rng), plasma(LEVELS, 1.7, rng)
    ice = 0.15 + 0.6 * haze
    for length, share in NEEDLES:
        ice += 0.35 * _needles(length, share * thickness**2, rng)
    return ice.clip(0, 1)[..., None] * np.asarray(TINT, dtype=np.float32)


def _needles(length: int, share: Floats, rng: np.random.Generator) -> Floats:
    """Lines that fade along their length, in the six directions in which ice grows.

    Args:
        length: in pixels.
        share: the probability that one starts, of each pixel of the texture.
        rng: the draws.
    """
    side = len(share)
    field = np.zeros_like(share)
    for turn in rng.uniform(0, np.pi / 3) + np.arange(6) * np.pi / 3:
        rows, columns = np.nonzero(rng.random(share.shape, dtype=np.float32) < share / 6)
        bright = rng.uniform(0.3, 1, len(rows)).astype(np.float32)
        for step in range(length):
            at = (rows + round(step * np.sin(turn))) % side, (columns + round(step * np.cos(turn))) % side
            field[at] = np.maximum(field[at], bright * (1 - step / length))
    return field


def cut(number: int, top: int, left: int, height: int, width: int) -> Floats:
    """A part of a texture, which goes on without end in both directions."""
    side = 2**LEVELS
    rows, columns = (top + np.arange(height)) % side, (left + np.arange(width)) % side
    part: Floats = texture(number)[rows[:, None], columns]
    return part

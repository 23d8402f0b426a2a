"""What a corruption is told besides the image, and the random stream of one item."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from requery.rng import draws

Floats = NDArray[np.float32]
"""An image `(H, W, 3)` in [0, 1], or a field of one channel `(H, W, 1)`."""


@dataclass(frozen=True)
class Setting:
    """How strong, how large and with which draws.

    Args:
        severity: from 1.
        rng: the item's draws; `stream` says what they depend on.
        scale: pixels of this image per pixel of the size the parameters are meant for; 1 takes them as they
            stand.
        legacy: repeat what the official code does by mistake.
    """

    severity: int
    rng: np.random.Generator
    scale: float = 1.0
    legacy: bool = False

    def reference(self, length: int) -> int:
        """A length of this image in pixels of the size the parameters are meant for."""
        return max(1, round(length / self.scale))


def item_seed(key: str | int, kind: str, seed: int) -> int:
    """64 bits that depend on nothing but these.

    The severity is not among them: one item's severities share their draws and differ in strength alone.
    """
    return int(draws(seed, _number(str(key)), _number(kind)))


def stream(key: str | int, kind: str, seed: int) -> np.random.Generator:
    """The random stream of an item under a kind of corruption."""
    return np.random.Generator(np.random.PCG64(item_seed(key, kind, seed)))


def _number(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")

"""The images of a task, and after them corrupted versions of some."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from requery.corruptions.image import corrupt_image
from requery.images import ImageSet

CORRUPTIONS = "corruptions@1"
"""Raised whenever some corrupted pixels would change, so that cached features are not reused."""


class Version(NamedTuple):
    """One corrupted version of the image at `position`."""

    position: int
    kind: str
    severity: int


class ShiftedImages:
    """The images as they are, then one corrupted version after the other, made when asked for (an ImageSet).

    Args:
        images: `N` images.
        versions: what follows at positions `N`, `N + 1`, …
        seed: seed of the corruptions' draws, beside the image's name.
        reference_side: as for `corrupt_image`.
    """

    def __init__(
        self, images: ImageSet, versions: Sequence[Version], seed: int = 0, reference_side: int | None = None
    ) -> None:
        self.images, self.versions = images, versions
        self.seed, self.reference_side = seed, reference_side
        self.ids = [*images.ids, *(f"{images.ids[v.position]}~{v.kind}@{v.severity}" for v in versions)]

    def __len__(self) -> int:
        return len(self.ids)

    def load(self, position: int) -> Image.Image:
        """Decode one image and, past the first `N`, corrupt it.

        Raises:
            DataError: it cannot be decoded.
        """
        if position < len(self.images):
            return self.images.load(position)
        version = self.versions[position - len(self.images)]
        pixels = corrupt_image(
            np.asarray(self.images.load(version.position).convert("RGB")),
            version.kind,
            version.severity,
            key=self.images.ids[version.position],
            seed=self.seed,
            reference_side=self.reference_side,
        )
        return Image.fromarray(pixels)

    def digest(self, position: int) -> str:
        """The image's own digest; of a version, that with all that determines the corruption."""
        if position < len(self.images):
            return self.images.digest(position)
        version = self.versions[position - len(self.images)]
        made_of = [
            CORRUPTIONS,
            self.images.digest(version.position),
            self.images.ids[version.position],
            version.kind,
            version.severity,
            self.seed,
            self.reference_side,
        ]
        return hashlib.sha256(repr(made_of).encode()).hexdigest()

"""The images, sounds or videos of a task, and after them corrupted versions of some."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from requery.corruptions.audio import AUDIO_KINDS, corrupt_audio
from requery.corruptions.image import IMAGE_KINDS, corrupt_image
from requery.images import ImageSet, Medium
from requery.stored import StoredFeatures

CORRUPTIONS = "corruptions@1"
"""Raised whenever some corrupted pixels or samples would change, so that cached features are not reused."""


class Version(NamedTuple):
    """One corrupted version of the item at `position`."""

    position: int
    kind: str
    severity: int


def fitting_kinds(medium: Medium) -> tuple[str, ...]:
    """The kinds that change a medium; videos take those of images, frame by frame."""
    return AUDIO_KINDS if medium == "audio" else IMAGE_KINDS


class ShiftedImages:
    """The items as they are, then one corrupted version after the other, made when asked for (an ImageSet).

    Of stored features nothing can be made: versions are looked up where they are stored.

    Args:
        images: `N` images, sounds or videos.
        versions: what follows at positions `N`, `N + 1`, …
        seed: seed of the corruptions' draws, beside the item's name.
        reference_side: as for `corrupt_image`.

    Raises:
        DataError: features of a version are not stored.
    """

    def __init__(
        self, images: ImageSet, versions: Sequence[Version], seed: int = 0, reference_side: int | None = None
    ) -> None:
        self.images, self.versions, self.medium = images, versions, images.medium
        self.seed, self.reference_side = seed, reference_side
        self.ids = [*images.ids, *(f"{images.ids[v.position]}~{v.kind}@{v.severity}" for v in versions)]
        self._stored = _stored(images, versions) if isinstance(images, StoredFeatures) else {}

    def __len__(self) -> int:
        return len(self.ids)

    def load(self, position: int) -> Any:
        """Decode one item and, past the first `N`, corrupt it.

        Raises:
            DataError: it cannot be decoded.
        """
        if position < len(self.images):
            return self.images.load(position)
        version = self.versions[position - len(self.images)]
        if version in self._stored:
            rows, row = self._stored[version]
            return rows.load(row)
        item, name = self.images.load(version.position), self.images.ids[version.position]
        if self.medium == "audio":
            return corrupt_audio(item, version.kind, version.severity, key=name, seed=self.seed)
        if self.medium == "video":
            return np.stack([self._picture(f, version, f"{name}#{t}") for t, f in enumerate(item)])
        return Image.fromarray(self._picture(np.asarray(item.convert("RGB")), version, name))

    def _picture(self, pixels: np.ndarray[Any, Any], version: Version, key: str) -> np.ndarray[Any, Any]:
        return corrupt_image(
            pixels,
            version.kind,
            version.severity,
            key=key,
            seed=self.seed,
            reference_side=self.reference_side,
        )

    def digest(self, position: int) -> str:
        """The item's own digest; of a version, that with all that determines the corruption."""
        if position < len(self.images):
            return self.images.digest(position)
        version = self.versions[position - len(self.images)]
        if version in self._stored:
            rows, row = self._stored[version]
            return rows.digest(row)
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


def _stored(
    features: StoredFeatures, versions: Sequence[Version]
) -> dict[Version, tuple[StoredFeatures, int]]:
    """Where the features of each version lie: a folder of a kind and severity, and the row in it."""
    found = {}
    for kind, severity in dict.fromkeys((v.kind, v.severity) for v in versions):
        part = [v for v in versions if (v.kind, v.severity) == (kind, severity)]
        rows = features.shifted(kind, severity, [features.ids[v.position] for v in part])
        found.update({version: (rows, row) for row, version in enumerate(part)})
    return found

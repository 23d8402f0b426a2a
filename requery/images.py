"""Sets of images, and what a set of another medium is to offer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from PIL import Image

from requery.decode import DECODER, Background, load_rgb, read_bytes
from requery.errors import ConfigError

Medium = Literal["image", "video", "audio"]
"""What a set holds, and so which corruptions fit it and which tower of a model reads it."""


class ImageSet(Protocol):
    """Images, videos or sounds by position; each has a name and a digest of its content."""

    @property
    def medium(self) -> Medium:
        """What the set holds."""
        ...

    @property
    def ids(self) -> Sequence[str]:
        """The name of each image."""
        ...

    def __len__(self) -> int: ...

    def load(self, position: int) -> Any:
        """Decode one item; raises DataError naming the file where it cannot be.

        Returns:
            An image as `PIL.Image` in RGB; a video as `(T, H, W, 3)` uint8; a sound as `Waveform`; features
            stored in place of either as `(L, W)` float32.
        """
        ...

    def digest(self, position: int) -> str:
        """Hexadecimal digest of what determines the pixels (file bytes, or the generator's settings)."""
        ...


class FileImages:
    """Images in files, decoded when asked for.

    Args:
        paths: `N` files.
        ids: `N` names, one per file.
        background: what shows under transparent pixels.
    """

    medium: ClassVar[Medium] = "image"

    def __init__(self, paths: Sequence[Path], ids: Sequence[str], background: Background = "none") -> None:
        if len(paths) != len(ids):
            raise ConfigError(f"{len(paths)} image files for {len(ids)} names")
        self.paths = paths
        self.ids = ids
        self.background = background
        self._digests: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def load(self, position: int) -> Image.Image:
        """Decode one image as RGB.

        Raises:
            DataError: the file cannot be decoded.
        """
        return load_rgb(self.paths[position], self.background)

    def digest(self, position: int) -> str:
        """SHA-256 of the decoding and the file's bytes; a file is read for it once.

        Raises:
            DataError: the file is missing or empty.
        """
        if position not in self._digests:
            content = hashlib.sha256(f"{DECODER}:{self.background}:".encode())
            content.update(read_bytes(self.paths[position]))
            self._digests[position] = content.hexdigest()
        return self._digests[position]

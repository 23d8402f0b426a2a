"""The world: every image is a pure function of (settings, split, index), so any number of them exists."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, overload

from PIL import Image

from requery.errors import ConfigError
from requery.images import Medium
from requery.shapes.edits import Edit, apply, draw_edit
from requery.shapes.render import render
from requery.shapes.scene import SPLITS, Scene, ShapesConfig, random_scene, split_of, stream


@dataclass(frozen=True)
class Family:
    """A base scene and its near misses: `scenes[0]` is the base, `edits[k]` made `scenes[k + 1]`."""

    scenes: tuple[Scene, ...]
    edits: tuple[Edit, ...]


@lru_cache(maxsize=65536)
def family(config: ShapesConfig, split: str, number: int) -> Family:
    """The family `number` of a split; all its scenes lie in that split."""
    draw = stream("family", config.seed, split, number)
    base = random_scene(draw, config)
    while split_of(base) != split:
        base = random_scene(draw, config)
    scenes, edits = [base], list[Edit]()
    while len(scenes) < config.variants:
        if edits and draw.random() < config.twins:
            edit = edits[int(draw.random() * len(edits))]
        else:
            edit = draw_edit(draw, base, config)
        made = apply(base, edit, edit.new)
        if made is not None and split_of(made) == split:
            scenes.append(made)
            edits.append(edit)
    return Family(tuple(scenes), tuple(edits))


def scene_at(config: ShapesConfig, split: str, index: int) -> Scene:
    """The scene of image `index` of a split."""
    number, member = divmod(index, config.variants)
    return family(config, split, number).scenes[member]


class ShapesImages:
    """The first `n` images of a split, drawn when asked for (an ImageSet)."""

    medium: ClassVar[Medium] = "image"

    def __init__(self, config: ShapesConfig, split: str, n: int) -> None:
        if split not in SPLITS:
            raise ConfigError(f"Shapes has no split {split!r}; use one of {', '.join(SPLITS)}")
        self.config, self.split, self.n = config, split, n

    @property
    def ids(self) -> Sequence[str]:
        """`test-000017` and so on."""
        return _Names(self.split, self.n)

    def __len__(self) -> int:
        return self.n

    def load(self, position: int) -> Image.Image:
        """Draw image `position`."""
        if not 0 <= position < self.n:
            raise IndexError(f"image {position} of {self.n}")
        return render(scene_at(self.config, self.split, position), self.config, self.split, position)

    def digest(self, position: int) -> str:
        """Digest of the settings, split and index, which determine the pixels."""
        return hashlib.sha256(f"{self.config.key}/{self.split}/{position}".encode()).hexdigest()


class _Names(Sequence[str]):
    """Names made when asked for, so that a million cost nothing."""

    def __init__(self, split: str, n: int) -> None:
        self.split, self.n = split, n

    def __len__(self) -> int:
        return self.n

    @overload
    def __getitem__(self, position: int) -> str: ...
    @overload
    def __getitem__(self, position: slice) -> list[str]: ...
    def __getitem__(self, position: int | slice) -> str | list[str]:
        if isinstance(position, slice):
            return [self[i] for i in range(*position.indices(self.n))]
        if not -self.n <= position < self.n:
            raise IndexError(position)
        return f"{self.split}-{position % self.n:06d}"

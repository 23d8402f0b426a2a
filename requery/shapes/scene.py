"""Scenes of the generated world: coloured shapes on a 3 x 3 grid, and the settings of the world."""

from __future__ import annotations

import hashlib
import random
from dataclasses import asdict, dataclass

from requery.errors import ConfigError

SHAPES = ("circle", "square", "triangle", "diamond", "star", "cross", "ring", "heart")
COLOURS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "black")
SIZES = ("small", "large")
GRID = 3
CELLS = GRID * GRID
SPLITS = ("train", "val", "test")
SPLIT_SHARES = (0.6, 0.1, 0.3)
"""Share of all possible scenes whose hash falls into each split."""


@dataclass(frozen=True)
class ShapesConfig:
    """The world's difficulty; the defaults are the benchmark `shapes/…@1`.

    Args:
        seed: the world's seed; another seed is another world of the same difficulty.
        px: side of an image in pixels.
        objects: objects in a base scene; edits add or remove one.
        shapes: how many of the 8 shapes occur.
        colours: how many of the 8 colours occur.
        sizes: how many of the 2 sizes occur.
        variants: images of one family: a base scene and its near misses, one edit away each.
            More variants are more, nearer misses.
        queries: composed queries of one family, each from its base scene to one of its near misses.
        twins: probability that a near miss repeats an earlier one's scene (other background and jitter):
            a false negative for every strategy that only knows the target.
        omission: probability that a text leaves an attribute out (where the truth then widens).
        jitter: standard offset of an object from the middle of its cell, as a share of the image's side.
    """

    seed: int = 0
    px: int = 48
    objects: int = 2
    shapes: int = 8
    colours: int = 8
    sizes: int = 2
    variants: int = 6
    queries: int = 3
    twins: float = 0.15
    omission: float = 0.3
    jitter: float = 0.05

    def __post_init__(self) -> None:
        limits = {
            "px": (16, 1024),
            "objects": (1, CELLS - 1),
            "shapes": (2, len(SHAPES)),
            "colours": (2, len(COLOURS)),
            "sizes": (1, len(SIZES)),
            "variants": (2, 64),
            "queries": (1, self.variants - 1),
            "twins": (0.0, 0.9),
            "omission": (0.0, 1.0),
            "jitter": (0.0, 0.1),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"shapes.{name} is {getattr(self, name)}; it must be in {low}…{high}")

    @property
    def key(self) -> str:
        """Digest of the settings: part of every generated image's content digest."""
        return hashlib.sha256(repr(sorted(asdict(self).items())).encode()).hexdigest()[:16]


@dataclass(frozen=True, order=True)
class Thing:
    """One object: indices into CELLS (row by row), SHAPES, COLOURS and SIZES."""

    cell: int
    shape: int
    colour: int
    size: int

    @property
    def kind(self) -> tuple[int, int]:
        """(shape, colour): what a text names it by; no two objects of a scene share it."""
        return self.shape, self.colour


Scene = tuple[Thing, ...]
"""Objects in order of their cells; equal tuples are equal scenes."""


def scene(things: list[Thing] | tuple[Thing, ...]) -> Scene | None:
    """Order objects into a scene; None where two share a cell or a name."""
    cells = {thing.cell for thing in things}
    kinds = {thing.kind for thing in things}
    return tuple(sorted(things)) if things and len(cells) == len(kinds) == len(things) else None


def stream(*key: int | str) -> random.Random:
    """A random stream that depends on nothing but its key."""
    digest = hashlib.blake2b("/".join(map(str, key)).encode(), digest_size=8).digest()
    return random.Random(int.from_bytes(digest, "big"))


def below(draw: random.Random, n: int) -> int:
    """An integer in [0, n); built on `random()`, whose values Python keeps the same in every version."""
    return int(draw.random() * n)


def split_of(the_scene: Scene) -> str:
    """The one split a scene may occur in, as reference, target or distractor."""
    text = repr([(t.cell, t.shape, t.colour, t.size) for t in the_scene])
    share = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64
    for name, width in zip(SPLITS, SPLIT_SHARES, strict=True):
        if share < width:
            return name
        share -= width
    return SPLITS[-1]


def random_thing(draw: random.Random, config: ShapesConfig) -> Thing:
    """Any object of the world, uniformly."""
    return Thing(
        below(draw, CELLS), below(draw, config.shapes), below(draw, config.colours), below(draw, config.sizes)
    )


def random_scene(draw: random.Random, config: ShapesConfig) -> Scene:
    """A scene of `config.objects` objects, uniform over the scenes allowed."""
    while True:
        found = scene([random_thing(draw, config) for _ in range(config.objects)])
        if found is not None:
            return found

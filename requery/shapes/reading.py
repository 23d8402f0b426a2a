"""Read a caption back: which objects a text of the world names, and how right a generated one is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from requery.shapes.language import COLUMNS, ROWS, SIZE_WORDS, Description, place
from requery.shapes.scene import COLOURS, GRID, SHAPES, Scene, Thing

SIZES = {word: size for size, words in enumerate(SIZE_WORDS) for word in words}
PLACES = {
    place(row, column): row * GRID + column for row in range(len(ROWS)) for column in range(len(COLUMNS))
}
KIND = re.compile(rf"\b({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})\b")
CAPTION_MARKS = ("right", "exact", "named")
"""What a caption is worth: the share of the scene's objects that it describes without an error, whether it
does so of all and tells nothing else, the share whose shape and colour it names."""
OBJECT = re.compile(
    rf"\ba ({'|'.join(SIZES)}) ({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})"
    rf"(?: ({'|'.join(sorted(PLACES, key=len, reverse=True))}))?\b"
)


def read_caption(text: str) -> tuple[Description, ...]:
    """The objects a caption names, in its order; what is not a caption's phrase is passed over.

    Example:
        >>> read_caption("a tiny red ring and a big blue star in the centre")[1].cell
        4
    """
    return tuple(
        Description(SHAPES.index(shape), COLOURS.index(colour), SIZES[size], PLACES.get(where))
        for size, colour, shape, where in OBJECT.findall(text)
    )


@dataclass(frozen=True)
class Rightness:
    """Counts over generated captions.

    Args:
        captions: captions judged.
        true: captions that name exactly the scene's objects, nothing of them wrong.
        objects: objects in the scenes.
        named: objects whose shape and colour are named together.
        right: objects described without an error, size and place (where told) included.
    """

    captions: int
    true: int
    objects: int
    named: int
    right: int


def rightness(texts: list[str], scenes: list[Scene]) -> Rightness:
    """Judge one caption of each scene."""
    true = objects = named = right = 0
    for text, scene in zip(texts, scenes, strict=True):
        found = {(d.shape, d.colour): d for d in read_caption(text)}
        told = [(thing, found[thing.kind]) for thing in scene if thing.kind in found]
        fitting = sum(description.fits(thing) for thing, description in told)
        objects, named, right = objects + len(scene), named + len(told), right + fitting
        true += fitting == len(scene) == len(read_caption(text))
    return Rightness(len(texts), true, objects, named, right)


def caption_marks(text: str, scene: Scene) -> tuple[float, ...]:
    """Mark one caption, in the order of `CAPTION_MARKS`."""
    found = rightness([text], [scene])
    return found.right / found.objects, float(found.true), found.named / found.objects


def names(text: str, thing: Thing) -> bool:
    """Whether a text names a thing by colour and shape, and no other.

    Example:
        >>> names("the blue circle at the top left", Thing(cell=0, shape=0, colour=5, size=1))
        True
    """
    found = {(SHAPES.index(shape), COLOURS.index(colour)) for colour, shape in KIND.findall(text.lower())}
    return found == {thing.kind}

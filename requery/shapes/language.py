"""Texts of the world: captions of scenes and modification texts, from templates with synonyms."""

from __future__ import annotations

import random
from dataclasses import dataclass

from requery.shapes.edits import Edit
from requery.shapes.scene import COLOURS, GRID, SHAPES, Scene, ShapesConfig, Thing, below

SIZE_WORDS = (("small", "little", "tiny"), ("large", "big", "huge"))
ROWS = ("top", "middle", "bottom")
COLUMNS = ("left", "centre", "right")
OPENINGS = ("", "a picture of ", "an image with ", "here you see ")


@dataclass(frozen=True)
class Description:
    """An object as a caption names it; `cell` is None where the caption leaves the place out."""

    shape: int
    colour: int
    size: int
    cell: int | None

    def fits(self, thing: Thing) -> bool:
        """Whether an object is as described."""
        same = (self.shape, self.colour, self.size) == (thing.shape, thing.colour, thing.size)
        return same and self.cell in (None, thing.cell)


@dataclass(frozen=True)
class Caption:
    """A caption's text and what it says: exactly these objects, no others."""

    text: str
    descriptions: tuple[Description, ...]

    def fits(self, scene: Scene) -> bool:
        """Whether a scene is as described; names are distinct, so matching is by (shape, colour)."""
        if len(scene) != len(self.descriptions):
            return False
        by_kind = {thing.kind: thing for thing in scene}
        found = [by_kind.get((d.shape, d.colour)) for d in self.descriptions]
        return all(
            thing is not None and d.fits(thing) for d, thing in zip(self.descriptions, found, strict=True)
        )


def pick(draw: random.Random, options: tuple[str, ...]) -> str:
    """One of the options."""
    return options[below(draw, len(options))]


def place(row: int | None, column: int | None) -> str:
    """Words for a cell, a row or a column."""
    if row is None and column is None:
        return ""
    if row is None:
        return "in the centre column" if column == 1 else f"on the {COLUMNS[column or 0]}"
    if column is None:
        return "in the middle row" if row == 1 else f"at the {ROWS[row]}"
    if (row, column) == (1, 1):
        return "in the centre"
    return f"at the {ROWS[row]} {COLUMNS[column]}"


def caption(draw: random.Random, scene: Scene, config: ShapesConfig) -> Caption:
    """Describe a scene: objects in random order, each place left out with probability `omission`."""
    order = sorted(scene, key=lambda _: draw.random())
    descriptions, phrases = [], []
    for thing in order:
        cell = None if draw.random() < config.omission else thing.cell
        descriptions.append(Description(thing.shape, thing.colour, thing.size, cell))
        words = [
            "a",
            pick(draw, SIZE_WORDS[thing.size]),
            COLOURS[thing.colour],
            SHAPES[thing.shape],
            "" if cell is None else place(*divmod(cell, GRID)),
        ]
        phrases.append(" ".join(word for word in words if word))
    return Caption(pick(draw, OPENINGS) + " and ".join(phrases), tuple(descriptions))


def modification(draw: random.Random, reference: Scene, edit: Edit, config: ShapesConfig) -> str:
    """The text that asks for an edit; it names exactly the attributes in `edit.named`."""
    if edit.kind == "add":
        assert edit.new is not None
        return pick(draw, ("add ", "put ", "also show ")) + _added(draw, edit)
    old = reference[edit.at]
    name = _name(draw, reference, old, config)
    if edit.kind == "remove":
        return pick(draw, ("remove {}", "without {}", "take {} away")).format(name)
    assert edit.new is not None
    if edit.kind == "position":
        row, column = divmod(edit.new.cell, GRID)
        where = place(row if "row" in edit.named else None, column if "column" in edit.named else None)
        return pick(draw, ("move {} so that it is {}", "{} should be {}", "put {} {}")).format(name, where)
    if edit.kind == "size":
        word = pick(draw, SIZE_WORDS[edit.new.size])
        return pick(draw, ("make {} {}", "{} should be {}", "change {} to a {} one")).format(name, word)
    if edit.kind == "colour":
        word = COLOURS[edit.new.colour]
        return pick(draw, ("make {} {}", "{} should be {}", "paint {} {}")).format(name, word)
    word = SHAPES[edit.new.shape]
    return pick(draw, ("replace {} with a {}", "turn {} into a {}", "a {1} instead of {0}")).format(
        name, word
    )


def _added(draw: random.Random, edit: Edit) -> str:
    assert edit.new is not None
    row, column = divmod(edit.new.cell, GRID)
    words = [
        "a",
        pick(draw, SIZE_WORDS[edit.new.size]) if "size" in edit.named else "",
        COLOURS[edit.new.colour],
        SHAPES[edit.new.shape],
        place(row if "row" in edit.named else None, column if "column" in edit.named else None),
    ]
    return " ".join(word for word in words if word)


def _name(draw: random.Random, scene: Scene, thing: Thing, config: ShapesConfig) -> str:
    """Name an object of the reference; the colour may be left out where the shape alone tells it."""
    alone = sum(other.shape == thing.shape for other in scene) == 1
    short = draw.random() < config.omission
    return (
        f"the {SHAPES[thing.shape]}"
        if alone and short
        else f"the {COLOURS[thing.colour]} {SHAPES[thing.shape]}"
    )

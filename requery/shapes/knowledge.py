"""Knowledge about the world's things: questions whose answer stands in a passage, not in the image.

Every (shape, colour) is a thing with made-up facts. A question points at one object of an image by its place
or size without naming it; who answers must see what it is and find the passage about it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from requery.shapes.language import COLUMNS, ROWS, SIZE_WORDS, pick
from requery.shapes.scene import COLOURS, GRID, SHAPES, Scene, ShapesConfig, Thing, below, stream

FACTS = ("town", "maker", "year", "material", "use")
VALUES = {
    "town": ("Lumo", "Ostrel", "Varne", "Kipsa", "Dorrit", "Menfal", "Asqua", "Tulbry", "Hexholm", "Quill"),
    "maker": ("Ada Brann", "Imre Voss", "Lena Quist", "Otto Hale", "Rhea Stone", "Pim Ardal", "Noor Vey"),
    "year": tuple(str(year) for year in range(1801, 1999, 7)),
    "material": ("tin", "slate", "cork", "amber", "felt", "glass", "birch", "clay", "bone"),
    "use": ("a boundary mark", "a lucky charm", "a market sign", "a toy", "a weight", "a door plate"),
}
STATEMENTS = {
    "town": (
        "The {thing} comes from the town of {value}.",
        "It was in {value} that the {thing} was first seen.",
    ),
    "maker": ("The {thing} was invented by {value}.", "{value} made the first {thing}."),
    "year": ("The first {thing} was shown in {value}.", "Since {value} the {thing} has been known."),
    "material": ("A true {thing} is made of {value}.", "Craftsmen cut the {thing} from {value}."),
    "use": ("The {thing} serves as {value}.", "People use the {thing} as {value}."),
}
QUESTIONS = {
    "town": ("which town is {it} from?", "where was {it} first seen?", "what is the home town of {it}?"),
    "maker": ("who invented {it}?", "who made the first one of {it}?", "whose invention is {it}?"),
    "year": ("when was {it} first shown?", "since when is {it} known?", "in which year did {it} appear?"),
    "material": ("what is {it} made of?", "from what is {it} cut?", "which material is {it}?"),
    "use": ("what is {it} used for?", "what does {it} serve as?", "as what do people use {it}?"),
}
SPLIT_TEMPLATES = {"train": 0, "val": 1, "test": 2}
"""Which wording of a question each split uses: no test question has a template seen in training."""


@dataclass(frozen=True)
class Passage:
    """One passage of the corpus: which thing and fact it is about, and its text."""

    shape: int
    colour: int
    fact: str
    text: str


@dataclass(frozen=True)
class Question:
    """A question about an image: the object meant, the fact asked for, the answer."""

    text: str
    thing: Thing
    fact: str
    answer: str


def value_of(config: ShapesConfig, shape: int, colour: int, fact: str) -> str:
    """The fact's value; things share values, so a passage with the right words may be about another thing."""
    return pick(stream("fact", config.seed, shape, colour, fact), VALUES[fact])


def passages(config: ShapesConfig) -> list[Passage]:
    """The corpus: every fact of every thing once, a third of them a second time in other words."""
    found = []
    for shape in range(config.shapes):
        for colour in range(config.colours):
            for fact in FACTS:
                draw = stream("passage", config.seed, shape, colour, fact)
                first = below(draw, 2)
                wordings = (first, 1 - first) if draw.random() < 1 / 3 else (first,)
                name = f"{COLOURS[colour]} {SHAPES[shape]}"
                value = value_of(config, shape, colour, fact)
                for wording in wordings:
                    text = STATEMENTS[fact][wording].format(thing=name, value=value)
                    found.append(Passage(shape, colour, fact, f"{name.capitalize()}. {text}"))
    return found


def question(config: ShapesConfig, split: str, image: int, scene: Scene) -> Question:
    """The question about image `image` of a split."""
    draw = stream("question", config.seed, split, image)
    thing = scene[below(draw, len(scene))]
    fact = FACTS[below(draw, len(FACTS))]
    text = QUESTIONS[fact][SPLIT_TEMPLATES[split]].format(it=_pointing(draw, scene, thing))
    return Question(text, thing, fact, value_of(config, *thing.kind, fact))


def _pointing(draw: random.Random, scene: Scene, thing: Thing) -> str:
    """Point at an object by its size where that tells it, else by its place; never by shape or colour."""
    if len(scene) == 1:
        return "the thing in the picture"
    if sum(other.size == thing.size for other in scene) == 1 and draw.random() < 0.5:
        return f"the {pick(draw, SIZE_WORDS[thing.size])} thing"
    row, column = divmod(thing.cell, GRID)
    return f"the thing in the {ROWS[row]} row and the {COLUMNS[column]} column"

"""Edits of a scene: what a modification text asks for, and every scene that satisfies it."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from requery.shapes.scene import CELLS, GRID, Scene, ShapesConfig, Thing, below, random_thing, scene

KINDS = ("colour", "shape", "size", "position", "add", "remove")


@dataclass(frozen=True)
class Edit:
    """One change of a reference scene.

    Args:
        kind: one of KINDS.
        at: position of the changed object in the reference scene; -1 for `add`.
        new: the object after the change; None for `remove`.
        named: attributes of `new` the text gives. Of a cell it may give the row, the column or both;
            what it leaves out is free, so more scenes satisfy it.
    """

    kind: str
    at: int
    new: Thing | None
    named: frozenset[str]


def draw_edit(draw: random.Random, reference: Scene, config: ShapesConfig) -> Edit:
    """Draw an edit that changes the scene and leaves at least one object."""
    while True:
        kind = KINDS[below(draw, len(KINDS))]
        at = -1 if kind == "add" else below(draw, len(reference))
        other = random_thing(draw, config)
        old = reference[at]
        if kind == "add":
            new, named = (
                other,
                frozenset({"shape", "colour"} | _drawn(draw, config, ("size", "row", "column"))),
            )
        elif kind == "remove":
            new, named = None, frozenset[str]()
        elif kind == "position":
            new, named = replace(old, cell=other.cell), _moved(draw, config, old.cell, other.cell)
        else:
            new, named = replace(old, **{kind: getattr(other, kind)}), frozenset({kind})
        edit = Edit(kind, at, new, named)
        if apply(reference, edit, new) not in (None, reference):
            return edit


def apply(reference: Scene, edit: Edit, new: Thing | None) -> Scene | None:
    """The scene with the edited object replaced by `new`; None where that is no scene."""
    kept = [thing for i, thing in enumerate(reference) if i != edit.at]
    return scene(kept if new is None else [*kept, new])


def satisfying(reference: Scene, edit: Edit, config: ShapesConfig) -> list[Scene]:
    """Every scene that satisfies the edit of the reference, in canonical order, without repeats."""
    if edit.new is None:
        found = {apply(reference, edit, None)}
    else:
        sizes = [edit.new.size] if edit.kind != "add" or "size" in edit.named else range(config.sizes)
        cells = _cells(edit, reference)
        found = {apply(reference, edit, replace(edit.new, cell=c, size=s)) for c in cells for s in sizes}
    return sorted(the_scene for the_scene in found if the_scene is not None and the_scene != reference)


def _cells(edit: Edit, reference: Scene) -> list[int]:
    """The cells the text allows for the edited object."""
    assert edit.new is not None
    if edit.kind not in ("add", "position"):
        return [edit.new.cell]
    row, column = divmod(edit.new.cell, GRID)
    return [
        cell
        for cell in range(CELLS)
        if ("row" not in edit.named or cell // GRID == row)
        and ("column" not in edit.named or cell % GRID == column)
        and not (edit.kind == "position" and cell == reference[edit.at].cell)
    ]


def _drawn(draw: random.Random, config: ShapesConfig, names: tuple[str, ...]) -> set[str]:
    return {name for name in names if draw.random() >= config.omission}


def _moved(draw: random.Random, config: ShapesConfig, old: int, new: int) -> frozenset[str]:
    """Name the row and the column of a move; what may be left out must not be the whole change."""
    changed = [
        name
        for name, a, b in (("row", old // GRID, new // GRID), ("column", old % GRID, new % GRID))
        if a != b
    ]
    named = _drawn(draw, config, ("row", "column"))
    return frozenset(named if named & set(changed) else {"row", "column"})

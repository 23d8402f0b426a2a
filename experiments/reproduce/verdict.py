"""What became of a cell: reproduced, off, or why it was not run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from experiments.reproduce.cells import Cell
from experiments.reproduce.needs import Missing
from experiments.reproduce.reading import SERVER, Estimate, estimate, unlike
from experiments.reproduce.table import Published
from requery.errors import RunError

State = Literal["done", "missing", "failed"]
Word = Literal[
    "reproduced",
    "off",
    "not comparable",
    "no published number",
    "not run",
    "failed",
    "waits for the server",
    "published only",
]
WORDS: dict[State, Word] = {"failed": "failed", "missing": "not run"}


@dataclass(frozen=True)
class Outcome:
    """What became of an experiment.

    Args:
        folder: of its run.
        state: `done`, `missing` (not started) or `failed`.
        missing: what keeps it from being started.
        message: of a failure.
        commands: what was or would be run.
    """

    folder: Path
    state: State
    missing: Sequence[Missing] = ()
    message: str = ""
    commands: Sequence[str] = ()


@dataclass(frozen=True)
class Judged:
    """A cell with its verdict.

    Args:
        cell: what was published.
        word: the verdict.
        reason: of a verdict that is not about a number.
        run: the number that came out here.
        difference: run minus paper; to the nearer end of a range, 0 within it.
    """

    cell: Cell
    word: Word
    reason: str = ""
    run: Estimate | None = None
    difference: float | None = None


def judge(cell: Cell, outcomes: Mapping[str, Outcome]) -> Judged:
    """Compare a cell with what was run.

    Args:
        cell: the cell.
        outcomes: of the experiments, by name.
    """
    if cell.only_published:
        return Judged(cell, "published only", cell.only_published)
    made = [outcomes[part.experiment] for part in cell.parts]
    for state, word in WORDS.items():
        stuck = {p.experiment: _lacks(o) for p, o in zip(cell.parts, made, strict=True) if o.state == state}
        if stuck:
            return Judged(cell, word, _together(stuck))
    folders = [outcome.folder for outcome in made]
    try:
        differing = [unlike(folder, part) for folder, part in zip(folders, cell.parts, strict=True)]
        found = estimate([(f, part.reading) for f, part in zip(folders, cell.parts, strict=True)])
    except RunError as error:
        return Judged(cell, "failed", str(error))
    if found is None:
        return Judged(cell, "waits for the server", f"no {SERVER} in {folders[0]}")
    if any(differing):
        return Judged(cell, "not comparable", next(filter(None, differing)), found)
    if cell.published is None:
        return Judged(cell, "no published number", run=found)
    off = difference(found.value, cell.published)
    # Printed numbers are rounded, and so is what is compared with them.
    within = round(abs(off), 2) <= cell.tolerance.points
    return Judged(cell, "reproduced" if within else "off", "", found, off)


def difference(value: float, published: Published) -> float:
    """Run minus paper; outside a range, the distance to its nearer end, and 0 within it."""
    if not isinstance(published, tuple):
        assert published is not None
        return value - published
    low, high = published
    if low is not None and value < low:
        return value - low
    return value - high if high is not None and value > high else 0.0


def _together(stuck: Mapping[str, str]) -> str:
    """Experiments and what each lacks; those that lack the same share it."""
    alike = {lacks: [name for name, other in stuck.items() if other == lacks] for lacks in stuck.values()}
    return "; ".join(f"{', '.join(names)}{lacks}" for lacks, names in alike.items())


def _lacks(outcome: Outcome) -> str:
    kinds = dict.fromkeys(missing.kind for missing in outcome.missing)
    return f" (no {', no '.join(kinds)})" if kinds else ""

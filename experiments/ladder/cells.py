"""The cells of a ladder, in the order in which they are worth running."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from experiments.ladder.settings import METHODS, Ladder, LadderTask
from requery.episodes import CLEAN, Segment
from requery.ranking.contributions import subsets

NONE = "none"


@dataclass(frozen=True)
class Cell:
    """Some methods on one task under one shift.

    Args:
        task: its name.
        methods: none or more of the task's.
        segment: the shift.
    """

    task: str
    methods: frozenset[str]
    segment: Segment

    @property
    def method(self) -> str:
        """The methods' names in one word, such as `expansion+feedback`."""
        return "+".join(name for name in METHODS if name in self.methods) or NONE

    @property
    def where(self) -> str:
        """Task and shift in words."""
        return f"{self.task}, {named(self.segment)}"

    @property
    def file(self) -> Path:
        """Where its values are, below the ladder's folder."""
        return Path(
            "cells", self.task, f"{self.segment.kind}-{self.segment.severity}", f"{self.method}.parquet"
        )


def named(segment: Segment) -> str:
    """A shift in words."""
    return f"{segment.kind} {segment.severity}" if segment.severity else segment.kind


def segments(settings: LadderTask) -> list[Segment]:
    """The clean queries, then each shift."""
    shifted = [Segment(kind, severity) for kind, of in settings.shifts.items() for severity in of]
    return [Segment(CLEAN, 0), *shifted]


def cells(ladder: Ladder) -> list[Cell]:
    """All cells: first what tells most.

    No method, then each alone and all together, come before pairs and triples; the clean queries and every
    kind's highest severity before the others.
    """
    found = [
        Cell(name, methods, segment)
        for name, task in ladder.tasks.items()
        for methods in subsets(task.methods)
        for segment in segments(task)
    ]

    def late(cell: Cell) -> tuple[bool, bool, bool]:
        task, segment = ladder.tasks[cell.task], cell.segment
        partial = 1 < len(cell.methods) < len(task.methods)
        milder = segment.severity < max(task.shifts.get(segment.kind, [0]))
        return milder, partial, bool(cell.methods)

    return sorted(found, key=late)  # stable: else as they stand in the file

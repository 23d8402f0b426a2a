"""`ladder.html`: the tables and figures of a ladder as one page, in the style of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from experiments.ladder.cells import Cell, named, segments
from experiments.ladder.outcome import Outcome
from experiments.ladder.pictures import contribution_figure, front_figure
from experiments.ladder.results import Columns, contributions, front
from experiments.ladder.runner import Done
from experiments.ladder.settings import Ladder, LadderTask
from experiments.report.shifts import ShiftCell, ShiftTable
from experiments.report.standalone import Figure
from experiments.report.table import percent
from experiments.report.templates import templates
from requery.files import atomic_bytes
from requery.ranking.compared import Compared
from requery.ranking.contributions import subsets

LEVEL = 0.05
"""Of the corrected tests."""
FULL = 0.2
"""Gain at which a cell has its full tint."""


@dataclass(frozen=True)
class TaskView:
    """One task on the page.

    Args:
        name: of the task.
        protocol: its protocol's key.
        facts: about it.
        table: combinations by shifts.
        costs: combination -> milliseconds a query by stage, and together.
        stages: names of the stages that any has.
        pictures: figures.
    """

    name: str
    protocol: str
    facts: Sequence[tuple[str, str]]
    table: ShiftTable
    costs: Mapping[str, Mapping[str, float]]
    stages: Sequence[str]
    pictures: Sequence[Figure]


def write_page(path: Path, ladder: Ladder, done: Done, compared: Mapping[str, Columns]) -> None:
    """Write the page.

    Args:
        path: of the file.
        ladder: the settings.
        done: cells that are done, and those left out.
        compared: `columns` of each task.

    Raises:
        RunError: the file cannot be written.
    """
    environment = templates(Path(__file__).parent)
    environment.filters.update(percent=percent)
    text = environment.get_template("ladder.html").render(
        name=ladder.name,
        tasks=[_view(ladder, done.outcomes, name, compared[name]) for name in _present(ladder, done)],
        left_out=[f"{cell.where}: {cell.method}" for cell in done.left_out],
        cells=len(done.outcomes),
    )
    atomic_bytes(path, text.encode())


def _present(ladder: Ladder, done: Done) -> list[str]:
    return [name for name in ladder.tasks if any(cell.task == name for cell in done.outcomes)]


def _view(ladder: Ladder, outcomes: Mapping[Cell, Outcome], name: str, compared: Columns) -> TaskView:
    settings = ladder.tasks[name]
    task = settings.data.task("test")
    adds = [one for one in contributions(ladder, outcomes) if one.task == name]
    points = front(ladder, outcomes, name)
    pictures = [contribution_figure(name, settings.metric, adds)] if adds else []
    pictures += [front_figure(name, settings.metric, points)] if len(points) > 1 else []
    costs = _costs(outcomes, name)
    return TaskView(
        name=name,
        protocol=task.protocol.key,
        facts=[
            ("split", task.split),
            ("queries", f"{task.n_queries:,}"),
            ("gallery", f"{task.n_gallery:,}"),
            ("encoder", settings.backbone),
            *([("trained encoder", settings.trained)] if settings.trained else []),
        ],
        table=_table(settings, name, compared[settings.metric]),
        costs=costs,
        stages=list(dict.fromkeys(stage for of in costs.values() for stage in of)),
        pictures=pictures,
    )


def _table(settings: LadderTask, name: str, found: Mapping[Cell, Compared]) -> ShiftTable:
    """Combinations by shifts; a cell that is not done is left empty."""
    rows = []
    for methods in subsets(settings.methods):
        cells = [Cell(name, methods, segment) for segment in segments(settings)]
        shown = [_cell(found[cell]) if cell in found else None for cell in cells]
        rows.append((cells[0].method, False, shown))
    title = f"{settings.metric}, %: mean over queries, gain over no method, 95 % interval"
    return ShiftTable(title, [named(segment) for segment in segments(settings)], rows)


def _cell(one: Compared) -> ShiftCell:
    sure = one.p_holm is not None and one.p_holm < LEVEL
    gain = None if one.gain is None else one.gain.value
    return ShiftCell(one.value, one.low, one.high, gain, sure, FULL)


def _costs(outcomes: Mapping[Cell, Outcome], name: str) -> dict[str, dict[str, float]]:
    """Combination -> mean milliseconds a query over its shifts, by stage."""
    by_method: dict[str, list[dict[str, float]]] = {}
    own = sorted((cell for cell in outcomes if cell.task == name), key=lambda cell: len(cell.methods))
    for cell in own:
        by_method.setdefault(cell.method, []).append(outcomes[cell].ms)
    return {
        method: {stage: fmean(ms[stage] for ms in of) for stage in of[0]} for method, of in by_method.items()
    }

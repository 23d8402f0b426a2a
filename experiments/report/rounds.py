"""Tests of feedback as the report shows them: rows by rounds, beyond their controls, and as lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.config_file import did_you_mean
from experiments.report.scale import Axis
from experiments.report.shifts import ShiftCell, ShiftTable
from experiments.report.standalone import Figure
from experiments.report.streams import whole
from experiments.report.svg import HEIGHT, WIDTH, Series, key, plot
from requery.errors import ConfigError
from requery.formats import read_mapping
from requery.record import RunRecord

FILE = "rounds.json"
DRIFT = "drift"
TABLES = ("mrr@5", "recall@1")
LEVEL = 0.05
"""Of the corrected tests."""
FULL = 0.3
"""Gain at which a cell has its full tint: feedback moves more than adaptation does."""


@dataclass(frozen=True)
class RoundsView:
    """One run."""

    name: str
    protocol: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[ShiftTable]
    pictures: Sequence[Figure]


def is_feedback_run(path: Path) -> bool:
    """Whether a run folder holds a test of feedback."""
    return (path / FILE).is_file()


def rounds_view(run: RunRecord) -> RoundsView:
    """Read a run.

    Raises:
        RunError: its file is damaged; names it.
    """
    content = read_mapping(run.path / FILE)
    with whole(run.path / FILE):
        tables = {table["metric"]: table for table in content["tables"]}
        excluding = any(row["settings"]["exclude_seen"] for row in content["rows"].values())
        shown = [*TABLES, *(["shown"] if excluding else [])]
        grids = [_grid(f"{metric} of each row by rounds", tables[metric]["rows"]) for metric in shown]
        if tables[TABLES[0]]["contrasts"]:
            grids.append(_contrasts(f"{TABLES[0]} beyond the controls", tables[TABLES[0]]["contrasts"]))
        facts = [("split", content["split"]), ("queries", f"{content['queries']:,}")]
        facts += [("images a round", str(content["k"]))]
        facts += [("shift", content["shift"])] if content.get("shift") else []
        name = f"{run.experiment}/{run.name}"
        pictures = [_course(content, what, name) for what in (TABLES[0], DRIFT)]
        return RoundsView(name, content["protocol"], facts, grids, pictures)


def rounds_figure(path: Path, metric: str | None = None) -> Figure:
    """Draw a run's rows over its rounds.

    Args:
        path: the run's folder.
        metric: one of its tables', or `drift`; None for mrr@5.

    Raises:
        ConfigError: there is no such table.
        RunError: the file is damaged; names it.
    """
    content = read_mapping(path / FILE)
    with whole(path / FILE):
        known = [*(table["metric"] for table in content["tables"]), DRIFT]
        wanted = metric or TABLES[0]
        if wanted not in known:
            raise ConfigError(f"no metric {wanted!r}: {did_you_mean(wanted, known)}")
        return _course(content, wanted, f"{path.parent.name}/{path.name}")


def _grid(title: str, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> ShiftTable:
    rounds = [f"round {number}" for number in range(1, 1 + len(next(iter(rows.values()))))]
    return ShiftTable(title, rounds, [(name, False, list(map(_cell, cells))) for name, cells in rows.items()])


def _cell(cell: Mapping[str, Any]) -> ShiftCell:
    gain = cell["gain"]
    sure = gain is not None and cell["p_holm"] < LEVEL
    value = None if gain is None else gain["value"]
    return ShiftCell(cell["value"], cell["low"], cell["high"], value, sure, FULL)


def _contrasts(title: str, contrasts: Sequence[Mapping[str, Any]]) -> ShiftTable:
    rows = []
    for pair in contrasts:
        cells = [
            ShiftCell(d["value"], d["low"], d["high"], d["value"], d["low"] > 0 or d["high"] < 0)
            for d in pair["rounds"][1:]
        ]
        rows.append((f"{pair['row']} − {pair['control']}", False, cells))
    return ShiftTable(
        title, [f"round {number}" for number in range(2, 1 + len(contrasts[0]["rounds"]))], rows
    )


def _course(content: Mapping[str, Any], what: str, name: str) -> Figure:
    if what == DRIFT:
        points = {row: [{"value": v} for v in of["drift"]] for row, of in content["changes"].items()}
    else:
        points = next(table["rows"] for table in content["tables"] if table["metric"] == what)
    controls = {pair["control"] for pair in content["tables"][0]["contrasts"]}
    colours = iter([shape * 8 + colour for shape in range(9) for colour in (4, 1, 2, 3, 5, 6)])
    series = []
    for number, (row, cells) in enumerate(points.items()):
        aside = 0.02 * (number - len(points) / 2)  # whiskers stand side by side
        low, high = ([cell.get(end) for cell in cells] for end in ("low", "high"))
        x, y = [1 + i + aside for i in range(len(cells))], [cell["value"] for cell in cells]
        colour = 0 if number == 0 else next(colours)
        series.append(Series(row, colour, x, y, low, high, dashed=row in controls, whiskers=True))
    is_drift = what == DRIFT
    intervals = "" if is_drift else "; whiskers: 95 % intervals over queries"
    return Figure(
        title="Cosine to the first query" if is_drift else f"{what} by round, %",
        subtitle=f"{content['protocol']}, {content['split']}: {content['queries']:,} queries",
        legend=[(key(one.colour, one.dashed), one.label) for one in series],
        body=plot(series, Axis("round"), Axis(percent=not is_drift)),
        width=WIDTH,
        height=HEIGHT,
        caption=f"Mean over queries{intervals}; dashed: controls; run {name}.",
    )

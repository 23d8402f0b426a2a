"""A sweep as the page shows it: facts, parallel coordinates, importances, the table of its trials."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.report.coordinates import coordinates
from experiments.report.importance_bars import importance_bars
from experiments.report.standalone import Figure
from experiments.report.trials import Trials, read_trials, short_names, shown

LISTED = 30
"""Trials of the table."""


@dataclass(frozen=True)
class SweepView:
    """One sweep.

    Args:
        name: its own.
        facts: names and values.
        pictures: parallel coordinates and, where known, importances.
        headings: of the table.
        rows: of the table: trial, state, value, epochs, settings; then why it failed.
        left_out: trials beyond the table's.
    """

    name: str
    facts: Sequence[tuple[str, str]]
    pictures: Sequence[Figure]
    headings: Sequence[str]
    rows: Sequence[tuple[Sequence[str], str | None]]
    left_out: int


def sweep_view(folder: Path) -> SweepView:
    """Read a sweep's folder.

    Raises:
        RunError: its file is damaged; names it.
    """
    found = read_trials(folder)
    pictures = [coordinates(found)] if any(trial.value is not None for trial in found.trials) else []
    if found.importances:
        pictures.append(importance_bars(found))
    rows = [
        (
            [
                *(trial.name, trial.state, found.measured(trial.value), shown(trial.epochs)),
                *(shown(trial.settings.get(key)) for key in found.varied),
            ],
            trial.reason,
        )
        for trial in found.ranked
    ]
    headings = ["trial", "state", found.heading, "epochs", *short_names(found.varied)]
    left_out = max(0, len(rows) - LISTED)
    return SweepView(found.name, _facts(found), pictures, headings, rows[:LISTED], left_out)


def _facts(found: Trials) -> list[tuple[str, str]]:
    states = [trial.state for trial in found.trials]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)) or "none"
    best = "none yet" if found.best is None else f"{found.best.name}, {found.measured(found.best.value)}"
    return [
        ("metric", f"{found.metric}, {found.goal}"),
        ("search", found.method),
        ("trials", counts),
        ("best", best),
        ("command", shlex.join([found.command, *found.fixed])),
    ]

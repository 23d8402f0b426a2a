"""Tests of streams as the report shows them: methods by shifts, tinted by what was gained or lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from requery.errors import RunError
from requery.formats import read_mapping
from requery.record import RunRecord

FILE = "shifts.json"
FULL = 0.05
"""Gain at which a cell has its full tint."""


@dataclass(frozen=True)
class ShiftCell:
    """A method under a shift, as text, with its paired gain over the source model."""

    value: float
    low: float
    high: float
    gain: float | None
    sure: bool

    @property
    def tint(self) -> float:
        """Share of the full tint, -1 to 1; 0 where the interval of the gain includes 0."""
        return 0.0 if self.gain is None or not self.sure else max(-1.0, min(1.0, self.gain / FULL))


@dataclass(frozen=True)
class ShiftTable:
    """One table: rows of (shift, set apart, cells by method)."""

    title: str
    methods: Sequence[str]
    rows: Sequence[tuple[str, bool, Sequence[ShiftCell]]]


@dataclass(frozen=True)
class ShiftView:
    """One run."""

    name: str
    protocol: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[ShiftTable]


def shift_view(run: RunRecord) -> ShiftView:
    """Read a run's tables: of the protocol's first metric, and of clean queries where they were probed.

    Raises:
        RunError: the file is damaged; names it.
    """
    path = run.path / FILE
    try:
        record = read_mapping(path)["tables"][0]
        metric, methods = record["metric"], record["methods"]
        tables = [ShiftTable(f"{metric} under each shift", methods, _rows(record["rows"], methods))]
        if record["clean_after"]:
            clean = f"{metric} of clean queries after each shift"
            tables.append(ShiftTable(clean, methods, _rows(record["clean_after"], methods)))
        facts = [
            ("split", record["split"]),
            ("queries", f"{record['queries']:,}"),
            ("orders", record["orders"]),
        ]
        return ShiftView(f"{run.experiment}/{run.name}", record["protocol"], facts, tables)
    except (KeyError, IndexError, TypeError) as error:
        raise RunError(f"{path} is damaged ({error!r}); test the run again") from error


def is_shift_run(path: Path) -> bool:
    """Whether a run folder holds a test of streams."""
    return (path / FILE).is_file()


def _rows(
    rows: Sequence[Mapping[str, Any]], methods: Sequence[str]
) -> list[tuple[str, bool, Sequence[ShiftCell]]]:
    kept = sorted(rows, key=lambda row: row["apart"])  # stable: rows set apart come last
    return [(row["shift"], row["apart"], [_cell(row["cells"][m]) for m in methods]) for row in kept]


def _cell(cell: Mapping[str, Any]) -> ShiftCell:
    gain = cell["gain"]
    sure = gain is not None and (gain["low"] > 0 or gain["high"] < 0)
    return ShiftCell(cell["value"], cell["low"], cell["high"], None if gain is None else gain["value"], sure)

"""Tests of streams as the report shows them: methods by shifts, tinted by what was gained or lost; facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.report.plane import feature_plane, has_features
from experiments.report.standalone import Figure
from experiments.report.streams import Streams, read_streams, whole
from requery.record import RunRecord

PICTURED = 3
"""Shifts whose embeddings are shown."""
FULL = 0.05
"""Gain at which a cell has its full tint."""


@dataclass(frozen=True)
class ShiftCell:
    """A method under a shift, with its paired gain over the source model; `full` gains have the full tint."""

    value: float
    low: float
    high: float
    gain: float | None
    sure: bool
    full: float = FULL

    @property
    def tint(self) -> float:
        """Share of the full tint, -1 to 1; 0 where the interval of the gain includes 0."""
        return 0.0 if self.gain is None or not self.sure else max(-1.0, min(1.0, self.gain / self.full))


@dataclass(frozen=True)
class ShiftTable:
    """One table: rows of (shift, set apart, cells by method); a cell that was not run is None.

    Rows that a paper printed are (name, source, values).
    """

    title: str
    methods: Sequence[str]
    rows: Sequence[tuple[str, bool, Sequence[ShiftCell | None]]]
    published: Sequence[tuple[str, str, Sequence[float | None]]] = ()


@dataclass(frozen=True)
class FactRow:
    """Means over orders of what is known of a method's streams; None where it has no such thing."""

    shift: str
    method: str
    uniformity: float | None
    gap: float | None
    source_gap: float | None
    updates: float | None


@dataclass(frozen=True)
class ShiftView:
    """One run; the picture is None where it kept no embeddings."""

    name: str
    protocol: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[ShiftTable]
    streams: Sequence[FactRow]
    picture: Figure | None


def shift_view(run: RunRecord) -> ShiftView:
    """Read a run: tables of the protocol's first metric, and of clean queries where they were probed; facts.

    Raises:
        RunError: a file is damaged; names it.
    """
    found = read_streams(run.path)
    with whole(found.file):
        record = found.first
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
        picture = feature_plane(found, limit=PICTURED) if has_features(found) else None
        return ShiftView(found.name, record["protocol"], facts, tables, _fact_rows(found), picture)


def _fact_rows(run: Streams) -> list[FactRow]:
    orders: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for fact in run.facts:
        orders.setdefault((fact["shift"], fact["method"]), []).append(fact)
    names = ("uniformity", "gap", "source_gap", "updates")
    return [
        FactRow(*key, *(_mean([fact[name] for fact in found]) for name in names))
        for key, found in orders.items()
    ]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _rows(
    rows: Sequence[Mapping[str, Any]], methods: Sequence[str]
) -> list[tuple[str, bool, Sequence[ShiftCell]]]:
    kept = sorted(rows, key=lambda row: row["apart"])  # stable: rows set apart come last
    return [(row["shift"], row["apart"], [_cell(row["cells"][m]) for m in methods]) for row in kept]


def _cell(cell: Mapping[str, Any]) -> ShiftCell:
    gain = cell["gain"]
    sure = gain is not None and (gain["low"] > 0 or gain["high"] < 0)
    return ShiftCell(cell["value"], cell["low"], cell["high"], None if gain is None else gain["value"], sure)

"""What `reproduce` found: verdicts, what is missing, and how to get going; as records and as files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments.reproduce.needs import Missing
from experiments.reproduce.table import Source, Table
from experiments.reproduce.verdict import Judged, Outcome
from requery.files import atomic_bytes
from requery.formats import json_text

BAD = ("off", "not comparable", "failed")


@dataclass(frozen=True)
class Result:
    """A table with what became of it.

    Args:
        table: the table.
        cells: its cells, judged.
        outcomes: of the experiments that were wanted, by name.
    """

    table: Table
    cells: Sequence[Judged]
    outcomes: Mapping[str, Outcome]

    @property
    def counts(self) -> dict[str, int]:
        """How many cells have each verdict."""
        return dict(Counter(judged.word for judged in self.cells))

    @property
    def status(self) -> int:
        """1 where something is off, not comparable or failed, else 0."""
        bad = any(judged.word in BAD for judged in self.cells)
        return int(bad or any(outcome.state == "failed" for outcome in self.outcomes.values()))

    @property
    def summary(self) -> str:
        """One line: how many cells came to what."""
        counts = ", ".join(f"{n} {word}" for word, n in self.counts.items())
        if not any(judged.run for judged in self.cells):
            done = any(outcome.state == "done" for outcome in self.outcomes.values())
            word = "No number has come of it yet" if done else "Nothing was run"
            return f"{len(self.cells)} cells: {counts}. {word}, so nothing is confirmed or refuted."
        verdict = "not all of it is within tolerance" if self.status else "all that ran is within tolerance"
        return f"{len(self.cells)} cells: {counts}; {verdict}."

    @property
    def missing(self) -> dict[Missing, list[str]]:
        """Each thing that is missing, and the experiments that lack it."""
        found: dict[Missing, list[str]] = {}
        for name, outcome in self.outcomes.items():
            for missing in outcome.missing if outcome.state == "missing" else ():
                found.setdefault(missing, []).append(name)
        return found

    @property
    def origins(self) -> list[Source]:
        """Where what is missing comes from, each once."""
        return list(dict.fromkeys(source for missing in self.missing for source in missing.sources))

    def record(self) -> dict[str, Any]:
        """All of it, fit for JSON."""
        table = self.table
        return {
            "table": table.name,
            **{key: getattr(table, key) for key in ("title", "source", "made_by", "notes")},
            "summary": self.summary,
            "counts": self.counts,
            "cells": [_cell(judged) for judged in self.cells],
            "experiments": {
                name: {**asdict(outcome), "folder": str(outcome.folder)}
                for name, outcome in self.outcomes.items()
            },
            "missing": [
                {
                    "kind": m.kind,
                    "what": m.what,
                    "sources": [asdict(s) for s in m.sources],
                    "experiments": names,
                }
                for m, names in self.missing.items()
            ],
        }

    def write(self, folder: Path) -> list[Path]:
        """Write `reproduce.json` and `reproduce.html`.

        Args:
            folder: of the table's runs.

        Returns:
            Both files.
        """
        from experiments.reproduce.page import render

        files = [folder / "reproduce.json", folder / "reproduce.html"]
        for path, text in zip(files, (json_text(self.record(), indent=1) + "\n", render(self)), strict=True):
            atomic_bytes(path, text.encode())
        return files


def _cell(judged: Judged) -> dict[str, Any]:
    cell = judged.cell
    return {
        "row": cell.row,
        "metric": cell.column,
        "paper": cell.published,
        "run": None if judged.run is None else asdict(judged.run),
        "difference": judged.difference,
        "tolerance": asdict(cell.tolerance),
        "verdict": judged.word,
        "reason": judged.reason,
        "protocol": cell.protocol,
        "note": cell.note,
        "experiments": list(dict.fromkeys(part.experiment for part in cell.parts)),
    }

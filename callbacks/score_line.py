"""Say in one line what was measured, under which protocol and on how much."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

FILES = {"test": "metrics.json", "validate": "validation.json"}


class ScoreLine(Callback):
    """Print the score line of a test or validation at its very end, below progress bars and tables.

    A prediction has no score; what was left out of it is printed.

    Args:
        folder: the run's folder, whose record says what was measured.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Print the line; Lightning comes here only when nothing failed."""
        tested = getattr(pl_module, "tested", None)
        if not trainer.is_global_zero or tested is None:
            return
        if trainer.state.fn in FILES:
            print(score_line(json.loads((self.folder / FILES[trainer.state.fn]).read_text())), flush=True)
        elif trainer.state.fn == "predict" and tested.task.notes:
            task = tested.task
            record = {"protocol": task.protocol.key, "split": task.split, "shift": task.shift}
            record |= {"metrics": {}, "notes": task.notes}
            print(score_line(record), flush=True)


def score_line(record: Mapping[str, Any]) -> str:
    """Protocol, split, metrics in percent with 95 % intervals, and what the score leaves out.

    Args:
        record: what `metrics.json` holds.

    Example:
        >>> score_line({"protocol": "cirr/val@1", "split": "val", "n_gallery": 50,
        ...             "metrics": {"recall@1": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 90}},
        ...             "notes": {"images_skipped": 12}})
        'cirr/val@1 (val, 90 queries, gallery of 50): recall@1 50.0 [40.0, 60.0] · 12 images skipped'
    """
    scores = [
        f"{name} {_percent(found['value'])} [{_percent(found['low'])}, {_percent(found['high'])}]"
        for name, found in record["metrics"].items()
    ]
    notes = [f"{count:,} {note.replace('_', ' ')}" for note, count in record["notes"].items()]
    said = " · ".join([*scores, ", ".join(notes)] if notes else scores)
    counts = [found["n"] for found in record["metrics"].values()][:1]
    size = "".join(f", {n:,} queries, gallery of {record['n_gallery']:,}" for n in counts)
    shift = f", {record['shift']}" if record.get("shift") else ""
    return f"{record['protocol']} ({record['split']}{shift}{size}): {said}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"

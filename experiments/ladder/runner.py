"""Run what is left of a ladder: every cell is kept as soon as it is done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datamodules.base import RetrievalDataModule
from experiments.ladder.bench import Bench, shifted
from experiments.ladder.cells import Cell
from experiments.ladder.outcome import Outcome, read_outcome, write_outcome
from experiments.ladder.settings import TRAINED, Ladder
from requery.episodes import Segment
from requery.record import RunFolder


@dataclass(frozen=True)
class Done:
    """What there is and what was left out.

    Args:
        outcomes: of the cells that are done.
        left_out: cells for which there was no time.
    """

    outcomes: dict[Cell, Outcome]
    left_out: list[Cell]


def run_cells(ladder: Ladder, folder: RunFolder, wanted: Sequence[Cell], budget: float | None = None) -> Done:
    """Run the cells that are not in the folder yet, in order.

    Args:
        ladder: the settings.
        folder: of the ladder.
        wanted: cells, the most telling first.
        budget: seconds; a cell that would not fit, by the time of the ones like it, is left out.

    Raises:
        RunError: a file of the folder is damaged, or it cannot be written.
    """
    began, outcomes, left_out = time.monotonic(), {}, []
    benches: dict[tuple[str, bool], Bench] = {}
    datas: dict[tuple[str, Segment], RetrievalDataModule] = {}
    took: dict[tuple[str, frozenset[str]], float] = {}
    for number, cell in enumerate(wanted, 1):
        path = folder.path / cell.file
        if path.exists():
            outcomes[cell] = read_outcome(path)
            continue
        spent, expected = time.monotonic() - began, took.get((cell.task, cell.methods), 0.0)
        if budget is not None and spent + expected > budget:
            left_out.append(cell)
            continue
        started = time.monotonic()
        data = datas.setdefault((cell.task, cell.segment), shifted(ladder.tasks[cell.task], cell.segment))
        outcome = outcomes[cell] = _bench(ladder, cell, benches).run(cell.methods, data)
        write_outcome(path, data.task("test").query_ids, outcome)
        took[cell.task, cell.methods] = time.monotonic() - started
        print(f"[{number}/{len(wanted)}] {line(ladder, cell, outcome)}", flush=True)
    return Done(outcomes, left_out)


def line(ladder: Ladder, cell: Cell, outcome: Outcome) -> str:
    """A cell's score in one line."""
    metric = ladder.tasks[cell.task].metric
    value, ms = 100 * float(outcome.values[metric].mean()), sum(outcome.ms.values())
    return f"{cell.where}: {cell.method} {metric} {value:.1f}, {ms:.1f} ms a query"


def _bench(ladder: Ladder, cell: Cell, benches: dict[tuple[str, bool], Bench]) -> Bench:
    """The cell's task with its encoder, loaded once."""
    key, settings = (cell.task, TRAINED in cell.methods), ladder.tasks[cell.task]
    if key not in benches:
        encoder = settings.trained if TRAINED in cell.methods else settings.backbone
        assert encoder is not None
        benches[key] = Bench(settings, encoder, Path(ladder.cache), ladder.seed)
    return benches[key]

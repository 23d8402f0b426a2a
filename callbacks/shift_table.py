"""Print the table of methods by shifts that a test of adapting methods ends with."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from lightning.pytorch import Callback, LightningModule, Trainer

from callbacks.cells import WIDTH, text
from requery.ranking.shifted import BASELINE, Cell, ShiftRow
from requery.streamed import Streamed

if TYPE_CHECKING:
    from rich.table import Table


class ShiftTable(Callback):
    """Print recall under each shift at the end of a test of streams, above the score line."""

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Print the table of the protocol's first metric, and what was forgotten where that was probed."""
        tested = getattr(pl_module, "tested", None)
        if not trainer.is_global_zero or not isinstance(tested, Streamed):
            return
        from rich.console import Console

        console = Console(width=None if sys.stdout.isatty() else WIDTH)
        metric = tested.task.protocol.metrics[0]
        console.print(shift_table(f"{metric}, {tested.task.protocol.key}", tested.rows(metric)))
        if tested.probed:
            console.print(
                shift_table(f"{metric} of clean queries afterwards", tested.rows(metric, probe=True))
            )


def shift_table(title: str, rows: list[ShiftRow]) -> Table:
    """Make a table of shifts by methods, in percent; rows set apart come last, in grey.

    Args:
        title: its title.
        rows: of `requery.ranking.shifted.shift_rows`.
    """
    from rich.table import Table

    caption = (
        "Percent, mean over orders within query, [95 % interval over queries] (paired gain over "
        f"the source model; ▲ / ▼ where its interval excludes 0). Grey: `{BASELINE}` is under twice chance."
    )
    table = Table(title=title, caption=caption)
    methods = list(rows[0].cells)
    table.add_column("shift")
    for method in methods:
        table.add_column(method, justify="right")
    for row in sorted(rows, key=lambda row: row.apart):
        style = "dim" if row.apart else "bold" if row.shift.startswith("mean of") else None
        table.add_row(row.shift, *(cell_text(row.cells[method]) for method in methods), style=style)
    return table


def cell_text(cell: Cell) -> str:
    """Value, interval and paired gain, such as `16.1 [14.0, 18.2] (+2.1▲)`.

    Example:
        >>> cell_text(Cell(0.161, 0.14, 0.182, 0.0, {"value": 0.021, "low": 0.01, "high": 0.03}))
        '16.1 [14.0, 18.2] (+2.1▲)'
    """
    if cell.gain is None:
        return text(cell.value, cell.low, cell.high)
    sure = cell.gain["low"] > 0 or cell.gain["high"] < 0
    return text(cell.value, cell.low, cell.high, cell.gain["value"], sure)

"""Print the tables of rows by rounds that a test of feedback ends with."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lightning.pytorch import Callback, LightningModule, Trainer

from callbacks.cells import WIDTH, compared_text
from requery.feedback.tables import Rows
from requery.feedback.tested import SHOWN, Fed

if TYPE_CHECKING:
    from rich.table import Table

PRINTED = ("mrr@5", "recall@1")


class RoundTable(Callback):
    """Print two metrics of each row by rounds, and what rows have beyond their controls.

    A third, whether the target was shown by then, where rows exclude what was seen.
    """

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Print above the score line."""
        tested = getattr(pl_module, "tested", None)
        if not trainer.is_global_zero or not isinstance(tested, Fed):
            return
        from rich.console import Console

        console = Console(width=None if sys.stdout.isatty() else WIDTH)
        drift = {name: tested.changes(name)["drift"] for name in tested.rows}
        residual = any(row.exclude_seen for row in tested.rows.values())
        for metric in (*PRINTED, *([SHOWN] if residual else [])):
            console.print(round_table(f"{metric}, {tested.task.protocol.key}", tested.table(metric), drift))
        if tested.pairs:
            console.print(contrast_table(f"{PRINTED[0]} beyond the controls", tested.contrasts(PRINTED[0])))


def round_table(title: str, rows: Rows, drift: Mapping[str, Sequence[float]]) -> Table:
    """Make a table of rows by rounds, in percent.

    Args:
        title: its title.
        rows: of `requery.feedback.tables.round_table`.
        drift: row -> mean cosine to the first query, by round.
    """
    from rich.table import Table

    caption = (
        "Percent, [95 % interval over queries] (paired gain over no feedback; ▲ / ▼ where p < 0.05 by a "
        "randomisation test, Holm-corrected over the rows). Drift: mean cosine to the first query."
    )
    table = Table(title=title, caption=caption)
    table.add_column("row")
    for number in range(1, 1 + len(next(iter(rows.values())))):
        table.add_column(f"round {number}", justify="right")
    table.add_column("drift", justify="right")
    for name, cells in rows.items():
        table.add_row(name, *map(compared_text, cells), f"{drift[name][-1]:.2f}")
    return table


def contrast_table(title: str, contrasts: Sequence[Mapping[str, Any]]) -> Table:
    """Make a table of the differences between rows and their controls, in percent.

    Args:
        title: its title.
        contrasts: of `Fed.contrasts`.
    """
    from rich.table import Table

    table = Table(title=title, caption="Points, [95 % interval, paired over queries].")
    table.add_column("row − control")
    for number in range(2, 1 + len(contrasts[0]["rounds"])):
        table.add_column(f"round {number}", justify="right")
    for contrast in contrasts:
        table.add_row(f"{contrast['row']} − {contrast['control']}", *map(_difference, contrast["rounds"][1:]))
    return table


def _difference(found: Mapping[str, float]) -> str:
    value, low, high = (100 * found[name] for name in ("value", "low", "high"))
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"

"""The table a sweep ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.report.trials import Trials, short_names, shown

if TYPE_CHECKING:
    from rich.table import Table


def trials_table(found: Trials) -> Table:
    """Make a table of all trials: finished ones, best first, then pruned, running and failed ones."""
    from rich.table import Table

    names = short_names(found.varied)
    table = Table(
        title=f"{found.name}: {len(found.trials)} trials", caption=f"Settings: {', '.join(found.varied)}."
    )
    for heading in ("trial", "", found.heading, "epochs"):
        table.add_column(heading, justify="left" if heading in ("trial", "") else "right")
    for name in names:
        table.add_column(name, justify="right")
    for trial in found.ranked:
        cells = [shown(trial.settings.get(key)) for key in found.varied]
        style = "bold" if trial == found.best else None if trial.state == "finished" else "dim"
        table.add_row(
            trial.name, trial.state, found.measured(trial.value), shown(trial.epochs), *cells, style=style
        )
    return table

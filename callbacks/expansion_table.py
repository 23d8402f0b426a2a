"""Print the table of rows that a test of query expansion ends with."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lightning.pytorch import Callback, LightningModule, Trainer

from callbacks.cells import WIDTH, compared_text
from requery.expansion.measured import GOLD
from requery.expansion.tested import Expanded
from requery.ranking.compared import Compared

if TYPE_CHECKING:
    from rich.table import Table


class ExpansionTable(Callback):
    """Print each row's P@1, P@5, R@5 and R@10, what became of its queries and what they cost.

    A second table has the benchmark's own metrics, where it marks passages.
    """

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Print above the score line."""
        tested = getattr(pl_module, "tested", None)
        if not trainer.is_global_zero or not isinstance(tested, Expanded):
            return
        from rich.console import Console

        console = Console(width=None if sys.stdout.isatty() else WIDTH)
        gold = [metric for metric in tested.headline if metric.startswith(GOLD)]
        answers = [metric for metric in tested.headline if metric not in gold]
        where = f"{tested.task.protocol.key}, {tested.task.n_queries:,} questions"
        kinds = ((f"By answers: {where}", answers), (f"By marked passages: {where}", gold))
        for title, metrics in kinds:
            if metrics:
                columns = {metric.removeprefix(GOLD): tested.tables[metric] for metric in metrics}
                console.print(expansion_table(title, columns, {n: fate(tested, n) for n in tested.rows}))


def expansion_table(
    title: str, columns: Mapping[str, Mapping[str, Compared]], fates: Mapping[str, Sequence[str]]
) -> Table:
    """Make a table of rows by metrics, in percent.

    Args:
        title: its title.
        columns: metric -> row -> cell.
        fates: row -> queries changed, and tokens a query.
    """
    from rich.table import Table

    caption = (
        "Percent, [95 % interval over questions] (paired gain over the first row; ▲ / ▼ where p < 0.05 by a "
        "randomisation test, Holm-corrected over the rows). Changed: questions to which anything was added."
    )
    table = Table(title=title, caption=caption)
    table.add_column("row")
    for heading in (*columns, "changed", "tokens"):
        table.add_column(heading, justify="right")
    for name, said in fates.items():
        table.add_row(name, *(compared_text(cells[name]) for cells in columns.values()), *said)
    return table


def fate(tested: Expanded, name: str) -> tuple[str, str]:
    """How many of a row's queries were changed, and tokens that the model wrote for one, on average."""
    tokens = tested.spent(name)[1].double().mean()
    return f"{tested.outcomes(name)['query'].get('expanded', 0):,}", f"{float(tokens):.0f}"

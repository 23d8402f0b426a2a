"""Print what `reproduce` found: the table, then what is missing and how to get going."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from experiments.reproduce.cells import cells_of
from experiments.reproduce.result import Result
from experiments.reproduce.table import Published, Table
from experiments.reproduce.verdict import Judged

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 160
"""Columns where the output is no terminal."""
DASH = "–"
STYLES = {"reproduced": "green", "off": "bold red", "not comparable": "bold red", "failed": "bold red"}


def show(result: Result) -> None:
    """Print a result."""
    console, table = _console(), result.table
    console.print(f"\n{table.title}", style="bold", markup=False)
    for line in (table.source, f"numbers: {table.made_by}", *table.notes):
        console.print(line, markup=False)
    console.print(_cells(result))
    for note in dict.fromkeys(
        f"{j.cell.row}, {j.cell.column}: {j.cell.note}" for j in result.cells if j.cell.note
    ):
        console.print(f"note on {note}", markup=False)
    for tolerance in dict.fromkeys(j.cell.tolerance for j in result.cells if not j.cell.only_published):
        console.print(f"tolerance ±{tolerance.points:g}: {tolerance.reason}", markup=False)
    _missing(console, result)
    console.print(result.summary, style="bold", markup=False)


def show_list(tables: Sequence[Table]) -> None:
    """Print which tables there are."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as Grid

    grid = Grid(box=SIMPLE_HEAD)
    for heading, justify in (
        ("table", "left"),
        ("what", "left"),
        ("source", "left"),
        ("cells", "right"),
        ("made here", "right"),
    ):
        grid.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for table in tables:
        cells = list(cells_of(table))
        made = sum(not cell.only_published for cell in cells)
        grid.add_row(table.name, table.title, table.source, str(len(cells)), str(made))
    _console().print(grid)


def number(value: Published) -> str:
    """A published number as printed; of a range both ends."""
    if isinstance(value, tuple):
        low, high = value
        if low is None or high is None:
            return f"≥ {low:g}" if low is not None else f"≤ {high:g}"
        return f"{low:g} to {high:g}"
    return DASH if value is None else f"{value:g}"


def ran(judged: Judged) -> str:
    """What came out here, with its interval."""
    run = judged.run
    if run is None:
        return DASH
    return f"{run.value:.2f}" + ("" if run.low is None else f" [{run.low:.2f}, {run.high:.2f}]")


def verdict(judged: Judged) -> str:
    """The verdict with its reason."""
    return judged.word + (f": {judged.reason}" if judged.reason else "")


def protocols(line: Sequence[Judged]) -> str:
    """The protocols of cells that are made here."""
    return ", ".join(dict.fromkeys(j.cell.protocol for j in line if not j.cell.only_published))


def folded(cells: Sequence[Judged]) -> list[list[Judged]]:
    """Cells by lines: neighbours of a row that were not run, and have one verdict, share a line."""
    lines: list[list[Judged]] = []
    for _, group in groupby(cells, lambda judged: (judged.cell.row, judged.run is None, verdict(judged))):
        members = list(group)
        lines += [members] if members[0].run is None else [[judged] for judged in members]
    return lines


def _cells(result: Result) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as Grid

    grid = Grid(box=SIMPLE_HEAD, caption="Percent; 95 % intervals over queries.", caption_justify="left")
    headings = ("row", "metric", "paper", "run", "difference", "tolerance", "verdict", "protocol")
    for heading in headings:
        grid.add_column(heading, overflow="fold", justify="right" if heading in headings[3:6] else "left")
    for line in folded(result.cells):
        first = line[0]
        grid.add_row(
            first.cell.row,
            ", ".join(judged.cell.column for judged in line),
            ", ".join(number(judged.cell.published) for judged in line),
            ran(first),
            DASH if first.difference is None else f"{first.difference:+.2f}",
            DASH if first.cell.only_published else f"±{first.cell.tolerance.points:g}",
            verdict(first),
            protocols(line),
            style=STYLES.get(first.word),
        )
    return grid


def _missing(console: Console, result: Result) -> None:
    failed = {name: outcome for name, outcome in result.outcomes.items() if outcome.state == "failed"}
    for name, outcome in failed.items():
        console.print(f"\n{name} failed: {outcome.message}", style="bold", markup=False)
    if not result.missing:
        return
    console.print("\nmissing", style="bold")
    for missing, names in result.missing.items():
        console.print(f"- {missing.kind}, for {', '.join(names)}: {missing.what}", markup=False)
    if result.origins:
        console.print("\nwhere it comes from", style="bold")
    for source in result.origins:
        console.print(f"- {source.what} ({source.licence}):\n  {source.get}", markup=False)
    console.print("\nthen", style="bold")
    console.print(
        f"  python -m experiments reproduce {again(result.table)} --data-root DATA --weights DIR",
        markup=False,
    )
    console.print("which runs what is not finished yet of:", markup=False)
    for name, outcome in result.outcomes.items():
        if outcome.state == "missing":
            for command in outcome.commands:
                console.print(f"  {command}", markup=False, soft_wrap=True)


def again(table: Table) -> str:
    """The table as the command line takes it."""
    from experiments.reproduce.table_file import TABLES

    return table.name if table.path.parent == TABLES else str(table.path)


def _console() -> Console:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)

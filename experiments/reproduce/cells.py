"""The cells of a published table, each with what it is read from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from experiments.reproduce.table import Column, Published, Reading, Row, Table, Tolerance


class Part(NamedTuple):
    """What a cell, or one of the cells it is the mean of, is read from.

    Args:
        experiment: that makes it.
        reading: of its run.
        protocol: it must have been scored under.
        queries: it must be over; 0 = any number.
        gallery: items that must have been retrievable; likewise.
    """

    experiment: str
    reading: Reading
    protocol: str
    queries: int
    gallery: int


@dataclass(frozen=True)
class Cell:
    """One number.

    Args:
        row: its row.
        column: its column.
        published: the paper's number.
        parts: what it is read from, several where it is a mean; none where nothing makes it.
        only_published: why nothing makes it.
        tolerance: how far a run may be off.
        protocol: ours.
        note: on the published number.
    """

    row: str
    column: str
    published: Published
    parts: Sequence[Part]
    only_published: str
    tolerance: Tolerance
    protocol: str
    note: str


def cells_of(table: Table) -> Iterator[Cell]:
    """All numbers of a table, row by row."""
    for row in table.rows:
        for name, published in row.values.items():
            column, leaves = table.columns[name], _leaves(table, name)
            reasons = [_in_group(row.only_published, leaf) for leaf in leaves]
            yield Cell(
                row=row.name,
                column=name,
                published=published,
                parts=[] if any(reasons) else [_part(row, leaf) for leaf in leaves],
                only_published=next(filter(None, reasons), ""),
                tolerance=row.tolerance or table.tolerance,
                protocol=row.protocol or column.protocol or leaves[0].protocol,
                note=row.notes.get(name, ""),
            )


def needed(table: Table, cells: Sequence[Cell]) -> list[str]:
    """The experiments that make some cells, with those that come first, in the table's order."""
    wanted = {part.experiment for cell in cells for part in cell.parts}
    for name in reversed(table.experiments):
        if name in wanted:
            wanted |= set(table.experiments[name].before)
    return [name for name in table.experiments if name in wanted]


def _leaves(table: Table, name: str) -> list[Column]:
    """The columns a column is the mean of, means of means resolved; itself where it is none."""
    column = table.columns[name]
    return [leaf for part in column.mean for leaf in _leaves(table, part)] if column.mean else [column]


def _in_group(given: str | Mapping[str, str], column: Column) -> str:
    return given if isinstance(given, str) else given.get(column.group, "")


def _part(row: Row, leaf: Column) -> Part:
    protocol = row.protocol or leaf.protocol
    return Part(_in_group(row.run, leaf), row.read.within(leaf.read), protocol, leaf.queries, leaf.gallery)

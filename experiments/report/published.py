"""Numbers that papers print, to stand beside ours: never tested against, for they have no single queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.reproduce.table_file import read_table, table_names

CORPUS = 3
"""Parts of a protocol's name that say which questions over which corpus: `okvqa/test/gs112k`."""


@dataclass(frozen=True)
class PublishedRow:
    """A row of a paper's table.

    Args:
        name: as the paper calls it, with what is doubtful of it.
        source: which table of which paper.
        values: metric -> a fraction.
    """

    name: str
    source: str
    values: Mapping[str, float]


def published(protocol: str) -> Sequence[PublishedRow]:
    """What is printed for a protocol, such as `okvqa/test/gs112k/question_caption/both/substring@1`.

    What counts as an answer is not said in the paper, so any choice of ours has the same rows.

    Raises:
        ConfigError: a table's file is wrong.
    """
    corpus, found = protocol.split("/")[:CORPUS], list[PublishedRow]()
    for table in map(read_table, table_names()):
        columns = {
            name: column.read.metric
            for name, column in table.columns.items()
            if column.read.file == "expansion" and column.protocol.split("/")[:CORPUS] == corpus
        }
        for row in table.rows if columns else ():
            printed = {metric: row.values.get(name) for name, metric in columns.items()}
            values = {m: round(v / 100, 4) for m, v in printed.items() if isinstance(v, float | int)}
            doubts = "; ".join(f"{name}: {row.notes[name]}" for name in columns if name in row.notes)
            source = table.source.split(" (")[0]  # without remarks
            found.append(PublishedRow(row.name + (f" ({doubts})" if doubts else ""), source, values))
    return found

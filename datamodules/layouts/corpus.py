"""A corpus of passages: from a CSV file as OK-VQA's GS112K is, or from a dataset of the hub."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from datamodules.layouts.problems import Report, fail, reporting
from datamodules.layouts.records import require_distinct, take
from datamodules.layouts.tables import open_tables
from requery.errors import DataError, first


class Passage(NamedTuple):
    """One text that can be retrieved."""

    name: str
    text: str


@dataclass(frozen=True)
class PassageColumns:
    """What a dataset calls its columns.

    Args:
        id: names a passage.
        text: its text.
    """

    id: str = "id"
    text: str = "text"


@dataclass(frozen=True)
class HubCorpus:
    """Passages from a dataset, in place of the file.

    Args:
        id: a hub id `owner/name`, or the folder of a local copy: of `save_to_disk`, or of JSON lines or
            parquet files.
        revision: commit of a hub id (40 hexadecimal digits).
        name: the dataset's configuration, where it has several; a local copy has none.
        split: which of its splits; null = all of them.
        columns: what its columns are called.
    """

    id: str
    revision: str | None = None
    name: str | None = None
    split: str | None = None
    columns: PassageColumns = field(default_factory=PassageColumns)

    @property
    def key(self) -> str:
        """Its name, with configuration and the commit of a hub id."""
        return "@".join(
            part for part in ("/".join(filter(None, (self.id, self.name))), self.revision) if part
        )


def read_corpus_csv(path: Path, remedy: str, report: Report = fail) -> list[Passage]:
    """Read `kid,text` with a header; a text may hold line breaks.

    A problem is that the file is absent or malformed, holds no passage, or repeats a name.

    Args:
        path: the file.
        remedy: what to do when it is absent.
        report: is told the problems.
    """
    found: list[Passage] = []
    with reporting(report):
        try:
            with path.open(encoding="utf-8", newline="") as file:
                found = _rows(csv.reader(file, strict=True), path)
        except FileNotFoundError:
            raise DataError(f"{path}: no such file; {remedy}") from None
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from error
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(f"{path}: not valid CSV in UTF-8 ({error}); fetch the file again") from error
        _check(found, path)
    return found


def _rows(rows: csv._reader, path: Path) -> list[Passage]:
    if (header := next(rows, [])) != ["kid", "text"]:
        raise DataError(f"{path}: the first line must be kid,text, not {first(header)}")
    found = []
    for row in rows:
        if len(row) != 2:
            raise DataError(f"{path}, line {rows.line_num}: {len(row)} columns instead of kid,text")
        found.append(Passage(*row))
    return found


def read_corpus_hub(corpus: HubCorpus, report: Report = fail) -> list[Passage]:
    """Read the passages of a dataset, in the order of its rows.

    A problem is that the dataset, its split or a column is absent, it holds no passage, or repeats a name.
    """
    found: list[Passage] = []
    with reporting(report):
        tables = open_tables(corpus.id, corpus.revision, corpus.name)
        if corpus.split is not None and corpus.split not in tables:
            raise DataError(f"{corpus.key}: no split {corpus.split!r}; its splits are {first(tables)}")
        columns = corpus.columns
        for split in tables if corpus.split is None else [corpus.split]:
            table, where = tables[split], f"{corpus.key}, {split}"
            if missing := [name for name in (columns.id, columns.text) if name not in table.column_names]:
                there = first(table.column_names, 20)
                raise DataError(f"{where}: no column {first(missing)}; its columns are {there}")
            for number, row in enumerate(table.select_columns([columns.id, columns.text])):
                at = f"{where}, passage {number}"
                name = take(row, columns.id, (str, int), at)
                found.append(Passage(str(name), take(row, columns.text, str, at)))
        _check(found, Path(corpus.key))
    return found


def _check(passages: list[Passage], path: Path) -> None:
    if not passages:
        raise DataError(f"{path}: holds no passage; fetch it again")
    require_distinct((passage.name for passage in passages), "passage ids", path)

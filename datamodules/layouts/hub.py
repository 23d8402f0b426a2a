"""Captioned images as rows of a dataset of the hub, or of a local copy of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datamodules.layouts.captioned import Captioned, read_selected, report_repeated
from datamodules.layouts.problems import Report, fail, reporting
from datamodules.layouts.records import take, take_strings
from datamodules.layouts.tables import open_tables
from requery.errors import DataError, first

if TYPE_CHECKING:
    from datasets import Dataset

SPLITS = {"train": ("train", "restval"), "val": ("val", "validation"), "test": ("test",)}
"""Which of the dataset's splits each of ours takes."""


@dataclass(frozen=True)
class Columns:
    """What a dataset calls its columns; the defaults are those of `yerevann/coco-karpathy`.

    Args:
        captions: an image's captions, a list of strings.
        file: name of the image's file; identifies it.
        folder: folder of that file below the image root; null = none.
        caption_ids: names of the captions, a list; null = `<file>#0`, `<file>#1` …
        split: the image's split, where rows of all splits are mixed; null = the dataset's own splits.
    """

    captions: str = "sentences"
    file: str = "filename"
    folder: str | None = "filepath"
    caption_ids: str | None = "sentids"
    split: str | None = None

    @property
    def named(self) -> list[str]:
        """The columns that are read; others, such as images, are not touched."""
        columns = (self.captions, self.file, self.folder, self.caption_ids, self.split)
        return [column for column in columns if column is not None]


@dataclass(frozen=True)
class HubDataset:
    """Captions from a dataset, in place of an annotation file; the images are files, below the image root.

    Args:
        id: a hub id `owner/name`, or the folder of a local copy: of `save_to_disk`, or of JSON lines or
            parquet files with the splits in their names.
        revision: commit of a hub id (40 hexadecimal digits).
        columns: what its columns are called.
    """

    id: str
    revision: str | None = None
    columns: Columns = field(default_factory=Columns)

    @property
    def key(self) -> str:
        """Its name, with the commit of a hub id."""
        return self.id if self.revision is None else f"{self.id}@{self.revision}"


def read_hub(dataset: HubDataset, split: str, report: Report = fail) -> list[Captioned]:
    """Read the images of `train`, `val` or `test`, in the order of the rows.

    A problem is that the dataset or one of its columns is absent, a row is malformed, a name is repeated, or
    there is no image of the split.
    """
    columns, path = dataset.columns, Path(dataset.key)
    rows: list[dict[str, Any]] | None = None
    with reporting(report):
        rows = list(_rows(dataset, split))
    if rows is None:
        return []

    def make(record: dict[str, object], where: str) -> Captioned:
        return _captioned(record, where, columns)

    items = read_selected(rows, columns.split or "split", (split, SPLITS[split]), make, path, report)
    report_repeated(items, "caption ids", path, report)
    return items


def _rows(dataset: HubDataset, split: str) -> Iterator[dict[str, Any]]:
    """The rows that may belong to a split, each with its split."""
    tables = open_tables(dataset.id, dataset.revision)
    columns = dataset.columns
    chosen = list(tables) if columns.split is not None else [name for name in SPLITS[split] if name in tables]
    if not chosen:
        there = ", ".join(f"{name} ({len(table):,})" for name, table in tables.items())
        raise DataError(
            f"{dataset.key}: no split {' or '.join(SPLITS[split])}; its splits are {there}; "
            "if a column holds the split, name it in hub.columns.split"
        )
    for name in chosen:
        table = _narrowed(tables[name], columns, f"{dataset.key}, {name}")
        for row in table:
            yield row if columns.split is not None else {**row, "split": name}


def _narrowed(table: Dataset, columns: Columns, where: str) -> Any:
    there = table.column_names
    if missing := [column for column in columns.named if column not in there]:
        raise DataError(
            f"{where}: no column {first(missing)}; its columns are {first(there, 20)}: "
            "name the right ones in hub.columns"
        )
    return table.select_columns(columns.named)


def _captioned(record: dict[str, object], where: str, columns: Columns) -> Captioned:
    name = take(record, columns.file, str, where)
    folder = "" if columns.folder is None else take(record, columns.folder, str, where)
    captions = take_strings(record, columns.captions, where)
    if not captions:
        raise DataError(f"{where} ({name}): has no caption")
    if columns.caption_ids is None:
        keys = tuple(f"{name}#{number}" for number in range(len(captions)))
    else:
        keys = tuple(str(key) for key in take(record, columns.caption_ids, list, where))
    if len(keys) != len(captions):
        raise DataError(f"{where} ({name}): {len(keys)} caption ids for {len(captions)} captions")
    return Captioned(name, str(Path(folder) / name), captions, keys, group=name)

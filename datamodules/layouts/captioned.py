"""Images with captions: what every layout of them is read into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamodules.layouts.problems import Problem, Report, reporting
from datamodules.layouts.records import require_distinct, take
from requery.errors import DataError


@dataclass(frozen=True)
class Captioned:
    """One image with its captions.

    Args:
        name: identifies the image.
        path: the file below the image root.
        captions: its texts; none where another image of its group carries them.
        caption_ids: their names.
        group: what makes images alike, so that the captions of each fit all of them (a person, a product), or
            the image's own name.
    """

    name: str
    path: str
    captions: tuple[str, ...]
    caption_ids: tuple[str, ...]
    group: str


def read_selected(
    records: Iterable[Any],
    field: str,
    wanted: tuple[str, Collection[str]],
    make: Callable[[dict[str, object], str], Captioned],
    path: Path,
    report: Report,
    known: Collection[str] = (),
) -> list[Captioned]:
    """Read the records of one part of a file, such as a split.

    Args:
        records: one per image.
        field: the field that names a record's part.
        wanted: the part as it was asked for, and the values of `field` that belong to it.
        make: reads a record, given where it stands.
        path: the file.
        report: is told what is malformed, and if no record belongs to the part.
        known: the values `field` may have; default any.
    """
    asked, values = wanted
    found: Counter[str] = Counter()
    items: list[Captioned] = []
    for number, record in enumerate(records):
        where = f"{path}, image {number}"
        with reporting(report):
            value = take(record, field, str, where)
            if known and value not in known:
                raise DataError(f"{where}: {field!r} is {value!r}, not one of {', '.join(known)}")
            found[value] += 1
            if value in values:
                items.append(make(record, where))
    if not found.keys() & set(values):
        there = ", ".join(f"{name} ({count})" for name, count in found.items()) or "none"
        report(Problem(f"{path}: no image of {field} {asked!r}; its {field}s are {there}"))
    return items


def report_repeated(items: Sequence[Captioned], captions: str, path: Path, report: Report) -> None:
    """Report image names and caption ids that occur twice; `captions` is what the file calls the latter."""
    with reporting(report):
        require_distinct((item.name for item in items), "file names", path)
    with reporting(report):
        require_distinct((name for item in items for name in item.caption_ids), captions, path)

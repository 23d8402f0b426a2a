"""The Karpathy layout (Karpathy and Fei-Fei 2015): one JSON file of images with their sentences."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datamodules.layouts.problems import Problem, Report, fail, reporting
from datamodules.layouts.records import read_json, require_distinct, take
from requery.errors import DataError

SPLITS = {"train": ("train", "restval"), "val": ("val",), "test": ("test",)}
"""Which of the file's splits each of ours takes; COCO's `restval` is trained on, as everyone does."""

ORIGIN = "COCO's and Flickr30k's are in cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"


@dataclass(frozen=True)
class Captioned:
    """One image with its captions.

    Args:
        name: the file's name, which identifies the image.
        path: the file below the image root.
        captions: its texts, at least one.
        caption_ids: their names.
    """

    name: str
    path: str
    captions: tuple[str, ...]
    caption_ids: tuple[str, ...]


def read_captioned(path: Path, split: str, report: Report = fail) -> list[Captioned]:
    """Read the images of `train`, `val` or `test`.

    A problem is that the file is absent or malformed, repeats a name, or holds no image of the split.
    """
    records: list[object] | None = None
    with reporting(report):
        records = take(read_json(path, ORIGIN), "images", list, str(path))
    found: dict[str, int] = {}
    items: list[Captioned] = []
    for number, record in enumerate(records or []):
        where = f"{path}, image {number}"
        with reporting(report):
            its_split = take(record, "split", str, where)
            found[its_split] = found.get(its_split, 0) + 1
            if its_split in SPLITS[split]:
                items.append(_captioned(record, where))
    if records is not None and not found.keys() & SPLITS[split]:
        there = ", ".join(f"{name} ({count})" for name, count in found.items()) or "none"
        report(Problem(f"{path}: no image of split {split!r}; its splits are {there}"))
    with reporting(report):
        require_distinct((item.name for item in items), "file names", path)
    with reporting(report):
        require_distinct((name for item in items for name in item.caption_ids), "sentence ids", path)
    return items


def _captioned(record: dict[str, object], where: str) -> Captioned:
    name = take(record, "filename", str, where)
    folder = take(record, "filepath", str, where) if "filepath" in record else ""  # Flickr30k has one folder
    sentences = take(record, "sentences", list, where)
    if not sentences:
        raise DataError(f"{where} ({name}): has no sentence")
    return Captioned(
        name,
        str(Path(folder) / name),
        tuple(take(s, "raw", str, f"{where}, sentence {i}") for i, s in enumerate(sentences)),
        tuple(str(take(s, "sentid", (int, str), f"{where}, sentence {i}")) for i, s in enumerate(sentences)),
    )

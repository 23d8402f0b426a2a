"""The Karpathy layout (Karpathy and Fei-Fei 2015): one JSON file of images with their sentences."""

from __future__ import annotations

from pathlib import Path

from datamodules.layouts.captioned import Captioned, read_selected, report_repeated
from datamodules.layouts.problems import Report, fail, reporting
from datamodules.layouts.records import read_json, take
from requery.errors import DataError

SPLITS = {"train": ("train", "restval"), "val": ("val",), "test": ("test",)}
"""Which of the file's splits each of ours takes; COCO's `restval` is trained on, as everyone does."""

ORIGIN = "COCO's and Flickr30k's are in cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"


def read_captioned(path: Path, split: str, report: Report = fail) -> list[Captioned]:
    """Read the images of `train`, `val` or `test`.

    A problem is that the file is absent or malformed, repeats a name, or holds no image of the split.
    """
    records: list[object] | None = None
    with reporting(report):
        records = take(read_json(path, ORIGIN), "images", list, str(path))
    if records is None:
        return []
    items = read_selected(records, "split", (split, SPLITS[split]), _captioned, path, report)
    report_repeated(items, "sentence ids", path, report)
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
        group=name,
    )

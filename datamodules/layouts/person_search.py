"""The layout CUHK-PEDES (Li et al. 2017) and ICFG-PEDES (Ding et al. 2021) share: one list of images."""

from __future__ import annotations

from pathlib import Path

from datamodules.layouts.captioned import Captioned, read_selected, report_repeated
from datamodules.layouts.problems import Report, fail, reporting
from datamodules.layouts.records import read_json, take, take_strings
from requery.errors import DataError

ANNOTATIONS = {"cuhk_pedes": "reid_raw.json", "icfg_pedes": "ICFG-PEDES.json"}
ORIGIN = (
    "both come from their authors on request: github.com/ShuangLI59/Person-Search-with-Natural-Language-"
    "Description, github.com/zifyloo/SSAN"
)
SPLITS = ("train", "val", "test")
IMAGES = "imgs"
"""The folder, below the image root, that `file_path` starts from."""


def read_persons(path: Path, split: str, report: Report = fail) -> list[Captioned]:
    """Read the images of one of the file's splits; images of one person are a group.

    Each record has `split`, `captions`, `file_path` and `id`, the person's number; `processed_tokens` is not
    used. Ids are compared within a split only.

    A problem is that the file is absent or malformed, repeats an image, or holds no image of the split.
    """
    records: object = None
    with reporting(report):
        records = read_json(path, ORIGIN)
        if not isinstance(records, list):
            raise DataError(f"{path}: expected a list of images, found {type(records).__name__}")
    if not isinstance(records, list):
        return []
    items = read_selected(records, "split", (split, (split,)), _captioned, path, report, SPLITS)
    report_repeated(items, "caption ids", path, report)
    return items


def _captioned(record: object, where: str) -> Captioned:
    name = take(record, "file_path", str, where)
    person = str(take(record, "id", (int, str), where))
    captions = take_strings(record, "captions", where)
    if not captions:
        raise DataError(f"{where} ({name}): has no caption")
    names = tuple(f"{name}#{i}" for i in range(len(captions)))  # the file names none
    return Captioned(name, f"{IMAGES}/{name}", captions, names, group=f"person {person}")

"""Nocaps' layout (Agrawal et al. 2019): one file in COCO's caption format, each image with its domain."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from datamodules.layouts.captioned import Captioned, read_selected, report_repeated
from datamodules.layouts.problems import Problem, Report, fail, reporting
from datamodules.layouts.records import read_json, take
from requery.errors import DataError, first

ANNOTATIONS = "nocaps_val_4500_captions.json"
ORIGIN = f"it is at nocaps.s3.amazonaws.com/{ANNOTATIONS}"
DOMAINS = ("in-domain", "near-domain", "out-domain")


def read_nocaps(path: Path, domain: str, report: Report = fail) -> list[Captioned]:
    """Read the images of one domain, or of all.

    A problem is that the file is absent or malformed, repeats a name, holds an image without caption or of an
    unknown domain, captions an image it does not list, or holds no image of the domain asked for.

    Args:
        path: the file.
        domain: `in-domain`, `near-domain`, `out-domain` or `entire`.
        report: is told the problems.
    """
    images: list[object] = []
    captions: dict[str, list[tuple[str, str]]] | None = None
    with reporting(report):
        content = read_json(path, ORIGIN)
        images = take(content, "images", list, str(path))
        captions = _captions(take(content, "annotations", list, str(path)), path, report)
    if captions is None:
        return []
    listed = {str(image.get("id")) for image in images if isinstance(image, dict)}
    if unlisted := [image_id for image_id in captions if image_id not in listed]:
        report(Problem(f"{path}: {len(unlisted)} captioned images are not listed, ids {first(unlisted)}"))
    wanted = DOMAINS if domain == "entire" else (domain,)

    def make(record: object, where: str) -> Captioned:
        return _captioned(record, where, captions)

    items = read_selected(images, "domain", (domain, wanted), make, path, report, DOMAINS)
    report_repeated(items, "annotation ids", path, report)
    return items


def _captions(records: list[object], path: Path, report: Report) -> dict[str, list[tuple[str, str]]]:
    """Image id -> name and text of its captions."""
    found: dict[str, list[tuple[str, str]]] = {}
    for number, record in enumerate(records):
        where = f"{path}, annotation {number}"
        with reporting(report):
            image_id = str(take(record, "image_id", (int, str), where))
            caption = str(take(record, "id", (int, str), where)), take(record, "caption", str, where)
            found.setdefault(image_id, []).append(caption)
    return found


def _captioned(record: object, where: str, captions: Mapping[str, list[tuple[str, str]]]) -> Captioned:
    name = take(record, "file_name", str, where)
    its_own = captions.get(str(take(record, "id", (int, str), where)), [])
    if not its_own:
        raise DataError(f"{where} ({name}): has no caption")
    keys, texts = zip(*its_own, strict=True)
    return Captioned(name, name, texts, keys, group=name)

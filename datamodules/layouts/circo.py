"""CIRCO's layout (Baldrati et al. 2023): annotations/*.json over the unlabelled images of COCO 2017."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datamodules.layouts.problems import Problem, Report, fail, reporting
from datamodules.layouts.records import read_json, read_list, require_distinct, take
from requery.errors import DataError, first

ORIGIN = "CIRCO's annotations are published at github.com/miccunifi/CIRCO"
COCO = "COCO2017_unlabeled"
"""The folder of COCO's `annotations` and `unlabeled2017`, below the root."""
IMAGE_INFO = "image_info_unlabeled2017.json"
COCO_ORIGIN = (
    f"{IMAGE_INFO} and the images are COCO's, at images.cocodataset.org: "
    "annotations/image_info_unlabeled2017.zip and zips/unlabeled2017.zip"
)


@dataclass(frozen=True)
class CircoQuery:
    """One annotation.

    Args:
        query_id: its number.
        reference: a COCO image's id.
        caption: the relative caption.
        target: a COCO image's id; None where the benchmark keeps it.
        relevant: ids of all images that are right, the target included.
    """

    query_id: str
    reference: str
    caption: str
    target: str | None
    relevant: tuple[str, ...]


def read_images(coco: Path, report: Report = fail) -> dict[str, str]:
    """Read the unlabelled images: id to file name.

    A problem is that the file is absent or malformed, or repeats an id.
    """
    path = coco / "annotations" / IMAGE_INFO
    found: list[tuple[str, str]] = []
    with reporting(report):
        records = take(read_json(path, COCO_ORIGIN), "images", list, str(path))
        for number, record in enumerate(records):
            where = f"{path}, image {number}"
            with reporting(report):
                found.append((str(take(record, "id", int, where)), take(record, "file_name", str, where)))
        require_distinct((name for name, _ in found), "image ids", path)
    return dict(found)


def read_queries(root: Path, split: str, report: Report = fail) -> list[CircoQuery]:
    """Read `val`, with targets, or `test`, without."""
    path = root / "annotations" / f"{split}.json"
    queries: list[CircoQuery] = []
    for number, record in enumerate(read_list(path, f"put it there. {ORIGIN}", "annotations", report)):
        with reporting(report, _name(record)):
            queries.append(_query(record, f"{path}, record {number}"))
    with reporting(report):
        require_distinct((query.query_id for query in queries), "ids", path)
    without = [query.query_id for query in queries if query.target is None]
    if 0 < len(without) < len(queries):
        report(Problem(f"{path}: {len(without)} of {len(queries)} lack target_img_id: {first(without)}"))
    return queries


def _name(record: object) -> str | None:
    """The query's id, if there is one, of a record that may be malformed."""
    name = record.get("id") if isinstance(record, dict) else None
    return str(name) if isinstance(name, int) else None


def _query(record: object, where: str) -> CircoQuery:
    target, relevant = None, ()
    if isinstance(record, dict) and "target_img_id" in record:
        target = str(take(record, "target_img_id", int, where))
        relevant = tuple(str(name) for name in take(record, "gt_img_ids", list, where))
        if target not in relevant or len(set(relevant)) != len(relevant):
            raise DataError(f"{where}: gt_img_ids must be distinct and hold target_img_id, {target}")
    return CircoQuery(
        query_id=str(take(record, "id", int, where)),
        reference=str(take(record, "reference_img_id", int, where)),
        caption=take(record, "relative_caption", str, where),
        target=target,
        relevant=relevant,
    )

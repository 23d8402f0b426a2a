"""CIRR's layout (Liu et al. 2021, release rc2): captions/cap.rc2.*.json and image_splits/split.rc2.*.json."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datamodules.layouts.problems import Problem, Report, fail, reporting
from datamodules.layouts.records import read_json, read_list, require_distinct, take, take_strings
from requery.errors import DataError, first

ORIGIN = "CIRR's annotations are published at github.com/Cuberick-Orion/CIRR, branch cirr_dataset"


@dataclass(frozen=True)
class Pair:
    """One annotation: change `reference` as `caption` says and find `target`.

    Args:
        pair_id: its name.
        reference: an image's name.
        target: an image's name; None where the benchmark keeps it.
        caption: the modification text.
        members: the image set the pair was chosen from, reference and target included.
    """

    pair_id: str
    reference: str
    target: str | None
    caption: str
    members: tuple[str, ...]


def find_layout(root: Path) -> Path:
    """The folder that holds `captions` and `image_splits`: `root/cirr` or `root` itself."""
    for folder in (root / "cirr", root):
        if (folder / "captions").is_dir():
            return folder
    raise DataError(
        f"{root}: holds neither cirr/captions nor captions; set root to the dataset's folder. {ORIGIN}"
    )


def read_images(layout: Path, split: str, report: Report = fail) -> dict[str, str]:
    """Read the images of a split: name to path below the image root."""
    path = layout / "image_splits" / f"split.rc2.{split}.json"
    images: object = {}
    with reporting(report):
        images = read_json(path, ORIGIN)
    if not isinstance(images, dict):
        report(Problem(f"{path}: expected an object of image names and paths, found {type(images).__name__}"))
        return {}
    found: dict[str, str] = {}
    for name in images:
        with reporting(report):
            found[name] = take(images, name, str, str(path))
    return found


def read_names(layout: Path, report: Report = fail) -> frozenset[str]:
    """Read the names of the images of every split."""
    splits = sorted((layout / "image_splits").glob("split.rc2.*.json"))
    names = (path.name.removeprefix("split.rc2.").removesuffix(".json") for path in splits)
    return frozenset(image for split in names for image in read_images(layout, split, report))


def read_pairs(layout: Path, split: str, report: Report = fail) -> list[Pair]:
    """Read the annotations of a split; all have a target or none has."""
    path = layout / "captions" / f"cap.rc2.{split}.json"
    remedy = f"the captions of split {split!r} are needed here. {ORIGIN}: put the file there"
    pairs: list[Pair] = []
    for number, record in enumerate(read_list(path, remedy, "annotations", report)):
        with reporting(report, _name(record)):
            pairs.append(_pair(record, f"{path}, record {number}"))
    with reporting(report):
        require_distinct((pair.pair_id for pair in pairs), "pair ids", path)
    without = [pair.pair_id for pair in pairs if pair.target is None]
    if 0 < len(without) < len(pairs):
        report(Problem(f"{path}: {len(without)} of {len(pairs)} pairs lack target_hard: {first(without)}"))
    return pairs


def _name(record: object) -> str | None:
    """The pair's id, if there is one, of a record that may be malformed."""
    name = record.get("pairid") if isinstance(record, dict) else None
    return str(name) if isinstance(name, (int, str)) else None


def _pair(record: object, where: str) -> Pair:
    has_target = isinstance(record, dict) and "target_hard" in record
    pair = Pair(
        pair_id=str(take(record, "pairid", (int, str), where)),
        reference=take(record, "reference", str, where),
        target=take(record, "target_hard", str, where) if has_target else None,
        caption=take(record, "caption", str, where),
        members=take_strings(take(record, "img_set", dict, where), "members", f"{where}, img_set"),
    )
    if len(set(pair.members)) != len(pair.members):
        raise DataError(f"{where} (pair {pair.pair_id}): a member of its img_set occurs twice")
    if pair.target is not None and pair.target not in pair.members:
        raise DataError(
            f"{where} (pair {pair.pair_id}): target {pair.target!r} is not a member of its img_set"
        )
    return pair

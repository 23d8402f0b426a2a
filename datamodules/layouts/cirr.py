"""CIRR's layout (Liu et al. 2021, release rc2): captions/cap.rc2.*.json and image_splits/split.rc2.*.json."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datamodules.layouts.records import read_json, require_distinct, take, take_strings
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


def read_images(layout: Path, split: str) -> dict[str, str]:
    """Read the images of a split: name to path below the image root."""
    path = layout / "image_splits" / f"split.rc2.{split}.json"
    images = read_json(path, ORIGIN)
    if not isinstance(images, dict):
        raise DataError(f"{path}: expected an object of image names and paths, found {type(images).__name__}")
    for name in images:
        take(images, name, str, str(path))
    return images


def read_pairs(layout: Path, split: str) -> list[Pair]:
    """Read the annotations of a split; all have a target or none has."""
    path = layout / "captions" / f"cap.rc2.{split}.json"
    records = read_json(
        path, f"the captions of split {split!r} are needed here. {ORIGIN}: put the file there"
    )
    if not isinstance(records, list):
        raise DataError(f"{path}: expected a list of annotations, found {type(records).__name__}")
    pairs = [_pair(record, f"{path}, record {number}") for number, record in enumerate(records)]
    require_distinct((pair.pair_id for pair in pairs), "pair ids", path)
    without = [pair.pair_id for pair in pairs if pair.target is None]
    if 0 < len(without) < len(pairs):
        raise DataError(f"{path}: {len(without)} of {len(pairs)} pairs lack target_hard: {first(without)}")
    return pairs


def check_names(pairs: list[Pair], images: dict[str, str], layout: Path, split: str) -> None:
    """Check that every name stands for an image.

    A reference must be of the split. A target or a member may be of another split's list: it is then known
    but not in the gallery.

    Raises:
        DataError: some pairs name unknown images.
    """
    known = set(images)
    if any(not known.issuperset(_found(pair)) for pair in pairs):
        for path in (layout / "image_splits").glob("split.rc2.*.json"):
            known |= read_images(layout, path.name.removeprefix("split.rc2.").removesuffix(".json")).keys()
    for listed, names, whose in (
        (images.keys(), lambda pair: {pair.reference}, f"references unknown to split.rc2.{split}.json"),
        (known, _found, "targets or members unknown to every image split"),
    ):
        bad = {pair.pair_id: names(pair) - listed for pair in pairs if not names(pair) <= listed}
        if bad:
            unknown = sorted(set().union(*bad.values()))
            raise DataError(
                f"{layout}, split {split}: {len(bad)} pairs have {whose}: "
                f"pairs {first(bad)}; images {first(unknown)}. Correct the names, or take captions and image "
                "splits of the same release"
            )


def _found(pair: Pair) -> set[str]:
    """The images that can be an answer: target and members."""
    return {*pair.members, *((pair.target,) if pair.target is not None else ())}


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

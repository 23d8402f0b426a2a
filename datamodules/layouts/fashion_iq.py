"""FashionIQ's layout (Wu et al. 2021): captions/cap.*.json and image_splits/split.*.json, by category."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datamodules.layouts.problems import Problem, Report, fail, reporting
from datamodules.layouts.records import read_list, require_distinct, take, take_strings
from requery.errors import ConfigError, DataError, first

ORIGIN = "FashionIQ's captions and image splits are published at github.com/XiaoxiaoGuo/fashion-iq"
CATEGORIES = ("dress", "shirt", "toptee")

Product = tuple[str, str]
"""Category and ASIN: some images are of both shirts and tops, and two items then."""


@dataclass(frozen=True)
class Triplet:
    """One annotation: change `reference` as the captions say and find `target`.

    Args:
        query_id: the category and the place in its file; the file names none.
        reference: a product.
        target: another of its category; None where the benchmark keeps it.
        captions: two modification texts of one meaning, by two people.
    """

    query_id: str
    reference: Product
    target: Product | None
    captions: tuple[str, ...]

    @property
    def text(self) -> str:
        """Both captions, joined as QuRe's code joins them for training and evaluation.

        >>> Triplet("dress-0", ("dress", "A"), None, ("is black.", " has straps")).text
        'Is black and has straps'
        """
        one, other = (caption.strip(".?, ") for caption in self.captions)
        return f"{one.capitalize()} and {other}"


def read_triplets(root: Path, category: str, split: str, report: Report = fail) -> list[Triplet]:
    """Read the annotations of a category's split; all have a target or none has."""
    path = root / "captions" / f"cap.{category}.{split}.json"
    triplets: list[Triplet] = []
    for number, record in enumerate(read_list(path, f"put it there. {ORIGIN}", "annotations", report)):
        name = f"{category}-{number}"
        with reporting(report, name):
            triplets.append(_triplet(record, name, category, f"{path}, record {number}"))
    without = [triplet.query_id for triplet in triplets if triplet.target is None]
    if 0 < len(without) < len(triplets):
        report(Problem(f"{path}: {len(without)} of {len(triplets)} lack a target: {first(without)}"))
    return triplets


def read_split(root: Path, category: str, split: str, report: Report = fail) -> list[Product]:
    """Read the products of a category's split."""
    path = root / "image_splits" / f"split.{category}.{split}.json"
    names: Sequence[str] = ()
    with reporting(report):
        listed = {"images": read_list(path, f"put it there. {ORIGIN}", "ASINs", report)}
        names = take_strings(listed, "images", str(path))
        require_distinct(names, "ASINs", path)
    return [(category, name) for name in names]


def image_name(template: str, product: Product) -> str:
    """The file of a product's image below the image root.

    Args:
        template: such as `images/{asin}.png` or `image_data/{category}/{asin}.jpg`.
        product: whose.

    Raises:
        ConfigError: the template has another field, or does not tell products apart.
    """
    category, asin = product
    try:
        name = template.format(category=category, asin=asin)
    except (LookupError, ValueError) as error:
        raise ConfigError(f"images {template!r}: it may have {{asin}}, {{category}} ({error})") from error
    if asin not in name:
        raise ConfigError(f"images {template!r} is one file for all products; it needs {{asin}}")
    return name


def _triplet(record: object, name: str, category: str, where: str) -> Triplet:
    has_target = isinstance(record, dict) and "target" in record
    captions = take_strings(record, "captions", where)
    if len(captions) != 2:
        raise DataError(f"{where}: {len(captions)} captions instead of 2")
    return Triplet(
        query_id=name,
        reference=(category, take(record, "candidate", str, where)),
        target=(category, take(record, "target", str, where)) if has_target else None,
        captions=captions,
    )

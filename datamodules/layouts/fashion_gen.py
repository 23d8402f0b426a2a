"""Fashion-Gen (Rostamzadeh et al. 2018) as FashionViL (Han et al. 2022) extracts it: products and images.

It is published as HDF5, which holds images as arrays. The names and fields here are assumed from FashionViL's
reader of its own extraction.
"""

from __future__ import annotations

from pathlib import Path

from datamodules.layouts.captioned import Captioned, report_repeated
from datamodules.layouts.problems import Report, fail, reporting
from datamodules.layouts.records import read_json, take, take_strings
from requery.errors import DataError

ORIGIN = "FashionViL, github.com/BrandonHanx/mmf, extracts it from Fashion-Gen's HDF5 with the images"


def read_products(path: Path, split: str, report: Report = fail) -> list[Captioned]:
    """Read the products of a split, image by image; the first of each carries its one description.

    Each record has `id`, `images` (files in the folder named after the split), `title` and `description`;
    other fields are not used.

    A problem is that the file is absent or malformed, repeats a product or an image, or holds no product.
    """
    records: object = None
    with reporting(report):
        records = read_json(path, ORIGIN)
        if not isinstance(records, list):
            raise DataError(f"{path}: expected a list of products, found {type(records).__name__}")
    if not isinstance(records, list):
        return []
    items: list[Captioned] = []
    for number, record in enumerate(records):
        with reporting(report):
            items += _product(record, split, f"{path}, product {number}")
    report_repeated(items, "product ids", path, report)
    return items


def _product(record: object, split: str, where: str) -> list[Captioned]:
    product = str(take(record, "id", (int, str), where))
    text = f"{take(record, 'title', str, where)}.{take(record, 'description', str, where)}"
    names = take_strings(record, "images", where)
    if not names:
        raise DataError(f"{where} ({product}): has no image")
    group = f"product {product}"
    first = Captioned(names[0], f"{split}/{names[0]}", (text,), (product,), group)
    return [first, *(Captioned(name, f"{split}/{name}", (), (), group) for name in names[1:])]

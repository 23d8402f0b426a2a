"""Fashion-Gen: products with one description and several images."""

from __future__ import annotations

from pathlib import Path

from datamodules.captioned import CaptionedDataModule, Direction
from datamodules.layouts.captioned import Captioned
from datamodules.layouts.fashion_gen import read_products
from datamodules.layouts.files import OnBad
from datamodules.layouts.problems import Report
from requery.decode import Background
from requery.ranking import protocols
from requery.ranking.protocols import Protocol

OFFICIAL = {"train": "train", "val": "val", "test": "val"}
"""The challenge kept its test split: publications test on the validation split."""


class FashionGenDataModule(CaptionedDataModule):
    """Retrieval on Fashion-Gen (Rostamzadeh et al. 2018); our `val` and `test` are its validation split.

    From text, each product's title and description are one query, and every image of the product is right:
    the first is the target, the others have grade 1, and R@k is `hit_any@k`. From an image, the only right
    answer is its product's text. The gallery is the whole split. Title and description are joined by a full
    stop, as FashionViL does.

    Args:
        root: folder of `train_info.json` and `val_info.json`; default `$REQUERY_DATA/fashion_gen`.
        image_root: folder that holds the image folders `train` and `val`, within `root` or anywhere; default
            `root`.
        direction: `text_to_image` or `image_to_text`.
        batch_size: queries per training step.
        seed: of the order of training queries.
        num_workers: processes that load batches.
        on_bad: `error` lists missing images; `skip` leaves out missing and unreadable ones: an image query is
            dropped, a text without any image of its product is a miss (dropped in training), one without some
            of them keeps the rest, and all are counted.
        background: what shows under transparent pixels: `none` (stored colours) or `white`.
    """

    def __init__(
        self,
        root: str | None = None,
        image_root: str | None = None,
        direction: Direction = "text_to_image",
        batch_size: int = 64,
        seed: int = 0,
        num_workers: int = 0,
        on_bad: OnBad = "error",
        background: Background = "none",
    ) -> None:
        super().__init__(
            "fashion_gen", root, image_root, direction, batch_size, seed, num_workers, on_bad, background
        )

    def protocol(self, split: str) -> Protocol:
        return protocols.fashion_gen(OFFICIAL[split], self.direction)

    def annotation_file(self, split: str) -> str:
        return f"{OFFICIAL[split]}_info.json"

    def read_items(self, path: Path, split: str, report: Report) -> list[Captioned]:
        return read_products(path, OFFICIAL[split], report)

"""Nocaps: images by how far their objects are from COCO's."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from datamodules.captioned import CaptionedDataModule, Direction
from datamodules.layouts.captioned import Captioned
from datamodules.layouts.files import OnBad
from datamodules.layouts.nocaps import ANNOTATIONS, read_nocaps
from datamodules.layouts.problems import Problem, Report
from requery.decode import Background
from requery.ranking import protocols
from requery.ranking.protocols import Protocol

Domain = Literal["entire", "in-domain", "near-domain", "out-domain"]


class NocapsDataModule(CaptionedDataModule):
    """Retrieval on Nocaps' validation set (Agrawal et al. 2019): our `val` and `test` are both it.

    There is no training split, and its test captions are not public. From text, each caption is a query and
    its image the only right answer. From an image, all of its captions are right alike: the first is the
    target, the others have grade 1, and the published R@k is `hit_any@k`. Queries and gallery are the
    domain's alone. The annotations name images by file alone: all lie in one folder.

    Args:
        root: folder of `nocaps_val_4500_captions.json`; default `$REQUERY_DATA/nocaps`.
        image_root: folder of the images, within `root` or anywhere; default `root`.
        domain: `in-domain`, `near-domain`, `out-domain`, or `entire` for all.
        direction: `text_to_image` or `image_to_text`.
        batch_size: queries per batch.
        seed: of the order of queries.
        num_workers: processes that load batches.
        on_bad: `error` lists missing images; `skip` leaves out missing and unreadable ones: an image query is
            dropped, a caption without its image is a miss, and both are counted.
        background: what shows under transparent pixels: `none` (stored colours) or `white`.
    """

    def __init__(
        self,
        root: str | None = None,
        image_root: str | None = None,
        domain: Domain = "entire",
        direction: Direction = "text_to_image",
        batch_size: int = 64,
        seed: int = 0,
        num_workers: int = 0,
        on_bad: OnBad = "error",
        background: Background = "none",
    ) -> None:
        super().__init__(
            "nocaps", root, image_root, direction, batch_size, seed, num_workers, on_bad, background
        )
        self.domain: Domain = domain

    def protocol(self, split: str) -> Protocol:
        return protocols.nocaps(self.domain, self.direction)

    def annotation_file(self, split: str) -> str:
        return ANNOTATIONS

    def read_items(self, path: Path, split: str, report: Report) -> list[Captioned]:
        if split == "train":
            report(Problem(f"{path}: Nocaps has no train split; train on COCO, as its authors do"))
            return []
        return read_nocaps(path, self.domain, report)

"""Images with captions in the Karpathy layout: COCO, Flickr30k and whatever follows it."""

from __future__ import annotations

from pathlib import Path

from datamodules.captioned import CaptionedDataModule, Direction
from datamodules.layouts.captioned import Captioned
from datamodules.layouts.files import OnBad
from datamodules.layouts.karpathy import read_captioned
from datamodules.layouts.problems import Report
from requery.decode import Background
from requery.ranking import protocols
from requery.ranking.protocols import Protocol


class KarpathyDataModule(CaptionedDataModule):
    """Text-to-image or image-to-text retrieval under the protocol of COCO and Flickr30k.

    From text, each caption is a query and its image the only right answer. From an image, all of its captions
    are right alike: the first is the target, the others have grade 1, and the published R@k is `hit_any@k`.

    Args:
        root: folder of the annotation file; default `$REQUERY_DATA/name`.
        image_root: folder image paths start from, within `root` or anywhere; default `root`.
        name: the benchmark's name in protocols.
        annotations: the file in `root`; default `dataset_{name}.json`.
        direction: `text_to_image` or `image_to_text`.
        batch_size: queries per training step.
        seed: of the order of training queries.
        num_workers: processes that load batches.
        on_bad: `error` lists missing images; `skip` leaves out missing and unreadable ones: an image query is
            dropped, a caption without its image is a miss (dropped in training), and both are counted.
        background: what shows under transparent pixels: `none` (stored colours) or `white`.
    """

    def __init__(
        self,
        root: str | None = None,
        image_root: str | None = None,
        name: str = "coco",
        annotations: str | None = None,
        direction: Direction = "text_to_image",
        batch_size: int = 64,
        seed: int = 0,
        num_workers: int = 0,
        on_bad: OnBad = "error",
        background: Background = "none",
    ) -> None:
        super().__init__(name, root, image_root, direction, batch_size, seed, num_workers, on_bad, background)
        self.annotations = annotations or f"dataset_{name}.json"

    def protocol(self, split: str) -> Protocol:
        return protocols.karpathy(self.benchmark, split, self.direction)

    def annotation_file(self, split: str) -> str:
        return self.annotations

    def read_items(self, path: Path, split: str, report: Report) -> list[Captioned]:
        return read_captioned(path, split, report)

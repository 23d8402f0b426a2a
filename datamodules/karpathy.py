"""Images with captions in the Karpathy layout: COCO, Flickr30k and whatever follows it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from datamodules.captioned import CaptionedDataModule, Direction
from datamodules.layouts.captioned import Captioned
from datamodules.layouts.files import OnBad
from datamodules.layouts.hub import HubDataset, read_hub
from datamodules.layouts.karpathy import read_captioned
from datamodules.layouts.problems import Report
from requery.decode import Background
from requery.errors import ConfigError
from requery.ranking import protocols
from requery.ranking.protocols import Protocol

Queries = Literal["all", "first"]
"""Which captions of an image are queries."""


class KarpathyDataModule(CaptionedDataModule):
    """Text-to-image or image-to-text retrieval under the protocol of COCO and Flickr30k.

    From text, each caption is a query and its image the only right answer. From an image, all of its captions
    are right alike: the first is the target, the others have grade 1, and the published R@k is `hit_any@k`.
    The captions come from the annotation file, or from a dataset of the hub.

    Args:
        root: folder of the annotation file or, with `hub`, of the images; default `$REQUERY_DATA/name`.
        image_root: folder image paths start from, within `root` or anywhere; default `root`.
        name: the benchmark's name in protocols.
        annotations: the file in `root`; default `dataset_{name}.json`.
        hub: a dataset in place of that file.
        direction: `text_to_image` or `image_to_text`.
        queries: from text, `all` captions of an image, or the `first` alone as in work on relevance feedback:
            another protocol. `pairs` gives all of them in any case.
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
        hub: HubDataset | None = None,
        direction: Direction = "text_to_image",
        queries: Queries = "all",
        batch_size: int = 64,
        seed: int = 0,
        num_workers: int = 0,
        on_bad: OnBad = "error",
        background: Background = "none",
    ) -> None:
        super().__init__(name, root, image_root, direction, batch_size, seed, num_workers, on_bad, background)
        if hub is not None and annotations is not None:
            raise ConfigError(f"captions of {annotations} or of {hub.key}? Give annotations or hub, not both")
        if queries == "first" and direction != "text_to_image":
            raise ConfigError("queries: first needs captions that ask: set direction: text_to_image")
        self.annotations = annotations or f"dataset_{name}.json"
        self.hub = hub
        self.queries: Queries = queries

    def protocol(self, split: str) -> Protocol:
        if self.queries == "first":
            return protocols.first_caption(self.benchmark, split)
        return protocols.karpathy(self.benchmark, split, self.direction)

    def annotation_file(self, split: str) -> str:
        return self.annotations if self.hub is None else self.hub.key

    def read_items(self, path: Path, split: str, report: Report) -> list[Captioned]:
        return read_captioned(path, split, report) if self.hub is None else read_hub(self.hub, split, report)

    def asked(self, items: list[Captioned]) -> list[Captioned]:
        if self.queries == "all":
            return items
        return [replace(item, captions=item.captions[:1], caption_ids=item.caption_ids[:1]) for item in items]

"""Persons found by a description: CUHK-PEDES and ICFG-PEDES."""

from __future__ import annotations

from pathlib import Path

from datamodules.captioned import CaptionedDataModule
from datamodules.layouts.captioned import Captioned
from datamodules.layouts.files import OnBad
from datamodules.layouts.person_search import ANNOTATIONS, read_persons
from datamodules.layouts.problems import Report
from requery.decode import Background
from requery.errors import ConfigError
from requery.ranking import protocols
from requery.ranking.protocols import Protocol


class PersonSearchDataModule(CaptionedDataModule):
    """Text-to-image retrieval of persons (CUHK-PEDES, Li et al. 2017; ICFG-PEDES, Ding et al. 2021).

    Each caption is a query. Every image of the person is right: the one described is the target, the others
    have grade 1, and the published R@k is `hit_any@k`. The gallery is every image of the split.

    Args:
        root: folder of the annotation file; default `$REQUERY_DATA/name`.
        image_root: folder that holds `imgs`, within `root` or anywhere; default `root`.
        name: `cuhk_pedes` or `icfg_pedes`, or of a benchmark in their layout.
        annotations: the file in `root`; default `reid_raw.json` or `ICFG-PEDES.json`.
        val_split: the split validated on; ICFG-PEDES has no `val`, its users take `test`.
        batch_size: queries per training step.
        seed: of the order of training queries.
        num_workers: processes that load batches.
        on_bad: `error` lists missing images; `skip` leaves out missing and unreadable ones: a caption without
            any image of its person is a miss (dropped in training), one without some of them keeps the rest,
            and both are counted.
        background: what shows under transparent pixels: `none` (stored colours) or `white`.

    Raises:
        ConfigError: the benchmark is neither of the two, and `annotations` is not given.
    """

    def __init__(
        self,
        root: str | None = None,
        image_root: str | None = None,
        name: str = "cuhk_pedes",
        annotations: str | None = None,
        val_split: str = "val",
        batch_size: int = 64,
        seed: int = 0,
        num_workers: int = 0,
        on_bad: OnBad = "error",
        background: Background = "none",
    ) -> None:
        super().__init__(
            name, root, image_root, "text_to_image", batch_size, seed, num_workers, on_bad, background
        )
        if annotations is None and name not in ANNOTATIONS:
            known = " or ".join(ANNOTATIONS)
            raise ConfigError(f"data.annotations: which file holds {name}'s? It is known of {known} alone")
        self.annotations = annotations or ANNOTATIONS[name]
        self.splits = {"train": "train", "val": val_split, "test": "test"}

    def protocol(self, split: str) -> Protocol:
        return protocols.person_search(self.benchmark, self.splits[split])

    def annotation_file(self, split: str) -> str:
        return self.annotations

    def read_items(self, path: Path, split: str, report: Report) -> list[Captioned]:
        return read_persons(path, self.splits[split], report)

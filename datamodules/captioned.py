"""What the benchmarks of captioned images share: from the images a file lists to a task in one direction."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Literal

from datamodules.base import RetrievalDataModule
from datamodules.caption_tasks import image_to_text, text_to_image
from datamodules.doctor.quick import quick, require_sound
from datamodules.layouts.captioned import Captioned
from datamodules.layouts.files import OnBad, dataset_root, image_folder, unusable
from datamodules.layouts.problems import Problem, Report
from datamodules.sources import Query, Sources
from requery.decode import Background
from requery.images import FileImages
from requery.ranking.protocols import Protocol
from requery.task import RetrievalTask

Direction = Literal["text_to_image", "image_to_text"]


class CaptionedDataModule(RetrievalDataModule):
    """Text-to-image or image-to-text retrieval; a benchmark says which file to read, how, and its protocol.

    From text, each caption is a query; from an image, all captions of its group are right alike. Of the right
    items the query's own is the target and has grade 2, the others have grade 1.

    Args:
        name: the benchmark's name in protocols.
        root: folder of the annotation file; default `$REQUERY_DATA/name`.
        image_root: folder image paths start from, within `root` or anywhere; default `root`.
        direction: `text_to_image` or `image_to_text`.
        batch_size: queries per training step.
        seed: of the order of training queries.
        num_workers: processes that load batches.
        on_bad: `error` lists missing images; `skip` leaves out missing and unreadable ones: an image query is
            dropped, a caption without any image of its group is a miss (dropped in training), and both are
            counted, as are captions that lost some of their images.
        background: what shows under transparent pixels: `none` (stored colours) or `white`.
    """

    def __init__(
        self,
        name: str,
        root: str | None,
        image_root: str | None,
        direction: Direction,
        batch_size: int,
        seed: int,
        num_workers: int,
        on_bad: OnBad,
        background: Background,
    ) -> None:
        super().__init__(batch_size, seed, num_workers)
        self.benchmark, self.root, self.image_root = name, root, image_root
        self.direction: Direction = direction
        self.on_bad: OnBad = on_bad
        self.background: Background = background

    @abstractmethod
    def protocol(self, split: str) -> Protocol:
        """The rules `train`, `val` or `test` is scored under."""

    @abstractmethod
    def annotation_file(self, split: str) -> str:
        """The file below `root` that lists the images of a split."""

    @abstractmethod
    def read_items(self, path: Path, split: str, report: Report) -> list[Captioned]:
        """Read the images of a split from its annotation file."""

    def asked(self, items: list[Captioned]) -> list[Captioned]:
        """The images with those of their captions that take part in the task; all of them by default."""
        return items

    def build_task(self, split: str) -> RetrievalTask:
        """Read one split: `train`, `val` or `test`.

        Raises:
            DataError: files are missing, malformed or inconsistent; the message tells every problem.
        """
        items, sources = self._read(split)
        require_sound(quick(sources))
        bad = unusable(sources.paths, self.background) if self.on_bad == "skip" else set()
        good = {name: path for name, path in sources.paths.items() if name not in bad}
        images = FileImages(list(good.values()), list(good), self.background)
        build = text_to_image if self._from_text else image_to_text
        task = build(self.asked(items), images, self.protocol(split), split)
        dropped = len(sources.queries) - task.n_queries
        outside = int((task.qrels.target < 0).sum())
        notes = {
            "images_skipped": len(bad),
            "queries_dropped": dropped,
            "targets_outside_gallery": outside,
        }
        if self._from_text:
            affected = len(sources.affected(bad).get("target", []))
            notes["relevant_sets_reduced"] = affected - dropped - outside
        return replace(task, notes={key: count for key, count in notes.items() if count})

    def pairs(self, split: str) -> list[tuple[int, tuple[str, ...]]]:
        """Images with their captions, for pre-training: position in `task(split).images`, texts."""
        items = self._read(split)[0]
        of_group = {item.group: item.captions for item in items if item.captions}
        captions = {item.name: item.captions or of_group[item.group] for item in items}
        return [(position, captions[name]) for position, name in enumerate(self.task(split).images.ids)]

    def sources(self, split: str) -> Sources:
        """What the annotation file says of a split."""
        return self._read(split)[1]

    @property
    def _from_text(self) -> bool:
        return self.direction == "text_to_image"

    def _read(self, split: str) -> tuple[list[Captioned], Sources]:
        root = dataset_root(self.root, self.benchmark)
        folder = image_folder(self.image_root, root)
        file = self.annotation_file(split)
        problems: list[Problem] = []
        items = self.read_items(root / file, split, problems.append)
        asked = self.asked(items)
        sources = Sources(
            where=f"{self.benchmark}/{split}",
            names=[item.name for item in items],
            queries=_asked_by_text(asked) if self._from_text else _asked_by_image(asked),
            n_gallery=len(asked) if self._from_text else sum(len(item.captions) for item in asked),
            listed_in=file,
            paths={item.name: folder / item.path for item in items},
            problems=problems,
            skip_bad=self.on_bad == "skip",
            background=self.background,
        )
        return items, sources


def _asked_by_text(items: list[Captioned]) -> list[Query]:
    alike: dict[str, list[str]] = {}
    for item in items:
        alike.setdefault(item.group, []).append(item.name)
    targets = {group: {"target": tuple(names)} for group, names in alike.items()}
    return [
        Query(name, targets[item.group], text)
        for item in items
        for name, text in zip(item.caption_ids, item.captions, strict=True)
    ]


def _asked_by_image(items: list[Captioned]) -> list[Query]:
    return [Query(item.name, {"reference": (item.name,)}) for item in items]

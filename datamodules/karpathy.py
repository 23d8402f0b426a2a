"""Images with captions in the Karpathy layout: COCO, Flickr30k and whatever follows it."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch

from datamodules.base import RetrievalDataModule
from datamodules.doctor.quick import quick, require_sound
from datamodules.layouts.files import OnBad, dataset_root, image_folder, unusable
from datamodules.layouts.karpathy import Captioned, read_captioned
from datamodules.layouts.problems import Problem
from datamodules.sources import Query, Sources
from requery.decode import Background
from requery.images import FileImages
from requery.ragged import Ragged
from requery.ranking import protocols
from requery.ranking.protocols import Protocol
from requery.ranking.qrels import TARGET_GRADE, Qrels
from requery.task import RetrievalTask

Direction = Literal["text_to_image", "image_to_text"]


class KarpathyDataModule(RetrievalDataModule):
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
        super().__init__(batch_size, seed, num_workers)
        self.benchmark, self.root, self.image_root = name, root, image_root
        self.annotations = annotations or f"dataset_{name}.json"
        self.direction: Direction = direction
        self.on_bad: OnBad = on_bad
        self.background: Background = background

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
        protocol = protocols.karpathy(self.benchmark, split, self.direction)
        task = (_text_to_image if self._from_text else _image_to_text)(items, images, protocol, split)
        notes = {
            "images_skipped": len(bad),
            "queries_dropped": len(sources.queries) - task.n_queries,
            "targets_outside_gallery": int((task.qrels.target < 0).sum()),
        }
        return replace(task, notes={key: count for key, count in notes.items() if count})

    def pairs(self, split: str) -> list[tuple[int, tuple[str, ...]]]:
        """Images with their captions, for pre-training: position in `task(split).images`, texts."""
        captions = {item.name: item.captions for item in self._read(split)[0]}
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
        problems: list[Problem] = []
        items = read_captioned(root / self.annotations, split, problems.append)
        captions = [
            (item, name, text)
            for item in items
            for name, text in zip(item.caption_ids, item.captions, strict=True)
        ]
        if self._from_text:
            queries = [Query(name, {"target": (item.name,)}, text) for item, name, text in captions]
        else:
            queries = [Query(item.name, {"reference": (item.name,)}) for item in items]
        sources = Sources(
            where=f"{self.benchmark}/{split}",
            names=[item.name for item in items],
            queries=queries,
            n_gallery=len(items) if self._from_text else len(captions),
            listed_in=self.annotations,
            paths={item.name: folder / item.path for item in items},
            problems=problems,
            skip_bad=self.on_bad == "skip",
            background=self.background,
        )
        return items, sources


def _text_to_image(
    items: list[Captioned], images: FileImages, protocol: Protocol, split: str
) -> RetrievalTask:
    at = {name: position for position, name in enumerate(images.ids)}
    captions = [
        (caption_id, caption, at.get(item.name, -1))
        for item in items
        if item.name in at or split != "train"  # nothing is learnt from a caption without its image
        for caption_id, caption in zip(item.caption_ids, item.captions, strict=True)
    ]
    return RetrievalTask(
        protocol=protocol,
        split=split,
        images=images,
        query_ids=[caption_id for caption_id, _, _ in captions],
        gallery_ids=images.ids,
        qrels=Qrels.from_targets(torch.tensor([position for _, _, position in captions], dtype=torch.int64)),
        query_text=[caption for _, caption, _ in captions],
        gallery_image=torch.arange(len(images)),
    )


def _image_to_text(
    items: list[Captioned], images: FileImages, protocol: Protocol, split: str
) -> RetrievalTask:
    """Captions of images that were left out stay in the gallery: they need no image to be retrieved."""
    rows, start = {}, 0
    for item in items:
        rows[item.name] = range(start, start + len(item.captions))
        start += len(item.captions)
    relevant = Ragged.from_rows([list(rows[name]) for name in images.ids])
    target = relevant.values[relevant.offsets[:-1]]  # the first caption of each image
    grades = torch.ones_like(relevant.values)
    grades[relevant.offsets[:-1]] = TARGET_GRADE
    return RetrievalTask(
        protocol=protocol,
        split=split,
        images=images,
        query_ids=images.ids,
        gallery_ids=[caption_id for item in items for caption_id in item.caption_ids],
        qrels=Qrels(target, relevant, grades),
        query_image=torch.arange(len(images)),
        gallery_text=[caption for item in items for caption in item.captions],
    )

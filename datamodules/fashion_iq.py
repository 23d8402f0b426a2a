"""FashionIQ: products changed by two captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from datamodules.base import RetrievalDataModule
from datamodules.doctor.quick import quick, require_sound
from datamodules.layouts.fashion_iq import CATEGORIES, Product, Triplet, image_name, read_split, read_triplets
from datamodules.layouts.files import OnBad, dataset_root, image_folder, unusable
from datamodules.layouts.problems import Problem
from datamodules.sources import Query, Sources
from requery.errors import ConfigError
from requery.images import FileImages
from requery.ragged import Ragged
from requery.ranking.composed_protocols import fashion_iq
from requery.ranking.qrels import Qrels
from requery.task import RetrievalTask

Category = Literal["dress", "shirt", "toptee", "all"]
Gallery = Literal["original", "val"]


class FashionIQDataModule(RetrievalDataModule):
    """Composed retrieval in FashionIQ's official layout (Wu et al. 2021), a gallery for each category.

    The test split's targets are not published: our `test` is the official val split, as in all publications,
    which choose their checkpoint by it too. In training a query's corpus is the targets of its category.

    Args:
        root: folder of `captions` and `image_splits`; default `$REQUERY_DATA/fashion_iq`.
        image_root: folder images lie below, within `root` or anywhere; default `root`.
        images: file of an image below it, with `{asin}` and, if need be, `{category}`.
        category: one of the three, or `all`: trained on together, and each query ranked in its own category.
        gallery: `original`, the category's whole split, or `val`, its references and targets alone: easier,
            and another protocol.
        train_split: the split trained on.
        val_split: the split validated on.
        test_split: the split tested; `test` can only be predicted.
        batch_size: queries per training step.
        seed: of the order of training queries.
        num_workers: processes that load batches.
        on_bad: `error` lists missing images; `skip` leaves out missing and unreadable ones: a query without
            its reference is dropped, one without its target is a miss, and both are counted.
    """

    def __init__(
        self,
        root: str | None = None,
        image_root: str | None = None,
        images: str = "images/{asin}.png",
        category: Category = "all",
        gallery: Gallery = "original",
        train_split: str = "train",
        val_split: str = "val",
        test_split: str = "val",
        batch_size: int = 32,
        seed: int = 0,
        num_workers: int = 0,
        on_bad: OnBad = "error",
    ) -> None:
        super().__init__(batch_size, seed, num_workers)
        if category not in get_args(Category):
            raise ConfigError(f"category {category!r} is none of {', '.join(get_args(Category))}")
        if gallery not in get_args(Gallery):
            raise ConfigError(f"gallery {gallery!r} is none of {', '.join(get_args(Gallery))}")
        image_name(images, ("dress", "B000"))  # refuses a wrong template now
        self.root, self.image_root, self.images = root, image_root, images
        self.category, self.gallery = category, gallery
        self.categories = CATEGORIES if category == "all" else (category,)
        self.splits = {"train": train_split, "val": val_split, "test": test_split}
        self.on_bad: OnBad = on_bad

    def build_task(self, split: str) -> RetrievalTask:
        """Read one split: `train`, `val` or `test`.

        Raises:
            DataError: files are missing, malformed or inconsistent; the message tells every problem.
        """
        triplets, gallery, sources = self._read(split)
        require_sound(quick(sources, needs_truth=split == "train"))
        bad = unusable(sources.paths, "none") if self.on_bad == "skip" else set()
        paths = {name: path for name, path in sources.paths.items() if name not in bad}
        task = self._task(triplets, [item for item in gallery if self._file(item) in paths], paths, split)
        notes = {
            "images_skipped": len(bad),
            "queries_dropped": len(triplets) - task.n_queries,
            "targets_outside_gallery": int((task.qrels.target < 0).sum()) if task.has_truth else 0,
        }
        return replace(task, notes={key: count for key, count in notes.items() if count})

    def sources(self, split: str) -> Sources:
        """What the captions and image lists of a split say."""
        return self._read(split)[2]

    def _read(self, split: str) -> tuple[list[Triplet], list[Product], Sources]:
        official, root = self.splits[split], dataset_root(self.root, "fashion_iq")
        folder = image_folder(self.image_root, root)
        problems: list[Problem] = []
        triplets: list[Triplet] = []
        gallery: list[Product] = []
        for category in self.categories:
            own = read_triplets(root, category, official, problems.append)
            triplets += own
            if split != "train" and self.gallery == "original":
                gallery += read_split(root, category, official, problems.append)
                continue
            references = [] if split == "train" else [t.reference for t in own]
            gallery += dict.fromkeys([*references, *(t.target for t in own if t.target is not None)])
        used = [*gallery, *(t.reference for t in triplets if split == "train")]
        names = list(dict.fromkeys(map(self._file, used)))
        has_truth = all(triplet.target is not None for triplet in triplets)
        if self.gallery == "val" and not has_truth:
            problems.append(Problem(f"{root}: the gallery val is made of targets; set gallery: original"))
        sources = Sources(
            where=f"fashion_iq/{official}/{self.category}",
            names=names,
            queries=[self._query(triplet) for triplet in triplets],
            n_gallery=len(gallery),
            listed_in=f"split.*.{official}.json",
            paths={name: folder / name for name in names},
            has_truth=has_truth,
            problems=problems,
            skip_bad=self.on_bad == "skip",
        )
        return triplets, gallery, sources

    def _file(self, product: Product) -> str:
        return image_name(self.images, product)

    def _query(self, triplet: Triplet) -> Query:
        target = () if triplet.target is None else (self._file(triplet.target),)
        return Query(
            triplet.query_id, {"reference": (self._file(triplet.reference),), "target": target}, triplet.text
        )

    def _task(
        self, triplets: Sequence[Triplet], gallery: Sequence[Product], paths: dict[str, Path], split: str
    ) -> RetrievalTask:
        at = {name: position for position, name in enumerate(paths)}
        place: dict[Product | None, int] = {product: index for index, product in enumerate(gallery)}
        trained, official = split == "train", self.splits[split]
        kept = [t for t in triplets if self._file(t.reference) in at and (not trained or t.target in place)]
        references = [t.reference for t in kept]
        query_group, gallery_group = _groups(references), _groups(gallery)
        if trained:  # what negatives.exclude_reference is about: it may be another query's target
            excluded = Ragged.from_rows([[place[r]] if r in place else [] for r in references])
        else:
            excluded = _others(query_group, gallery_group)
        target = torch.tensor([place.get(t.target, -1) for t in kept], dtype=torch.int64)
        return RetrievalTask(
            protocol=fashion_iq(official, "targets" if trained else self.gallery, self.category),
            split=split,
            images=FileImages(list(paths.values()), list(paths)),
            query_ids=[t.query_id for t in kept],
            gallery_ids=["/".join(product) for product in gallery],
            qrels=Qrels.from_targets(target, excluded),
            query_image=torch.tensor([at[self._file(product)] for product in references]),
            query_text=[t.text for t in kept],
            gallery_image=torch.tensor([at[self._file(product)] for product in gallery]),
            query_group=query_group,
            gallery_group=gallery_group,
            has_truth=all(t.target is not None for t in triplets),
        )


def _groups(products: Sequence[Product]) -> Tensor:
    return torch.tensor([CATEGORIES.index(category) for category, _ in products], dtype=torch.int64)


def _others(query_group: Tensor, gallery_group: Tensor) -> Ragged:
    """The items of other categories than each query's, in int32: 62 million for the val split."""
    others = [(gallery_group != group).nonzero().flatten().int() for group in range(len(CATEGORIES))]
    rows = [others[group] for group in query_group.tolist()]
    return Ragged.from_rows(rows, torch.int32)

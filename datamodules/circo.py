"""CIRCO: composed queries over COCO's unlabelled photographs, with several right images each."""

from __future__ import annotations

from typing import Literal

import torch

from datamodules.base import RetrievalDataModule
from datamodules.caption_tasks import graded
from datamodules.doctor.quick import quick, require_sound
from datamodules.layouts.circo import COCO, IMAGE_INFO, CircoQuery, read_images, read_queries
from datamodules.layouts.files import OnBad, dataset_root, image_folder, unusable
from datamodules.layouts.problems import Problem
from datamodules.sources import Query, Sources
from requery.images import FileImages
from requery.ranking.composed_protocols import circo
from requery.task import RetrievalTask

Queries = Literal["caption", "prompt"]


class CIRCODataModule(RetrievalDataModule):
    """Zero-shot composed retrieval (Baldrati et al. 2023): `val` has its truth, `test` is for the server.

    There is no train split. The gallery is every unlabelled image of COCO 2017, the reference among them. The
    target has grade 2, the other right images grade 1.

    Args:
        root: folder of `annotations`; default `$REQUERY_DATA/circo`.
        image_root: COCO's folder of `annotations` and `unlabeled2017`, within `root` or anywhere; default
            `COCO2017_unlabeled` in `root`.
        queries: `caption` as it stands, or the `prompt` that QuRe evaluates with; another protocol.
        val_split: the split validated on.
        test_split: the split tested; `val` is scored here.
        batch_size: queries per batch.
        seed: of the order of queries.
        num_workers: processes that load batches.
        on_bad: `error` lists missing images; `skip` leaves out missing and unreadable ones: a query without
            its reference is dropped, a right image that is left out cannot be found, and both are counted.
    """

    def __init__(
        self,
        root: str | None = None,
        image_root: str | None = None,
        queries: Queries = "caption",
        val_split: str = "val",
        test_split: str = "test",
        batch_size: int = 32,
        seed: int = 0,
        num_workers: int = 0,
        on_bad: OnBad = "error",
    ) -> None:
        super().__init__(batch_size, seed, num_workers)
        circo(val_split, queries)  # refuses other queries now
        self.root, self.image_root, self.asked = root, image_root, queries
        self.splits = {"val": val_split, "test": test_split}
        self.on_bad: OnBad = on_bad

    def build_task(self, split: str) -> RetrievalTask:
        """Read `val` or `test`.

        Raises:
            DataError: files are missing, malformed or inconsistent; the message tells every problem.
        """
        queries, sources = self._read(split)
        require_sound(quick(sources))
        bad = unusable(sources.paths, "none") if self.on_bad == "skip" else set()
        paths = {name: path for name, path in sources.paths.items() if name not in bad}
        at = {name: position for position, name in enumerate(paths)}
        kept = [query for query in queries if query.reference in at]
        target = [-1 if query.target is None else at.get(query.target, -1) for query in kept]
        notes = {
            "images_skipped": len(bad),
            "queries_dropped": len(queries) - len(kept),
            "targets_outside_gallery": target.count(-1) if sources.has_truth else 0,
            "relevant_sets_reduced": sum(not bad.isdisjoint(query.relevant) for query in kept),
        }
        return RetrievalTask(
            protocol=circo(self.splits[split], self.asked),
            split=split,
            images=FileImages(list(paths.values()), list(paths)),
            query_ids=[query.query_id for query in kept],
            gallery_ids=list(paths),
            qrels=graded(target, [sorted(at[name] for name in q.relevant if name in at) for q in kept]),
            query_image=torch.tensor([at[query.reference] for query in kept]),
            query_text=[self._text(query) for query in kept],
            gallery_image=torch.arange(len(paths)),
            notes={key: count for key, count in notes.items() if count},
            has_truth=sources.has_truth,
        )

    def sources(self, split: str) -> Sources:
        """What the annotations and COCO's list of images say."""
        return self._read(split)[1]

    def _text(self, query: CircoQuery) -> str:
        return query.caption if self.asked == "caption" else f"a photo of $ that {query.caption}"

    def _read(self, split: str) -> tuple[list[CircoQuery], Sources]:
        root = dataset_root(self.root, "circo")
        coco = root / COCO if self.image_root is None else image_folder(self.image_root, root)
        problems: list[Problem] = []
        queries: list[CircoQuery] = []
        images: dict[str, str] = {}
        if split == "train":
            problems.append(Problem(f"{root}: CIRCO has no train split; train on CIRR and test here"))
        else:
            queries = read_queries(root, self.splits[split], problems.append)
            images = read_images(coco, problems.append)
        sources = Sources(
            where=f"circo/{self.splits.get(split, split)}",
            names=list(images),
            queries=[
                Query(q.query_id, {"reference": (q.reference,), "target": q.relevant}, self._text(q))
                for q in queries
            ],
            n_gallery=len(images),
            listed_in=IMAGE_INFO,
            paths={name: coco / "unlabeled2017" / file for name, file in images.items()},
            has_truth=all(query.target is not None for query in queries),
            problems=problems,
            skip_bad=self.on_bad == "skip",
        )
        return queries, sources

"""CIRR and datasets in its layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from datamodules.base import RetrievalDataModule
from datamodules.doctor.quick import quick, require_sound
from datamodules.layouts import cirr as layout
from datamodules.layouts.cirr import Pair
from datamodules.layouts.files import OnBad, dataset_root, image_folder, unusable
from datamodules.layouts.problems import Problem
from datamodules.sources import Query, Sources
from requery.decode import Background
from requery.images import FileImages
from requery.ragged import Ragged
from requery.ranking.composed_protocols import cirr
from requery.ranking.qrels import Qrels
from requery.task import RetrievalTask


class CIRRDataModule(RetrievalDataModule):
    """Composed retrieval in CIRR's official layout (Liu et al. 2021).

    The gallery is every image of the split. A target that lies in another split's image list counts as a
    miss in evaluation; in training, where there is nothing to learn from it, the query is dropped. Both are
    counted in the task's notes.

    Args:
        root: folder that holds `cirr/captions` and `cirr/image_splits` (or these directly); default
            `$REQUERY_DATA/name`.
        image_root: folder image paths start from, within `root` or anywhere; default `root`.
        name: the benchmark's name in protocols (`cirr`, `emoji_cirr`).
        train_split: the split trained on.
        val_split: the split validated on.
        test_split: the split tested; where it has no targets (`test1` of CIRR) it can only be predicted.
        batch_size: queries per training step.
        seed: of the order of training queries.
        num_workers: processes that load batches.
        on_bad: `error` lists missing images; `skip` leaves out missing and unreadable ones: a query without
            its reference is dropped, one without its target is a miss, and both are counted.
        background: what shows under transparent pixels: `none` (stored colours) or `white`.
    """

    def __init__(
        self,
        root: str | None = None,
        image_root: str | None = None,
        name: str = "cirr",
        train_split: str = "train",
        val_split: str = "val",
        test_split: str = "test1",
        batch_size: int = 32,
        seed: int = 0,
        num_workers: int = 0,
        on_bad: OnBad = "error",
        background: Background = "none",
    ) -> None:
        super().__init__(batch_size, seed, num_workers)
        self.benchmark, self.root, self.image_root = name, root, image_root
        self.splits = {"train": train_split, "val": val_split, "test": test_split}
        self.on_bad: OnBad = on_bad
        self.background: Background = background

    def build_task(self, split: str) -> RetrievalTask:
        """Read one split: `train`, `val` or `test`.

        Raises:
            DataError: files are missing, malformed or inconsistent; the message tells every problem.
        """
        pairs, sources = self._read(split)
        require_sound(quick(sources, needs_truth=split == "train"))
        bad = unusable(sources.paths, self.background) if self.on_bad == "skip" else set()
        paths = {name: path for name, path in sources.paths.items() if name not in bad}
        return self._task(pairs, paths, len(bad), split)

    def sources(self, split: str) -> Sources:
        """What the captions and image lists of a split say."""
        return self._read(split)[1]

    def _read(self, split: str) -> tuple[list[Pair], Sources]:
        official = self.splits[split]
        root = dataset_root(self.root, self.benchmark)
        folder, images_at = layout.find_layout(root), image_folder(self.image_root, root)
        problems: list[Problem] = []
        pairs = layout.read_pairs(folder, official, problems.append)
        listed = layout.read_images(folder, official, problems.append)
        queries = [_query(pair) for pair in pairs]
        if all(listed.keys() >= {name for names in q.images.values() for name in names} for q in queries):
            elsewhere = frozenset[str]()
        else:
            elsewhere = layout.read_names(folder, problems.append) - listed.keys()
        sources = Sources(
            where=f"{self.benchmark}/{official}",
            names=list(listed),
            queries=queries,
            n_gallery=len(listed),
            listed_in=f"split.rc2.{official}.json",
            paths={name: images_at / relative for name, relative in listed.items()},
            elsewhere=elsewhere,
            has_truth=all(pair.target is not None for pair in pairs),
            problems=problems,
            skip_bad=self.on_bad == "skip",
            background=self.background,
        )
        return pairs, sources

    def _task(
        self, pairs: Sequence[Pair], paths: dict[str, Path], n_skipped: int, split: str
    ) -> RetrievalTask:
        at = {name: position for position, name in enumerate(paths)}
        kept = [p for p in pairs if p.reference in at and (split != "train" or p.target in at)]
        target = torch.tensor(
            [-1 if p.target is None else at.get(p.target, -1) for p in kept], dtype=torch.int64
        )
        reference = torch.tensor([at[p.reference] for p in kept], dtype=torch.int64)
        subset = [[at[m] for m in p.members if m in at and m != p.reference] for p in kept]
        has_truth = all(p.target is not None for p in pairs)
        notes = {
            "images_skipped": n_skipped,
            "queries_dropped": len(pairs) - len(kept),
            "targets_outside_gallery": int((target < 0).sum()) if has_truth else 0,
            "subsets_reduced": sum(any(m not in at and m != p.target for m in p.members) for p in kept),
        }
        return RetrievalTask(
            protocol=cirr(self.splits[split], self.benchmark),
            split=split,
            images=FileImages(list(paths.values()), list(paths), self.background),
            query_ids=[p.pair_id for p in kept],
            gallery_ids=list(paths),
            qrels=Qrels.from_targets(
                target,
                excluded=Ragged(reference, torch.arange(len(kept) + 1)),
                subset=Ragged.from_rows(subset),
            ),
            query_image=reference,
            query_text=[p.caption for p in kept],
            gallery_image=torch.arange(len(at)),
            notes={key: count for key, count in notes.items() if count},
            has_truth=has_truth,
        )


def _query(pair: Pair) -> Query:
    reference, target = (pair.reference,), () if pair.target is None else (pair.target,)
    others = tuple(name for name in pair.members if name not in (*reference, *target))
    return Query(pair.pair_id, {"reference": reference, "target": target, "member": others}, pair.caption)

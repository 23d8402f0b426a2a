"""CIRR and datasets in its layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from datamodules.base import RetrievalDataModule
from datamodules.layouts import cirr as layout
from datamodules.layouts.cirr import Pair
from datamodules.layouts.files import OnBad, bad_images, dataset_root, image_folder
from requery.decode import Background
from requery.errors import DataError
from requery.images import FileImages
from requery.ragged import Ragged
from requery.ranking import protocols
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
            DataError: files are missing, malformed or inconsistent.
        """
        official = self.splits[split]
        root = dataset_root(self.root, self.benchmark)
        folder = layout.find_layout(root)
        pairs, listed = layout.read_pairs(folder, official), layout.read_images(folder, official)
        layout.check_names(pairs, listed, folder, official)
        if split == "train" and any(pair.target is None for pair in pairs):
            raise DataError(
                f"{self.benchmark}/{official}: a split without targets cannot be trained on; set train_split"
            )
        images_at = image_folder(self.image_root, root)
        paths = {name: images_at / relative for name, relative in listed.items()}
        uses = [(pair.reference, pair.target) for pair in pairs]
        bad = bad_images(paths, uses, self.on_bad, self.background, f"{self.benchmark}/{official}")
        return self._task(pairs, {n: p for n, p in paths.items() if n not in bad}, len(bad), split)

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
            protocol=protocols.cirr(self.splits[split], self.benchmark),
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

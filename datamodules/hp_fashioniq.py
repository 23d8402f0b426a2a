"""HP-FashionIQ: which of two retrieved lists people prefer."""

from __future__ import annotations

from pathlib import Path

import torch

from datamodules.base import RetrievalDataModule
from datamodules.doctor.quick import quick, require_sound
from datamodules.layouts.fashion_iq import Product, image_name
from datamodules.layouts.files import OnBad, dataset_root, image_folder, unusable
from datamodules.layouts.hp_fashioniq import ANNOTATIONS, Judgement, read_judgements
from datamodules.layouts.problems import Problem
from datamodules.sources import Query, Sources
from requery.images import FileImages
from requery.ranking.composed_protocols import hp_fashioniq
from requery.ranking.preference import Preferences
from requery.ranking.qrels import Qrels
from requery.task import RetrievalTask


class HPFashionIQDataModule(RetrievalDataModule):
    """Human preferences over FashionIQ's val queries (Kwak et al. 2025), for `PreferenceModule`.

    There is no train split; `val` and `test` are all judgements. The paper leaves some out as irrelevant and
    publishes no list of them. The gallery is what the lists show; what counts is `preferences`, not targets.

    Args:
        root: folder of `hpfiq.json`; default `$REQUERY_DATA/hp_fashioniq`.
        image_root: folder FashionIQ's images lie below, within `root` or anywhere; default `root`.
        images: file of an image below it, with `{asin}` and, if need be, `{category}`.
        batch_size: queries per batch.
        seed: of the order of queries.
        num_workers: processes that load batches.
        on_bad: `error` lists missing images; `skip` leaves out every judgement that needs a missing or
            unreadable one, and counts them.
    """

    def __init__(
        self,
        root: str | None = None,
        image_root: str | None = None,
        images: str = "image_data/{category}/{asin}.jpg",
        batch_size: int = 32,
        seed: int = 0,
        num_workers: int = 0,
        on_bad: OnBad = "error",
    ) -> None:
        super().__init__(batch_size, seed, num_workers)
        image_name(images, ("shirt", "B000"))  # refuses a wrong template now
        self.root, self.image_root, self.images = root, image_root, images
        self.on_bad: OnBad = on_bad
        self._used: dict[str, tuple[list[Judgement], dict[str, int]]] = {}

    def build_task(self, split: str) -> RetrievalTask:
        """Read `val` or `test`.

        Raises:
            DataError: files are missing, malformed or inconsistent; the message tells every problem.
        """
        judgements, notes = self._usable(split)
        shown, names, folder = _shown(judgements), self._names(judgements), self._folder()
        at = {name: position for position, name in enumerate(names)}
        return RetrievalTask(
            protocol=hp_fashioniq(),
            split=split,
            images=FileImages([folder / name for name in names], names),
            query_ids=[judgement.name for judgement in judgements],
            gallery_ids=["/".join(product) for product in shown],
            qrels=Qrels.from_targets(torch.full((len(judgements),), -1)),
            query_image=torch.tensor([at[self._file(judgement.reference)] for judgement in judgements]),
            query_text=[judgement.sentence for judgement in judgements],
            gallery_image=torch.tensor([at[self._file(product)] for product in shown]),
            notes=notes,
            has_truth=False,
        )

    def preferences(self, split: str) -> Preferences:
        """The judgements, in the task's order."""
        judgements, _ = self._usable(split)
        place = {product: index for index, product in enumerate(_shown(judgements))}
        return Preferences(
            torch.tensor([[[place[p] for p in products] for products in j.lists] for j in judgements]),
            torch.tensor([judgement.preferred for judgement in judgements]),
        )

    def sources(self, split: str) -> Sources:
        """What the file says."""
        return self._read(split)[1]

    def _read(self, split: str) -> tuple[list[Judgement], Sources]:
        root, folder = dataset_root(self.root, "hp_fashioniq"), self._folder()
        problems: list[Problem] = []
        judgements: list[Judgement] = []
        if split == "train":
            problems.append(Problem(f"{root}: HP-FashionIQ has no train split; train on FashionIQ"))
        else:
            judgements = read_judgements(root, problems.append)
        names = self._names(judgements)
        sources = Sources(
            where=f"hp_fashioniq/{split}",
            names=names,
            queries=[
                Query(
                    judgement.name,
                    {
                        "reference": (self._file(judgement.reference),),
                        "member": tuple(self._file(p) for p in _shown([judgement])),
                    },
                    judgement.sentence,
                )
                for judgement in judgements
            ],
            n_gallery=len(_shown(judgements)),
            listed_in=ANNOTATIONS,
            paths={name: folder / name for name in names},
            problems=problems,
            skip_bad=self.on_bad == "skip",
        )
        return judgements, sources

    def _usable(self, split: str) -> tuple[list[Judgement], dict[str, int]]:
        """The judgements whose images are all there, and how many images and judgements are left out."""
        if split not in self._used:
            judgements, sources = self._read(split)
            require_sound(quick(sources))
            bad = unusable(sources.paths, "none") if self.on_bad == "skip" else set()
            lost = {name for names in sources.affected(bad).values() for name in names}
            kept = [judgement for judgement in judgements if judgement.name not in lost]
            notes = {"images_skipped": len(bad), "queries_dropped": len(lost)}
            self._used[split] = kept, {key: count for key, count in notes.items() if count}
        return self._used[split]

    def _folder(self) -> Path:
        return image_folder(self.image_root, dataset_root(self.root, "hp_fashioniq"))

    def _names(self, judgements: list[Judgement]) -> list[str]:
        """Every image that judgements need."""
        products = [*_shown(judgements), *(judgement.reference for judgement in judgements)]
        return list(dict.fromkeys(map(self._file, products)))

    def _file(self, product: Product) -> str:
        return image_name(self.images, product)


def _shown(judgements: list[Judgement]) -> list[Product]:
    """Every product of a list, in the file's order: the gallery."""
    return list(dict.fromkeys(p for j in judgements for products in j.lists for p in products))

"""Any benchmark with its queries shifted: corrupted images or texts, the gallery as it was."""

from __future__ import annotations

from datamodules.base import RetrievalDataModule
from datamodules.sources import Sources
from requery.corruptions.mixture import Mixture
from requery.corruptions.shifting import shift_task
from requery.corruptions.tools import TextSources
from requery.errors import ConfigError
from requery.task import RetrievalTask


class QueryShift(RetrievalDataModule):
    """Shifts the queries of another DataModule while they are loaded; nothing is written.

    Kinds of image corruption change the query's image, kinds of text its text. An image that is a query's
    reference and in the gallery is corrupted in the query alone. Protocol, ids and truth stay; what was done
    stands beside the protocol wherever a score is printed.

    Args:
        source: the benchmark.
        kind: one of the kinds in `docs/shift.md`; of several, each query draws one.
        severity: 1 to 5 for images, 1 to 7 for characters and words, 1 for sentences; of several, each query
            draws one; null takes each kind's highest, as the published tables do.
        clean: share of the queries that stay as they are.
        shift_seed: seed of all these draws; not that of the training, so that runs of several seeds are
            tested on the same queries.
        reference_side: scale lengths in pixels by the image's shorter side over this (224 for small images
            such as those of Shapes); null takes them as published.
        gallery: shift the gallery too.
        splits: the splits shifted; others are the source's.
        text: files and checkpoints that some kinds of text need.
        seed: seed of the training order.
    """

    def __init__(
        self,
        source: RetrievalDataModule,
        kind: str | list[str],
        severity: int | list[int] | None = None,
        clean: float = 0.0,
        shift_seed: int = 0,
        reference_side: int | None = None,
        gallery: bool = False,
        splits: tuple[str, ...] = ("val", "test"),
        text: TextSources = TextSources(),
        seed: int = 0,
    ) -> None:
        super().__init__(source.batch_size, seed, source.num_workers)
        source.seed = seed
        if reference_side is not None and reference_side < 1:
            raise ConfigError(f"data.reference_side is {reference_side}; it must be at least 1, or null")
        self.source, self.disjoint, self.splits = source, source.disjoint, splits
        self.mixture = Mixture.of(kind, severity, shift_seed, clean)
        self.reference_side, self.gallery, self.text = reference_side, gallery, text

    def build_task(self, split: str) -> RetrievalTask:
        """The source's task with its queries shifted.

        Raises:
            ConfigError: a kind finds nothing to change, or needs a tool that is not given.
            DataError: the source's files, or those of the text's tools, are missing or malformed.
        """
        task = self.source.task(split)
        if split not in self.splits:
            return task
        tools = self.text.open(self.mixture.kinds)
        return shift_task(task, self.mixture, tools, self.reference_side, self.gallery)

    def sources(self, split: str) -> Sources | None:
        """What the source's files say."""
        return self.source.sources(split)

    def pairs(self, split: str) -> list[tuple[int, tuple[str, ...]]]:
        """The source's pairs: its images keep their positions, and stay as they are."""
        return self.source.pairs(split)

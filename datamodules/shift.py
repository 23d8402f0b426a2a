"""Any benchmark with its queries shifted: corrupted images or texts, the gallery as it was."""

from __future__ import annotations

from dataclasses import replace

from datamodules.base import RetrievalDataModule
from datamodules.sources import Sources
from requery.corruptions.mixture import Mixture
from requery.corruptions.shifting import shift_task
from requery.corruptions.tools import TextSources
from requery.errors import ConfigError
from requery.expansion.trace import VisualQuestion
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
        self.source, self.splits = source, splits
        self.disjoint, self.match = source.disjoint, source.match
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

    def questions(self, split: str) -> list[VisualQuestion]:
        """The source's questions about the shifted images; shifted words stand without a caption beside."""
        task, before = self.task(split), self.source.task(split)
        asked = self.source.questions(split)
        if task.query_image is not None:
            places = task.query_image.tolist()
            asked = [replace(one, image=(task.images, at)) for one, at in zip(asked, places, strict=True)]
        if task.query_text is None or task.query_text == before.query_text:
            return asked
        return [
            replace(one, question=text, caption=None)
            for one, text in zip(asked, task.query_text, strict=True)
        ]

    def answers(self, split: str) -> list[tuple[str, ...]]:
        """The source's answers."""
        return self.source.answers(split)

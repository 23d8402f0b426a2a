"""A benchmark's test queries under many shifts, as the streams that an adapting model meets."""

from __future__ import annotations

from functools import lru_cache

import torch

from datamodules.base import RetrievalDataModule
from datamodules.sampling import IndexLoader, QueryBlocks
from datamodules.sources import Sources
from requery.corruptions import (
    EMBEDDED_TEXT_KINDS,
    Mixture,
    TextTools,
    max_severity,
    shift_task,
)
from requery.corruptions.image_set import fitting_kinds
from requery.corruptions.tools import TextSources
from requery.episodes import CLEAN, Episode, Plan, Segment, plan_episodes
from requery.errors import ConfigError
from requery.rng import permutation
from requery.task import RetrievalTask


class QueryShifts(RetrievalDataModule):
    """Streams of shifted queries over one fixed gallery; the batches of its test loader are episodes.

    Args:
        source: the benchmark.
        kinds: kinds of corruption, `image`, `audio` or `text` for all of these that need no file; null for
            all that fit the queries; `clean` may be among them. A kind may be several joined by `+`, of which
            each query draws one: a mixed stream.
        severity: of every kind that names none, as `fog@3` does; null takes each kind's highest, as the
            published tables do.
        clean: share of the queries that stay as they are; of several, each kind comes with every share.
        plan: how shifts become streams: `separate`, `sequence`, `cyclic` or `gradual`.
        orders: orders in which the queries arrive.
        queries: test queries used, drawn once by `shift_seed`; null for all.
        cycles: rounds of `cyclic`.
        shift_seed: seed of the queries drawn and of all corruptions, not of the run.
        reference_side: scale lengths in pixels by the image's shorter side over this (224 for small images
            such as those of Shapes: `shapes_c@1`); null takes them as published.
        gallery: shift the gallery too; only where there is one shift.
        text: files and checkpoints that some kinds of text need.
        seed: of the run; unused here, the orders are the module's.
    """

    def __init__(
        self,
        source: RetrievalDataModule,
        kinds: str | list[str] | None = None,
        severity: int | None = None,
        clean: float | list[float] = 0.0,
        plan: Plan = "separate",
        orders: int = 3,
        queries: int | None = 512,
        cycles: int = 3,
        shift_seed: int = 0,
        reference_side: int | None = None,
        gallery: bool = False,
        text: TextSources = TextSources(),
        seed: int = 0,
    ) -> None:
        super().__init__(source.batch_size, seed, source.num_workers)
        if queries is not None and queries < 1:
            raise ConfigError(f"data.queries is {queries}; it must be at least 1, or null for all")
        self.source, self.disjoint = source, source.disjoint
        self.kinds, self.severity, self.plan, self.orders = kinds, severity, plan, orders
        self.clean = clean if isinstance(clean, list) else [clean]
        self.queries, self.cycles, self.shift_seed = queries, cycles, shift_seed
        self.reference_side, self.gallery, self.text = reference_side, gallery, text
        self._shift = lru_cache(maxsize=2)(self._shift_once)  # a stream's shift and the clean probe
        if gallery and not (isinstance(kinds, list) and len(kinds) == len(self.clean) == 1):
            raise ConfigError("data.gallery shifts the one gallery there is: give kinds one kind")

    @property
    def episodes(self) -> list[Episode]:
        """The streams of the test, those of one stream in all its orders side by side."""
        segments = [self._segment(kind, share) for kind in self._kinds() for share in self.clean]
        return plan_episodes(self.plan, segments, self.orders, self.cycles)

    def build_task(self, split: str) -> RetrievalTask:
        """The source's task; of the test split, the queries that are used, unshifted."""
        task = self.source.task(split)
        if split != "test":
            return task
        if self.queries is not None and self.queries < task.n_queries:
            chosen = permutation(self.shift_seed, 0, task.n_queries)[: self.queries]
            task = task.select(torch.from_numpy(chosen).sort().values)
        if not self.gallery:
            return task
        (segment,) = {segment for episode in self.episodes for segment in episode.segments}
        return shift_task(task, self._mixture(segment), self._tools(segment), self.reference_side, True)

    def shifted(self, segment: Segment) -> RetrievalTask:
        """The test queries under a shift; the gallery is that of `task("test")`."""
        return self._shift(segment)

    def _shift_once(self, segment: Segment) -> RetrievalTask:
        task = self.task("test")
        if segment.kind == CLEAN or self.gallery:
            return task
        return shift_task(task, self._mixture(segment), self._tools(segment), self.reference_side)

    def test_dataloader(self) -> IndexLoader:
        """Numbers of episodes, one at a time."""
        return IndexLoader(QueryBlocks(len(self.episodes), 1))

    def sources(self, split: str) -> Sources | None:
        """What the source's files say."""
        return self.source.sources(split)

    def _kinds(self) -> list[str]:
        if isinstance(self.kinds, list):
            return self.kinds
        task = self.source.task("test")
        if self.kinds not in (None, "image", "audio", "text"):
            return [str(self.kinds)]
        medium = "audio" if task.images.medium == "audio" else "image"
        seen = task.query_image is not None and self.kinds in (None, medium)
        read = task.query_text is not None and self.kinds in (None, "text")
        images = list(fitting_kinds(task.images.medium)) if seen else []
        texts = list(EMBEDDED_TEXT_KINDS) if read else []
        if not images + texts:
            raise ConfigError(f"the queries have no {self.kinds} to shift; give data.kinds others")
        return images + texts

    def _segment(self, kind: str, clean: float) -> Segment:
        if kind == CLEAN:
            return Segment(CLEAN, 0)
        severity = self.severity
        name, _, own = kind.partition("@")
        if own.isdecimal():
            kind, severity = name, int(own)
        if severity is None:
            severity = min(max_severity(part) for part in kind.split("+"))
        segment = Segment(kind, severity, clean)
        self._mixture(segment)  # refuses what does not exist
        return segment

    def _mixture(self, segment: Segment) -> Mixture:
        return Mixture.of(segment.kind.split("+"), segment.severity, self.shift_seed, segment.clean)

    def _tools(self, segment: Segment) -> TextTools:
        return self.text.open(segment.kind.split("+"))

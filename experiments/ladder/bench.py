"""One task with one encoder: what its cells share, and a cell's run through the pipeline."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from datamodules.base import RetrievalDataModule
from datamodules.shift import QueryShift
from experiments.ladder.cells import segments
from experiments.ladder.clock import timed
from experiments.ladder.outcome import Outcome
from experiments.ladder.settings import ADAPTATION, EXPANSION, FEEDBACK, LadderTask
from lightning_modules.retrieval import bar
from requery.adaptation import Adapter
from requery.adaptation.arrival import Arrival
from requery.adaptation.stage import streamed
from requery.backbones import load_backbone
from requery.backbones.queries import QueryEncoder
from requery.cache import FeatureCache
from requery.cost import CostMeter
from requery.episodes import CLEAN, Segment
from requery.errors import ConfigError
from requery.expansion import Expander, ExpansionStage
from requery.expansion.ask import AskModel
from requery.expansion.captioned import captioned
from requery.expansion.retriever import bm25_corpus
from requery.feedback.context import Encoders, TaskContext
from requery.feedback.stage import FeedbackStage
from requery.generation import Generator, Store
from requery.index.exact import ExactIndex
from requery.pipeline import QueryBatch, Stages, run
from requery.ranking.metrics import per_query
from requery.rng import permutation
from requery.task import RetrievalTask
from requery.task_encoder import TaskEncoder

MEASURED = 64
"""Images of which the vision tower's time is measured."""


def shifted(settings: LadderTask, segment: Segment) -> RetrievalDataModule:
    """The benchmark under a shift.

    Raises:
        ConfigError: there is no such shift.
    """
    if segment.kind == CLEAN:
        return settings.data
    return QueryShift(
        settings.data,
        segment.kind,
        segment.severity,
        shift_seed=settings.shift_seed,
        reference_side=settings.reference_side,
    )


class Bench:
    """A task, its encoder and its encoded gallery.

    Args:
        settings: of the task.
        encoder: checkpoint folder or hub id.
        cache: folder of the feature cache.
        seed: of streams and draws.
    """

    def __init__(self, settings: LadderTask, encoder: str, cache: Path, seed: int) -> None:
        self.settings, self.cache, self.seed = settings, cache, seed
        revision = settings.revision if encoder == settings.backbone else None
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.backbone = load_backbone(encoder, revision, settings.fusion).to(device)
        self.backbone.requires_grad_(False).eval()
        self.tasks = TaskEncoder(self.backbone, FeatureCache(cache), CostMeter(), bar)
        self.task = settings.data.task("test")
        self.task.require_truth()
        self.tasks.require_media(self.task)
        gallery = self.tasks.gallery(self.task)
        self.index = ExactIndex()
        self.index.add(gallery.to(device))

    def run(self, methods: frozenset[str], data: RetrievalDataModule) -> Outcome:
        """Send a task's queries through the pipeline with some methods in their places.

        Args:
            methods: of the settings'.
            data: of `shifted`.
        """
        task, cost = data.task("test"), CostMeter()
        queries, stages, adapter = self._flow(methods, data, cost)
        try:
            ranking = run(queries, self.index, stages, task.qrels, task.query_ids)
        finally:
            if adapter is not None:
                adapter.reset()
        asked = torch.cat([batch.index for batch in queries])
        qrels, place = task.qrels.select(asked), asked.argsort()
        metrics = dict.fromkeys((self.settings.metric, *task.protocol.metrics))
        values = {metric: per_query(metric, ranking, qrels).float()[place] for metric in metrics}
        if task.query_image is not None and adapter is None:
            cost.add("encode", self.tower_seconds * task.n_queries)  # its tokens came from the cache
        ms = {name: 1e3 * stage.seconds / task.n_queries for name, stage in cost.stages.items()}
        return Outcome(values, ms)

    def _flow(
        self, methods: frozenset[str], data: RetrievalDataModule, cost: CostMeter
    ) -> tuple[list[QueryBatch], Stages, Adapter | None]:
        """The queries, the stages they go through, each timed, and the adapter to be reset afterwards."""
        task, adapter = data.task("test"), None
        queries = [QueryBatch.of(task, task.all_queries())]
        stages = Stages(encode=timed(cost, "encode", lambda batch: self.tasks.queries(task, batch)))
        if ADAPTATION in methods:
            adapter, source = self._adapter(task)
            queries, stages = streamed(*source, stages.encode)
            assert stages.adapt is not None
            stages = replace(stages, adapt=timed(cost, "adapt", stages.adapt))
        elif task.query_image is not None:
            self.tasks.features(task.images)  # before any time is taken
        if EXPANSION in methods:
            stages = replace(stages, rewrite=(self._expansion(data, cost),))
        if FEEDBACK in methods:
            stages = replace(stages, feedback=(timed(cost, "feedback", self._feedback(data)),))
        rank = timed(cost, "search", stages.rank or self.index.rank)
        return queries, replace(stages, rank=rank), adapter

    @cached_property
    def tower_seconds(self) -> float:
        """Of the vision tower for one image, measured on the first ones."""
        images = self.task.images
        loaded = [images.load(position) for position in range(min(MEASURED, len(images)))]
        began = time.perf_counter()
        with torch.no_grad():
            pixels = self.backbone.preprocess.batch(loaded).to(self.tasks.device)
            self.backbone.image_features(pixels, images.medium)
        return (time.perf_counter() - began) / len(loaded)

    # ---- the methods ----

    def _adapter(
        self, task: RetrievalTask
    ) -> tuple[Adapter, tuple[Arrival, QueryEncoder, RetrievalTask, Tensor]]:
        own = self.settings.adaptation
        assert own is not None
        encoder = QueryEncoder(self.backbone, task)
        if task.query_image is not None:
            encoder.pixels(task.query_image)  # likewise
        gallery = self.index.embeddings.clone()
        adapter = Adapter(encoder, gallery, own.method, modules=own.adapted, seed=self.seed)
        order = torch.from_numpy(permutation(self.seed, 0, task.n_queries))
        return adapter, (Arrival(adapter, own.batch_size), encoder, task, order)

    def _expansion(self, data: RetrievalDataModule, cost: CostMeter) -> Callable[[QueryBatch], QueryBatch]:
        """Expands; it costs what the model took when it was asked, also where the store had the answer."""
        own, task = self.settings.expansion, data.task("test")
        assert own is not None
        asked = data.questions("test")
        if own.settings.caption:
            asked = captioned(asked, own.captions, self.cache, str(self.tasks.device), bar("captions"))
        store, model = self._generator
        corpus = bm25_corpus(list(task.gallery_text or ()), own.bm25, self.cache / "bm25")
        expander = Expander(AskModel(own.settings, model, store), corpus)
        stage = ExpansionStage(expander, asked)

        def expand(queries: QueryBatch) -> QueryBatch:
            out = stage(queries)
            cost.add("expand", sum(trace.seconds for trace in stage.traces.values()))
            return out

        return expand

    @cached_property
    def _generator(self) -> tuple[Store, Generator]:
        own = self.settings.expansion
        assert own is not None
        store = own.generator.opened(self.cache)
        return store, own.generator.load(store, str(self.tasks.device))

    def _feedback(self, data: RetrievalDataModule) -> FeedbackStage:
        own, task = self.settings.feedback, data.task("test")
        assert own is not None
        context = TaskContext(
            Encoders(self.tasks, own.captions),
            task,
            self.index,
            pairs=lambda: data.pairs("test"),
            others=lambda: data.task("val").query_text or (),
        )
        loop = own.row.loop(own.rounds, own.k, own.accumulate)
        return FeedbackStage(own.row.strategy(context), loop, own.row.user(context))


def require_fitting(name: str, settings: LadderTask) -> None:
    """Refuse what cannot be, before anything is loaded.

    Raises:
        ConfigError: a task's metric, shifts or questions do not fit.
    """
    for segment in segments(settings):
        shifted(settings, segment)
    if settings.expansion is not None:
        settings.data.questions("test")
    known = settings.data.task("test").protocol.metrics
    if settings.metric not in known:
        raise ConfigError(f"tasks.{name}.metric {settings.metric}: its protocol has {', '.join(known)}")

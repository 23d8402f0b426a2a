"""REST and its rivals: the query encoder is adapted to what arrives while it is tested (2511.14416)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from lightning_modules.retrieval import RetrievalModule
from requery.adaptation import Adapter, Collapse, Method
from requery.adaptation.arrival import Arrival
from requery.adaptation.facts import stream_facts
from requery.adaptation.gallery import Gallery
from requery.adaptation.stage import streamed
from requery.backbones import Fusion
from requery.backbones.queries import QueryEncoder
from requery.episode_results import FEATURES_OF, EpisodeResult, SegmentResult, gather_results
from requery.episode_run import run_episode
from requery.episodes import CLEAN, Episode, Segment
from requery.errors import ConfigError
from requery.pipeline import QueryBatch, Stages, run
from requery.preprocess import Shape
from requery.ranking.metrics import per_query
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import Ranking
from requery.rng import permutation
from requery.streamed import named_methods
from requery.task import RetrievalTask


class RESTModule(RetrievalModule):
    """Tests methods that adapt; each runs over the same streams, from the same source weights.

    The gallery is encoded once, by the source weights. A stream is never split between processes; whole
    episodes are. The DataModule says what arrives: `QueryShifts`.

    Args:
        backbone: checkpoint folder or hub id.
        method: the method's settings, such as `requery.adaptation.REST`.
        rivals: further methods, in the same table.
        batch_size: queries that arrive together (64 in the official configs; 1 works with `window`).
        adapted: modules of the encoder whose LayerNorm is adapted; null = all that a query passes through.
            Officially `backbone.model.vision_model` for CLIP's images, `backbone.model.text_model.encoder`
            for its texts.
        collapse: what counts as a collapse, and whether to start anew then.
        probe: after each segment rank the clean queries with the weights as they are: what was forgotten.
        features: keep the embeddings of the first order's queries in the run folder, for pictures.
        revision: commit of a hub id.
        fusion: how CLIP composes a query of image and text.
        cache: folder of the feature cache.
        seed: of the streams' orders and of what methods draw.
        shape: how images become square; TCR's benchmark has `squash`, null = as the checkpoint says.
    """

    queries_from_cache = False  # what is adapted may be the tower itself

    def __init__(
        self,
        backbone: str,
        method: Method,
        rivals: Sequence[Method] = (),
        batch_size: int = 64,
        adapted: Sequence[str] | None = None,
        collapse: Collapse = Collapse(),
        probe: bool = False,
        features: bool = False,
        revision: str | None = None,
        fusion: Fusion = "sum",
        cache: str = ".cache/requery",
        seed: int = 0,
        shape: Shape | None = None,
    ) -> None:
        super().__init__(backbone, revision, fusion, cache, seed, shape)
        if batch_size < 1:
            raise ConfigError(f"model.batch_size is {batch_size}; it must be at least 1")
        self.methods = named_methods(method, *rivals)
        self.batch_size, self.adapted, self.collapse = batch_size, adapted, collapse
        self.probe, self.keeps_features = probe, features

    # ---- testing ----

    def on_test_epoch_start(self) -> None:
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        if not hasattr(data, "episodes"):
            raise ConfigError("RESTModule tests streams: wrap the benchmark in datamodules.QueryShifts")
        self.episodes: list[Episode] = data.episodes
        self.begin("test")
        self.encoder = QueryEncoder(self.backbone, self._open_task)
        self._made: dict[int, EpisodeResult] = {}

    def test_step(self, batch: Tensor) -> None:
        for number in batch.tolist():
            self._made[number] = self._episode(self.episodes[number])

    def _episode(self, episode: Episode) -> EpisodeResult:
        """Send each method through one stream, from the source weights."""
        with torch.inference_mode(False):
            gallery = self.index.embeddings.clone()  # one that gradients may be taken through

        def adapt(method: Method) -> Adapter:
            return Adapter(
                self.encoder, gallery, method, modules=self.adapted, collapse=self.collapse, seed=self.seed
            )

        return run_episode(episode, self.methods, self.batch_size, adapt, self._segment)

    def _segment(self, name: str, arrival: Arrival, segment: Segment, order: int) -> SegmentResult:
        task = self._shifted(segment)
        with self.cost.stage(f"adapt_{name}", items=task.n_queries):
            stream = streamed(arrival, self.encoder, task, self._order(task, order), self.encode_queries)
            values, rows = self._ranked(task, *stream)
        facts = stream_facts(rows, arrival.adapter, arrival.adapted / arrival.batches)
        kept = rows.half().cpu() if self.keeps_features and order == FEATURES_OF else rows[:0].half().cpu()
        if not self.probe:
            return SegmentResult(values[None], facts, kept)
        probed, _ = self._as_it_is(self._shifted(Segment(CLEAN, 0)))
        return SegmentResult(torch.stack([values, probed]), facts, kept)

    def _as_it_is(self, task: RetrievalTask) -> tuple[Tensor, Tensor]:
        """Values and embeddings without adapting, by the weights as they are."""

        def encode(queries: QueryBatch) -> Tensor:
            with torch.inference_mode(False), torch.no_grad():
                parts = torch.split(queries.index, self.batch_size)
                return torch.cat([self.encoder(part) for part in parts])

        self.encoder.open(task)
        return self._ranked(task, [QueryBatch.of(task, task.all_queries())], Stages(encode=encode))

    def _ranked(
        self, task: RetrievalTask, queries: Sequence[QueryBatch], stages: Stages
    ) -> tuple[Tensor, Tensor]:
        """`(metrics, Q)` values, float32, and `(Q, D)` embeddings of all queries, each in its place."""
        rows: list[Tensor] = []

        def rank(embeddings: Tensor, qrels: Qrels) -> Ranking:
            rows.append(embeddings)
            return (stages.rank or self.index.rank)(embeddings, qrels)

        ranking = run(queries, self.index, replace(stages, rank=rank), task.qrels, task.query_ids)
        asked = torch.cat([batch.index for batch in queries])
        qrels, place = task.qrels.select(asked), asked.argsort()
        values = [per_query(metric, ranking, qrels).float() for metric in task.protocol.metrics]
        return torch.stack(values)[:, place], torch.cat(rows)[place.to(rows[0].device)]

    def _order(self, task: RetrievalTask, order: int) -> Tensor:
        return torch.from_numpy(permutation(self.seed, order, task.n_queries))

    def _shifted(self, segment: Segment) -> RetrievalTask:
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        task: RetrievalTask = data.shifted(segment)
        return task

    def on_test_epoch_end(self) -> None:
        pictured = self._pictured() if self.keeps_features else {}
        self.tested = gather_results(
            self._open_task, self.methods, self.episodes, self._made, self.probe, pictured
        )

    def _pictured(self) -> dict[str, Tensor]:
        """The clean queries at the source weights and their targets, `(Q, D)` each."""
        task = self._open_task
        _, clean = self._as_it_is(self._shifted(Segment(CLEAN, 0)))
        targets = Gallery(self.index.embeddings).closest_token(clean, task.qrels.target.clamp(min=0))
        return {"targets": targets.half().cpu(), "clean": clean.half().cpu()}

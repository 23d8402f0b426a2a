"""REST and its rivals: the query encoder is adapted to what arrives while it is tested (2511.14416)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lightning_modules.retrieval import RetrievalModule
from requery.adaptation import HATVTR, Adapter, Collapse, DeYO, Method
from requery.backbones import Fusion
from requery.backbones.queries import QueryEncoder
from requery.distributed import gather
from requery.episodes import CLEAN, Episode, Segment
from requery.errors import ConfigError, RunError
from requery.pipeline import Encode, QueryBatch, Stages, run
from requery.ranking.metrics import per_query
from requery.rng import permutation
from requery.streamed import Streamed, method_name
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
        revision: commit of a hub id.
        fusion: how CLIP composes a query of image and text.
        cache: folder of the feature cache.
        seed: of the streams' orders and of what methods draw.
    """

    def __init__(
        self,
        backbone: str,
        method: Method,
        rivals: Sequence[Method] = (),
        batch_size: int = 64,
        adapted: Sequence[str] | None = None,
        collapse: Collapse = Collapse(),
        probe: bool = False,
        revision: str | None = None,
        fusion: Fusion = "sum",
        cache: str = ".cache/requery",
        seed: int = 0,
    ) -> None:
        super().__init__(backbone=backbone, revision=revision, fusion=fusion, cache=cache, seed=seed)
        if batch_size < 1:
            raise ConfigError(f"model.batch_size is {batch_size}; it must be at least 1")
        if any(isinstance(each, HATVTR) for each in (method, *rivals)):
            raise ConfigError(
                "HATVTR ranks by scores corrected for hubs, this module by embeddings: use "
                "requery.adaptation.adapt_stream for it"
            )
        self.methods = {method_name(m): m for m in (method, *rivals)}
        if len(self.methods) < 1 + len(rivals):
            raise ConfigError("two methods have the same settings; give different ones")
        self.batch_size, self.adapted, self.collapse, self.probe = batch_size, adapted, collapse, probe

    # ---- the stage of the pipeline ----

    def streamed(self, adapter: Adapter, order: Tensor) -> Stages:
        """The flow with the adapter around the encoder; queries arrive in `order`, `(Q,)`."""
        as_pixels = isinstance(adapter.method, DeYO) and adapter.method.shuffle

        def adapt(queries: QueryBatch, encode: Encode) -> Tensor:
            rows: Tensor | None = None
            for batch in torch.split(order, self.batch_size):
                found = adapter.step(self.encoder.inputs(queries.index[batch], as_pixels))
                rows = found.new_empty(len(order), found.shape[1]) if rows is None else rows
                rows[batch] = found
            assert rows is not None
            return rows

        return Stages(encode=self.encode_queries, adapt=adapt)

    # ---- testing ----

    def on_test_epoch_start(self) -> None:
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        if not hasattr(data, "episodes"):
            raise ConfigError("RESTModule tests streams: wrap the benchmark in datamodules.QueryShifts")
        self.episodes: list[Episode] = data.episodes
        self.begin("test")
        self.encoder = QueryEncoder(self.backbone, self._open_task)
        self._rows: list[Tensor] = []
        self._collapses: list[Tensor] = []

    def test_step(self, batch: Tensor) -> None:
        for number in batch.tolist():
            self._rows.append(self._episode(self.episodes[number]))

    def _episode(self, episode: Episode) -> Tensor:
        """`(segments, methods, 1 or 2, metrics, Q)`: what each query came to; the second is the probe."""
        with torch.inference_mode(False):
            gallery = self.index.embeddings.clone()  # one that gradients may be taken through
        rows, collapses = [], []
        for name, method in self.methods.items():
            adapter = Adapter(
                self.encoder, gallery, method, modules=self.adapted, collapse=self.collapse, seed=self.seed
            )
            source = adapter.weights_digest()
            rows.append(
                torch.stack([self._segment(name, adapter, s, episode.order) for s in episode.segments])
            )
            collapses.append(len(adapter.collapses))
            adapter.reset()
            if adapter.weights_digest() != source:
                raise RunError(f"{name} left the source weights changed; the next stream would not be fair")
        self._collapses.append(torch.tensor(collapses))
        return torch.stack(rows, 1)

    def _segment(self, name: str, adapter: Adapter, segment: Segment, order: int) -> Tensor:
        """`(1 or 2, metrics, Q)`."""
        task = self._shifted(segment)
        self.encoder.open(task)
        with self.cost.stage(f"adapt_{name}", items=task.n_queries):
            values = self._values(task, self.streamed(adapter, self._order(task, order)))
        if not self.probe:
            return values[None]
        clean = self._shifted(Segment(CLEAN, 0))
        self.encoder.open(clean)
        return torch.stack([values, self._values(clean, Stages(encode=self._as_it_is))])

    def _as_it_is(self, queries: QueryBatch) -> Tensor:
        """Embed without adapting."""
        with torch.inference_mode(False), torch.no_grad():
            return torch.cat([self.encoder(batch) for batch in torch.split(queries.index, self.batch_size)])

    def _values(self, task: RetrievalTask, stages: Stages) -> Tensor:
        """`(metrics, Q)` float32."""
        queries = [self.query_batch(task, task.all_queries())]
        ranking = run(queries, self.index, stages, task.qrels, task.query_ids)
        return torch.stack(
            [per_query(metric, ranking, task.qrels).float() for metric in task.protocol.metrics]
        )

    def _order(self, task: RetrievalTask, order: int) -> Tensor:
        return torch.from_numpy(permutation(self.seed, order, task.n_queries))

    def _shifted(self, segment: Segment) -> RetrievalTask:
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        task: RetrievalTask = data.shifted(segment)
        return task

    def on_test_epoch_end(self) -> None:
        task = self._open_task
        shape = (0, len(self.episodes[0].segments), len(self.methods), 1 + self.probe)
        none = torch.empty(*shape, len(task.protocol.metrics), task.n_queries)
        rows = gather(torch.cat([none, *(row[None] for row in self._rows)]))  # (E, segments, methods, …)
        collapses = gather(
            torch.cat([torch.empty(0, len(self.methods)).long(), *(c[None] for c in self._collapses)])
        )
        self.tested = Streamed(task, tuple(self.methods), tuple(self.episodes), rows, collapses)

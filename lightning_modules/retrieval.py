"""The shell every method shares: load a backbone, encode through the cache, test through the pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from lightning_modules.resumable import ResumableModule
from requery.backbones import Fusion, load_backbone
from requery.cache import FeatureCache, FeatureTable
from requery.cost import CostMeter
from requery.distributed import gather
from requery.encode import Progress
from requery.errors import ConfigError
from requery.images import ImageSet
from requery.index.exact import ExactIndex
from requery.pipeline import QueryBatch, Stages, run
from requery.preprocess import Preprocess, Shape
from requery.ranking.embeddings import check_embeddings
from requery.ranking.gathered import gathered
from requery.ranking.metrics import per_query
from requery.ranking.ranks import Ranking
from requery.record import RunFolder
from requery.results import prediction_qrels, write_test
from requery.task import RetrievalTask
from requery.task_encoder import TaskEncoder


@dataclass(frozen=True)
class Tested:
    """What a test ends with; the run record writes it."""

    task: RetrievalTask
    ranking: Ranking

    def write(self, folder: RunFolder) -> None:
        """Write metrics, ranks and TREC files."""
        write_test(folder, self.task, self.ranking)


class RetrievalModule(ResumableModule):
    """Encodes both sides of a task and tests it; methods override `stages` (and train, where they do).

    Args:
        backbone: checkpoint folder or hub id of the image–text model.
        revision: commit of a hub id.
        fusion: how CLIP composes a query of image and text: `image`, `text` or `sum`.
        cache: folder of the feature cache.
        seed: seed of everything random in the method.
        shape: how images become square; null = as the checkpoint says, padded where it does not.
    """

    queries_from_cache = True
    """Whether queries are encoded from the frozen tower's cached tokens."""

    def __init__(
        self,
        backbone: str,
        revision: str | None = None,
        fusion: Fusion = "sum",
        cache: str = ".cache/requery",
        seed: int = 0,
        shape: Shape | None = None,
    ) -> None:
        super().__init__(seed)
        self.save_hyperparameters()
        self.backbone = load_backbone(backbone, revision, fusion)
        if shape is not None:
            self.backbone.preprocess = self._shaped(shape)
        self.cost, self.cache = CostMeter(), FeatureCache(Path(cache))
        self.tested: Tested | None = None
        self.tasks = TaskEncoder(self.backbone, self.cache, self.cost, bar)
        self._parts: list[tuple[Tensor, Ranking]] = []

    def _shaped(self, shape: Shape) -> Preprocess:
        preprocess = self.backbone.preprocess
        if not isinstance(preprocess, Preprocess):
            raise ConfigError(f"model.shape is for images; {type(self.backbone).__name__} has its own input")
        return preprocess.shaped(shape)

    def stages(self) -> Stages:
        """What this method does to a query."""
        return Stages(encode=self.encode_queries)

    # ---- encoding ----

    def task(self, split: str) -> RetrievalTask:
        """One split of the trainer's DataModule."""
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        task: RetrievalTask = data.task(split)
        return task

    def features(self, images: ImageSet) -> FeatureTable:
        """The frozen tower's tokens of a task's images; see `TaskEncoder`."""
        return self.tasks.features(images)

    def image_tokens(self, images: ImageSet, positions: Tensor) -> Tensor:
        """`(B,)` positions in a task's images to float32 tokens `(B, L, W)` on the device."""
        return self.tasks.image_tokens(images, positions)

    def encode_queries(self, batch: QueryBatch, shared: bool = False) -> Tensor:
        """`(B, D)` of the open task, on the device."""
        return self.tasks.queries(self._open_task, batch, shared)

    def encode_gallery(self, task: RetrievalTask) -> Tensor:
        """The whole gallery, `(N, T, D)` on the CPU."""
        return self.tasks.gallery(task)

    @contextmanager
    def evaluating(self, task: RetrievalTask) -> Iterator[None]:
        """Encode a task in evaluation mode, then go back to what was."""
        earlier, training, self._open_task = getattr(self, "_open_task", None), self.training, task
        self.eval()
        try:
            yield
        finally:
            self._open_task = earlier
            self.train(training)

    # ---- testing ----

    def begin(self, split: str, scored: bool = True) -> None:
        """Encode the gallery of a split and make ready to rank; unscored, its truth is left aside."""
        task = self._open_task = self.task(split)
        self._parts = []
        if scored:
            task.require_truth()
        self._qrels = task.qrels if scored else prediction_qrels(task)
        self.tasks.require_media(task)
        if task.gallery_image is not None:
            self.features(task.gallery_set)  # now, while all processes are here: one may get no query
        if task.query_image is not None and self.queries_from_cache:
            self.features(task.images)
        gallery = self.encode_gallery(task)
        check_embeddings(gallery, "gallery", task.gallery_ids)
        self.index = ExactIndex()
        self.index.add(gallery.to(self.device))

    def rank_block(self, index: Tensor) -> None:
        """Rank a block of queries, `(B,)`; none where another process has the last ones."""
        task = self._open_task
        if len(index) == 0:
            nothing = self.index.embeddings.new_empty(0, self.index.embeddings.shape[-1])
            self._parts.append((index.cpu(), self.index.rank(nothing, self._qrels.select(index.cpu()))))
            return
        with self.cost.stage("rank", items=len(index)):
            ranking = run(
                [QueryBatch.of(task, index)], self.index, self.stages(), self._qrels, task.query_ids
            )
        self._parts.append((index.cpu(), ranking))

    def finish(self) -> Tested:
        """Put the blocks of all processes together and log the protocol's metrics."""
        task, ranking = self._open_task, self._ranking()
        asked = gather(torch.cat([index for index, _ in self._parts]))
        if len(asked) < task.n_queries and self.trainer.state.fn != "fit":
            raise ConfigError(
                f"{len(asked)} of {task.n_queries} queries were ranked; a score leaves none out: "
                "remove trainer.limit_test_batches, limit_val_batches or fast_dev_run"
            )
        qrels = task.qrels if len(asked) == task.n_queries else task.qrels.select(asked)
        name = "val" if self.trainer.validating or self.trainer.state.fn == "fit" else "test"
        for metric in task.protocol.metrics:
            value = float(per_query(metric, ranking, qrels).mean())
            self.log(f"{name}/{metric}", value, prog_bar=metric == "recall@1")
        self.tested = Tested(self._noted(task), ranking)
        return self.tested

    def _noted(self, task: RetrievalTask) -> RetrievalTask:
        """The task, with the number of its texts that are longer than the model reads among its notes."""
        cut = self.backbone.truncated([*(task.query_text or ()), *(task.gallery_text or ())])
        return replace(task, notes={**task.notes, "texts_truncated": cut}) if cut else task

    def _ranking(self) -> Ranking:
        return gathered(Ranking.concat([ranking for _, ranking in self._parts]))

    def on_test_epoch_start(self) -> None:
        self.begin("test")

    def test_step(self, batch: Tensor) -> None:
        self.rank_block(batch)

    def on_test_epoch_end(self) -> None:
        self.finish()

    def on_validation_epoch_start(self) -> None:
        self.begin("val")

    def validation_step(self, batch: Tensor) -> None:
        self.rank_block(batch)

    def on_validation_epoch_end(self) -> None:
        self.finish()

    def predict_step(self, batch: Tensor) -> None:
        self.rank_block(batch)

    def on_predict_epoch_start(self) -> None:
        self.begin("test", scored=False)

    def on_predict_epoch_end(self) -> None:
        self.tested = Tested(self._noted(self._open_task), self._ranking())


def bar(name: str) -> Progress:
    """A progress bar as a callback of (done, all)."""
    shown: tqdm[Any] | None = None

    def update(done: int, total: int) -> None:
        nonlocal shown
        shown = shown or tqdm(total=total, desc=name, leave=False, dynamic_ncols=True)
        shown.update(done - shown.n)
        if done >= total:
            shown.close()

    return update

"""A model's scores of two retrieved lists, held against which of them people prefer (HP-FashionIQ)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lightning_modules.retrieval import RetrievalModule
from requery.distributed import gather
from requery.errors import ConfigError
from requery.pipeline import QueryBatch, embed
from requery.preferred import Preferred
from requery.ranking.embeddings import check_embeddings
from requery.ranking.preference import evaluate_preference, list_scores


class PreferenceModule(RetrievalModule):
    """Tests any backbone, such as the one QuRe's fit writes to `output`, by the preference rate.

    The lists are given by the data, so nothing is ranked and no score depends on the rest of the gallery.
    """

    def setup(self, stage: str) -> None:
        if stage != "test":
            raise ConfigError("preferences are tested only: run `test` with this config")

    def on_test_epoch_start(self) -> None:
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        self._preferences = data.preferences("test")
        self.begin("test", scored=False)
        self._scores: list[Tensor] = []

    def test_step(self, batch: Tensor) -> None:
        if not len(batch):  # another process has the last ones
            self._scores.append(torch.empty(0, 2))
            return
        rows, task = batch.cpu(), self._open_task
        with self.cost.stage("score_lists", items=len(rows)):
            queries = embed(QueryBatch.of(task, rows), self.index, self.stages())
            check_embeddings(queries, "query", [task.query_ids[int(row)] for row in rows])
            lists = self.index.vectors(self._preferences.lists[rows])
            self._scores.append(list_scores(queries, lists).cpu())

    def on_test_epoch_end(self) -> None:
        task, preferences, scores = self._open_task, self._preferences, gather(torch.cat(self._scores))
        if len(scores) < task.n_queries:
            raise ConfigError("a score leaves none out: remove trainer.limit_test_batches or fast_dev_run")
        found = evaluate_preference(scores, preferences.preferred, task.protocol.metrics)
        self.log_dict({f"test/{name}": estimate.value for name, estimate in found.items()})
        self.tested = Preferred(self._noted(task), preferences, scores)  # type: ignore[assignment]

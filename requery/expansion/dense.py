"""The dense branch: passages found by an encoder of image and expanded text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from requery.index.exact import ExactIndex
from requery.pipeline import QueryBatch
from requery.ranking.embeddings import check_embeddings
from requery.task import RetrievalTask
from requery.task_encoder import TaskEncoder


class Dense:
    """Searches a task's passages; all processes make it together.

    An encoder composes image and text as it does for any query; one of texts alone reads no image.

    Args:
        tasks: the encoder.
        task: queries and passages.
    """

    def __init__(self, tasks: TaskEncoder, task: RetrievalTask) -> None:
        self.tasks = tasks
        self.task = task if tasks.backbone.media else replace(task, query_image=None)
        tasks.require_media(self.task)
        if self.task.query_image is not None:
            tasks.features(task.images)  # now, while all processes are here: one may get no query
        gallery = tasks.gallery(self.task)
        check_embeddings(gallery, "gallery", task.gallery_ids)
        self.index = ExactIndex()
        self.index.add(gallery.to(tasks.device))

    @property
    def truncated(self) -> int:
        """Passages that are longer than the encoder reads."""
        return self.tasks.backbone.truncated(list(self.task.gallery_text or ()))

    def find(self, rows: Tensor, texts: Sequence[str], k: int, image: bool = True) -> Tensor:
        """The first passages of some queries, `(B, ≤ k)` int64.

        Args:
            rows: `(B,)` indices of the queries, a whole block of the test.
            texts: of each query.
            k: passages, clipped to the corpus.
            image: whether the encoder sees the queries' images.
        """
        own = QueryBatch.of(self.task, rows)
        batch = replace(own, image=own.image if image else None, text=list(texts))
        queries = self.tasks.queries(self.task, batch)
        check_embeddings(queries, "query", [self.task.query_ids[int(row)] for row in rows])
        return self.index.search(queries, k)[1].cpu()

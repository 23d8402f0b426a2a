"""What the rows of a feedback test ask for of a task: captions, tokens, summarizers, each made once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from requery.encode import encode_blocks
from requery.errors import ConfigError, DataError, first
from requery.feedback.kept import KeptTokens
from requery.feedback.summarizer import AttentiveFeedbackSummarizer
from requery.feedback.summarizer_file import Head, Widths, load_summarizer
from requery.feedback.tokens import Tokens
from requery.generation.caption_source import CaptionSource
from requery.images import ImageSet
from requery.index.base import VectorIndex
from requery.task import RetrievalTask
from requery.task_encoder import TaskEncoder

OTHERS = 4
"""Other captions of a target that explicit feedback draws from (official: the other four of five)."""
BANK = 2000
"""Queries of the other split that hubs are known by."""


class Encoders:
    """Texts and images of any task by a frozen backbone.

    Args:
        tasks: encodes.
        source: of generated captions.
    """

    def __init__(self, tasks: TaskEncoder, source: CaptionSource) -> None:
        self.tasks, self.source = tasks, source

    @cached_property
    def widths(self) -> Widths:
        """Of tokens and embeddings."""
        backbone: Any = self.tasks.backbone
        with torch.no_grad():
            text, embedded = backbone.text_tokens(["a"])[0], backbone.encode_query(None, ["a"])
        return Widths(text.shape[-1], backbone.vision.config.hidden_size, embedded.shape[-1])

    def texts(self, texts: Sequence[str]) -> Tensor:
        """Unit embeddings, `(n, D)`; processes share the work."""

        def block(at: Tensor) -> Tensor:
            return self.tasks.backbone.encode_query(None, [texts[int(i)] for i in at])

        return encode_blocks(block, len(texts), shared=True).to(self.tasks.device)

    def images(self, images: ImageSet, positions: Tensor) -> Tensor:
        """Gallery embeddings of some images, `(n, T, D)`; processes share the work."""

        def block(at: Tensor) -> Tensor:
            return self.tasks.backbone.encode_gallery(self.tasks.image_tokens(images, positions[at]), None)

        return encode_blocks(block, len(positions), shared=True)

    def text_tokens(self, texts: Sequence[str]) -> Tokens:
        """Tokens of texts by their numbers, made when asked for."""
        return KeptTokens(lambda at: self.tasks.backbone.text_tokens([texts[int(i)] for i in at]))

    def image_tokens(self, images: ImageSet, positions: Tensor) -> Tokens:
        """The frozen tower's tokens of some images by number, from the cache."""
        return lambda numbers: (self.tasks.image_tokens(images, positions[numbers]), None)

    def generated(self, images: ImageSet, positions: Tensor) -> list[str]:
        """A generated caption of each image."""
        tasks, bar = self.tasks, self.tasks.progress
        with tasks.cost.stage("captions", items=len(positions)):
            cache, device = Path(tasks.cache.root), str(tasks.device)
            shown = None if bar is None else bar("captions")
            return self.source.texts(images, positions.tolist(), cache, device, shown)


class TaskContext:
    """A `requery.feedback.row.Context` of one task; what is asked for twice is made once.

    Args:
        encoders: of texts and images.
        task: whose queries are fed back to.
        index: its gallery.
        pairs: gives the annotators' captions of the task's images by position, where a row asks for them.
        others: gives the queries of another split that hubs are known by.
    """

    def __init__(
        self,
        encoders: Encoders,
        task: RetrievalTask,
        index: VectorIndex,
        pairs: Callable[[], Sequence[tuple[int, tuple[str, ...]]]],
        others: Callable[[], Sequence[str]],
    ) -> None:
        self.encoders, self.task, self.index = encoders, task, index
        self.relevant, self._pairs, self._others = task.qrels.relevant, pairs, others
        self._loaded: dict[str, tuple[AttentiveFeedbackSummarizer, Head]] = {}
        self.notes: dict[str, int] = {}
        """What a reader of the score is to know, counted."""

    @cached_property
    def _at(self) -> Tensor:
        """Positions of the gallery's images."""
        if self.task.gallery_image is None:
            raise ConfigError(f"{self.task.protocol.key}: this row reads images, and the gallery holds texts")
        return self.task.gallery_image

    @cached_property
    def _texts(self) -> Sequence[str]:
        """The queries' texts."""
        if self.task.query_text is None:
            raise ConfigError(f"{self.task.protocol.key}: this row reads the queries' texts; they have none")
        return self.task.query_text

    @cached_property
    def _captions(self) -> list[str]:
        return self.encoders.generated(self.task.gallery_set, self._at)

    @cached_property
    def _caption_embeddings(self) -> Tensor:
        return self.encoders.texts(self._captions)

    @cached_property
    def _caption_tokens(self) -> Tokens:
        return self.encoders.text_tokens(self._captions)

    @cached_property
    def _query_tokens(self) -> Tokens:
        return self.encoders.text_tokens(self._texts)

    @cached_property
    def _written(self) -> list[tuple[str, ...]]:
        """The annotators' captions of each item."""
        captions = dict(self._pairs())
        return [captions[int(position)] for position in self._at]

    def captions(self) -> Tensor:
        """Generated now, if they never were."""
        return self._caption_embeddings

    def caption_tokens(self) -> Tokens:
        """Of the same captions."""
        return self._caption_tokens

    def image_tokens(self) -> Tokens:
        """From the feature cache."""
        return self.encoders.image_tokens(self.task.gallery_set, self._at)

    def query_tokens(self) -> Tokens:
        """Of the queries as they are asked, shifted or not."""
        return self._query_tokens

    def annotated(self) -> Tensor:
        """The second caption of each image, or its only one: the first is often a query itself."""
        return self.encoders.texts([texts[min(1, len(texts) - 1)] for texts in self._written])

    def others(self) -> Tensor:
        """Up to four other captions of each target; where there are fewer, some come again.

        Where there is none, the query repeats itself, and is counted in `notes`.

        Raises:
            DataError: no target has another caption.
        """
        names, rows, lacking = {}, [], []
        for number, target in enumerate(self.task.qrels.target.tolist()):
            written = self._written[target] if target >= 0 else ()
            others = [text for text in dict.fromkeys(written) if text != self._texts[number]]
            if not others:
                lacking.append(self.task.query_ids[number])
                others = [self._texts[number]]
            rows.append([others[i % len(others)] for i in range(OTHERS)])
        if len(lacking) == len(rows):
            raise DataError(
                f"explicit feedback: no target has another caption ({first(lacking)}); leave the row out"
            )
        if lacking:
            self.notes["targets_without_another_caption"] = len(lacking)
        names = {text: place for place, text in enumerate(dict.fromkeys(t for row in rows for t in row))}
        embedded = self.encoders.texts(list(names))
        return embedded[torch.tensor([[names[text] for text in row] for row in rows])]

    def bank(self) -> Tensor:
        """The first queries of the val split.

        Raises:
            ConfigError: this is the val split.
        """
        if self.task.split == "val":
            raise ConfigError("hubs are known by queries of the val split: leave the row out when validating")
        return self.encoders.texts(list(self._others())[:BANK])

    def summarizer(self, folder: str) -> tuple[AttentiveFeedbackSummarizer, Head]:
        """Read once."""
        if folder not in self._loaded:
            model, head = load_summarizer(Path(folder), self.encoders.widths)
            self._loaded[folder] = model.to(self.encoders.tasks.device), head
        return self._loaded[folder]

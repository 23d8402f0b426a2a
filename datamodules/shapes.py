"""Shapes, the generated benchmark with exactly known truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from datamodules.base import RetrievalDataModule
from requery.errors import ConfigError
from requery.expansion.trace import VisualQuestion
from requery.index.bm25 import Bm25Index
from requery.shapes.knowledge import question
from requery.shapes.reading import CAPTION_MARKS, caption_marks, names
from requery.shapes.scene import ShapesConfig
from requery.shapes.tasks import build, captions, knowledge
from requery.shapes.world import scene_at
from requery.task import RetrievalTask

QUESTION_MARKS = ("thing", "found")
"""What a text on a question is worth: whether it names the thing meant and no other; whether the first
passage that BM25 finds with question and text holds the fact asked for."""
WORDINGS = 8
"""Captions of one image that pre-training draws from."""


@dataclass(frozen=True)
class Families:
    """How many families of each split are used.

    Args:
        train: families of the train split (each `world.variants` images, `world.queries` queries).
        val: families of the val split.
        test: families of the test split.
    """

    train: int = 600
    val: int = 100
    test: int = 334

    def __post_init__(self) -> None:
        for split, n in vars(self).items():
            if n < 1:
                raise ConfigError(f"data.families.{split} is {n}; it must be at least 1")


class ShapesDataModule(RetrievalDataModule):
    """Generated images, texts and queries; nothing is stored or downloaded.

    Args:
        task: `composed`, `text_to_image`, `image_to_text` or `knowledge`.
        world: the world's settings; the defaults are the published benchmark.
        families: the size of each split.
        batch_size: training queries per step.
        seed: seed of the training order (the world has its own).
        num_workers: worker processes that draw images while the cache is filled.
    """

    disjoint = "generated: the hash of a scene decides its split, so no scene occurs in two"

    def __init__(
        self,
        task: Literal["composed", "text_to_image", "image_to_text", "knowledge"] = "composed",
        world: ShapesConfig = ShapesConfig(),
        families: Families = Families(),
        batch_size: int = 64,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size=batch_size, seed=seed, num_workers=num_workers)
        self.kind, self.world, self.families = task, world, families

    def build_task(self, split: str) -> RetrievalTask:
        """Generate one split."""
        return build(self.world, self.kind, split, getattr(self.families, split))

    def questions(self, split: str) -> list[VisualQuestion]:
        """The questions about pictures; captions are left to whoever asks."""
        task = self._knowledge(split)
        texts = zip(task.query_ids, task.query_text or (), strict=True)
        return [VisualQuestion(name, text, None, (task.images, i)) for i, (name, text) in enumerate(texts)]

    def answers(self, split: str) -> list[tuple[str, ...]]:
        """The one answer to each question, in lower case."""
        self._knowledge(split)
        asked = knowledge(self.world, split, getattr(self.families, split))
        return [(question.answer.lower(),) for question in asked]

    @property
    def marks(self) -> tuple[str, ...]:
        """What texts are judged by: those on questions by `QUESTION_MARKS`, others as captions."""
        return QUESTION_MARKS if self.kind == "knowledge" else CAPTION_MARKS

    def judge(self, split: str, images: Sequence[int], texts: Sequence[str]) -> Tensor:
        """Judge what was written about pictures, or about the questions on them.

        Args:
            split: of the pictures.
            images: `B` numbers in the split.
            texts: `B` texts.

        Returns:
            `(marks, B)` from 0 to 1.
        """
        scenes = [scene_at(self.world, split, i) for i in images]
        if self.kind != "knowledge":
            return torch.tensor(
                [caption_marks(text, seen) for text, seen in zip(texts, scenes, strict=True)]
            ).T
        asked = [question(self.world, split, i, seen) for i, seen in zip(images, scenes, strict=True)]
        named = [names(text, one.thing) for text, one in zip(texts, asked, strict=True)]
        task, index = self.task(split), Bm25Index()
        index.add(task.gallery_text or ())
        queries = [f"{one.text} {text}" for one, text in zip(asked, texts, strict=True)]
        first = index.search(queries, 1)[1].flatten().tolist()
        found = [p in task.qrels.relevant[i].tolist() for i, p in zip(images, first, strict=True)]
        return torch.tensor([named, found]).float()

    def _knowledge(self, split: str) -> RetrievalTask:
        if self.kind != "knowledge":
            raise ConfigError(f"data.task is {self.kind}; questions are asked in knowledge")
        return self.task(split)

    def pairs(self, split: str) -> list[tuple[int, tuple[str, ...]]]:
        """Each image of a split with `WORDINGS` captions."""
        n = getattr(self.families, split) * self.world.variants
        worded = [captions(self.world, split, n, wording) for wording in range(WORDINGS)]
        return [(i, tuple(of_all[i].text for of_all in worded)) for i in range(n)]

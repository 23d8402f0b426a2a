"""What testing and tuning of query expansion share: questions with captions, a corpus, a model."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from datamodules.base import RetrievalDataModule
from lightning_modules.resumable import ResumableModule
from lightning_modules.retrieval import bar
from requery.cost import CostMeter
from requery.expansion import Corpus, ExpansionSettings, VisualQuestion
from requery.expansion.captioned import captioned
from requery.expansion.retriever import bm25_corpus
from requery.generation import Store
from requery.generation.caption_source import CaptionSource
from requery.generation.source import GeneratorSource
from requery.index.bm25 import Bm25


class KnowledgeModule(ResumableModule):
    """Reads questions about images from any DataModule with `questions` and `answers`.

    Args:
        generator: the image–text model.
        settings: the pipeline's.
        captions: where captions come from of questions whose data bring none; without a captioner and a
            store they have none, and the pipeline asks `generator`.
        bm25: of the corpus.
        cache: folder of the feature cache; indexes and what models said are kept below it.
        seed: of everything random in the method.
    """

    def __init__(
        self,
        generator: GeneratorSource,
        settings: ExpansionSettings,
        captions: CaptionSource,
        bm25: Bm25,
        cache: str,
        seed: int,
    ) -> None:
        super().__init__(seed)
        self.generator, self.settings, self.captions, self.bm25 = generator, settings, captions, bm25
        self.cache, self.cost = Path(cache), CostMeter()

    @property
    def data(self) -> RetrievalDataModule:
        """The trainer's DataModule."""
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, RetrievalDataModule)
        return data

    @cached_property
    def store(self) -> Store:
        """What the model said before."""
        return self.generator.opened(self.cache)

    def questions(self, split: str) -> list[VisualQuestion]:
        """The split's questions; all processes ask for them together, as captions may be generated."""
        asked = self.data.questions(split)
        if not self.settings.caption:
            return asked
        with self.cost.stage("captions", items=len(asked)):
            return captioned(asked, self.captions, self.cache, str(self.device), bar("captions"))

    def corpus(self, split: str) -> Corpus:
        """The split's passages under BM25; all processes ask for it together."""
        texts = self.data.task(split).gallery_text
        assert texts is not None, "questions are answered by passages"
        with self.cost.stage("index", items=len(texts)):
            return bm25_corpus(texts, self.bm25, self.cache / "bm25")

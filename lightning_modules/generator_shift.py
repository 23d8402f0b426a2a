"""Adapt a generator's vision tower while it writes about shifted images (ours, after REST's objective)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from lightning_modules.resumable import ResumableModule
from requery.adaptation import HATVTR, Adapter, Collapse, Method, NoAdaptation
from requery.adaptation.arrival import Arrival
from requery.adaptation.facts import stream_facts
from requery.adaptation.settings import Updating
from requery.adaptation.words import WordQueries
from requery.cost import CostMeter
from requery.episode_results import EpisodeResult, SegmentResult, gather_results
from requery.episode_run import run_episode
from requery.episodes import Episode, Segment
from requery.errors import ConfigError
from requery.expansion import ExpansionSettings
from requery.expansion.ask import AskModel
from requery.expansion.prompts import PROMPTS
from requery.expansion.trace import Trace
from requery.generation.generator import Prompt
from requery.generation.load import load_generator
from requery.ranking.protocols import shapes_written
from requery.ranking.qrels import Qrels
from requery.rng import permutation
from requery.streamed import Streamed, named_methods
from requery.task import RetrievalTask


class GeneratorShiftModule(ResumableModule):
    """Tests methods that adapt a generator; each writes about the same streams, from the same source weights.

    A batch of images arrives; the model writes about each, greedily; the method adapts the LayerNorms of the
    vision tower to the words written (`requery.adaptation.words`); then the model writes anew, and that is
    judged. The DataModule says what arrives, `QueryShifts`, and its source judges: pictures are captioned,
    questions about them rewritten as query expansion's first step asks.

    Args:
        generator: checkpoint folder or hub id.
        method: the method's settings, such as `requery.adaptation.REST`.
        rivals: further methods, in the same table.
        adapter: folder of a LoRA adapter (PEFT); null = none.
        revision: commit of a hub id.
        batch_size: images that arrive together.
        longest: of a text, in tokens.
        prompts: version of the prompts, for a model that is talked to.
        collapse: what counts as a collapse, and whether to start anew then; its window counts words.
        seed: of the streams' orders and of what methods draw.
    """

    def __init__(
        self,
        generator: str,
        method: Method,
        rivals: Sequence[Method] = (),
        adapter: str | None = None,
        revision: str | None = None,
        batch_size: int = 64,
        longest: int = 40,
        prompts: str = "short@1",
        collapse: Collapse = Collapse(window=1024),
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        self.save_hyperparameters()
        self.methods = named_methods(method, *rivals)
        for name, each in self.methods.items():
            if not isinstance(each, Updating | NoAdaptation) or isinstance(each, HATVTR) or each.pace:
                raise ConfigError(f"{name}: a text is moved by the weights alone, at no pace; choose another")
        self.settings = ExpansionSettings(prompts=prompts)
        if batch_size < 1:
            raise ConfigError(f"model.batch_size is {batch_size}; it must be at least 1")
        loaded = load_generator(generator, revision, adapter, batch_size, "cpu", "float32")
        self.words = WordQueries(loaded, longest)
        self.batch_size, self.collapse = batch_size, collapse
        self.cost = CostMeter()
        self.tested: Streamed | None = None

    @cached_property
    def asking(self) -> AskModel:
        """Puts questions in the words of query expansion."""
        return AskModel(self.settings, self.words.generator)

    @property
    def data(self) -> Any:
        """The trainer's `QueryShifts`."""
        return self.trainer.datamodule  # type: ignore[attr-defined]

    def on_test_epoch_start(self) -> None:
        if not hasattr(self.data, "episodes") or not hasattr(self.data.source, "judge"):
            raise ConfigError(
                "GeneratorShiftModule tests streams of a benchmark that judges texts: wrap "
                "datamodules.ShapesDataModule in datamodules.QueryShifts"
            )
        self.episodes: list[Episode] = self.data.episodes
        self._made: dict[int, EpisodeResult] = {}

    def test_step(self, batch: Tensor) -> None:
        with torch.inference_mode(False):
            gallery = self.words.gallery()
            for number in batch.tolist():
                self._made[number] = run_episode(
                    self.episodes[number],
                    self.methods,
                    self.batch_size,
                    lambda method: Adapter(
                        self.words,
                        gallery,
                        method,
                        modules=[self.words.tower],
                        collapse=self.collapse,
                        seed=self.seed,
                    ),
                    self._segment,
                )

    def _segment(self, name: str, arrival: Arrival, segment: Segment, order: int) -> SegmentResult:
        task = self.data.shifted(segment)
        arriving = torch.from_numpy(permutation(self.seed, order, task.n_queries))
        queries: list[Tensor] = []
        texts: dict[int, str] = {}
        with self.cost.stage(f"adapt_{name}", items=task.n_queries):
            for batch in arrival.split(arriving):
                prompts = [self.prompt(task, i) for i in batch.tolist()]
                written = self.words.write(prompts)
                queries.append(arrival.answer(self.words.say(prompts, written)))
                if arrival.adapter.counts["updates"]:  # else it would write the same again
                    written = self.words.write(prompts)
                texts |= zip(batch.tolist(), written, strict=True)
        rows = torch.cat(queries)
        values = self.data.source.judge(
            task.split,
            self.data.task("test").query_image.tolist(),
            [texts[i] for i in range(task.n_queries)],
        )
        return SegmentResult(values[None], stream_facts(rows, arrival.adapter, 1.0), rows[:0].half().cpu())

    def prompt(self, task: RetrievalTask, query: int) -> Prompt:
        """What is asked about the image of a query; nothing of a captioner."""
        assert task.query_image is not None, "there are images to write about"
        place = int(task.query_image[query])
        turns: tuple[str, ...] = ()
        if task.query_text is not None:
            trace = Trace("", task.query_text[query], "", (task.images, place))
            turns = (self.asking.words(self.asking.prompts.rewrite, trace),)
        elif self.words.generator.takes_prompts:
            turns = (PROMPTS[self.settings.prompts].caption,)
        return Prompt(turns, task.images.load(place), query)

    def on_test_epoch_end(self) -> None:
        self.tested = gather_results(self._written(), self.methods, self.episodes, self._made, False, {})

    def _written(self) -> RetrievalTask:
        """The queries over the gallery of words: of which none is marked as relevant, texts are judged."""
        task = self.data.task("test")
        n_words = len(self.words.head.weight)
        about = "captions" if task.query_text is None else "rewritten"
        return RetrievalTask(
            protocol=shapes_written(about, self.data.source.marks),
            split=task.split,
            images=task.images,
            query_ids=task.query_ids,
            gallery_ids=[f"word-{i:06d}" for i in range(n_words)],
            qrels=Qrels.from_targets(torch.full((task.n_queries,), -1)),
            query_image=task.query_image,
            gallery_text=[str(i) for i in range(n_words)],
        )

"""Query expansion after QueryFormer: caption, rewrite, expand, choose, refine, weigh, retrieve."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from requery.errors import ConfigError
from requery.expansion import steps
from requery.expansion.ask import Ask, AskModel, StepProgress
from requery.expansion.gate import sharpness
from requery.expansion.retriever import Corpus, Found
from requery.expansion.select import fuse
from requery.expansion.settings import ExpansionSettings
from requery.expansion.synonyms import Synonyms
from requery.expansion.trace import Trace, VisualQuestion
from requery.expansion.weights import (
    added_weights,
    attended,
    capped,
    original_weights,
    synonym_weights,
)
from requery.generation.generator import Generator
from requery.generation.store import Store
from requery.index.text_query import Terms

Attention = Callable[[Sequence[Trace]], Sequence[Terms]]
"""How much attention each term of each query has from its image, such as ViLT's, in [0, 1]."""
FUSED = 100
"""Passages of each ranking that are fused, at least."""


class Expander:
    """Expands visual questions and retrieves passages with them.

    The original query keeps at least half of the weight, and where an answer cannot be used its step adds
    nothing: what is left is the original query. With several processes and a store all are given the same
    queries, and each asks the model about its share of them.

    Args:
        generator: the image–text model (one without its LoRA adapter is an ablation), or who answers in its
            place, such as rules; the settings are then those of the latter.
        corpus: the passages.
        settings: every knob.
        store: answers are looked up and kept here.
        synonyms: finds synonyms; needed where their weight is not 0.
        attention: finds attention; needed where its weight is not 0.
        progress: called after each batch of answers.

    Raises:
        ConfigError: the generator takes no prompts, or what a weight needs is missing.
    """

    def __init__(
        self,
        generator: Generator | Ask,
        corpus: Corpus,
        settings: ExpansionSettings | None = None,
        *,
        store: Store | None = None,
        synonyms: Synonyms | None = None,
        attention: Attention | None = None,
        progress: StepProgress | None = None,
    ) -> None:
        if not isinstance(generator, Ask):
            generator = AskModel(settings or ExpansionSettings(), generator, store, progress)
        self.ask, self.settings = generator, generator.settings
        weighting = self.settings.weighting
        for name, part in (("synonyms", synonyms), ("attention", attention)):
            if getattr(weighting, name) > 0 and part is None:
                raise ConfigError(f"Weighting: {name} has a weight; give the Expander {name}, or set it to 0")
        self.corpus, self.tokens = corpus, corpus.index.tokens
        self.synonyms, self.attention = synonyms, attention

    def expand(self, queries: Sequence[VisualQuestion]) -> list[Trace]:
        """Take queries through all steps.

        Returns:
            One trace a query, in order; `search` retrieves with them.

        Raises:
            RequeryError: the model cannot be used, or the store cannot be written; see `generate`.
        """
        settings = self.settings
        traces = [self._begin(query) for query in queries]
        if settings.caption:
            steps.caption(self.ask, traces)
        self._open(traces)
        spent = [trace for trace in traces if trace.spent]
        if settings.rewrite:
            steps.rewrite(self.ask, spent)
        if settings.expand:
            self._rounds(spent)
        self._weigh(traces)
        return traces

    def search(self, traces: Sequence[Trace], k: int) -> list[Found]:
        """The first `k` passages of each expanded query."""
        if self.settings.fusion == "weighted":
            return self.corpus.find_terms([trace.weights for trace in traces], k)
        texts = [self._texts(trace) for trace in traces]
        rankings = iter(self.corpus.find([text for row in texts for text in row], max(k, FUSED)))
        return [self._fused([next(rankings) for _ in row], k) for row in texts]

    def _begin(self, query: VisualQuestion) -> Trace:
        question = query.question if self.settings.question else ""
        caption = (query.caption or "") if self.settings.caption else ""
        return Trace(query.id, question, caption, query.image)

    def _open(self, traces: Sequence[Trace]) -> None:
        """Spare the model the queries whose first retrieval is sure of itself."""
        gate = self.settings.gate
        if gate is None:
            return
        for trace, found in zip(
            traces, self.corpus.find_terms(self._originals(traces), gate.depth), strict=True
        ):
            trace.sharpness = sharpness(found.scores, gate)
            trace.spent = trace.sharpness < gate.below

    def _rounds(self, traces: Sequence[Trace]) -> None:
        """Expand and refine, until the passages found stay the same or the rounds are over."""
        active = list(traces)
        for number in range(self.settings.rounds):
            clues = steps.expand(self.ask, self.corpus, active)
            steps.choose(self.ask, self.corpus, active, clues)
            if self.settings.refine:
                steps.refine(self.ask, self.corpus, self.tokens, active)
            if number + 1 < self.settings.rounds:
                active = self._moved(active)

    def _moved(self, traces: Sequence[Trace]) -> list[Trace]:
        """Those whose first passages are not what they were a round before."""
        self._weigh(traces)
        moved = []
        for trace, found in zip(traces, self.search(traces, steps.DEPTH), strict=True):
            trace.rounds[-1].found = found.items
            if len(trace.rounds) == 1 or trace.rounds[-2].found != found.items:
                moved.append(trace)
        return moved

    def _originals(self, traces: Sequence[Trace]) -> list[dict[str, float]]:
        weighting = self.settings.weighting
        return [original_weights(self.tokens, t.question, t.caption, weighting) for t in traces]

    def _weigh(self, traces: Sequence[Trace]) -> None:
        """Weigh the terms of each query; one that the gate spared stays the original."""
        weighting = self.settings.weighting
        seen = self.attention(traces) if self.attention and weighting.attention else [{}] * len(traces)
        for trace, original, attention in zip(traces, self._originals(traces), seen, strict=True):
            clues = trace.kept + trace.refined
            added = added_weights(self.tokens, trace.question, trace.rewritten, clues, weighting)
            if self.synonyms is not None and weighting.synonyms and trace.spent:
                near = synonym_weights(original, self.synonyms.of(trace.original), weighting)
                added = {t: max(added.get(t, 0.0), near.get(t, 0.0)) for t in {**added, **near}}
            original, added = (attended(w, attention, weighting) for w in (original, added))
            trace.weights = capped(original, added, weighting.max_expansion_mass)
            trace.changed = trace.weights != original

    def _texts(self, trace: Trace) -> list[str]:
        """The original query, and what is fused with it."""
        texts = dict.fromkeys((trace.standing, *trace.kept, *trace.refined))
        return [trace.original, *(text for text in texts if text)] if trace.changed else [trace.original]

    def _fused(self, found: Sequence[Found], k: int) -> Found:
        """Fuse rankings, the first being the original query's, which has its share of the weight."""
        mass = self.settings.weighting.max_expansion_mass
        others = len(found) - 1
        weights = [1 - mass, *[mass / others] * others] if others else [1.0]
        best = fuse([f.items for f in found], weights)[:k]
        return Found(tuple(item for item, _ in best), tuple(score for _, score in best))

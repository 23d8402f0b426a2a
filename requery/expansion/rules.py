"""Expansion without a model: what question, caption and passages give by rules."""

from __future__ import annotations

from dataclasses import dataclass

from requery.corruptions.words import STOP_WORDS
from requery.expansion.ask import Ask, Asked
from requery.expansion.retriever import Corpus
from requery.expansion.targets import phrases
from requery.expansion.trace import Trace, join


@dataclass(frozen=True)
class AskRules(Ask):
    """Answers by rules.

    There is no caption without a model. A rewriting is the question with the caption's phrases behind it.
    Clues are those phrases, each also with the question's content words, and then the phrases of the passages
    found (pseudo relevance feedback). The refined query is the rewriting with the clues kept.

    Args:
        corpus: the passages.
    """

    corpus: Corpus

    def answers(self, asked: Asked) -> list[tuple[str, ...]]:
        """One answer a query; of what is asked the step and the queries matter."""
        rules = {"rewrite": self._rewritten, "expand": self._clues, "refine": self._refined}
        return [(rules[asked.step](trace),) if asked.step in rules else () for trace in asked.traces]

    def _rewritten(self, trace: Trace) -> str:
        return self._cut(join(trace.question, *phrases(trace.caption)))

    def _clues(self, trace: Trace) -> str:
        asked = " ".join(word for word in trace.question.split() if word.casefold() not in STOP_WORDS)
        seen, quoted = phrases(trace.caption), self.corpus.quoted(trace.rounds[-1].context, 20)
        clues = [*seen, *(join(phrase, asked) for phrase in seen)]
        clues += [phrase for text in quoted for phrase in phrases(text)]
        return "\n".join(list(dict.fromkeys(clues))[: self.settings.expansions])

    def _refined(self, trace: Trace) -> str:
        return self._cut(join(trace.standing, *trace.kept))

    def _cut(self, text: str) -> str:
        return " ".join(text.split()[: self.settings.line_words])

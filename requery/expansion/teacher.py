"""What a step's answer should be, by a question's answers and the passages that hold them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from requery.expansion.retriever import Corpus
from requery.expansion.rewards import Hits, retrieving
from requery.expansion.settings import ExpansionSettings
from requery.expansion.targets import answer_target, around, phrases
from requery.expansion.trace import Trace, join


@dataclass(frozen=True)
class Truth:
    """What is known of a training question.

    Args:
        answers: its answers, the surest first.
        passages: texts that are relevant, the best first.
        relevant: whether a text holds an answer.
    """

    answers: tuple[str, ...]
    passages: tuple[str, ...]
    relevant: Callable[[str], bool]


def true_answers(
    step: str, trace: Trace, truth: Truth, settings: ExpansionSettings, name_alone: bool = False
) -> tuple[str, ...]:
    """R1: the answer of a step by the label; none where nothing is known.

    A rewriting is the question with its subject's name behind it. Clues are those of `answer_target`. The
    refined query is the subject's name, the surest answer, and the sentence it stands in.

    Args:
        step: `rewrite`, `expand` or `refine`.
        trace: the query.
        truth: what is known of it.
        settings: lengths, and whether clues are one list or many answers.
        name_alone: leave the question out of its rewriting.
    """
    name = subject(trace.question, truth.passages, truth.answers)
    if step == "rewrite":
        named = name if name_alone else f"{trace.question} {name}"
        return (_cut(named, settings.line_words),) if name else ()
    if step == "expand":
        scores = {answer: -float(place) for place, answer in enumerate(truth.answers)}
        clues = answer_target(scores, truth.passages, settings.expansions, settings.clue_words)
        return tuple(clues) if settings.mode == "samples" else ("\n".join(clues),) if clues else ()
    sentence = around(truth.passages[0], truth.answers, settings.clue_words) if truth.passages else ""
    query = _cut(join(name, *truth.answers[:1], sentence), settings.line_words)
    return (query,) if query else ()


def subject(question: str, passages: Sequence[str], answers: Sequence[str]) -> str:
    """The name of what a question is about: the run of content words its relevant passages have most often.

    It has a word that the question lacks, and no answer in it. Of equally frequent runs the longest counts,
    then the first. "" where there is none.
    """
    asked, texts = set(re.findall(r"[\w'’-]+", question.casefold())), [text.casefold() for text in passages]
    found: dict[str, int] = {}
    for run in dict.fromkeys(run for text in texts for phrase in phrases(text) for run in _runs(phrase)):
        if not set(run.split()) <= asked and not _in_any(answers, run):
            found[run] = sum(text.count(run) for text in texts)
    return max(found, key=lambda run: (found[run], len(run)), default="")


def _runs(phrase: str) -> list[str]:
    """All runs of words of a phrase."""
    words = phrase.split()
    return [" ".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1)]


def rewarded(step: str, trace: Trace, truth: Truth, corpus: Corpus, settings: ExpansionSettings) -> Hits:
    """R2 and R3: how a step's answers retrieve, each by itself beside what the query has already.

    Args:
        step: `rewrite`, `expand` or `refine`.
        trace: the query so far.
        truth: what is relevant to it.
        corpus: the training corpus.
        settings: how answers are read and terms weighted.
    """
    if step != "expand":
        settings = replace(settings, clue_words=settings.line_words)
    return retrieving(corpus, settings, trace.question, trace.caption, trace.rewritten, truth.relevant)


def _in_any(answers: Sequence[str], phrase: str) -> bool:
    return any(answer.casefold() in phrase or phrase in answer.casefold() for answer in answers)


def _cut(text: str, words: int) -> str:
    return " ".join(text.split()[:words])

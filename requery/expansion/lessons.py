"""What the generator is taught: prompts as the pipeline makes them, and how each had better be answered."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from requery.errors import ConfigError
from requery.expansion.ask import Ask, Asked
from requery.expansion.parse import parse_clues
from requery.expansion.pipeline import Expander
from requery.expansion.retriever import Corpus
from requery.expansion.rewards import gains
from requery.expansion.select import window
from requery.expansion.targets import preferences, sampled_target
from requery.expansion.teacher import Truth, rewarded, true_answers
from requery.expansion.trace import Trace, VisualQuestion
from requery.generation.lora import Lora
from requery.generation.request import Request
from requery.ranges import at_least, between, one_of

Recipe = Literal["R1", "R2", "R3"]
Taught = Literal["rewrite", "expand", "refine"]
Positives = Literal["truth", "weak"]
Rewriting = Literal["question", "name"]


@dataclass(frozen=True)
class Tuning:
    """How a LoRA adapter is tuned for query expansion. The paper says none of it; all is ours.

    Args:
        recipe: `R1` answers that are true by the label; `R2` answers of the model itself that help retrieval
            (rejection sampling); `R3` of two of its answers the one that helps more (DPO).
        steps: steps of the pipeline that are taught; the model answers the others as it is.
        positives: passages taken as relevant: those the task marks (`truth`), or those that BM25 finds with
            the answers and that hold one (`weak`).
        rewriting: R1's rewriting: the `question` with its subject's name behind it, or the `name` alone,
            which is soon learnt by a model too small to copy a question.
        samples: answers drawn of each step, for R2 and R3.
        temperature: they are drawn at.
        beta: of DPO: how dear it is to leave the reference, the model without its adapter.
        lora: the adapter.
        warmup: share of the steps in which the learning rate rises; half a cosine follows.
        activation_checkpointing: compute activations again in place of keeping them.
    """

    recipe: Recipe = "R1"
    steps: tuple[Taught, ...] = ("rewrite", "expand", "refine")
    positives: Positives = "weak"
    rewriting: Rewriting = "question"
    samples: int = 32
    temperature: float = 0.8
    beta: float = 0.1
    lora: Lora = field(default_factory=Lora)
    warmup: float = 0.03
    activation_checkpointing: bool = False

    def __post_init__(self) -> None:
        one_of(self, "recipe", get_args(Recipe))
        one_of(self, "positives", get_args(Positives))
        one_of(self, "rewriting", get_args(Rewriting))
        if not self.steps or not set(self.steps) <= set(get_args(Taught)):
            raise ConfigError(f"Tuning: steps={self.steps!r} must be some of {', '.join(get_args(Taught))}")
        at_least(self, 2, "samples")
        between(self, 0, 1, "warmup")
        for name in ("temperature", "beta"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"Tuning: {name}={getattr(self, name)!r} must be above 0")


@dataclass(frozen=True)
class Lesson:
    """One prompt and its answer.

    Args:
        request: as the pipeline asks it.
        answer: what is to be answered.
        longest: tokens generation stops after.
        rejected: an answer that is worse; None where nothing is compared.
    """

    request: Request
    answer: str
    longest: int
    rejected: str | None = None


@dataclass(frozen=True)
class AskTeacher(Ask):
    """Answers each step with what it should be, so that later prompts are built on right answers.

    Args:
        tuning: the recipe.
        corpus: of the training questions.
        truths: what is known of each question, by its id.
        model: answers steps that are not taught, and draws the samples of R2 and R3.
        lessons: filled while it answers, by question.
    """

    tuning: Tuning
    corpus: Corpus
    truths: Mapping[str, Truth]
    model: Ask
    lessons: dict[str, list[Lesson]] = field(default_factory=dict)

    def answers(self, asked: Asked) -> list[tuple[str, ...]]:
        """The right answers of a step that is taught; they are noted as lessons."""
        if asked.step not in self.tuning.steps:
            return self.model.answers(asked)
        drawn: Sequence[tuple[str, ...]] = [()] * len(asked.traces)
        if self.tuning.recipe != "R1":
            samples, heat = self.tuning.samples, self.tuning.temperature
            drawn = self.model.answers(replace(asked, n=samples, temperature=heat))
        answers = []
        for trace, request, candidates in zip(asked.traces, asked.requests(), drawn, strict=True):
            said, taught = self._taught(asked.step, trace, list(dict.fromkeys(candidates)))
            noted = self.lessons.setdefault(trace.id, [])
            noted += [Lesson(request, answer, asked.tokens, rejected) for answer, rejected in taught]
            answers.append(said[: asked.n])
        return answers

    def _taught(
        self, step: str, trace: Trace, samples: list[str]
    ) -> tuple[tuple[str, ...], list[tuple[str, str | None]]]:
        """What is answered, and pairs of a right and a rejected answer, None where there is none."""
        truth, settings, tuning = self.truths[trace.id], self.settings, self.tuning
        if tuning.recipe == "R1":
            right = true_answers(step, trace, truth, settings, name_alone=tuning.rewriting == "name")
            return right, [(answer, None) for answer in right]
        lists = step == "expand" and settings.mode == "list"
        if lists and tuning.recipe == "R2":  # what helps is put together from all samples
            samples = list(parse_clues(samples, sys.maxsize, settings.clue_words).texts)
        gained = gains(rewarded(step, trace, truth, self.corpus, settings), samples)
        best = [samples[place] for place in window(gained, settings.expansions)]
        if tuning.recipe == "R3":
            pairs = preferences(samples, gained)
            return tuple(best), [(pair.chosen, pair.rejected) for pair in pairs]
        kept = sampled_target(samples, gained, settings.expansions if step == "expand" else 1)
        if lists:
            kept, best = ["\n".join(kept)] if kept else [], ["\n".join(best)]
        return tuple(kept or best), [(answer, None) for answer in kept]


def make_lessons(questions: Sequence[VisualQuestion], teacher: AskTeacher) -> list[list[Lesson]]:
    """Take questions of the train split through the pipeline, and note each step's prompt and answer.

    Prompts are those of generation, for the pipeline makes both; rewriting, context, clues and their choice
    in later prompts come of the answers to earlier ones (teacher forcing).

    Args:
        questions: their answers may be seen.
        teacher: what is answered.

    Returns:
        One list a question, in order of the steps; empty where nothing is known to be right.

    Raises:
        RequeryError: the model cannot be used; see `generate`.
    """
    Expander(teacher, teacher.corpus).expand(questions)
    return [teacher.lessons.get(question.id, []) for question in questions]
